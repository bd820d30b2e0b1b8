"""Buying, paying, cancelling and crediting: all of it or nothing, once."""

from dataclasses import replace
from datetime import timedelta

import pytest

from certdesk.foundation.audit.models import Event
from certdesk.foundation.common import clock
from certdesk.foundation.common.errors import BadParameter, Forbidden, NotFound
from certdesk.foundation.iam.models import EnterpriseProject
from certdesk.foundation.iam.principal import system_principal
from certdesk.foundation.jobs import registry
from certdesk.foundation.jobs.models import Job
from certdesk.lifecycle.catalogue.errors import NoPrice
from certdesk.lifecycle.certificates import actions as certificates
from certdesk.lifecycle.certificates import tags
from certdesk.lifecycle.certificates.models import Certificate
from certdesk.lifecycle.certificates.states import Event as Step
from certdesk.lifecycle.certificates.states import Via
from certdesk.lifecycle.certificates.tag_rules import TagPair
from certdesk.lifecycle.orders import actions, queries
from certdesk.lifecycle.orders import jobs as order_jobs
from certdesk.lifecycle.orders.errors import BookedAlready, FreeQuotaReached, NotPayable, PaymentRefused
from certdesk.lifecycle.orders.models import Balance, Entry, Order
from certdesk.lifecycle.orders.rules import BuyRequest, Purchase
from tests.support.inventory import NOW, new_account, person

pytestmark = pytest.mark.django_db
HOST = system_principal("", "cli")
SECOND, DAY = timedelta(seconds=1), timedelta(days=1)
PRICE = 630_00  # GeoTrust DV, single, CNY
REQUEST = BuyRequest("GEOTRUST", "DV_SSL_CERT", "SINGLE_DOMAIN", agree_privacy_protection=True)
FREE = BuyRequest("SYMANTEC", "DV_SSL_CERT_BASIC", "SINGLE_DOMAIN", agree_privacy_protection=True, free=True)
PROJECT = "11111111-2222-3333-4444-555555555555"


@pytest.fixture
def house():
    return new_account()


@pytest.fixture
def alice(house):
    return person(house)


def give(house, minor, currency="CNY"):
    return actions.credit(house.id, currency, minor, "", NOW, HOST)


def cash(house, currency="CNY"):
    return Balance.objects.get(account_id=house.id, currency=currency).cash


def everything():
    return [model.objects.count() for model in (Order, Entry, Certificate, Event, Job)]


def test_a_paid_order_makes_its_certificates(house, alice):
    give(house, PRICE * 3)
    result = actions.buy(alice, replace(REQUEST, order_number=3), NOW, auto_pay=True)
    assert (result.paid, result.unpaid_reason, result.amount) == (True, "", PRICE * 3)
    assert sorted(result.certificate_ids) == list(
        Certificate.objects.order_by("id").values_list("id", flat=True)
    )
    order = Order.objects.get()
    assert (order.state, order.paid_at, order.cash, order.amount) == ("PAID", NOW, PRICE * 3, PRICE * 3)
    assert cash(house) == 0
    assert set(Certificate.objects.values_list("state", "order_id")) == {("PAID", result.order_id)}
    posted = Entry.objects.filter(posting=f"pay:{result.order_id}").values_list("book", "amount")
    assert set(posted) == {("CASH", -PRICE * 3), ("REVENUE", PRICE * 3)}


def test_a_purchase_takes_the_same_few_statements_whatever_its_size(house, alice, django_assert_num_queries):
    give(house, PRICE * 101)
    for number in (1, 100):
        with django_assert_num_queries(
            10
        ):  # account, balance, order, entries, certificates, shares, audit of both, savepoint × 2
            actions.buy(alice, replace(REQUEST, order_number=number), NOW, auto_pay=True)


def test_one_cent_too_little_leaves_the_order_unpaid_with_the_reason(house, alice):
    give(house, PRICE - 1)
    result = actions.buy(alice, REQUEST, NOW, auto_pay=True)
    assert (result.paid, result.certificate_ids) == (False, ())
    assert result.unpaid_reason == "The balance is too small: 630.00 CNY needed, 629.99 CNY there."
    order = Order.objects.get()
    assert (order.state, order.unpaid_reason, order.cash) == ("UNPAID", result.unpaid_reason, 0)
    assert (cash(house), Certificate.objects.count()) == (PRICE - 1, 0)


