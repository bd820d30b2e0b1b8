"""Lists, search and the console's order; three people: owner, team mate of another project, stranger."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from certdesk.foundation.common.errors import BadParameter, Forbidden, NotFound
from certdesk.lifecycle.certificates import queries
from certdesk.lifecycle.certificates.filters import ListFilters, SearchFilters
from certdesk.lifecycle.certificates.models import Certificate
from certdesk.lifecycle.certificates.queries import Tab
from certdesk.lifecycle.certificates.rules import Bought
from certdesk.lifecycle.certificates.states import State
from tests.support.inventory import DV, NOW, YEAR, bought, issued, new_account, person, placed

pytestmark = pytest.mark.django_db
SECOND, DAY = timedelta(seconds=1), timedelta(days=1)
PROJECT = "11111111-2222-3333-4444-555555555555"
OTHER_PROJECT = Bought(**{**DV.__dict__, "enterprise_project_id": PROJECT})


@pytest.fixture
def house():
    return new_account()


@pytest.fixture
def alice(house):
    return person(house)


@pytest.fixture
def stranger():
    return person(new_account("elsewhere"), "mallory")


def ids(page):
    return [row.id for row in page.items]


def found(principal, **filters):
    return ids(queries.search_page(principal, SearchFilters(**filters), now=NOW))


def listed(principal, **filters):
    page = queries.list_page(principal, ListFilters(**filters), NOW)
    assert page.total == len(page.items) or page.total > 10
    return ids(page)


def test_a_fetch_is_refused_alike_for_missing_foreign_and_deleted(alice, stranger):
    mine, gone = bought(alice, 2)
    placed(gone, State.DELETED)
    texts = set()
    for principal, certificate_id in ((stranger, mine), (alice, gone), (alice, "scs9999999999999")):
        with pytest.raises(NotFound) as refused:
            queries.fetch(principal, "scm:cert:get", certificate_id)
        texts.add(str(refused.value).replace(certificate_id, "X"))
    assert len(texts) == 1
    assert queries.fetch(alice, "scm:cert:get", mine).id == mine


def test_a_fetch_without_the_right_names_the_right(house, alice):
    (mine,) = bought(alice)
    reader = person(house, "bob", "scm:cert:list")
    with pytest.raises(Forbidden) as refused:
        queries.fetch(reader, "scm:cert:delete", mine)
    assert refused.value.details["action"] == "scm:cert:delete"


def test_rights_for_one_project_show_only_that_project(house, alice, stranger):
    (mine,) = bought(alice)
    (theirs,) = bought(alice, facts=OTHER_PROJECT)
    team_mate = person(house, "bob", project=PROJECT)
    for principal, seen in ((alice, {mine, theirs}), (team_mate, {theirs}), (stranger, set())):
        assert set(listed(principal)) == seen
        assert set(found(principal)) == seen
        assert {row.id for row in queries.console_page(principal, now=NOW).items} == seen
        assert queries.counts(principal, NOW)[Tab.ALL] == len(seen)
    with pytest.raises(Forbidden):
        queries.fetch(team_mate, "scm:cert:get", mine)
    assert listed(alice, enterprise_project_id=PROJECT) == [theirs]
    assert set(listed(alice, enterprise_project_id="all")) == {mine, theirs}


def test_without_the_right_to_list_nothing_is_listed(house, alice):
    bought(alice)
    assert listed(person(house, "bob", "scm:cert:get")) == []


@pytest.mark.parametrize(
    "filters",
    [
        {"limit": 11},
        {"offset": -1},
        {"sort_key": "name"},
        {"sort_dir": "asc"},
        {"status": "DELETED"},
        {"expired_days_since": 1096},
    ],
)
def test_a_parameter_outside_its_limits_is_named(alice, filters):
    with pytest.raises(BadParameter) as refused:
        queries.list_page(alice, ListFilters(**filters), NOW)
    assert refused.value.field == next(iter(filters))


def test_pages_by_row_offset_with_an_exact_total(alice):
    wanted = [bought(alice, now=NOW + DAY * day)[0] for day in range(12)]
    first = queries.list_page(alice, ListFilters(limit=10), NOW)
    second = queries.list_page(alice, ListFilters(limit=10, offset=10), NOW)
    assert (first.total, second.total) == (12, 12)
    assert ids(first) + ids(second) == wanted[::-1]
    assert ids(queries.list_page(alice, ListFilters(offset=100), NOW)) == []


def test_sorting_by_expiry_puts_what_has_none_at_the_far_end(alice):
    (none,) = bought(alice)
    late, soon = issued(alice, lasts=YEAR), issued(alice, lasts=DAY)
    assert listed(alice, sort_key="certExpiredTime", sort_dir="ASC") == [soon, late, none]
    assert listed(alice, sort_key="certExpiredTime", sort_dir="DESC") == [none, late, soon]
    by_state = listed(alice, sort_key="certStatus", sort_dir="ASC")
    assert set(by_state[:2]) == {late, soon}


def test_sorting_by_status_goes_by_the_state_that_people_see(alice):
    valid = issued(alice, now=NOW - YEAR, lasts=YEAR * 2)
    over = issued(alice, now=NOW - DAY * 2, lasts=DAY)  # changed later, and no longer in force
    (paid,) = bought(alice)
    assert listed(alice, sort_key="certStatus", sort_dir="ASC") == [over, valid, paid]
    assert listed(alice, sort_key="certStatus", sort_dir="DESC") == [paid, valid, over]


def test_expired_is_a_status_of_its_own_from_the_second_after(alice):
    last_second = issued(alice, now=NOW - YEAR + SECOND)
    over = issued(alice, now=NOW - YEAR)
    assert Certificate.objects.get(id=last_second).not_after == NOW
    assert listed(alice, status="ISSUED") == [last_second] == found(alice, status="ISSUED")
    assert listed(alice, status="EXPIRED") == [over] == found(alice, status="EXPIRED")
    states = {row.id: row.state for row in queries.list_page(alice, ListFilters(), NOW).items}
    assert states == {last_second: State.ISSUED, over: State.EXPIRED}


def test_expired_days_since_leaves_out_what_expired_earlier(alice):
    (never,) = bought(alice)
    yesterday = issued(alice, now=NOW - YEAR - DAY)
    long_ago = issued(alice, now=NOW - YEAR - DAY * 30)
    assert set(listed(alice, expired_days_since=2)) == {never, yesterday}
    assert set(listed(alice, expired_days_since=0)) == {never, yesterday, long_ago}


def test_deployable_is_issued_in_force_with_its_key_here(alice):
    good = issued(alice)
    own_csr = issued(alice, key_id="")
    over = issued(alice, now=NOW - YEAR)
    bought(alice)
    assert listed(alice, deploy_support=True) == [good]
    support = {row.id: row.deploy_support for row in queries.list_page(alice, ListFilters(), NOW).items}
    assert (support[good], support[own_csr], support[over]) == (True, False, False)


@pytest.mark.parametrize("keyword", ["SHOP", "shop.exa", "op.example.com"])
def test_the_keyword_is_looked_for_in_every_name(alice, keyword):
    shop = issued(alice, ("www.example.com", "shop.example.com"))
    issued(alice, ("www.example.org",))
    assert listed(alice, content=keyword) == [shop] == found(alice, content=keyword)


def test_the_keyword_finds_the_certificates_own_name_and_knows_no_wildcards(alice):
    (named,) = bought(alice)
    Certificate.objects.filter(id=named).update(name="Gate_100!")
    bought(alice)
    assert listed(alice, content="gate_100!") == [named]
    assert listed(alice, content="gate%") == []
    assert listed(alice, content="___") == []


def test_search_narrows_by_domain_brand_owner_and_expiry(alice, house):
    bob = person(house, "bob")
    shop = issued(alice, ("www.example.com", "shop.example.com"), lasts=DAY * 10)
    desk = issued(bob, ("desk.example.com",))
    assert found(alice, domain="SHOP.example.com") == [shop]
    assert found(alice, domain="example.com") == []
    assert found(alice, owner=bob.user_id) == [desk]
    assert found(alice, brand="CFCA") == []
    assert found(alice, expires_before=NOW + DAY * 11) == [shop]


@pytest.mark.parametrize("sort", ["updated", "expires"])
def test_search_pages_meet_every_row_once(alice, sort):
    for day in range(25):
        issued(alice, now=NOW + DAY * (day % 5), lasts=YEAR if day % 2 else DAY * 50)
    bought(alice, 2)
    seen, marker = [], None
    while True:
        page = queries.search_page(alice, SearchFilters(limit=10, sort=sort), marker, NOW)
        seen += page.items
        marker = page.next_marker
        if marker is None:
            break
    assert len(seen) == 27 == len({row.id for row in seen})
    keys = [(row.updated_at, row.id) if sort == "updated" else (row.expiry_micros, row.id) for row in seen]
    assert keys == sorted(keys, reverse=sort == "updated")


@pytest.mark.parametrize("marker", ["x", "é", "W10", "WyJ1cGRhdGVkIiwxLDJd", "WyJ1cGRhdGVkIiwiMSIsIngiXQ"])
def test_a_strange_marker_is_refused(alice, marker):
    with pytest.raises(BadParameter) as refused:
        queries.search_page(alice, SearchFilters(), marker, NOW)
    assert refused.value.field == "marker"


def test_a_marker_of_another_order_is_refused(alice):
    for _ in range(11):
        issued(alice)
    marker = queries.search_page(alice, SearchFilters(limit=10), None, NOW).next_marker
    with pytest.raises(BadParameter):
        queries.search_page(alice, SearchFilters(limit=10, sort="expires"), marker, NOW)


def everyone(alice):
    """One certificate of every state, and issued ones before, near and after their end."""
    made = {}
    for state in State:
        if state not in (State.EXPIRED, State.DELETED):
            (certificate_id,) = bought(alice)
            placed(certificate_id, state, NOW + YEAR if state in ("ISSUED", "UPLOAD", "REVOKING") else None)
            made[state.value] = certificate_id
    made["soon"] = issued(alice, now=NOW - YEAR + DAY * 30)
    made["over"] = issued(alice, now=NOW - YEAR)
    (made["lapsed addition"],) = bought(alice)
    placed(made["lapsed addition"], State.SUPPLEMENTCHECKING, NOW - DAY)
    (gone,) = bought(alice)
    placed(gone, State.DELETED)
    return made


def test_the_console_shows_what_needs_you_first_then_waiting_good_and_ended(alice):
    made = everyone(alice)
    expected = {
        Tab.YOU: {
            "PAID",
            "CHECKING",
            "UNPASSED",
            "SUPPLEMENTCHECKING",
            "REVOKING_DOMAIN",
            "REISSUING",
            "soon",
        },
        Tab.WAITING: {
            "CHECKING_ORG",
            "ISSUING",
            "CANCELSUPPLEMENTING",
            "CANCELCHECKING",
            "REVOKING",
            "UNSUBSCRIBING",
        },
        Tab.GOOD: {"ISSUED", "UPLOAD"},
        Tab.ENDED: {"REVOKED", "over", "lapsed addition"},
    }
    seen, marker = [], None
    while True:
        page = queries.console_page(alice, marker=marker, limit=10, now=NOW)
        seen += page.items
        marker = page.next_marker
        if marker is None:
            break
    order = [row.id for row in seen]
    assert len(order) == len(set(order)) == len(made)
    start = 0
    for tab, names in expected.items():
        wanted = {made[name] for name in names}
        assert set(order[start : start + len(wanted)]) == wanted
        assert {row.id for row in queries.console_page(alice, tab, limit=50, now=NOW).items} == wanted
        start += len(wanted)
    totals = queries.counts(alice, NOW)
    assert totals == {Tab.ALL: len(made), **{tab: len(names) for tab, names in expected.items()}}


def test_the_console_narrows_by_status_and_keyword(alice):
    made = everyone(alice)
    page = queries.console_page(alice, status=State.EXPIRED, now=NOW)
    assert {row.id for row in page.items} == {made["over"], made["lapsed addition"]}
    page = queries.console_page(alice, content="www.example", now=NOW)
    assert {row.id for row in page.items} == {made["soon"], made["over"]}


def test_pages_take_few_statements_and_never_select_the_certificate_itself(alice):
    everyone(alice)
    with CaptureQueriesContext(connection) as asked:
        queries.list_page(alice, ListFilters(), NOW)
        queries.search_page(alice, SearchFilters(), None, NOW)
        queries.console_page(alice, now=NOW)
        queries.counts(alice, NOW)
    statements = [query["sql"] for query in asked.captured_queries]
    assert len(statements) == 5
    assert not any(".der" in text or ".chain" in text for text in statements)


def test_a_page_of_a_list_is_read_from_its_index(alice):
    for _ in range(3):
        issued(alice)
    sql = (
        "SELECT c.id FROM certificates_certificate c WHERE c.account_id = %s"
        " ORDER BY COALESCE(c.not_after, 9223372036854775807), c.id LIMIT 50"
    )
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SET LOCAL enable_seqscan = off")
            cursor.execute("SET LOCAL enable_sort = off")
            cursor.execute(f"EXPLAIN {sql}", [alice.account_id])
        else:
            cursor.execute(f"EXPLAIN QUERY PLAN {sql}", [alice.account_id])
        plan = str(cursor.fetchall())
    assert "certificates_by_expiry" in plan
    assert "TEMP B-TREE" not in plan
