"""Download archives: certificate, chain and key in the files that each kind of server reads (ISS-3).

File names inside the archive are fixed by API §5.4; nothing foreign becomes a path. With the key go a
password-protected PKCS#12 (and JKS) store and its random password; without a key, PEM files only.
"""

import io
import secrets
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from cryptography import x509
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, pkcs12

from . import keys, readme
from .certificates import chain_to_pem, facts, to_pem
from .errors import KeyDoesNotMatch
from .file_names import safe_name

PASSWORD_FILE = "keystorePass.txt"  # noqa: S105 - a file name
_PASSWORD_BYTES = 18  # 144 random bits, 24 characters of base64url
_PRIVATE = 0o600
_PUBLIC = 0o644


class ServerType(StrEnum):
    """The servers of the download page by their API values; `all` holds a folder for each other one."""

    NGINX = "nginx"
    APACHE = "apache"
    TOMCAT = "tomcat"
    IIS = "iis"
    OTHER = "other"
    ALL = "all"


@dataclass(frozen=True, slots=True)
class _Material:
    """What goes into every folder; `repr` shows no key."""

    leaf: bytes
    chain: tuple[bytes, ...]
    key: keys.PrivateKey | None
    alias: str
    now: datetime


_Files = dict[str, bytes]


def bundle(
    server: ServerType | str,
    leaf_der: bytes,
    chain_der: Sequence[bytes],
    key: keys.PrivateKey | None,
    basename: str,
    now: datetime,
) -> bytes:
    """A zip archive for one kind of server, or for all of them with one folder each.

    Args:
        chain_der: the certificates above the leaf, issuer first; with or without the root.
        key: None when the service does not hold it (uploaded CSR); then only PEM files go in.
        basename: any text, e.g. the certificate's name; becomes the safe alias inside key stores.
        now: aware; the time of the files.

    Raises:
        BadCertificate: the leaf cannot be read.
        KeyDoesNotMatch: the key belongs to another certificate; such an archive is never made.
    """
    if key is not None and keys.spki_sha256(key.public_key()) != facts(leaf_der).spki_sha256:
        raise KeyDoesNotMatch(
            "The private key does not belong to this certificate, so no download was made.",
            next_step="Tell the operator: the stored key and certificate should be checked.",
        )
    material = _Material(leaf_der, tuple(chain_der), key, safe_name(basename), now.astimezone(UTC))
    chosen = ServerType(server)
    if chosen is not ServerType.ALL:
        return _zip(_folder(chosen, material), material.now)
    return _zip(
        {f"{each}/{name}": data for each in _FOLDERS for name, data in _folder(each, material).items()},
        material.now,
    )


def archive_name(basename: str, server: ServerType | str) -> str:
    """`<name>_<type>.zip`, ASCII only and safe on every file system and in Content-Disposition."""
    return f"{safe_name(basename)}_{ServerType(server)}.zip"


def new_password() -> str:
    """A password for a key store: 144 random bits, letters, digits, `-` and `_`."""
    return secrets.token_urlsafe(_PASSWORD_BYTES)


def pkcs12_store(
    leaf_der: bytes, chain_der: Sequence[bytes], key: keys.PrivateKey, alias: str, password: str
) -> bytes:
    """A PKCS#12 file (PFX) with AES-256 and SHA-256, for Java 8u301+ and Windows Server 2019+."""
    return pkcs12.serialize_key_and_certificates(
        alias.encode(),
        key,
        x509.load_der_x509_certificate(leaf_der),
        [x509.load_der_x509_certificate(der) for der in chain_der],
        BestAvailableEncryption(password.encode()),
    )


def jks_store(
    leaf_der: bytes,
    chain_der: Sequence[bytes],
    key: keys.PrivateKey,
    alias: str,
    password: str,
    now: datetime,
) -> bytes:
    """A Java key store of the old kind, for Tomcat on Java 8 and older; key and store share the password."""
    import jks  # 0.3 s with what it drags in; few processes ever write such a store

    entry = jks.PrivateKeyEntry.new(alias.lower(), [leaf_der, *chain_der], keys.private_to_der(key))
    entry.timestamp = int(now.timestamp() * 1000)
    store: bytes = jks.KeyStore.new("jks", [entry]).saves(password)
    return store


def _folder(server: ServerType, material: _Material) -> _Files:
    files = _FOLDERS[server](material)
    return files | {"README.txt": readme.text(server.value, has_key=material.key is not None).encode()}


def _nginx(material: _Material) -> _Files:
    return {"server.crt": _full_chain(material)} | _key_file(material)


def _apache(material: _Material) -> _Files:
    return _certificate_and_chain(material, "server.crt", "chain.crt") | _key_file(material)


def _tomcat(material: _Material) -> _Files:
    if material.key is None:
        return _certificate_and_chain(material, "server.crt", "chain.crt")
    password = new_password()
    parts = (material.leaf, material.chain, material.key, material.alias, password)
    return {
        "server.p12": pkcs12_store(*parts),
        "server.jks": jks_store(*parts, material.now),
        PASSWORD_FILE: password.encode(),
    }


def _iis(material: _Material) -> _Files:
    if material.key is None:
        return _certificate_and_chain(material, "server.crt", "chain.crt")
    password = new_password()
    store = pkcs12_store(material.leaf, material.chain, material.key, material.alias, password)
    return {"server.pfx": store, PASSWORD_FILE: password.encode()}


def _other(material: _Material) -> _Files:
    return _certificate_and_chain(material, "cert.pem", "chain.pem") | _key_file(material)


_FOLDERS: dict[ServerType, Callable[[_Material], _Files]] = {
    ServerType.NGINX: _nginx,
    ServerType.APACHE: _apache,
    ServerType.TOMCAT: _tomcat,
    ServerType.IIS: _iis,
    ServerType.OTHER: _other,
}


def _full_chain(material: _Material) -> bytes:
    return chain_to_pem((material.leaf, *material.chain)).encode()


def _certificate_and_chain(material: _Material, leaf_name: str, chain_name: str) -> _Files:
    return {leaf_name: to_pem(material.leaf).encode(), chain_name: chain_to_pem(material.chain).encode()}


def _key_file(material: _Material) -> _Files:
    return {} if material.key is None else {"server.key": keys.private_to_pem(material.key)}


def _zip(files: _Files, now: datetime) -> bytes:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as target:
        for name, data in files.items():
            target.writestr(_entry(name, now), data)
    return archive.getvalue()


def _entry(name: str, now: datetime) -> zipfile.ZipInfo:
    """Secrets come out of the archive readable by their owner only."""
    entry = zipfile.ZipInfo(name, now.timetuple()[:6])
    entry.compress_type = zipfile.ZIP_DEFLATED
    open_to_all = name.endswith((".crt", ".pem", "README.txt"))
    entry.external_attr = (_PUBLIC if open_to_all else _PRIVATE) << 16
    return entry
