"""The scanner of expiry: its statement reads by indices on both databases, and pages keep what they find."""

from datetime import timedelta

import pytest
from django.db import connection

from certdesk.foundation.common import clock
from certdesk.foundation.iam.principal import Principal
from certdesk.lifecycle.notifications import actions, queries
from certdesk.lifecycle.notifications.models import Notices
from tests.support.inventory import issued, new_account, person

DAY = timedelta(days=1)


@pytest.fixture
def alice(db: None) -> Principal:
    return person(new_account())


def test_what_is_not_due_is_passed_over_by_indices(alice: Principal) -> None:
    # rule: NTF-1
    now = clock.now()
    issued(alice, now=now - 330 * DAY)
    params = [alice.account_id, 0, clock.to_micros(now + 60 * DAY), 0, "", clock.to_micros(now), 100]
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            for knob in ("seqscan", "sort", "bitmapscan", "hashjoin", "mergejoin"):
                cursor.execute(f"SET LOCAL enable_{knob} = off")
            cursor.execute(f"EXPLAIN {queries.PAGE}", params)
        else:
            cursor.execute(f"EXPLAIN QUERY PLAN {queries.PAGE}", params)
        plan = "\n".join(str(row) for row in cursor.fetchall())
    assert "certificates_by_expiry" in plan
    assert "SCAN " not in plan
    assert "TEMP B-TREE" not in plan
    assert "notifications_notices" in plan  # its primary key, once to pass over and once to join


def test_each_page_is_bounded_and_the_second_look_finds_nothing(alice: Principal) -> None:
    # rule: NTF-1
    now = clock.now()
    for number in range(7):
        issued(alice, (f"n{number}.example.com",), now=now - (340 - number) * DAY)
    found, after = [], (0, "")
    while page := queries.near_their_end(alice.account_id, now, after, 3):
        assert len(page) <= 3
        found += page
        after = (clock.to_micros(page[-1].not_after), page[-1].id)
        actions.look_through(page, now)
    assert len({one.id for one in found}) == len(found) == 7
    assert queries.near_their_end(alice.account_id, now, (0, ""), 10) == []
    later = min(clock.from_micros(one.next_at) for one in Notices.objects.all())
    assert len(queries.near_their_end(alice.account_id, later, (0, ""), 10)) >= 1
