"""Opens every secret once, to know that it can be: after a restore, or a change of the KEK file."""

from dataclasses import dataclass

from . import envelope, kek, queries
from .errors import KekRefused, SealBroken

_PAGE = 500


@dataclass(frozen=True, slots=True)
class Opened:
    """Attributes:
    broken: ids of the secrets that the KEK file does not open.
    """

    opened: int
    broken: tuple[str, ...]


def open_all() -> Opened:
    """Every secret of the database, page by page; no plaintext is kept."""
    ring = kek.load()
    opened, broken, after = 0, list[str](), ""
    while page := queries.page_after(after, _PAGE):
        for label, sealed in page:
            try:
                envelope.open_sealed(label, sealed, ring)
            except (SealBroken, KekRefused):
                broken.append(label.id)
            else:
                opened += 1
        after = page[-1][0].id
    return Opened(opened, tuple(broken))
