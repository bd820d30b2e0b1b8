"""Two at once, on connections of their own, about reissues, added names and rollovers: the table decides."""

import re
from collections.abc import Callable
from datetime import timedelta

import pytest

from certdesk.foundation.common import clock
from certdesk.foundation.common.errors import CertdeskError
from certdesk.foundation.jobs import testing
from certdesk.foundation.outbox import actions as outbox
from certdesk.foundation.outbox.models import Message
from certdesk.lifecycle.applications.form import ApplicationForm
from certdesk.lifecycle.applications.models import Application
from certdesk.lifecycle.certificates.models import Version
from certdesk.lifecycle.issuance import (
    actions,
    adding,
    followup,
    reissue_link,
    reissuing,
    revoking,
)
from certdesk.lifecycle.issuance.models import ReissueRequest, RevocationRequest
from certdesk.lifecycle.issuance.revoking import Wish
from certdesk.lifecycle.validation import actions as validation
from tests.support.desk import Desk
from tests.support.races import at_once

pytestmark = pytest.mark.django_db(transaction=True)
FORM = ApplicationForm(domain="new.example.org", agree_privacy_protection=True, key_algorithm="EC_P256")


def refusals(results: list[object]) -> list[CertdeskError]:
    unexpected = [one for one in results if one is None]
    assert not unexpected, "a call ended in an error that nobody expects"
    return [one for one in results if isinstance(one, CertdeskError)]


def asking(desk: Desk, certificate_id: str) -> Callable[[], object]:
    return lambda: reissuing.request(desk.alice, certificate_id, FORM, clock.now())


def with_room(desk: Desk) -> str:
    certificate_id = desk.buy(domain_type="MULTI_DOMAIN", names=4)
    desk.apply(certificate_id, domain="www.example.com", sans="a.example.com")
    desk.publish(certificate_id)
    desk.run()
    assert desk.state(certificate_id) == "ISSUED"
    return certificate_id


def adding_name(desk: Desk, certificate_id: str, name: str) -> Callable[[], object]:
    return lambda: adding.add(desk.alice, certificate_id, name, "ada@example.com", clock.now())


def test_of_two_requests_to_reissue_one_counts(desk: Desk) -> None:
    certificate_id = desk.issued("www.example.com")
    results = at_once(asking(desk, certificate_id), asking(desk, certificate_id))
    assert next(one.kind.value for one in refusals(results)) in ("conflict", "wrong_state")
    assert len(refusals(results)) == 1
    assert ReissueRequest.objects.count() == 1
    assert Application.objects.filter(state="WAITING").count() == 1


@pytest.mark.parametrize("turn", range(2))
def test_the_link_and_the_account_decide_once(desk: Desk, turn: int) -> None:
    # rule: REI-7
    # rule: REI-8
    certificate_id = desk.issued("www.example.com")
    asking(desk, certificate_id)()
    text, _ = outbox.complete(Message.objects.get(template="reissue-confirmation"))
    found = re.search(r"/confirm/reissue-(\S+)", text)
    assert found is not None
    secret, now = found[1], clock.now()
    results = at_once(
        lambda: reissuing.confirm(desk.alice, certificate_id, now),
        lambda: reissue_link.decide(secret, now, agree=bool(turn)),
        lambda: reissuing.decline(desk.alice, certificate_id, now),
    )
    assert all(one.kind.value in ("wrong_state", "conflict") for one in refusals(results))
    outcome = ReissueRequest.objects.get().outcome
    version, state = Version.objects.get(), desk.state(certificate_id)
    assert (outcome, state, version.revoked_at is not None) in (
        ("CONFIRMED", "CHECKING", True),
        ("DECLINED", "ISSUED", False),
    )
    assert Application.objects.filter(state="OPEN").count() == (outcome == "CONFIRMED")


def test_of_names_and_a_revocation_one_counts(desk: Desk) -> None:
    certificate_id = with_room(desk)
    results = at_once(
        adding_name(desk, certificate_id, "b.example.org"),
        lambda: revoking.request(desk.alice, certificate_id, Wish(), clock.now()),
        adding_name(desk, certificate_id, "c.example.org"),
    )
    assert len(refusals(results)) == 2
    state = desk.state(certificate_id)
    assert state in ("SUPPLEMENTCHECKING", "REVOKING")
    assert RevocationRequest.objects.count() == (state == "REVOKING")
    assert Application.objects.filter(state="OPEN").count() == (state == "SUPPLEMENTCHECKING")


@pytest.mark.parametrize("turn", range(2))
def test_a_withdrawal_and_the_signature_meet(desk: Desk, turn: int) -> None:
    # rule: WDR-3
    # rule: ADD-5
    certificate_id = with_room(desk)
    adding_name(desk, certificate_id, "b.example.org")()
    desk.publish(certificate_id)
    validation.check_now(desk.alice, certificate_id)
    results = at_once(
        lambda: actions.withdraw(desk.alice, certificate_id, clock.now()),
        lambda: testing.run_due(20),
    )
    assert all(one.kind.value in ("wrong_state", "conflict") for one in refusals(results))
    desk.run(timedelta(minutes=1), strict=False)
    application = Application.objects.order_by("-id")[0]
    row = desk.certificate(certificate_id)
    assert (row.state, row.current_version, application.state) in (
        ("ISSUED", 1, "WITHDRAWN"),
        ("ISSUED", 2, "FULFILLED"),
    )
    assert ("b.example.org" in row.sans) is (application.state == "FULFILLED")
    assert Version.objects.filter(certificate_id=certificate_id).count() == row.current_version


def test_a_rollover_makes_way_for_whatever_comes_at_the_same_moment(desk: Desk) -> None:
    certificate_id = with_room(desk)
    end = followup.paid_until(desk.certificate(certificate_id))
    results = at_once(
        lambda: followup.roll_over(desk.alice, certificate_id, clock.now(), latest=end),
        adding_name(desk, certificate_id, "b.example.org"),
    )
    assert len(refusals(results)) <= 1
    open_ones = Application.objects.filter(state="OPEN")
    assert open_ones.count() == 1
    expected = "SUPPLEMENTCHECKING" if open_ones.get().purpose == "ADDITION" else "ISSUED"
    assert desk.state(certificate_id) == expected
    desk.publish(certificate_id)
    desk.run(timedelta(hours=1))
    assert desk.certificate(certificate_id).current_version == 2
