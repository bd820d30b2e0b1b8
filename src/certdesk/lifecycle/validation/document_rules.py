"""Documents that an applicant shows: which kinds, how large, how many, under which name. Pure."""

import re
import unicodedata

from certdesk.foundation.common.errors import BadParameter

MAX_BYTES = 5 * 1024 * 1024
MAX_COUNT = 10
PART_BYTES = 256 * 1024
NAME_LIMIT = 80

_SIGNATURES = (("PDF", b"%PDF-"), ("PNG", b"\x89PNG\r\n\x1a\n"), ("JPEG", b"\xff\xd8\xff"))
_SUFFIXES = {"PDF": ".pdf", "PNG": ".png", "JPEG": ".jpg"}
_KNOWN_SUFFIX = re.compile(r"\.(pdf|png|jpe?g)$", re.IGNORECASE)


def kind_of(content: bytes) -> str:
    """`PDF`, `PNG` or `JPEG` by the first bytes; the name and the sender's word count for nothing.

    Raises:
        BadParameter: it is empty, larger than `MAX_BYTES`, or none of the three.
    """
    if not content:
        raise BadParameter("The file is empty.", next_step="Choose another file.", field="document")
    if len(content) > MAX_BYTES:
        raise too_large()
    for kind, signature in _SIGNATURES:
        if content.startswith(signature):
            return kind
    raise BadParameter(
        "The file is neither PDF, PNG nor JPEG; its first bytes say so, whatever its name is.",
        next_step="Save the document as PDF, or take a picture of it as PNG or JPEG.",
        field="document",
    )


def too_large() -> BadParameter:
    return BadParameter(
        f"The file is larger than {MAX_BYTES // (1024 * 1024)} MiB.",
        next_step="Save it with a lower resolution, or in several files.",
        field="document",
    )


def check_count(there: int) -> None:
    """One verification holds at most `MAX_COUNT` documents.

    Raises:
        BadParameter: it has them all.
    """
    if there >= MAX_COUNT:
        raise BadParameter(
            f"There are {MAX_COUNT} documents already, which is the most.",
            next_step="Remove one that the officer does not need.",
            field="document",
        )


def clean_name(name: str, kind: str) -> str:
    """The last part of the name without what could mean something to a file system or a header, and with
    the suffix of its true kind."""
    last = unicodedata.normalize("NFC", name).replace("\\", "/").rpartition("/")[2]
    plain = "".join(one if one.isalnum() or one in "-_.() " else "_" for one in last)
    stem = _KNOWN_SUFFIX.sub("", " ".join(plain.split())).strip(". ")[:NAME_LIMIT].strip(". ")
    return (stem or "document") + _SUFFIXES[kind]


def pieces(content: bytes) -> list[bytes]:
    """The content in parts of at most `PART_BYTES`."""
    return [content[start : start + PART_BYTES] for start in range(0, len(content), PART_BYTES)]
