"""An order at a CA outside: the same pipeline, whatever that CA does and whenever a worker is killed."""

import asyncio
import hashlib
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from django.db import connection
from django.test.utils import CaptureQueriesContext

from certdesk.connectors.issuers.protocol import (
    Capabilities,
    IssuerError,
    Order,
    OrderState,
    Reason,
    Task,
    Wanted,
)
from certdesk.foundation.audit.models import Event
from certdesk.foundation.common import clock, settings
from certdesk.foundation.jobs import testing
from certdesk.foundation.jobs.models import Job
from certdesk.lifecycle.catalogue.queries import SHIPPED
from certdesk.lifecycle.certificates.models import Version
from certdesk.lifecycle.issuance import (
    actions,
    adding,
    followup,
    outside_jobs,
    pipeline,
    revocation_rules,
    revoking,
)
from certdesk.lifecycle.issuance.models import OutsideOrder, Placement, PlacementState, ServedProof
from certdesk.lifecycle.issuance.reconcile import reconcile
from certdesk.lifecycle.issuance.revoking import Wish
from certdesk.lifecycle.issuers.models import Day, Issuer
from certdesk.lifecycle.validation.models import NameProof
from certdesk.pki.keystore import actions as keystore
from certdesk.pki.keystore import queries as keystore_queries
from certdesk.pki.x509.errors import NamesDoNotFit
from tests.support.desk import Desk
from tests.support.outside_ca import DOWN, LOST, Front, OutsideCa, Shape, front

from .test_main_path import csr_for

NAME = "www.example.com"
DAY = timedelta(days=1)


class Killed(BaseException):
    """Stands for the end of the process: nothing catches it."""


@pytest.fixture
def ca(desk: Desk) -> OutsideCa:
    return OutsideCa()


@pytest.fixture(autouse=True)
def issuers(desk: Desk, ca: OutsideCa) -> Iterator[Front]:
    with front(away=ca) as made:
        yield made


def proved(desk: Desk, **form: object) -> str:
    """Applied for and proved; nothing is run after the first steps but what is due now."""
    certificate_id = desk.buy()
    desk.apply(certificate_id, domain=NAME, **form)
    desk.publish(certificate_id)
    return certificate_id


def in_time(desk: Desk, *, strict: bool = True) -> None:
    desk.run(DAY, strict=strict)


# rule: ISS-1, ISS-2
def test_the_certificate_of_a_ca_outside_is_recorded_as_one_of_ours(desk: Desk, ca: OutsideCa) -> None:
    ca.slow = 2
    certificate_id = proved(desk)
    desk.run()
    assert desk.state(certificate_id) == "ISSUING"
    order = OutsideOrder.objects.get()
    assert (order.handle, order.state, order.live) == ("order-1", "WORKING", True)
    assert order.next_poll_at > clock.real_now()
    in_time(desk)
    assert desk.state(certificate_id) == "ISSUED"
    version = Version.objects.get()
    assert version.issuer == "away:Outside Issuing CA"
    assert version.names == NAME
    assert version.key_id
    wanted = ca.orders[order.placement_id].wanted
    assert (wanted.names, wanted.level, wanted.replaces) == ((NAME,), "DV", b"")
    assert Placement.objects.get().state == PlacementState.FULFILLED
    assert not OutsideOrder.objects.filter(unfinished=True).exists()
    assert ca.calls == ["place", "poll", "poll"]


# law 4
def test_nothing_is_ordered_before_every_name_is_proved(desk: Desk, ca: OutsideCa) -> None:
    certificate_id = desk.buy()
    desk.apply(certificate_id, domain=NAME)
    desk.run(timedelta(minutes=1))
    assert ca.calls == []
    assert desk.state(certificate_id) == "CHECKING"


@pytest.mark.parametrize(
    ("verb", "when"), [("place", "before"), ("place", "after"), ("poll", "before"), ("poll", "after")]
)
def test_a_worker_killed_at_any_call_finds_the_one_order_again(
    desk: Desk, ca: OutsideCa, verb: str, when: str
) -> None:
    ca.slow, ca.faults = 1, [(verb, when, Killed())]  # type: ignore[list-item]
    certificate_id = proved(desk)
    with pytest.raises(Killed):
        in_time(desk)
    Job.objects.filter(state="RUNNING").update(state="READY", lease_until=None, worker="")
    reconcile(stale_seconds=0)
    in_time(desk)
    assert desk.state(certificate_id) == "ISSUED"
    assert (len(ca.orders), Version.objects.count(), Placement.objects.count()) == (1, 1, 1)


