"""No figure reads the whole inventory: each statement goes by an index that narrows it."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from certdesk.foundation.common import clock, sql
from certdesk.lifecycle.overview import queries
from tests.support.inventory import issued, new_account, person

pytestmark = pytest.mark.django_db


def test_no_statement_walks_the_accounts_certificates() -> None:
    alice, now = person(new_account()), clock.now()
    issued(alice, ("a.example.com",), now=now)
    with CaptureQueriesContext(connection) as seen:
        assert queries.take(alice, now)
    if not sql.is_sqlite():
        return  # all of them run there; its plans follow the number of rows
    steps = []
    with connection.cursor() as cursor:
        for one in seen:
            cursor.execute(f"EXPLAIN QUERY PLAN {one['sql']}")
            steps += [row[3] for row in cursor.fetchall()]
    assert any("certificates_by_expiry (account_id=? AND <expr>>?" in step for step in steps)
    assert not [step for step in steps if step.startswith("SCAN c ")]
    assert not [step for step in steps if step.endswith("certificates_by_state (account_id=?)")]
