"""Files and folders full of certificates, watched without their keys: read, sorted, sent in parts.

What is watched already is left alone, so a run that broke off is simply repeated.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography import x509

from certdesk.client import Certdesk
from certdesk.pki.x509.certificates import to_pem

from .importing import CERTIFICATE, CERTIFICATES

PATH = "/v3/scm/certificates/batch-watch"
MOST = 2_000  # certificates of a request, and
MOST_BYTES = 3 << 19  # of PEM: also of certificates with many names, no more than a request may have
SUFFIXES = CERTIFICATES | {".der"}
_MOST_AUTHORITIES = 500  # of a request


@dataclass(frozen=True, slots=True)
class Found:
    """One certificate of a file; `lacks` says why the file has none."""

    file: str
    pem: str = ""
    lacks: str = ""


@dataclass(frozen=True, slots=True)
class Line:
    """What became of one. `outcome`: watched, there (in the inventory before) or refused."""

    file: str
    name: str
    outcome: str
    certificate_id: str
    why: str


def certificates(paths: Sequence[Path]) -> Iterator[Found]:
    """What files and folders hold, with what lies below the folders; of a key file nothing is kept.

    Raises:
        OSError: a path is missing or cannot be read.
    """
    for path in paths:
        if path.is_dir():
            for file in sorted(one for one in path.rglob("*") if one.suffix.lower() in SUFFIXES):
                yield from _of_file(file, str(file.relative_to(path)), silent="PRIVATE KEY-----")
        else:
            yield from _of_file(path, path.name)


def _of_file(path: Path, name: str, silent: str = "") -> Iterator[Found]:
    """`silent`: of a file of a folder with these words nothing is said."""
    content = path.read_bytes()
    text = content.decode("utf-8", errors="replace")
    blocks = CERTIFICATE.findall(text)
    if not blocks and content[:1] == b"\x30":  # DER
        blocks = [to_pem(content)]
    yield from (Found(name, block.strip()) for block in blocks)
    if not blocks and not (silent and silent in text):
        yield Found(name, lacks="It holds no certificate, neither as PEM nor as DER.")


def send(desk: Certdesk, found: Iterable[Found], project: str) -> Iterator[Line]:
    """Sends what can be sent and says what became of each; CAs' own certificates go with every part.

    Raises:
        ClientError: the server refused a whole part or did not answer; repeat the run then.
    """
    authorities, servers = dict[str, None](), dict[str, Found]()
    for one in found:
        if one.lacks:
            yield Line(one.file, "", "refused", "", one.lacks)
        elif _is_authority(one.pem):
            authorities[one.pem] = None
        else:
            servers.setdefault(one.pem, one)
    above = list(authorities)[:_MOST_AUTHORITIES]
    for part in _parts(list(servers.values()), above):
        body = {"certificates": "\n".join([*above, *(one.pem for one in part)])}
        answer = desk.transport.call("POST", PATH, body={**body, "enterprise_project_id": project})
        for item in answer["items"]:
            if item["place"] > len(above):
                yield _line(part[item["place"] - 1 - len(above)], item)


def _is_authority(pem: str) -> bool:
    """False also for what cannot be read: the server says why."""
    try:
        read = x509.load_pem_x509_certificate(pem.encode("ascii"))
        return read.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except (ValueError, x509.ExtensionNotFound):
        return False


def _parts(found: Sequence[Found], above: Sequence[str]) -> Iterator[list[Found]]:
    part, size = list[Found](), 0
    room = MOST_BYTES - sum(map(len, above))
    for one in found:
        if part and (len(part) + len(above) == MOST or size + len(one.pem) > room):
            yield part
            part, size = [], 0
        part.append(one)
        size += len(one.pem)
    if part:
        yield part


def _line(one: Found, item: dict[str, Any]) -> Line:
    if "certificate_id" not in item:
        return Line(one.file, item["name"], "refused", "", item["error_msg"])
    outcome = "there" if item["there"] else "watched"
    return Line(one.file, item["name"], outcome, item["certificate_id"], "")
