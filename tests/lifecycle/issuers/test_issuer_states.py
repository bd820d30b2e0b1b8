"""How an issuer does, from what its tests and orders met."""

from datetime import timedelta

import pytest

from certdesk.connectors.issuers.protocol import IssuerError, Reason
from certdesk.connectors.protocol import ConnectorError
from certdesk.lifecycle.issuers.states import (
    LONGEST,
    PAUSES,
    UNNAMED_LIMIT,
    Health,
    State,
    Weight,
    after_failure,
    after_success,
    weight_of,
)
from tests.support.inventory import NOW

MINUTE = timedelta(minutes=1)
NEW = Health()


def failed(was: Health, times: int, *, ordered: bool = True, weight: Weight = Weight.PASSING) -> Health:
    for _ in range(times):
        was = after_failure(was, weight, NOW, ordered=ordered)
    return was


@pytest.mark.parametrize(
    ("error", "weight"),
    [
        (IssuerError(Reason.REFUSED, "No."), Weight.NOTHING),
        (IssuerError(Reason.NOT_THERE, "No."), Weight.NOTHING),
        (IssuerError(Reason.RATE_LIMITED, "No."), Weight.WAIT),
        (IssuerError(Reason.BUSY, "No."), Weight.PASSING),
        (IssuerError(Reason.BAD_ANSWER, "No."), Weight.PASSING),
        (IssuerError(Reason.CREDENTIALS, "No."), Weight.LASTING),
        (IssuerError(Reason.OPTIONS, "No."), Weight.LASTING),
        (IssuerError(Reason.NOT_ALLOWED, "No."), Weight.LASTING),
        (ConnectorError("No.", permanent=True), Weight.LASTING),
        (ConnectorError("No.", permanent=False), Weight.PASSING),
    ],
)
def test_what_a_failure_says_of_the_issuer(error: ConnectorError, weight: Weight) -> None:
    assert weight_of(error) is weight


def test_the_third_failure_in_a_row_takes_it_down() -> None:
    assert failed(NEW, 2, ordered=False).state is State.DEGRADED
    assert failed(NEW, 3, ordered=False) == Health(State.DOWN, 3)
    between = after_success(failed(NEW, 2, ordered=False), NOW, ordered=False)
    assert failed(between, 2, ordered=False).state is State.DEGRADED


def test_what_lasts_takes_it_down_at_once_and_a_refused_order_never() -> None:
    assert failed(NEW, 1, weight=Weight.LASTING).state is State.DOWN
    assert failed(NEW, 9, weight=Weight.NOTHING) == NEW


def test_a_test_brings_back_what_only_tests_found_broken() -> None:
    assert after_success(failed(NEW, 5, ordered=False), NOW, ordered=False) == Health(State.OK)


def test_where_orders_failed_it_is_tried_again_after_a_pause_and_falls_at_the_next_failure() -> None:
    down = failed(NEW, 3)
    assert down == Health(State.DOWN, 3, True, NOW + PAUSES[0])
    assert after_success(down, NOW + PAUSES[0] - MINUTE, ordered=False) is down
    tried = after_success(down, NOW + PAUSES[0], ordered=False)
    assert tried == Health(State.DEGRADED, 3, True)
    assert failed(tried, 1) == Health(State.DOWN, 4, True, NOW + PAUSES[1])
    assert failed(NEW, 9).retry_at == NOW + PAUSES[-1]
    assert after_success(tried, NOW, ordered=True) == Health(State.OK)


def test_a_limit_closes_it_until_its_end_and_no_longer_than_a_week() -> None:
    named = after_failure(NEW, Weight.WAIT, NOW, ordered=True, retry_after=600)
    assert named == Health(State.DEGRADED, 0, False, NOW + 10 * MINUTE)
    assert after_success(named, NOW + 9 * MINUTE, ordered=False) is named
    assert after_success(named, NOW + 10 * MINUTE, ordered=False) == Health(State.OK)
    assert after_failure(NEW, Weight.WAIT, NOW, ordered=True).retry_at == NOW + UNNAMED_LIMIT
    endless = after_failure(NEW, Weight.WAIT, NOW, ordered=True, retry_after=10**8)
    assert endless.retry_at == NOW + LONGEST
    assert after_failure(failed(NEW, 3), Weight.WAIT, NOW, ordered=True).state is State.DOWN


def test_a_named_pause_of_an_error_is_kept_and_the_longer_one_holds() -> None:
    named = after_failure(NEW, Weight.PASSING, NOW, ordered=False, retry_after=60)
    assert named.retry_at == NOW + MINUTE
    shorter = after_failure(named, Weight.PASSING, NOW, ordered=False, retry_after=1)
    assert shorter.retry_at == NOW + MINUTE
