"""Tags of certificates and the search by them, on both databases."""

import threading

import orjson
import pytest
from django.db import connection, connections

from certdesk.foundation.audit.models import Event
from certdesk.foundation.common.errors import BadParameter, Forbidden, NotFound
from certdesk.lifecycle.certificates import queries, tag_search, tags
from certdesk.lifecycle.certificates.filters import SearchFilters
from certdesk.lifecycle.certificates.models import Certificate, Tag
from certdesk.lifecycle.certificates.rules import Bought
from certdesk.lifecycle.certificates.states import State
from certdesk.lifecycle.certificates.tag_rules import TagCondition, TagPair, TagSearch
from certdesk.lifecycle.certificates.tags import TagCount
from tests.support.inventory import DV, NOW, bought, issued, new_account, person, placed

pytestmark = pytest.mark.django_db
PROJECT = "11111111-2222-3333-4444-555555555555"
OTHER_PROJECT = Bought(**{**DV.__dict__, "enterprise_project_id": PROJECT})


@pytest.fixture
def house():
    return new_account()


@pytest.fixture
def alice(house):
    return person(house)


@pytest.fixture
def charlie():
    return person(new_account("elsewhere"), "charlie")


def given(principal, certificate_id, **pairs):
    tags.put(principal, certificate_id, [TagPair(key, value) for key, value in pairs.items()])
    return certificate_id


def text(principal, certificate_id):
    return {one.key: one.value for one in tags.of(principal, certificate_id)}


def test_a_key_takes_its_new_value_and_the_rest_stays(alice):
    (one,) = bought(alice)
    given(alice, one, env="test", team="web")
    given(alice, one, env="prod")
    assert text(alice, one) == {"env": "prod", "team": "web"}
    assert [pair.key for pair in tags.of(alice, one)] == ["env", "team"]


def test_what_changes_is_audited_by_key_and_what_does_not_is_not(alice):
    (one,) = bought(alice)
    given(alice, one, env="prod", owner="Ada Lovelace")
    given(alice, one, env="prod")
    tags.remove(alice, one, [TagPair("env"), TagPair("never")])
    tags.remove(alice, one, [TagPair("never")])
    rows = Event.objects.filter(resource=f"cert:{one}", action__contains="ag").order_by("id")
    assert [(row.action, orjson.loads(row.details)) for row in rows] == [
        ("scm:cert:createTag", {"set": ["env", "owner"]}),
        ("scm:cert:batchTags", {"removed": ["env"]}),
    ]


def test_twenty_tags_and_not_one_more(alice):
    (one,) = bought(alice)
    tags.put(alice, one, [TagPair(f"k{number}") for number in range(19)])
    given(alice, one, k19="")
    given(alice, one, k3="changed")
    with pytest.raises(BadParameter, match="21 tags"):
        given(alice, one, k20="")
    assert len(tags.of(alice, one)) == 20
    tags.remove(alice, one, [TagPair("k0")])
    given(alice, one, k20="")


def test_a_value_given_with_a_removal_must_be_the_present_one(alice):
    (one,) = bought(alice)
    given(alice, one, a="1", b="2")
    tags.remove(alice, one, [TagPair("a", "other"), TagPair("b", "2")])
    assert text(alice, one) == {"a": "1"}
    for wrong in ([], [TagPair(f"k{number}") for number in range(21)]):
        with pytest.raises(BadParameter):
            tags.remove(alice, one, wrong)


def test_charlie_and_a_reader(house, alice, charlie):
    (one,) = bought(alice)
    given(alice, one, env="prod")
    for call in (
        lambda: tags.of(charlie, one),
        lambda: given(charlie, one, mine="now"),
        lambda: tags.remove(charlie, one, [TagPair("env")]),
    ):
        with pytest.raises(NotFound):
            call()
    reader = person(house, "rita", "scm:cert:list*", "scm:cert:get")
    assert text(reader, one) == {"env": "prod"}
    for call, action in (
        (lambda: given(reader, one, mine="now"), "scm:cert:createTag"),
        (lambda: tags.remove(reader, one, [TagPair("env")]), "scm:cert:batchTags"),
    ):
        with pytest.raises(Forbidden) as refused:
            call()
        assert refused.value.details["action"] == action
    assert tags.counted(charlie) == []
    assert tag_search.search(charlie, TagSearch(), NOW).total == 0


def test_all_tags_are_those_of_certificates_one_may_see(house, alice):
    mine, other = bought(alice, 2)
    (theirs,) = bought(alice, facts=OTHER_PROJECT)
    given(alice, mine, env="prod")
    given(alice, other, env="prod", b="")
    given(alice, theirs, env="test")
    assert tags.counted(alice) == [
        TagCount("b", "", 1),
        TagCount("env", "prod", 2),
        TagCount("env", "test", 1),
    ]
    bob = person(house, "bob", project=PROJECT)
    assert tags.counted(bob) == [TagCount("env", "test", 1)]
    assert [one.row.id for one in tag_search.search(bob, TagSearch(), NOW).items] == [theirs]
    placed(other, State.DELETED)
    assert TagCount("env", "prod", 1) in tags.counted(alice)


NAMES = ("none", "a1", "a2", "b1", "a1b1", "a2b2")


@pytest.fixture
def six(alice):
    """Certificates with the tags that their names say: a1b1 has a=1 and b=1."""
    found = {}
    for name in NAMES:
        (certificate_id,) = bought(alice)
        pairs = {} if name == "none" else dict(zip(name[::2], name[1::2], strict=True))
        if pairs:
            given(alice, certificate_id, **pairs)
        found[certificate_id] = name
    return found