def test_without_automatic_payment_there_are_no_certificates_until_it_is_paid(house, alice):
    give(house, PRICE)
    result = actions.buy(alice, REQUEST, NOW, auto_pay=False)
    assert (result.paid, result.certificate_ids, result.unpaid_reason) == (False, (), "")
    assert (cash(house), Certificate.objects.count()) == (PRICE, 0)
    paid = actions.pay(alice, result.order_id, NOW + DAY - SECOND)
    assert len(paid.certificate_ids) == 1
    assert (cash(house), Order.objects.get().state) == (0, "PAID")


def test_an_order_is_paid_once(house, alice):
    give(house, PRICE * 2)
    order_id = actions.buy(alice, REQUEST, NOW, auto_pay=True).order_id
    with pytest.raises(NotPayable, match="is paid already"):
        actions.pay(alice, order_id, NOW)
    assert (cash(house), Certificate.objects.count()) == (PRICE, 1)


def test_a_payment_that_cannot_be_made_keeps_its_reason_on_the_order(house, alice):
    order_id = actions.buy(alice, REQUEST, NOW, auto_pay=False).order_id
    with pytest.raises(PaymentRefused, match="too small"):
        actions.pay(alice, order_id, NOW)
    assert "630.00 CNY needed, 0.00 CNY there" in Order.objects.get().unpaid_reason
    give(house, PRICE)
    actions.pay(alice, order_id, NOW)
    assert Order.objects.get().unpaid_reason == ""


def test_who_pays_a_colleagues_order_does_not_own_its_certificates(house, alice):
    give(house, PRICE)
    order_id = actions.buy(alice, REQUEST, NOW, auto_pay=False).order_id
    actions.pay(person(house, "treasurer", "bss:order:pay"), order_id, NOW)
    assert Certificate.objects.get().owner_id == alice.user_id


def test_the_statement_is_accepted_at_the_purchase_or_at_the_latest_when_paying(house, alice):
    give(house, PRICE)
    later = replace(REQUEST, agree_privacy_protection=None)
    with pytest.raises(BadParameter):
        actions.buy(alice, later, NOW, auto_pay=True)
    order_id = actions.buy(alice, later, NOW, auto_pay=False).order_id
    with pytest.raises(BadParameter) as refused:
        actions.pay(alice, order_id, NOW)
    assert refused.value.field == "agree_privacy_protection"
    assert Order.objects.get().statement_accepted_at is None
    actions.pay(alice, order_id, NOW + SECOND, statement_accepted=True)
    assert Order.objects.get().statement_accepted_at == NOW + SECOND


def test_buying_needs_the_rights_of_certificates_and_of_billing(house):
    for right in ("scm:cert:subscribe", "bss:order:pay"):
        before = everything()
        with pytest.raises(Forbidden) as refused:
            actions.buy(person(house, "bob", right), REQUEST, NOW, auto_pay=True)
        assert refused.value.details["action"] != right
        assert everything() == before
    actions.buy(person(house, "carol", "scm:cert:subscribe", "bss:order:pay"), REQUEST, NOW, auto_pay=True)


def test_an_order_of_another_account_is_not_there(alice):
    order_id = actions.buy(alice, REQUEST, NOW, auto_pay=False).order_id
    mallory = person(new_account("elsewhere"), "mallory")
    for call in (actions.pay, actions.cancel):
        with pytest.raises(NotFound):
            call(mallory, order_id, NOW)
    with pytest.raises(NotFound):
        queries.order(mallory, order_id)
    with pytest.raises(NotFound):
        actions.pay(alice, "CS-none", NOW)
    assert queries.orders_page(mallory).items == []


