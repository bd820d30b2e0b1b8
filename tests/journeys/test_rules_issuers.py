"""Certificate authorities that the operator sets up, their order for each product, and how they do."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from certdesk.connectors.issuers.protocol import IssuerCheck, IssuerError, Reason
from certdesk.connectors.protocol import ConnectorError
from certdesk.foundation.audit.models import Event
from certdesk.foundation.common import clock, settings
from certdesk.foundation.common.errors import CertdeskError, Kind
from certdesk.foundation.common.sql import short_transaction
from certdesk.foundation.iam import queries as iam
from certdesk.foundation.iam.models import User
from certdesk.foundation.iam.principal import Via
from certdesk.foundation.jobs import testing
from certdesk.foundation.jobs.actions import enqueue
from certdesk.foundation.outbox.models import Message
from certdesk.foundation.sealing.models import Secret
from certdesk.interfaces.console.forms.buying import BuyForm
from certdesk.interfaces.operations import orders as order_operations
from certdesk.interfaces.operations import v2_buying
from certdesk.lifecycle.catalogue.queries import catalogue
from certdesk.lifecycle.certificates.models import Version
from certdesk.lifecycle.issuance.models import OutsideOrder, Placement
from certdesk.lifecycle.issuers import actions, dialing, jobs, queries, rules, setting_up
from certdesk.lifecycle.issuers.models import Issuer, Place
from certdesk.lifecycle.orders import actions as orders
from certdesk.lifecycle.renewal.facts import Facts
from certdesk.lifecycle.validation import preflight
from tests.support.office import Office
from tests.support.rulebook import BUY, Caller
from tests.support.scripted_issuer import BAD, OPTIONS, Script, registered

pytestmark = pytest.mark.django_db(transaction=True)
PRODUCT = "GEOTRUST.DV_SSL_CERT.SINGLE_DOMAIN"
NEW = {"kind": "scripted", "slug": "first", "profile": "public", "title": "First CA", "options": OPTIONS}
MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)


@pytest.fixture
def script() -> Iterator[Script]:
    with registered() as made:
        yield made


@pytest.fixture
def alice(office: Office, script: Script) -> Caller:
    User.objects.filter(account=office.desk.account, name="alice").update(email="alice@example.net")
    return Caller(office.desk.alice)


def caller(office: Office, name: str) -> Caller:
    return Caller(iam.principal_of(office.people[name], Via.API))


def made(alice: Caller, **changes: object) -> str:
    return str(alice("issuers.create", body={**NEW, **changes})["id"])


def state(alice: Caller, issuer: str) -> Any:
    return alice("issuers.health", id=issuer)


def told() -> list[str]:
    found = Message.objects.filter(template="issuer-health").order_by("id")
    return [one.subject for one in found]


def failed(slug: str, reason: Reason = Reason.BUSY, times: int = 1) -> None:
    for _ in range(times):
        with short_transaction():
            actions.note_failure(slug, IssuerError(reason, "The CA answered 500."), clock.real_now())


def succeeded(slug: str) -> None:
    with short_transaction():
        actions.note_success(slug, clock.real_now())


def chosen(product_id: str = PRODUCT, **more: Any) -> tuple[rules.Choice, ...]:
    product = queries.product_of(product_id)
    order = queries.order_of(product)
    return queries.choose(product, order, ("www.example.com",), "EC_P256", clock.real_now(), **more)


# --- setting up ----------------------------------------------------------------------------------


def test_an_issuer_is_set_up_shown_changed_and_removed(alice: Caller, script: Script) -> None:
    issuer = made(alice)
    shown = alice("issuers.show", id=issuer)
    assert shown["options"] == {"host": "ca.example.test", "key": "***"}
    assert (shown["slug"], shown["state"], shown["products"]) == ("first", "UNKNOWN", [])
    assert shown["capabilities"]["levels"] == ["DV", "OV"]
    assert script.calls == []  # nothing is asked before a test
    assert "hunter2" not in str(Issuer.objects.values()) + str(list(Event.objects.values()))
    changed = alice("issuers.update", id=issuer, body={"title": "Best CA", "enabled": False, "priority": 1})
    assert (changed["title"], changed["enabled"], changed["priority"]) == ("Best CA", False, 1)
    assert [one["slug"] for one in alice("issuers.list")["items"]] == ["builtin", "first"]
    before = Secret.objects.count()
    alice("issuers.delete", id=issuer)
    assert Secret.objects.count() == before - 1
    assert alice.refused("issuers.show", id=issuer).kind is Kind.NOT_FOUND
    audited = Event.objects.filter(resource=f"issuer:{issuer}").order_by("id")
    assert [one.action for one in audited] == [setting_up.CREATE, setting_up.UPDATE, setting_up.DELETE]


def test_lists_come_in_pages_by_priority(alice: Caller) -> None:
    for number in range(11):
        made(alice, slug=f"ca{number}", priority=100 - number)
    first = alice("issuers.list")
    assert [one["slug"] for one in first["items"]][:3] == ["builtin", "ca10", "ca9"]
    rest = alice("issuers.list", query={"marker": first["next_marker"]})
    assert [one["slug"] for one in rest["items"]] == ["ca1", "ca0"]


def test_an_edit_that_leaves_the_account_key_out_keeps_it(alice: Caller) -> None:
    there = {"directory_url": "https://ca.example.test:8443/dir"}
    issuer = made(alice, kind="acme", options=there)

    def key() -> str:
        return str(dialing.options_of(Issuer.objects.get(id=issuer))["account_key"])

    first = key()
    alice("issuers.update", id=issuer, body={"options": {**there, "email": "ops@example.test"}})
    assert key() == first
    plain = {"directory_url": "http://ca.example.test:8443/dir"}  # the same server, but others can listen
    refused = alice.refused("issuers.update", id=issuer, body={"options": {**plain, "account_key": "***"}})
    assert (refused.field, key()) == ("options", first)
    alice("issuers.update", id=issuer, body={"options": {"directory_url": "https://other.example.test/dir"}})
    assert key() != first


def test_a_secret_stays_where_it_was_given_for(alice: Caller) -> None:
    issuer = made(alice)
    kept = {"host": "ca.example.test", "key": "***"}
    assert alice("issuers.update", id=issuer, body={"options": kept})["options"]["key"] == "***"
    assert dialing.options_of(Issuer.objects.get(id=issuer)) == OPTIONS
    moved = {"host": "other.example.test", "key": "***"}
    assert alice.refused("issuers.update", id=issuer, body={"options": moved}).field == "options"
    alice("issuers.update", id=issuer, body={"options": {**moved, "key": "new"}})
    assert dialing.options_of(Issuer.objects.get(id=issuer)) == {"host": "other.example.test", "key": "new"}


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"kind": "crystal-ball"}, "kind"),
        ({"slug": "builtin"}, "slug"),
        ({"slug": "builtin-two"}, "slug"),
        ({"slug": "x"}, "slug"),
        ({"slug": "Upper"}, "slug"),
        ({"slug": "x" * 20}, "slug"),
        ({"profile": "secret"}, "profile"),
        ({"title": "x" * 65}, "title"),
        ({"priority": 10_001}, "priority"),
        ({"priority": -1}, "priority"),
        ({"weekly_limit": 1_000_001}, "weekly_limit"),
        ({"options": {}}, "options"),
        ({"options": {**OPTIONS, "odd": 1}}, "options"),
    ],
)
def test_what_does_not_fit_is_refused_with_its_field(
    alice: Caller, changes: dict[str, object], field: str
) -> None:
    assert alice.refused("issuers.create", body={**NEW, **changes}).field == field
    assert not Issuer.objects.exists()


def test_a_slug_is_taken_once_and_the_number_of_issuers_has_an_end(
    alice: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    made(alice)
    assert alice.refused("issuers.create", body=NEW).field == "slug"
    monkeypatch.setattr(setting_up, "MOST", 1)
    assert alice.refused("issuers.create", body={**NEW, "slug": "second"}).kind is Kind.QUOTA


def test_in_a_lab_with_a_moved_clock_nothing_public_is_set_up(
    alice: Caller, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    made(alice)
    clock_file = tmp_path / "clock"
    clock_file.write_text("0")
    moved = settings.get().model_copy(update={"lab_clock": clock_file})
    monkeypatch.setattr(settings, "get", lambda: moved)
    assert alice.refused("issuers.create", body=NEW).field == "profile"
    assert made(alice, profile="private", slug="second")
    alice("issuers.of_product", product_id=PRODUCT, body=["first", "second"])
    assert [one.reason for one in chosen()] == ["It is switched off.", rules.ABLE]


# --- rights --------------------------------------------------------------------------------------


# rule: IAM-5
def test_only_the_operators_account_sees_and_changes_issuers(office: Office, alice: Caller) -> None:
    issuer = made(alice)
    calls: list[tuple[str, dict[str, Any]]] = [
        ("issuers.list", {}),
        ("issuers.create", {"body": {**NEW, "slug": "second"}}),
        ("issuers.show", {"id": issuer}),
        ("issuers.show", {"id": "builtin"}),
        ("issuers.update", {"id": issuer, "body": {"title": "x"}}),
        ("issuers.test", {"id": issuer}),
        ("issuers.health", {"id": issuer}),
        ("issuers.of_product", {"product_id": PRODUCT, "body": ["first"]}),
        ("issuers.delete", {"id": issuer}),
    ]
    charlie, rita = caller(office, "charlie"), caller(office, "rita")
    for name, more in calls:
        assert charlie.refused(name, **more).kind is Kind.FORBIDDEN, name
        if name != "issuers.list":
            assert rita.refused(name, **more).kind is Kind.FORBIDDEN, name
    assert len(rita("issuers.list")["items"]) == 2
    assert caller(office, "bob")("issuers.show", id=issuer)["slug"] == "first"
    assert not Place.objects.exists()


def test_the_built_in_ca_is_always_there_and_changed_by_nobody(alice: Caller) -> None:
    shown = alice("issuers.show", id="builtin")
    assert (shown["state"], shown["enabled"], PRODUCT in shown["products"]) == ("OK", True, True)
    assert state(alice, "builtin")["budget"] == {"used": 0, "limit": 0, "free_at": ""}
    for name, body in (("update", {"title": "x"}), ("delete", None), ("test", None)):
        assert alice.refused(f"issuers.{name}", id="builtin", body=body).kind is Kind.WRONG_STATE
    assert queries.title("builtin") == "Built-in private CA"
    assert queries.capabilities("builtin-public").ip
    with pytest.raises(CertdeskError):
        queries.connect("builtin")


# --- tests and health ----------------------------------------------------------------------------


def test_a_test_orders_nothing_and_is_kept(alice: Caller, script: Script) -> None:
    issuer = made(alice)
    usual, script.capabilities = script.capabilities, replace(script.capabilities, ip=True)
    found = alice("issuers.test", id=issuer)
    assert found == {"ok": True, "problem": "", "next_step": "", "notes": ["The account is known."]}
    assert script.calls == ["test"]
    health = state(alice, issuer)
    assert (health["state"], health["failures"]) == ("OK", 0)
    assert health["last_success_at"] == health["asked_at"] != ""
    script.capabilities, script.check = usual, BAD  # a connector that heard nothing knows no more than before
    found = alice("issuers.test", id=issuer)
    assert (found["ok"], found["problem"], found["next_step"]) == (False, BAD.problem, BAD.next_step)
    health = state(alice, issuer)
    assert (health["state"], health["last_error"]["message"]) == ("DEGRADED", BAD.problem)
    assert alice("issuers.show", id=issuer)["capabilities"]["ip"]


def test_a_test_that_breaks_its_promise_is_a_failed_one(
    alice: Caller, script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    issuer = made(alice)
    for raised, said in (
        (ConnectorError("The line broke.", False), "The line broke."),
        (IssuerError(Reason.BUSY, "Too busy."), "Too busy."),
        (TimeoutError(), "The test of the issuer was not over after 30 seconds."),
    ):
        script.raised = raised
        assert alice("issuers.test", id=issuer)["problem"] == said
    assert state(alice, issuer)["state"] == "DOWN"


def test_options_that_cannot_be_used_any_more_are_told(alice: Caller, script: Script) -> None:
    issuer = made(alice)
    row = Issuer.objects.get(id=issuer)
    with short_transaction():
        row.secret_id = setting_up.sealing.seal(
            row.account_id, dialing.purpose(row.id), b'{"host": "unusable.example.test", "key": ""}'
        )
        row.save()
    assert alice("issuers.test", id=issuer)["problem"] == "This CA is gone for good."
    assert state(alice, issuer)["state"] == "DOWN"
    with pytest.raises(CertdeskError, match="not set up"):
        queries.connect("first")
    Issuer.objects.update(state="OK")
    enqueue(jobs.TEST, subject=issuer)
    testing.run_due(strict=True)
    assert state(alice, issuer)["state"] == "DOWN"


def test_every_few_minutes_enabled_issuers_are_tested_and_the_operator_is_told_once(
    alice: Caller, script: Script
) -> None:
    issuer, off = made(alice), made(alice, slug="off", enabled=False)
    script.check = BAD
    for turn in range(1, 5):
        enqueue(jobs.LOOK)
        testing.run_due(strict=True)
        assert script.calls == ["test"] * turn
    assert (state(alice, issuer)["state"], state(alice, off)["state"]) == ("DOWN", "UNKNOWN")
    assert told() == ["The issuer First CA is down"]
    mail = Message.objects.get(template="issuer-health")
    assert mail.recipient == "alice@example.net"
    assert BAD.problem in mail.text
    assert f"/issuers/{issuer}" in mail.text
    script.check = replace(BAD, ok=True, problem="", next_step="")
    enqueue(jobs.LOOK)
    testing.run_due(strict=True)
    assert state(alice, issuer)["state"] == "OK"
    assert told() == ["The issuer First CA is down", "The issuer First CA works again"]


def test_a_test_that_was_sent_before_the_issuer_was_switched_off_asks_nobody(
    alice: Caller, script: Script
) -> None:
    issuer = made(alice)
    enqueue(jobs.TEST, subject=issuer)
    alice("issuers.update", id=issuer, body={"enabled": False})
    testing.run_due(strict=True)
    assert script.calls == []
    with short_transaction():
        actions.note_test("gone", IssuerCheck(True), None, clock.real_now(), secret_id="")


def test_a_verdict_about_options_that_were_replaced_meanwhile_is_dropped(
    alice: Caller, script: Script
) -> None:
    issuer = made(alice)
    before = Issuer.objects.get().secret_id
    changed = {"options": {"host": "new.example.test", "key": "another-key-1"}}
    alice("issuers.update", id=issuer, body=changed)
    with short_transaction():
        actions.note_test("first", BAD, None, clock.real_now(), secret_id=before)
    assert state(alice, issuer)["state"] == "UNKNOWN"
    assert Issuer.objects.get().problem == ""


def test_a_job_tells_of_a_secret_that_cannot_be_opened(alice: Caller, script: Script) -> None:
    issuer = made(alice)
    Secret.objects.filter(id=Issuer.objects.get().secret_id).delete()
    enqueue(jobs.TEST, subject=issuer)
    testing.run_due(strict=True)
    assert state(alice, issuer)["state"] == "DOWN"
    assert state(alice, issuer)["last_error"]["message"]


def test_who_changed_it_last_is_told(office: Office, alice: Caller) -> None:
    made(alice)
    User.objects.filter(name="bob").update(email="bob@example.net")
    bob, creator = User.objects.get(name="bob"), User.objects.get(id=Issuer.objects.get().created_by)
    for updated, by, reader in ((bob, creator, bob), (creator, bob, creator)):
        Issuer.objects.update(state="OK", failures=0, updated_by=updated.id, created_by=by.id)
        Message.objects.all().delete()
        failed("first", times=3)
        assert [one.recipient for one in Message.objects.all()] == [reader.email]


def test_without_an_address_nobody_is_told(office: Office, alice: Caller) -> None:
    made(alice)
    User.objects.update(email="")
    failed("first", times=3)
    assert told() == []
    User.objects.filter(name="bob").update(email="not an address")
    Issuer.objects.update(state="OK")
    failed("first")
    assert told() == []


def test_orders_that_fail_take_it_down_and_one_that_works_brings_it_back(alice: Caller) -> None:
    issuer = made(alice)
    failed("first", Reason.REFUSED, 5)
    assert state(alice, issuer)["state"] == "UNKNOWN"
    failed("first", times=2)
    assert (state(alice, issuer)["state"], told()) == ("DEGRADED", [])
    failed("first")
    health = state(alice, issuer)
    assert (health["state"], health["failures"]) == ("DOWN", 3)
    assert health["retry_at"] > health["since"]
    succeeded("first")
    assert (state(alice, issuer)["state"], len(told())) == ("OK", 2)
    written = Issuer.objects.get().succeeded_at
    succeeded("first")
    assert Issuer.objects.get().succeeded_at == written  # not at each order again


def test_notes_about_what_is_not_there_change_nothing(alice: Caller) -> None:
    with short_transaction():
        for slug in ("builtin", "gone"):
            actions.note_placed(slug, clock.real_now())
            actions.note_success(slug, clock.real_now())
            actions.note_failure(slug, IssuerError(Reason.BUSY, "No."), clock.real_now())
    assert told() == []


def test_with_other_options_what_was_met_before_is_forgotten(alice: Caller) -> None:
    issuer = made(alice)
    failed("first", times=3)
    alice("issuers.update", id=issuer, body={"options": {**OPTIONS, "key": "right"}})
    health = state(alice, issuer)
    assert (health["state"], health["failures"], health["last_error"]["message"]) == ("UNKNOWN", 0, "")


# --- the week's budget ---------------------------------------------------------------------------


def test_the_weeks_orders_are_counted_and_close_it_when_they_are_used_up(alice: Caller) -> None:
    issuer = made(alice, weekly_limit=3)
    alice("issuers.of_product", product_id=PRODUCT, body=["first", "builtin"])
    now = clock.real_now()
    with short_transaction():
        for days in (9, 6, 0):
            actions.note_placed("first", now - days * DAY, "It was the first.")
    assert state(alice, issuer)["budget"]["used"] == 2  # what is nine days old counts no more
    assert state(alice, issuer)["chosen_because"] == "It was the first."
    assert rules.taken(chosen()) == "first"
    with short_transaction():
        actions.note_placed("first", now)
    budget = state(alice, issuer)["budget"]
    assert (budget["used"], budget["limit"]) == (3, 3)
    first, second = chosen()
    assert not first.taken
    assert "3 orders a week are used up until" in first.reason
    assert second.taken
    assert clock.wire(first.again_at) == budget["free_at"]


def test_a_day_counts_whole_until_seven_days_after_its_end(alice: Caller) -> None:
    made(alice, weekly_limit=3)
    issuer, placed = Issuer.objects.get(slug="first"), datetime(2026, 11, 20, 0, 1, tzinfo=UTC)
    with short_transaction():
        actions.note_placed("first", placed)
    over = datetime(2026, 11, 28, tzinfo=UTC)
    last = queries.budget(issuer, over - timedelta(seconds=1))
    assert (last.used, last.free_at) == (1, over)
    assert queries.budget(issuer, over) == queries.Budget(0, 3)


# --- the order of a product ----------------------------------------------------------------------


# rule: CAT-6
def test_a_product_has_the_catalogues_issuer_until_the_operator_orders_it_otherwise(alice: Caller) -> None:
    issuer = made(alice)
    assert [one.slug for one in chosen()] == ["builtin"]
    answer = alice("issuers.of_product", product_id=PRODUCT, body=[issuer, "builtin"])
    assert answer == {"product_id": PRODUCT, "issuers": ["first", "builtin"]}
    assert alice("issuers.show", id=issuer)["products"] == [PRODUCT]
    assert rules.because(chosen()) == "First CA takes the order: it is the first of the issuers."
    audited = Event.objects.get(resource=f"product:{PRODUCT}")
    assert "first, builtin" in audited.details
    assert alice("issuers.of_product", product_id=PRODUCT, body=[])["issuers"] == ["builtin"]
    assert alice("issuers.show", id=issuer)["products"] == []


def test_the_next_one_gets_the_order_and_the_reason_is_told(alice: Caller) -> None:
    made(alice)
    made(alice, slug="second", title="Second CA")
    alice("issuers.of_product", product_id=PRODUCT, body=["first", "second", "builtin"])
    failed("first", Reason.CREDENTIALS)
    found = chosen()
    assert rules.taken(found) == "second"
    assert rules.because(found).startswith(
        "Second CA takes the order. Passed over: First CA: It is down since"
    )
    alice("issuers.update", id="second", body={"enabled": False})
    found = chosen(without={"builtin": "CAA does not permit it."})
    assert [one.reason for one in found][1:] == ["It is switched off.", "CAA does not permit it."]
    Issuer.objects.all().delete()
    assert chosen()[0].reason == "It is not set up."
    assert queries.title("first") == "first"
    for call in (queries.connect, queries.capabilities):
        with pytest.raises(CertdeskError, match="The issuer first of this product is not set up"):
            call("first")


@pytest.mark.parametrize(
    ("order", "said"),
    [
        (["first", "first"], "twice"),
        (["nobody"], "no issuer"),
        (["narrow"], "issues no DV"),
        (["builtin-other"], "no issuer"),
        ([f"builtin-{'x' * 500}"], "no issuer"),
        ([f"builtin-{number}" for number in range(11)], "at most 10"),
    ],
)
def test_an_order_that_does_not_fit_is_refused(
    alice: Caller, script: Script, order: list[str], said: str
) -> None:
    made(alice)
    script.capabilities = replace(script.capabilities, levels=frozenset({"EV"}))
    made(alice, slug="narrow")
    refused = alice.refused("issuers.of_product", product_id=PRODUCT, body=order)
    assert refused.field == "issuers"
    assert said in refused.message
    assert not Place.objects.exists()
    assert alice.refused("issuers.of_product", product_id="NO.SUCH", body=[]).kind is Kind.NOT_FOUND


def test_a_public_product_takes_public_issuers_alone(alice: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    made(alice, profile="private")
    made(alice, slug="second")
    public = replace(queries.product_of(PRODUCT), profile="public", issuer="second")
    monkeypatch.setattr(queries, "product_of", lambda product_id: public)
    for order in (["first"], ["second", "builtin"]):
        assert alice.refused("issuers.of_product", product_id=PRODUCT, body=order).field == "issuers"
    assert alice("issuers.of_product", product_id=PRODUCT, body=["second"])["issuers"] == ["second"]


def test_an_issuer_in_use_is_not_removed(office: Office, alice: Caller) -> None:
    issuer = made(alice)
    alice("issuers.of_product", product_id=PRODUCT, body=["first", "builtin"])
    assert PRODUCT in alice.refused("issuers.delete", id=issuer).message
    alice("issuers.of_product", product_id=PRODUCT, body=[])
    office.desk.issued("www.example.com")
    Version.objects.update(issuer="first:Some CA")
    refused = alice.refused("issuers.delete", id=issuer)
    assert refused.kind is Kind.WRONG_STATE
    assert refused.message.startswith("1 certificates")
    Version.objects.update(revoked_at=clock.now())
    alice("issuers.delete", id=issuer)


def test_what_is_still_to_be_done_at_an_issuer_keeps_it(office: Office, alice: Caller) -> None:
    issuer = made(alice)
    office.desk.issued("www.example.com")
    placed = Placement.objects.get()
    there = OutsideOrder.objects.create(
        placement=placed,
        certificate=placed.certificate,
        application=placed.application,
        issuer="first",
        csr=b"",
        not_after=clock.now(),
    )
    assert alice.refused("issuers.delete", id=issuer).message.startswith("1 orders at this issuer are open")
    OutsideOrder.objects.filter(placement_id=there.placement_id).update(unfinished=False)
    Version.objects.update(issuer="first:Some CA", superseded_at=clock.now())
    assert alice.refused("issuers.delete", id=issuer).message.startswith("1 certificates")
    Version.objects.update(not_after=clock.now() - DAY)
    enrolled = catalogue().enrolment[0].id
    alice("issuers.of_product", product_id=enrolled, body=["first"])
    assert enrolled in alice.refused("issuers.delete", id=issuer).message
    alice("issuers.of_product", product_id=enrolled, body=[])
    alice("issuers.delete", id=issuer)


def test_connect_serves_what_is_open_there_also_when_it_is_switched_off(
    alice: Caller, script: Script
) -> None:
    issuer = made(alice)
    alice("issuers.update", id=issuer, body={"enabled": False})
    assert queries.connect("first").capabilities == script.capabilities == queries.capabilities("first")


def test_what_is_kept_of_capabilities_is_read_back_whole(script: Script) -> None:
    for able in (script.capabilities, queries.BUILT_IN):
        assert dialing.read(dialing.stored(able)) == able
    assert dialing.read({"levels": ["DV"], "from_the_future": 1}).levels == {"DV"}


def test_a_product_without_any_issuer_has_an_empty_order() -> None:
    assert queries.order_of(replace(catalogue().products[0], issuer="")) == ()


# rule: CAT-6
def test_a_product_whose_issuer_nobody_set_up_is_shown_and_not_sold(
    alice: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    book = catalogue()
    lines = tuple(replace(one, issuer="first") if one.id == PRODUCT else one for one in book.products)
    monkeypatch.setattr(orders, "catalogue", lambda: replace(book, products=lines))
    monkeypatch.setattr(order_operations, "catalogue", lambda: replace(book, products=lines))
    asked = {name: BUY[name] for name in ("cert_brand", "cert_type", "domain_type", "domain_numbers")}
    price = alice("catalogue.price", body=asked)
    assert (price["available"], price["reason"]) == (False, "no issuer is configured for GeoTrust.")
    assert "cannot be bought" in alice.refused("orders.buy", body=BUY).message
    made(alice)
    assert alice("catalogue.price", body=asked)["available"]
    assert alice.buy()


# rule: CAT-6
def test_every_place_that_says_what_is_sold_asks_the_operators_order(
    alice: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The catalogue names no issuer for the product; the operator's own order does, once it is set up."""
    book = catalogue()
    lines = tuple(
        replace(one, available=False, reason="nobody.", issuer="") if one.id == PRODUCT else one
        for one in book.products
    )
    book = replace(book, products=lines)
    for module in (v2_buying, preflight):
        monkeypatch.setattr(module, "catalogue", lambda: book)
    product = next(one for one in lines if one.id == PRODUCT)

    def sold() -> tuple[bool, ...]:
        types = alice("v2.product_types", project_id=alice.principal.account_id)["type_list"]
        question = {"domains": ["192.0.2.1"], "brand": "GEOTRUST", "cert_type": "DV_SSL_CERT"}
        problems = alice("domains.preflight", body=question)["problems"]
        form = BuyForm(replace(book, products=(product,)))
        cards = dict(form.fields["cert_brand"].choices)
        return (
            PRODUCT in {one["product_id"] for one in types},
            "NOT_FOR_SALE" not in {one["code"] for one in problems},
            "Cannot be bought" not in cards["GEOTRUST"],
            Facts().offered(product).available,
        )

    assert sold() == (False, False, False, False)
    made(alice)
    Place.objects.create(product_id=PRODUCT, position=0, slug="first")
    assert sold() == (True, True, True, True)


