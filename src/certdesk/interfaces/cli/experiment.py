"""`certdesk ca experiment`: a private PKI with ML-DSA-65 in a folder, to try clients. Opens no database."""

import secrets
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from certdesk.foundation.common import private_file
from certdesk.foundation.common.errors import BadParameter

from . import given_files
from .ceremony import passphrase
from .output import Json, show

if TYPE_CHECKING:
    from cryptography import x509

    from certdesk.pki.authority.experiment import Pair

ROOT, ROOT_KEY, ISSUING, ISSUING_KEY = "root.pem", "root-key.pem", "issuing.pem", "issuing-key.pem"


def experiment(
    folder: Annotated[Path, typer.Option("--folder", help="Where it all lies; made when it is missing.")],
    names: Annotated[
        list[str] | None, typer.Option("--name", help="A name of the certificate; the first names its file.")
    ] = None,
    csr: Annotated[
        Path | None, typer.Option("--csr", help="CSR of an ML-DSA-65 key; else a key is made.")
    ] = None,
    profile: Annotated[str, typer.Option("--profile", help="private; a public one is refused.")] = "private",
    passphrase_file: Annotated[
        Path | None,
        typer.Option("--passphrase-file", help="Seals the CA's keys; its first line. Else it is asked for."),
    ] = None,
    as_json: Json = False,
) -> None:
    """EXPERIMENTAL: a private PKI with ML-DSA-65 (FIPS 204): root, authority and certificates in a folder.

    Apart from the built-in CA: no order, no proof of names, no record, no revocation. Only to try clients.
    """
    from certdesk.pki.authority import experiment as rules

    rules.refuse_public(profile)
    new = not (folder / ISSUING).exists()
    phrase = passphrase(passphrase_file, new=new, whose="the experiment's keys")
    issuing = _made(folder, phrase) if new else _held(folder, phrase)
    made = [_leaf(folder, issuing, names, csr, profile)] if names else []
    answer = {"experimental": True, "algorithm": rules.ALGORITHM, "root": str(folder / ROOT)}
    show(answer | {"certificates": made}, as_json)


def _leaf(folder: Path, issuing: "Pair", names: list[str], csr: Path | None, profile: str) -> str:
    """The file with the new certificate and its authority's."""
    from certdesk.pki.authority import experiment as rules

    own = None if csr else rules.generate()
    public_key = own.public_key() if own else rules.key_of_request(given_files.content(csr or folder))
    certificate = rules.issue(issuing, public_key, names, datetime.now(UTC), profile)
    file = f"leaf-{names[0].replace('*', '_').replace(':', '_')}"  # it passed the gate: no folder
    if own:
        _write_key(folder / f"{file}-key.pem", own, b"")
    _write_certificates(folder / f"{file}.pem", certificate, issuing.certificate)
    return f"{file}.pem"


def _made(folder: Path, phrase: bytes) -> "Pair":
    from certdesk.pki.authority import experiment as rules

    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    made = rules.make(secrets.token_hex(4).upper(), datetime.now(UTC))
    _write_key(folder / ROOT_KEY, made.root.key, phrase)
    _write_key(folder / ISSUING_KEY, made.issuing.key, phrase)
    _write_certificates(folder / ROOT, made.root.certificate)
    _write_certificates(folder / ISSUING, made.issuing.certificate)  # last: what it stands for is whole
    return made.issuing


def _held(folder: Path, phrase: bytes) -> "Pair":
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    from certdesk.pki.authority import experiment as rules

    try:
        key = load_pem_private_key(given_files.content(folder / ISSUING_KEY), phrase)
        certificate = x509.load_pem_x509_certificate(given_files.content(folder / ISSUING))
    except (ValueError, TypeError):
        raise BadParameter(f"What lies in {folder} does not open with this passphrase.") from None
    return rules.pair(certificate, key)


def _write_key(path: Path, key: Any, phrase: bytes) -> None:
    from cryptography.hazmat.primitives import serialization as forms

    seal = forms.BestAvailableEncryption(phrase) if phrase else forms.NoEncryption()
    private_file.write(path, key.private_bytes(forms.Encoding.PEM, forms.PrivateFormat.PKCS8, seal))


def _write_certificates(path: Path, *chain: "x509.Certificate") -> None:
    from cryptography.hazmat.primitives.serialization import Encoding

    mark = b"EXPERIMENTAL: ML-DSA-65, for a private PKI alone, made by certdesk ca experiment\n"
    private_file.write(path, mark + b"".join(one.public_bytes(Encoding.PEM) for one in chain))
