"""The inventory can be asked who issued: a CA outside, or the house's own."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.apps import apps
from django.db import connection

from certdesk.foundation.common import clock
from certdesk.foundation.common.errors import BadParameter
from certdesk.lifecycle.certificates import queries, rules, saved_view_rules
from certdesk.lifecycle.certificates.filters import SearchFilters
from certdesk.lifecycle.certificates.models import Certificate, Version
from certdesk.lifecycle.issuers import queries as issuers
from tests.support.desk import Desk
from tests.support.outside_ca import OutsideCa, front


@pytest.fixture
def held(desk: Desk) -> Iterator[tuple[str, str]]:
    """A certificate of a CA outside, and one of this house."""
    with front(away=OutsideCa()) as made:
        outside = desk.buy()
        desk.apply(outside, domain="www.example.com")
        desk.publish(outside)
        desk.run(timedelta(hours=1))
        made.order()
        issuers.forget()
        yield outside, desk.issued("shop.example.com")
    issuers.forget()


def found(desk: Desk, **filters: str) -> list[str]:
    page = queries.search_page(desk.alice, SearchFilters(**filters), now=clock.now())  # type: ignore[arg-type]
    return [one.id for one in page.items]


def test_each_issuer_has_its_own(desk: Desk, held: tuple[str, str]) -> None:
    outside, ours = held
    waiting = desk.buy()  # nobody has issued it yet
    assert sorted(found(desk)) == sorted([outside, ours, waiting])
    assert found(desk, issuer="away") == [outside]
    assert found(desk, issuer="builtin") == [ours]
    assert found(desk, issuer="nobody") == []
    assert found(desk, issuer="away", sort="name", content="www") == [outside]


def test_what_was_issued_before_is_found_too(
    desk: Desk, held: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    third = desk.issued("mail.example.com")  # an allowed slug, however much it looks like the house
    Version.objects.filter(certificate_id=third).update(issuer="builtins:x")
    Certificate.objects.update(issuer="")
    migration = __import__(
        "certdesk.lifecycle.certificates.migrations.0011_issuer_of_earlier_versions", fromlist=["note_issuer"]
    )
    monkeypatch.setattr(migration, "PAGE", 1)
    migration.note_issuer(apps, connection.schema_editor())
    told = dict(Certificate.objects.values_list("id", "issuer"))
    assert told == {held[0]: "away", held[1]: "", third: "builtins"}


def test_a_view_may_hold_it() -> None:
    assert saved_view_rules.read_query({"issuer": "away"}) == {"issuer": "away"}
    with pytest.raises(BadParameter):
        saved_view_rules.read_query({"issuer": "x" * 33})


@pytest.mark.parametrize(
    ("issuer", "slug"),
    [
        ("", ""),
        ("builtin:dv", ""),
        ("builtin-ev:ev", ""),
        ("away:Outside CA", "away"),
        ("builtins:x", "builtins"),
    ],
)
def test_only_a_ca_outside_is_named(issuer: str, slug: str) -> None:
    assert rules.outside_slug(issuer) == slug
