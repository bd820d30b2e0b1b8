"""The matrix of rights over the console, generated from its list of addresses: every page and every form ×
everybody who could ask × own, foreign and missing ids. A new page joins by itself."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any

import pytest
from django.core.management import call_command
from django.db import transaction
from django.http import HttpResponse
from django.test import Client
from django.urls import URLPattern
from pytest_django import DjangoDbBlocker

from certdesk.foundation.common import clock
from certdesk.interfaces.console import signing, urls
from certdesk.interfaces.console.signing import SignedIn
from certdesk.interfaces.console.views.page import OPEN, OWN, Rights
from tests.support import bind
from tests.support.matrix.asking import other_id
from tests.support.matrix.things import Side, two_accounts

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.server,
    pytest.mark.skipif(bind.NAMED is None, reason=bind.REASON),
]
Sides = tuple[Side, Side]

KINDS: Mapping[str, str] = {
    "certificate_id": "certificate_id",
    "order_id": "order_id",
    "account_id": "account_id",
    "document_id": "document_id",
    "contact_id": "contacts",
    "company_id": "companies",
    "name": "name",
    "connection_id": "dns-connections",
    "zone": "zone",
    "csr_id": "csr",
    "product_id": "product_id",
    "message_id": "messages",
    "event_id": "events",
    "user_id": "users",
    "group_id": "groups",
    "policy_id": "roles",
    "project_id": "enterprise-projects",
    "access_key": "credentials",
    "request_id": "approvals",
    "agency_id": "agencies",
    "target_id": "targets",
    "issuer_id": "issuers",
    "deployment_id": "deployments",
    "binding_id": "bindings",
    "channel_id": "notification-channels",
    "rule_id": "notification-rules",
    "view_id": "view_id",
    "bulk_id": "bulk_id",
    "campaign_id": "campaigns",
    "agent_id": "agents",
    "scan_id": "scans",
    "endpoint_id": "endpoints",
    "credential_id": "acme-credentials",
}
"""Part of an address -> kind of thing (tests/support/matrix/things.py)."""
EVERYBODYS = {"name", "zone", "product_id", "token", "passkey_id"}
"""Parts that name nothing of a team's: names, zones by name, lines of the catalogue, one's own passkeys."""
NOBODYS = {"token": "x" * 43, "passkey_id": "9999"}
"""Parts of which nothing is made here."""
OPERATORS = {
    *{"accounts", "account-money", "edit-price", "mail-server"},
    *{"issuer", "issuer-edit", "issuer-test", "issuer-remove", "issuer-rehearsal"},
}
"""Pages of the operator of the installation, who reaches every account."""

PAGES: dict[str, URLPattern] = {str(one.name): one for one in urls.urlpatterns}


def rights(name: str) -> Rights:
    found: Rights = PAGES[name].callback.rights  # type: ignore[union-attr]
    return found


def signed_in() -> list[tuple[str, str]]:
    """Every page and form that needs somebody: `(name, method)`."""
    return [
        (name, method)
        for name in PAGES
        for method, right in (("GET", rights(name).get), ("POST", rights(name).post))
        if right and right != OPEN
    ]


def guarded() -> list[tuple[str, str]]:
    return [(name, method) for name, method in signed_in() if getattr(rights(name), method.lower()) != OWN]


def parts(name: str) -> list[str]:
    return list(PAGES[name].pattern.converters)


def of_somebody() -> list[tuple[str, str]]:
    return [one for one in guarded() if set(parts(one[0])) - EVERYBODYS and one[0] not in OPERATORS]


@pytest.fixture(scope="module")
def sides(
    django_db_setup: None, django_db_blocker: DjangoDbBlocker, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Sides]:
    with django_db_blocker.unblock():
        try:
            with two_accounts(tmp_path_factory.mktemp("bind")) as made:
                yield made
        finally:
            call_command("flush", verbosity=0, interactive=False)


def values_of(name: str, side: Side) -> dict[str, str]:
    found = {}
    for part in parts(name):
        if part not in KINDS and part not in NOBODYS:
            pytest.fail(f"page {name}: what is {part!r}? Add its kind to KINDS of {__name__}.")
        found[part] = NOBODYS[part] if part in NOBODYS else side.ids[KINDS[part]]
    if "organization" in name or "document" in name:
        found["certificate_id"] = side.ids["waiting"]
    return found


def address(name: str, values: Mapping[str, str]) -> str:
    text = re.sub(r"<(?:\w+:)?(\w+)>", lambda found: values[found[1]], str(PAGES[name].pattern))
    return f"/{text}"


def ask(
    side: Side | None, who: str, method: str, path: str, *, csrf: bool = False, **more: Any
) -> HttpResponse:
    """A page as `who` sees it; nothing of it stays."""
    client = Client(raise_request_exception=False, enforce_csrf_checks=csrf)
    with transaction.atomic():
        if side is not None:
            backend = "certdesk.interfaces.console.accounts.Backend"
            client.force_login(side.people[who].user, backend=backend)
            session = client.session  # who has just shown who it is is not asked again
            session[signing._SIGNED_IN] = asdict(SignedIn("password", at=clock.real_now().timestamp()))
            session.save()
        answer = client.generic(method, path, **more)
        transaction.set_rollback(True)
    assert answer.status_code < 500, (method, path, answer.status_code)
    return answer  # type: ignore[no-any-return]


def told(answer: HttpResponse, *ids: str) -> tuple[int, str, str]:
    """Status, where to, and the page's text, ids and one-time values left out."""
    text = answer.content.decode()
    text = re.sub(r"\b[A-Za-z0-9]{64}\b", "<token>", text).replace(answer.headers["X-Request-Id"], "")
    where = answer.headers.get("Location", "")
    for one in sorted(ids, key=len, reverse=True):
        text, where = (re.sub(rf"(?<!\w){re.escape(one)}(?!\w)", "<id>", each) for each in (text, where))
    return answer.status_code, where, text


