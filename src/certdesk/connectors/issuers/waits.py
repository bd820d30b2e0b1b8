"""When a CA wants to be asked again: the one reader of `Retry-After` for all kinds."""

from datetime import datetime
from email.utils import parsedate_to_datetime

from certdesk.connectors.http import Fetched

LONGEST_WAIT = 7 * 24 * 3600
"""Seconds; a server that asks for more is asked again after these."""


def wait_of(answer: Fetched, now: datetime) -> int | None:
    """Seconds of `Retry-After` (RFC 9110 §10.2.3), from a number or a date; None where it says nothing."""
    text = answer.header("retry-after").strip()
    if not text:
        return None
    if text.isascii() and text.isdigit():
        return min(int(text[:10]), LONGEST_WAIT)
    try:
        seconds = (parsedate_to_datetime(text) - now).total_seconds()
    except (ValueError, TypeError):
        return None
    return min(max(int(seconds) + 1, 0), LONGEST_WAIT)