def test_a_project_must_be_ones_own_and_enabled(house, alice):
    asked = replace(REQUEST, enterprise_project_id=PROJECT)
    with pytest.raises(BadParameter) as refused:
        actions.buy(alice, asked, NOW, auto_pay=False)
    assert refused.value.field == "enterprise_project_id"
    project = EnterpriseProject.objects.create(id=PROJECT, account=house, name="shop", enabled=False)
    with pytest.raises(BadParameter):
        actions.buy(alice, asked, NOW, auto_pay=False)
    project.enabled = True
    project.save()
    actions.buy(alice, asked, NOW, auto_pay=False)
    bob = person(house, "bob", project=PROJECT)
    actions.buy(bob, asked, NOW, auto_pay=False)
    with pytest.raises(Forbidden):
        actions.buy(bob, REQUEST, NOW, auto_pay=False)
    assert len(queries.orders_page(bob).items) == 2
    assert Order.objects.filter(enterprise_project_id=PROJECT).count() == 2


def test_an_unpaid_order_can_be_cancelled_once(house, alice):
    give(house, PRICE)
    order_id = actions.buy(alice, REQUEST, NOW, auto_pay=False).order_id
    actions.cancel(alice, order_id, NOW)
    assert Order.objects.get().state == "CANCELLED"
    for call in (actions.cancel, actions.pay):
        with pytest.raises(NotPayable):
            call(alice, order_id, NOW)
    assert cash(house) == PRICE


def test_there_is_one_payment_method_beside_which_vouchers_and_a_coupon_are_given(alice):
    order_id = actions.buy(alice, REQUEST, NOW, auto_pay=False).order_id
    with pytest.raises(BadParameter) as refused:
        actions.pay(alice, order_id, NOW, "VOUCHER")
    assert refused.value.field == "payment_method"


def test_unpaid_orders_close_by_themselves_after_24_hours(house, alice, monkeypatch):
    early = actions.buy(alice, REQUEST, NOW - SECOND, auto_pay=False).order_id
    exact = actions.buy(alice, REQUEST, NOW, auto_pay=False).order_id
    late = actions.buy(alice, REQUEST, NOW + SECOND, auto_pay=False).order_id
    give(house, PRICE)
    monkeypatch.setattr(clock, "now", lambda: NOW + DAY)
    handler = registry.find(order_jobs.KIND)
    work = handler.load(Job())
    handler.store(Job(), work, None)
    states = dict(Order.objects.values_list("id", "state"))
    assert states == {early: "CANCELLED", exact: "CANCELLED", late: "UNPAID"}
    assert handler.load(Job()) is None
    assert Event.objects.filter(action="order.cancelled", actor=f"job:{order_jobs.KIND}").count() == 2
    with pytest.raises(NotPayable):
        actions.pay(alice, exact, NOW + DAY)
    actions.pay(alice, late, NOW + DAY)


def test_an_order_that_was_paid_meanwhile_is_not_closed(house, alice):
    give(house, PRICE)
    order_id = actions.buy(alice, REQUEST, NOW, auto_pay=True).order_id
    order_jobs.CloseUnpaid().store(Job(), [(order_id, house.id)], None)
    assert Order.objects.get().state == "PAID"


def test_a_full_batch_asks_for_another_run(monkeypatch, alice):
    monkeypatch.setattr(order_jobs, "BATCH", 2)
    for _ in range(3):
        actions.buy(alice, REQUEST, NOW - DAY, auto_pay=False)
    monkeypatch.setattr(clock, "now", lambda: NOW)
    handler = registry.find(order_jobs.KIND)
    handler.store(Job(), handler.load(Job()), None)
    assert Job.objects.filter(kind=order_jobs.KIND).count() == 1
    assert len(handler.load(Job())) == 1


def test_a_crash_in_the_middle_of_a_purchase_leaves_nothing(house, alice, monkeypatch):
    give(house, PRICE)
    before = everything()

    def crash(*_):
        raise RuntimeError("power is gone")

    monkeypatch.setattr(certificates, "create_many", crash)
    with pytest.raises(RuntimeError):
        actions.buy(alice, REQUEST, NOW, auto_pay=True)
    assert (everything(), cash(house)) == (before, PRICE)
    monkeypatch.undo()
    order_id = actions.buy(alice, REQUEST, NOW, auto_pay=False).order_id
    monkeypatch.setattr(certificates, "create_many", crash)
    with pytest.raises(RuntimeError):
        actions.pay(alice, order_id, NOW)
    assert (Order.objects.get().state, cash(house)) == ("UNPAID", PRICE)


