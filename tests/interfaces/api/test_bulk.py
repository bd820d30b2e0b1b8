"""Bulk actions over the API: what the preview promises is done, row by row, with the right of that moment."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest

from certdesk.foundation.approvals.models import Rule
from certdesk.foundation.iam import actions as iam_actions
from certdesk.foundation.iam import queries as iam
from certdesk.foundation.iam.models import Account, EnterpriseProject, Group, Policy, User
from certdesk.foundation.iam.principal import Via
from certdesk.foundation.jobs import testing as jobs
from certdesk.lifecycle.bulk import actions
from certdesk.lifecycle.bulk.models import BulkAction
from certdesk.lifecycle.certificates.models import Certificate, Tag
from certdesk.lifecycle.certificates.states import State
from certdesk.lifecycle.renewal.models import AutoRenewal
from tests.support.inventory import bought, issued, placed
from tests.support.office import Office, open_office
from tests.support.signed import Person, account, person

pytestmark = pytest.mark.django_db
SOON = timedelta(seconds=5)
BULK = "/v3/scm/bulk-actions"


@dataclass
class House:
    alice: Person
    bob: Person
    rita: Person
    charlie: Person

    def issued(self, count: int = 1) -> list[str]:
        principal = iam.principal_of(self.alice.user, Via.API)
        return [issued(principal, (f"n{number}.example.com",)) for number in range(count)]


@pytest.fixture
def house() -> House:
    home = account()
    return House(
        person(home, "alice", "admins"),
        person(home, "bob", "users"),
        person(home, "rita", "readers"),
        person(account(), "charlie", "admins"),
    )


def asked(who: Person, action: str, options: dict[str, Any], **selection: Any) -> dict[str, Any]:
    answer = who.post(BULK, {"action": action, "options": options, **selection})
    assert answer.status == 201, answer.json
    return dict(answer.json)


def run(who: Person, bulk: dict[str, Any]) -> dict[str, Any]:
    assert who.post(f"{BULK}/{bulk['id']}/start").status == 200
    jobs.run_all(SOON)
    return dict(who.get(f"{BULK}/{bulk['id']}").json)


def rows(who: Person, bulk: dict[str, Any], verdict: str = "") -> list[dict[str, Any]]:
    return list(who.get(f"{BULK}/{bulk['id']}/rows?limit=50&verdict={verdict}").json["items"])


def test_a_preview_changes_nothing_and_the_run_does_what_it_said(house: House) -> None:
    one, two, same = house.issued(3)
    Tag.objects.create(certificate_id=two, account_id=house.alice.account.id, key="env", value="test")
    Tag.objects.create(certificate_id=same, account_id=house.alice.account.id, key="env", value="prod")
    bulk = asked(house.alice, "TAG", {"key": "env", "value": "prod"}, certificate_ids=[one, two, same])
    assert (bulk["state"], bulk["total"], bulk["will"], bulk["same"]) == ("READY", 3, 2, 1)
    found = {row["certificate_id"]: row for row in rows(house.alice, bulk)}
    assert found[two]["before"] == "env=test"
    assert Tag.objects.filter(value="prod").count() == 1
    over = run(house.alice, bulk)
    assert (over["state"], over["done"], over["failed"], over["same"]) == ("DONE", 2, 0, 1)
    assert Tag.objects.filter(key="env", value="prod").count() == 3
    assert house.alice.post(f"{BULK}/{bulk['id']}/start").code == "SCM.0010"
    assert house.alice.post(f"{BULK}/{bulk['id']}/cancel").code == "SCM.0010"


def test_the_whole_filter_is_looked_at_and_done_in_batches(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(actions, "BATCH", 3)
    made = house.issued(7)
    Certificate.objects.filter(id=made[0]).update(brand="CFCA")
    bulk = asked(house.alice, "NOTICES", {"on": False}, filters={"brand": "GEOTRUST"})
    assert bulk["state"] == "LOOKING"
    assert house.alice.post(f"{BULK}/{bulk['id']}/start").code == "SCM.0010"
    jobs.run_all(SOON)
    assert house.alice.get(f"{BULK}/{bulk['id']}").json["will"] == 6
    over = run(house.alice, bulk)
    assert (over["state"], over["done"]) == ("DONE", 6)
    again = asked(house.alice, "NOTICES", {"on": "false"}, filters={"brand": "GEOTRUST"})
    jobs.run_all(SOON)
    assert house.alice.get(f"{BULK}/{again['id']}").json["same"] == 6
    back = asked(house.alice, "NOTICES", {"on": True}, certificate_ids=made[1:3])
    assert run(house.alice, back)["done"] == 2


def test_owner_project_tag_and_deletion_by_the_very_rules_of_each(house: House) -> None:
    principal = iam.principal_of(house.alice.user, Via.API)
    one, gone = house.issued(2)
    (paid,) = bought(principal)
    placed(gone, State.REVOKED)
    team = Group.objects.create(account=house.alice.account, name="web")
    blue = EnterpriseProject.objects.create(id="5" * 32, account=house.alice.account, name="blue")
    owner = asked(house.alice, "OWNER", {"owner": "bob", "owner_group": "web"}, certificate_ids=[one, paid])
    assert "alice" in rows(house.alice, owner)[0]["before"]
    assert run(house.alice, owner)["done"] == 2
    found = Certificate.objects.get(id=one)
    assert (found.owner_id, found.owner_group_id) == (house.bob.user.id, team.id)
    bobs = {"owner": house.bob.user.id}
    assert run(house.alice, asked(house.alice, "PROJECT", {"project": blue.id}, filters=bobs))["done"] == 2
    assert run(house.alice, asked(house.alice, "TAG", {"key": "a"}, certificate_ids=[one]))["done"] == 1
    untag = asked(house.alice, "UNTAG", {"key": "a"}, certificate_ids=[one, paid])
    assert (untag["same"], run(house.alice, untag)["done"]) == (1, 1)
    deletion = asked(house.alice, "DELETE", {}, certificate_ids=[gone, paid])
    assert (deletion["will"], deletion["refused"]) == (1, 1)
    (refused,) = rows(house.alice, deletion, "REFUSED")
    assert refused["certificate_id"] == paid
    assert "unsubscribe" in refused["why"]
    assert run(house.alice, deletion)["done"] == 1
    assert Certificate.objects.get(id=gone).state == State.DELETED
    assert Certificate.objects.get(id=paid).state == State.PAID


def test_the_right_is_asked_again_for_each_when_it_runs(house: House) -> None:
    one, two = house.issued(2)
    bulk = asked(house.bob, "TAG", {"key": "env"}, certificate_ids=[one, two])
    assert bulk["will"] == 2
    assert house.bob.post(f"{BULK}/{bulk['id']}/start").status == 200
    house.bob.user.groups.set([Group.objects.get(account=house.bob.account, name="readers")])
    jobs.run_all(SOON)
    over = house.alice.get(f"{BULK}/{bulk['id']}").json
    assert (over["done"], over["failed"]) == (0, 2)
    assert "scm:cert:batchTags" in rows(house.alice, bulk, "FAILED")[0]["why"]
    assert not Tag.objects.exists()


def test_who_is_gone_does_nothing_and_a_canceled_one_stops(house: House) -> None:
    (one,) = house.issued()
    bulk = asked(house.bob, "TAG", {"key": "env"}, certificate_ids=[one])
    assert house.bob.post(f"{BULK}/{bulk['id']}/start").status == 200
    User.objects.filter(id=house.bob.user.id).update(is_active=False)
    jobs.run_all(SOON)
    assert BulkAction.objects.get(id=bulk["id"]).state == "FAILED"
    other = asked(house.alice, "TAG", {"key": "env"}, certificate_ids=[one])
    assert house.alice.post(f"{BULK}/{other['id']}/start").status == 200
    assert house.alice.post(f"{BULK}/{other['id']}/cancel").json["state"] == "CANCELED"
    jobs.run_all(SOON)
    assert not Tag.objects.exists()


def test_only_what_one_may_see_is_looked_at_and_ones_own_is_shown(house: House) -> None:
    (one,) = house.issued()
    own = asked(house.alice, "TAG", {"key": "env"}, certificate_ids=[one])
    foreign = asked(house.charlie, "TAG", {"key": "env"}, certificate_ids=[one])
    assert (foreign["total"], foreign["refused"]) == (1, 1)
    missing = asked(house.alice, "TAG", {"key": "env"}, certificate_ids=[one, "scs9999999999999"])
    assert (missing["will"], missing["refused"]) == (1, 1)
    assert house.charlie.get(f"{BULK}/{own['id']}").status == 404
    assert house.charlie.post(f"{BULK}/{own['id']}/start").status == 404
    assert house.rita.post(BULK, {"action": "TAG", "options": {"key": "a"}, "filters": {}}).status == 403
    assert house.rita.get(f"{BULK}/{own['id']}").status == 403
    assert [line["id"] for line in house.bob.get(BULK).json["items"]] == [missing["id"], own["id"]]
    assert [line["id"] for line in house.charlie.get(BULK).json["items"]] == [foreign["id"]]


def test_pages_of_actions_and_rows(house: House) -> None:
    made = house.issued(12)
    newest = [asked(house.alice, "TAG", {"key": "env"}, certificate_ids=made) for _ in range(11)][-1]
    first = house.alice.get(BULK).json
    assert len(first["items"]) == 10
    assert len(house.alice.get(f"{BULK}?marker={first['next_marker']}").json["items"]) == 1
    page = house.alice.get(f"{BULK}/{newest['id']}/rows").json
    assert len(page["items"]) == 10
    assert len(house.alice.get(f"{BULK}/{newest['id']}/rows?marker={page['next_marker']}").json["items"]) == 2
    assert house.alice.get(f"{BULK}/{newest['id']}/rows?verdict=MAYBE").status == 400


@pytest.mark.parametrize(
    ("action", "options", "selection"),
    [
        ("REVOKE", {}, {"filters": {}}),
        ("TAG", {}, {"filters": {}}),
        ("TAG", {"key": "a\x01"}, {"certificate_ids": []}),
        ("TAG", {"key": 5}, {"filters": {}}),
        ("TAG", {"key": "x" * 401}, {"filters": {}}),
        ("OWNER", {"owner": ""}, {"filters": {}}),
        ("PROJECT", {}, {"filters": {}}),
        ("NOTICES", {"on": "maybe"}, {"filters": {}}),
        ("RENEWAL", {}, {"filters": {}}),
        ("DELETE", {}, {}),
        ("DELETE", {}, {"filters": {}, "certificate_ids": ["scs1"]}),
        ("DELETE", {}, {"filters": {"colour": "red"}}),
    ],
)
def test_what_means_nothing_is_refused(
    house: House, action: str, options: dict[str, Any], selection: dict[str, Any]
) -> None:
    answer = house.alice.post(BULK, {"action": action, "options": options, **selection})
    assert answer.status == 400
    assert not BulkAction.objects.exists()


def test_unknown_people_and_projects_that_are_off_are_refused_at_once(house: House) -> None:
    home = house.alice.account
    off = EnterpriseProject.objects.create(id="6" * 32, account=home, name="off", enabled=False)

    def status(action: str, options: dict[str, str]) -> int:
        return house.alice.post(BULK, {"action": action, "options": options, "filters": {}}).status

    assert status("OWNER", {"owner": "nobody"}) == 404
    assert status("OWNER", {"owner_group": "nothing"}) == 404
    assert status("PROJECT", {"project": "none"}) == 404
    assert status("PROJECT", {"project": off.id}) == 400


def test_deleting_goes_round_no_second_person(house: House, rule: Callable[[str], None]) -> None:
    (one,) = house.issued()
    ready = asked(house.alice, "DELETE", {}, certificate_ids=[one])
    rule("delete")
    answer = house.alice.post(BULK, {"action": "DELETE", "options": {}, "certificate_ids": [one]})
    assert answer.code == "SCM.0010"
    assert run(house.alice, ready)["failed"] == 1
    assert Certificate.objects.get(id=one).state == State.ISSUED


@pytest.fixture
def rule(house: House) -> Callable[[str], None]:
    def switch_on(kind: str) -> None:
        Rule.objects.create(account_id=house.alice.account.id, operation=kind)

    return switch_on


def test_a_user_has_few_open_ones(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(actions, "MOST_OPEN", 1)
    (one,) = house.issued()
    asked(house.alice, "TAG", {"key": "env"}, certificate_ids=[one])
    body = {"action": "TAG", "options": {"key": "env"}, "certificate_ids": [one]}
    assert house.alice.post(BULK, body).code == "SCM.0010"


@pytest.fixture
def office(db: None) -> Iterator[Office]:
    """Its certificates have contact data, as auto-renewal needs them."""
    with open_office() as opened:
        yield opened


def member(account: Account, name: str, *rights: str) -> Person:
    """A user of the desk's account with these rights alone."""
    document = {"Version": "1.1", "Statement": [{"Effect": "Allow", "Action": list(rights)}]}
    policy = Policy.objects.create(account=account, name=name, document=document)
    group = Group.objects.create(account=account, name=name)
    group.grants.create(policy=policy)
    return person(account, name, name)