def test_a_lost_job_is_given_back_not_before_its_time(desk: Desk, ca: OutsideCa) -> None:
    ca.slow, ca.retry_after = 1, 600
    proved(desk)
    desk.run()
    Job.objects.filter(kind="issuance.ask").delete()
    assert reconcile(stale_seconds=0) == 1
    job = Job.objects.get(kind="issuance.ask", state="READY")
    assert job.run_at >= clock.real_now() + timedelta(seconds=590)


# rule: ISS-4
def test_an_outage_is_waited_for_and_shown(desk: Desk, ca: OutsideCa) -> None:
    ca.faults = [("place", "before", DOWN), ("place", "after", LOST), ("poll", "before", LOST)]
    ca.slow = 1
    certificate_id = proved(desk)
    desk.run()
    assert desk.state(certificate_id) == "ISSUING"
    assert "No connection to the CA." in desk.certificate(certificate_id).last_failure
    in_time(desk)
    assert desk.state(certificate_id) == "ISSUED"
    assert len(ca.orders) == 1
    assert ca.calls == ["place", "place", "place", "poll", "poll"]


def test_it_is_never_asked_sooner_than_it_wants(desk: Desk, ca: OutsideCa) -> None:
    busy = IssuerError(Reason.RATE_LIMITED, "Too many orders.", retry_after=7200)
    ca.faults = [("poll", "before", busy)]
    ca.slow, ca.retry_after = 1, 300
    proved(desk)
    desk.run()
    assert OutsideOrder.objects.get().next_poll_at >= clock.real_now() + timedelta(seconds=290)
    desk.run(timedelta(seconds=301))
    assert ca.calls == ["place", "poll"]
    assert OutsideOrder.objects.get().next_poll_at >= clock.real_now() + timedelta(seconds=7100)


# rule: ISS-4
def test_a_refusal_ends_the_application_with_the_words_of_the_ca(desk: Desk, ca: OutsideCa) -> None:
    ca.refuses = "This name is on our list."
    certificate_id = proved(desk)
    in_time(desk)
    found = desk.certificate(certificate_id)
    assert (found.state, found.last_failure) == ("UNPASSED", "This name is on our list.")
    assert Placement.objects.get().state == PlacementState.REFUSED
    ca.refuses = ""
    actions.reopen(desk.alice, certificate_id, clock.now())
    desk.apply(certificate_id, domain=NAME)
    desk.publish(certificate_id)
    in_time(desk)
    assert desk.state(certificate_id) == "ISSUED"


WRONG = {
    "another key": Shape(key=ec.generate_private_key(ec.SECP256R1()).public_key()),
    "a name nobody proved": Shape(more_names=("mail.example.org",)),
    "a name too little": Shape(names=("other.example.com",)),
    "a chain of somebody else": Shape(chain_of="Another CA"),
    "not for servers": Shape(usage=()),
}


@pytest.mark.parametrize("kind", WRONG)
def test_a_wrong_certificate_never_counts(desk: Desk, ca: OutsideCa, kind: str) -> None:
    ca.shape = WRONG[kind]
    certificate_id = proved(desk)
    in_time(desk)
    found = desk.certificate(certificate_id)
    assert found.state == "UNPASSED"
    assert "order-1 brought a certificate that is not taken" in found.last_failure
    assert not Version.objects.exists()
    assert [one[1:] for one in ca.revoked] == [("order-1", 0)]
    assert Event.objects.filter(action="certificate.wrong_answer").count() == 1


def test_what_was_refused_is_revoked_however_often_that_takes(desk: Desk, ca: OutsideCa) -> None:
    ca.shape = WRONG["another key"]
    ca.faults = [("revoke", "before", DOWN), ("revoke", "before", DOWN)]
    proved(desk)
    in_time(desk)
    assert len(ca.revoked) == 1
    assert not OutsideOrder.objects.filter(unfinished=True).exists()


def test_the_same_proof_covers_the_name_that_a_ca_adds(desk: Desk, ca: OutsideCa) -> None:
    ca.shape = Shape(more_names=("example.com",))
    certificate_id = proved(desk)
    in_time(desk)
    assert desk.state(certificate_id) == "ISSUED"
    assert Version.objects.get().names == f"{NAME};example.com"


def test_the_same_certificate_is_not_recorded_twice(desk: Desk, ca: OutsideCa) -> None:
    ca.shape = Shape(serial=4711)
    first = proved(desk)
    in_time(desk)
    second = proved(desk)
    in_time(desk)
    assert (desk.state(first), desk.state(second)) == ("ISSUED", "UNPASSED")
    assert "its serial number is known" in desk.certificate(second).last_failure
    assert ca.revoked == []


