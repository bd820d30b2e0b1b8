"""Compile every `django.po` of the project to `django.mo`, so that nobody needs gettext to install.

`--check` compares instead of writing: it fails when a committed `.mo` is out of date or a message
has no translation. The format is the one of GNU gettext: a sorted table of originals, a table of
translations, both as (length, offset), then the strings, each ended by a zero byte.
"""

import argparse
import ast
import struct
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent / "src"
MAGIC = 0x950412DE


class Entry:
    """One message of a .po file while it is read; `forms` holds the plural forms by index."""

    def __init__(self) -> None:
        self.context: str | None = None
        self.original = ""
        self.plural: str | None = None
        self.forms: dict[int, str] = {}
        self.fuzzy = False

    def key(self) -> str:
        text = self.original if self.plural is None else f"{self.original}\0{self.plural}"
        return text if self.context is None else f"{self.context}\x04{text}"

    def value(self) -> str:
        return "\0".join(self.forms[index] for index in sorted(self.forms))

    def complete(self) -> bool:
        return not self.fuzzy and bool(self.forms) and all(self.forms.values())


def read(source: str) -> list[Entry]:
    """The messages of a .po file, the header (empty original) included."""
    entries: list[Entry] = []
    for block in source.split("\n\n"):
        entry = _read_block(block)
        if entry is not None:
            entries.append(entry)
    return entries


def _read_block(block: str) -> Entry | None:
    entry, seen, field = Entry(), False, ""
    for line in block.splitlines():
        if line.startswith("#,") and "fuzzy" in line:
            entry.fuzzy = True
        if not line.strip() or line.startswith("#"):
            continue
        seen = True
        if not line.startswith('"'):
            field, _, line = line.partition(" ")
        _extend(entry, field, ast.literal_eval(line))
    return entry if seen else None


def _extend(entry: Entry, field: str, text: str) -> None:
    if field == "msgctxt":
        entry.context = (entry.context or "") + text
    elif field == "msgid":
        entry.original += text
    elif field == "msgid_plural":
        entry.plural = (entry.plural or "") + text
    elif field.startswith("msgstr"):
        index = int(field[7:-1]) if "[" in field else 0
        entry.forms[index] = entry.forms.get(index, "") + text
    else:
        raise ValueError(f"{field} is no keyword of a .po file.")


def compiled(entries: list[Entry]) -> bytes:
    """The bytes of the .mo file; messages without a translation are left out."""
    pairs = sorted((e.key().encode(), e.value().encode()) for e in entries if e.complete())
    head = 7 * 4
    strings_at = head + 16 * len(pairs)
    tables: list[tuple[int, int]] = []
    strings = b""
    for column in (0, 1):
        for pair in pairs:
            tables.append((len(pair[column]), strings_at + len(strings)))
            strings += pair[column] + b"\0"
    numbers = [number for row in tables for number in row]
    header = struct.pack("<7I", MAGIC, 0, len(pairs), head, head + 8 * len(pairs), 0, head)
    return header + struct.pack(f"<{len(numbers)}I", *numbers) + strings


def problems(source: Path, content: bytes, entries: list[Entry]) -> list[str]:
    target = source.with_suffix(".mo")
    missing = [f"{source.name}: no translation of {e.original!r}" for e in entries if not e.complete()]
    stale = not target.exists() or target.read_bytes() != content
    return missing + ([f"{target} is out of date; run tools/compile_messages.py."] if stale else [])


def main() -> int:
    parser = argparse.ArgumentParser(description="Compile or check the translations.")
    parser.add_argument("--check", action="store_true", help="compare, write nothing")
    check = parser.parse_args().check
    found: list[str] = []
    for source in sorted(ROOT.rglob("LC_MESSAGES/*.po")):
        entries = read(source.read_text(encoding="utf-8"))
        content = compiled(entries)
        if not check:
            source.with_suffix(".mo").write_bytes(content)
        found += problems(source, content, entries)
    for problem in found:
        print(problem, file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
