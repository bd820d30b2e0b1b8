"""The verifier on the database itself, and the export that `verify.py` reads."""

from collections.abc import Iterator, Sequence

from . import queries, sealer
from .verify import Report, Row, canonical, sound_checkpoints, sound_heads, verify_rows


def verify_database(account_id: str | None = None, heads: Sequence[Row] = ()) -> Report:
    """Checks one account's chain or all of them.

    Args:
        heads: the checkpoints that were kept outside the database (`heads.read`), read before this call.

    Checkpoints count only when a key signed them that is sealed under the key-encryption key: who can
    write to the database alone cannot put his own key in its place.
    """
    report = Report()
    keys = sealer.trusted_keys() or {"none"}
    kept = sound_heads(heads, keys, report)
    for one in [account_id] if account_id is not None else sorted({*queries.accounts(), *kept}):
        end, last = _end(one)
        sound = sound_checkpoints(queries.checkpoints(one, end), keys, report).get(one, {})
        verify_rows(one, queries.rows_until(one, last), sound | kept.get(one, {}), end, report)
    return report


def export(account_id: str | None = None) -> Iterator[str]:
    """JSON lines: per account its end, its checkpoints, its rows by place, the unsealed rows."""
    for one in [account_id] if account_id is not None else queries.accounts():
        end, last = _end(one)
        yield canonical({"head": {"account_id": one, "sequence": end}})
        for checkpoint in queries.checkpoints(one, end):
            yield canonical({"checkpoint": checkpoint})
        for row in queries.rows_until(one, last):
            yield canonical({"event": row})


def _end(account_id: str) -> tuple[int, int]:
    """The chain's end and the last place to read: the same, unless somebody put rows behind the end.

    What the sealer adds from now on is left to the next check.
    """
    end = queries.end(account_id)
    return end, max(end, queries.last_beyond(account_id))


def public_keys() -> list[str]:
    """The keys (hex) to give to `verify.py --key`, newest last."""
    return sealer.keys_by_age()
