"""Agencies in a real browser: made, given a policy, switched to and back; axe, both widths and languages."""

from typing import Any

import pytest

from tests.interfaces.console.test_console_browser import office  # noqa: F401 the fixture
from tests.support import browser

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.skipif(browser.CHROMIUM is None, reason=browser.REASON),
    pytest.mark.django_db(transaction=True),
]


def people(office: Any) -> tuple[str, str]:  # noqa: F811
    """Sessions of Ada, who runs the house, and of Pia, who runs the partner."""
    from certdesk.foundation.iam import actions as iam
    from tests.support.office import PASSWORD

    house, partner = office.people["alice"].account, iam.create_account("partner")
    office.people["ada"] = iam.create_user(house, "ada", PASSWORD, ["admins"])
    office.people["pia"] = iam.create_user(partner, "pia", PASSWORD, ["admins"])
    return tuple(str(office.client(one).cookies["sessionid"].value) for one in ("ada", "pia"))  # type: ignore[return-value]


# rule: IAM-8
@pytest.mark.parametrize("language", ["en", "zh-hans"])
def test_from_an_agency_to_acting_there(office: Any, live_server: Any, language: str) -> None:  # noqa: F811
    (ada, pia), tag = people(office), language[:2]
    office.desk.buy()
    with browser.open_browser(live_server.url, language, ada) as watched:
        page = watched.page
        watched.go("/iam/agencies")
        watched.looked_at(f"{tag}-agencies-empty")
        watched.go("/iam/agencies/add")
        page.locator("[name=name]").fill("!")
        page.locator("[data-operation=agency-save]").click()
        page.locator("#id_trust_domain_name_error").wait_for()
        watched.looked_at(f"{tag}-agency-wrong")
        page.locator("[name=name]").fill("night-watch-of-the-web-shop-team")
        page.locator("[name=trust_domain_name]").fill("partner")
        page.locator("[name=trust_users]").fill("pia\npaul")
        page.locator("[name=description]").fill("Looks after the certificates at night and on holidays")
        page.locator("[data-operation=agency-save]").click()
        page.locator("[data-operation=agency-edit]").wait_for()
        watched.looked_at(f"{tag}-agency-new")
        page.locator("[name=chosen]").select_option(label="SCM ReadOnlyAccess")
        page.locator("[data-operation=policy-attach]").click()
        page.locator("[data-operation=policy-detach]").wait_for()
        watched.looked_at(f"{tag}-agency")
        page.locator("[data-operation=agency-edit]").click()
        page.locator("[data-operation=agency-save]").wait_for()
        watched.looked_at(f"{tag}-agency-edit")
        watched.go("/iam/agencies")
        watched.looked_at(f"{tag}-agencies")
        page.locator("td a.cd-name").click()
        page.locator("[data-operation=agency-delete]").click()
        page.locator("[data-operation=agency-delete-sure]").wait_for()
        watched.looked_at(f"{tag}-agency-delete")
        watched.go("/iam/switch")
        watched.looked_at(f"{tag}-switch-empty")
        assert watched.complaints == []
    with browser.open_browser(live_server.url, language, pia) as watched:
        page = watched.page
        watched.go("/iam/switch")
        watched.looked_at(f"{tag}-switch")
        page.locator("[data-operation=switch-role]").click()
        page.locator("[data-agency]").wait_for()
        watched.looked_at(f"{tag}-switched")
        watched.go("/account")
        watched.looked_at(f"{tag}-switched-account")
        watched.go("/iam/switch")
        watched.looked_at(f"{tag}-switched-list")
        page.locator("[data-operation=switch-back]").click()
        page.locator("[data-agency]").wait_for(state="detached")
        assert watched.complaints == []
