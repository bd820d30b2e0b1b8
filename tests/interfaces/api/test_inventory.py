"""Views, columns, owners and exports of the list over the API: Alice owns, Bob is her team mate, Charlie
must never get in."""

import csv
import io
from dataclasses import dataclass

import orjson
import pytest

from certdesk.foundation.audit.models import Event
from certdesk.foundation.iam import queries as iam
from certdesk.foundation.iam.models import Group
from certdesk.foundation.iam.principal import Via
from certdesk.lifecycle.certificates import exporting, saved_view_rules
from certdesk.lifecycle.certificates.models import Certificate, ListSettings, SavedView, Tag
from tests.support.inventory import issued
from tests.support.signed import Person, account, person

pytestmark = pytest.mark.django_db
VIEWS, LIST, C = "/v3/scm/certificate-views", "/v3/scm/certificate-list", "/v3/scm/certificates"
SEARCH = f"{C}/search"


@dataclass
class House:
    alice: Person
    bob: Person
    rita: Person
    charlie: Person

    def issued(self, *names: str) -> str:
        return issued(iam.principal_of(self.alice.user, Via.API), names or ("www.example.com",))


@pytest.fixture
def house() -> House:
    home = account()
    return House(
        person(home, "alice", "users"),
        person(home, "bob", "users"),
        person(home, "rita", "readers"),
        person(account(), "charlie", "admins"),
    )


def names_of(who: Person) -> list[str]:
    return [one["name"] for one in who.get(VIEWS).json["items"]]


# --- views and columns ---------------------------------------------------------------------------


def test_a_view_is_ones_own_until_it_is_shared(house: House) -> None:
    made = house.alice.post(VIEWS, {"name": "soon", "query": {"sort": "expires"}})
    assert (made.status, made.json["mine"], made.json["query"]) == (201, True, {"sort": "expires"})
    one = f"{VIEWS}/{made.json['id']}"
    assert names_of(house.alice) == ["soon"]
    assert names_of(house.bob) == names_of(house.charlie) == []
    for stranger in (house.bob, house.charlie):
        assert stranger.get(one).status == 404
        assert stranger.send("PUT", one, {"name": "mine"}).status == 404
        assert stranger.send("DELETE", one).status == 404
    assert house.alice.send("PUT", one, {"shared": True, "name": "soonest"}).status == 200
    assert names_of(house.bob) == ["soonest"]
    assert house.bob.get(one).json["mine"] is False
    assert names_of(house.charlie) == []
    assert house.bob.send("PUT", one, {"query": {"sort": "name"}}).json["query"] == {"sort": "name"}
    assert house.alice.send("DELETE", one).status == 204
    assert names_of(house.bob) == []


def test_whoever_only_reads_keeps_views_and_shares_none(house: House) -> None:
    assert house.rita.post(VIEWS, {"name": "own"}).status == 201
    refused = house.rita.post(VIEWS, {"name": "for all", "shared": True})
    assert refused.status == 403
    assert "scm:cert:shareView" in refused.text
    own = SavedView.objects.get(user_id=house.rita.user.id)
    assert house.rita.send("PUT", f"{VIEWS}/{own.id}", {"shared": True}).status == 403
    shared = house.alice.post(VIEWS, {"name": "shared", "shared": True}).json["id"]
    assert house.rita.send("PUT", f"{VIEWS}/{shared}", {"name": "taken"}).status == 403
    assert house.rita.send("DELETE", f"{VIEWS}/{shared}").status == 403