def test_a_certificate_in_use_that_a_ca_sends_again_is_refused_and_not_revoked(
    desk: Desk, ca: OutsideCa
) -> None:
    first = proved(desk)
    in_time(desk)
    ca.slow = 5
    second = proved(desk)
    desk.run()
    before, mixed_up = ca.orders.values()
    mixed_up.state, mixed_up.chain = OrderState.ISSUED, before.chain
    in_time(desk)
    assert (desk.state(first), desk.state(second)) == ("ISSUED", "UNPASSED")
    assert "It is for another key" in desk.certificate(second).last_failure
    assert ca.revoked == []


def test_the_next_issuer_gets_the_turn_when_the_first_refuses(
    desk: Desk, ca: OutsideCa, issuers: Front
) -> None:
    second = OutsideCa()
    issuers.add("second", second)
    issuers.order("away", "second", "builtin")
    ca.refuses = "Not here."
    certificate_id = proved(desk)
    in_time(desk)
    assert desk.state(certificate_id) == "ISSUED"
    assert Version.objects.get().issuer.startswith("second:")
    chosen = OutsideOrder.objects.get(issuer="second").chosen
    assert chosen[:2] == [["Away", False, "Not here."], ["Second", True, "It can take the order."]]


def test_a_dead_first_issuer_is_left_only_where_it_has_no_order(
    desk: Desk, ca: OutsideCa, issuers: Front
) -> None:
    issuers.order("away", "builtin")
    ca.faults = [("place", "before", DOWN)] * 3
    certificate_id = proved(desk)
    in_time(desk)
    assert desk.state(certificate_id) == "ISSUED"
    assert Version.objects.get().issuer.startswith("builtin:")
    assert Placement.objects.filter(issuer="away", state="REFUSED").count() == 1


@pytest.mark.parametrize("error", [LOST, IssuerError(Reason.BAD_ANSWER, "The answer is no JSON.")])
def test_an_order_that_may_be_there_is_never_left_for_another(
    desk: Desk, ca: OutsideCa, issuers: Front, error: IssuerError
) -> None:
    issuers.order("away", "builtin")
    ca.faults = [("place", "after", error), *[("place", "before", DOWN)] * 9]
    certificate_id = proved(desk)
    in_time(desk)
    assert desk.state(certificate_id) == "ISSUED"
    assert Version.objects.get().issuer.startswith("away:")
    assert len(ca.orders) == 1


def test_an_order_counts_against_the_limit_before_the_ca_has_answered(
    desk: Desk, ca: OutsideCa, issuers: Front
) -> None:
    Issuer.objects.filter(slug="away").update(weekly_limit=1)
    issuers.order("away", "builtin")
    ca.faults = [("place", "before", DOWN)]
    first = proved(desk)
    desk.run()
    assert Day.objects.get().orders == 1
    second = proved(desk)
    desk.run()
    assert desk.state(second) == "ISSUED"
    in_time(desk)
    assert desk.state(first) == "ISSUED"
    assert len(ca.orders) == Day.objects.get().orders == 1


def test_an_issuer_that_is_not_set_up_is_waited_for(desk: Desk, ca: OutsideCa, issuers: Front) -> None:
    issuers.remove("away")
    certificate_id = proved(desk)
    desk.run(timedelta(minutes=5))
    assert desk.state(certificate_id) == "ISSUING"
    assert "No issuer takes the order now." in desk.certificate(certificate_id).last_failure
    issuers.add("away", ca)
    desk.run(timedelta(minutes=5))
    assert desk.state(certificate_id) == "ISSUED"


def dns_task(wanted: Wanted) -> tuple[Task, ...]:
    name = wanted.names[0]
    return (
        Task(f"dns-{name}", name, "dns-01", f"_acme-challenge.{name}", "token-of-the-ca", "TXT"),
        Task(f"http-{name}", name, "http-01", f"http://{name}/.well-known/acme-challenge/tok", "tok.thumb"),
    )


def test_a_task_is_told_once_it_is_seen_and_what_was_served_goes(desk: Desk, ca: OutsideCa) -> None:
    ca.asks = dns_task
    certificate_id = proved(desk)
    desk.run(timedelta(minutes=2))
    assert desk.state(certificate_id) == "ISSUING"
    assert ca.proceeded == []
    assert ServedProof.objects.get().value == "tok.thumb"
    desk.dns.set(f"_acme-challenge.{NAME}", "TXT", ["token-of-the-ca"])
    in_time(desk)
    assert desk.state(certificate_id) == "ISSUED"
    assert ca.proceeded == [(f"dns-{NAME}",)]
    assert not ServedProof.objects.exists()


