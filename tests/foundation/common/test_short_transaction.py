"""A short transaction is whole or nothing, nests in Django's, and runs what waits for the commit."""

from collections.abc import Iterator

import pytest
from django.db import IntegrityError, connection, transaction

from certdesk.foundation.common import sql

pytestmark = pytest.mark.django_db(transaction=True)

BALANCE = "INSERT INTO orders_balance (account_id, currency, cash) VALUES (%s, 'CNY', %s)"
EDGE = "INSERT INTO iam_group_users (group_id, user_id) VALUES ('no such group', 'no such user')"


def balances() -> int:
    found = sql.row("SELECT COUNT(*) FROM orders_balance")
    return int(found[0]) if found else 0


def is_idle() -> bool:
    return connection.get_autocommit() and not connection.in_atomic_block and not connection.atomic_blocks


def test_it_commits_and_then_runs_what_waited() -> None:
    done: list[bool] = []
    with sql.short_transaction():
        sql.execute(BALANCE, ["a", 1])
        transaction.on_commit(lambda: done.append(connection.in_atomic_block))
        assert connection.in_atomic_block
        assert not done
    assert done == [False]
    assert is_idle()
    assert balances() == 1


def test_an_error_undoes_it_and_drops_what_waited() -> None:
    done: list[int] = []

    def fail() -> None:
        with sql.short_transaction():
            sql.execute(BALANCE, ["a", 1])
            transaction.on_commit(lambda: done.append(1))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    with sql.short_transaction():
        pass
    assert not done
    assert is_idle()
    assert balances() == 0


def test_a_nested_one_is_undone_alone() -> None:
    def fail() -> None:
        with sql.short_transaction():
            sql.execute(BALANCE, ["b", 1])
            sql.execute(BALANCE, ["b", -1])

    with sql.short_transaction():
        sql.execute(BALANCE, ["a", 1])
        with pytest.raises(IntegrityError):
            fail()
        with transaction.atomic():
            sql.execute(BALANCE, ["c", 1])
    assert is_idle()
    assert balances() == 2


def test_it_nests_in_djangos_own() -> None:
    def fail() -> None:
        with transaction.atomic():
            with sql.short_transaction():
                sql.execute(BALANCE, ["a", 1])
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert is_idle()
    assert balances() == 0


def test_a_commit_that_the_database_refuses_undoes_it() -> None:
    def fail() -> None:
        with sql.short_transaction():
            sql.execute(BALANCE, ["a", 1])
            sql.execute(EDGE)  # foreign keys are checked at the commit

    with pytest.raises(IntegrityError):
        fail()
    assert is_idle()
    assert balances() == 0


def flushes() -> bool:
    """Whether the next commit waits for the disk."""
    if sql.is_sqlite():
        return sql.row("PRAGMA synchronous") == (2,)
    return sql.row("SHOW synchronous_commit") == ("on",)


@pytest.fixture
def careful() -> Iterator[None]:
    """As in a real installation; the tests' PostgreSQL is hasty."""
    if not sql.is_sqlite():
        sql.execute("SET synchronous_commit = on")
    yield
    if not sql.is_sqlite():
        sql.execute("RESET synchronous_commit")


def test_one_that_is_not_flushed_is_so_alone(careful: None) -> None:
    seen: list[bool] = []
    with sql.short_transaction(flush=False):
        sql.execute(BALANCE, ["a", 1])
        transaction.on_commit(lambda: seen.append(flushes()))
        assert not flushes()
    assert seen == [True]
    assert flushes()
    with sql.short_transaction():
        assert flushes()
        with sql.short_transaction(flush=False):  # part of the other, which decides
            sql.execute(BALANCE, ["b", 1])
            assert flushes()
    assert is_idle()
    assert balances() == 2


def test_one_that_is_not_flushed_and_fails_leaves_nothing(careful: None) -> None:
    def fail() -> None:
        with sql.short_transaction(flush=False):
            sql.execute(BALANCE, ["a", 1])
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert flushes()
    assert is_idle()
    assert balances() == 0


def test_a_rollback_asked_for_is_made() -> None:
    with sql.short_transaction():
        sql.execute(BALANCE, ["a", 1])
        transaction.set_rollback(True)
    assert is_idle()
    assert balances() == 0
