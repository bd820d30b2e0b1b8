"""Issuers in the console: setting one up, how it does, the order of a product."""

import re
from collections.abc import Iterator

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from certdesk.connectors.issuers.protocol import IssuerError, Reason
from certdesk.foundation.common import clock
from certdesk.foundation.common.sql import short_transaction
from certdesk.foundation.iam.models import Policy
from certdesk.lifecycle.issuers import actions, dialing, queries
from certdesk.lifecycle.issuers.models import Issuer
from tests.support.office import Office, open_office
from tests.support.scripted_issuer import BAD, Script, registered

pytestmark = pytest.mark.django_db(transaction=True)
PRODUCT = "GEOTRUST.DV_SSL_CERT.SINGLE_DOMAIN"
FORM = {
    "title": "First CA",
    "slug": "first",
    "profile": "public",
    "weekly_limit": "50",
    "priority": "",
    "enabled": "on",
    "o_host": "ca.example.test",
    "o_key": "hunter2-hunter2",
}


@pytest.fixture
def office(db: None) -> Iterator[Office]:
    with open_office() as made:
        yield made


@pytest.fixture
def script() -> Iterator[Script]:
    with registered() as made:
        yield made


def text(client: Client, path: str, data: object = None, status: int = 200) -> str:
    answer = client.get(path) if data is None else client.post(path, data, follow=True)
    assert answer.status_code == status, answer.content[-2000:]
    return re.sub(r"\s+", " ", answer.content.decode())


def failed(reason: Reason, times: int = 1, retry_after: int | None = None) -> None:
    for _ in range(times):
        with short_transaction():
            error = IssuerError(reason, "The CA answered 500.", "Wait.", retry_after=retry_after)
            actions.note_failure("first", error, clock.real_now())


def test_setting_up_testing_changing_and_removing(office: Office, script: Script) -> None:
    alice = office.client()
    assert "Built-in private CA" in text(alice, "/issuers")
    assert "A scripted CA of tests" in text(alice, "/issuers/add")
    wrong = text(alice, "/issuers/add?kind=scripted", {**FORM, "slug": "builtin"}, 422)
    assert "cannot be the short name of an issuer" in wrong
    shown = text(alice, "/issuers/add?kind=scripted", FORM)
    assert "It answers and accepts our account. Nothing was ordered." in shown
    assert script.calls == ["test"]
    one = Issuer.objects.get()
    assert (one.weekly_limit, one.priority, one.profile) == (50, 100, "public")
    assert "hunter2" not in shown
    assert "0 of 50" in shown
    assert "None: it gets no orders until a product names it." in shown

    page = f"/issuers/{one.id}"
    form = {**FORM, "o_key": ""}
    assert "The issuer is changed." in text(
        alice, f"{page}/edit", {**form, "title": "Best CA", "enabled": ""}
    )
    assert "Switched off" in text(alice, "/issuers")
    assert dialing.options_of(Issuer.objects.get())["key"] == "hunter2-hunter2"
    script.check = BAD
    moved = {**form, "o_host": "other.example.test"}
    assert "its secrets must be given again" in text(alice, f"{page}/edit", moved, 422)
    tested = text(alice, f"{page}/edit", {**moved, "o_key": "other"})
    assert f"The test failed: {BAD.problem}" in tested
    assert "Failed lately" in tested
    assert "The test failed" in text(alice, f"{page}/test", {})
    assert "Remove First CA?" in text(alice, f"{page}/remove")
    assert "The issuer is removed." in text(alice, f"{page}/remove", {})
    assert not Issuer.objects.exists()


def test_the_list_asks_no_more_questions_for_more_issuers(office: Office, script: Script) -> None:
    alice = office.client()
    text(alice, "/issuers/add?kind=scripted", FORM)
    with short_transaction():
        actions.note_placed("first", clock.real_now())
    text(alice, "/issuers")
    with CaptureQueriesContext(connection) as few:
        assert "1 of 50" in text(alice, "/issuers")
    for number in range(3):
        text(alice, "/issuers/add?kind=scripted", {**FORM, "slug": f"more-{number}", "weekly_limit": "7"})
    with CaptureQueriesContext(connection) as many:
        shown = text(alice, "/issuers")
    assert "1 of 50" in shown
    assert shown.count("0 of 7") == 3
    assert len(many) == len(few)


