"""Invitations, forgotten passwords, profile, sessions, and waiting after failures."""

import re
from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.test import Client

from certdesk.foundation.common import clock, settings, sql
from certdesk.foundation.common.errors import BadParameter, Forbidden
from certdesk.foundation.iam import actions as iam
from certdesk.foundation.iam import links, profile, queries, sessions, throttle, tokens
from certdesk.foundation.iam.models import Group, SignInLink, SignInTry, Token, User
from certdesk.foundation.iam.principal import Via
from certdesk.foundation.outbox import actions as outbox
from certdesk.foundation.outbox import people as mails
from certdesk.foundation.outbox.models import Message
from tests.support.office import PASSWORD, Office

NEW = "another good passphrase"
FORGOTTEN = "/login/forgotten"


def text(response: object) -> str:
    return response.content.decode()  # type: ignore[attr-defined,no-any-return]


@pytest.fixture
def mail_server(db: None) -> Iterator[None]:
    before = settings.get()
    settings.install(before.model_copy(update={"smtp_url": "smtp://127.0.0.1:9?from=desk@example.org"}))
    yield
    settings.install(before)


@pytest.fixture
def admin(office: Office) -> Client:
    account = office.people["alice"].account
    office.people["ada"] = iam.create_user(account, "ada", PASSWORD, ["admins"])
    return office.client("ada")


def mailed_link(template: str) -> str:
    message = Message.objects.filter(template=template).latest("id")
    assert "[[link]]" in message.text  # who may read the outbox does not read the link
    found = re.search(r"/login/link/[\w-]{43}", outbox.complete(message)[0])
    assert found
    return found[0]


def sign_in(login: str, password: str, address: str = "192.0.2.7") -> tuple[Client, int]:
    browser = Client(REMOTE_ADDR=address)
    return browser, browser.post("/login", {"login": login, "password": password}).status_code


# --- invitations and forgotten passwords ---------------------------------------------------------


def test_an_invitation_is_mailed_and_works_once(office: Office, admin: Client, mail_server: None) -> None:
    account = office.people["alice"].account
    group = Group.objects.get(account=account, name="readers")
    admin.post("/iam/users/add", {"name": "dora", "email": "dora@example.com", "group": group.id})
    dora = User.objects.get(account=account, name="dora")
    page = f"/iam/users/{dora.id}"
    assert "user-invite" in text(admin.get(page))
    assert "on its way" in text(admin.post(f"{page}/invite", follow=True))
    path = mailed_link("invitation")
    assert path not in str(sql.rows("SELECT * FROM iam_signinlink"))
    browser = Client()
    for _ in range(2):  # a mail scanner's GET uses nothing up
        assert "You sign in as dora" in text(browser.get(path))
    assert browser.post(path, {"new": "short", "again": "short"}).status_code == 422
    assert browser.post(path, {"new": NEW, "again": NEW + "x"}).status_code == 422
    assert browser.post(path, {"new": NEW, "again": NEW}).headers["Location"] == "/login"
    for response in (browser.get(path), browser.post(path, {"new": NEW, "again": NEW})):
        assert response.status_code == 410
    browser, status = sign_in("dora", NEW)
    assert status == 302
    assert browser.get("/certificates").status_code == 200
    assert "user-invite" not in text(admin.get(page))
    assert "can be invited" in text(admin.post(f"{page}/invite", follow=True))


def test_an_invitation_needs_a_mail_server_and_the_right(office: Office, admin: Client) -> None:
    account = office.people["alice"].account
    dora = iam.create_user(account, "dora", None, [], email="dora@example.com")
    assert "No mail server" in text(admin.post(f"/iam/users/{dora.id}/invite", follow=True))
    assert office.client("alice").post(f"/iam/users/{dora.id}/invite").status_code == 403
    clerks = iam.create_group(account, "clerks")
    document = {"Version": "1.1", "Statement": [{"Effect": "Allow", "Action": ["iam:*"]}]}
    iam.grant(clerks, iam.create_policy(account, "clerk", document))
    carl = queries.principal_of(iam.create_user(account, "carl", None, ["clerks"]), Via.CONSOLE)
    boss = iam.create_user(account, "boss", None, ["admins"], email="boss@example.com")
    with pytest.raises(Forbidden):
        mails.invite(carl, boss.id, clock.real_now())


