"""Automatic DNS for tests: a real BIND that is also what the checks ask, and a connection to it."""

import contextlib
import ipaddress
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from certdesk.foundation.common import settings
from tests.support.bind import Bind, bind

KEYS = {"certdesk": "c2VjcmV0LW9mLXRoZS10ZXN0LWtleS0wMDAwMDAwMDA="}
RIGHTS = 'allow-update { key "certdesk"; }; allow-transfer { key "certdesk"; };'


def options(server: Bind, *zones: str, secret: str = KEYS["certdesk"]) -> dict[str, Any]:
    return {
        "server": "127.0.0.1",
        "port": server.port,
        "zones": list(zones),
        "key_name": "certdesk",
        "key_secret": secret,
    }


@contextlib.contextmanager
def asked_bind(folder: Path, zones: dict[str, str]) -> Iterator[Bind]:
    """A BIND that takes updates by key and that every question of validation goes to."""
    with bind(folder, zones, keys=KEYS, rights=dict.fromkeys(zones, RIGHTS)) as server:
        before = settings.get()
        settings.install(
            before.model_copy(
                update={
                    "dns_resolvers": (server.server,),
                    "allow_networks": (ipaddress.ip_network("127.0.0.0/8"),),
                }
            )
        )
        try:
            yield server
        finally:
            settings.install(before)
