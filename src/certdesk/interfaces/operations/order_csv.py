"""My Orders as a CSV file that a spreadsheet opens without running anything."""

import csv
import io
from collections.abc import Iterable, Mapping
from typing import Any

BYTE_ORDER_MARK = "\ufeff"
"""Spreadsheets read the file as UTF-8 only with it."""
COLUMNS = (
    "order_id",
    "type",
    "state",
    "product",
    "quantity",
    "currency",
    "amount",
    "cash",
    "voucher",
    "coupon",
    "refund",
    "created_at_utc",
    "paid_at_utc",
    "unpaid_reason",
    "enterprise_project_id",
    "certificates",
)
_STARTERS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
_NUMBERS = frozenset({"quantity", "amount", "cash", "voucher", "coupon", "refund"})


def table(rows: Iterable[Mapping[str, object]]) -> bytes:
    """One line an order under `COLUMNS`.

    Args:
        rows: texts, whole numbers and decimal strings by column; moments already as text.
    """
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\r\n", quoting=csv.QUOTE_ALL)
    writer.writerow(COLUMNS)
    for row in rows:
        writer.writerow([_cell(name, row[name]) for name in COLUMNS])
    return (BYTE_ORDER_MARK + out.getvalue()).encode()


def _cell(name: str, value: object) -> str:
    text = str(value)
    return text if name in _NUMBERS else harmless(text)


def harmless(text: str) -> str:
    """A text that a spreadsheet would take for a formula gets an apostrophe in front of it, as text."""
    return f"'{text}" if text.lstrip(" ").startswith(_STARTERS) or text.startswith(_STARTERS) else text


def row(order: Mapping[str, Any], product: str, quantity: int) -> dict[str, object]:
    """A line from an order's shape (API §10)."""
    return {
        **{name: order[name] for name in ("order_id", "type", "state", "currency", "unpaid_reason")},
        **{name: order[name] for name in ("amount", "cash", "voucher", "coupon", "refund")},
        "product": product,
        "quantity": quantity,
        "created_at_utc": order["created_at"],
        "paid_at_utc": order["paid_at"],
        "enterprise_project_id": order["enterprise_project_id"],
        "certificates": " ".join(order["cert_ids"]),
    }
