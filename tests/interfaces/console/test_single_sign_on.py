"""Single sign-on against a real OpenID Connect provider: who gets in, and what is not believed."""

import ipaddress
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jwt
import pytest
from django.test import Client

from certdesk.connectors import oidc as connector
from certdesk.foundation.common import clock, settings, sql
from certdesk.foundation.iam import actions as iam
from certdesk.foundation.iam import links
from certdesk.foundation.iam.models import ExternalIdentity, IdentityProvider, User
from tests.support import provider as real
from tests.support.app_codes import enrol
from tests.support.needs import need
from tests.support.office import PASSWORD, Office, just_now

pytestmark = pytest.mark.server
RULES, SSO = "/iam/sign-in/sso", "/login/sso/to/house"
KEY = real.key("first")


def text(response: object) -> str:
    return response.content.decode()  # type: ignore[attr-defined,no-any-return]


@pytest.fixture(scope="module")
def provider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[real.Provider]:
    need(real.is_there(), real.REASON)
    with real.running(tmp_path_factory.mktemp("oidc"), [KEY]) as found:
        yield found


@pytest.fixture(autouse=True)
def address(office: Office) -> Iterator[None]:
    before = settings.get()
    loopback = (ipaddress.ip_network("127.0.0.0/8"),)
    settings.install(before.model_copy(update={"external_url": real.URL, "allow_networks": loopback}))
    yield
    settings.install(before)


@pytest.fixture
def admin(office: Office) -> Client:
    office.people["ada"] = iam.create_user(office.people["alice"].account, "ada", PASSWORD, ["admins"])
    return office.client("ada")


def given(issuer: str, **more: str) -> dict[str, str]:
    fields = {"name": "Acme", "issuer": issuer, "client_id": real.CLIENT, "secret": real.SECRET}
    return {**fields, "enabled": "on", **more}


@pytest.fixture
def set_up(admin: Client, provider: real.Provider) -> Client:
    assert admin.post(RULES, given(provider.issuer)).status_code == 302
    return admin


def is_in(browser: Client) -> bool:
    return bool(browser.get("/account").status_code == 200)


def linked(office: Office, provider: real.Provider, name: str = "alice") -> None:
    provider.person(f"{name}-there")
    browser = office.client(name)
    shown = text(browser.post("/account/security/sso"))
    where = shown.split('href="http://127')[1].split('"')[0].replace("&amp;", "&")
    answer = browser.get(provider.visit(f"http://127{where}"), follow=True)
    assert "is linked" in text(answer), text(answer)[-3000:]


# --- who gets in ---------------------------------------------------------------------------------


def test_a_linked_user_signs_in_and_out(office: Office, set_up: Client, provider: real.Provider) -> None:
    linked(office, provider)
    browser = Client()
    assert "Sign in with Acme" in text(browser.get("/login?next=/orders"))
    answer = provider.sign_in(browser, f"{SSO}?next=/orders")
    assert answer.headers["Location"] == "/orders"
    assert "single sign-on" in text(browser.get("/account/sessions"))
    gone = browser.post("/logout")
    assert "Sign out there too" in text(gone)
    assert not is_in(browser)
    there = office.client("alice")
    assert 'data-linked="yes"' in text(there.get("/account/security"))
    assert "is unlinked" in text(there.post("/account/security/sso/unlink", follow=True))
    again = Client()
    provider.sign_in(again)
    assert not is_in(again)


def test_the_question_is_tied_to_the_browser(set_up: Client, provider: real.Provider) -> None:
    asked = parse_qs(urlsplit(Client().get(SSO).headers["Location"]).query)
    assert asked["code_challenge_method"] == ["S256"]
    assert asked["response_type"] == ["code"]
    assert min(len(asked[name][0]) for name in ("state", "nonce", "code_challenge")) == 43


