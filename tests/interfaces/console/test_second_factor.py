"""The second factor at the console: enrolled, asked for, taken off, reset, wanted of everybody."""

import re
from collections.abc import Iterator

import pytest
from django.test import Client

from certdesk.foundation.common import clock, settings, sql
from certdesk.foundation.iam import actions as iam
from certdesk.foundation.iam import second_factor
from certdesk.foundation.iam.models import RecoveryCode, Totp, User
from certdesk.foundation.outbox.models import Message
from certdesk.foundation.sealing.models import Secret
from tests.support.app_codes import App, enrol
from tests.support.office import PASSWORD, Office, just_now

SECURITY, SECOND, AGAIN = "/account/security", "/login/second", "/login/again"
SIGN_IN = "/iam/sign-in"


def text(response: object) -> str:
    return response.content.decode()  # type: ignore[attr-defined,no-any-return]


def first_step(login: str = "alice", address: str = "192.0.2.7", next_page: str = "") -> Client:
    browser = Client(REMOTE_ADDR=address)
    given = {"login": login, "password": PASSWORD, **({"next": next_page} if next_page else {})}
    answer = browser.post("/login", given)
    assert answer.headers["Location"] == SECOND
    return browser


def is_in(browser: Client) -> bool:
    return bool(browser.get("/account").status_code == 200)


def done(user: User) -> list[str]:
    found = sql.rows("SELECT action FROM audit_event WHERE resource = %s ORDER BY id", [f"user:{user.id}"])
    return [row[0] for row in found]


@pytest.fixture
def mail_server(db: None) -> Iterator[None]:
    before = settings.get()
    settings.install(before.model_copy(update={"smtp_url": "smtp://127.0.0.1:9?from=desk@example.org"}))
    yield
    settings.install(before)


@pytest.fixture
def admin(office: Office) -> Client:
    office.people["ada"] = iam.create_user(office.people["alice"].account, "ada", PASSWORD, ["admins"])
    return office.client("ada")


# --- enrolling -----------------------------------------------------------------------------------


def test_an_app_is_enrolled_by_its_first_code_and_the_secret_is_shown_once(office: Office) -> None:
    browser, alice = office.client("alice"), office.people["alice"]
    assert "Your password alone signs you in" in text(browser.get("/account"))
    begun = browser.post(f"{SECURITY}/app")
    shown = text(begun)
    assert begun.headers["Cache-Control"] == "no-store"
    assert "<svg" in shown
    secret = re.search(r"data-secret>([A-Z2-7]{32})", shown)
    assert secret
    row = str(sql.rows("SELECT * FROM iam_totp"))
    assert secret[1] not in row
    assert not second_factor.has(alice.id)  # a code has yet to be shown
    wrong = browser.post(f"{SECURITY}/app/confirm", {"code": "000000x"})
    assert wrong.status_code == 422
    assert secret[1] not in text(wrong) + text(browser.get(f"{SECURITY}/app/confirm"))
    answer = browser.post(f"{SECURITY}/app/confirm", {"code": App(secret[1]).code()})
    codes = re.findall(r'class="cd-mono">([a-z0-9-]{19})<', text(answer))
    assert len(set(codes)) == 10
    assert "data:text/plain" in text(answer)
    again = text(browser.get(SECURITY))
    assert "10 codes left" in again
    assert not any(code in again + str(sql.rows("SELECT * FROM iam_recoverycode")) for code in codes)
    assert "is enrolled already" in text(browser.post(f"{SECURITY}/app", follow=True))
    assert done(alice)[-1] == "iam:users:enrolSecondFactor"


def test_beginning_anew_ends_the_first_secret(office: Office) -> None:
    browser = office.client("alice")
    secrets = []
    for _ in range(2):
        found = re.search(r"data-secret>([A-Z2-7]{32})", text(browser.post(f"{SECURITY}/app")))
        assert found
        secrets.append(found[1])
    assert Secret.objects.filter(purpose="totp").count() == 1
    assert browser.post(f"{SECURITY}/app/confirm", {"code": App(secrets[0]).code()}).status_code == 422
    assert browser.post(f"{SECURITY}/app/confirm", {"code": App(secrets[1]).code()}).status_code == 200
    assert browser.post(f"{SECURITY}/app/confirm", {"code": "123456"}).status_code == 422  # nothing waits
    assert browser.post(f"{SECURITY}/app/confirm", {"code": ""}).status_code == 422


def test_enrolling_ends_the_other_sessions(office: Office) -> None:
    here, there = Client(), Client()
    for browser in (here, there):
        browser.post("/login", {"login": "alice", "password": PASSWORD})
    enrol(here)
    assert is_in(here)
    assert not is_in(there)


# --- signing in ----------------------------------------------------------------------------------