def test_what_was_heard_before_is_not_set_up_again(desk: Desk, ca: OutsideCa) -> None:
    ca.asks = dns_task
    proved(desk)
    desk.run()
    assert OutsideOrder.objects.get().tasks
    with CaptureQueriesContext(connection) as made:
        desk.run(timedelta(minutes=5))
    assert "poll" in ca.calls
    assert not any("issuance_servedproof" in one["sql"] for one in made.captured_queries)


# rule: REV-2
def test_it_is_revoked_where_it_was_issued_and_recorded_after_that(desk: Desk, ca: OutsideCa) -> None:
    certificate_id = proved(desk)
    in_time(desk)
    ca.faults = [("revoke", "before", DOWN), ("revoke", "after", LOST)]
    revoking.request(desk.alice, certificate_id, Wish("SUPERSEDED"), clock.now())
    desk.run()
    assert desk.state(certificate_id) == "REVOKING"
    assert Version.objects.get().revoked_at is None
    assert "No connection to the CA." in desk.certificate(certificate_id).last_failure
    in_time(desk)
    assert desk.state(certificate_id) == "REVOKED"
    assert Version.objects.get().revoked_at is not None
    assert [one[1:] for one in ca.revoked] == [("order-1", 4), ("order-1", 4)]


# law 4
def test_a_key_that_became_known_meanwhile_is_never_ordered_for(desk: Desk, ca: OutsideCa) -> None:
    request, spki = csr_for(NAME)
    certificate_id = proved(desk, csr=request)
    keystore.block(hashlib.sha256(spki).digest(), "test", clock.now())
    in_time(desk, strict=False)
    assert desk.state(certificate_id) == "UNPASSED"
    assert ca.calls == []


MULTI = "GEOTRUST.DV_SSL_CERT.MULTI_DOMAIN"
TWO = {"domain": NAME, "sans": "api.example.com"}


def test_an_uploaded_csr_has_exactly_the_ordered_names_or_is_refused_early(
    desk: Desk, ca: OutsideCa, issuers: Front
) -> None:
    issuers.product = MULTI
    issuers.order("away")
    other, _ = csr_for(NAME)
    certificate_id = desk.buy(domain_type="MULTI_DOMAIN", names=2)
    with pytest.raises(NamesDoNotFit) as caught:
        desk.apply(certificate_id, csr=other, **TWO)
    assert "api.example.com" in caught.value.next_step
    fitting, spki = csr_for("api.example.com", NAME)
    desk.apply(certificate_id, csr=fitting, **TWO)
    desk.publish(certificate_id)
    in_time(desk)
    assert desk.state(certificate_id) == "ISSUED"
    assert Version.objects.get().spki_sha256 == hashlib.sha256(spki).hexdigest()


def test_a_csr_that_fits_no_more_because_the_issuer_changed_is_refused_with_what_to_do(
    desk: Desk, ca: OutsideCa, issuers: Front
) -> None:
    issuers.product = MULTI
    other, _ = csr_for(NAME)
    certificate_id = desk.buy(domain_type="MULTI_DOMAIN", names=2)
    desk.apply(certificate_id, csr=other, **TWO)
    desk.publish(certificate_id)
    issuers.order("away")
    in_time(desk, strict=False)
    assert desk.state(certificate_id) == "UNPASSED"
    assert "Apply again with a CSR for exactly these names" in desk.certificate(certificate_id).last_failure
    assert ca.calls == []


def test_a_rollover_names_what_it_replaces_and_is_taken_back_when_something_goes_before(
    desk: Desk, ca: OutsideCa
) -> None:
    certificate_id = proved(desk)
    in_time(desk)
    ca.slow, now = 5, clock.now()
    latest = desk.certificate(certificate_id).paid_until
    followup.roll_over(desk.alice, certificate_id, now, latest=latest)
    desk.run()
    order = OutsideOrder.objects.get(live=True)
    wanted = ca.orders[order.placement_id].wanted
    assert (wanted.replaces, wanted.predecessor) == (bytes(Version.objects.get().der), "order-1")
    revoking.request(desk.alice, certificate_id, Wish("SUPERSEDED"), now)
    in_time(desk)
    assert desk.state(certificate_id) == "REVOKED"
    assert ca.orders[order.placement_id].state == "CANCELLED"
    assert Placement.objects.get(reference=order.placement_id).state == PlacementState.DROPPED
    assert not OutsideOrder.objects.filter(unfinished=True).exists()