def test_a_forgotten_password_is_set_anew_and_ends_everything_else(office: Office, mail_server: None) -> None:
    alice = office.people["alice"]
    User.objects.filter(id=alice.id).update(email="alice@example.com", language="zh-hans")
    other, status = sign_in("alice", PASSWORD)
    assert status == 302
    tokens.create("house", "alice", PASSWORD, clock.real_now())
    told = {
        text(Client().post(FORGOTTEN, {"login": name})).split("</head>")[1] for name in ("alice", "nobody")
    }
    assert len({re.sub(r"csrf[^>]*>", "", one) for one in told}) == 1  # nobody learns who exists
    assert Message.objects.get(template="password-reset").locale == "zh-hans"
    path = mailed_link("password-reset")
    assert Client().post(path, {"new": NEW, "again": NEW}).status_code == 302
    assert not Token.objects.filter(user=alice).exists()
    assert other.get("/certificates").status_code == 302  # the session is over
    assert sign_in("alice", NEW)[1] == 302
    done = [
        row[0] for row in sql.rows("SELECT action FROM audit_event WHERE resource = %s", [f"user:{alice.id}"])
    ]
    assert done[-3:] == ["iam:users:changePassword", "iam:users:redeemLink", "iam:users:signIn"]


@pytest.mark.parametrize(
    ("purpose", "life"),
    [(links.Purpose.PASSWORD, timedelta(hours=1)), (links.Purpose.INVITATION, timedelta(days=7))],
)
def test_a_link_ends(office: Office, purpose: links.Purpose, life: timedelta) -> None:
    now = clock.real_now()
    token, ends = links.make(office.people["alice"], purpose, now)
    assert ends - now == life
    links.find(token, ends - timedelta(microseconds=1))
    with pytest.raises(links.LinkOver):
        links.find(token, ends)
    links.make(office.people["alice"], purpose, now)
    with pytest.raises(links.LinkOver):
        links.find(token, now)  # a new one ends the old one
    token, _ends = links.make(office.people["alice"], purpose, now)
    User.objects.filter(id=office.people["alice"].id).update(is_active=False)
    with pytest.raises(links.LinkOver):
        links.redeem(token, NEW, now)
    assert links.prune(ends + timedelta(seconds=1)) == 1
    assert not SignInLink.objects.exists()


def test_nobody_is_flooded_with_mails(office: Office, mail_server: None) -> None:
    User.objects.filter(id=office.people["alice"].id).update(email="alice@example.com")
    statuses = [
        Client(REMOTE_ADDR="192.0.2.9").post(FORGOTTEN, {"login": "alice"}).status_code for _ in range(6)
    ]
    assert statuses == [200, 200, 200, 200, 200, 429]
    for last in range(1, 5):
        Client(REMOTE_ADDR=f"198.51.100.{last}").post(FORGOTTEN, {"login": "alice"})
    assert Message.objects.filter(template="password-reset").count() == mails.MOST_AN_HOUR
    assert Client().post(FORGOTTEN, {"login": ""}).status_code == 422


# --- waiting after failures ----------------------------------------------------------------------


def test_an_attacker_elsewhere_does_not_lock_alice_out(office: Office) -> None:
    for _ in range(5):
        assert sign_in("alice", "wrong", "198.51.100.1")[1] == 200
    held = Client(REMOTE_ADDR="198.51.100.1").post("/login", {"login": "alice", "password": PASSWORD})
    assert "Too many failed attempts" in text(held)
    assert sign_in("alice", PASSWORD, "192.0.2.7")[1] == 302
    assert sign_in("bob", PASSWORD, "198.51.100.1")[1] == 302  # nor her neighbour