def test_auto_renewal_is_switched_and_refused_with_its_reason(office: Office) -> None:
    # rule: REN-10
    bob = Person(office.people["bob"], *iam_actions.create_access_key(office.people["bob"]))
    one, revoked, uploaded = (office.desk.issued(f"n{number}.example.com") for number in range(3))
    placed(revoked, State.REVOKED)
    Certificate.objects.filter(id=uploaded).update(source="UPLOADED")
    chosen = {"certificate_ids": [one, revoked, uploaded]}
    on = asked(bob, "RENEWAL", {"on": True}, **chosen)
    assert (on["will"], on["refused"]) == (1, 2)
    why = {row["certificate_id"]: row["why"] for row in rows(bob, on, "REFUSED")}
    assert "'Revoked' cannot renew itself" in why[revoked]
    assert "not bought here" in why[uploaded]
    assert not AutoRenewal.objects.exists()
    assert run(bob, on)["done"] == 1
    assert Certificate.objects.get(id=one).auto_renewal
    kept = AutoRenewal.objects.get(certificate_id=one)
    assert (kept.user_id, kept.deploy) == (bob.user.id, True)
    AutoRenewal.objects.update(deploy=False)
    off = asked(bob, "RENEWAL", {"on": "false"}, **chosen)
    assert (off["will"], off["same"], off["refused"]) == (1, 2, 0)
    assert [row["before"] for row in rows(bob, off, "WILL")] == ["on"]
    assert run(bob, off)["done"] == 1
    assert not Certificate.objects.get(id=one).auto_renewal
    assert not AutoRenewal.objects.get(certificate_id=one).deploy  # whether it deploys stays as it was


def test_auto_renewal_needs_its_own_right_for_each(office: Office) -> None:
    one = office.desk.issued("n1.example.com")
    bulk_alone = member(office.desk.account, "tom", "scm:cert:bulk", "scm:cert:list")
    rights = ("scm:cert:bulk", "scm:cert:list", "scm:cert:autoRenew", "scm:cert:purchase")
    unpaid = member(office.desk.account, "uma", *rights)
    for who, missing in ((bulk_alone, "scm:cert:autoRenew"), (unpaid, "bss:order:pay")):
        bulk = asked(who, "RENEWAL", {"on": True}, certificate_ids=[one])
        assert (bulk["will"], bulk["refused"]) == (0, 1)
        assert missing in rows(who, bulk)[0]["why"]
    off = asked(unpaid, "RENEWAL", {"on": False}, certificate_ids=[one])
    assert off["same"] == 1  # switching off needs no money