def test_free_certificates_cost_nothing_and_run_out_at_twenty(house, alice):
    unpaid = actions.buy(alice, FREE, NOW, auto_pay=False).order_id
    for _ in range(20):
        assert actions.buy(alice, FREE, NOW, auto_pay=True).paid
    Certificate.objects.all().update(state="DELETED")
    with pytest.raises(FreeQuotaReached):
        actions.buy(alice, FREE, NOW, auto_pay=True)
    with pytest.raises(FreeQuotaReached):
        actions.pay(alice, unpaid, NOW)
    assert Entry.objects.count() == 0
    assert set(Certificate.objects.values_list("validity_months", "free")) == {(3, True)}


def test_one_call_cannot_take_more_free_ones_than_are_left(alice):
    with pytest.raises(FreeQuotaReached):
        actions.buy_many(alice, [Purchase(FREE)] * 21, NOW)


def test_many_purchases_are_one_payment_or_as_many_as_the_money_lasts(house, alice):
    give(house, PRICE * 2)
    both = actions.buy_many(alice, [Purchase(REQUEST)] * 2, NOW)
    assert [one.paid for one in both] == [True, True]
    give(house, PRICE * 2 + 1)
    dear = replace(REQUEST, order_number=2)
    done = actions.buy_many(alice, [Purchase(REQUEST), Purchase(dear), Purchase(REQUEST)], NOW)
    assert [one.paid for one in done] == [True, False, True]
    assert "1260.00 CNY needed, 630.01 CNY there" in done[1].unpaid_reason
    assert cash(house) == 1


def test_a_purchase_for_proved_names_is_made_in_the_state_it_reaches(house, alice):
    give(house, PRICE)
    steps = ((Step.APPLY, Via.ANY), (Step.DOMAINS_PROVED, Via.DOMAIN_ONLY))
    (done,) = actions.buy_many(alice, [Purchase(REQUEST, ("www.example.com",), steps)], NOW)
    row = Certificate.objects.get(id=done.certificate_ids[0])
    assert (row.state, row.domain) == ("ISSUING", "www.example.com")


def test_credit_is_for_the_host_alone_and_booked_once_a_reference(house, alice):
    with pytest.raises(Forbidden):
        actions.credit(house.id, "CNY", 1, "", NOW, person(house, "bss", "bss:*", "scm:*"))
    assert actions.credit(house.id, "CNY", 100, "invoice 7", NOW, HOST) == 100
    with pytest.raises(BookedAlready):
        actions.credit(house.id, "CNY", 100, "invoice 7", NOW, HOST)
    assert actions.credit(house.id, "CNY", 50, "invoice 8", NOW, HOST) == 150
    other = new_account("elsewhere")
    assert actions.credit(other.id, "CNY", 5, "invoice 7", NOW, HOST) == 5
    assert actions.credit(house.id, "USD", 5, "", NOW, HOST) == 5
    assert queries.balance(alice) == {"CNY": 150, "USD": 5}
    for currency, minor in (("CNY", 0), ("CNY", -1), ("XXX", 1)):
        with pytest.raises(BadParameter):
            actions.credit(house.id, currency, minor, "", NOW, HOST)


def test_an_account_pays_in_its_own_currency(alice):
    abroad = new_account("abroad", currency="USD")
    result = actions.buy(person(abroad), REQUEST, NOW, auto_pay=False)
    assert (result.currency, result.amount) == ("USD", 90_00)
    nowhere = new_account("nowhere", currency="XXX")
    with pytest.raises(NoPrice, match="no price in XXX"):
        actions.buy(person(nowhere), REQUEST, NOW, auto_pay=False)


