"""Agencies (IAM-8): Pia, of a partner account, acts in Alice's; Charlie, of a third one, never gets in."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import orjson
import pytest

from certdesk.foundation.audit.models import Event
from certdesk.foundation.common import clock
from certdesk.foundation.common.errors import Forbidden
from certdesk.foundation.iam import actions, assuming, queries
from certdesk.foundation.iam.models import Agency, Policy, TemporaryKey, User
from certdesk.foundation.iam.principal import Via
from certdesk.foundation.jobs import rights
from certdesk.foundation.jobs.errors import UserGone
from certdesk.foundation.jobs.models import Job
from certdesk.foundation.sealing.models import Secret
from tests.support.inventory import issued
from tests.support.signed import Answer, Person, account, person

pytestmark = pytest.mark.django_db
AGENCIES, TOKENS = "/v3.0/OS-AGENCY/agencies", "/v3.0/OS-CREDENTIAL/securitytokens"
ROLES, KEYS, USERS, GROUPS = (
    "/v3.0/OS-ROLE/roles",
    "/v3.0/OS-CREDENTIAL/credentials",
    "/v3/users",
    "/v3/groups",
)
LIST = "/v3/scm/certificates?limit=10&offset=0"


def document(*actions_: str, effect: str = "Allow", **more: object) -> dict[str, Any]:
    return {"Version": "1.1", "Statement": [{"Effect": effect, "Action": list(actions_), **more}]}


@dataclass
class Guest(Person):
    """Signs with a temporary key; its token is a signed header."""

    token: str = ""
    sends: str | None = None

    def headers(self, *given: Any, **more: str) -> dict[str, str]:
        return super().headers(*given, **more, **{"X-Security-Token": self.token})


@dataclass
class World:
    alice: Person
    pia: Person
    paul: Person
    charlie: Person

    def agency(self, *policies: str, **more: object) -> str:
        """Alice lets the partner's users in, with these system policies."""
        body = {"name": "helpers", "trust_domain_name": self.pia.account.name, **more}
        made = self.alice.post(AGENCIES, {"agency": body})
        assert made.status == 201, made.json
        for name in policies:
            assert self.attach(made.json["id"], name).status == 204
        return str(made.json["agency"]["id"])

    def attach(self, agency: str, policy: str, by: Person | None = None) -> Answer:
        found = Policy.objects.filter(account=None).get(name=policy).id
        place = f"/v3.0/OS-AGENCY/domains/{self.alice.account.id}/agencies/{agency}/roles/{found}"
        return (by or self.alice).send("PUT", place, {})

    def ask(self, who: Person, **more: object) -> Answer:
        wish = {"agency_name": "helpers", "domain_name": self.alice.account.name, **more}
        return who.post(TOKENS, {"auth": {"identity": {"methods": ["assume_role"], "assume_role": wish}}})

    def guest(self, who: Person, **more: object) -> Guest:
        answer = self.ask(who, **more)
        assert answer.status == 201, answer.json
        return guest_of(who, answer)


def guest_of(who: Person, answer: Answer) -> Guest:
    given = answer.json["credential"]
    return Guest(who.user, given["access"], given["secret"], token=given["securitytoken"])


def own(who: Person, seconds: int = 900, **more: object) -> Answer:
    identity = {"methods": ["token"], "token": {"duration_seconds": seconds}, **more}
    return who.post(TOKENS, {"auth": {"identity": identity}})


@pytest.fixture
def world() -> World:
    home, partner, other = account(), account(), account()
    return World(
        person(home, "alice", "admins"),
        person(partner, "pia", "admins"),
        person(partner, "paul", "users"),
        person(other, "charlie", "admins"),
    )


def seen(who: Person) -> list[str]:
    return [one["id"] for one in who.get(LIST).json["certificates"]]


def certificate(owner: Person) -> str:
    return issued(queries.principal_of(owner.user, Via.API))


# rule: IAM-8
def test_a_partner_acts_with_the_agencys_policies_alone_and_both_are_named(world: World) -> None:
    mine, theirs = certificate(world.alice), certificate(world.pia)
    world.agency("SCM ReadOnlyAccess", "SCM FullAccess")
    guest = world.guest(world.pia)
    assert (seen(world.pia), seen(guest)) == ([theirs], [mine])
    assert guest.get(f"/v3/scm/certificates/{theirs}").status == 404
    changed = guest.send("PATCH", f"/v3/scm/certificates/{mine}", {"description": "looked after"})
    assert changed.status == 200
    event = Event.objects.filter(action="scm:cert:update").latest("id")
    told = orjson.loads(event.details)
    assert (event.account_id, event.actor) == (world.alice.account.id, f"user:{world.pia.user.id}")
    assert event.actor_name == f"{world.pia.account.name}/pia"
    assert told["agency"] == Agency.objects.get().id
    assert guest.get(USERS).status == 403  # the partner's administrator is nobody's administrator here
    both = Event.objects.filter(action="iam:agencies:assume").values_list("account_id", flat=True)
    assert set(both) == {world.alice.account.id, world.pia.account.id}


