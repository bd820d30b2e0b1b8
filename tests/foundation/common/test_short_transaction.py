"""A short transaction is whole or nothing, nests in Django's, and runs what waits for the commit."""

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


def test_a_rollback_asked_for_is_made() -> None:
    with sql.short_transaction():
        sql.execute(BALANCE, ["a", 1])
        transaction.set_rollback(True)
    assert is_idle()
    assert balances() == 0
