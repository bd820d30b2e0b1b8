"""Pages of the lists that operations cut themselves: `limit` and `marker` of API §10."""

from collections.abc import Iterable, Sequence
from typing import Protocol, TypeVar

from certdesk.foundation.common.errors import BadParameter
from certdesk.lifecycle.certificates.filters import check_limit

Item = TypeVar("Item")
Sliceable = TypeVar("Sliceable", covariant=True)
_DIGITS = 18  # fits the database's whole numbers


class _Named(Protocol):
    @property
    def id(self) -> str: ...


Named = TypeVar("Named", bound=_Named)


class _Sliced(Protocol[Sliceable]):
    """A list, or a query that has not been sent."""

    def __getitem__(self, index: slice, /) -> Iterable[Sliceable]: ...


def cut(found: _Sliced[Item], limit: int) -> tuple[list[Item], bool]:
    """The first `limit` of them, and whether there are more.

    Raises:
        BadParameter: a limit that is not offered.
    """
    check_limit(limit)
    rows = list(found[: limit + 1])
    return rows[:limit], len(rows) > limit


def after(found: Sequence[Named], limit: int, marker: str) -> tuple[list[Named], str | None]:
    """The page behind the one whose last id was the marker, and the next marker.

    Raises:
        BadParameter: a limit that is not offered, or a marker that the list did not give.
    """
    start = 0
    if marker:
        places = [place for place, one in enumerate(found) if one.id == marker]
        if not places:
            raise unknown_marker()
        start = places[0] + 1
    rows, more = cut(found[start:], limit)
    return rows, rows[-1].id if more else None


def number(marker: str) -> int:
    """A marker that is a number.

    Raises:
        BadParameter: it is none that a list gave.
    """
    if not (marker.isascii() and marker.isdigit() and len(marker) <= _DIGITS):
        raise unknown_marker()
    return int(marker)


def unknown_marker() -> BadParameter:
    return BadParameter(
        "marker is not one that this list gave.", next_step="Start without a marker.", field="marker"
    )
