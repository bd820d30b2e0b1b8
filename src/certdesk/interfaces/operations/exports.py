"""The list of certificates as a file: CSV that a spreadsheet opens without running anything, or JSON."""

import csv
import io
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

import orjson

from certdesk.foundation.common import clock
from certdesk.foundation.iam.principal import Principal
from certdesk.lifecycle.certificates import exporting
from certdesk.lifecycle.certificates.exporting import Exported
from certdesk.lifecycle.certificates.rows import LIST

from .certificates import filters_of
from .order_csv import BYTE_ORDER_MARK, harmless
from .registry import Stream, operation
from .schemas import ExportQuery

CSV = "text/csv;charset=utf-8"
COLUMNS = (
    "id",
    "name",
    "status",
    "domain",
    "names",
    "brand",
    "type",
    "domain_type",
    "source",
    "not_before_utc",
    "not_after_utc",
    "serial",
    "fingerprint_sha256",
    "owner",
    "owner_group",
    "enterprise_project_id",
    "auto_renewal",
    "tags",
    "description",
    "created_at_utc",
    "updated_at_utc",
)


@operation("certificates.export_csv", "GET", "/v3/scm/certificates/export.csv", LIST, query=ExportQuery)
def export_csv(principal: Principal, query: ExportQuery) -> Stream:
    """What the search finds, all of it, as CSV; texts can do nothing in a spreadsheet.

    Rows are read while they are sent, each page with the caller's rights.
    """
    now, pages = _pages(principal, query)
    return Stream(f"certificates-{now:%Y-%m-%d}.csv", CSV, b"", _csv(pages))


@operation("certificates.export_json", "GET", "/v3/scm/certificates/export.json", LIST, query=ExportQuery)
def export_json(principal: Principal, query: ExportQuery) -> Stream:
    """The same as one JSON array, an object a line."""
    now, pages = _pages(principal, query)
    return Stream(f"certificates-{now:%Y-%m-%d}.json", "application/json", b"", _json(pages))


def _pages(principal: Principal, query: ExportQuery) -> tuple[datetime, Iterator[list[Exported]]]:
    ids = [one.strip() for one in query.ids.split(",") if one.strip()] if query.ids else None
    now = clock.now()
    return now, exporting.export(principal, filters_of(query), now, ids=ids)


def _csv(pages: Iterator[list[Exported]]) -> Iterator[bytes]:
    yield (BYTE_ORDER_MARK + _lines([COLUMNS])).encode()
    for page in pages:
        yield _lines([_cells(_values(one)) for one in page]).encode()


def _lines(rows: Sequence[Sequence[str]]) -> str:
    out = io.StringIO(newline="")
    csv.writer(out, lineterminator="\r\n", quoting=csv.QUOTE_ALL).writerows(rows)
    return out.getvalue()


def _cells(values: dict[str, Any]) -> list[str]:
    return [harmless(_text(values[name])) for name in COLUMNS]


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return " ".join(value)
    if isinstance(value, dict):
        return "; ".join(f"{key}={text}" if text else key for key, text in value.items())
    return str(value)


def _json(pages: Iterator[list[Exported]]) -> Iterator[bytes]:
    """One array, an object a line."""
    between = b"[\n"
    for page in pages:
        for one in page:
            yield between + orjson.dumps(_values(one))
            between = b",\n"
    yield b"\n]\n" if between == b",\n" else b"[]\n"


def _values(one: Exported) -> dict[str, Any]:
    row = one.row
    return {
        "id": row.id,
        "name": row.name,
        "status": row.state.value,
        "domain": row.domain,
        "names": row.sans.split(";") if row.sans else [],
        "brand": row.brand,
        "type": row.type,
        "domain_type": row.domain_type,
        "source": row.source,
        "not_before_utc": _moment(row.not_before),
        "not_after_utc": _moment(row.not_after),
        "serial": one.serial,
        "fingerprint_sha256": one.fingerprint,
        "owner": one.owner,
        "owner_group": one.owner_group,
        "enterprise_project_id": row.enterprise_project_id,
        "auto_renewal": row.auto_renewal,
        "tags": {pair.key: pair.value for pair in one.tags},
        "description": row.description,
        "created_at_utc": _moment(row.created_at),
        "updated_at_utc": _moment(row.updated_at),
    }


def _moment(at: datetime | None) -> str:
    """ISO 8601 to the second, which spreadsheets read as a time."""
    return f"{at:%Y-%m-%dT%H:%M:%SZ}" if at else ""