def test_an_address_links_to_no_user_by_itself(
    office: Office, set_up: Client, provider: real.Provider
) -> None:
    User.objects.filter(id=office.people["alice"].id).update(email="alice@example.com")
    for verified in (True, False):
        provider.person("somebody", email="alice@example.com", email_verified=verified)
        browser = Client()
        assert "you have no user here" in text(browser.get(provider.sign_in(browser).headers["Location"]))
        assert not is_in(browser)
    assert not ExternalIdentity.objects.exists()


def test_an_invited_user_is_linked_by_the_verified_address(
    office: Office, set_up: Client, provider: real.Provider
) -> None:
    account = office.people["alice"].account
    dora = iam.create_user(account, "dora", None, ["readers"], email="dora@example.com")
    now = clock.real_now()
    provider.person("dora-there", email="Dora@example.com", email_verified=True)
    browser = Client()
    provider.sign_in(browser)
    assert not is_in(browser)  # nobody has invited her
    links.make(dora, links.Purpose.INVITATION, now - timedelta(days=8))
    provider.sign_in(browser)
    assert not is_in(browser)  # not any more
    token, _ends = links.make(dora, links.Purpose.INVITATION, now)
    provider.person("dora-there", email="dora@example.com", email_verified=False)
    provider.sign_in(browser)
    assert not is_in(browser)
    provider.person("dora-there", email="Dora@example.com", email_verified=True)
    provider.sign_in(browser)
    assert is_in(browser)
    assert browser.get("/certificates").status_code == 200
    assert Client().get(f"/login/link/{token}").status_code == 410
    provider.person("dora-there", email="changed@example.org", email_verified=False)
    later = Client()
    provider.sign_in(later)
    assert is_in(later)  # it is the subject that counts from now on


def test_users_are_made_where_the_account_wants_it_with_groups(
    office: Office, admin: Client, provider: real.Provider
) -> None:
    more = {"makes_users": "on", "domains": "example.com", "group_claim": "groups", "groups": "ops = users"}
    assert admin.post(RULES, given(provider.issuer, **more)).status_code == 302
    claims: dict[str, Any] = {"email": "eve@example.com", "email_verified": True, "preferred_username": "eve"}
    for wrong in ({"email": "eve@example.org"}, {"email_verified": False}, {"preferred_username": "alice"}):
        provider.person("eve-there", **{**claims, **wrong})
        browser = Client()
        provider.sign_in(browser)
        assert not is_in(browser), wrong
    provider.person("eve-there", groups=["ops", "other"], **claims)
    browser = Client()
    provider.sign_in(browser)
    eve = User.objects.get(account=office.people["alice"].account, name="eve")
    assert [one.name for one in eve.groups.all()] == ["users"]
    assert not eve.has_usable_password()
    assert browser.get("/certificates").status_code == 200
    iam.add_to_group(eve, "readers")
    provider.person("eve-there", groups=[], **claims)
    provider.sign_in(Client())
    assert [one.name for one in eve.groups.all()] == ["readers"]  # ours alone stays
    User.objects.filter(id=eve.id).update(is_active=False)
    browser = Client()
    provider.sign_in(browser)
    assert not is_in(browser)


def test_the_second_factor_of_the_provider_counts_and_ours_is_not_passed_by(
    office: Office, set_up: Client, provider: real.Provider
) -> None:
    linked(office, provider)
    provider.person("alice-there", amr=["pwd", "otp"])
    browser = Client()
    provider.sign_in(browser)
    assert "single sign-on and second factor" in text(browser.get("/account/sessions"))
    enrol(office.client("alice"))
    browser = Client()
    provider.person("alice-there", amr=["pwd"])
    assert provider.sign_in(browser).headers["Location"] == "/login/second"
    assert not is_in(browser)
    provider.person("alice-there", amr=["mfa"])
    provider.sign_in(browser)
    assert is_in(browser)