def test_each_state_says_who_acts_next(office: Office, script: Script) -> None:
    alice = office.client()
    text(alice, "/issuers/add?kind=scripted", FORM)
    page = f"/issuers/{Issuer.objects.get().id}"
    failed(Reason.RATE_LIMITED, retry_after=600)
    waits = text(alice, page)
    assert "Asked us to wait" in waits
    assert "Nobody: it gets orders again by itself." in waits
    failed(Reason.BUSY, 3)
    down = text(alice, page)
    assert "It gets no orders now." in down
    assert "The CA answered 500. Wait." in down
    assert 'data-status="DOWN"' in down
    Issuer.objects.update(state="UNKNOWN", retry_at=None, problem="", next_step="")
    assert "Not tested yet" in text(alice, page)
    assert 'data-operation="issuer-test"' not in text(alice, "/issuers/builtin")


def test_the_order_of_a_product_and_of_its_like(office: Office, script: Script) -> None:
    alice = office.client()
    text(alice, "/issuers/add?kind=scripted", FORM)
    assert "as the catalogue file says" in text(alice, "/issuers/products")
    path = f"/issuers/products/{PRODUCT}"
    assert "Built-in private CA takes the order: it is the first of the issuers." in text(alice, path)
    changed = text(alice, path, {"place0": "first", "place2": "builtin", "also": "one"})
    assert "1 product is changed." in changed
    assert "First CA takes the order" in changed
    assert queries.own_order(PRODUCT) == ("first", "builtin")
    assert "number 1 of 2" in text(alice, f"/issuers/{Issuer.objects.get().id}")
    twice = text(alice, path, {"place0": "first", "place1": "first", "also": "one"}, 422)
    assert "An issuer is given twice." in twice
    text(alice, path, {"place0": "builtin", "also": "level"})
    dv = [one for one in queries.products_of("builtin") if (one.brand, one.level) == ("GEOTRUST", "DV")]
    assert len(dv) > 1
    assert {queries.own_order(one.id) for one in dv} == {("builtin",)}
    text(alice, path, {"also": "brand"})
    assert queries.own_order(PRODUCT) == ()
    Issuer.objects.update(slug="other")
    text(alice, path, {"place0": "other", "also": "one"})
    Issuer.objects.all().delete()
    assert "It is not set up." in text(alice, path)


def test_an_order_that_does_not_fit_one_product_of_the_brand_changes_none(
    office: Office, script: Script
) -> None:
    """It issues no EV, and the brand has EV products after those of DV and OV."""
    alice = office.client()
    text(alice, "/issuers/add?kind=scripted", FORM)
    refused = text(alice, f"/issuers/products/{PRODUCT}", {"place0": "first", "also": "brand"}, 422)
    assert "First CA issues no EV certificates." in refused
    assert queries.own_orders() == {}


def test_a_product_that_is_in_use_keeps_its_issuer(office: Office, script: Script) -> None:
    alice = office.client()
    text(alice, "/issuers/add?kind=scripted", FORM)
    text(alice, f"/issuers/products/{PRODUCT}", {"place0": "first", "also": "one"})
    one = Issuer.objects.get()
    assert "1 products are served by this issuer" in text(alice, f"/issuers/{one.id}/remove", {})
    campaign = text(alice, "/campaigns/new?issuer=first")
    assert '<option value="first" selected>' in campaign


def test_another_account_is_not_told_of_an_issuer_that_serves_nothing(office: Office, script: Script) -> None:
    text(office.client(), "/issuers/add?kind=scripted", FORM)
    assert "First CA</option>" in text(office.client(), "/campaigns/new")
    charlie = text(office.client("charlie"), "/campaigns/new")
    assert '<option value="builtin">Built-in private CA</option>' in charlie
    assert "First CA" not in charlie