def test_the_password_alone_does_not_sign_in(office: Office) -> None:
    app, _codes = enrol(office.client("alice"))
    browser = first_step(next_page="/orders?x=1")
    assert not is_in(browser)
    assert browser.get("/certificates").status_code == 302
    wrong = browser.post(SECOND, {"code": "abc"})
    assert wrong.status_code == 422
    assert "This code is not right" in text(wrong)
    assert not is_in(browser)
    answer = browser.post(SECOND, {"code": f" {app.fresh()} "})
    assert answer.headers["Location"] == "/orders?x=1"
    assert is_in(browser)
    shown = text(browser.get("/account/sessions"))
    assert "password and second factor" in shown
    assert browser.get(SECOND).headers["Location"] == "/login"  # the second step is over


def test_a_code_counts_once(office: Office) -> None:
    app, _codes = enrol(office.client("alice"))
    code = app.fresh()
    assert first_step().post(SECOND, {"code": code}).status_code == 302
    assert first_step().post(SECOND, {"code": code}).status_code == 422
    # nor does an older one after a newer one, though the drift would allow it
    app.fresh()
    assert first_step().post(SECOND, {"code": app.code(1)}).status_code == 302
    assert first_step().post(SECOND, {"code": app.code(-1)}).status_code == 422


def test_a_recovery_code_stands_in_once(office: Office) -> None:
    _app, codes = enrol(office.client("alice"))
    browser = first_step()
    assert browser.post(SECOND, {"code": codes[0].upper()}).status_code == 302
    assert "9 codes left" in text(browser.get(SECURITY))
    assert first_step().post(SECOND, {"code": codes[0]}).status_code == 422
    renewed = text(browser.post(f"{SECURITY}/codes"))
    assert codes[1] not in renewed
    assert first_step().post(SECOND, {"code": codes[1]}).status_code == 422
    fresh = re.findall(r'class="cd-mono">([a-z0-9-]{19})<', renewed)
    assert first_step().post(SECOND, {"code": fresh[0]}).status_code == 302
    _other, bobs = enrol(office.client("bob"))
    assert first_step().post(SECOND, {"code": bobs[0]}).status_code == 422  # of somebody else


def test_who_guesses_waits_and_the_owner_does_not(office: Office) -> None:
    app, _codes = enrol(office.client("alice"))
    attacker = first_step(address="198.51.100.1")
    for _ in range(5):
        assert attacker.post(SECOND, {"code": "x"}).status_code == 422
    assert "Too many failed attempts" in text(attacker.post(SECOND, {"code": app.fresh()}))
    assert not is_in(attacker)
    assert first_step(address="192.0.2.7").post(SECOND, {"code": app.fresh()}).status_code == 302


