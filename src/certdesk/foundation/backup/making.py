"""Makes backups: one moment of the database, sealed into a file, and read back before it counts."""

import fcntl
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from certdesk.foundation.audit import actions as audit
from certdesk.foundation.common import clock, private_file, settings
from certdesk.foundation.iam.principal import system_principal

from . import head as heads
from . import manifest as manifests
from .archive import Member, Reader, Writer
from .errors import BackupBroken, BackupRefused
from .manifest import MANIFEST, SCHEMA, Manifest, Schema
from .source import Snapshot, snapshot
from .stream import SealedReader, SealedWriter

MADE, RESOURCE = "host.backup", "installation:backup"
_ENDING, _DRAFT = ".backup", ".part"


@dataclass(frozen=True, slots=True)
class Made:
    """Attributes:
    size: bytes of the file.
    removed: older backups that made place.
    """

    file: str
    size: int
    sha256: str
    made_at: str
    counts: dict[str, int]
    kek_versions: list[int]
    removed: list[str]


def make(folder: Path, *, passphrase: str = "", keep: int = 0) -> Made:
    """A new backup in `folder`, read back and compared before it gets its name.

    Args:
        keep: so many of this installation stay there, the new one included; 0 = all.

    Raises:
        BackupRefused: folder or database cannot be used. BackupBroken: what was written reads otherwise.
    """
    folder = _usable(folder)
    with private_file.locked(settings.get().data / "backup"):
        _remove_drafts(folder)
        moment = clock.real_now()
        final = folder / f"certdesk-{moment:%Y%m%dT%H%M%S.%fZ}{_ENDING}"
        with _draft(final) as draft:
            _write(draft, moment.isoformat(timespec="seconds"), passphrase)
            found = check(draft, passphrase)
        removed = _make_place(folder, found.installation, keep)
    made = Made(
        str(final),
        final.stat().st_size,
        _sha256(final),
        found.made_at,
        dict(found.counts),
        list(found.kek_versions),
        removed,
    )
    _record(made)
    return made


def check(file: Path, passphrase: str = "") -> Manifest:
    """Reads a backup to its end: every seal, every hash; nothing is written.

    Raises:
        BackupRefused, KekRefused: it cannot be opened. BackupBroken: it is damaged.
    """
    with opened(file, passphrase) as reader:
        return manifest_of(reader)


def manifest_of(reader: Reader) -> Manifest:
    last = b""
    for name, blocks in reader:
        last = b"".join(blocks) if name == MANIFEST else _pass_by(blocks)
    return manifests.manifest(last, reader.seen[:-1])


def _pass_by(blocks: Iterator[bytes]) -> bytes:
    for _ in blocks:
        pass
    return b""


def read_head(file: Path) -> heads.Head:
    """Raises: BackupRefused: no such file. BackupBroken: it is no backup."""
    try:
        with file.open("rb") as source:
            return heads.read(source.readline(heads.LIMIT).rstrip(b"\n"))
    except OSError as error:
        raise _unusable(file, error) from None


@contextmanager
def opened(file: Path, passphrase: str = "") -> Iterator[Reader]:
    try:
        source = file.open("rb")
    except OSError as error:
        raise _unusable(file, error) from None
    with source:
        head = heads.read(source.readline(heads.LIMIT).rstrip(b"\n"))
        yield Reader(SealedReader(source, heads.key_of(head, passphrase), head.line))


def _unusable(path: Path, error: OSError) -> BackupRefused:
    return BackupRefused(
        f"{path} cannot be used: {error.strerror}.", next_step="Check the path, its rights and the space."
    )


def _usable(folder: Path) -> Path:
    if folder.resolve().is_relative_to(settings.get().data.resolve()):
        raise BackupRefused(
            f"The folder {folder} stands inside the data folder, and would be lost with it.",
            next_step="Name a folder elsewhere, best on another machine.",
        )
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise _unusable(folder, error) from None
    return folder


