"""The console's page of renewal: entry, what it says, and the order it makes."""

import re
from datetime import timedelta

import pytest

from certdesk.foundation.common import clock
from certdesk.lifecycle.certificates.models import Certificate
from certdesk.lifecycle.orders.models import Order
from tests.support.office import Office

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)


def page(office: Office, path: str, who: str = "alice", language: str = "en") -> str:
    return office.client(who, language).get(path, follow=True).content.decode()


def near_its_end(office: Office, **columns: object) -> str:
    certificate_id = office.desk.issued("www.example.com")
    end = clock.now() + 10 * DAY
    Certificate.objects.filter(id=certificate_id).update(not_after=end, paid_until=end, **columns)
    return certificate_id


def test_the_entry_the_page_and_the_order(office: Office) -> None:
    # rule: REN-1
    # rule: REN-3
    certificate_id = near_its_end(office)
    path = f"/certificates/{certificate_id}/renew"
    for shown in (page(office, "/certificates"), page(office, f"/certificates/{certificate_id}")):
        assert re.search(r'btn-primary[^>]*data-operation="renew"', shown)
    asked = page(office, path)
    for words in ("The same certificate again", "10 days more", "pending application", "primary domain name"):
        assert words in asked
    assert 'data-operation="renew"' in asked
    assert "last at most" not in asked
    answer = office.client().post(path, {"effective_time": "1"})
    order = Order.objects.get(type="RENEWAL")
    assert answer["location"] == f"/certificates/buy/confirm/{order.id}"
    assert certificate_id in page(office, answer["location"])
    pay = {"payment_method": "BALANCE", "agree_privacy_protection": "on"}
    office.client().post(answer["location"], pay)
    new = Certificate.objects.get(renews_id=certificate_id)
    assert f'href="/certificates/{new.id}"' in page(office, f"/certificates/{certificate_id}")
    assert f'href="/certificates/{certificate_id}"' in page(office, f"/certificates/{new.id}")
    assert "It has a renewal already" in page(office, path)
    form = page(office, f"/certificates/{new.id}/apply")
    assert 'value="www.example.com"' in form
    assert 'value="ada@example.com"' in form


def test_shorter_certificates_and_other_periods_are_said(office: Office) -> None:
    # rule: REN-5
    certificate_id = near_its_end(office, level="OV", type="OV_SSL_CERT")
    Certificate.objects.filter(id=certificate_id).update(paid_until=clock.now() + 20 * DAY)
    asked = page(office, f"/certificates/{certificate_id}/renew?effective_time=9")
    assert "Paid until" in asked
    assert "20 days more" in asked
    assert "The company name stays" in asked
    answer = office.client().post(f"/certificates/{certificate_id}/renew", {"effective_time": "9"})
    assert answer.status_code == 422
    assert not Order.objects.filter(type="RENEWAL")


def test_too_early_it_says_when(office: Office) -> None:
    # rule: REN-1
    certificate_id = office.desk.issued("www.example.com")
    shown = page(office, f"/certificates/{certificate_id}")
    assert 'data-operation="renew"' not in shown
    assert "in the last 30 days before its paid period ends" in shown
    refused = page(office, f"/certificates/{certificate_id}/renew")
    assert 'role="alert"' in refused


def test_who_may_not_buy_gets_no_page(office: Office) -> None:
    certificate_id = near_its_end(office)
    assert 'data-operation="renew"' not in page(office, f"/certificates/{certificate_id}", "rita")
    for who, status in (("rita", 403), ("charlie", 404)):
        assert office.client(who).get(f"/certificates/{certificate_id}/renew").status_code == status
        assert office.client(who).post(f"/certificates/{certificate_id}/renew", {}).status_code == status


def test_the_switch_of_auto_renewal(office: Office) -> None:
    # rule: REN-7
    # rule: LST-8
    certificate_id = office.desk.issued("www.example.com")
    path = f"/certificates/{certificate_id}"
    shown = page(office, path)
    assert 'id="auto-renewal"' in shown
    assert "buys its successor" not in shown
    told = office.client().post(f"{path}/auto-renewal", {"on": "1"}, follow=True).content.decode()
    assert "Auto-renewal is on." in told
    assert "buys its successor" in told
    assert "install it" in told
    assert "Auto-renewal: On" in re.sub(r"\s+", " ", page(office, "/certificates"))
    told = office.client().post(f"{path}/auto-renewal", {"on": "0"}, follow=True).content.decode()
    assert "Auto-renewal is off." in told
    assert 'id="auto-renewal"' not in page(office, path, "rita")
    for who, status in (("rita", 403), ("charlie", 404)):
        assert office.client(who).post(f"{path}/auto-renewal", {"on": "1"}).status_code == status
    Certificate.objects.filter(id=certificate_id).update(state="REVOKED")
    told = office.client().post(f"{path}/auto-renewal", {"on": "1"}, follow=True).content.decode()
    assert 'role="alert"' in told