def test_the_first_step_does_not_wait_for_ever(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    app, _codes = enrol(office.client("alice"))
    now = clock.real_now()
    monkeypatch.setattr(clock, "real_now", lambda: now)
    for age in (599.9, 600):
        browser = first_step()
        session = browser.session
        session["pending"] = {**session["pending"], "at": session["pending"]["at"] - age}
        session.save()
        browser.post(SECOND, {"code": app.fresh()})
        assert is_in(browser) is (age < 600)
    browser = first_step()
    iam.set_password(office.people["alice"], "another good passphrase")
    assert browser.post(SECOND, {"code": app.fresh()}).headers["Location"] == "/login"
    assert not is_in(browser)
    browser = Client()
    assert browser.get(SECOND).headers["Location"] == "/login"


def test_who_is_switched_off_meanwhile_is_not_let_in(office: Office) -> None:
    app, _codes = enrol(office.client("alice"))
    browser = first_step()
    User.objects.filter(id=office.people["alice"].id).update(is_active=False)
    assert browser.post(SECOND, {"code": app.fresh()}).headers["Location"] == "/login"
    assert not is_in(browser)


# --- g:MFAPresent --------------------------------------------------------------------------------


def test_a_condition_on_the_second_factor_holds_in_the_console(office: Office) -> None:
    # rule: IAM-3
    account, nils = office.people["nils"].account, office.people["nils"]
    allow = {
        "Effect": "Allow",
        "Action": ["scm:cert:list"],
        "Condition": {"Bool": {"g:MFAPresent": ["true"]}},
    }
    policy = iam.create_policy(account, "with-second", {"Version": "1.1", "Statement": [allow]})
    iam.grant(iam.create_group(account, "careful"), policy)
    iam.add_to_group(nils, "careful")
    browser = Client()
    browser.post("/login", {"login": "nils", "password": PASSWORD})
    assert browser.get("/certificates").status_code == 403
    app, _codes = enrol(browser)
    assert browser.get("/certificates").status_code == 200  # it has just been shown
    other = first_step("nils")
    assert other.get("/certificates").status_code == 302
    other.post(SECOND, {"code": app.fresh()})
    assert other.get("/certificates").status_code == 200
    stale = office.client("nils")  # a session opened without
    assert stale.get("/certificates").status_code == 403


def test_a_denial_without_the_second_factor_ends_with_it(office: Office) -> None:
    # rule: IAM-4
    account, alice = office.people["alice"].account, office.people["alice"]
    deny = {"Effect": "Deny", "Action": ["scm:*:*"], "Condition": {"Bool": {"g:MFAPresent": ["false"]}}}
    policy = iam.create_policy(account, "never-without", {"Version": "1.1", "Statement": [deny]})
    iam.grant(iam.create_group(account, "careful"), policy)
    iam.add_to_group(alice, "careful")
    browser = office.client("alice")
    assert browser.get("/certificates").status_code == 403
    enrol(browser)
    assert browser.get("/certificates").status_code == 200


# --- again, and off ------------------------------------------------------------------------------


def test_an_old_sign_in_is_asked_again_for_the_password(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser, now = office.client("alice"), clock.real_now()
    monkeypatch.setattr(clock, "real_now", lambda: now)
    for age, wanted in ((599.9, 200), (600, 302), (-60, 302)):  # nor one of the future
        just_now(browser, seconds_ago=age)
        assert browser.post(f"{SECURITY}/app").status_code == wanted
    assert browser.get(f"{SECURITY}/app/remove").headers["Location"] == (
        f"{AGAIN}?next=%2Faccount%2Fsecurity%2Fapp%2Fremove"
    )
    sent = browser.post(f"{SECURITY}/app", headers={"referer": f"http://testserver{SECURITY}?x"})
    assert sent.headers["Location"] == f"{AGAIN}?next=%2Faccount%2Fsecurity"
    page = f"{AGAIN}?next=/account/security"
    assert "Is it still you?" in text(browser.get(page))
    assert "not your password" in text(browser.post(page, {"password": "wrong"}))
    assert browser.post(page, {"password": ""}).status_code == 422
    assert browser.post(f"{SECURITY}/app").status_code == 302
    assert browser.post(page, {"password": PASSWORD}).headers["Location"] == "/account/security"
    assert browser.post(f"{SECURITY}/app").status_code == 200
    away = browser.post(AGAIN, {"password": PASSWORD, "next": "https://evil.example/"})
    assert away.headers["Location"] == "/"


def test_who_has_a_second_factor_is_asked_again_for_it(office: Office) -> None:
    browser = office.client("alice")
    app, _codes = enrol(browser)
    just_now(browser, mfa=True, seconds_ago=700)
    changed = {"old": PASSWORD, "new": "another good passphrase", "again": "another good passphrase"}
    assert browser.post("/account", changed).headers["Location"] == f"{AGAIN}?next=%2Faccount"
    assert browser.post(AGAIN, {"password": PASSWORD}).status_code == 422
    assert browser.post(AGAIN, {"code": "wrong"}).status_code == 422
    assert browser.post(f"{AGAIN}?next=/account", {"code": app.fresh()}).headers["Location"] == "/account"
    assert browser.post("/account", changed).status_code == 302
    assert is_in(browser)


def test_taking_the_app_off_asks_for_a_code_however_fresh_the_sign_in(office: Office) -> None:
    browser, alice = office.client("alice"), office.people["alice"]
    app, codes = enrol(browser)
    page = f"{SECURITY}/app/remove"
    assert browser.get(page).status_code == 200
    for wrong in ("", "123", codes[0][:-1]):
        assert browser.post(page, {"code": wrong}).status_code == 422
    assert second_factor.has(alice.id)
    assert browser.post(page, {"code": app.fresh()}).status_code == 302
    assert not second_factor.has(alice.id)
    assert not RecoveryCode.objects.exists()
    assert not Secret.objects.filter(purpose="totp").exists()
    assert browser.post(page, {"code": "1"}).status_code == 422  # there is none any more
    assert "no second factor yet" in text(browser.post(f"{SECURITY}/codes", follow=True))
    assert done(alice)[-1] == "iam:users:removeSecondFactor"
    answer = Client().post("/login", {"login": "alice", "password": PASSWORD})
    assert answer.headers["Location"] == "/"


# --- administrators ------------------------------------------------------------------------------


def test_an_administrator_resets_a_lost_second_factor_and_the_user_hears_of_it(
    office: Office, admin: Client, mail_server: None
) -> None:
    alice = office.people["alice"]
    User.objects.filter(id=alice.id).update(email="alice@example.com", language="zh-hans")
    browser = office.client("alice")
    enrol(browser)
    page = f"/iam/users/{alice.id}"
    assert "second-factor-reset" in text(admin.get(page))
    assert "Be sure that it is really this user" in text(admin.get(f"{page}/second-factor"))
    assert "is taken off" in text(admin.post(f"{page}/second-factor", follow=True))
    assert not second_factor.has(alice.id)
    assert not is_in(browser)
    assert done(alice)[-1] == "iam:users:resetSecondFactor"
    mail = Message.objects.get(template="second-factor-reset")
    assert (mail.recipient, mail.locale) == ("alice@example.com", "zh-hans")
    assert "ada" in mail.text
    assert "has no second factor" in text(admin.post(f"{page}/second-factor", follow=True))
    mine = f"/iam/users/{office.people['ada'].id}/second-factor"
    assert "cannot reset your own" in text(admin.post(mine, follow=True))
    assert office.client("bob").post(f"{page}/second-factor").status_code == 403


def test_charlie_resets_nothing(office: Office) -> None:
    other = office.people["charlie"].account
    office.people["carla"] = iam.create_user(other, "carla", PASSWORD, ["admins"])
    alice = office.people["alice"]
    enrol(office.client("alice"))
    for browser in (office.client("carla"), office.client("charlie")):
        answer = browser.post(f"/iam/users/{alice.id}/second-factor", follow=True)
        assert answer.status_code in (403, 404)
    assert second_factor.has(alice.id)


def test_a_clerk_takes_nothing_off_somebody_who_holds_more(office: Office, admin: Client) -> None:
    account, ada = office.people["alice"].account, office.people["ada"]
    enrol(admin)
    document = {"Version": "1.1", "Statement": [{"Effect": "Allow", "Action": ["iam:*"]}]}
    iam.grant(iam.create_group(account, "clerks"), iam.create_policy(account, "clerk", document))
    office.people["carl"] = iam.create_user(account, "carl", PASSWORD, ["clerks"])
    office.client("carl").post(f"/iam/users/{ada.id}/second-factor")
    assert second_factor.has(ada.id)


def test_an_account_that_wants_a_second_factor_leads_to_it(office: Office, admin: Client) -> None:
    assert "Second factor for everybody" in text(admin.get(SIGN_IN))
    assert admin.post(SIGN_IN, {"required": "on"}).status_code == 302
    assert office.client("alice").get(SIGN_IN).status_code == 403
    open_before = office.client("bob")
    assert is_in(open_before)  # felt at the next sign-in
    browser = Client()
    browser.post("/login", {"login": "alice", "password": PASSWORD})
    for path in ("/certificates", "/account", "/iam/keys"):
        assert browser.get(path).headers["Location"] == SECURITY
    htmx = browser.get("/certificates", headers={"HX-Request": "true"})
    assert htmx.headers["HX-Redirect"] == SECURITY
    assert "no other page works before" in text(browser.get(SECURITY))
    app, _codes = enrol(browser)
    assert browser.get("/certificates").status_code == 200
    last = browser.post(f"{SECURITY}/app/remove", {"code": app.fresh()})
    assert "this is your last one" in text(last)
    assert Totp.objects.count() == 1
    charlie = Client()
    charlie.post("/login", {"login": "other/charlie", "password": PASSWORD})
    assert charlie.get("/certificates").status_code == 200  # another account
    admin.post(SIGN_IN, {})
    assert browser.post(f"{SECURITY}/app/remove", {"code": app.fresh()}).status_code == 302
    found = sql.rows("SELECT details FROM audit_event WHERE action = 'iam:signIn:update' ORDER BY id")
    assert len(found) == 2
    admin.post(SIGN_IN, {})  # what is so already is not written
    assert len(sql.rows("SELECT id FROM audit_event WHERE action = 'iam:signIn:update'")) == 2


def test_a_given_password_is_changed_first_then_the_factor_is_enrolled(office: Office) -> None:
    alice = office.people["alice"]
    type(alice.account).objects.filter(id=alice.account_id).update(second_factor_required=True)
    User.objects.filter(id=alice.id).update(must_change_password=True)
    browser = Client()
    browser.post("/login", {"login": "alice", "password": PASSWORD})
    assert browser.get(SECURITY).headers["Location"] == "/account"
    browser.post("/account", {"new": "another good passphrase", "again": "another good passphrase"})
    assert browser.get("/account").headers["Location"] == SECURITY
    assert browser.get(SECURITY).status_code == 200


def test_a_deleted_user_leaves_no_secret(office: Office, admin: Client) -> None:
    bob = office.people["bob"]
    enrol(office.client("bob"))
    assert Secret.objects.filter(purpose="totp").count() == 1
    assert admin.post(f"/iam/users/{bob.id}/delete").status_code == 302
    assert not Secret.objects.filter(purpose="totp").exists()