@contextmanager
def _draft(final: Path) -> Iterator[Path]:
    """A locked file that gets its name when all went well, and goes when not."""
    draft = final.with_name(final.name + _DRAFT)
    try:
        handle = os.open(draft, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise _unusable(final.parent, error) from None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield draft
        draft.replace(final)
        private_file.settle(final.parent)
    except OSError as error:
        raise _unusable(final.parent, error) from None
    finally:
        draft.unlink(missing_ok=True)
        os.close(handle)


def _remove_drafts(folder: Path) -> None:
    """What a killed backup left; the kernel has taken its lock away."""
    for draft in folder.glob(f"certdesk-*{_ENDING}{_DRAFT}"):
        with suppress(OSError), draft.open("rb+") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            draft.unlink()


def _write(draft: Path, made_at: str, passphrase: str) -> None:
    with snapshot() as moment, draft.open("wb") as file:
        installation = _installation(moment)
        head, key = heads.make(moment.kind, made_at, installation, passphrase)
        file.write(head.line + b"\n")
        with SealedWriter(file, key, head.line) as sealed:
            writer = Writer(sealed)
            members = _members(moment, writer)
            writer.add(MANIFEST, [manifests.text(_manifest(moment, head, members))])
            writer.close()
        file.flush()
        os.fsync(file.fileno())


def _members(moment: Snapshot, writer: Writer) -> list[Member]:
    schema = Schema(_migrations(moment), moment.columns())
    first = writer.add(SCHEMA, [manifests.text(schema)])
    return [first, *(writer.add(name, pieces) for name, pieces in moment.members())]


def _manifest(moment: Snapshot, head: heads.Head, members: list[Member]) -> Manifest:
    ends = moment.rows("SELECT account_id, sequence, digest FROM audit_head ORDER BY account_id")
    versions = moment.rows("SELECT DISTINCT kek_version FROM sealing_secret ORDER BY kek_version")
    return Manifest(
        made_at=head.made_at,
        database=moment.kind,
        installation=head.installation,
        counts={table: moment.rows(f'SELECT count(*) FROM "{table}"')[0][0] for table in moment.tables()},
        heads={account: [sequence, digest] for account, sequence, digest in ends},
        kek_versions=[version for (version,) in versions],
        members=[asdict(one) for one in members],
    )


def _migrations(moment: Snapshot) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for app, name in moment.rows("SELECT app, name FROM django_migrations ORDER BY id"):
        found.setdefault(app, []).append(name)
    return found


def _installation(moment: Snapshot) -> str:
    """Tells installations apart: a hash over the roots of the built-in CA."""
    if "authority_authority" not in moment.tables():
        raise BackupRefused(
            "The database has no tables yet: there is nothing to keep.", next_step="Run ./certdesk migrate."
        )
    digest = hashlib.sha256()
    for (der,) in moment.rows(
        "SELECT certificate_der FROM authority_authority WHERE parent_id IS NULL ORDER BY slug"
    ):
        digest.update(bytes(der))
    return digest.hexdigest()[:16]


def _make_place(folder: Path, installation: str, keep: int) -> list[str]:
    """Removes the oldest ones of this installation; others, and what cannot be read, stay."""
    own = []
    for file in sorted(folder.glob(f"certdesk-*{_ENDING}")):
        with suppress(BackupRefused, BackupBroken):
            if read_head(file).installation == installation:
                own.append(file)
    gone = own[:-keep] if keep else []
    for file in gone:
        file.unlink()
    return [str(file) for file in gone]


def _sha256(file: Path) -> str:
    with file.open("rb") as source:
        return hashlib.file_digest(source, "sha256").hexdigest()


def _record(made: Made) -> None:
    """Noted in the audit log: `doctor` asks it how old the last one is."""
    details = {"file": Path(made.file).name, "size": made.size, "sha256": made.sha256}
    audit.record(
        system_principal("", MADE),
        MADE,
        resource=RESOURCE,
        details={**details, "made_at": made.made_at, "kek_versions": made.kek_versions},
    )
