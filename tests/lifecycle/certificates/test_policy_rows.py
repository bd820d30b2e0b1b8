"""What lists, searches, tags and details show is what the policies allow, by an oracle of its own."""

import random
from dataclasses import replace

import pytest

from certdesk.foundation.common import sql
from certdesk.foundation.common.errors import Forbidden
from certdesk.foundation.iam import rules as policies
from certdesk.foundation.iam.principal import PolicyGrant, Principal, Resource, Via
from certdesk.foundation.iam.rules import Asker
from certdesk.lifecycle.certificates import editing, queries, rules, tags
from certdesk.lifecycle.certificates.attention import console_page, counts
from certdesk.lifecycle.certificates.filters import ListFilters, SearchFilters
from certdesk.lifecycle.certificates.models import Certificate
from certdesk.lifecycle.certificates.queries import Tab
from certdesk.lifecycle.certificates.tag_rules import TagPair, TagSearch
from certdesk.lifecycle.certificates.tag_search import search
from tests.support.inventory import DV, NOW, bought, issued, new_account, person
from tests.support.policy_oracle import NAMES, SETS, TAGS, oracle, read, some_held

pytestmark = pytest.mark.django_db
PROJECT = "p1"


def asked(account: str, held: tuple[PolicyGrant, ...]) -> Principal:
    return Principal(account, "u1", "alice", Via.API, source="192.0.2.7", grants=held)


def holding(account, effect: str = "Allow", *actions: str, **condition: dict[str, list[str]]) -> Principal:
    """Alice, who may what the condition lets her."""
    one = {"Effect": effect, "Action": list(actions or ("*",)), "Condition": condition}
    return asked(account.id, (PolicyGrant("p", policies.parse({"Version": "1.1", "Statement": [one]})),))


def some_certificates(account, dice: random.Random) -> list[Certificate]:
    maker = person(account)
    found = []
    for _ in range(14):
        facts = replace(
            DV,
            type=dice.choice(["DV_SSL_CERT", "OV_SSL_CERT"]),
            enterprise_project_id=dice.choice(["0", "p1"]),
        )
        names = tuple(dice.sample(NAMES, dice.randint(0, 2)))
        one = issued(maker, names, facts=facts) if names else bought(maker, facts=facts)[0]
        pairs = dict(dice.sample(TAGS, dice.randint(0, 2)))
        if pairs:
            tags.put(maker, one, [TagPair(key, value) for key, value in pairs.items()])
        Certificate.objects.filter(id=one).update(owner_id=dice.choice(["u1", "u2", "u3"]))
        found.append(Certificate.objects.get(id=one))
    return found


def as_row(one: Certificate) -> Resource:
    names = tuple(one.names.order_by("id").values_list("name", flat=True))
    pairs = tuple(one.tags.values_list("key", "value"))
    return Resource(
        "cert", one.id, one.account_id, one.enterprise_project_id, one.owner_id, names, one.type, pairs
    )


# rule: IAM-3
# rule: IAM-4
# rule: IAM-6
def test_the_database_shows_what_the_oracle_allows():
    account, dice = new_account(), random.Random(20261125)
    rows = {one.id: as_row(one) for one in some_certificates(account, dice)}
    shown = 0
    for _ in range(SETS):
        held = [
            (
                {**document, "Statement": [_here(one, account.id) for one in document["Statement"]]},
                project,
            )
            for document, project in some_held(dice)
        ]
        principal = asked(account.id, read(held))
        action = dice.choice(["scm:cert:a", "scm:cert:subscribe", "scm:cert:b"])
        where, params = queries.visible(principal, action)
        text = f"SELECT c.id FROM certificates_certificate c WHERE {' AND '.join(where)}"
        found = {row[0] for row in sql.rows(text, params)}
        asker = Asker(account.id, "u1", "alice", "192.0.2.7", principal.asker.at)
        expected = {one for one, row in rows.items() if oracle(held, action, row, asker)}
        assert found == expected, (held, action)
        shown += len(found)
    assert SETS < shown < SETS * len(rows) * 0.9


def _here(statement: dict, account: str) -> dict:
    """Patterns of the account `a1` speak of the account of this test."""
    if "Resource" not in statement:
        return statement
    return {**statement, "Resource": [one.replace(":a1:", f":{account}:") for one in statement["Resource"]]}


