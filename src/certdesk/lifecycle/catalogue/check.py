"""Everything that is wrong or worth knowing in a catalogue file, not the first mistake alone."""

import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from .build import Key, build, mismatches
from .document import Document
from .price_rules import EXPANSION, Change
from .queries import line_of
from .rules import Catalogue, amount_text

PROBLEM, NOTE = "problem", "note"


@dataclass(frozen=True)
class Finding:
    """One thing that was found.

    Attributes:
        level: `problem` (the file cannot be used) or `note` (it works, and the operator should know).
        line: from 1; 0 where it belongs to no line.
        key: dotted, as in the file; empty where it belongs to none.
    """

    level: str
    line: int
    key: str
    sentence: str

    @property
    def text(self) -> str:
        place = ", ".join(part for part in (f"line {self.line}" if self.line else "", self.key) if part)
        return f"{self.level}: {place + ': ' if place else ''}{self.sentence}"


def examine(path: Path, changes: Sequence[Change] = ()) -> tuple[list[Finding], Catalogue | None]:
    """The findings, and the catalogue when the file can be used.

    Args:
        changes: the operator's dated prices, checked against the file.
    """
    try:
        text = path.read_text(encoding="utf-8")
        document = Document.model_validate(tomllib.loads(text))
    except (OSError, UnicodeDecodeError) as error:
        return [Finding(PROBLEM, 0, "", f"the file cannot be read: {error}")], None
    except ValidationError as error:
        return [_at(text, one["loc"], one["msg"]) for one in error.errors()], None
    except tomllib.TOMLDecodeError as error:
        return [Finding(PROBLEM, 0, "", str(error))], None
    found = [_at(text, one.key, one.sentence) for one in mismatches(document)]
    if found:
        return found, None
    book = build(document)
    notes = [*_unused(text, document), *_unavailable(text, book), *_changes(book, changes)]
    return notes, book


def _at(text: str, key: Key, sentence: str, level: str = PROBLEM) -> Finding:
    return Finding(
        level,
        line_of(text, key),
        ".".join(str(part) for part in key),
        sentence.removeprefix("Value error, ").rstrip("."),
    )


def _unused(text: str, document: Document) -> Iterator[Finding]:
    """What stands in the file and has no effect."""
    sold = {part.brand for part in document.products}
    for code in document.brands:
        if code not in sold:
            yield _at(text, ("brands", code), "nothing of this brand is in the list of products", NOTE)
    used = {brand.issuer for brand in document.brands.values()} | {one.issuer for one in document.products}
    for slug in document.issuers:
        if slug not in used:
            yield _at(text, ("issuers", slug), "no brand or product uses this issuer", NOTE)
    spot: Key
    for place, part in enumerate(document.products):
        kind = document.types[part.type]
        if part.multi_wildcard and not kind.wildcard_in_multi:
            spot = ("products", place, "multi_wildcard")
            yield _at(text, spot, f"{kind.title} holds no wildcard names among several (CAT-3)", NOTE)
        if kind.level == "DV" and "EMAIL" in (part.methods or kind.methods):
            spot = ("products", place, "methods") if part.methods else ("types", part.type, "methods")
            yield _at(text, spot, "EMAIL is refused for DV whatever stands here (APP-13)", NOTE)


def _unavailable(text: str, book: Catalogue) -> Iterator[Finding]:
    """CAT-6: shown with the reason and not sold."""
    for code, brand in book.brands.items():
        if brand.reason:
            yield _at(text, ("brands", code), f"{brand.title} cannot be bought: {brand.reason}", NOTE)


def _changes(book: Catalogue, changes: Sequence[Change]) -> Iterator[Finding]:
    """The operator's dated prices, and those that belong to nothing any more."""
    known = {product.id for product in book.products} | {EXPANSION}
    for one in changes:
        digits = book.currencies.get(one.currency, 2)
        price = "the file's price again" if one.minor is None else amount_text(one.minor, digits)
        since = one.since.strftime("%Y-%m-%d %H:%M:%S UTC")
        sentence = f"price changed by the operator: {one.kind} {price} {one.currency} from {since}"
        if one.product_id not in known:
            sentence += "; no product of this file"
        yield Finding(NOTE, 0, one.product_id, sentence)