# rule: ORD-3
def test_orders_are_filtered_by_the_state_that_people_see(house, alice):
    give(house, PRICE)
    unpaid = actions.buy(alice, REQUEST, NOW, auto_pay=False).order_id
    paid = actions.buy(alice, REQUEST, NOW, auto_pay=True).order_id

    def listed(state, now):
        return [one.id for one in queries.orders_page(alice, state=state, now=now).items]

    for word, number, until, after in (
        ("UNPAID", "6", [unpaid], []),
        ("CANCELLED", "4", [], [unpaid]),
        ("PAID", "5", [paid], [paid]),
    ):
        for state in (word, number):
            assert listed(state, NOW + DAY - SECOND) == until
            assert listed(state, NOW + DAY) == after


def test_an_unknown_way_of_paying_is_wrong_and_a_known_one_comes_later(alice):
    order_id = actions.buy(alice, REQUEST, NOW, auto_pay=False).order_id
    with pytest.raises(BadParameter) as refused:
        actions.pay(alice, order_id, NOW, "XYZ")
    assert refused.value.field == "payment_method"
    for method in ("VOUCHER", "COUPON"):  # they are given beside the one method there is
        with pytest.raises(BadParameter):
            actions.pay(alice, order_id, NOW, method)


def test_orders_are_listed_newest_first_by_pages(house, alice):
    made = [actions.buy(alice, REQUEST, NOW, auto_pay=False).order_id for _ in range(12)]
    first = queries.orders_page(alice, limit=10)
    second = queries.orders_page(alice, limit=10, marker=first.next_marker)
    assert [order.id for order in first.items + second.items] == sorted(made, reverse=True)
    assert second.next_marker is None
    actions.cancel(alice, made[0], NOW)
    page = queries.orders_page(alice, state="CANCELLED", now=NOW)
    assert [order.id for order in page.items] == [made[0]]
    for wrong in ({"limit": 7}, {"marker": "é"}, {"marker": "****"}, {"state": "7"}):
        with pytest.raises(BadParameter):
            queries.orders_page(alice, **wrong)
    assert queries.orders_page(person(house, "bob", "scm:*")).items == []


def test_a_receipt_tells_what_was_bought_and_paid(house, alice):
    give(house, PRICE)
    result = actions.buy(alice, REQUEST, NOW, auto_pay=True)
    receipt = queries.receipt(alice, result.order_id)
    assert receipt.certificate_ids == list(result.certificate_ids)
    assert receipt.price_lines == [{"kind": "plain", "unit": PRICE, "names": 1, "minor": PRICE}]
    assert sum(entry.amount for entry in receipt.entries) == 0
    assert queries.certificate_ids([]) == {}
    with pytest.raises(Forbidden):
        queries.balance(person(house, "bob", "scm:*"))


def test_a_purchase_is_audited_on_the_order(house, alice):
    give(house, PRICE)
    result = actions.buy(alice, REQUEST, NOW, auto_pay=True)
    event = Event.objects.get(resource=f"order:{result.order_id}")
    assert (event.action, event.actor) == ("scm:cert:subscribe", alice.actor)
    assert result.certificate_ids[0] in event.details


def test_every_certificate_of_an_order_has_the_tags_asked_for(house, alice):
    give(house, 10 * PRICE)
    asked = replace(REQUEST, order_number=2, tags=(("env", "prod"), ("team", "")))
    paid = actions.buy(alice, asked, NOW, auto_pay=True)
    waiting = actions.buy(alice, asked, NOW, auto_pay=False)
    later = actions.pay(alice, waiting.order_id, NOW)
    for certificate_id in (*paid.certificate_ids, *later.certificate_ids):
        assert tags.of(alice, certificate_id) == [TagPair("env", "prod"), TagPair("team")]
    assert len(paid.certificate_ids) == len(later.certificate_ids) == 2
    buyer = person(house, "bob", "scm:cert:subscribe", "bss:order:pay")
    assert actions.buy(buyer, REQUEST, NOW, auto_pay=True).paid
    with pytest.raises(Forbidden) as refused:
        actions.buy(buyer, asked, NOW, auto_pay=True)
    assert refused.value.details["action"] == "scm:cert:createTag"
