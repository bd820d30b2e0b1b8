"""The guide's chapters 3 and 5 at a commercial CA (simulated, over HTTP): it takes its time, refuses, loses
answers, is quicker than a withdrawal, and asks again before it revokes."""

import json
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest

from certdesk.connectors.issuers.certcentral.issuer import CertCentral
from certdesk.connectors.issuers.certcentral.options import CertCentralOptions
from certdesk.connectors.issuers.options import Outside
from certdesk.foundation.common import clock, ids, settings
from certdesk.foundation.jobs import testing
from certdesk.foundation.sealing import actions as sealing
from certdesk.lab.ca.server import LabCa
from certdesk.lifecycle.campaigns import rules as campaign_rules
from certdesk.lifecycle.campaigns.rules import Action
from certdesk.lifecycle.certificates.models import Certificate, Version
from certdesk.lifecycle.certificates.states import State
from certdesk.lifecycle.issuance import actions, adding, revoking
from certdesk.lifecycle.issuance.models import OutsideOrder
from certdesk.lifecycle.issuance.revoking import Wish
from certdesk.lifecycle.issuers import dialing
from certdesk.lifecycle.issuers.models import Issuer, Place
from tests.support.certcentral import LOOPBACK, STREET
from tests.support.desk import Desk, open_desk
from tests.support.rulebook import Caller

NAME = "www.example.com"
DAY = timedelta(days=1)
LINE = "GEOTRUST.DV_SSL_CERT.%s"


@pytest.fixture
def desk(db: None) -> Iterator[Desk]:
    with open_desk() as made:
        yield made


@pytest.fixture
def ca(desk: Desk) -> Iterator[LabCa]:
    settings.install(settings.get().model_copy(update={"allow_networks": LOOPBACK}))  # the desk puts it back
    with LabCa(resolver=desk.dns.server, now=clock.now) as made:
        connected(made)
        yield made


def connected(ca: LabCa) -> None:
    """The simulated CA as the issuer `big` of the usual products."""
    options = {"server_url": ca.url, "api_key": ca.key, "dcv_method": "dns-txt", **STREET}
    read = CertCentralOptions.model_validate(options)
    now = clock.real_now()
    made = Issuer(
        id=ids.hex32(), account_id="", slug="big", title="Big CA", kind="certcentral", profile="public"
    )
    made.secret_id = sealing.seal("", dialing.purpose(made.id), json.dumps(read.stored()).encode())
    made.capabilities = dialing.stored(CertCentral(read, Outside(allow_networks=LOOPBACK)).capabilities)
    made.created_at = made.updated_at = now
    made.save(force_insert=True)
    for kind in ("SINGLE_DOMAIN", "MULTI_DOMAIN"):
        Place.objects.create(product_id=LINE % kind, position=0, slug="big")


def show(desk: Desk) -> None:
    """Whoever owns the domains sets what the CA wants to see."""
    for order in OutsideOrder.objects.filter(live=True):
        for task in order.tasks:
            desk.dns.set(task["where"], task["record_type"], [task["value"]])


def until(desk: Desk, fact: Callable[[], bool]) -> None:
    """Runs what is due, some hours at most, and shows what is asked for, until the fact holds."""
    for _ in range(12):
        show(desk)
        testing.run_all(timedelta(hours=2), 30, strict=True)
        if fact():
            return
    raise AssertionError([(one.state, one.last_failure) for one in Certificate.objects.all()])


def proved(desk: Desk, **form: object) -> str:
    kind = "MULTI_DOMAIN" if "sans" in form else "SINGLE_DOMAIN"
    certificate_id = desk.buy(domain_type=kind, names=3 if "sans" in form else 1)
    desk.apply(certificate_id, domain=NAME, **form)
    desk.publish(certificate_id)
    return certificate_id


def issued(desk: Desk, **form: object) -> str:
    certificate_id = proved(desk, **form)
    until(desk, lambda: desk.state(certificate_id) == "ISSUED")
    return certificate_id


# rule: ISS-1, ISS-4
@pytest.mark.parametrize("verb", ["order", "order-info", "random-value", "check-dcv", "download"])
@pytest.mark.parametrize("fault", ["LOST", "LIMITED"])
def test_no_lost_answer_and_no_limit_loses_or_doubles_an_order(
    desk: Desk, ca: LabCa, verb: str, fault: str
) -> None:
    ca.misbehave(verb, fault)
    certificate_id = issued(desk)
    assert Version.objects.get(certificate_id=certificate_id).issuer.startswith("big:")
    assert [one.status for one in ca.office.orders.values()] == ["issued"]
    assert sum(len(one.certificates) for one in ca.office.orders.values()) == 1


