"""The list at scale in the console: views, columns, filters, orders, owners, exports, projects."""

import re

import pytest

from certdesk.foundation.iam.models import EnterpriseProject, Group
from certdesk.interfaces.console.views import viewing
from certdesk.lifecycle.certificates.models import Certificate, SavedView
from certdesk.lifecycle.certificates.saved_view_rules import Column
from tests.support.office import Office

LIST = "/certificates"


def text(response: object) -> str:
    return response.content.decode()  # type: ignore[attr-defined,no-any-return]


def ids(page: str) -> list[str]:
    return re.findall(r'data-certificate-id="(\w+)"', page)


def heads(page: str) -> list[str]:
    return re.findall(r'class="cd-col-(\w+)">', page.partition("</thead>")[0])


def administer(office: Office) -> None:
    """Makes Alice an administrator."""
    account = office.desk.account
    Group.objects.get(account=account, name="admins").users.add(account.users.get(name="alice"))


# rule: LST-2
def test_the_list_is_sorted_both_ways_and_goes_on_by_pages(office: Office) -> None:
    alice = office.client()
    made = [office.desk.buy() for _ in range(23)]
    for number, one in enumerate(made):
        Certificate.objects.filter(id=one).update(name=f"name-{number:02}")
    first = text(alice.get(f"{LIST}?sort=name"))
    assert ids(first) == made[:20]
    following = re.search(r'rel="next" href="([^"]+)"', first)
    assert following
    assert ids(text(alice.get(LIST + following[1].replace("&amp;", "&")))) == made[20:]
    assert ids(text(alice.get(f"{LIST}?sort=name&order=desc"))) == made[:2:-1]
    assert ids(text(alice.get(f"{LIST}?sort=colour&order=up"))) == ids(text(alice.get(LIST)))


# rule: LST-8
def test_each_row_offers_add_to_project_to_who_may(office: Office) -> None:
    one = office.desk.buy()
    administer(office)
    assert f'href="/certificates/{one}/project"' in text(office.client().get(LIST))
    assert "Add to Project" in text(office.client().get(LIST))
    assert "Add to Project" not in text(office.client("rita").get(LIST))


def test_filters_by_owner_project_and_brand_stand_in_menus(office: Office) -> None:
    alice, mine, other = office.client(), office.desk.buy(), office.desk.buy()
    account = office.desk.account
    team = Group.objects.create(account=account, name="web-team")
    blue = EnterpriseProject.objects.create(id="5" * 32, account=account, name="blue")
    Certificate.objects.filter(id=other).update(
        owner_id="9" * 32, owner_group_id=team.id, enterprise_project_id=blue.id
    )
    assert set(ids(text(alice.get(LIST)))) == {mine, other}
    assert ids(text(alice.get(f"{LIST}?owner=me"))) == [mine]
    shown = text(alice.get(f"{LIST}?owner_group={team.id}&sort=name"))
    assert ids(shown) == [other]
    assert "web-team" in shown
    assert ids(text(alice.get(f"{LIST}?project={blue.id}"))) == [other]
    assert ids(text(alice.get(f"{LIST}?project=0"))) == [mine]
    nothing = text(alice.get(f"{LIST}?brand=CFCA&owner=nobody&domain=x.example"))
    assert "Nothing matches" in nothing
    assert ids(text(office.client("charlie").get(f"{LIST}?owner_group={team.id}"))) == []


@pytest.mark.parametrize("language", ["en", "zh-hans"])
def test_a_view_is_saved_opened_shared_and_deleted(office: Office, language: str) -> None:
    one, _other = office.desk.buy(), office.desk.buy()
    Certificate.objects.filter(id=one).update(name="shop-web")
    alice, bob = office.client("alice", language), office.client("bob", language)
    add = f"{LIST}/views/add?content=shop&sort=name"
    assert alice.get(add).status_code == 200
    assert alice.post(add, {"name": " "}).status_code == 422
    made = alice.post(add, {"name": "shops", "first": "on"})
    assert made.status_code == 302
    view = SavedView.objects.get()
    assert view.query == {"content": "shop", "sort": "name"}
    opened = alice.get(LIST)
    assert opened.status_code == 302
    assert ids(text(alice.get(opened["Location"]))) == [one]
    assert len(ids(text(alice.get(f"{LIST}?tab=all")))) == 2
    assert "shops" not in text(bob.get(f"{LIST}/views"))
    edit = f"{LIST}/views/{view.id}/edit"
    assert bob.get(edit).status_code == 404
    assert alice.post(edit, {"name": "all shops", "shared": "on", "first": ""}).status_code == 302
    assert alice.get(LIST).status_code == 200
    assert "all shops" in text(bob.get(f"{LIST}?tab=all"))
    assert bob.post(f"{LIST}/views/{view.id}/first", {"on": "1"}).status_code == 302
    assert bob.get(LIST).status_code == 302
    assert bob.post(f"{LIST}/views/{view.id}/first").status_code == 302
    assert bob.get(LIST).status_code == 200
    assert "all shops" in text(office.client("rita").get(f"{LIST}/views"))
    assert 'data-operation="view-edit"' not in text(office.client("rita").get(f"{LIST}/views"))
    office.client("rita").post(f"{LIST}/views/{view.id}/delete")
    assert SavedView.objects.exists()
    assert alice.post(add, {"name": "all shops"}).status_code == 422
    assert alice.post(edit, {"name": ""}).status_code == 422
    alice.post(f"{LIST}/views/{view.id}/delete")
    assert not SavedView.objects.exists()


