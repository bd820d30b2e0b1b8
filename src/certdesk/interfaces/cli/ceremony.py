"""`certdesk ca ceremony`: the offline half, on a machine of its own. It opens no database and no network."""

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any

import typer

from certdesk.foundation.common import private_file
from certdesk.foundation.common.errors import BadParameter

from . import given_files, start
from .output import Json, show

AGENDA, OUTCOME, TRANSCRIPT = "agenda.json", "outcome.json", "transcript.txt"
KEY, TOKEN_KEY, LAST_CRL = "root-key.pem", "root-key.token", "last.crl"
PASSPHRASE = 12  # characters at least

Folder = Annotated[
    Path,
    typer.Option("--folder", help="What travels: agenda.json there, outcome.json and transcript.txt back."),
]


def ceremony(
    folder: Folder,
    keys: Annotated[
        Path,
        typer.Option("--keys", help="What stays: a folder for the root's key, never in the installation."),
    ],
    asked: Annotated[
        str, typer.Option("--agenda", help="The check value of the agenda, as `ca request` printed it.")
    ],
    people: Annotated[list[str], typer.Option("--person", help="Name of who takes part; two or more.")],
    passphrase_file: Annotated[
        Path | None,
        typer.Option("--passphrase-file", help="Seals the root's key; its first line. Else it is asked for."),
    ] = None,
    revoke: Annotated[
        list[str] | None,
        typer.Option("--revoke", help="Serial (hex) of an authority not to be trusted any more."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Hold an offline root ceremony: make or use the root's key, sign the agenda, write the transcript.

    `--agenda` shows that nothing was exchanged on the way there. Each person types the check value of what
    was signed; when one differs, nothing is written. With CERTDESK_PKCS11_MODULE the root's key is made in
    that token, which must not be the running installation's.
    """
    names, serials = _two(people), _serials(revoke or [])
    start.django()
    from certdesk.foundation.common import clock
    from certdesk.pki.authority import ceremony as rules

    agenda = rules.agenda_of(given_files.text(folder / AGENDA))
    if not rules.same_value(asked, agenda.check_value):
        raise BadParameter(
            f"The check value of {folder / AGENDA} is not the one given with --agenda.",
            next_step="Give what `certdesk ca request` printed; if it differs, the file was exchanged.",
        )
    keys.mkdir(mode=0o700, parents=True, exist_ok=True)
    key, kept = _root_key(keys, agenda, passphrase_file)
    try:
        last = (keys / LAST_CRL).read_bytes() if (keys / LAST_CRL).exists() else b""
        outcome = rules.hold(agenda, key, clock.now(), revoked=serials, last_crl=last)
        _compare(names, outcome.check_value)
    except BaseException:  # also whoever ends it by Ctrl-C: the next ceremony finds an empty folder
        _forget_new_key(keys, agenda)
        raise
    text = rules.transcript(agenda, outcome, names, clock.now(), kept)
    finished = rules.Outcome(
        outcome.agenda_id, outcome.root_der, outcome.certificates, outcome.crl, names, text
    )
    private_file.write(folder / OUTCOME, finished.as_text().encode())
    private_file.write(folder / TRANSCRIPT, text.encode())
    private_file.write(keys / LAST_CRL, outcome.crl)
    if as_json:
        show({"ceremony": agenda.id, "check_value": outcome.check_value, "folder": str(folder)}, True)
    else:
        typer.echo(text)


def _compare(names: Sequence[str], value: str) -> None:
    from certdesk.pki.authority import ceremony as rules

    typer.echo(f"Check value: {value}", err=True)
    for name in names:
        typed = typer.prompt(f"{name}, type the check value", err=True)
        if not rules.same_value(typed, value):
            raise BadParameter(
                f"{name} typed another check value, so nothing was written.", next_step="Begin again."
            )


def _two(people: Sequence[str]) -> tuple[str, ...]:
    names = tuple(name.strip() for name in people if name.strip())
    if len({name.lower() for name in names}) < 2 or len({name.lower() for name in names}) < len(names):
        raise BadParameter("A ceremony needs two different people.", next_step="Name each with --person.")
    return names


def _serials(texts: Sequence[str]) -> list[int]:
    try:
        return [int(text.replace(":", ""), 16) for text in texts]
    except ValueError:
        raise BadParameter("A serial is written in hex.", next_step="Take it from the certificate.") from None


def _root_key(folder: Path, agenda: Any, passphrase_file: Path | None) -> tuple[Any, str]:
    """The root's key, and where it lies in words; made when the agenda asks for a new root."""
    from certdesk.pki.keystore import token_keys, tokens

    if (folder / KEY).exists() or (folder / TOKEN_KEY).exists():
        if not agenda.root_der:
            raise BadParameter(
                f"The folder {folder} holds the key of another root.", next_step="Choose an empty one."
            )
        return _held(folder, passphrase_file)
    if agenda.root_der:
        raise BadParameter(
            f"The folder {folder} holds no key.", next_step="Bring the one of the ceremony before."
        )
    if tokens.place() is None:
        return _made(folder, agenda, passphrase_file)
    key = token_keys.generate(agenda.root.algorithm)
    spki = _spki(key).hex()
    private_file.write(folder / TOKEN_KEY, f"{token_keys.id_of(key)} {spki}\n".encode("ascii"))
    return key, "in a PKCS#11 token of its own"


def _spki(key: Any) -> bytes:
    from certdesk.pki.x509 import keys

    return keys.spki_der(key.public_key())


def _made(folder: Path, agenda: Any, passphrase_file: Path | None) -> tuple[Any, str]:
    from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat

    from certdesk.pki.x509 import keys

    key = keys.generate(agenda.root.algorithm)
    seal = BestAvailableEncryption(passphrase(passphrase_file, new=True))
    private_file.write(folder / KEY, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, seal))
    return key, f"in the file {KEY}, sealed with a passphrase"


def _held(folder: Path, passphrase_file: Path | None) -> tuple[Any, str]:
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    from certdesk.pki.keystore import token_keys

    if (folder / TOKEN_KEY).exists():
        object_id, spki = given_files.text(folder / TOKEN_KEY).split()
        return token_keys.load(object_id, bytes.fromhex(spki)), "in a PKCS#11 token of its own"
    try:
        sealed = (folder / KEY).read_bytes()
        key = load_pem_private_key(sealed, passphrase(passphrase_file, new=False))
    except (ValueError, TypeError):  # the latter: it is not sealed at all
        raise BadParameter("The root's key does not open with this passphrase.") from None
    return key, f"in the file {KEY}, sealed with a passphrase"


def passphrase(file: Path | None, *, new: bool, whose: str = "the root's key") -> bytes:
    """From the first line of a file, else asked for; twice where it is new."""
    if file is not None:
        text = given_files.text(file).split("\n", 1)[0]
    else:
        text = typer.prompt(f"Passphrase of {whose}", hide_input=True, confirmation_prompt=new, err=True)
    if len(text) < PASSPHRASE:
        raise BadParameter(f"A passphrase has at least {PASSPHRASE} characters.")
    return text.encode()


def _forget_new_key(folder: Path, agenda: Any) -> None:
    """A key that was made in a ceremony that failed signs nothing that anybody keeps."""
    from certdesk.pki.keystore import token_keys

    if agenda.root_der:
        return
    if (folder / TOKEN_KEY).exists():
        token_keys.remove([given_files.text(folder / TOKEN_KEY).split()[0]])
    for name in (KEY, TOKEN_KEY):
        with suppress(FileNotFoundError):
            (folder / name).unlink()