def test_a_rollover_that_came_after_all_is_revoked_where_nobody_wants_it(desk: Desk, ca: OutsideCa) -> None:
    certificate_id = proved(desk)
    in_time(desk)
    ca.slow, now = 1, clock.now()
    followup.roll_over(desk.alice, certificate_id, now, latest=desk.certificate(certificate_id).paid_until)
    desk.run()
    second = next(one for one in ca.orders.values() if one.handle == "order-2")
    ca._move(second)  # the CA issues it before it hears that it is not wanted
    ca._move(second)
    revoking.request(desk.alice, certificate_id, Wish("SUPERSEDED"), now)
    in_time(desk)
    assert Version.objects.count() == 1
    assert ("order-2", 0) in [one[1:] for one in ca.revoked]
    assert desk.state(certificate_id) == "REVOKED"


def test_only_a_call_that_nothing_went_before_is_the_first(desk: Desk, ca: OutsideCa) -> None:
    """Also after an answer that made no sense: there may be an order behind it."""
    ca.faults = [("place", "after", IssuerError(Reason.BAD_ANSWER, "What?")), ("place", "after", LOST)]
    certificate_id = proved(desk)
    in_time(desk)
    assert (ca.firsts, len(ca.orders)) == ([True, False, False], 1)
    assert desk.state(certificate_id) == "ISSUED"


def test_a_lost_answer_is_found_again_before_the_order_is_taken_back(desk: Desk, ca: OutsideCa) -> None:
    certificate_id = proved(desk)
    in_time(desk)
    ca.slow, now = 5, clock.now()
    ca.faults = [("place", "after", LOST)]
    followup.roll_over(desk.alice, certificate_id, now, latest=desk.certificate(certificate_id).paid_until)
    desk.run()
    revoking.request(desk.alice, certificate_id, Wish("SUPERSEDED"), now)
    in_time(desk)
    assert [one.state for one in ca.orders.values()] == ["ISSUED", "CANCELLED"]
    assert not OutsideOrder.objects.filter(unfinished=True).exists()


def test_an_order_that_was_never_asked_for_is_simply_dropped(desk: Desk, ca: OutsideCa) -> None:
    certificate_id = proved(desk)
    in_time(desk)
    now = clock.now()
    followup.roll_over(desk.alice, certificate_id, now, latest=desk.certificate(certificate_id).paid_until)
    Job.objects.exclude(kind__in=["issuance.place", "issuance.sign"]).delete()
    testing.run_all(timedelta(0), 2, strict=True)  # Place and Sign: the intent stands, nobody was asked
    assert OutsideOrder.objects.get(live=True).asked_at is None
    revoking.request(desk.alice, certificate_id, Wish("SUPERSEDED"), now)
    in_time(desk)
    assert len(ca.orders) == 1
    assert desk.state(certificate_id) == "REVOKED"


def adding_one(desk: Desk, ca: OutsideCa, issuers: Front) -> str:
    """An issued certificate to which one more name is being added at the CA, which takes its time."""
    issuers.product = MULTI
    issuers.order("away")
    certificate_id = desk.buy(domain_type="MULTI_DOMAIN", names=3)
    desk.apply(certificate_id, **TWO)
    desk.publish(certificate_id)
    in_time(desk)
    ca.slow = 5
    adding.add(desk.alice, certificate_id, "mail.example.com", "ada@example.com", clock.now())
    desk.publish(certificate_id)
    desk.run()
    assert OutsideOrder.objects.get(live=True).state == "WORKING"
    return certificate_id


# rule: WDR-1, WDR-2
def test_a_withdrawn_addition_is_taken_back_at_the_ca_first(
    desk: Desk, ca: OutsideCa, issuers: Front
) -> None:
    certificate_id = adding_one(desk, ca, issuers)
    ca.faults = [("withdraw", "before", DOWN)]
    actions.withdraw(desk.alice, certificate_id, clock.now())
    desk.run()
    assert desk.state(certificate_id) == "CANCELSUPPLEMENTING"
    in_time(desk)
    assert desk.state(certificate_id) == "ISSUED"
    assert [one.state for one in ca.orders.values()] == ["ISSUED", "CANCELLED"]
    assert Version.objects.count() == 1


# rule: WDR-3
def test_a_ca_that_was_quicker_than_the_withdrawal_is_honoured(
    desk: Desk, ca: OutsideCa, issuers: Front
) -> None:
    certificate_id = adding_one(desk, ca, issuers)
    order = next(one for one in ca.orders.values() if one.handle == "order-2")
    order.polls = 0
    ca._move(order)
    actions.withdraw(desk.alice, certificate_id, clock.now())
    in_time(desk)
    assert desk.state(certificate_id) == "ISSUED"
    assert Version.objects.count() == 2
    assert "mail.example.com" in desk.certificate(certificate_id).sans


