"""A keyword anywhere in a million names: the few certificates that can have it, by trigrams.

On SQLite a worker reads new names into an FTS5 table, so issuing pays nothing for it; what is newer than
that is read at the search. On PostgreSQL GIN indexes do it. A keyword that very many have is answered None:
reading in the order of the page finds a page of those soonest. Whoever asks checks the candidates by LIKE.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from certdesk.foundation.common import sql

from .models import NamesRead

FEW = 2_000
"""More candidates than this are not listed."""
HANDFUL = 200
"""So many are sorted out by LIKE as quickly as by the whole of the trigrams."""
AT_ONCE = 500  # names of one transaction
_SHORTEST = 3  # letters of a trigram
_ENOUGH = 3  # trigrams
_ROW = 1

_PAID = (
    "SELECT id FROM certificates_certificate"
    " WHERE account_id = %s AND state = 'PAID' AND LOWER(name) LIKE %s ESCAPE '!' LIMIT %s"
)
_TAIL = (
    "SELECT n.certificate_id FROM certificates_certificatename n"
    " JOIN certificates_certificate c ON c.id = n.certificate_id WHERE n.id > %s"
    " AND (n.name LIKE %s ESCAPE '!' OR LOWER(c.name) LIKE %s ESCAPE '!') LIMIT %s"
)
_MATCHING = "SELECT rowid FROM certificates_namesearch WHERE certificates_namesearch MATCH %s LIMIT %s"
_NAMED = "SELECT certificate_id FROM certificates_certificatename WHERE name LIKE %s ESCAPE '!' LIMIT %s"
_TITLED = "SELECT id FROM certificates_certificate WHERE LOWER(name) LIKE %s ESCAPE '!' LIMIT %s"
_NEXT = (
    "SELECT n.id, n.name, c.name FROM certificates_certificatename n"
    " JOIN certificates_certificate c ON c.id = n.certificate_id WHERE n.id > %s ORDER BY n.id LIMIT %s"
)


def candidates(account_id: str, keyword: str, pattern: str) -> list[str] | None:
    """Ids of certificates that may have the keyword, none left out; None when they are many or unknown.

    Args:
        pattern: the keyword for LIKE, escaped with `!`.
    """
    if len(keyword) < _SHORTEST:
        return None
    if not sql.is_sqlite() and not _has_trigrams():
        return None
    try:
        return sorted({*_by_trigrams(keyword, pattern), *_all(_PAID, [account_id, pattern])})
    except _ManyError:
        return None


class _ManyError(Exception):
    """More than are worth listing."""


def _all(statement: str, params: list[object]) -> list[Any]:
    """The first column of every row.

    Raises:
        _ManyError: there are more than `FEW`.
    """
    found = [row[0] for row in sql.rows(statement, [*params, FEW + 1])]
    if len(found) > FEW:
        raise _ManyError
    return found


def _by_trigrams(keyword: str, pattern: str) -> list[str]:
    if not sql.is_sqlite():
        return [*_all(_NAMED, [pattern]), *_all(_TITLED, [pattern])]
    newer = _all(_TAIL, [_upto(), pattern, pattern])
    matching = _matching(keyword)
    if not matching:
        return newer
    owners = sql.rows(
        "SELECT DISTINCT certificate_id FROM certificates_certificatename"
        f" WHERE id IN ({sql.marks(matching)})",
        matching,
    )
    return [*newer, *(str(row[0]) for row in owners)]


def _matching(keyword: str) -> list[Any]:
    """Rows of the index that may hold the keyword; what else they hold is sorted out by LIKE.

    Each trigram more is another long list to go through, so a few that are rare are asked for first (in host
    names digits are rarer than letters), and all of them only where those leave too many.

    Raises:
        _ManyError: there are more than `FEW`.
    """
    lower = keyword.lower()
    parts = list(dict.fromkeys(lower[at : at + _SHORTEST] for at in range(len(lower) - _SHORTEST + 1)))
    rare = sorted(parts, key=lambda part: sum(letter.isdigit() for letter in part), reverse=True)[:_ENOUGH]
    found = [row[0] for row in sql.rows(_MATCHING, [_all_of(rare), HANDFUL + 1])]
    return found if len(found) <= HANDFUL else _all(_MATCHING, [_all_of(parts)])


def _all_of(trigrams: Sequence[str]) -> str:
    """For MATCH; FTS5 quotes by doubling."""
    return " AND ".join('"' + part.replace('"', '""') + '"' for part in trigrams)


def _upto() -> int:
    row = sql.row("SELECT upto FROM certificates_namesread WHERE id = %s", [_ROW])
    return int(row[0]) if row else 0


@lru_cache(maxsize=1)
def _has_trigrams() -> bool:
    found = sql.row(
        "SELECT COUNT(*) FROM pg_indexes WHERE indexname IN"
        " ('certificates_name_trigrams', 'certificates_title_trigrams')"
    )
    return found is not None and int(found[0]) == 2


def read_names(limit: int = AT_ONCE) -> int:
    """Reads the next names into SQLite's trigrams, in the caller's transaction; answers how many.

    A name that was read and is gone since leads nowhere: the candidates are looked up by it.
    """
    if not sql.is_sqlite():
        return 0
    upto = _upto()
    found = sql.rows(_NEXT, [upto, limit])
    for name_id, name, title in found:
        sql.execute(
            "INSERT INTO certificates_namesearch (rowid, text) VALUES (%s, %s)",
            [name_id, f"{name}\n{title.lower()}"],
        )
    if found:
        NamesRead.objects.update_or_create(id=_ROW, defaults={"upto": found[-1][0]})
    return len(found)


def read_anew(certificate_id: str) -> None:
    """The certificate's own name has changed: one of its rows goes to the end and is read again."""
    row = sql.row(
        "SELECT id, account_id, name FROM certificates_certificatename"
        " WHERE certificate_id = %s ORDER BY id LIMIT 1",
        [certificate_id],
    )
    if row is None:
        return
    sql.execute("DELETE FROM certificates_certificatename WHERE id = %s", [row[0]])
    sql.execute(
        "INSERT INTO certificates_certificatename (certificate_id, account_id, name) VALUES (%s, %s, %s)",
        [certificate_id, row[1], row[2]],
    )
