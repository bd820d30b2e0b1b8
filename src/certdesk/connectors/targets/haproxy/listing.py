"""What HAProxy's Runtime API answers, as values; crt-list lines. Pure."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

_ENTRY = re.compile(
    r"(?P<path>\S+?)(?::(?P<line>\d+))?(?:\s+\[(?P<options>[^\]]*)\])?(?:\s+(?P<filters>.*))?"
)


@dataclass(frozen=True, slots=True)
class Stored:
    """One certificate that HAProxy holds: `status` is Used, Unused or Empty."""

    status: str
    sha1: str
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a crt-list: which certificate, at which line number, with which options and SNI filters."""

    path: str
    line: int
    options: str
    filters: tuple[str, ...]

    def written(self, filters: Sequence[str]) -> str:
        """The line as it is given to HAProxy, with these filters."""
        return " ".join([self.path, *([f"[{self.options}]"] if self.options else []), *filters])


def certificates(answer: str) -> tuple[tuple[str, ...], str]:
    """`show ssl cert`: the paths, and the path of a transaction that is under way (empty for none)."""
    lines = [line for line in answer.splitlines() if line and not line.startswith("#")]
    pending = next((line[1:] for line in lines if line.startswith("*")), "")
    return tuple(line for line in lines if not line.startswith("*")), pending


def certificate(answer: str) -> Stored | None:
    """`show ssl cert PATH`; None when there is no such certificate."""
    found = {}
    for line in answer.splitlines():
        key, colon, value = line.partition(": ")
        if colon:
            found[key] = value.strip()
    if "Status" not in found:
        return None
    alternative = found.get("Subject Alternative Name", "")
    names = tuple(part.removeprefix("DNS:") for part in alternative.split(", ") if part.startswith("DNS:"))
    return Stored(found["Status"], found.get("SHA1 FingerPrint", "").lower(), names)


def lists(answer: str) -> tuple[str, ...]:
    """`show ssl crt-list`: the files."""
    return tuple(line for line in answer.splitlines() if line and not line.startswith("#"))


def entries(answer: str) -> tuple[Entry, ...]:
    """`show ssl crt-list -n FILE`. HAProxy 2.6 ends the ALPN option with a zero byte."""
    found = []
    for line in answer.replace("\0", "").splitlines():
        if line and not line.startswith("#"):
            parts = _ENTRY.fullmatch(line.strip())
            if parts is not None:
                filters = tuple((parts["filters"] or "").split())
                found.append(Entry(parts["path"], int(parts["line"] or 0), parts["options"] or "", filters))
    return tuple(found)


def filters_of(text: str, path: str) -> tuple[str, ...]:
    """The SNI filters of a certificate's lines in a crt-list file."""
    found = [_line(line) for line in text.splitlines()]
    return tuple(name for one in found if one is not None and one.path == path for name in one.filters)


def rewritten(text: str, path: str, filters: Sequence[str]) -> str:
    """A crt-list file in which the lines of `path` that have filters have these instead.

    Of several such lines the first stays; comments, options and other lines stay as they are.
    """
    done, first = [], True
    for line in text.splitlines():
        found = _line(line)
        if found is None or found.path != path or not found.filters:
            done.append(line)
        elif first:
            first = False
            done.append(found.written(filters))
    return "\n".join(done) + "\n"


def _line(text: str) -> Entry | None:
    """A line of the file: there, a colon and number belong to the path."""
    parts = _ENTRY.fullmatch(text.strip())
    if parts is None or parts["path"].startswith("#"):
        return None
    path = parts["path"] + (f":{parts['line']}" if parts["line"] else "")
    return Entry(path, 0, parts["options"] or "", tuple((parts["filters"] or "").split()))


def names_of(path: str, stored: Stored, found: Iterable[Entry]) -> tuple[str, ...]:
    """The names that lead to a certificate: the filters of its lines, or where a line has none, its own."""
    if stored.status != "Used":
        return ()
    names: list[str] = []
    lines = [one for one in found if one.path == path]
    for one in lines:
        names += [name for name in one.filters if not name.startswith("!")] or stored.names
    return tuple(dict.fromkeys(names if lines else stored.names))