@pytest.fixture
def house():
    account = new_account()
    alice = person(account)
    shop = issued(alice, ("www.shop.example",))
    mixed = issued(alice, ("mail.shop.example", "www.example.com"), facts=replace(DV, type="OV_SSL_CERT"))
    other = issued(alice, ("www.example.com",))
    tags.put(alice, shop, [TagPair("team", "web")])
    tags.put(alice, other, [TagPair("team", "mail")])
    return account, shop, mixed, other


SHOP = {"StringMatch": {"scm:DomainName": ["*.shop.example"]}}
NOT_SHOP = {"StringNotMatch": {"scm:DomainName": ["*.shop.example"]}}
WEB = {"StringEquals": {"g:ResourceTag/team": ["web"]}}
OV = {"StringMatch": {"scm:CertificateType": ["OV_*"]}}


# rule: IAM-3
@pytest.mark.parametrize(("condition", "place"), [(SHOP, 0), (OV, 1), (WEB, 0)])
def test_every_list_search_and_detail_respects_the_condition(house, condition, place):
    account, *ids = house
    alice, mine = holding(account, **condition), ids[place]
    assert [row.id for row in queries.list_page(alice, ListFilters(), NOW).items] == [mine]
    assert [row.id for row in queries.search_page(alice, SearchFilters(), now=NOW).items] == [mine]
    assert [row.id for row in console_page(alice, now=NOW).items] == [mine]
    assert counts(alice, NOW)[Tab.ALL] == 1
    assert {one.row.id for one in search(alice, TagSearch(), NOW).items} == {mine}
    assert sum(one.certificates for one in tags.counted(alice)) == (0 if place == 1 else 1)
    for one in ids:
        row = queries.search_page(person(account), SearchFilters(), now=NOW).items
        listed = next(each for each in row if each.id == one)
        assert alice.may("scm:cert:download", rules.resource_of(listed)) is (one == mine)
        if one == mine:
            assert queries.fetch(alice, "scm:cert:download", one).id == mine
        else:
            with pytest.raises(Forbidden, match="scm:cert:download"):
                queries.fetch(alice, "scm:cert:download", one)


# rule: IAM-3
def test_tags_are_written_only_by_whoever_may_before_and_after(house):
    account, shop, _mixed, other = house
    alice = holding(account, **WEB)
    tags.put(alice, shop, [TagPair("env", "prod")])
    for change in (
        lambda: tags.put(alice, other, [TagPair("team", "web")]),  # into her reach
        lambda: tags.put(alice, shop, [TagPair("team", "mail")]),  # out of it
        lambda: tags.remove(alice, shop, [TagPair("team", "")]),
    ):
        with pytest.raises(Forbidden):
            change()
    assert tags.read(Certificate.objects.get(id=shop)) == [TagPair("env", "prod"), TagPair("team", "web")]
    tags.remove(alice, shop, [TagPair("env", "")])


# rule: IAM-3
def test_a_move_between_projects_needs_the_condition_too(house):
    account, shop, _mixed, other = house
    alice = holding(account, **SHOP)
    moving = PolicyGrant("m", policies.allow("eps:*"))
    about_certificates = policies.parse(
        {"Version": "1.1", "Statement": [{"Effect": "Deny", "Action": ["*"], "Condition": NOT_SHOP}]}
    )
    alice = asked(account.id, (*alice.grants, moving, PolicyGrant("d", about_certificates)))
    editing.move(alice, shop, "0", NOW)
    with pytest.raises(Forbidden):
        editing.move(alice, other, "0", NOW)


# rule: IAM-3
def test_names_that_follow_are_asked_about_when_they_are_there(house):
    account, *_ids = house
    (empty,) = bought(person(account))
    alice = holding(account, **SHOP)
    with pytest.raises(Forbidden):
        queries.fetch(alice, "scm:cert:apply", empty)
    found = queries.fetch(alice, "scm:cert:apply", empty, names_follow=True)
    queries.require_names(alice, "scm:cert:apply", found, ("a.shop.example",))
    with pytest.raises(Forbidden):
        queries.require_names(alice, "scm:cert:apply", found, ("a.shop.example", "www.example.com"))


def test_the_simulator_gets_the_certificate_as_it_is(house):
    account, shop, _mixed, other = house
    alice = holding(account, **SHOP)
    about = queries.described(alice, shop)
    assert about is not None
    assert about.names == ("www.shop.example",)
    assert about.labels() == {"team": "web"}
    assert queries.described(alice, other) is None
    assert queries.described(alice, "scs0000000000000") is None
