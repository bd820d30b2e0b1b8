"""The published limits of a CA are kept: an order goes to the next issuer, or waits and says until when."""

import importlib
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from itertools import chain
from types import SimpleNamespace

import pytest
from django.apps import apps
from django.db import connection
from django.test.utils import CaptureQueriesContext

from certdesk.connectors.issuers.acme import presets
from certdesk.connectors.issuers.acme.presets import Limit
from certdesk.foundation.common import clock
from certdesk.foundation.jobs import actions as jobs
from certdesk.lifecycle.applications.models import Application
from certdesk.lifecycle.issuance import followup, limit_jobs, limit_rules, limits, outside_orders
from certdesk.lifecycle.issuance.models import Counted, OutsideOrder
from certdesk.lifecycle.issuers import dialing
from certdesk.lifecycle.issuers.models import Issuer
from tests.support.desk import Desk
from tests.support.outside_ca import Front, OutsideCa, Shape, front

WEEK = 7 * 24 * 3600


@pytest.fixture
def ca(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> OutsideCa:
    """A CA that publishes that it issues one certificate a week for a registered domain."""
    known = presets.PRESETS["letsencrypt"]
    few = (Limit("certificates", 1, WEEK, "registered domain"), Limit("orders", 3, 3600, "account"))
    monkeypatch.setitem(presets.PRESETS, "letsencrypt", replace(known, limits=few))
    return OutsideCa()


@pytest.fixture
def other(desk: Desk) -> OutsideCa:
    return OutsideCa()


@pytest.fixture(autouse=True)
def issuers(desk: Desk, ca: OutsideCa, other: OutsideCa) -> Iterator[Front]:
    with front(acme=ca, other=other) as made:
        Issuer.objects.filter(slug="acme").update(shown={"preset": "letsencrypt", "directory_url": ""})
        yield made


def ordered(desk: Desk, domain: str) -> str:
    certificate_id = desk.buy()
    desk.apply(certificate_id, domain=domain)
    desk.publish(certificate_id)
    desk.run(timedelta(minutes=30), strict=False)
    return certificate_id


def roll_over(desk: Desk, certificate_id: str) -> None:
    latest = desk.certificate(certificate_id).paid_until
    assert latest is not None
    followup.roll_over(desk.alice, certificate_id, clock.now(), latest=latest)
    desk.run(timedelta(minutes=30), strict=False)


def test_the_next_issuer_gets_what_would_exceed_the_limit_of_a_domain(
    desk: Desk, ca: OutsideCa, other: OutsideCa
) -> None:
    ordered(desk, "a.example.com")
    ordered(desk, "b.example.com")
    ordered(desk, "c.example.org")  # of another registered domain
    assert [len(one.orders) for one in (ca, other)] == [2, 1]
    reasons = OutsideOrder.objects.get(issuer="other").chosen
    assert "It issues 1 certificates in 7 days for example.com" in reasons[0][2]
    ordered(desk, "d.example.net")
    ordered(desk, "e.example.edu")  # the account's fourth in the hour
    reasons = OutsideOrder.objects.filter(issuer="other").latest("placement__created_at").chosen
    assert "It takes 3 orders in 1 hours from our account" in reasons[0][2]
    Counted.objects.update(at=clock.real_now() - timedelta(days=8))
    ordered(desk, "f.example.com")
    assert len(ca.orders) == 4


def test_without_another_issuer_it_waits_and_says_until_when(
    desk: Desk, ca: OutsideCa, issuers: Front
) -> None:
    issuers.order("acme")
    ordered(desk, "a.example.com")
    waiting = ordered(desk, "b.example.com")
    assert desk.state(waiting) == "ISSUING"
    assert "used up until" in desk.certificate(waiting).last_failure
    Counted.objects.update(at=clock.real_now() - timedelta(days=8))
    desk.run(timedelta(days=8), strict=False)
    assert desk.state(waiting) == "ISSUED"


def test_the_same_set_of_names_again_counts_for_nothing_but_that_set(
    desk: Desk, ca: OutsideCa, issuers: Front, monkeypatch: pytest.MonkeyPatch
) -> None:
    issuers.order("acme")
    twice = Limit("duplicates", 2, WEEK, "exact set of names")
    known = presets.PRESETS["letsencrypt"]
    monkeypatch.setitem(presets.PRESETS, "letsencrypt", replace(known, limits=(*known.limits, twice)))
    for _ in range(2):  # another certificate, as the ACME server's clients renew theirs
        assert desk.state(ordered(desk, "a.example.com")) == "ISSUED"
    keys = sorted(one.partition(":")[0] for one in Counted.objects.values_list("key", flat=True))
    assert keys == ["account", "domain", "names", "names"]
    third = ordered(desk, "a.example.com")
    assert desk.state(third) == "ISSUING"
    assert "for exactly these names" in desk.certificate(third).last_failure


def test_a_replacement_is_free_only_where_its_order_names_what_it_replaces(
    desk: Desk, ca: OutsideCa, issuers: Front, monkeypatch: pytest.MonkeyPatch
) -> None:
    issuers.order("acme")
    once = Limit("duplicates", 1, WEEK, "exact set of names")
    known = presets.PRESETS["letsencrypt"]
    monkeypatch.setitem(presets.PRESETS, "letsencrypt", replace(known, limits=(once,)))
    held = ordered(desk, "a.example.com")
    roll_over(desk, held)
    assert desk.certificate(held).current_version == 1  # a CA that does not advise is told of none
    assert "used up until" in desk.certificate(held).last_failure
    able = dialing.stored(replace(ca.abilities, advises=True))
    Issuer.objects.filter(slug="acme").update(capabilities=able)
    desk.run(timedelta(days=8), strict=False)
    assert desk.certificate(held).current_version == 2


def test_what_many_names_count_for_is_one_query_for_each_limit(desk: Desk) -> None:
    limits_of = presets.PRESETS["letsencrypt"].limits
    names = [f"www.name{number}.com" for number in range(100)]
    counted = limit_rules.counting(limits_of, names, known=False)
    assert len(list(chain.from_iterable(counted.values()))) == 101
    with CaptureQueriesContext(connection) as asked:
        assert limits.passed("acme", counted, clock.real_now()) is None
    assert len(asked) == len(limits_of) == 2


def test_the_order_of_issuers_is_read_once_for_a_choice(desk: Desk) -> None:
    certificate_id = desk.buy()
    desk.apply(certificate_id, domain="www.example.com")
    certificate = desk.certificate(certificate_id)
    application = Application.objects.get(certificate_id=certificate_id)
    with CaptureQueriesContext(connection) as asked:
        found = outside_orders.choices_of(certificate, application, {})
    assert [one.slug for one in found] == ["acme", "other"]
    assert len([one for one in asked if "issuers_place" in one["sql"]]) == 1


def test_what_counts_no_more_is_forgotten_100_rows_at_a_time(desk: Desk, ca: OutsideCa) -> None:
    ordered(desk, "a.example.com")
    order, then = OutsideOrder.objects.get(), clock.real_now() - timedelta(days=8)
    old = [Counted(order=order, issuer="acme", key=f"domain:{one}", at=then) for one in range(250)]
    Counted.objects.bulk_create(old)
    assert limits.forget(clock.real_now()) == 100
    jobs.enqueue(limit_jobs.FORGET)
    desk.run(timedelta(minutes=1))
    assert Counted.objects.count() == 2  # those of the order


def test_a_certificate_that_was_not_taken_counts_all_the_same(desk: Desk, ca: OutsideCa) -> None:
    ca.shape = Shape(more_names=("example.org",))
    ordered(desk, "a.example.com")
    assert [len(ca.revoked), OutsideOrder.objects.get(issuer="acme").unfinished] == [1, False]
    kept = Counted.objects.filter(issuer="acme").values_list("key", flat=True)
    assert sorted(kept) == ["account", "domain:example.com"]


def test_what_brought_no_certificate_is_given_back_and_another_address_is_not_counted(
    desk: Desk, ca: OutsideCa, issuers: Front
) -> None:
    issuers.order("acme")
    ca.refuses = "Not for this name."
    ordered(desk, "a.example.com")
    assert list(Counted.objects.values_list("key", flat=True)) == ["account"]
    ca.refuses = ""
    held = ordered(desk, "a.example.com")
    assert desk.state(held) == "ISSUED"
    Issuer.objects.filter(slug="acme").update(shown={"preset": "letsencrypt", "directory_url": "https://x/"})
    assert desk.state(ordered(desk, "g.example.com")) == "ISSUED"  # another address: nothing is known of it


def test_an_upgrade_notes_the_names_of_earlier_orders_also_of_open_ones(
    desk: Desk, ca: OutsideCa, monkeypatch: pytest.MonkeyPatch
) -> None:
    upgrade = importlib.import_module("certdesk.lifecycle.issuance.migrations.0011_names_of_orders")
    monkeypatch.setattr(upgrade, "PAGE", 2)
    ca.slow = 1_000_000
    for name in "abcde":
        ordered(desk, f"{name}.example{ord(name)}.com")
    assert OutsideOrder.objects.filter(serial="", live=True).count() > 2
    known = dict(OutsideOrder.objects.values_list("placement_id", "names_digest"))
    OutsideOrder.objects.update(names_digest="")
    upgrade.note_names(apps, SimpleNamespace(connection=connection))
    assert dict(OutsideOrder.objects.values_list("placement_id", "names_digest")) == known
    assert all(known.values())