# rule: ISS-4
def test_the_cas_no_ends_the_application_with_its_words(desk: Desk, ca: LabCa) -> None:
    ca.misbehave("order", "REFUSE", words="The name is on our list of phishing targets.")
    certificate_id = proved(desk)
    until(desk, lambda: desk.state(certificate_id) == "UNPASSED")
    assert "phishing" in desk.certificate(certificate_id).last_failure
    assert Version.objects.count() == 0


# rule: WDR-3
@pytest.mark.parametrize("early", [False, True])
def test_an_addition_is_withdrawn_in_time_or_too_late(desk: Desk, ca: LabCa, early: bool) -> None:
    certificate_id = issued(desk, sans="b.example.com")
    adding.add(desk.alice, certificate_id, "c.example.com", "ada@example.com", clock.now())
    desk.publish(certificate_id)
    testing.run_all(timedelta(seconds=0), 30, strict=True)
    if early:
        ca.misbehave("cancel", "EARLY")
    actions.withdraw(desk.alice, certificate_id, clock.now())
    until(desk, lambda: desk.state(certificate_id) == "ISSUED")
    assert Version.objects.filter(certificate_id=certificate_id).count() == (2 if early else 1)
    (order,) = ca.office.orders.values()
    assert (order.status, len(order.certificates)) == ("issued", 2 if early else 1)


# rule: ADD-6
def test_names_are_added_by_a_reissue_of_the_same_order(desk: Desk, ca: LabCa) -> None:
    certificate_id = issued(desk, sans="b.example.com")
    first = Version.objects.get(certificate_id=certificate_id)
    adding.add(desk.alice, certificate_id, "c.example.com", "ada@example.com", clock.now())
    desk.publish(certificate_id)
    until(desk, lambda: Version.objects.filter(certificate_id=certificate_id).count() == 2)
    second = Version.objects.get(certificate_id=certificate_id, number=2)
    assert second.names == f"{NAME};b.example.com;c.example.com"
    assert abs(second.not_after - first.not_after) < DAY  # the CA is told days, not seconds
    assert len(ca.office.orders) == 1


# rule: REV-4
@pytest.mark.parametrize("fault", ["", "LOST", "ERROR", "LIMITED"])
def test_it_is_revoked_there_whatever_happens_to_the_call(desk: Desk, ca: LabCa, fault: str) -> None:
    certificate_id = issued(desk)
    if fault:
        ca.misbehave("revoke", fault)
    revoking.request(desk.alice, certificate_id, Wish("SUPERSEDED"), clock.now())
    until(desk, lambda: desk.state(certificate_id) == "REVOKED")
    assert [one.status for one in ca.office.orders.values()] == ["revoked"]


def test_the_ca_asks_for_the_domains_again_before_it_revokes(desk: Desk, ca: LabCa) -> None:
    # rule: REV-7
    certificate_id = issued(desk)
    ca.office.revocation_proof = True
    revoking.request(desk.alice, certificate_id, Wish("SUPERSEDED"), clock.now())
    testing.run_all(timedelta(hours=2), 30, strict=True)
    assert desk.state(certificate_id) == "REVOKING_DOMAIN"
    told = desk.certificate(certificate_id).last_failure
    (order,) = ca.office.orders.values()
    assert f"_dnsauth.{NAME} to {order.token}" in told
    assert order.certificates[0].status == "issued"
    assert Version.objects.get(certificate_id=certificate_id).revoked_at is None
    alice = Caller(desk.alice)
    alice("certificates.confirm_revocation", certificate_id)  # twice is no error
    assert alice("certificates.show", certificate_id)["revoke_reason"] == "SUPERSEDED"
    assert campaign_rules.cannot(Action.REVOKE, State.REVOKING_DOMAIN, "BOUGHT", allowed=True) == ""
    desk.dns.set(f"_dnsauth.{NAME}", "TXT", [order.token])
    testing.run_all(timedelta(hours=2), 30, strict=True)
    assert desk.state(certificate_id) == "REVOKED"
    assert order.certificates[0].status == "revoked"
