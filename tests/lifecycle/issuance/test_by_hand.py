"""A CA without an interface: an officer takes the CSR there and brings back what it sent."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from certdesk.connectors.issuers.manual.issuer import ManualIssuer
from certdesk.connectors.issuers.manual.options import ManualOptions
from certdesk.connectors.issuers.options import Outside
from certdesk.foundation.audit.models import Event
from certdesk.foundation.common import clock
from certdesk.foundation.common.errors import BadParameter, Forbidden, NotFound, WrongState
from certdesk.foundation.common.sql import short_transaction
from certdesk.foundation.iam.models import Account
from certdesk.foundation.iam.principal import PolicyGrant, Principal, Via
from certdesk.foundation.iam.rules import allow
from certdesk.foundation.sealing import actions as sealing
from certdesk.lifecycle.certificates.models import Version
from certdesk.lifecycle.issuance import by_hand, followup, outside, outside_orders, revocation_rules, revoking
from certdesk.lifecycle.issuance.models import OutsideOrder, PlacementState
from certdesk.pki.x509.certificates import chain_to_pem
from tests.support.desk import Desk
from tests.support.outside_ca import Front, OutsideCa, Shape, front, issue, signer

from .test_rules_of_the_path import Client

NAME = "www.example.com"
DAY = timedelta(days=1)
MANUAL = ManualIssuer(ManualOptions(place="https://ca.example.com/request"), Outside())


@pytest.fixture(autouse=True)
def issuers(desk: Desk) -> Iterator[Front]:
    with front() as made:
        made.add("paper", MANUAL)
        made.order("paper")
        yield made


@pytest.fixture
def alice(desk: Desk) -> Client:
    return Client(desk.alice)


@pytest.fixture
def otto(desk: Desk) -> Client:
    """An officer who did not apply."""
    return Client(desk.someone("otto"))


def waiting(desk: Desk) -> str:
    """Applied for and proved: an officer has to act."""
    certificate_id = desk.buy()
    desk.apply(certificate_id, domain=NAME)
    desk.publish(certificate_id)
    desk.run(timedelta(minutes=1))
    return certificate_id


def csr_of(alice: Client, certificate_id: str) -> x509.CertificateSigningRequest:
    (task,) = alice.show(certificate_id)["ca_order"]["tasks"]
    return x509.load_pem_x509_csr(task["value"].encode())


def pem_for(csr: x509.CertificateSigningRequest, shape: Shape = Shape()) -> str:  # noqa: B008
    return chain_to_pem(issue(csr, shape))


def answer(client: Client, certificate_id: str, **body: object) -> dict[str, str]:
    return client("certificates.ca_answer", certificate_id, body)


# rule: ISS-1
def test_the_whole_life_by_hand(desk: Desk, alice: Client, otto: Client) -> None:
    certificate_id = waiting(desk)
    shown = alice.show(certificate_id)
    assert (shown["status"], shown["next_actor"]) == ("ISSUING", "RA officer")
    order = shown["ca_order"]
    assert (order["title"], order["state"], order["who"]) == ("Paper", "TASKS", "officer")
    assert order["reasons"] == [{"issuer": "Paper", "taken": True, "reason": "It can take the order."}]
    assert order["tasks"][0]["where"] == "https://ca.example.com/request"
    sent = pem_for(csr_of(alice, certificate_id))
    assert answer(otto, certificate_id, certificate=sent)["status"] == "ISSUING"
    desk.run()
    after = alice.show(certificate_id)
    assert (after["status"], after["ca_order"]["state"], after["ca_order"]["who"]) == ("ISSUED", "ISSUED", "")
    assert Version.objects.get().issuer == "paper:Outside Issuing CA"
    assert (
        Event.objects.filter(
            action="certificate.brought", actor=f"user:{desk.someone('otto').user_id}"
        ).count()
        == 1
    )
    alice("certificates.revoke", certificate_id, {"reason_code": "SUPERSEDED"})
    desk.run()
    revoking = alice.show(certificate_id)
    assert revoking["status"] == "REVOKING"
    assert "has to be revoked at its CA by hand" in revoking["last_failure"]
    assert (revoking["next_actor"], "revokes it at the CA" in revoking["next_step"]) == ("RA officer", True)
    assert Version.objects.get().revoked_at is None
    answer(otto, certificate_id, revoked=True)
    desk.run()
    assert alice.show(certificate_id)["status"] == "REVOKED"
    assert Version.objects.get().revoked_at is not None


def test_a_wrong_certificate_is_refused_to_the_officer_and_the_order_waits_on(
    desk: Desk, alice: Client, otto: Client
) -> None:
    certificate_id = waiting(desk)
    wrong = pem_for(csr_of(alice, certificate_id), Shape(more_names=("example.org",)))
    with pytest.raises(BadParameter) as caught:
        answer(otto, certificate_id, certificate=wrong)
    assert "nobody here has proved it" in caught.value.message
    desk.run(DAY)
    assert desk.state(certificate_id) == "ISSUING"
    assert OutsideOrder.objects.get().live


def test_a_root_at_the_end_is_left_out(desk: Desk, alice: Client, otto: Client) -> None:
    certificate_id = waiting(desk)
    root = signer()[1].certificate.public_bytes(Encoding.PEM).decode()
    answer(otto, certificate_id, certificate=pem_for(csr_of(alice, certificate_id)) + root)
    desk.run()
    assert desk.state(certificate_id) == "ISSUED"
    assert bytes(Version.objects.get().chain).count(b"BEGIN CERTIFICATE") == 1


# rule: ISS-4
def test_the_no_of_the_ca_ends_the_application_with_its_words(
    desk: Desk, alice: Client, otto: Client
) -> None:
    certificate_id = waiting(desk)
    with pytest.raises(BadParameter):
        answer(otto, certificate_id, refusal="x" * 501)
    answer(otto, certificate_id, refusal="The register does not know\nthis company.")
    desk.run()
    found = alice.show(certificate_id)
    assert (found["status"], found["last_failure"]) == (
        "UNPASSED",
        "The register does not know this company.",
    )


@pytest.mark.parametrize(
    "body", [{}, {"certificate": "x", "refusal": "y"}, {"refusal": "y", "revoked": True}]
)
def test_exactly_one_answer_is_given(
    desk: Desk, alice: Client, otto: Client, body: dict[str, object]
) -> None:
    with pytest.raises(BadParameter):
        answer(otto, waiting(desk), **body)


def test_nothing_is_brought_where_nothing_waits(
    desk: Desk, alice: Client, otto: Client, issuers: Front
) -> None:
    other = desk.buy()
    for body in ({"certificate": "x"}, {"refusal": "y"}, {"revoked": True}):
        with pytest.raises(WrongState):
            answer(otto, other, **body)
    issuers.add("away", OutsideCa(slow=99))
    issuers.order("away")
    certificate_id = waiting(desk)
    with pytest.raises(WrongState):
        answer(otto, certificate_id, refusal="y")
    issuers.remove("away")
    assert not outside.is_by_hand("away")


# rule: LST-1
def test_only_an_officer_of_the_account_may_bring_it(desk: Desk) -> None:
    certificate_id = waiting(desk)
    bob = desk.someone("bob", "scm:cert:get", "scm:cert:apply")
    with pytest.raises(Forbidden):
        answer(Client(bob), certificate_id, refusal="no")
    foreign = Account.objects.create(name="foreign", created_at=desk.account.created_at)
    charlie = Principal(foreign.id, "c" * 32, "charlie", Via.API, grants=(PolicyGrant("t", allow("*")),))
    with pytest.raises(NotFound):
        answer(Client(charlie), certificate_id, refusal="no")
    officer = desk.someone("otto", by_hand.RIGHT)
    assert answer(Client(officer), certificate_id, refusal="no")["status"] == "ISSUING"


# rule: REV-2
def test_a_version_that_was_replaced_is_noted_as_revoked_and_no_other(
    desk: Desk, alice: Client, otto: Client
) -> None:
    certificate_id = waiting(desk)
    answer(otto, certificate_id, certificate=pem_for(csr_of(alice, certificate_id)))
    desk.run()
    certificate, now = desk.certificate(certificate_id), clock.now()
    followup.roll_over(desk.alice, certificate_id, now, latest=certificate.paid_until)
    desk.run(timedelta(minutes=1))
    answer(otto, certificate_id, certificate=pem_for(csr_of(alice, certificate_id)))
    desk.run()
    with pytest.raises(WrongState):
        answer(otto, certificate_id, revoked=True)
    code = revocation_rules.Code.SUPERSEDED
    certificate = desk.certificate(certificate_id)
    revoking.revoke_versions(desk.alice, certificate, 1, code, now, why="replaced")
    desk.run()
    assert Version.objects.get(number=1).revoked_at is None
    answer(otto, certificate_id, revoked=True)
    with pytest.raises(WrongState):  # it is on offer no more, and nobody waits an hour for the job
        answer(otto, certificate_id, revoked=True)
    desk.run()
    assert Version.objects.get(number=1).revoked_at is not None
    assert [one.revoked_by_hand for one in OutsideOrder.objects.order_by("placement__created_at")] == [
        True,
        False,
    ]
    assert desk.state(certificate_id) == "ISSUED"
    with pytest.raises(WrongState):
        answer(otto, certificate_id, revoked=True)


def test_a_certificate_that_was_refused_is_noted_as_revoked(desk: Desk, alice: Client, otto: Client) -> None:
    certificate_id = waiting(desk)
    late = issue(csr_of(alice, certificate_id))[0]
    order = OutsideOrder.objects.get()
    with short_transaction():
        outside_orders.end(order, PlacementState.DROPPED, clock.real_now(), unwanted=late)
    desk.run()
    assert OutsideOrder.objects.get().unfinished
    answer(otto, certificate_id, revoked=True)
    desk.run()
    assert not OutsideOrder.objects.get().unfinished


def test_the_page_of_a_certificate_opens_no_secret_of_its_ca(
    desk: Desk, alice: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate_id = waiting(desk)
    opened: list[str] = []
    real = sealing.unseal
    monkeypatch.setattr(sealing, "unseal", lambda *given: (opened.append("one"), real(*given))[1])
    assert alice.show(certificate_id)["ca_order"]["who"] == "officer"
    assert opened == []


# rule: ORG-5
def test_the_applicant_does_not_speak_for_the_ca(desk: Desk, alice: Client, otto: Client) -> None:
    certificate_id = waiting(desk)
    sent = pem_for(csr_of(alice, certificate_id))
    for body in ({"certificate": sent}, {"refusal": "no"}):
        with pytest.raises(Forbidden) as caught:
            answer(alice, certificate_id, **body)
        assert "You applied for this certificate" in caught.value.message
    desk.run()
    assert desk.state(certificate_id) == "ISSUING"
    assert answer(otto, certificate_id, certificate=sent)["status"] == "ISSUING"


# rule: ORG-5
def test_the_applicant_does_not_say_that_a_certificate_is_revoked(
    desk: Desk, alice: Client, otto: Client
) -> None:
    certificate_id = waiting(desk)
    answer(otto, certificate_id, certificate=pem_for(csr_of(alice, certificate_id)))
    desk.run()
    alice("certificates.revoke", certificate_id, {"reason_code": "SUPERSEDED"})
    desk.run()
    with pytest.raises(Forbidden) as caught:
        answer(alice, certificate_id, revoked=True)
    assert "You applied for this certificate" in caught.value.message
    desk.run(DAY)
    assert desk.state(certificate_id) == "REVOKING"


# rule: ORG-5
def test_the_applicant_does_not_say_that_what_was_refused_is_revoked(
    desk: Desk, alice: Client, otto: Client
) -> None:
    certificate_id = waiting(desk)
    late = issue(csr_of(alice, certificate_id))[0]
    with short_transaction():
        outside_orders.end(
            OutsideOrder.objects.get(), PlacementState.DROPPED, clock.real_now(), unwanted=late
        )
    with pytest.raises(Forbidden):
        answer(alice, certificate_id, revoked=True)
    assert OutsideOrder.objects.get().unfinished


def test_the_connector_by_itself() -> None:
    able = ManualIssuer(ManualOptions(level="EV", caa_domains=("ca.example",)), Outside()).capabilities
    assert able.levels == {"DV", "OV", "EV"}
    assert able.caa_domains == ("ca.example",)
    assert MANUAL.capabilities.levels == {"DV"}
