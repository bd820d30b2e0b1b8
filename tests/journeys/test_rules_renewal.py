"""REN: a certificate is renewed in its last 30 days, and what is left of it is carried over."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from certdesk.foundation.common import clock, settings
from certdesk.foundation.iam import queries
from certdesk.foundation.iam.principal import Via
from certdesk.lifecycle.catalogue.queries import SHIPPED
from certdesk.lifecycle.certificates.models import Certificate
from certdesk.lifecycle.orders.models import Order
from tests.support.desk import Desk
from tests.support.office import Office
from tests.support.rulebook import COMPANY, DAY, SECOND, Caller, LabClock
from tests.support.uploads import World

from .test_rules_issuance import issue

RENEW = "certificates.renew"
BODY = {"effective_time": 1, "is_auto_pay": True, "agree_privacy_protection": True}
EXPIRES = datetime(2027, 11, 30, 11, 59, 59, tzinfo=UTC)
ISSUED = EXPIRES + SECOND - 365 * DAY


def renewed(alice: Caller, certificate_id: str, **more: object) -> tuple[str, bool]:
    answer = alice(RENEW, certificate_id, BODY | more)
    (made,) = answer["cert"]
    return made["cert_id"], answer["inherits_remaining"]


def ends(certificate_id: str) -> datetime:
    found = Certificate.objects.get(id=certificate_id).not_after
    assert found is not None
    return found


def apply_and_issue(desk: Desk, alice: Caller, certificate_id: str, domain: str, **more: object) -> None:
    alice.apply(certificate_id, domain, **more)
    desk.publish(certificate_id)
    desk.run()


def test_the_entry_opens_30_days_of_seconds_before_expiry(lab: LabClock, desk: Desk, alice: Caller) -> None:
    # rule: REN-1
    # rule: REN-6
    lab.at(ISSUED)
    certificate_id = issue(desk, alice)
    assert ends(certificate_id) == EXPIRES
    for moment, offered in (
        (EXPIRES - 30 * DAY - SECOND, False),
        (EXPIRES - 30 * DAY, True),
        (EXPIRES, True),
        (EXPIRES + SECOND, False),
    ):
        lab.at(moment)
        assert ("renew" in alice.show(certificate_id)["operations"]) is offered
        if not offered:
            assert alice.refused(RENEW, certificate_id, BODY).kind.value == "wrong_state"
        else:
            assert renewed(alice, certificate_id)[0] != certificate_id
    assert Order.objects.filter(type="RENEWAL").count() == 2


def test_it_buys_the_same_anew_and_both_are_independent(lab: LabClock, desk: Desk, alice: Caller) -> None:
    # rule: REN-3
    lab.at(ISSUED)
    old = issue(
        desk, alice, "www.example.com", sans="a.example.com", domain_type="MULTI_DOMAIN", domain_numbers=3
    )
    lab.at(EXPIRES - 10 * DAY)
    new, inherits = renewed(alice, old)
    assert inherits
    shown, before = alice.show(new), alice.show(old)
    assert (shown["status"], shown["progress"], before["status"]) == ("PAID", 0, "ISSUED")
    for column in ("brand", "type", "domain_type", "domain_count", "wildcard_count", "validity_period"):
        assert shown[column] == before[column]
    assert (shown["origin_cert_id"], shown["renewal_cert_id"]) == (old, "")
    assert (before["origin_cert_id"], before["renewal_cert_id"]) == ("", new)
    order = alice("orders.show", order_id=shown["order_id"])
    assert (order["type"], order["cert_ids"]) == ("RENEWAL", [new])
    alice("certificates.revoke", old, {"reason_code": "KEY_COMPROMISE"})
    desk.run()
    assert (alice.status(old), alice.status(new)) == ("REVOKED", "PAID")


def test_what_is_left_of_the_old_one_is_carried_over(lab: LabClock, desk: Desk, alice: Caller) -> None:
    # rule: REN-5
    lab.at(ISSUED)
    old = issue(desk, alice)
    lab.at(EXPIRES - 20 * DAY)
    new, inherits = renewed(alice, old)
    assert inherits
    lab.at(EXPIRES - 5 * DAY)  # what counts is what is left at issuance
    apply_and_issue(desk, alice, new, "www.example.com", **COMPANY)
    assert ends(new) == EXPIRES.replace(year=2028)


@pytest.mark.parametrize(
    ("change", "domain"),
    [
        ({}, "shop.example.com"),
        ({"cert_brand": "GEOTRUST"}, "www.example.com"),
        ({"cert_type": "DV_SSL_CERT_BASIC"}, "www.example.com"),
        ({"domain_type": "WILDCARD"}, "*.example.com"),
        ({"domain_type": "MULTI_DOMAIN", "domain_numbers": 2}, "www.example.com"),
    ],
)
def test_whatever_differs_gives_one_period_alone(
    lab: LabClock, desk: Desk, alice: Caller, change: dict[str, object], domain: str
) -> None:
    # rule: REN-5
    lab.at(ISSUED)
    old = issue(desk, alice)
    lab.at(EXPIRES - 20 * DAY)
    new, inherits = renewed(alice, old, **change)
    assert inherits is (not change)  # a new primary name is said in the application alone
    at = EXPIRES - 5 * DAY
    lab.at(at)
    sans = "a.example.com" if change.get("domain_type") == "MULTI_DOMAIN" else ""
    apply_and_issue(desk, alice, new, domain, sans=sans, **COMPANY)
    assert ends(new) == at.replace(year=2028) - SECOND


def test_another_quantity_inherits_nothing(lab: LabClock, desk: Desk, alice: Caller) -> None:
    # rule: REN-5
    lab.at(ISSUED)
    old = issue(
        desk, alice, "www.example.com", sans="a.example.com", domain_type="MULTI_DOMAIN", domain_numbers=3
    )
    lab.at(EXPIRES - DAY)
    assert renewed(alice, old, domain_numbers=4)[1] is False
    assert renewed(alice, old, domain_numbers=3)[1] is True


@pytest.mark.parametrize("end", ["revoked", "expired"])
def test_nothing_is_carried_over_of_what_is_over(lab: LabClock, desk: Desk, alice: Caller, end: str) -> None:
    # rule: REN-5
    lab.at(ISSUED)
    old = issue(desk, alice)
    lab.at(EXPIRES - 5 * DAY)
    new, _ = renewed(alice, old)
    if end == "revoked":
        alice("certificates.revoke", old, {"reason_code": "KEY_COMPROMISE"})
        desk.run()
    at = EXPIRES + (SECOND if end == "expired" else -DAY)
    lab.at(at)
    apply_and_issue(desk, alice, new, "www.example.com", **COMPANY)
    assert ends(new) == at.replace(year=2028) - SECOND


def test_only_what_was_bought_here_and_paid(lab: LabClock, desk: Desk, alice: Caller) -> None:
    # rule: REN-2
    # rule: FRE-4
    lab.at(ISSUED)
    free = alice.buy(cert_brand="SYMANTEC", cert_type="DV_SSL_CERT_BASIC", free=True)
    apply_and_issue(desk, alice, free, "free.example.com")
    hosted = str(alice("certificates.import", body=World(clock.now()).body())["certificate_id"])
    for one, words in ((free, "Free certificates"), (hosted, "not bought here")):
        lab.at(ends(one) - DAY)
        assert "renew" not in alice.show(one)["operations"]
        assert words in alice.refused(RENEW, one, BODY).message
    paid = alice.buy()
    assert "Pending application" in alice.refused(RENEW, paid, BODY).message


def test_the_company_name_stays(lab: LabClock, desk: Desk, alice: Caller) -> None:
    # rule: REN-4
    # rule: APP-15
    lab.at(ISSUED)
    old = issue(desk, alice, cert_type="OV_SSL_CERT")
    lab.at(EXPIRES - DAY)
    new, _ = renewed(alice, old)
    other = COMPANY | {"company_name": "Another Trading Co.,Ltd"}
    fault = alice.not_applied(new, "www.example.com", **other)
    assert (fault.field, "cannot be changed" in fault.message) == ("company_name", True)
    alice.apply(new, "www.example.com", **COMPANY | {"company_name": f"  {COMPANY['company_name']} "})
    assert alice.status(new) == "CHECKING"


def test_a_shorter_certificate_is_no_shorter_period(
    lab: LabClock, desk: Desk, alice: Caller, tmp_path: Path
) -> None:
    """The window and what is carried over go by the paid period, not by the issuer's longest certificate."""
    # rule: REN-1
    # rule: REN-5
    limited(tmp_path, 100)
    lab.at(ISSUED)
    old = issue(desk, alice)
    assert ends(old) == ISSUED + 100 * DAY - SECOND
    assert alice.show(old)["paid_until"] == "2027-11-30 11:59:59.0"
    lab.at(ISSUED + 99 * DAY)
    assert "renew" not in alice.show(old)["operations"]
    assert "last 30 days" in alice.refused(RENEW, old, BODY).message


