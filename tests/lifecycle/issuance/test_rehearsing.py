"""A test order: a real one, through the one pipeline, at one issuer alone."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from certdesk.connectors.issuers.acme.presets import PRESETS
from certdesk.foundation.audit.models import Event
from certdesk.foundation.common import clock
from certdesk.foundation.common.errors import BadParameter, CertdeskError, Conflict, Forbidden, WrongState
from certdesk.foundation.common.sql import short_transaction
from certdesk.interfaces.console.views.cards.renewal import card
from certdesk.lifecycle.catalogue import queries as catalogue
from certdesk.lifecycle.catalogue.errors import NoSuchProduct, NotForSale
from certdesk.lifecycle.certificates.models import Certificate
from certdesk.lifecycle.issuance import rehearsing
from certdesk.lifecycle.issuance.issue_now import IssueResult, issue_now
from certdesk.lifecycle.issuance.models import OutsideOrder
from certdesk.lifecycle.issuers.errors import BuiltInStays, NoIssuer
from certdesk.lifecycle.issuers.models import Day, Issuer
from certdesk.lifecycle.orders import actions as orders
from certdesk.lifecycle.orders.models import Balance
from certdesk.lifecycle.orders.rules import BuyRequest
from certdesk.lifecycle.renewal import facts, planning, switch
from certdesk.lifecycle.renewal.models import Renewal
from tests.support.desk import Desk
from tests.support.outside_ca import Front, OutsideCa, front

NAME = "www.example.com"


@pytest.fixture
def ca(desk: Desk) -> OutsideCa:
    return OutsideCa()


@pytest.fixture(autouse=True)
def issuers(desk: Desk, ca: OutsideCa) -> Iterator[Front]:
    with front(away=ca, other=OutsideCa()) as made:
        made.order()  # no product needs to name it
        yield made


def test_it_is_proved_ordered_and_issued_like_any_other_and_costs_nothing(desk: Desk, ca: OutsideCa) -> None:
    before = Balance.objects.get(account_id=desk.account.id).cash
    made = rehearsing.rehearse(desk.alice, "away", NAME, clock.now())
    desk.run()
    assert (desk.state(made), ca.calls) == ("CHECKING", [])  # nothing is ordered before it is proved
    desk.publish(made)
    desk.run(timedelta(hours=1))
    assert (desk.state(made), ca.calls) == ("ISSUED", ["place"])
    assert [one.id for one in rehearsing.rehearsals(desk.alice, "away", clock.now())] == [made]
    assert rehearsing.rehearsals(desk.alice, "other", clock.now()) == []
    bob = desk.someone("bob", "scm:issuer:*", "scm:cert:get")
    assert rehearsing.rehearsals(bob, "away", clock.now()) == []
    assert Balance.objects.get(account_id=desk.account.id).cash == before
    assert Day.objects.get().orders == 1  # it counts like any other
    assert Event.objects.filter(action=rehearsing.ORDER, resource__startswith="issuer:").count() == 1
    assert catalogue.brand_title("@away") == "Test order"


def test_it_is_never_replaced_by_itself(desk: Desk) -> None:
    made = rehearsing.rehearse(desk.alice, "away", NAME, clock.now())
    desk.publish(made)
    desk.run(timedelta(hours=1))
    certificate = desk.certificate(made)
    assert certificate.not_after is not None
    assert certificate.paid_until is not None
    assert certificate.paid_until > certificate.not_after
    with short_transaction():
        planning.begin(certificate.not_after - timedelta(days=1))
    assert not Renewal.objects.exists()
    coming = switch.next_of(facts.of([certificate]), certificate, clock.now())
    assert (coming.action, coming.at) == ("", None)
    with pytest.raises(WrongState):
        switch.check_possible(certificate, clock.now())
    shown = card(desk.alice, certificate, clock.now())
    assert shown is not None
    assert not shown.may  # what would be refused is not offered
    assert shown.why_not


def test_of_two_at_the_same_moment_one_is_ordered(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    first: list[str] = []

    def after_another(*given: Any, **more: Any) -> IssueResult:
        if not first:
            first.append("")
            first[0] = rehearsing.rehearse(desk.alice, "away", NAME, clock.now())
        return issue_now(*given, **more)

    monkeypatch.setattr(rehearsing, "issue_now", after_another)
    with pytest.raises(Conflict, match="is open"):
        rehearsing.rehearse(desk.alice, "away", NAME, clock.now())
    assert list(Certificate.objects.values_list("id", flat=True)) == first
    assert Event.objects.filter(action=rehearsing.ORDER).count() == 1


def test_what_the_ca_refuses_is_told(desk: Desk, ca: OutsideCa) -> None:
    ca.refuses = "This account may order nothing."
    made = rehearsing.rehearse(desk.alice, "away", NAME, clock.now())
    with pytest.raises(Conflict, match="is open"):
        rehearsing.rehearse(desk.alice, "away", NAME, clock.now())
    desk.publish(made)
    desk.run(timedelta(hours=1))
    assert desk.state(made) == "UNPASSED"
    assert "may order nothing" in desk.certificate(made).last_failure
    assert OutsideOrder.objects.get().issuer == "away"
    rehearsing.rehearse(desk.alice, "away", NAME, clock.now())  # another try


OWN = "https://acme.example.net/directory"


@pytest.mark.parametrize(
    ("kind", "shown"),
    [
        ("manual", {}),
        ("certcentral", {}),
        ("acme", {"preset": "other"}),
        ("acme", {"preset": "digicert"}),
        ("acme", {"preset": "letsencrypt", "directory_url": OWN}),
    ],
)
def test_what_may_be_billed_is_agreed_to(desk: Desk, kind: str, shown: dict[str, str]) -> None:
    Issuer.objects.filter(slug="away").update(kind=kind, shown=shown)
    with pytest.raises(BadParameter, match="may bill") as refused:
        rehearsing.rehearse(desk.alice, "away", NAME, clock.now())
    assert refused.value.field == "agreed"
    assert rehearsing.rehearse(desk.alice, "away", NAME, clock.now(), agreed=True)


@pytest.mark.parametrize(
    "shown",
    [
        {"preset": "letsencrypt"},
        {"preset": "letsencrypt", "directory_url": PRESETS["letsencrypt"].directory},
        {"preset": "step-ca", "directory_url": OWN},  # it has no other
    ],
)
def test_what_is_free_of_charge_is_not_asked_about(desk: Desk, shown: dict[str, str]) -> None:
    Issuer.objects.filter(slug="away").update(kind="acme", shown=shown)
    assert rehearsing.rehearse(desk.alice, "away", NAME, clock.now())


def test_who_and_what_is_refused(desk: Desk) -> None:
    with pytest.raises(BuiltInStays):
        rehearsing.rehearse(desk.alice, "builtin", NAME, clock.now())
    with pytest.raises(NoIssuer):
        rehearsing.rehearse(desk.alice, "nobody", NAME, clock.now())
    bob = desk.someone("bob", "scm:cert:*", "bss:order:*")
    with pytest.raises(Forbidden):
        rehearsing.rehearse(bob, "away", NAME, clock.now())
    bought = BuyRequest("@away", "DV_SSL_CERT", "SINGLE_DOMAIN", 1, agree_privacy_protection=True)
    with pytest.raises(NotForSale, match="operator alone"):
        orders.buy(bob, bought, clock.now(), auto_pay=True)
    with pytest.raises(NoSuchProduct):
        catalogue.catalogue().product("@away", "EV_SSL_CERT", "SINGLE_DOMAIN")
    with pytest.raises(CertdeskError):
        rehearsing.rehearse(desk.alice, "away", "no such name", clock.now())
    Issuer.objects.update(enabled=False)
    with pytest.raises(WrongState, match="switched off"):
        rehearsing.rehearse(desk.alice, "away", NAME, clock.now())
