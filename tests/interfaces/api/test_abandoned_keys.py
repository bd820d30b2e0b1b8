"""An Idempotency-Key whose first request died with its process, before it kept any answer."""

from datetime import timedelta

import pytest

from certdesk.foundation.common import clock, sql
from certdesk.foundation.iam import queries
from certdesk.foundation.iam import requests as signed
from certdesk.foundation.iam.errors import StillRunning
from certdesk.foundation.iam.principal import Principal, Via
from tests.support.signed import account, person

pytestmark = pytest.mark.django_db(transaction=True)
SECOND = timedelta(seconds=1)


@pytest.fixture
def alice() -> Principal:
    return queries.principal_of(person(account(), "alice", "users").user, Via.API)


# rule: IAM-10
def test_its_key_is_free_again_after_a_while(alice: Principal) -> None:
    now = clock.real_now()
    signed.begin(alice, "orders.buy", "k", b"body", now)
    with pytest.raises(StillRunning):
        signed.begin(alice, "orders.buy", "k", b"body", now + signed.ABANDONED_AFTER - SECOND)
    turn = signed.begin(alice, "orders.buy", "k", b"body", now + signed.ABANDONED_AFTER)
    assert turn.outcome is signed.Outcome.RUN
    signed.finish(turn, 200, "{}")
    much_later = now + timedelta(hours=1)
    assert signed.begin(alice, "orders.buy", "k", b"body", much_later).outcome is signed.Outcome.REPEAT


# rule: IAM-10
def test_one_that_was_only_slow_cannot_finish_beside_its_repeat(alice: Principal) -> None:
    now = clock.real_now()
    slow = signed.begin(alice, "orders.buy", "k", b"body", now)
    repeat = signed.begin(alice, "orders.buy", "k", b"body", now + signed.ABANDONED_AFTER)
    with pytest.raises(StillRunning), sql.short_transaction():
        signed.finish(slow, 200, '{"order_id":"slow"}')
    signed.give_up(slow)
    signed.finish(repeat, 200, '{"order_id":"repeat"}')
    assert signed.begin(alice, "orders.buy", "k", b"body", now).answer == '{"order_id":"repeat"}'
