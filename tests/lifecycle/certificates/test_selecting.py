"""Filters of the inventory: what they name, in which order, and that no query reads the whole table."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from certdesk.foundation.common.errors import BadParameter
from certdesk.foundation.iam.models import Group, User
from certdesk.lifecycle.certificates import queries, selecting
from certdesk.lifecycle.certificates.filters import SearchFilters
from certdesk.lifecycle.certificates.models import Certificate, Tag
from certdesk.lifecycle.certificates.states import State
from tests.support.inventory import DV, NOW, bought, issued, new_account, person, placed

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)


@pytest.fixture
def house():
    return new_account()


@pytest.fixture
def alice(house):
    return person(house)


@pytest.fixture
def charlie():
    return person(new_account("elsewhere"), "charlie")


def changed(certificate_id, **columns):
    Certificate.objects.filter(id=certificate_id).update(**columns)
    return certificate_id


def found(principal, limit=50, **filters):
    return [
        row.id for row in queries.search_page(principal, SearchFilters(limit=limit, **filters), now=NOW).items
    ]


def walked(principal, **filters):
    """Every page of ten to the end."""
    asked, marker, seen = SearchFilters(limit=10, **filters), None, []
    while True:
        page = queries.search_page(principal, asked, marker, NOW)
        seen += [row.id for row in page.items]
        marker = page.next_marker
        if marker is None:
            return seen


# rule: LST-2
@pytest.mark.parametrize("sort", ["updated", "expires", "name"])
@pytest.mark.parametrize("order", ["", "asc", "desc"])
def test_every_sort_goes_both_ways_over_pages(alice, sort, order):
    made = [issued(alice, (f"n{n}.example.com",)) for n in range(23)]
    for n, one in enumerate(made):
        moments = {"updated_at": NOW - (n % 7) * DAY, "not_after": NOW + (50 + n % 5) * DAY}
        changed(one, name=f"name-{n % 6}", **moments)
    rows = {one.id: one for one in Certificate.objects.all()}
    keys = {"updated": "updated_at", "expires": "not_after", "name": "name"}
    falling = order == "desc" or (not order and sort == "updated")
    wanted = sorted(made, key=lambda one: (getattr(rows[one], keys[sort]), one), reverse=falling)
    assert walked(alice, sort=sort, order=order) == wanted


def test_a_marker_of_one_order_does_not_fit_another(alice):
    for _ in range(11):
        issued(alice)
    first = queries.search_page(alice, SearchFilters(limit=10, sort="name"), None, NOW)
    for other in ({"sort": "updated"}, {"sort": "name", "order": "desc"}, {"sort": "expires"}):
        with pytest.raises(BadParameter):
            queries.search_page(alice, SearchFilters(limit=10, **other), first.next_marker, NOW)
    with pytest.raises(BadParameter):
        queries.search_page(alice, SearchFilters(order="sideways"), None, NOW)


def test_mine_is_what_i_or_one_of_my_groups_own(house, alice, charlie):
    user = User.objects.create(id=alice.user_id, account=house, name="alice", login="alice", created_at=NOW)
    team = Group.objects.create(account=house, name="web")
    other_team = Group.objects.create(account=house, name="mail")
    own, ours, theirs, nobodys = bought(alice, 4)
    bob = person(house, "bob")
    for one, columns in (
        (ours, {"owner_group_id": team.id}),
        (theirs, {"owner_group_id": other_team.id}),
        (nobodys, {}),
    ):
        changed(one, owner_id=bob.user_id, **columns)
    assert set(found(alice, owner="me")) == {own}
    user.groups.add(team)
    assert set(found(alice, owner="me")) == {own, ours}
    assert set(found(alice, owner_group=other_team.id)) == {theirs}
    assert set(found(alice, owner=bob.user_id)) == {ours, theirs, nobodys}
    assert found(charlie, owner_group=team.id) == found(charlie, owner="me") == []


def test_filters_narrow_together(house, alice, charlie):
    project = "11111111-2222-3333-4444-555555555555"
    one, two, three = (issued(alice, (f"{n}.example.com",)) for n in ("one", "two", "three"))
    changed(one, enterprise_project_id=project, brand="CFCA")
    changed(two, enterprise_project_id=project, not_after=NOW + DAY)
    for certificate_id in (one, three):
        Tag.objects.create(certificate_id=certificate_id, account_id=house.id, key="env", value="prod")
    assert set(found(alice, project=project)) == {one, two}
    assert set(found(alice, project="0")) == {three}
    assert found(alice, project=project, tag="env=prod") == [one]
    assert found(alice, brand="CFCA") == [one]
    assert found(alice, brand="CFCA", project="0") == []
    assert found(alice, expires_before=NOW + 2 * DAY) == [two]
    assert found(alice, expires_before=NOW + 2 * DAY, sort="expires") == [two]
    assert found(alice, content="three", tag="env") == [three]
    assert found(alice, content="nothing-has-this") == []
    assert found(alice, domain="TWO.example.com", status="ISSUED") == [two]
    placed(three, State.REVOKED, NOW + DAY)
    assert found(alice, status="REVOKED") == [three]
    changed(two, not_after=NOW - DAY)
    assert found(alice, status="EXPIRED") == [two]
    assert found(charlie, project=project) == []


def test_many_are_read_in_the_order_of_the_page_and_few_by_id(alice, monkeypatch):
    ids = [issued(alice, (f"a{n}.example.com",)) for n in range(6)]
    for one in ids[:5]:
        changed(one, brand="CFCA")
    monkeypatch.setattr(selecting, "FEW", 3)
    many = SearchFilters(brand="CFCA")
    assert not selecting.select(alice, many, NOW).few
    assert set(found(alice, brand="CFCA")) == set(ids[:5])
    few = SearchFilters(brand=DV.brand, tag="none")
    assert selecting.select(alice, few, NOW).few
    assert found(alice, brand=DV.brand, owner="me") == [ids[5]]
    assert found(alice, status="ISSUED", owner="me", project="0", brand="CFCA", sort="name", order="desc")


def test_named_ones_are_still_narrowed_by_right_and_filter(alice, charlie):
    one, two = bought(alice, 2)
    chosen = selecting.select(alice, SearchFilters(), NOW, ids=[two, "scs0000000000000"])
    page = queries.page_of(chosen, SearchFilters(), None, 10, NOW)
    assert [row.id for row in page.items] == [two]
    nothing = selecting.select(alice, SearchFilters(), NOW, ids=[])
    assert queries.page_of(nothing, SearchFilters(), None, 10, NOW).items == []
    foreign = selecting.select(charlie, SearchFilters(), NOW, ids=[one, two])
    assert queries.page_of(foreign, SearchFilters(), None, 10, NOW).items == []


ASKED = (
    {},
    {"sort": "expires"},
    {"sort": "name"},
    {"sort": "name", "order": "desc"},
    {"owner": "me"},
    {"owner": "nobody", "sort": "name"},
    {"owner_group": "nothing"},
    {"project": "elsewhere"},
    {"project": "0", "sort": "expires"},
    {"brand": "CFCA"},
    {"brand": DV.brand, "sort": "name"},
    {"tag": "env=prod"},
    {"status": "ISSUED"},
    {"status": "REVOKED", "sort": "name"},
    {"status": "EXPIRED"},
    {"domain": "a1.example.com"},
    {"expires_before": NOW},
    {"expires_before": NOW, "sort": "expires"},
)


def plans(asked):
    """How the database reads each of the statements."""
    explain = "EXPLAIN QUERY PLAN " if connection.vendor == "sqlite" else "EXPLAIN "
    with connection.cursor() as cursor:
        for statement in asked:
            cursor.execute(explain + statement)
            yield statement, "\n".join(str(row) for row in cursor.fetchall())


def test_no_filter_and_no_sort_reads_the_whole_table(alice):
    issued(alice, ("a1.example.com",))
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":  # as with many rows; here there are few
            cursor.execute("SET LOCAL enable_seqscan = off")
            cursor.execute("SET LOCAL enable_sort = off")
    for filters in ASKED:
        with CaptureQueriesContext(connection) as captured:
            queries.search_page(alice, SearchFilters(**filters), None, NOW)
        texts = [one["sql"] for one in captured.captured_queries if one["sql"].startswith("SELECT")]
        for statement, plan in plans(texts):
            assert "SCAN c" not in plan, (filters, statement)
            assert "SCAN certificates_certificate" not in plan or "USING" in plan, (filters, statement)
            assert "Seq Scan on certificates" not in plan, (filters, statement, plan)
