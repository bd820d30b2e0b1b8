"""What must be true of an installation's records whatever was killed; read with plain SQL, from outside."""

import sqlite3
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


@contextmanager
def records(data: Path) -> Iterator[sqlite3.Connection]:
    """The installation's SQLite database; nothing is written."""
    connection = sqlite3.connect(f"file:{data / 'certdesk.sqlite3'}?mode=ro", uri=True, timeout=20)
    try:
        yield connection
    finally:
        connection.close()


def rows(data: Path, statement: str, *parameters: object) -> list[tuple[Any, ...]]:
    with records(data) as connection:
        return connection.execute(statement, parameters).fetchall()


def count(data: Path, statement: str) -> int:
    return int(rows(data, statement)[0][0])


def left_open(data: Path) -> dict[str, int]:
    """What a crash may leave and the reconciler must settle."""
    return {
        "intents INTENDED": count(data, "SELECT count(*) FROM authority_intent WHERE state = 'INTENDED'"),
        "placements PLACED": count(data, "SELECT count(*) FROM issuance_placement WHERE state = 'PLACED'"),
    }


def unrecorded(data: Path, journal: Path) -> set[str]:
    """Serials that were signed although no intent had been committed for them."""
    return journalled(journal) - {serial for (serial,) in rows(data, "SELECT serial FROM authority_intent")}


def journalled(journal: Path) -> set[str]:
    return set(journal.read_text(encoding="ascii").split()) if journal.exists() else set()


def ledger_faults(data: Path) -> list[str]:
    """Every way in which money and orders disagree; empty when none does."""
    return [*_posting_faults(data), *_payment_faults(data), *_balance_faults(data)]


def _posting_faults(data: Path) -> Iterator[str]:
    for posting, total in rows(data, "SELECT posting, sum(amount) FROM orders_entry GROUP BY posting"):
        if total:
            yield f"the entries of {posting} sum to {total}"


def _payment_faults(data: Path) -> Iterator[str]:
    """Exactly one payment of the whole amount an order that is paid, none for any other."""
    booked: dict[str, list[tuple[str, int]]] = defaultdict(list)
    for posting, book, amount in rows(
        data, "SELECT posting, book, amount FROM orders_entry WHERE posting LIKE 'pay:%' ORDER BY book"
    ):
        booked[posting.removeprefix("pay:")].append((book, amount))
    made = dict(rows(data, "SELECT order_id, count(*) FROM certificates_certificate GROUP BY order_id"))
    for order, state, amount, quantity in rows(data, "SELECT id, state, amount, quantity FROM orders_order"):
        paid = state == "PAID"
        wanted = [("CASH", -amount), ("REVENUE", amount)] if paid and amount else []
        if booked.pop(order, []) != wanted:
            yield f"order {order} is {state} and not booked as such"
        if made.get(order, 0) != (quantity if paid else 0):
            yield f"order {order} is {state} and has {made.get(order, 0)} of {quantity} certificates"
    yield from (f"the payment of {order} belongs to no order" for order in booked)


def _balance_faults(data: Path) -> Iterator[str]:
    for account, currency, cash in rows(data, "SELECT account_id, currency, cash FROM orders_balance"):
        (total,) = rows(
            data,
            "SELECT coalesce(sum(amount), 0) FROM orders_entry"
            " WHERE account_id = ? AND currency = ? AND book = 'CASH'",
            account,
            currency,
        )[0]
        if total != cash:
            yield f"the balance of {account} is {cash} {currency}, its entries sum to {total}"


def certificate_faults(data: Path) -> list[str]:
    """Certificates whose state, version and signature do not belong together."""
    versions = dict(rows(data, "SELECT serial, certificate_id FROM certificates_version"))
    signed = {
        serial for (serial,) in rows(data, "SELECT serial FROM authority_intent WHERE state = 'SIGNED'")
    }
    faults = [f"{serial} is signed and stands under no certificate" for serial in signed - set(versions)]
    faults += [f"{serial} of {versions[serial]} has no signed intent" for serial in set(versions) - signed]
    with_version = set(versions.values())
    for certificate, state in rows(data, "SELECT id, state FROM certificates_certificate"):
        if (state == "ISSUED") != (certificate in with_version):
            faults.append(f"{certificate} is {state}, version: {certificate in with_version}")
    return faults
