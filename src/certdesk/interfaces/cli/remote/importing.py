"""A folder of certificates and keys, hosted in one go: read pair by pair, sent a hundred at a time.

What is hosted already is left alone, so a run that broke off is simply repeated.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from certdesk.client import Certdesk

PATH = "/v3/scm/certificates/batch-import"
MOST = 100  # certificates of a request, and
MOST_BYTES = 8 << 20  # of PEM: with JSON's escapes it stays below what a request may have
CERTIFICATES = frozenset({".crt", ".cer", ".pem"})
THERE = "SCM.9062"
_SHORTEST, _LONGEST = 3, 63  # characters of a certificate's name
_KEY = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?-----END [A-Z ]*PRIVATE KEY-----\n?", re.DOTALL)
CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----\n?", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Pair:
    """A certificate with its chain, and its key; the key does not show in `repr`. `lacks` says why it
    cannot be sent."""

    file: str
    name: str
    certificate: str = ""
    private_key: str = field(default="", repr=False)
    lacks: str = ""

    @property
    def size(self) -> int:
        return len(self.certificate) + len(self.private_key)


@dataclass(frozen=True, slots=True)
class Line:
    """What became of one. `outcome`: hosted, there (hosted before) or refused."""

    file: str
    outcome: str
    certificate_id: str
    why: str


def pairs(folder: Path) -> Iterator[Pair]:
    """What a folder holds, in the order of names: NAME.crt (.cer, .pem) with NAME.key or with the key inside,
    and folders NAME with fullchain.pem and privkey.pem, as certbot leaves them.

    Raises:
        OSError: the folder cannot be read; a file that cannot be is a pair that lacks something.
    """
    for path in sorted(folder.iterdir()):
        if path.is_dir() and (path / "fullchain.pem").exists():
            yield _pair(path / "fullchain.pem", path / "privkey.pem", path.name, folder)
        elif path.suffix.lower() in CERTIFICATES and path.is_file():
            yield from _of_file(path, folder)


def _of_file(path: Path, folder: Path) -> Iterator[Pair]:
    """A .pem with a key alone belongs to a certificate of another file."""
    found = _pair(path, path.with_suffix(".key"), path.stem, folder)
    if found.certificate or (found.lacks and not _holds_only_key(path)):
        yield found


def _holds_only_key(path: Path) -> bool:
    text = _read(path)
    return _KEY.search(text) is not None and CERTIFICATE.search(text) is None


def _pair(certificate: Path, key: Path, name: str, folder: Path) -> Pair:
    file, text = str(certificate.relative_to(folder)), _read(certificate)
    chain, own = "".join(CERTIFICATE.findall(text)), _KEY.search(text) or _KEY.search(_read(key))
    if not chain:
        return Pair(file, name, lacks="It has no certificate as PEM text that can be read.")
    if own is None:
        return Pair(file, name, chain, lacks=f"There is no readable key in it or in {key.name} beside it.")
    return Pair(file, _named(name), chain, own.group())


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError):
        return ""


def _named(text: str) -> str:
    """A file's name as the name of a certificate: letters, digits and . _ -"""
    return re.sub(r"[^A-Za-z0-9._-]", "-", text)[:_LONGEST].ljust(_SHORTEST, "-")


def send(desk: Certdesk, found: Iterable[Pair], project: str) -> Iterator[Line]:
    """Sends what can be sent and says what became of each, in order within a request.

    Raises:
        ClientError: the server refused a whole request or did not answer; repeat the run then.
    """
    waiting: list[Pair] = []
    for one in found:
        if one.lacks:
            yield Line(one.file, "refused", "", one.lacks)
            continue
        if waiting and (len(waiting) == MOST or sum(each.size for each in waiting) + one.size > MOST_BYTES):
            yield from _request(desk, waiting, project)
            waiting = []
        waiting.append(one)
    if waiting:
        yield from _request(desk, waiting, project)


def _request(desk: Certdesk, batch: list[Pair], project: str) -> Iterator[Line]:
    items = [
        {
            "name": one.name,
            "certificate": one.certificate,
            "private_key": one.private_key,
            "duplicate_check": True,
            "enterprise_project_id": project,
        }
        for one in batch
    ]
    answer = desk.transport.call("POST", PATH, body={"items": items})
    for one, item in zip(batch, answer["items"], strict=True):
        yield _line(one, item)


def _line(one: Pair, item: dict[str, Any]) -> Line:
    if "certificate_id" in item:
        return Line(one.file, "hosted", item["certificate_id"], "")
    outcome = "there" if item["error_code"] == THERE else "refused"
    return Line(one.file, outcome, "", item["error_msg"])