# rule: WDR-3
def test_what_a_withdrawal_brings_along_is_not_judged_but_what_the_order_brought(
    desk: Desk, ca: OutsideCa, issuers: Front, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate_id = adding_one(desk, ca, issuers)
    before, order = ca.orders.values()
    order.polls = 0
    ca._move(order)

    async def withdraw(handle: str) -> Order:
        return Order(handle, OrderState.ISSUED, chain=before.chain)

    monkeypatch.setattr(ca, "withdraw", withdraw)
    actions.withdraw(desk.alice, certificate_id, clock.now())
    in_time(desk)
    assert desk.state(certificate_id) == "ISSUED"
    assert "mail.example.com" in desk.certificate(certificate_id).sans
    assert ca.revoked == []


def test_a_version_that_was_replaced_is_revoked_at_the_ca_by_a_job(desk: Desk, ca: OutsideCa) -> None:
    certificate_id = proved(desk)
    in_time(desk)
    certificate, now = desk.certificate(certificate_id), clock.now()
    followup.roll_over(desk.alice, certificate_id, now, latest=certificate.paid_until)
    in_time(desk)
    code = revocation_rules.Code.SUPERSEDED
    ca.faults = [("revoke", "before", DOWN)]
    certificate = desk.certificate(certificate_id)
    assert revoking.revoke_versions(desk.alice, certificate, 1, code, now, why="replaced") == 1
    desk.run()
    assert Version.objects.get(number=1).revoked_at is None
    in_time(desk)
    assert Version.objects.get(number=1).revoked_at is not None
    assert Version.objects.get(number=2).revoked_at is None
    assert [one[1:] for one in ca.revoked] == [("order-1", 4)]
    assert desk.state(certificate_id) == "ISSUED"


def test_a_key_that_is_known_to_others_takes_its_certificate_with_it(desk: Desk, ca: OutsideCa) -> None:
    certificate_id = proved(desk)
    in_time(desk)
    revoking.revoke_now(
        desk.certificate(certificate_id),
        revocation_rules.Code.KEY_COMPROMISE,
        "",
        clock.now(),
        who="test",
        proved=True,
    )
    in_time(desk)
    assert desk.state(certificate_id) == "REVOKED"
    assert keystore_queries.is_blocked(Version.objects.get().spki_sha256)


def test_caa_is_asked_for_the_issuer_that_was_chosen(desk: Desk, ca: OutsideCa, issuers: Front) -> None:
    second = OutsideCa(abilities=Capabilities(caa_domains=("second.example",)))
    issuers.remove("away")
    ca.abilities = Capabilities(caa_domains=("away.example",))
    issuers.add("away", ca)
    issuers.add("second", second)
    issuers.order("away", "second")
    desk.dns.set("example.com", "CAA", ['0 issue "second.example"'])
    certificate_id = proved(desk)
    in_time(desk)
    assert desk.state(certificate_id) == "ISSUED"
    assert ca.calls == []
    assert "away.example" not in NameProof.objects.get().caa
    reasons = OutsideOrder.objects.get().chosen
    assert "does not permit the issuer" in reasons[0][2]


def test_an_order_that_the_ca_has_lost_is_placed_again(desk: Desk, ca: OutsideCa) -> None:
    ca.slow, ca.faults = 1, [("poll", "before", IssuerError(Reason.NOT_THERE, "No such order."))]
    certificate_id = proved(desk)
    in_time(desk)
    assert desk.state(certificate_id) == "ISSUED"
    assert ca.calls.count("place") == 2
    assert Placement.objects.count() == 1


UNREADABLE = IssuerError(Reason.BAD_ANSWER, "The answer is no JSON.")


# rule: ISS-4
def test_the_last_order_of_the_week_is_given_once(
    desk: Desk, ca: OutsideCa, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another worker takes it after this one has chosen."""
    Issuer.objects.update(weekly_limit=1)
    real = pipeline.request_of

    def request_of(*given: Any) -> Any:
        Day.objects.get_or_create(
            issuer=Issuer.objects.get(), day=clock.real_now().date(), defaults={"orders": 1}
        )
        return real(*given)

    monkeypatch.setattr(pipeline, "request_of", request_of)
    certificate_id = proved(desk)
    desk.run()
    assert (ca.calls, Day.objects.get().orders) == ([], 1)
    assert not Placement.objects.exists()
    assert "1 orders a week are used up" in desk.certificate(certificate_id).last_failure
    assert Job.objects.filter(kind=actions.SIGN, state="READY").exists()


@pytest.mark.parametrize("fault", [[], [("place", "after", IssuerError(Reason.CREDENTIALS, "Bad key."))]])
def test_a_call_with_options_that_were_changed_meanwhile_says_nothing_about_the_new_ones(
    desk: Desk, ca: OutsideCa, fault: list[tuple[str, str, Exception]], monkeypatch: pytest.MonkeyPatch
) -> None:
    ca.slow, ca.faults, real = 9, fault, outside_jobs.Ask.store
    Issuer.objects.update(state="DEGRADED", failures=1, problem="Before.")

    def store(handler: outside_jobs.Ask, job: Job, work: Any, result: Any) -> None:
        Issuer.objects.update(secret_id="another")
        real(handler, job, work, result)

    monkeypatch.setattr(outside_jobs.Ask, "store", store)
    proved(desk)
    desk.run()
    found = Issuer.objects.get()
    assert (found.state, found.failures, found.problem) == ("DEGRADED", 1, "Before.")


# rule: ISS-4
def test_a_maintenance_page_after_an_outage_ends_no_order(desk: Desk, ca: OutsideCa) -> None:
    ca.slow, ca.faults = 1, [("poll", "before", one) for one in (DOWN, DOWN, UNREADABLE, DOWN, UNREADABLE)]
    certificate_id = proved(desk)
    in_time(desk)
    assert desk.state(certificate_id) == "ISSUED"
    assert "withdraw" not in ca.calls


def test_an_issued_chain_that_cannot_be_read_for_hours_ends_the_order(desk: Desk, ca: OutsideCa) -> None:
    """The CA cannot take back what it has issued, and what it sends is never readable."""
    ca.slow, ca.faults = 1, [("poll", "after", UNREADABLE)] * 60
    certificate_id = proved(desk)
    desk.run(3 * DAY)
    assert desk.state(certificate_id) == "UNPASSED"
    assert not OutsideOrder.objects.filter(unfinished=True).exists()


def test_an_order_of_which_the_ca_tells_nonsense_for_hours_is_taken_back_and_refused(
    desk: Desk, ca: OutsideCa
) -> None:
    ca.slow, ca.faults = 99, [("poll", "before", UNREADABLE)] * outside_jobs.NONSENSE
    certificate_id = proved(desk)
    in_time(desk)
    found = desk.certificate(certificate_id)
    assert (found.state, found.last_failure) == ("UNPASSED", "The answer is no JSON.")
    assert ca.calls.count("poll") == outside_jobs.NONSENSE
    assert [one.state for one in ca.orders.values()] == ["CANCELLED"]


def test_what_was_refused_is_revoked_once_the_operator_has_mended_what_prevented_it(
    desk: Desk, ca: OutsideCa
) -> None:
    ca.shape = WRONG["another key"]
    ca.faults = [("revoke", "before", IssuerError(Reason.CREDENTIALS, "The key has expired."))] * 2
    proved(desk)
    desk.run(timedelta(minutes=10))
    assert (ca.revoked, ca.calls.count("revoke")) == ([], 1)
    in_time(desk)
    assert len(ca.revoked) == 1
    assert not OutsideOrder.objects.filter(unfinished=True).exists()


@pytest.mark.parametrize("reason", [Reason.NOT_THERE, Reason.REFUSED])
def test_a_refused_certificate_that_cannot_be_revoked_is_told_to_the_operator(
    desk: Desk, ca: OutsideCa, reason: Reason, capsys: pytest.CaptureFixture[str]
) -> None:
    ca.shape = WRONG["another key"]
    ca.faults = [("revoke", "before", IssuerError(reason, "We revoke nothing."))]
    proved(desk)
    in_time(desk)
    assert "could not be revoked" in "".join(capsys.readouterr())  # where to is the process's matter
    assert not OutsideOrder.objects.filter(unfinished=True).exists()


def test_a_cancelled_order_is_no_certificate(desk: Desk, ca: OutsideCa) -> None:
    ca.slow = 3
    certificate_id = proved(desk)
    desk.run()
    (kept,) = ca.orders.values()
    kept.state = OrderState.CANCELLED
    in_time(desk)
    assert desk.certificate(certificate_id).last_failure == "The CA has cancelled the order."


def test_a_call_that_never_ends_is_broken_off(
    desk: Desk, ca: OutsideCa, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outside_jobs, "CALL_SECONDS", 0.01)
    first = ca.place

    async def forever(wanted: Wanted) -> Order:
        ca.place = first  # type: ignore[method-assign]
        await asyncio.Event().wait()
        raise AssertionError

    ca.place = forever  # type: ignore[method-assign]
    certificate_id = proved(desk)
    desk.run()
    assert "was not done after" in desk.certificate(certificate_id).last_failure
    monkeypatch.setattr(outside_jobs, "CALL_SECONDS", 60.0)
    in_time(desk)
    assert desk.state(certificate_id) == "ISSUED"


def test_caa_may_name_the_account_that_may_have_it_issued(desk: Desk, ca: OutsideCa, issuers: Front) -> None:
    """RFC 8657: the first CA is named, but for an account of somebody else; the second for ours."""
    uri = "https://second.example/acct/7"
    second = OutsideCa(abilities=Capabilities(caa_domains=("second.example",), account_uris=(uri,)))
    issuers.remove("away")
    ca.abilities = Capabilities(caa_domains=("away.example",), account_uris=("https://away.example/acct/1",))
    issuers.add("away", ca)
    issuers.add("second", second)
    issuers.order("away", "second")
    permits = ['0 issue "away.example; accounturi=https://away.example/acct/2"']
    desk.dns.set("example.com", "CAA", [*permits, f'0 issue "second.example; accounturi={uri}"'])
    certificate_id = proved(desk)
    in_time(desk)
    assert desk.state(certificate_id) == "ISSUED"
    assert (ca.calls, second.calls) == ([], ["place"])
    reasons = OutsideOrder.objects.get().chosen
    assert "its accounturi is not the issuer's account" in reasons[0][2]


def test_where_caa_forbids_the_first_the_next_is_waited_for(
    desk: Desk, ca: OutsideCa, issuers: Front
) -> None:
    second = OutsideCa(abilities=Capabilities(caa_domains=("second.example",)))
    issuers.remove("away")
    ca.abilities = Capabilities(caa_domains=("away.example",))
    issuers.add("away", ca)
    issuers.add("second", second)
    issuers.order("away", "second")
    Issuer.objects.filter(slug="second").update(retry_at=clock.real_now() + timedelta(hours=1))
    desk.dns.set("example.com", "CAA", ['0 issue "second.example"'])
    certificate_id = proved(desk)
    desk.run()
    assert desk.state(certificate_id) == "ISSUING"
    assert "It takes no orders until" in desk.certificate(certificate_id).last_failure
    Issuer.objects.filter(slug="second").update(retry_at=None)
    in_time(desk)
    assert desk.state(certificate_id) == "ISSUED"
    assert (ca.calls, second.calls) == ([], ["place"])


# rule: ISS-4
def test_where_caa_forbids_the_next_one_that_failed_a_moment_ago_is_waited_for(
    desk: Desk, ca: OutsideCa, issuers: Front
) -> None:
    second = OutsideCa(abilities=Capabilities(caa_domains=("second.example",)))
    issuers.remove("away")
    ca.abilities = Capabilities(caa_domains=("away.example",))
    issuers.add("away", ca)
    issuers.add("second", second)
    issuers.order("away", "second")
    ca.faults = [("place", "before", DOWN)] * 3
    desk.dns.set("example.com", "CAA", ['0 issue "away.example"'])
    certificate_id = proved(desk)
    desk.run(timedelta(minutes=5))
    assert desk.state(certificate_id) == "ISSUING"
    OutsideOrder.objects.update(asked_at=clock.real_now() - DAY)
    Issuer.objects.update(state="OK", orders_fail=False, retry_at=None)
    in_time(desk)
    assert desk.state(certificate_id) == "ISSUED"
    assert Version.objects.get().issuer.startswith("away:")
    assert second.calls == []


# rule: ISS-4
def test_caa_is_not_asked_for_another_one_while_no_issuer_can_take_the_order(
    desk: Desk, ca: OutsideCa, issuers: Front, tmp_path: Path
) -> None:
    """The catalogue's own issuer has domains of CAA too, and is not the one that will issue."""
    file = tmp_path / "catalogue.toml"
    wanted = '[issuers.builtin]\ntitle = "Built-in private CA"\n'
    file.write_text(SHIPPED.read_text().replace(wanted, wanted + 'caa_domains = ["ca.desk.example"]\n'))
    issuers.remove("away")
    ca.abilities = Capabilities(caa_domains=("away.example",))
    issuers.add("away", ca)
    Issuer.objects.update(retry_at=clock.real_now() + timedelta(hours=1))
    desk.dns.set("example.com", "CAA", ['0 issue "away.example"'])
    settings.install(settings.get().model_copy(update={"catalogue": file}))
    certificate_id = proved(desk)
    desk.run()
    assert desk.state(certificate_id) == "ISSUING"
    assert "It takes no orders until" in desk.certificate(certificate_id).last_failure
    Issuer.objects.update(retry_at=None)
    in_time(desk)
    assert desk.state(certificate_id) == "ISSUED"
    assert "permits" in NameProof.objects.get().caa
