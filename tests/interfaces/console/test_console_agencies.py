"""Agencies in the console, and switching to one (IAM-8): Pia, of a partner account, acts in Alice's; Charlie,
of a third one, never gets in."""

from dataclasses import dataclass

import orjson
import pytest
from django.test import Client

from certdesk.foundation.audit.models import Event
from certdesk.foundation.iam import actions as iam
from certdesk.foundation.iam import queries
from certdesk.foundation.iam.models import Agency, Policy, User
from certdesk.foundation.iam.principal import Via
from tests.support.inventory import issued
from tests.support.office import PASSWORD, Office

NEW = {"name": "helpers", "trust_domain_name": "partner", "duration": "FOREVER"}
BANNER = "You act in the account house, by its agency helpers."


def text(response: object) -> str:
    return response.content.decode()  # type: ignore[attr-defined,no-any-return]


@dataclass
class World:
    office: Office
    ada: Client
    pia: Client

    def user(self, name: str) -> User:
        return self.office.people[name]

    def agency(self, *policies: str, **more: str) -> Agency:
        """Ada lets the partner's users in, with these system policies."""
        made = self.ada.post("/iam/agencies/add", {**NEW, **more})
        assert made.status_code == 302, text(made)
        agency = Agency.objects.get()
        for name in policies:
            self.attach(agency, name)
        return agency

    def attach(self, agency: Agency, name: str) -> None:
        chosen = Policy.objects.filter(account=None).get(name=name).id
        self.ada.post(f"/iam/agencies/{agency.id}/policies/attach", {"chosen": chosen, "project": ""})

    def switch(self, agency: Agency, browser: Client | None = None) -> str:
        answer = (browser or self.pia).post("/iam/switch", {"chosen": agency.id}, follow=True)
        return text(answer)


@pytest.fixture
def world(office: Office) -> World:
    house, partner = office.people["alice"].account, iam.create_account("partner")
    other = office.people["charlie"].account
    office.people["ada"] = iam.create_user(house, "ada", PASSWORD, ["admins"])
    office.people["pia"] = iam.create_user(partner, "pia", PASSWORD, ["admins"])
    office.people["paul"] = iam.create_user(partner, "paul", PASSWORD, ["users"])
    office.people["carla"] = iam.create_user(other, "carla", PASSWORD, ["admins"])
    return World(office, office.client("ada"), office.client("pia"))


@pytest.mark.parametrize("language", ["en", "zh-hans"])
def test_pages_stand(world: World, language: str) -> None:
    browser = world.office.client("ada", language)
    empty = text(browser.get("/iam/agencies"))
    assert "/iam/agencies/add" in empty
    agency = world.agency("SCM ReadOnlyAccess", trust_users="pia\npaul", description="Night watch")
    for path in ("", "/add", f"/{agency.id}", f"/{agency.id}/edit", f"/{agency.id}/delete"):
        assert browser.get(f"/iam/agencies{path}").status_code == 200, path
    assert text(browser.get("/iam/switch")).count("house") >= 1
    assert "helpers" in text(browser.get("/iam/agencies"))


# rule: IAM-8
def test_an_agency_is_made_read_changed_and_deleted(world: World) -> None:
    assert "No agency" in text(world.ada.get("/iam/agencies"))
    agency = world.agency("SCM ReadOnlyAccess")
    shown = text(world.ada.get(f"/iam/agencies/{agency.id}"))
    assert "Everybody in the account partner whose own policies allow iam:agencies:assume." in shown
    assert "SCM ReadOnlyAccess" in shown
    assert "until it is deleted" in shown
    form = {"trust_domain_name": "partner", "trust_users": "pia, paul\n", "duration": "30"}
    assert world.ada.post(f"/iam/agencies/{agency.id}/edit", form).status_code == 302
    listed = text(world.ada.get("/iam/agencies"))
    assert "pia, paul of the account partner" in listed
    agency.refresh_from_db()
    assert agency.expires_at is not None
    kept = {**form, "duration": "", "description": "Night watch"}
    assert world.ada.post(f"/iam/agencies/{agency.id}/edit", kept).status_code == 302
    assert Agency.objects.get().expires_at == agency.expires_at  # as it was
    assert Agency.objects.get().description == "Night watch"
    chosen = Policy.objects.filter(account=None).get(name="SCM ReadOnlyAccess").id
    world.ada.post(f"/iam/agencies/{agency.id}/policies/detach", {"chosen": chosen, "project": ""})
    assert "they may come in, but do nothing" in text(world.ada.get(f"/iam/agencies/{agency.id}"))
    asked = text(world.ada.get(f"/iam/agencies/{agency.id}/delete"))
    assert "is out at once" in asked
    assert Agency.objects.exists()
    world.ada.post(f"/iam/agencies/{agency.id}/delete")
    assert not Agency.objects.exists()


def test_one_that_is_over_says_so(world: World) -> None:
    agency = world.agency(duration="ONEDAY")
    assert agency.expires_at is not None
    Agency.objects.update(expires_at=agency.created_at)
    assert "Over" in text(world.ada.get("/iam/agencies"))
    assert "Over" in text(world.ada.get(f"/iam/agencies/{agency.id}"))
    assert "No other account lets you in" in text(world.pia.get("/iam/switch"))


def test_what_is_refused_stands_at_its_field(world: World) -> None:
    agency = world.agency()
    for wrong in (NEW, {**NEW, "name": "!"}, {**NEW, "name": "a", "trust_domain_name": ""}):
        answer = world.ada.post("/iam/agencies/add", wrong)
        assert answer.status_code == 422, wrong
        assert "data-field-error" in text(answer) or "invalid" in text(answer)
    many = "\n".join(f"u{n}" for n in range(51))
    form = {"trust_domain_name": "partner", "trust_users": many}
    assert world.ada.post(f"/iam/agencies/{agency.id}/edit", form).status_code == 422
    assert Agency.objects.count() == 1