def test_who_has_no_password_says_again_at_the_provider(
    office: Office, set_up: Client, provider: real.Provider
) -> None:
    linked(office, provider)
    User.objects.filter(id=office.people["alice"].id).update(password="!none")
    provider.person("alice-there")
    browser = Client()
    provider.sign_in(browser)
    just_now(browser, seconds_ago=700)
    start = browser.get("/login/again?next=/account/security")
    assert start.headers["Location"] == "/login/sso/again?next=%2Faccount%2Fsecurity"
    for person, wanted in (("somebody", 302), ("alice-there", 200)):
        provider.person(person)
        shown = text(browser.get(start.headers["Location"]))
        where = shown.split('href="http://127')[1].split('"')[0].replace("&amp;", "&")
        assert "prompt=login" in where
        browser.get(provider.visit(f"http://127{where}"))
        assert browser.post("/account/security/app").status_code == wanted
    refused = browser.post("/account/security/sso/unlink", follow=True)
    assert "your only way" in text(refused)


def test_one_identity_has_one_user(office: Office, set_up: Client, provider: real.Provider) -> None:
    linked(office, provider, "alice")
    provider.person("alice-there")
    bob = office.client("bob")
    shown = text(bob.post("/account/security/sso"))
    where = shown.split('href="http://127')[1].split('"')[0].replace("&amp;", "&")
    assert "linked already" in text(bob.get(provider.visit(f"http://127{where}"), follow=True))
    assert "no single sign-on" in text(office.client("charlie").post("/account/security/sso"))
    assert "no single sign-on" in text(Client().get("/login/sso/to/other", follow=True))


# --- what is not believed ------------------------------------------------------------------------


