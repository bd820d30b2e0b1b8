"""Starting Django inside a command, with plain sentences when the settings cannot be used."""

import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # `certdesk --help` and the user commands need no settings: reading them takes a while
    from certdesk.foundation.common.settings import Settings


def settings_or_exit() -> "Settings":
    """The settings; an unknown name or impossible value ends the process with status 2."""
    from certdesk.config.settings import SettingsRefused, load

    try:
        return load()
    except SettingsRefused as refused:
        print(f"certdesk: {refused}", file=sys.stderr)
        raise SystemExit(2) from None


def django() -> "Settings":
    """Make the data folder and configure Django, logging and the rooms."""
    settings = settings_or_exit()
    settings.data.mkdir(mode=0o700, parents=True, exist_ok=True)
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "certdesk.config.django")
    import django as framework

    from certdesk.config import logging

    logging.configure(settings.log_level)
    framework.setup()
    if settings.weak_keys is not None:
        _refuse_unreadable_list()
    if settings.lab_clock is not None:
        _refuse_moved_clock_for_others()
    return settings


def _refuse_unreadable_list() -> None:
    """A list that cannot be read refuses every key later; better to say so now."""
    from certdesk.foundation.common.errors import CertdeskError
    from certdesk.pki.keystore import blocklist

    try:
        blocklist.load()
    except CertdeskError as refused:
        print(f"certdesk: {refused}", file=sys.stderr)
        raise SystemExit(2) from None


def _refuse_moved_clock_for_others() -> None:
    """A moved clock and an issuer that others trust would make certificates with untrue dates."""
    from certdesk.lifecycle.catalogue.queries import catalogue

    others = sorted({product.issuer for product in catalogue().products} - {"", "builtin"})
    if others:
        print(
            f"certdesk: CERTDESK_LAB_CLOCK is refused: the catalogue sells from {', '.join(others)};"
            " only the built-in private CA may work with a moved clock.",
            file=sys.stderr,
        )
        raise SystemExit(2)