# rule: IAM-8
def test_who_is_trusted(world: World) -> None:
    agency = world.agency("SCM ReadOnlyAccess")
    assert world.ask(world.pia).status == 201
    refused = world.ask(world.paul)  # of the account, but without the right there
    assert (refused.status, refused.code) == (403, "SCM.9403")
    assert "iam:agencies:assume" in refused.text
    assert world.ask(world.charlie).status == 404
    named = world.alice.send("PUT", f"{AGENCIES}/{agency}", {"agency": {"trust_users": ["paul"]}})
    assert named.json["agency"]["trust_users"] == ["paul"]
    assert [world.ask(one).status for one in (world.paul, world.pia, world.charlie)] == [201, 404, 404]
    group = actions.create_group(world.paul.account, "not abroad".replace(" ", "-"))
    deny = document("iam:agencies:assume", effect="Deny")
    actions.grant(group, actions.create_policy(world.paul.account, "not abroad", deny))
    actions.add_to_group(world.paul.user, "not-abroad")
    assert world.ask(world.paul).status == 403
    absent = world.ask(world.pia, agency_name="nothing"), world.ask(world.charlie)
    assert {one.text for one in absent} == {world.ask(world.pia).text}
    assert world.ask(world.pia, domain_name="no such account").text == absent[0].text


# rule: IAM-8
@pytest.mark.parametrize("end", ["agency", "user", "off", "named", "trust", "policy", "time", "partner"])
def test_it_ends_at_once(world: World, end: str, monkeypatch: pytest.MonkeyPatch) -> None:
    mine = certificate(world.alice)
    agency = world.agency("SCM ReadOnlyAccess")
    guest = world.guest(world.pia)
    assert seen(guest) == [mine]
    if end == "agency":
        assert world.alice.send("DELETE", f"{AGENCIES}/{agency}").status == 204
        assert not TemporaryKey.objects.exists()
        assert not Secret.objects.filter(tenant=world.pia.account.id).exclude(
            id__in=world.pia.account.users.values("access_keys__secret_id")
        )
    elif end == "user":
        boss = person(world.pia.account, "boss", "admins")
        assert boss.send("DELETE", f"{USERS}/{world.pia.user.id}").status == 204
    elif end == "off":
        boss = person(world.pia.account, "boss", "admins")
        assert boss.send("PUT", f"{USERS}/{world.pia.user.id}", {"enabled": False}).status == 200
    elif end == "named":
        world.alice.send("PUT", f"{AGENCIES}/{agency}", {"trust_users": ["paul"]})
    elif end == "trust":
        world.alice.send("PUT", f"{AGENCIES}/{agency}", {"trust_domain_name": world.charlie.account.name})
    elif end == "policy":
        found = Policy.objects.filter(account=None).get(name="SCM ReadOnlyAccess").id
        place = f"/v3.0/OS-AGENCY/domains/{world.alice.account.id}/agencies/{agency}/roles/{found}"
        assert world.alice.send("DELETE", place, {}).status == 204
    elif end == "time":
        late = clock.real_now() + timedelta(seconds=901)
        monkeypatch.setattr(clock, "real_now", lambda: late)
    else:
        person(world.pia.account, "boss", "admins")
        world.pia.user.groups.clear()
        queries.forget_keys()
    assert guest.get(LIST).status == (403 if end == "policy" else 401)


# rule: IAM-8
def test_the_security_token_is_needed_and_signed(world: World) -> None:
    certificate(world.alice)
    world.agency("SCM ReadOnlyAccess")
    guest = world.guest(world.pia)
    without = Person(world.pia.user, guest.access_key, guest.secret_key)
    assert without.get(LIST).status == 401
    assert without.get(LIST, **{"X-Security-Token": guest.token}).status == 401  # sent, but not signed
    wrong = Guest(world.pia.user, guest.access_key, guest.secret_key, token=guest.token[:-1])
    assert wrong.get(LIST).status == 401
    assert guest.get(LIST).status == 200