# rule: IAM-5
def test_whoever_has_no_right_sees_no_page_and_no_entry(world: World) -> None:
    agency = world.agency()
    for name in ("alice", "nils"):
        browser = world.office.client(name)
        for path in ("", "/add", f"/{agency.id}", f"/{agency.id}/edit", f"/{agency.id}/delete"):
            assert browser.get(f"/iam/agencies{path}").status_code == 403, (name, path)
        assert "/iam/agencies" not in text(browser.get("/iam/switch"))
    assert "/iam/agencies" in text(world.ada.get("/iam/switch"))


# rule: IAM-8
def test_a_partner_switches_sees_the_banner_everywhere_and_switches_back(world: World) -> None:
    certificate = issued(queries.principal_of(world.user("alice"), Via.API))
    agency = world.agency("SCM ReadOnlyAccess")
    assert "house" in text(world.pia.get("/iam/switch"))
    assert BANNER in world.switch(agency)
    page = world.pia.get(f"/certificates/{certificate}")
    assert page.status_code == 200
    assert BANNER in text(page)
    missing = world.pia.get("/certificates/scs1600313391074")
    assert missing.status_code == 404
    assert BANNER in text(missing)
    users = world.pia.get("/iam/users")  # the partner's administrator is nobody's administrator here
    assert users.status_code == 403
    assert BANNER in text(users)
    assert "you act here" in text(world.pia.get("/iam/switch"))
    answer = world.pia.post("/iam/switch/back", follow=True)
    assert BANNER not in text(answer)
    assert world.pia.get(f"/certificates/{certificate}").status_code == 404
    assert world.pia.get("/iam/users").status_code == 200


# rule: IAM-8
def test_both_accounts_record_who_came_and_what_was_done(world: World) -> None:
    certificate = issued(queries.principal_of(world.user("alice"), Via.API))
    agency = world.agency("SCM FullAccess")
    world.switch(agency)
    came = Event.objects.filter(action="iam:agencies:assume")
    assert set(came.values_list("account_id", flat=True)) == {
        world.user("alice").account_id,
        world.user("pia").account_id,
    }
    assert world.pia.post(f"/certificates/{certificate}/edit", {"name": "looked-after"}).status_code == 302
    event = Event.objects.filter(action="scm:cert:update").latest("id")
    assert (event.account_id, event.actor_name) == (world.user("alice").account_id, "partner/pia")
    assert event.actor == f"user:{world.user('pia').id}"
    assert orjson.loads(event.details)["agency"] == agency.id


# rule: IAM-8
def test_only_who_is_trusted_is_offered_it_and_nobody_else_gets_in(world: World) -> None:
    agency = world.agency("SCM FullAccess", trust_users="paul")
    for name in ("pia", "carla", "charlie", "alice"):
        browser = world.office.client(name)
        assert "No other account lets you in" in text(browser.get("/iam/switch")), name
        answer = world.switch(agency, browser)
        assert BANNER not in answer, name
        assert "There is no such agency that you may assume." in answer, name
    assert not Event.objects.filter(action="iam:agencies:assume").exists()
    assert BANNER in world.switch(agency, world.office.client("paul"))


# rule: IAM-8
@pytest.mark.parametrize("how", ["GET", "POST", "fragment"])
def test_it_ends_at_once_and_what_was_meant_for_there_is_not_done_at_home(world: World, how: str) -> None:
    agency = world.agency("SCM FullAccess", "SCM Administrator")
    world.switch(agency)
    world.ada.post(f"/iam/agencies/{agency.id}/delete")
    if how == "fragment":
        answer = world.pia.get("/certificates", headers={"HX-Request": "true"})
        assert (answer.status_code, answer.headers["HX-Redirect"]) == (204, "/iam/switch")
    elif how == "GET":
        answer = world.pia.get("/certificates")
        assert answer.headers["Location"] == "/iam/switch"
    else:
        answer = world.pia.post("/iam/groups/add", {"name": "meant-for-there"})
        assert answer.headers["Location"] == "/iam/switch"
        assert not world.user("pia").account.groups.filter(name="meant-for-there").exists()
    assert "The other account no longer lets you in." in text(world.pia.get("/iam/switch"))
    assert world.pia.get("/iam/users").status_code == 200  # at home again


@pytest.mark.parametrize(
    "path", ["/account", "/account/security", "/iam/keys", "/iam/keys/add", "/login/again"]
)
def test_pages_about_oneself_are_closed_meanwhile(world: World, path: str) -> None:
    agency = world.agency("SCM FullAccess")
    assert world.pia.get(path).status_code == 200
    world.switch(agency)
    answer = world.pia.get(path)
    assert answer.status_code == 403
    assert "Switch back to your own account first." in text(answer)
    assert 'href="/iam/keys"' not in text(answer)
    assert BANNER in text(answer)
    assert world.pia.post("/logout").status_code == 302


def test_an_agency_without_policies_leads_to_the_way_back(world: World) -> None:
    page = world.switch(world.agency())
    assert BANNER in page
    assert "you act here" in page


def test_signing_in_again_begins_at_home(world: World) -> None:
    agency = world.agency("SCM FullAccess")
    world.switch(agency)
    world.pia.post("/logout")
    assert BANNER not in text(world.office.client("pia").get("/iam/switch"))
