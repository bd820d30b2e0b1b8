"""Reads the settings once, at start: environment over the TOML file over defaults.

An unknown name or an impossible value refuses to start (promise 39).
"""

import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from certdesk.foundation.common.settings import Settings

PREFIX = "CERTDESK_"
CLIENT = "CERTDESK_CLIENT_"  # where the user commands find a server; no setting of one
NOT_SETTINGS = frozenset(
    {"CERTDESK_SETTINGS", "CERTDESK_REQUIRE_ALL", "CERTDESK_SIZE", "CERTDESK_TEST_DATABASE_URL"}
)
LISTS = frozenset(
    {
        "dns_resolvers",
        "dns_servers",
        "validation_http_ports",
        "allow_networks",
        "trusted_proxies",
        "perspectives",
        "target_folders",
        "target_programs",
    }
)
EMPTY_MEANS_NONE = frozenset(
    {
        "kek_file",
        "lab_clock",
        "catalogue",
        "weak_keys",
        "perspective_key_file",
        "pkcs11_module",
        "pkcs11_pin_file",
    }
)


class SettingsRefused(Exception):
    """The settings cannot be used; the text says which one, why, and what is allowed."""


def load(environ: Mapping[str, str] | None = None) -> Settings:
    """The settings of this process.

    Raises:
        SettingsRefused: unknown name, wrong type, or a combination that cannot work.
    """
    environ = os.environ if environ is None else environ
    values = _from_file(environ.get("CERTDESK_SETTINGS", "")) | _from_environment(environ)
    try:
        settings = Settings(**values)
    except ValidationError as error:
        raise SettingsRefused(_sentence(error)) from None
    _check_together(settings)
    return settings


def _from_file(path: str) -> dict[str, Any]:
    if not path:
        return {}
    try:
        values = tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsRefused(f"CERTDESK_SETTINGS: {path} cannot be read: {error}.") from None
    unknown = sorted(set(values) - set(Settings.model_fields))
    if unknown:
        raise SettingsRefused(f"{path}: unknown setting {', '.join(unknown)}. {_known()}")
    return values


def _from_environment(environ: Mapping[str, str]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for variable, text in environ.items():
        if not variable.startswith(PREFIX) or variable.startswith(CLIENT) or variable in NOT_SETTINGS:
            continue
        name = variable.removeprefix(PREFIX).lower()
        if name not in Settings.model_fields:
            raise SettingsRefused(f"Unknown setting {variable}. {_known()}")
        if name in LISTS:
            values[name] = tuple(part.strip() for part in text.split(",") if part.strip())
        else:
            values[name] = None if name in EMPTY_MEANS_NONE and not text else text
    return values


def _check_together(settings: Settings) -> None:
    if settings.lab_clock and not settings.lab:
        raise SettingsRefused("CERTDESK_LAB_CLOCK moves business time: it needs CERTDESK_LAB=1.")
    for name in ("http", "https", "mail_listener"):
        _check_listener(name, getattr(settings, name))
    for name in ("dns_resolvers", "dns_servers"):
        for server in getattr(settings, name):
            _check_listener(name, server)
    if not settings.http and not settings.https:
        raise SettingsRefused("CERTDESK_HTTP and CERTDESK_HTTPS are both empty: nothing would listen.")
    for name in ("target_folders", "target_programs"):
        for path in getattr(settings, name):
            if not path.is_absolute() or len(path.parts) < 3:
                raise SettingsRefused(
                    f"{PREFIX}{name.upper()}: {str(path)!r} is no absolute path with two folders or more."
                )
    _check_urls(settings)
    _check_perspectives(settings)
    _check_token(settings)


def _check_token(settings: Settings) -> None:
    """What can be seen without the token: whether it is connected shows at its first use."""
    given = (settings.pkcs11_module, settings.pkcs11_token, settings.pkcs11_pin_file)
    if not any(given):
        return
    module, label, pin_file = given
    if module is None or not label or pin_file is None:
        raise SettingsRefused(
            "CERTDESK_PKCS11_MODULE, CERTDESK_PKCS11_TOKEN and CERTDESK_PKCS11_PIN_FILE belong together."
        )
    if not module.is_file():
        raise SettingsRefused(f"CERTDESK_PKCS11_MODULE: {module} is no file.")
    try:
        others = pin_file.stat().st_mode & 0o077
    except OSError as error:
        raise SettingsRefused(f"CERTDESK_PKCS11_PIN_FILE: {pin_file}: {error.strerror}.") from None
    if others:
        raise SettingsRefused(f"CERTDESK_PKCS11_PIN_FILE: {pin_file} must have mode 0600.")


def _check_perspectives(settings: Settings) -> None:
    names = [one.partition("=")[0] for one in settings.perspectives]
    for one in settings.perspectives:
        if not re.fullmatch(r"[a-z][a-z0-9-]{0,30}=https?://[^/?#@\s]+/?", one):
            raise SettingsRefused(f"CERTDESK_PERSPECTIVES: {one!r} is not name=http(s)://host:port.")
    if len(set(names)) < len(names) or {"local", "quorum"} & set(names):
        raise SettingsRefused("CERTDESK_PERSPECTIVES: each needs a name of its own, not local or quorum.")
    if names:
        _check_shared_secret(settings.perspective_key_file)


def _check_shared_secret(path: Path | None) -> None:
    if path is None:
        raise SettingsRefused("CERTDESK_PERSPECTIVES needs CERTDESK_PERSPECTIVE_KEY_FILE.")
    try:
        others, length = path.stat().st_mode & 0o077, len(path.read_bytes().strip())
    except OSError as error:
        raise SettingsRefused(f"CERTDESK_PERSPECTIVE_KEY_FILE: {path}: {error.strerror}.") from None
    if others or length < 32:
        raise SettingsRefused(
            f"CERTDESK_PERSPECTIVE_KEY_FILE: {path} must have mode 0600 and 32 characters or more."
        )


def _check_listener(name: str, text: str) -> None:
    host, _, port = text.rpartition(":")
    if text and not (host and port.isascii() and port.isdigit() and 0 < int(port) < 65536):
        raise SettingsRefused(f"{PREFIX}{name.upper()}: {text!r} is not host:port.")


def _check_urls(settings: Settings) -> None:
    if settings.database_url and not settings.database_url.startswith(("postgresql://", "postgres://")):
        raise SettingsRefused("CERTDESK_DATABASE_URL must start with postgresql:// (empty = SQLite).")
    if settings.external_url and not settings.external_url.startswith(("http://", "https://")):
        raise SettingsRefused("CERTDESK_EXTERNAL_URL must start with http:// or https://.")
    if settings.pki_url and not settings.pki_url.startswith("http://"):
        raise SettingsRefused("CERTDESK_PKI_URL must start with http:// (RFC 5280: no TLS to check TLS).")
    if settings.smtp_url and not settings.smtp_url.startswith(("smtp://", "smtps://")):
        raise SettingsRefused("CERTDESK_SMTP_URL must start with smtp:// or smtps://.")
    if settings.log_level not in ("debug", "info", "warning", "error"):
        raise SettingsRefused("CERTDESK_LOG_LEVEL must be debug, info, warning or error.")


def _sentence(error: ValidationError) -> str:
    first = error.errors()[0]
    name = str(first["loc"][0]) if first["loc"] else "settings"
    return f"{PREFIX}{name.upper()}: {first['msg']} (given: {first.get('input')!r})."


def _known() -> str:
    return "Known: " + ", ".join(PREFIX + name.upper() for name in Settings.model_fields) + "."
