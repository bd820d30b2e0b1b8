"""Pages of a list that came whole. Pure."""

from typing import TypeVar

from certdesk.connectors.dns.providers.protocol import DnsError, Page, Reason

PAGE = 500
T = TypeVar("T")


def page_of(items: tuple[T, ...], marker: str | None, size: int = PAGE) -> Page[T]:
    """The page that begins at `marker`, which an earlier page gave.

    Raises:
        DnsError: OPTIONS for a marker of another kind.
    """
    start = marker or "0"
    if not (start.isascii() and start.isdigit() and len(start) < 10):
        raise DnsError(Reason.OPTIONS, "The marker is none that this list gave.", "Begin at the first page.")
    end = int(start) + size
    return Page(items[int(start) : end], str(end) if end < len(items) else None)
