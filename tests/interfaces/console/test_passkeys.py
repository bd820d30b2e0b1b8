"""Passkeys at the console, and the answers that must not be believed."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.test import Client

from certdesk.foundation.common import clock, settings, sql
from certdesk.foundation.iam import passkeys
from certdesk.foundation.iam.models import Passkey, RecoveryCode, User
from tests.support.app_codes import enrol
from tests.support.office import PASSWORD, Office
from tests.support.passkey_device import PRESENT, VERIFIED, Device

URL, HOST = "https://desk.example.org", "desk.example.org"
SECURITY, SECOND = "/account/security", "/login/second"
KEYS, ANYBODY = f"{SECURITY}/passkeys", "/login/passkey/challenge?anybody=1"


def text(response: object) -> str:
    return response.content.decode()  # type: ignore[attr-defined,no-any-return]


@pytest.fixture(autouse=True)
def address(office: Office) -> Iterator[None]:
    before = settings.get()
    settings.install(before.model_copy(update={"external_url": URL}))
    yield
    settings.install(before)


def is_in(browser: Client) -> bool:
    return bool(browser.get("/account").status_code == 200)


def device() -> Device:
    return Device(URL, HOST)


def added(browser: Client, name: str = "phone") -> Device:
    made = device()
    options = browser.post(f"{KEYS}/begin").json()
    answer = browser.post(KEYS, {"answer": made.create(options), "name": name}, follow=True)
    assert "is registered" in text(answer)
    return made


def signed_in(made: Device, **more: str) -> Client:
    browser = Client()
    options = browser.post(ANYBODY).json()
    browser.post("/login/passkey", {"answer": made.get(options, **more)})
    return browser


def test_passkeys_are_registered_with_names_and_sign_in_alone(office: Office) -> None:
    browser, alice = office.client("alice"), office.people["alice"]
    options = browser.post(f"{KEYS}/begin").json()
    assert options["rp"]["id"] == HOST
    assert options["authenticatorSelection"]["userVerification"] == "required"
    assert options["authenticatorSelection"]["residentKey"] == "required"
    phone, laptop = added(browser, "phone"), added(browser, "")
    assert RecoveryCode.objects.filter(user=alice).count() == 10
    shown = text(browser.get(SECURITY))
    assert "phone" in shown
    assert "Passkey" in shown
    excluded = browser.post(f"{KEYS}/begin").json()["excludeCredentials"]
    assert len(excluded) == 2
    for made in (phone, laptop):
        there = signed_in(made)
        assert is_in(there)
        assert "passkey and second factor" in text(there.get("/account/sessions"))
    assert Passkey.objects.get(name="phone").last_used_at is not None
    details = sql.rows("SELECT details FROM audit_event WHERE action = 'iam:users:signIn' ORDER BY id")
    assert "passkey" in str(details[-1])
    browser = Client()
    options = browser.post(ANYBODY).json()
    answer = browser.post("/login/passkey", {"answer": phone.get(options), "next": "https://evil.example/"})
    assert answer.headers["Location"] == "/"


def test_a_passkey_is_the_second_step_and_says_again_who_one_is(office: Office) -> None:
    made = added(office.client("alice"))
    browser = Client()
    answer = browser.post("/login", {"login": "alice", "password": PASSWORD})
    assert answer.headers["Location"] == SECOND
    assert "passkey-use" in text(browser.get(SECOND))
    options = browser.post("/login/passkey/challenge").json()
    assert len(options["allowCredentials"]) == 1
    assert browser.post(SECOND, {"answer": made.get(options)}).status_code == 302
    assert is_in(browser)
    options = browser.post("/login/passkey/challenge").json()
    again = browser.post("/login/again?next=/orders", {"answer": made.get(options)})
    assert again.headers["Location"] == "/orders"
    nothing = browser.post("/login/again", {"answer": ""})
    assert nothing.status_code in (200, 422)


def test_a_passkey_is_removed_only_with_a_second_factor(office: Office) -> None:
    browser, alice = office.client("alice"), office.people["alice"]
    made = added(browser)
    page = f"{KEYS}/{Passkey.objects.get().id}/remove"
    assert browser.get(page).status_code == 200
    assert browser.post(page, {"code": "123456"}).status_code == 422
    assert browser.post(page, {"answer": "{}"}).status_code == 422
    options = browser.post("/login/passkey/challenge").json()
    assert browser.post(page, {"answer": made.get(options)}).status_code == 302
    assert not Passkey.objects.exists()
    assert not RecoveryCode.objects.filter(user=alice).exists()
    assert not is_in(signed_in(made))
    app, _codes = enrol(browser)
    assert browser.post(page, {"code": app.fresh()}).status_code == 422  # there is no such passkey


def test_another_accounts_user_removes_nothing(office: Office) -> None:
    added(office.client("alice"))
    charlie = office.client("charlie")
    app, _codes = enrol(charlie)
    charlie.post(f"{KEYS}/{Passkey.objects.get().id}/remove", {"code": app.fresh()})
    assert Passkey.objects.count() == 1


@pytest.mark.parametrize(
    "wrong",
    [
        {"origin": "https://desk.example.org.evil.example"},
        {"origin": "http://desk.example.org"},
        {"origin": "https://www.desk.example.org"},
        {"type": "webauthn.create"},
        {"challenge": "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"},
    ],
)
def test_what_another_page_asked_for_is_not_believed(office: Office, wrong: dict[str, str]) -> None:
    made = added(office.client("alice"))
    assert not is_in(signed_in(made, **wrong))
    assert is_in(signed_in(made))


def test_a_registration_from_another_page_is_not_believed(office: Office) -> None:
    browser = office.client("alice")
    for origin, rp_id, flags in (
        ("https://evil.example", HOST, PRESENT | VERIFIED),
        (URL, "evil.example", PRESENT | VERIFIED),
        (URL, HOST, PRESENT),
        (URL, HOST, 0),
    ):
        made = Device(origin, rp_id, flags=flags)
        options = browser.post(f"{KEYS}/begin").json()
        shown = text(browser.post(KEYS, {"answer": made.create(options)}, follow=True))
        assert "was not accepted" in shown
    made = device()
    browser.post(f"{KEYS}/begin")
    for broken in ("", "[]", "{}", '{"rawId": 1}', '{"rawId": "AA", "response": {}}'):
        browser.post(f"{KEYS}/begin")
        assert "was not accepted" in text(browser.post(KEYS, {"answer": broken}, follow=True))
    options = browser.post(f"{KEYS}/begin").json()
    answer = made.create(options)
    browser.post(KEYS, {"answer": answer, "name": "a\nb"})
    assert not Passkey.objects.exists()
    assert "was not accepted" in text(browser.post(KEYS, {"answer": answer}, follow=True))  # replayed
    assert not Passkey.objects.exists()


def test_a_challenge_is_good_for_one_answer_and_five_minutes(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = added(office.client("alice"))
    browser = Client()
    options = browser.post(ANYBODY).json()
    answer = made.get(options)
    other = Client()
    other.post("/login/passkey", {"answer": answer})  # of another session
    assert not is_in(other)
    browser.post("/login/passkey", {"answer": answer})
    assert is_in(browser)
    browser.post("/logout")
    browser.post("/login/passkey", {"answer": answer})
    assert not is_in(browser)
    now = clock.real_now()
    for age, wanted in ((299.9, True), (300, False)):
        browser = Client()
        with monkeypatch.context() as patched:
            patched.setattr(clock, "real_now", lambda: now)
            options = browser.post(ANYBODY).json()
            patched.setattr(clock, "real_now", lambda age=age: now + timedelta(seconds=age))
            browser.post("/login/passkey", {"answer": made.get(options)})
        assert is_in(browser) is wanted, age


def test_without_the_users_finger_nobody_gets_in(office: Office) -> None:
    made = added(office.client("alice"))
    for flags in (PRESENT, VERIFIED, 0):
        made.flags = flags
        assert not is_in(signed_in(made))


def test_another_users_passkey_is_no_second_step(office: Office) -> None:
    added(office.client("alice"))
    bobs = added(office.client("bob"))
    browser = Client()
    browser.post("/login", {"login": "alice", "password": PASSWORD})
    options = browser.post("/login/passkey/challenge").json()
    assert browser.post(SECOND, {"answer": bobs.get(options)}).status_code == 422
    options = browser.post(ANYBODY).json()  # nor with a challenge for anybody
    assert browser.post(SECOND, {"answer": bobs.get(options)}).status_code == 422
    assert not is_in(browser)
    bobs.handle = office.people["alice"].id.encode()
    assert not is_in(signed_in(bobs))
    forged = device()
    forged.id, forged.handle = bobs.id, office.people["bob"].id.encode()
    assert not is_in(signed_in(forged))  # another key under his id


def test_a_copied_device_is_found_by_its_counter(office: Office) -> None:
    made = added(office.client("alice"))
    assert is_in(signed_in(made))
    assert is_in(signed_in(made))
    made.counter = 0
    assert not is_in(signed_in(made))
    assert sql.row("SELECT COUNT(*) FROM audit_event WHERE action = 'iam:users:refuseCopiedPasskey'") == (1,)
    made.counter = 9
    assert is_in(signed_in(made))


def test_a_device_without_a_counter_goes_on(office: Office) -> None:
    made = added(office.client("alice"))
    for _ in range(2):
        made.counter = -1  # `get` adds one: it always says 0
        assert is_in(signed_in(made))


def test_a_user_who_is_off_and_a_key_that_is_known(office: Office) -> None:
    browser = office.client("alice")
    made = added(browser)
    options = browser.post(f"{KEYS}/begin").json()
    assert "registered already" in text(browser.post(KEYS, {"answer": made.create(options)}, follow=True))
    User.objects.filter(id=office.people["alice"].id).update(is_active=False)
    assert not is_in(signed_in(made))


def test_there_are_limits(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    browser = office.client("alice")
    monkeypatch.setattr(passkeys, "MOST", 1)
    added(browser)
    assert browser.post(f"{KEYS}/begin").status_code == 409 or "passkeys already" in text(
        browser.post(f"{KEYS}/begin")
    )


@pytest.mark.parametrize(
    ("url", "able"),
    [
        ("https://desk.example.org", True),
        ("http://localhost:8080", True),
        ("http://desk.example.org", False),
        ("https://192.0.2.7", False),
        ("https://[2001:db8::1]:8443", False),
        ("http://127.0.0.1:8080", False),
    ],
)
def test_where_browsers_give_none_the_page_says_why(office: Office, url: str, able: bool) -> None:
    settings.install(settings.get().model_copy(update={"external_url": url}))
    browser = office.client("alice")
    shown = text(browser.get(SECURITY))
    assert ("passkey-add" in shown, "CERTDESK_EXTERNAL_URL" in shown) == (able, not able)
    assert (browser.post(f"{KEYS}/begin").status_code == 200) is able
    assert (Client().post(ANYBODY).status_code == 200) is able
    assert ("passkey-sign-in" in text(Client().get("/login"))) is able