def test_a_name_tried_from_everywhere_opens_only_where_it_is_known(office: Office) -> None:
    assert sign_in("alice", PASSWORD, "192.0.2.7")[1] == 302
    for place in range(10):
        for _ in range(5):
            throttle.failed("alice", f"198.51.100.{place}", clock.real_now())
    assert sign_in("alice", PASSWORD, "203.0.113.1")[1] == 200
    assert sign_in("alice", PASSWORD, "192.0.2.7")[1] == 302


def test_what_is_counted_is_forgotten(office: Office) -> None:
    now = clock.real_now()
    for _ in range(5):
        throttle.failed("alice", "192.0.2.7", now)
    with pytest.raises(throttle.SlowDown) as refused:
        throttle.check(" ALICE", "192.0.2.7", now)
    assert refused.value.retry_after == 300
    throttle.check("alice", "192.0.2.7", now + timedelta(minutes=5))
    throttle.failed("alice", "192.0.2.7", now + timedelta(minutes=5))
    assert SignInTry.objects.get().failures == 1  # a new window
    throttle.succeeded("alice", "192.0.2.7", now)
    assert throttle.prune(now + timedelta(days=29)) == 0
    assert throttle.prune(now + timedelta(days=31)) == 1


# --- profile and sessions ------------------------------------------------------------------------


def test_language_and_time_zone_are_ones_own(office: Office) -> None:
    browser = office.client("nils")
    assert browser.get("/account/profile").status_code == 200
    given = {"language": "zh-hans", "time_zone": "Asia/Shanghai"}
    response = browser.post("/account/profile", given)
    assert response.cookies["django_language"].value == "zh-hans"
    nils = User.objects.get(id=office.people["nils"].id)
    assert (nils.language, nils.time_zone) == ("zh-hans", "Asia/Shanghai")
    assert "Asia/Shanghai" in text(browser.get("/account"))
    assert browser.post("/account/profile", {**given, "time_zone": "Mars/Crater"}).status_code == 422
    principal = queries.principal_of(nils, Via.CONSOLE)
    for language, zone in (("fr", "UTC"), ("en", "Mars/Crater"), ("en", "../etc/passwd")):
        with pytest.raises(BadParameter):
            profile.update(principal, language, zone)


def test_sessions_are_seen_and_ended(office: Office) -> None:
    here, _status = sign_in("nils", PASSWORD, "192.0.2.7")
    there, _status = sign_in("nils", PASSWORD, "198.51.100.1")
    shown = text(here.get("/account/sessions"))
    assert "198.51.100.1" in shown
    assert "this session" in shown
    found = re.findall(r'name="chosen" value="(\d+)"', shown)
    assert len(found) == 1
    alice, _status = sign_in("alice", PASSWORD)
    for browser, wanted in ((alice, found[0]), (here, "0"), (here, "x")):
        assert "There is no" in text(browser.post("/account/sessions", {"chosen": wanted}, follow=True))
    assert there.get("/account").status_code == 200
    here.post("/account/sessions", {"chosen": found[0]})
    assert there.get("/account").status_code == 302
    assert here.get("/account").status_code == 200


def test_a_changed_password_ends_the_other_sessions_and_keeps_this_one(office: Office) -> None:
    here, _status = sign_in("nils", PASSWORD, "192.0.2.7")
    there, _status = sign_in("nils", PASSWORD, "198.51.100.1")
    here.post("/account", {"old": PASSWORD, "new": NEW, "again": NEW})
    assert here.get("/account").status_code == 200
    assert there.get("/account").status_code == 302
    assert "198.51.100.1" not in text(here.get("/account/sessions"))
    nils = queries.principal_of(office.people["nils"], Via.CONSOLE)
    key = str(here.session.session_key)
    assert [one.is_this for one in sessions.listed(nils, key, clock.real_now())] == [True]
    assert sessions.listed(nils, key, clock.real_now() + timedelta(hours=13)) == []