def test_an_answer_counts_once_and_only_in_the_browser_that_asked(
    office: Office, set_up: Client, provider: real.Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    linked(office, provider)
    provider.person("alice-there")
    browser, other = Client(), Client()
    back = provider.visit(browser.get(SSO).headers["Location"])
    other.get(SSO)
    other.get(back)
    assert not is_in(other)
    with monkeypatch.context() as patched:
        now = clock.real_now()
        patched.setattr(clock, "real_now", lambda: now + timedelta(seconds=601))
        late = Client()
        late.cookies["sessionid"] = browser.cookies["sessionid"].value
        late.get(back)
    assert not is_in(browser)
    fresh = Client()
    back = provider.visit(fresh.get(SSO).headers["Location"])
    fresh.get(back)
    assert is_in(fresh)
    fresh.post("/logout")
    fresh.get(back)
    assert not is_in(fresh)
    for wrong in ("", "?code=x&state=y", "?error=access_denied&state=y"):
        browser.get(SSO)
        browser.get(f"/login/sso/callback{wrong}")
        assert not is_in(browser)


FORGED = {
    "other key": {},
    "none": {"alg": "none"},
    "secret": {"alg": "HS256"},
    "audience": {"aud": "somebody else"},
    "two audiences": {"aud": [real.CLIENT, "somebody else"]},
    "issuer": {"iss": "http://127.0.0.1:1"},
    "nonce": {"nonce": "another"},
    "no nonce": {"nonce": None},
    "expired": {"exp": -61},
    "of the future": {"iat": 3600},
    "not yet": {"nbf": 3600},
    "no subject": {"sub": ""},
    "unknown key": {"kid": "second"},
    "good": {},
}


@pytest.mark.parametrize("name", sorted(FORGED))
def test_a_forged_token_lets_nobody_in(
    office: Office, set_up: Client, provider: real.Provider, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Every kind of wrong token, and once a right one, or it would prove nothing."""
    linked(office, provider)
    provider.person("alice-there")
    browser = Client()
    back = provider.visit(browser.get(SSO).headers["Location"])
    nonce, now = browser.session["sso"]["nonce"], int(clock.real_now().timestamp())
    wrong = dict(FORGED[name])
    claims: dict[str, Any] = {
        "iss": provider.issuer,
        "aud": real.CLIENT,
        "sub": "alice-there",
        "nonce": nonce,
        "exp": now + 300,
        "iat": now,
    }
    algorithm, kid = str(wrong.pop("alg", "RS256")), str(wrong.pop("kid", "first"))
    for field, value in wrong.items():
        claims[field] = now + value if field in ("exp", "iat", "nbf") else value
    signer = {
        "none": None,
        "HS256": real.SECRET,
    }.get(algorithm, jwt.PyJWK(real.key("first") if name == "other key" else KEY, algorithm="RS256").key)
    token = jwt.encode(claims, signer, algorithm=algorithm, headers={"kid": kid})

    async def forged(*_given: object) -> str:
        return token

    monkeypatch.setattr(connector, "redeem", forged)
    browser.get(back)
    assert is_in(browser) is (name == "good")


def test_new_keys_of_the_provider_are_known_at_once(office: Office, admin: Client, tmp_path: Path) -> None:
    need(real.is_there(), real.REASON)
    with real.running(tmp_path, [real.key("old")]) as first:
        admin.post(RULES, given(first.issuer))
        linked(office, first)
    port = urlsplit(first.issuer).port or 0
    with real.running(tmp_path, [real.key("new")], port) as second:
        second.person("alice-there")
        browser = Client()
        second.sign_in(browser)
        assert is_in(browser)
    down = Client()
    assert "did not work" in text(down.get(SSO, follow=True))


# --- settings ------------------------------------------------------------------------------------


def test_the_settings_are_tested_and_the_secret_is_never_shown(
    office: Office, admin: Client, provider: real.Provider
) -> None:
    assert admin.get(RULES).status_code == 200
    tried = text(admin.post(RULES, given(provider.issuer, test="1")))
    assert "answers and names itself" in tried
    assert "RS256" in tried
    assert not IdentityProvider.objects.exists()
    assert "no connection" in text(admin.post(RULES, given("http://127.0.0.1:1", test="1")))
    assert "names itself" in text(admin.post(RULES, given(f"{provider.issuer}/", test="1")))
    admin.post(RULES, given(provider.issuer))
    shown = text(admin.get(RULES)) + text(admin.get("/iam/sign-in"))
    assert real.REDIRECT in shown
    rows = str(sql.rows("SELECT * FROM iam_identityprovider")) + str(sql.rows("SELECT * FROM audit_event"))
    assert "with &" not in shown + rows
    assert admin.post(RULES, given(provider.issuer, secret="", name="Other")).status_code == 302
    assert IdentityProvider.objects.get().name == "Other"
    elsewhere = admin.post(RULES, given("https://login.example.org", secret=""))
    assert "own client secret" in text(elsewhere)  # the old one is not sent to a new place
    linked(office, provider)
    admin.post(RULES, given("https://login.example.org"))
    assert not ExternalIdentity.objects.exists()


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("issuer", "http://login.example.org", "no https address"),
        ("issuer", "https://a@login.example.org", "no https address"),
        ("issuer", "ftp://login.example.org", "no https address"),
        ("issuer", "http://[x", "no https address"),
        ("secret", "", "client secret is missing"),
        ("domains", "not a domain!", "is no domain"),
        ("groups", "ops = nobody", "does not name a value and a group"),
        ("name", "a\x07b", "printable"),
        ("client_id", " ", "required"),
    ],
)
def test_wrong_settings_are_refused_at_their_field(
    office: Office, admin: Client, field: str, value: str, words: str
) -> None:
    answer = admin.post(RULES, {**given("https://login.example.org"), field: value})
    assert answer.status_code == 422
    assert words in text(answer)


def test_nobody_maps_into_a_group_that_holds_more(office: Office, admin: Client) -> None:
    account = office.people["alice"].account
    document = {"Version": "1.1", "Statement": [{"Effect": "Allow", "Action": ["iam:*"]}]}
    iam.grant(iam.create_group(account, "clerks"), iam.create_policy(account, "clerk", document))
    office.people["carl"] = iam.create_user(account, "carl", PASSWORD, ["clerks"])
    carl = office.client("carl")
    answer = carl.post(RULES, given("https://login.example.org", groups="x = admins"))
    assert "which you do not hold yourself" in text(answer)
    assert carl.post(RULES, given("https://login.example.org", groups="x = clerks")).status_code == 302
    assert office.client("alice").get(RULES).status_code == 403
