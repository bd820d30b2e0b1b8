"""ACME Renewal Information (RFC 9773): the window that a CA advises. Pure."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from certdesk.connectors.issuers.protocol import Advice

_LONGEST_URL = 500


def read(told: Mapping[str, Any], retry_after: int | None) -> Advice | None:
    """What the CA's RenewalInfo says; None for one that holds no window (§4.2: it ends after it starts)."""
    window = told.get("suggestedWindow")
    if not isinstance(window, Mapping):
        return None
    start, end = _moment(window.get("start")), _moment(window.get("end"))
    if start is None or end is None or end <= start:
        return None
    return Advice(start, end, _page(told.get("explanationURL")), retry_after)


def _moment(text: object) -> datetime | None:
    """RFC 3339; None for anything else, a moment without its zone included."""
    try:
        found = datetime.fromisoformat(str(text))
        return found.astimezone(UTC) if found.tzinfo is not None else None
    except (ValueError, OverflowError):
        return None


def _page(given: object) -> str:
    """An address that people may follow; empty where it is none."""
    text = given if isinstance(given, str) else ""
    usable = text.startswith(("https://", "http://")) and text.isascii() and text.isprintable()
    return text if usable and " " not in text and len(text) <= _LONGEST_URL else ""
