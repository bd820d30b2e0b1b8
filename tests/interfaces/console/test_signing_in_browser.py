"""Signing in with a second factor in a real browser: axe, both widths, both languages."""

from typing import Any

import pytest

from tests.interfaces.console.test_console_browser import check, office, session  # noqa: F401 the fixture
from tests.support import browser

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(browser.CHROMIUM is None, reason=browser.REASON),
    pytest.mark.django_db(transaction=True),
]

PAGES = ["/account", "/account/security", "/iam/sign-in", "/iam/sign-in/sso", "/login/again"]


def ada(office: Any) -> str:  # noqa: F811
    from certdesk.foundation.iam import actions as iam
    from tests.support.office import PASSWORD

    account = office.people["alice"].account
    office.people["ada"] = iam.create_user(account, "ada", PASSWORD, ["admins"])
    return session(office, "ada")


@pytest.mark.parametrize("language", ["en", "zh-CN"])
def test_an_app_is_enrolled_and_asked_for(office: Any, live_server: Any, language: str) -> None:  # noqa: F811
    from tests.support.app_codes import App
    from tests.support.office import PASSWORD

    with browser.open_browser(live_server.url, language, ada(office)) as watched:
        page = watched.page
        assert check(watched, PAGES) == []
        watched.go("/account/security")
        page.locator("[data-operation=app-enrol]").click()
        app = App(str(page.locator("[data-secret]").inner_text()).split()[0])
        assert watched.serious() == []
        page.locator("[name=code]").fill("12")
        page.locator("[data-operation=app-confirm]").click()
        page.locator("#id_code_error").wait_for()
        page.locator("[name=code]").fill(browser.apart(app.fresh))
        page.locator("[data-operation=app-confirm]").click()
        page.locator("[data-codes]").wait_for()
        assert watched.serious() == []
        with page.expect_download() as started:
            page.locator("[data-operation=codes-download]").click()
        codes = started.value.path().read_text().split()[-10:]
        assert all(len(one) == 19 for one in codes)
        assert (
            check(watched, ["/account/security", "/account/security/app/remove", "/account/sessions"]) == []
        )
        watched.context.clear_cookies()
        watched.go("/login?next=/account/security")
        page.locator("[name=login]").fill("ada")
        page.locator("[name=password]").fill(PASSWORD)
        page.locator("button.btn-primary").click()
        page.locator("[name=code]").wait_for()
        assert watched.serious() == []
        page.locator("[name=code]").fill(codes[0])
        page.locator("[data-operation=second-step]").click()
        watched.arrive("/account/security")
        assert (watched.foreign, watched.complaints) == ([], [])


def authenticator(watched: browser.Watched) -> None:
    """A device in Chromium itself, whose user always agrees."""
    cdp = watched.context.new_cdp_session(watched.page)
    cdp.send("WebAuthn.enable")
    options = {
        "protocol": "ctap2",
        "transport": "internal",
        "hasResidentKey": True,
        "hasUserVerification": True,
        "isUserVerified": True,
        "automaticPresenceSimulation": True,
    }
    cdp.send("WebAuthn.addVirtualAuthenticator", {"options": options})


@pytest.mark.parametrize("language", ["en", "zh-CN"])
def test_a_passkey_is_made_and_signs_in(office: Any, live_server: Any, language: str) -> None:  # noqa: F811
    from certdesk.foundation.common import settings
    from tests.support.office import PASSWORD

    settings.install(
        settings.get().model_copy(update={"external_url": live_server.url})
    )  # the office ends it
    with browser.open_browser(live_server.url, language, ada(office)) as watched:
        page = watched.page
        watched.go("/account/security")
        authenticator(watched)
        page.locator("[name=name]").fill("my laptop")
        page.locator("[data-operation=passkey-add]").click()
        page.locator("[data-codes]").wait_for()
        assert check(watched, ["/account/security"]) == []
        page.locator("[data-operation=passkey-add]").click()  # the device has one already
        page.locator("[data-passkey-error]").wait_for()
        assert watched.serious() == []
        watched.context.clear_cookies()
        watched.go("/login?next=/account/sessions")
        assert watched.serious() == []
        page.locator("[data-operation=passkey-sign-in]").click()
        watched.arrive("/account/sessions")
        watched.context.clear_cookies()
        watched.go("/login?next=/account/security")
        page.locator("[name=login]").fill("ada")
        page.locator("[name=password]").fill(PASSWORD)
        page.locator("button.btn-primary").click()
        page.locator("[data-operation=passkey-use]").wait_for()
        assert watched.serious() == []
        page.locator("[data-operation=passkey-use]").click()
        watched.arrive("/account/security")
        page.locator("[data-operation=passkey-remove]").click()
        page.locator("[data-operation=passkey-use]").click()
        page.locator("[data-passkeys='0']").wait_for()
        assert (watched.foreign, watched.complaints) == ([], [])
