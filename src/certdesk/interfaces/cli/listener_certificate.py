"""The HTTPS listener's certificate, from the built-in CA; its key file is encrypted at rest."""

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from certdesk.foundation.common import private_file, session_key

if TYPE_CHECKING:
    from certdesk.foundation.common.settings import Settings

RENEW_BEFORE = timedelta(days=30)


@dataclass(frozen=True, repr=False)
class Files:
    certificate: Path
    key: Path
    password: str


def files(settings: "Settings") -> Files:
    """Where certificate and key lie, and the key file's password, derived and stored nowhere."""
    folder = settings.data / "listener"
    return Files(folder / "chain.pem", folder / "key.pem", session_key.derive(settings, "listener"))


def plain_key(settings: "Settings") -> bytes:
    """The key, decrypted, in PKCS#8 PEM; for the listener's own memory only."""
    where = files(settings)
    key = load_pem_private_key(where.key.read_bytes(), where.password.encode())
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def hosts(settings: "Settings") -> list[str]:
    """Names and addresses the listener answers for (DESIGN §4)."""
    external = urlsplit(settings.base_url).hostname or ""
    return list(dict.fromkeys(host for host in (external, "localhost", "127.0.0.1", "::1") if host))


def ensure(settings: "Settings") -> None:
    """Make or renew the certificate when it is missing, near its end or for other hosts."""
    if not settings.https:
        return
    from certdesk.foundation.common import clock
    from certdesk.pki.authority import listener

    where = files(settings)
    wanted = hosts(settings)
    if where.key.exists() and where.certificate.exists():
        held = where.certificate.read_bytes()
        if listener.good_for(held, wanted, clock.real_now() + RENEW_BEFORE):
            return
    chain, key = listener.issue(wanted, clock.real_now(), where.password.encode())
    where.key.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    private_file.write(where.key, key)
    private_file.write(where.certificate, chain)
