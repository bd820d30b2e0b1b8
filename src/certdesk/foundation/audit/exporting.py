"""One account's log as JSON lines that prove themselves without the database (`verify.py` checks them).

What a filter lets through is given with its neighbours: whole stretches, each from one signed checkpoint to
another, because the digest of a row needs the row before it. Neighbours are marked as such. The last lines
are a signed manifest over all lines before it and the newest checkpoint of what was given.
"""

import hashlib
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from certdesk.foundation.common import clock
from certdesk.foundation.common.errors import CertdeskError, Kind

from . import queries, reading, sealer
from .filters import Filters
from .verify import canonical, manifest_text

PIECE = 500
"""Rows a piece: what stands in memory at once, and how long other requests wait."""
THIN = 100
"""Of the checkpoints within a stretch, one in so many rows is given."""
VERSION = 1

Line = tuple[str, Any]


def export(account_id: str, filters: Filters, now: datetime) -> Iterator[bytes]:
    """The lines, in pieces; what is not sealed yet is left to the next export.

    Raises:
        CertdeskError: nothing was sealed yet (`UNAVAILABLE`); at once, not at the first piece.
    """
    end = reading.checkpoint_near(account_id, 2**62, before=True)
    if end is None:
        raise CertdeskError(
            "The first events of this account are not sealed yet.",
            next_step="Ask again in some seconds.",
            kind=Kind.UNAVAILABLE,
            retry_after=2,
        )
    about = {
        "version": VERSION,
        "account_id": account_id,
        "at": clock.to_micros(now),
        "partial": filters.is_set,
        "filters": filters.as_text(),
    }
    return _pieces(about, filters, end)


def _pieces(about: dict[str, Any], filters: Filters, end: dict[str, Any]) -> Iterator[bytes]:
    digest, ranges, rows, last = hashlib.sha256(), 0, 0, end
    for lines in _lines(about, filters, end):
        piece = "".join(f"{canonical({kind: value})}\n" for kind, value in lines).encode("ascii")
        digest.update(piece)
        for kind, value in lines:
            ranges += kind == "range"
            rows += kind in ("event", "neighbour")
            last = value if kind == "checkpoint" else last
        yield piece
    told = {"of": about, "ranges": ranges, "rows": rows, "sha256": digest.hexdigest()}
    manifest = told | {"public_key": sealer.public_key()}
    manifest["signature"] = sealer.sign(manifest_text(manifest)).hex()
    yield f"{canonical({'manifest': manifest})}\n{canonical({'checkpoint': last})}\n".encode("ascii")


def _lines(about: dict[str, Any], filters: Filters, end: dict[str, Any]) -> Iterator[list[Line]]:
    yield [("export", about)]
    for found in _stretches(about["account_id"], filters, int(end["sequence"])):
        if found is None:
            yield []
        else:
            yield from _stretch(about["account_id"], filters, *found)


def _stretches(account_id: str, filters: Filters, end: int) -> Iterator[tuple[int, int] | None]:
    """First and last place of each; the last one is a checkpoint's, and so is the one before the first.

    None after each look, so that others get their turn: one that is found may only lengthen the last.
    """
    if not filters.is_set:
        yield 1, end
        return
    first = last = looked = 0
    while looked < end:
        until = min(looked + reading.MOST_LOOKED_AT, end)
        wanted = reading.next_wanted(account_id, filters, looked, until)
        if wanted is None:
            looked = until
            yield None
            continue
        before = reading.checkpoint_near(account_id, wanted, before=True)
        behind = reading.checkpoint_near(account_id, wanted, before=False)
        begins = int(before["sequence"]) + 1 if before else 1
        if first and begins > last + 1:
            yield first, last
            first = 0
        first = first or begins
        looked = last = int(behind["sequence"]) if behind else end
        yield None
    if first:
        yield first, last


def _stretch(account_id: str, filters: Filters, first: int, last: int) -> Iterator[list[Line]]:
    start = reading.checkpoint_near(account_id, first, before=True) if first > 1 else None
    head: list[Line] = [("range", {"account_id": account_id, "first": first, "last": last})]
    yield head + ([("checkpoint", start)] if start else [])
    shown = first - 1
    for rows in reading.rows_between(account_id, first, last, PIECE):
        begins, ends = int(rows[0]["sequence"]), int(rows[-1]["sequence"])
        wanted = reading.wanted_among(account_id, filters, begins, ends) if filters.is_set else None
        lines: list[Line] = []
        for one in queries.checkpoints_between(account_id, begins, ends):
            if one["sequence"] >= shown + THIN or one["sequence"] == last:
                lines.append(("checkpoint", one))
                shown = one["sequence"]
        for row in rows:
            is_wanted = wanted is None or row["sequence"] in wanted
            lines.append(("event" if is_wanted else "neighbour", row))
        yield lines