def test_columns_are_chosen_ordered_and_remembered(office: Office) -> None:
    one = office.desk.buy()
    Certificate.objects.filter(id=one).update(description="the big shop")
    alice, page = office.client(), f"{LIST}/columns"
    assert heads(text(alice.get(LIST))) == ["status", "expires", "served"]
    for step in ("remove:served", "add:owner", "up:owner", "up:owner", "add:tags", "down:owner"):
        assert alice.post(page, {"do": step}).status_code == 302
    assert heads(text(alice.get(LIST))) == ["status", "owner", "expires", "tags"]
    assert 'data-column="owner"' in text(alice.get(page))
    assert "alice" in text(alice.get(LIST)).partition("cd-col-owner")[2]
    assert heads(text(office.client("bob").get(LIST))) == ["status", "expires", "served"]
    for column in ("kind", "project", "id", "description", "auto_renewal", "updated"):
        alice.post(page, {"do": f"add:{column}"})
    assert "the big shop" in text(alice.get(LIST))
    alice.post(page, {"do": "usual:"})
    assert heads(text(alice.get(LIST))) == ["status", "expires", "served"]


def test_a_step_that_means_nothing_changes_nothing() -> None:
    chosen = [Column.STATUS, Column.OWNER]
    for step, name in (("up", "colour"), ("up", "tags"), ("remove", "tags"), ("", "")):
        assert viewing.moved(chosen, step, name) == chosen
    assert viewing.moved([Column.STATUS], "remove", "status") == [Column.STATUS]
    assert viewing.moved(chosen, "up", "status") == chosen
    assert viewing.moved(chosen, "down", "owner") == chosen


def test_what_the_filters_find_is_exported(office: Office) -> None:
    one, other = office.desk.buy(), office.desk.buy()
    Certificate.objects.filter(id=one).update(name="shop-web")
    alice = office.client()
    assert "format=csv" in text(alice.get(f"{LIST}?content=shop"))
    table = b"".join(alice.get(f"{LIST}/export?content=shop&format=csv").streaming_content).decode()  # type: ignore[attr-defined]
    assert one in table
    assert other not in table
    document = b"".join(alice.get(f"{LIST}/export?format=json").streaming_content).decode()  # type: ignore[attr-defined]
    assert one in document
    assert other in document
    assert office.client("nils").get(f"{LIST}/export?format=csv").status_code == 403


def test_the_owner_is_changed_where_the_name_is(office: Office) -> None:
    one = office.desk.buy()
    alice, edit = office.client(), f"{LIST}/{one}/edit"
    team = Group.objects.create(account=office.desk.account, name="web-team")
    bob = office.desk.account.users.get(name="bob")
    assert "web-team" in text(alice.get(edit))
    body = {"name": "shop", "description": "", "owner": bob.id, "owner_group": team.id}
    assert alice.post(edit, body).status_code == 302
    shown = text(alice.get(f"{LIST}/{one}"))
    assert "web-team" in shown
    Certificate.objects.filter(id=one).update(owner_id="9" * 32, owner_group_id="8" * 32)
    gone = {"name": "shop-2", "description": "", "owner": "9" * 32, "owner_group": "8" * 32}
    assert alice.post(edit, gone).status_code == 302
    assert Certificate.objects.get(id=one).name == "shop-2"
    assert alice.post(edit, {**gone, "owner": "7" * 32}).status_code == 422


def test_a_project_is_switched_off_and_on_and_shows_by_name(office: Office) -> None:
    administer(office)
    alice, one = office.client(), office.desk.buy()
    blue = EnterpriseProject.objects.create(id="5" * 32, account=office.desk.account, name="blue")
    Certificate.objects.filter(id=one).update(enterprise_project_id=blue.id)
    assert "blue" in text(alice.get(LIST))
    assert "blue" in text(alice.get(f"{LIST}/{one}"))
    page = f"/iam/projects/{blue.id}"
    assert 'name="enabled"' in text(alice.get(page))
    assert alice.post(page, {"name": "blue", "description": ""}).status_code == 302
    blue.refresh_from_db()
    assert not blue.enabled
    assert alice.post(page, {"name": "blue", "description": "", "enabled": "on"}).status_code == 302
    blue.refresh_from_db()
    assert blue.enabled
    assert 'name="enabled"' not in text(alice.get("/iam/projects/add"))
