"""Pages of people, and of certificates from elsewhere, full, in a real browser: axe, both widths."""

from typing import Any

import pytest

from tests.interfaces.console.test_console_browser import check, office, session  # noqa: F401 the fixture
from tests.support import browser

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.skipif(browser.CHROMIUM is None, reason=browser.REASON),
    pytest.mark.django_db(transaction=True),
]

DOCUMENT = {"Version": "1.1", "Statement": [{"Effect": "Allow", "Action": ["scm:*:*"]}]}
QUESTION = "/iam/simulator?user=bob&action=scm:cert:list"
PLACES = ("users", "groups", "policies", "projects")


def people(office: Any) -> list[str]:  # noqa: F811
    """Everything there is to see of people, with something in it."""
    from certdesk.foundation.iam import actions as iam
    from certdesk.foundation.iam.models import EnterpriseProject, Group
    from tests.support.office import PASSWORD

    account, bob = office.people["alice"].account, office.people["bob"]
    office.people["ada"] = iam.create_user(account, "ada", PASSWORD, ["admins"])
    off = iam.create_user(account, "a-user-with-a-rather-long-name-who-has-left", None, [])
    off.is_active = False
    off.save()
    policy = iam.create_policy(account, "mine", DOCUMENT)
    EnterpriseProject.objects.create(id="p1", account=account, name="shop")
    iam.create_access_key(bob)
    group = Group.objects.get(account=account, name="users")
    found = [f"/iam/users/{bob.id}{tail}" for tail in ("", "/edit", "/handover", "/delete")]
    found += [f"/iam/groups/{group.id}{tail}" for tail in ("", "/edit", "/delete")]
    found += [f"/iam/policies/{policy.id}{tail}" for tail in ("", "/edit", "/delete")]
    found += ["/iam/projects/p1", f"/iam/users/{off.id}", f"/iam/keys?user={bob.id}", "/account/sessions"]
    found += [QUESTION, "/iam/simulator?user=nobody&action=x", "/iam/simulator"]
    return [*found, *(f"/iam/{one}{tail}" for one in PLACES for tail in ("", "/add"))]


def endings(office: Any) -> list[str]:  # noqa: F811
    """An uploaded certificate and a bought one, with the pages that end them."""
    from certdesk.foundation.common import clock
    from tests.support.uploads import World

    world = World(clock.now())
    response = office.client().post("/certificates/upload", {**world.body(), "duplicate_check": "on"})
    uploaded, bought = response.headers["Location"], f"/certificates/{office.desk.buy()}"
    return [uploaded, f"{uploaded}/delete", bought, f"{bought}/unsubscribe"]


@pytest.mark.parametrize("language", ["en", "zh-CN"])
def test_axe_finds_nothing_about_people(office: Any, live_server: Any, language: str) -> None:  # noqa: F811
    paths = people(office)
    with browser.open_browser(live_server.url, language, session(office, "ada")) as watched:
        assert check(watched, paths) == []
        page = watched.page
        watched.go("/iam/policies/add")
        page.locator("[name=name]").fill("broken")
        page.locator("[name=policy]").fill('{"Version": "1.1" "Statement": []}')
        page.locator("button[data-operation=policy-save]").click()
        page.locator("#id_policy_error").wait_for()
        assert watched.serious() == []
        watched.go("/iam/keys/add")
        page.locator("button[data-operation=key-save]").click()
        page.locator("[data-copy]").first.wait_for()
        assert watched.serious() == []
        assert (watched.foreign, watched.complaints) == ([], [])


@pytest.mark.parametrize("language", ["en", "zh-CN"])
def test_axe_finds_nothing_where_certificates_end(
    office: Any,  # noqa: F811
    live_server: Any,
    language: str,
) -> None:
    paths = endings(office)
    with browser.open_browser(live_server.url, language, session(office)) as watched:
        assert check(watched, paths) == []
        page = watched.page
        watched.go("/certificates/upload")
        page.locator("[name=certificate]").fill("nonsense")
        page.locator("button[data-operation=upload]").click()
        page.locator("[aria-invalid=true]").first.wait_for()
        assert watched.serious() == []
        assert (watched.foreign, watched.complaints) == ([], [])
