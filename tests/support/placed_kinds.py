"""The kinds of servers with one certificate in files, each ready to be started and looked at."""

import asyncio
import base64
import ipaddress
import json
import os
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import jks
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, pkcs12

from certdesk.connectors import probe
from certdesk.connectors.probe import Expected, Seen, Verdict
from certdesk.connectors.targets import registry
from certdesk.connectors.targets.options import Outside
from certdesk.connectors.targets.protocol import Target
from tests.support import tls
from tests.support.needs import need
from tests.support.placed import NAME, POSTGRES, RealPostfix, RealPostgres, Rereading, Served

T = TypeVar("T")
LOOPBACK = (ipaddress.ip_network("127.0.0.0/8"),)
PASSWORD = "s3cret-of-the-store"


def run(work: Awaitable[T]) -> T:
    async def inside() -> T:
        return await work

    return asyncio.run(inside())


def target(server: Served, **options: Any) -> Target:
    outside = Outside(folders=(server.folder,), programs=server.programs, seconds=30)
    return registry.connect(server.kind, {**server.options, **options}, outside)


async def _look(server: Served, expected: Expected, wanted: Verdict) -> Verdict:
    """As a deployment does: what a server shows just after it was told may be a moment late."""
    seen: tuple[Seen, ...] = ()
    until = time.monotonic() + 15
    while time.monotonic() < until:
        seen = await probe.look(server.host, server.port, NAME, expected, allow_networks=LOOPBACK)
        if seen[0].verdict is wanted:
            break
        await asyncio.sleep(0.1)
    return seen[0].verdict


def serves(server: Served, made: tls.Made) -> bool:
    expected = Expected(made.sha256, chain=made.chain)
    return run(_look(server, expected, Verdict.NEW)) is Verdict.NEW


def _postfix() -> Served:
    need(Path("/usr/sbin/postfix").exists(), "postfix is not installed")
    return RealPostfix()


def _postgres() -> Served:
    need(bool(POSTGRES), "postgresql is not installed")
    return RealPostgres()


def _pkcs12(content: bytes) -> bytes:
    key, leaf, chain = pkcs12.load_key_and_certificates(content, PASSWORD.encode())
    assert key is not None
    assert leaf is not None
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return secret + b"".join(one.public_bytes(Encoding.PEM) for one in (leaf, *chain))


def _jks(content: bytes) -> bytes:
    (entry,) = jks.KeyStore.loads(content, PASSWORD).private_keys.values()
    parts = [("PRIVATE KEY", entry.pkey_pkcs8), *(("CERTIFICATE", der) for _, der in entry.cert_chain)]
    return b"".join(
        f"-----BEGIN {word}-----\n".encode() + base64.encodebytes(der) + f"-----END {word}-----\n".encode()
        for word, der in parts
    )


def _envoy(content: bytes) -> bytes:
    (mine,) = [one for one in json.loads(content)["resources"] if one["name"] == "server"]
    held = mine["tls_certificate"]
    text: str = held["private_key"]["inline_string"] + held["certificate_chain"]["inline_string"]
    return text.encode()


def _filled(kind: str, pem: Callable[[bytes], bytes], options: dict[str, Any]) -> Served:
    """With what an administrator has put there: the kind's own writer makes it."""
    server = Rereading(kind, pem, options)
    if kind == "envoy":
        other = '{"resources": [{"name": "other", "generic_secret": {}}]}'
        server.file.write_text(other, encoding="ascii")
    run(target(server).install(str(server.file), server.first.bundle))
    return server


STORE = {"password": PASSWORD}
MAKERS: dict[str, Callable[[], Served]] = {
    "postgresql": _postgres,
    "pkcs12": lambda: _filled("keystore", _pkcs12, STORE),
    "jks": lambda: _filled("keystore", _jks, {**STORE, "format": "JKS"}),
    "envoy": lambda: _filled("envoy", _envoy, {"secret": "server"}),
    "pem": lambda: _filled("pem", bytes, {}),
}
if os.geteuid() == 0:  # Postfix runs under root only
    MAKERS["postfix"] = _postfix