def limited(folder: Path, days: int) -> None:
    """A catalogue whose issuer's certificates last so many days."""
    text = SHIPPED.read_text(encoding="utf-8")
    head = "[profiles.private]\n"
    assert head in text
    path = folder / "limited.toml"
    path.write_text(
        text.replace(head, f"{head}validity = [{{ since = 2000-01-01, days = {days} }}]\n"), encoding="utf-8"
    )
    settings.install(settings.get().model_copy(update={"catalogue": path}))


def test_a_team_mate_renews_and_a_stranger_does_not(lab: LabClock, office: Office) -> None:
    # rule: IAM-5
    lab.at(ISSUED)
    certificate_id = office.desk.issued("www.example.com")
    lab.at(EXPIRES - DAY)

    def caller(name: str) -> Caller:
        return Caller(queries.principal_of(office.people[name], Via.API))

    assert renewed(caller("bob"), certificate_id)[1]
    assert caller("charlie").refused(RENEW, certificate_id, BODY).kind.value == "not_found"
    assert caller("rita").refused(RENEW, certificate_id, BODY).kind.value == "forbidden"


def test_unpaid_it_waits_for_its_payment(lab: LabClock, desk: Desk, alice: Caller) -> None:
    # rule: ORD-7
    lab.at(ISSUED)
    old = issue(desk, alice)
    lab.at(EXPIRES - timedelta(hours=30))
    answer = alice(RENEW, old, BODY | {"is_auto_pay": False})
    assert (answer["cert"], answer["inherits_remaining"]) == ([], True)
    paid = alice("orders.pay", order_id=answer["order_id"], body={"payment_method": "BALANCE"})
    (new,) = paid["cert_ids"]
    assert alice.show(new)["origin_cert_id"] == old
    assert alice.refused(RENEW, old, BODY | {"agree_privacy_protection": False}).field == (
        "agree_privacy_protection"
    )