def test_names_are_once_a_user_and_views_are_few(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    assert house.alice.post(VIEWS, {"name": "one"}).status == 201
    assert house.alice.post(VIEWS, {"name": "one"}).status == 409
    assert house.bob.post(VIEWS, {"name": "one"}).status == 201
    two = house.alice.post(VIEWS, {"name": "two"}).json["id"]
    assert house.alice.send("PUT", f"{VIEWS}/{two}", {"name": "one"}).status == 409
    monkeypatch.setattr(saved_view_rules, "MOST", 2)
    assert house.alice.post(VIEWS, {"name": "three"}).code == "SCM.0010"
    assert house.alice.post(VIEWS, {"name": "four", "query": {"colour": "red"}}).status == 400


def test_columns_and_the_first_view_are_remembered_for_each_user(house: House) -> None:
    usual = {"columns": ["status", "expires", "served"], "default_view": ""}
    assert house.alice.get(LIST).json == usual
    view = house.alice.post(VIEWS, {"name": "mine"}).json["id"]
    chosen = {"columns": ["owner", "status"], "default_view": view}
    assert house.alice.send("PUT", LIST, chosen).json == chosen
    assert house.alice.send("PUT", LIST, {"columns": ["status"]}).json == {**chosen, "columns": ["status"]}
    assert house.bob.get(LIST).json == usual
    assert house.bob.send("PUT", LIST, {"default_view": view}).status == 404
    assert house.alice.send("PUT", LIST, {"columns": ["colour"]}).status == 400
    assert house.alice.send("DELETE", f"{VIEWS}/{view}").status == 204
    assert house.alice.get(LIST).json["default_view"] == ""
    assert house.alice.send("PUT", LIST, {"columns": [], "default_view": ""}).json == usual
    assert ListSettings.objects.count() == 1


# --- owners --------------------------------------------------------------------------------------


def test_a_group_owns_beside_a_user_and_its_members_find_it(house: House) -> None:
    one = house.issued()
    team = Group.objects.create(account=house.alice.account, name="web")
    Group.objects.create(account=house.charlie.account, name="theirs")
    assert house.bob.get(f"{SEARCH}?owner=me").json["items"] == []
    for wanted in (team.id, "web"):
        shown = house.alice.send("PATCH", f"{C}/{one}", {"owner_group": wanted})
        assert (shown.json["owner_group"], shown.json["owner_group_name"]) == (team.id, "web")
    house.bob.user.groups.add(team)
    (item,) = house.bob.get(f"{SEARCH}?owner=me").json["items"]
    assert (item["owner_name"], item["owner_group_name"]) == ("alice", "web")
    assert house.alice.send("PATCH", f"{C}/{one}", {"owner_group": "theirs"}).status == 404
    assert house.rita.send("PATCH", f"{C}/{one}", {"owner_group": ""}).status == 403
    assert house.charlie.send("PATCH", f"{C}/{one}", {"owner_group": ""}).status == 404
    assert house.alice.send("PATCH", f"{C}/{one}", {"owner_group": ""}).json["owner_group_name"] == ""
    assert house.bob.get(f"{SEARCH}?owner=me").json["items"] == []


def test_what_a_user_who_left_owned_shows_no_name(house: House) -> None:
    one = house.issued()
    Certificate.objects.filter(id=one).update(owner_id="f" * 32)
    (item,) = house.alice.get(SEARCH).json["items"]
    assert (item["owner"], item["owner_name"]) == ("f" * 32, "")


# --- exports -------------------------------------------------------------------------------------


def table(who: Person, query: str = "") -> list[dict[str, str]]:
    answer = who.get(f"{C}/export.csv{query}")
    assert answer.status == 200
    text = answer.response.content.decode("utf-8-sig")
    return list(csv.DictReader(io.StringIO(text, newline="")))


def test_an_export_has_what_the_filters_find_over_any_number_of_pages(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exporting, "AT_ONCE", 3)
    made = [house.issued(f"n{n}.example.com") for n in range(7)]
    Certificate.objects.filter(id=made[0]).update(brand="CFCA", auto_renewal=True)
    Tag.objects.create(certificate_id=made[0], account_id=house.alice.account.id, key="env", value="prod")
    rows = table(house.alice, "?sort=name")
    assert [row["name"] for row in rows] == sorted(row["name"] for row in rows)
    assert {row["id"] for row in rows} == set(made)
    (one,) = table(house.alice, "?brand=CFCA")
    assert (one["tags"], one["owner"], one["auto_renewal"]) == ("env=prod", "alice", "yes")
    assert len(one["serial"]) == 32
    assert one["not_after_utc"].endswith("Z")
    assert {row["id"] for row in table(house.alice, f"?ids={made[1]},{made[2]}")} == set(made[1:3])
    assert table(house.charlie) == table(house.charlie, f"?ids={made[1]}") == []
    assert len(table(house.rita)) == 7


def test_nothing_in_an_export_is_a_formula(house: House) -> None:
    one = house.issued()
    Certificate.objects.filter(id=one).update(description='=HYPERLINK("http://evil")', name="-1")
    (row,) = table(house.alice)
    assert (row["description"][:2], row["name"]) == ("'=", "'-1")


def test_the_json_is_one_array_whatever_the_number_of_pages(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exporting, "AT_ONCE", 2)
    assert house.alice.get(f"{C}/export.json").json == []
    made = [house.issued("a.example.com", "b.example.com") for _ in range(3)]
    found = orjson.loads(house.alice.get(f"{C}/export.json?order=asc").response.content)
    assert [one["id"] for one in found] == sorted(made)
    assert found[0]["names"] == ["a.example.com", "b.example.com"]
    assert found[0]["tags"] == {}


def test_an_export_is_written_to_the_log_and_tags_need_their_right(house: House) -> None:
    one = house.issued()
    Tag.objects.create(certificate_id=one, account_id=house.alice.account.id, key="env", value="prod")
    limited = person(house.alice.account, "lou")
    assert limited.get(f"{C}/export.csv").status == 403
    assert house.alice.get(f"{C}/export.csv?content=www").status == 200
    event = Event.objects.get(action=exporting.EXPORTED)
    assert orjson.loads(event.details)["filters"]["content"] == "www"
    assert house.alice.get(f"{C}/export.csv?status=GONE").status == 400
    assert house.alice.get(f"{C}/export.csv?ids=,").status == 400
    assert house.alice.get(f"{C}/export.csv?ids=a%00").status == 400
    many = ",".join(f"scs{n}" for n in range(501))
    assert house.alice.get(f"{C}/export.csv?ids={many}").status == 400