def test_who_may_only_read_sees_no_buttons_and_strangers_nothing(office: Office, script: Script) -> None:
    text(office.client(), "/issuers/add?kind=scripted", FORM)
    rita = office.client("rita")
    assert 'data-operation="issuer-add"' not in text(rita, "/issuers")
    assert 'data-operation="issuer-order"' not in text(rita, "/issuers/products")
    assert 'href="/issuers"' in text(rita, "/prices")
    charlie = office.client("charlie")
    text(charlie, "/issuers", status=403)
    text(charlie, f"/issuers/{Issuer.objects.get().id}", status=403)
    text(charlie, "/issuers/add?kind=scripted", FORM, status=403)
    assert 'href="/issuers"' not in text(charlie, "/prices")


def test_saved_by_who_may_not_test_it(office: Office, script: Script) -> None:
    denied = {"Effect": "Deny", "Action": ["scm:issuer:test"]}
    for policy in Policy.objects.filter(name="SCM FullAccess"):
        policy.document = {**policy.document, "Statement": [*policy.document["Statement"], denied]}
        policy.save()
    saved = text(office.client(), "/issuers/add?kind=scripted", FORM)
    assert "The issuer is saved. It was not tested." in saved
    assert script.calls == []


def test_every_page_reads_in_chinese(office: Office, script: Script) -> None:
    text(office.client(), "/issuers/add?kind=scripted", FORM)
    failed(Reason.BUSY, 3)
    alice = office.client(language="zh-hans")
    one = Issuer.objects.get()
    for path in ("/issuers", f"/issuers/{one.id}", "/issuers/products", f"/issuers/products/{PRODUCT}"):
        assert "颁发机构" in text(alice, path)


def test_the_list_of_certificates_is_narrowed_by_issuer(office: Office, script: Script) -> None:
    alice = office.client()
    ours = office.desk.issued("www.example.com")
    assert "All issuers" not in text(alice, "/certificates")  # there is one alone
    text(alice, "/issuers/add?kind=scripted", FORM)
    text(alice, f"/issuers/products/{PRODUCT}", {"place0": "first", "also": "one"})
    shown = text(alice, "/certificates?issuer=builtin")
    assert "All issuers" in shown
    assert "First CA" in shown
    assert ours in shown
    assert ours not in text(alice, "/certificates?issuer=first")
    assert 'href="/certificates?issuer=first"' in text(alice, "/issuers")
    assert 'href="/certificates?issuer=builtin"' in text(alice, "/issuers/builtin")
    assert 'href="/issuers/builtin"' in text(alice, f"/certificates/{ours}")


def test_a_test_order_says_what_it_costs_and_leads_to_its_certificate(office: Office, script: Script) -> None:
    alice = office.client()
    text(alice, "/issuers/add?kind=scripted", FORM)
    page = f"/issuers/{Issuer.objects.get().id}"
    assert f'href="{page}/order"' in text(alice, page)
    assert "counts against the limits of the CA" in text(alice, f"{page}/order")
    text(alice, f"{page}/order", {"domain": "not a name"}, 422)
    begun = text(alice, f"{page}/order", {"domain": "www.example.com"})
    assert "The test order is begun." in begun
    assert "<dd>First CA</dd>" in begun  # who issues it, not the house
    assert "Test orders" in text(alice, page)
    Issuer.objects.update(kind="manual")
    assert "may bill what it issues" in text(alice, f"{page}/order")
    text(alice, f"{page}/order", {"domain": "www.example.com"}, 422)  # without a yes to that
    acme = {"preset": "letsencrypt", "directory_url": ""}
    Issuer.objects.update(kind="acme", shown=acme, profile="private")
    assert "It costs nothing." in text(alice, f"{page}/order")
    shown = text(alice, page)
    assert "50 in 7 days for each registered domain" in shown
    assert "https://letsencrypt.org/docs/rate-limits/" in shown
    text(office.client("rita"), f"{page}/order", status=403)
    text(office.client("charlie"), f"{page}/order", status=403)
