"""The catalogue of this process, read once."""

import re
import tomllib
from functools import cache
from pathlib import Path

from pydantic import ValidationError

from certdesk.foundation.common import settings

from . import enrolment, rehearsal
from .build import Key, Mismatch, build
from .calendar_file import CalendarDocument, regions
from .document import Document
from .errors import CatalogueRefused, NoSuchProduct
from .rules import Catalogue
from .working_days import Region, Regions

SHIPPED = Path(__file__).with_name("default.toml")
WORKING_DAYS = Path(__file__).with_name("working_days.toml")


def catalogue() -> Catalogue:
    """The catalogue of `CERTDESK_CATALOGUE`, or the shipped one; parsed once a process.

    Raises:
        CatalogueRefused: the file cannot be used; says where and why.
    """
    return _load(settings.get().catalogue or SHIPPED)


@cache
def _load(path: Path) -> Catalogue:
    return load(path)


def load(path: Path) -> Catalogue:
    """Reads and checks one file.

    Raises:
        CatalogueRefused: the file cannot be used; says where and why.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise _refused(str(path), f"the file cannot be read: {error}") from None
    try:
        return build(Document.model_validate(tomllib.loads(text)))
    except tomllib.TOMLDecodeError as error:
        raise _refused(str(path), str(error)) from None
    except ValidationError as error:
        first = error.errors()[0]
        raise _refused(_place(path, text, first["loc"]), first["msg"]) from None
    except Mismatch as error:
        raise _refused(_place(path, text, error.key), error.sentence) from None


def region(brand: str) -> Region:
    """The working days by which a brand's approval periods are counted; those of `default` if it has none.

    Raises:
        CatalogueRefused: the file of working days cannot be used.
    """
    found = _load_working_days(settings.get().working_days or WORKING_DAYS)
    named = catalogue().brands.get(brand)
    return found.get(named.region if named else "default", found["default"])


@cache
def _load_working_days(path: Path) -> Regions:
    return load_working_days(path)


def load_working_days(path: Path) -> Regions:
    """Reads and checks one file of working days.

    Raises:
        CatalogueRefused: the file cannot be used; says where and why.
    """
    name = "CERTDESK_WORKING_DAYS"
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise _refused(str(path), f"the file cannot be read: {error}", name) from None
    try:
        return regions(CalendarDocument.model_validate(tomllib.loads(text)))
    except tomllib.TOMLDecodeError as error:
        raise _refused(str(path), str(error), name) from None
    except ValidationError as error:
        first = error.errors()[0]
        raise _refused(_place(path, text, first["loc"]), first["msg"], name) from None


def _refused(place: str, sentence: str, setting: str = "CERTDESK_CATALOGUE") -> CatalogueRefused:
    what = "catalogue" if setting == "CERTDESK_CATALOGUE" else "file of working days"
    return CatalogueRefused(
        f"The {what} cannot be used. {place}: {sentence.rstrip('.')}.",
        next_step=f"Correct the file that {setting} names, then start again.",
    )


def _place(path: Path, text: str, key: Key) -> str:
    return f"{path}, line {line_of(text, key)}, key {'.'.join(str(part) for part in key)}"


def line_of(text: str, key: Key) -> int:
    """The line (from 1) where a key stands, or that of the nearest table above it.

    The parser keeps no positions, so the headers are counted: `[a.b]` by its path, the n-th `[[a]]` by n.
    """
    lines = text.splitlines()
    at, rest = _header(lines, key)
    for name in (str(part) for part in rest if isinstance(part, str)):
        for number in range(at + 1, len(lines)):
            if lines[number].lstrip().startswith("["):
                break
            if re.match(rf'\s*"?{re.escape(name)}"?\s*=', lines[number]):
                return number + 1
    return max(at, 0) + 1


def _header(lines: list[str], key: Key) -> tuple[int, Key]:
    """Index of the deepest table header on the way to `key`, and what is left of the key."""
    if len(key) > 1 and isinstance(key[1], int):
        found = [number for number, line in enumerate(lines) if line.strip() == f"[[{key[0]}]]"]
        return (found[key[1]], key[2:]) if key[1] < len(found) else (-1, key)
    for depth in range(len(key), 0, -1):
        header = f"[{'.'.join(str(part) for part in key[:depth])}]"
        for number, line in enumerate(lines):
            if line.strip() == header:
                return number, key[depth:]
    return -1, key


def reissue_days(brand: str, type_code: str, domain_type: str, *, free: bool) -> int:
    """The window of REI-1 in days; 0 for what the catalogue does not sell any more and for uploads."""
    try:
        return catalogue().product(brand, type_code, domain_type, free=free).reissue_days
    except NoSuchProduct:
        return 0


def brand_title(code: str) -> str:
    """The brand as people read it; of one that the catalogue does not have (any more), its code."""
    if rehearsal.is_rehearsal(code):
        return rehearsal.TITLE
    found = catalogue().brands.get(code)
    return found.title if found else enrolment.TITLE if code == enrolment.BRAND else code