def test_lists_of_products_and_issuers_read_the_orders_once(
    alice: Caller, django_assert_max_num_queries: Any
) -> None:
    lines = [replace(one, issuer="first") for one in catalogue().products]
    for slug in ("first", "second", "third"):
        made(alice, slug=slug)
    with django_assert_max_num_queries(2):
        assert all(one.available for one in queries.offered_all(lines))
    with django_assert_max_num_queries(0):
        queries.offered_all(catalogue().products)
    with CaptureQueriesContext(connection) as seen:
        alice("issuers.list")
    assert sum("issuers_place" in one["sql"] for one in seen) == 1


# rule: CAT-6
def test_a_product_without_an_issuer_in_the_catalogue_is_sold_once_the_operator_gives_it_one(
    alice: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    book = catalogue()
    nobody = {"issuer": "", "available": False, "reason": "nobody issues it."}
    lines = tuple(replace(one, **nobody) if one.id == PRODUCT else one for one in book.products)
    monkeypatch.setattr(orders, "catalogue", lambda: replace(book, products=lines))
    assert "nobody issues it" in alice.refused("orders.buy", body=BUY).message
    alice("issuers.of_product", product_id=PRODUCT, body=["builtin"])
    assert alice.buy()


# --- test orders ---------------------------------------------------------------------------------


def test_a_test_order_is_an_order_at_this_issuer_alone(office: Office, alice: Caller) -> None:
    issuer, body = made(alice), {"domain": "www.example.com"}
    ordered = alice("issuers.order_test", id=issuer, body=body)["certificate_id"]
    shown = alice("certificates.show", certificate_id=ordered)
    assert (shown["status"], shown["domain"]) == ("CHECKING", "www.example.com")
    open_already = alice.refused("issuers.order_test", id=issuer, body=body)
    assert (open_already.kind, "is open" in str(open_already)) == (Kind.CONFLICT, True)
    assert caller(office, "bob").refused("issuers.order_test", id=issuer, body=body).kind is Kind.CONFLICT
    for stranger in ("rita", "charlie"):
        refused = caller(office, stranger).refused("issuers.order_test", id=issuer, body=body)
        assert refused.kind is Kind.FORBIDDEN
    alice("issuers.update", id=issuer, body={"enabled": False})
    assert alice.refused("issuers.order_test", id=issuer, body=body).kind is Kind.WRONG_STATE