def test_the_owner_sees_most_pages(sides: Sides) -> None:
    """Else the refusals below would mean nothing."""
    house, _ = sides
    seen = [name for name, method in signed_in() if method == "GET" and "token" not in parts(name)]
    good, others = [], {}
    for name in seen:
        answer = ask(house, "alice", "GET", address(name, values_of(name, house)))
        if answer.status_code == 200:
            good.append(name)
        else:
            others[name] = answer.status_code
    print(f"\n{len(good)} of {len(seen)} pages shown to their owner; not: {others}")  # noqa: T201
    assert len(good) >= 60


@pytest.mark.parametrize(("name", "method"), signed_in())
def test_nobody_is_shown_the_way_to_sign_in(sides: Sides, name: str, method: str) -> None:
    answer = ask(None, "", method, address(name, values_of(name, sides[0])))
    assert answer.status_code == 302
    assert answer.headers["Location"].startswith("/login")


# rule: IAM-5
@pytest.mark.parametrize(("name", "method"), guarded())
def test_without_the_right_a_page_is_refused(sides: Sides, name: str, method: str) -> None:
    answer = ask(sides[0], "nils", method, address(name, values_of(name, sides[0])))
    assert answer.status_code == 403
    assert getattr(rights(name), method.lower()) in answer.content.decode()


@pytest.mark.parametrize(("name", "method"), of_somebody())
def test_what_is_of_another_account_is_as_if_it_were_not(sides: Sides, name: str, method: str) -> None:
    house, other = sides
    values = values_of(name, house)
    missing = {key: text if key in EVERYBODYS else other_id(text) for key, text in values.items()}
    foreign = ask(other, "alice", method, address(name, values))
    nothing = ask(other, "alice", method, address(name, missing))
    assert foreign.status_code in ((404,) if method == "GET" else (302, 400, 404)), foreign.status_code
    ids = {*values.values(), *missing.values()}
    assert told(foreign, *ids) == told(nothing, *ids)


# rule: IAM-6
@pytest.mark.parametrize(("name", "method"), of_somebody())
def test_a_right_in_another_project_reaches_nothing_here(sides: Sides, name: str, method: str) -> None:
    house, _ = sides
    values = values_of(name, house)
    answer = ask(house, "sid", method, address(name, values))
    assert answer.status_code in ((403, 404) if method == "GET" else (302, 400, 403, 404)), answer.status_code


@pytest.mark.parametrize(("name", "method"), [one for one in signed_in() if one[1] == "POST"])
def test_a_form_from_elsewhere_is_refused(sides: Sides, name: str, method: str) -> None:
    """No form is taken without its token, nor with another's."""
    house, _ = sides
    path = address(name, values_of(name, house))
    kind = "application/x-www-form-urlencoded"
    for data in ("", "csrfmiddlewaretoken=" + "a" * 64):
        answer = ask(house, "alice", method, path, csrf=True, data=data, content_type=kind)
        assert answer.status_code == 403, (name, answer.status_code)
    answer = ask(house, "alice", method, path, csrf=True, HTTP_ORIGIN="https://evil.example")
    assert answer.status_code == 403, (name, answer.status_code)