def any_of(key, *values):
    return TagCondition(key, values)


@pytest.mark.parametrize(
    ("asked", "names"),
    [
        ({}, set(NAMES)),
        ({"tags": (any_of("a"),)}, {"a1", "a2", "a1b1", "a2b2"}),
        ({"tags": (any_of("a", "1"),)}, {"a1", "a1b1"}),
        ({"tags": (any_of("a", "1", "2"), any_of("b"))}, {"a1b1", "a2b2"}),
        ({"tags_any": (any_of("a", "1"), any_of("b", "1"))}, {"a1", "b1", "a1b1"}),
        ({"tags": (any_of("a"),), "tags_any": (any_of("b", "1", "2"), any_of("c"))}, {"a1b1", "a2b2"}),
        ({"not_tags": (any_of("a"), any_of("b"))}, {"none", "a1", "a2", "b1"}),
        ({"not_tags": (any_of("a", "2"), any_of("b"))}, {"none", "a1", "a2", "b1", "a1b1"}),
        ({"not_tags_any": (any_of("a", "1"), any_of("b", "1"))}, {"none", "a2", "a2b2"}),
        ({"tags": (any_of("a"),), "not_tags_any": (any_of("b"),)}, {"a1", "a2"}),
        ({"without_any_tag": True}, {"none"}),
        ({"without_any_tag": True, "tags": (any_of("a"),)}, {"none"}),
        ({"tags": (any_of("A"),)}, set()),
    ],
)
def test_the_lists_of_a_search(alice, six, asked, names):
    page = tag_search.search(alice, TagSearch(**asked), NOW)
    assert {six[one.row.id] for one in page.items} == names
    counted = tag_search.search(alice, TagSearch(**asked, counting=True), NOW)
    assert (page.total, counted.total, counted.items) == (len(names), len(names), [])


def test_a_search_by_name_and_its_pages(alice):
    ids = [bought(alice)[0] for _ in range(12)]
    Certificate.objects.filter(id=ids[4]).update(name="Shop_Front")
    found = tag_search.search(alice, TagSearch(name="shop_"), NOW).items
    assert [one.row.id for one in found] == [ids[4]]
    assert tag_search.search(alice, TagSearch(name="shop%"), NOW).total == 0
    first = tag_search.search(alice, TagSearch(limit=10), NOW)
    second = tag_search.search(alice, TagSearch(limit=10, offset=10), NOW)
    assert (first.total, len(first.items), len(second.items)) == (12, 10, 2)
    assert {one.row.id for one in first.items + second.items} == set(ids)


def test_what_a_search_says_of_a_certificate(alice):
    one = given(alice, issued(alice), z="", env="prod")
    (found,) = tag_search.search(alice, TagSearch(), NOW).items
    assert (found.row.id, found.order_id, found.issued_at) == (one, "CS1", NOW)
    assert found.tags == (TagPair("env", "prod"), TagPair("z"))


def test_the_lists_filter_by_tag(alice, charlie):
    one, other = bought(alice, 2)
    given(alice, one, env="prod", **{"a=b": "c"})
    given(alice, other, env="test")

    def searched(tag):
        page = queries.search_page(alice, SearchFilters(tag=tag), now=NOW)
        listed = queries.console_page(alice, tag=tag, now=NOW)
        assert {row.id for row in page.items} == {row.id for row in listed.items}
        return {row.id for row in page.items}

    assert searched("env") == {one, other}
    assert searched("env=prod") == {one}
    assert searched("a=b=c") == {one}
    assert searched("a=b") == {one}
    assert searched("prod") == set()
    assert queries.search_page(charlie, SearchFilters(tag="env"), now=NOW).items == []


def plan_of(principal, asked):
    """How the database reads a search with few hits among many certificates."""
    where, params = tag_search._where(principal, asked)
    statement = f"SELECT c.id FROM certificates_certificate c WHERE {where} LIMIT 10"
    explain = "EXPLAIN QUERY PLAN " if connection.vendor == "sqlite" else "EXPLAIN "
    with connection.cursor() as cursor:
        cursor.execute(explain + statement, params)
        return "\n".join(str(row) for row in cursor.fetchall())


def test_a_search_among_many_tags_reads_the_index(alice):
    ids = []
    for _ in range(20):
        ids += bought(alice, 100)
    Tag.objects.bulk_create(
        [
            Tag(certificate_id=one, account_id=alice.account_id, key=f"k{number % 7}", value=str(place % 400))
            for place, one in enumerate(ids)
            for number in range(3)
        ]
    )
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE certificates_tag")
            cursor.execute("ANALYZE certificates_certificate")
    asked = TagSearch(tags=(any_of("k1", "7"), any_of("k2", "7")))
    assert tag_search.search(alice, asked, NOW).total == 5
    plan = plan_of(alice, asked)
    assert "certificates_by_tag" in plan or "certificates_tag_once" in plan
    assert "SCAN t" not in plan
    assert "Seq Scan on certificates_tag" not in plan


@pytest.mark.django_db(transaction=True)
def test_two_requests_at_once_do_not_pass_the_limit_together(house, alice):
    (one,) = bought(alice)
    tags.put(alice, one, [TagPair(f"k{number}") for number in range(19)])
    gate, outcomes = threading.Barrier(2), []

    def add(key):
        try:
            gate.wait(10)
            given(alice, one, **{key: ""})
            outcomes.append("set")
        except BadParameter:
            outcomes.append("refused")
        finally:
            connections.close_all()

    threads = [threading.Thread(target=add, args=(key,)) for key in ("x", "y")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(outcomes) == ["refused", "set"]
    assert len(tags.of(alice, one)) == 20
