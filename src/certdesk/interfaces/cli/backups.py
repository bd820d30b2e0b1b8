"""`backup` and `restore`: a sealed copy of one moment, and an installation from it on an empty machine."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from certdesk.foundation.common.errors import BadParameter

from . import start
from .output import Json, show

PassphraseFile = Annotated[
    Path | None,
    typer.Option(help="File whose first line is the passphrase that seals the backup, instead of the KEK."),
]


def backup(
    folder: Annotated[
        Path | None, typer.Argument(help="Where the backup goes; not inside the data folder.")
    ] = None,
    keep: Annotated[
        int, typer.Option(help="Backups of this installation to keep in the folder; 0 = all.", min=0)
    ] = 0,
    check: Annotated[
        Path | None, typer.Option(help="Make none: read this backup to its end and say whether it is whole.")
    ] = None,
    passphrase_file: PassphraseFile = None,
    as_json: Json = False,
) -> None:
    """Make a sealed backup while the service runs; it is read back before it counts.

    The KEK file is not in it: keep that elsewhere. Status 1 when a backup is damaged.
    """
    if (folder is None) == (check is None):
        raise BadParameter("Name either a folder for a new backup, or one to look at with --check.")
    start.django()
    from certdesk.foundation.backup import making
    from certdesk.foundation.backup.errors import BackupBroken

    passphrase = _passphrase(passphrase_file)
    try:
        if check is not None:
            found = making.check(check, passphrase)
            _tell({"whole": True, "file": str(check), **asdict(found)}, as_json)
        elif folder is not None:
            _tell(asdict(making.make(folder, passphrase=passphrase, keep=keep)), as_json)
    except BackupBroken as broken:
        show({"whole": False, "problem": str(broken)}, as_json)
        raise typer.Exit(1) from None


def restore(
    file: Annotated[Path, typer.Argument(help="The backup.")],
    heads: Annotated[
        Path | None,
        typer.Option(help="Last checkpoints of the audit log; default: the file beside the KEK file."),
    ] = None,
    crl: Annotated[
        list[Path] | None,
        typer.Option(help="A CRL published since the backup: what it shows is revoked again."),
    ] = None,
    verify: Annotated[
        int, typer.Option(help="Newest certificates to verify one by one; 0 = all.", min=0)
    ] = 200,
    passphrase_file: PassphraseFile = None,
    as_json: Json = False,
) -> None:
    """Build the installation from a backup, on a machine that has none; the KEK file must stand there.

    Says what the backup lacks, as far as it is known. Status 1 when the backup is damaged, or a key, a
    certificate or the audit log does not verify.
    """
    settings = start.django()
    from certdesk.foundation.backup.errors import BackupBroken
    from certdesk.foundation.common import session_key

    from . import restored

    try:
        report = restored.restore(file, heads, verify, _passphrase(passphrase_file), crl or ())
    except BackupBroken as broken:
        show({"restored": False, "problem": str(broken)}, as_json)
        raise typer.Exit(1) from None
    session_key.ensure(settings)
    _tell(asdict(report), as_json)
    raise typer.Exit(0 if report.good else 1)


def _tell(answer: dict[str, Any], as_json: bool) -> None:
    """People read how many rows there are, not how many each table has, and sentences about what is lost."""
    if as_json:
        show(answer, True)
        return
    whole = {"heads", "members", "counts"}
    lines = {name: value for name, value in answer.items() if name not in whole}
    lines |= {"rows": sum(answer["counts"].values())}
    show(lines | ({"lacks": _lost(answer)} if "lacks" in answer else {}), False)


def _lost(answer: dict[str, Any]) -> str:
    return (
        " ".join(
            f"Events {one['first']} to {one['last']} of {one['account_id']} (until {one['at']})."
            for one in answer["lacks"]
        )
        or "nothing that is known of"
    )


def _passphrase(path: Path | None) -> str:
    from .setup import read_password

    return read_password(path) if path is not None else ""