def test_temporary_keys_of_oneself(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    mine = certificate(world.alice)
    assert [own(world.alice, seconds).status for seconds in (899, 900, 86_400, 86_401)] == [
        400,
        201,
        201,
        400,
    ]
    plain = guest_of(world.alice, own(world.alice))
    assert seen(plain) == [mine]
    assert own(plain).status == 403  # makes no further one
    limited = own(world.alice, policy=document("scm:cert:list"))
    narrow = guest_of(world.alice, limited)
    assert seen(narrow) == [mine]
    assert narrow.get(f"/v3/scm/certificates/{mine}").status == 403
    here = document("scm:*:*", Condition={"StringEquals": {"scm:DomainName": ["elsewhere.example"]}})
    assert seen(guest_of(world.alice, own(world.alice, policy=here))) == []
    assert own(world.alice, policy={"Version": "1.1"}).status == 400
    assert own(world.alice, methods=["password"]).status == 400
    late = clock.real_now() + timedelta(seconds=901)
    monkeypatch.setattr(clock, "real_now", lambda: late)
    assert plain.get(LIST).status == 401
    there = TemporaryKey.objects.count()
    assert assuming.prune(late) == there - 1  # all but the one of a day
    assert TemporaryKey.objects.count() == 1


def test_a_user_has_so_many_temporary_keys(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(assuming, "MOST", 2)
    first, _second, third = (guest_of(world.alice, own(world.alice)) for _ in range(3))
    assert TemporaryKey.objects.count() == 2
    assert (first.get(LIST).status, third.get(LIST).status) == (401, 200)


# rule: IAM-8
def test_nobody_widens_his_rights_by_an_agency_or_a_temporary_key(world: World) -> None:
    home = world.alice.account
    group = actions.create_group(home, "clerks")
    actions.grant(group, actions.create_policy(home, "clerk", document("iam:*", "scm:cert:get")))
    carl = person(home, "carl", "clerks")
    agency = world.agency("SCM FullAccess")
    small = carl.post(AGENCIES, {"name": "small", "trust_domain_name": home.name}).json["id"]
    mine = Policy.objects.get(account=home, name="clerk")
    place = f"/v3.0/OS-AGENCY/domains/{home.id}/agencies/{small}/roles"
    assert carl.send("PUT", f"{place}/{mine.id}", {}).status == 204  # what he holds he may hand on
    roads: list[tuple[str, str, object]] = [
        ("PUT", f"{place}/{Policy.objects.get(account=None, name='SCM FullAccess').id}", {}),
        ("PUT", f"{AGENCIES}/{agency}", {"trust_domain_name": home.name}),
        ("PUT", f"{AGENCIES}/{agency}", {"trust_users": ["carl"]}),
        ("PUT", f"{AGENCIES}/{agency}", {"duration": "FOREVER"}),
        ("PUT", f"{ROLES}/{mine.id}", {"policy": document("*")}),
    ]
    for method, path, body in roads:
        answer = carl.send(method, path, body)
        assert (answer.status, answer.code) == (403, "SCM.9403"), (method, path, answer.json)
    # by a key that is limited, nobody makes one that is not, nor gives anything away
    narrow = guest_of(world.alice, own(world.alice, policy=document("iam:*")))
    assert narrow.post(KEYS, {}).status == 403
    assert narrow.post(USERS, {"name": "eve", "groups": [str(group.id)]}).status == 403
    deaf = guest_of(world.alice, own(world.alice, policy=document("scm:*")))
    assert deaf.post(KEYS, {}).status == 403
    # by an agency, no more than that has
    for name in ("SCM Administrator",):
        assert world.attach(agency, name).status == 204
    guest = world.guest(world.pia)
    assert guest.send("PUT", f"{GROUPS}/{group.id}/users/{carl.user.id}").status == 204
    bss = Policy.objects.get(account=None, name="BSS Administrator").id
    assert guest.send("PUT", f"{GROUPS}/{group.id}/policies/{bss}", {}).status == 403
    assert guest.post(KEYS, {}).status in (403, 404)
    assert own(guest).status == 403


def test_what_an_agency_is_refused(world: World) -> None:
    world.agency()
    for body, status in (
        ({"name": "helpers", "trust_domain_name": "x"}, 409),
        ({"name": "!", "trust_domain_name": "x"}, 400),
        ({"name": "a", "trust_domain_name": ""}, 400),
        ({"name": "a", "trust_domain_name": "x", "duration": "0"}, 400),
        ({"name": "a", "trust_domain_name": "x", "duration": 3651}, 400),
        ({"name": "a", "trust_domain_name": "x", "domain_id": world.pia.account.id}, 400),
        ({"name": "a", "trust_domain_name": "x", "trust_users": [str(n) for n in range(51)]}, 400),
        ({"name": "a", "trust_domain_name": "there is no such account", "duration": "ONEDAY"}, 201),
        ({"name": "b", "trust_domain_id": world.pia.account.id, "duration": 30}, 201),
    ):
        answer = world.alice.post(AGENCIES, body)
        assert answer.status == status, (body, answer.json)
    listed = world.alice.get(AGENCIES).json["agencies"]
    assert [(one["name"], one["duration"]) for one in listed] == [
        ("a", "1"),
        ("b", "30"),
        ("helpers", "FOREVER"),
    ]
    by_trust = world.alice.get(f"{AGENCIES}?trust_domain_id={world.pia.account.id}&name=b").json["agencies"]
    assert [one["name"] for one in by_trust] == ["b"]


# rule: IAM-8
def test_charlie_reaches_no_agency_of_another_account(world: World) -> None:
    agency = world.agency("SCM ReadOnlyAccess")
    policy = Policy.objects.get(account=None, name="SCM ReadOnlyAccess").id
    place = f"/v3.0/OS-AGENCY/domains/{world.alice.account.id}/agencies/{agency}/roles"
    for method, path, body in (
        ("GET", f"{AGENCIES}/{agency}", None),
        ("PUT", f"{AGENCIES}/{agency}", {"description": "mine"}),
        ("DELETE", f"{AGENCIES}/{agency}", None),
        ("GET", place, None),
        ("PUT", f"{place}/{policy}", {}),
        ("DELETE", f"{place}/{policy}", {}),
        ("PUT", f"{place.replace(world.alice.account.id, world.charlie.account.id)}/{policy}", {}),
    ):
        assert world.charlie.send(method, path, body).status == 404, path
    assert world.charlie.get(AGENCIES).json["agencies"] == []
    shown = world.alice.get(f"{AGENCIES}/{agency}").json["agency"]
    assert [one["name"] for one in shown["policies"]] == ["SCM ReadOnlyAccess"]
    assert world.alice.get(place).json["roles"][0]["id"] == policy


def test_a_policy_and_a_project_that_an_agency_needs_stay(world: World) -> None:
    agency = world.agency()
    home = world.alice.account
    policy = world.alice.post(ROLES, {"display_name": "reading", "policy": document("scm:cert:get")}).json[
        "id"
    ]
    project = world.alice.post("/v1.0/enterprise-projects", {"name": "shop"}).json["id"]
    place = f"/v3.0/OS-AGENCY/domains/{home.id}/agencies/{agency}/roles/{policy}"
    assert world.alice.send("PUT", place, {"enterprise_project_id": "nowhere"}).status == 404
    assert world.alice.send("PUT", place, {"enterprise_project_id": project}).status == 204
    assert world.alice.send("DELETE", f"{ROLES}/{policy}").code == "SCM.0010"
    assert world.alice.send("DELETE", f"/v1.0/enterprise-projects/{project}").code == "SCM.0010"
    assert world.alice.send("DELETE", place, {}).status == 404  # not attached for all projects
    assert world.alice.send("DELETE", place, {"enterprise_project_id": project}).status == 204
    assert world.alice.send("DELETE", f"{ROLES}/{policy}").status == 204


# rule: IAM-8
def test_a_job_of_another_account_runs_by_the_agency_as_long_as_it_is_open(world: World) -> None:
    agency = world.agency("SCM FullAccess")
    payload = {"user_id": world.pia.user.id, "account_id": world.alice.account.id}
    found = rights.principal_for(Job(kind="test.note", payload=payload))
    assert (found.account_id, found.user_id, found.agency) == (
        world.alice.account.id,
        world.pia.user.id,
        agency,
    )
    assert found.may("scm:cert:delete")
    assert not found.may("iam:users:list")
    assert world.alice.send("DELETE", f"{AGENCIES}/{agency}").status == 204
    with pytest.raises(UserGone):
        rights.principal_for(Job(kind="test.note", payload=payload))


def test_switching_needs_ones_own_self(world: World) -> None:
    world.agency("SCM ReadOnlyAccess")
    home = queries.principal_of(world.pia.user, Via.CONSOLE)
    now = clock.real_now()
    agency = assuming.find(home, world.alice.account.name, "helpers", now)
    there = assuming.act(home, agency)
    assert assuming.open_to(home, now) == [agency]
    assert assuming.open_to(there, now) == []
    assert there.scope != home.scope
    assert assuming.account_name(agency) == world.alice.account.name
    with pytest.raises(Forbidden):
        assuming.find(there, world.alice.account.name, "helpers", now)
    User.objects.filter(id=world.pia.user.id).update(is_active=False)
    assert assuming.again(home, agency.id, now) is None
