"""What takes the place of a certificate that comes to its end: a higher room knows where both are served."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Succession:
    """The certificate that was bought to renew another one.

    Attributes:
        id, name: of the newer one; `path` the page of the console where it goes on.
        settled: it is served, and the older one is served nowhere any more as far as is known.
        by_itself: the machine brings it on, and nothing that somebody could mend stands in its way.
    """

    id: str
    name: str
    path: str
    settled: bool = False
    by_itself: bool = False


Find = Callable[[Sequence[str]], Mapping[str, Succession]]
_find: list[Find] = []


def register(find: Find) -> None:
    """Adds what finds successions by the ids of the older certificates; those without one are left out."""
    if find not in _find:
        _find.append(find)


def of(certificate_ids: Sequence[str]) -> dict[str, Succession]:
    """By the id of the older one."""
    found: dict[str, Succession] = {}
    for find in _find if certificate_ids else ():
        found.update(find(certificate_ids))
    return found
