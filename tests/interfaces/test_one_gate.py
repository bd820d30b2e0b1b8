"""One gate (law 5): no route of any face without a declared IAM action, no action outside the table.

What is open to everybody, or to every signed-in user, stands here by name with its reason: a new one fails
the build until somebody writes its reason down.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from django.urls import URLPattern, URLResolver

from certdesk.config.urls import urlpatterns
from certdesk.foundation.iam import known
from certdesk.interfaces.acme import urls as acme_urls
from certdesk.interfaces.api import dispatch
from certdesk.interfaces.api import urls as api_urls
from certdesk.interfaces.console import urls as console_urls
from certdesk.interfaces.console.views.page import OPEN, OWN
from certdesk.interfaces.operations.index import OPERATIONS
from certdesk.interfaces.public import urls as public_urls

SOURCE = Path(__file__).resolve().parents[2] / "src/certdesk"
ACTION = re.compile(r"(scm|bss|dns|iam|eps|certdesk):[A-Za-z-]+:[A-Za-z]+")

PUBLIC = {
    "healthz": "a load balancer has no user; says that the process answers",
    "readyz": "as healthz, with the database",
    "heartbeat": "how late scheduler, workers and sealer are, numbers",
    "metrics": "counts only",
    "openapi.json": "the contract; the same for everybody",
    "ocsp": "relying parties have no user (RFC 6960)",
    "ocsp/": "as ocsp",
    "ocsp/<path:request_text>": "as ocsp, by GET",
    "crl/<str:name>.crl": "relying parties have no user (RFC 5280)",
    "ca/<str:name>.cer": "relying parties have no user (RFC 5280)",
    "ca/<str:name>.p7c": "relying parties have no user (RFC 5280)",
    "confirm/notice-<str:secret>": "the secret of the link in the notice is the right",
    "confirm/organization-<str:secret>": "the secret of the mailed link is the right",
    "confirm/revocation-<str:secret>": "the secret of the mailed link is the right",
    "confirm/reissue-<str:secret>": "the secret of the mailed link is the right",
    "confirm/<str:token>": "the secret of the mailed link is the right",
    ".well-known/acme-challenge/<str:token>": "a CA that proves a name has no user (RFC 8555 §8.3)",
    "agent/ca": "the roots of the built-in CA, which are public",
    "agent/host.py": "the agent's source, which is public",
    "agent/enrol": "the one-time code is the right",
    "agent/exchange": "signed with the host's own credential",
}
ACME = {
    "acme/directory": "the same for everybody (RFC 8555 §7.1.1)",
    "acme/new-nonce": "a random value; the same for everybody",
    "acme/renewal-info/<str:certificate>": "says when to renew, nothing else (RFC 9773)",
    **dict.fromkeys(
        (
            "acme/new-account",
            "acme/account/<str:account_id>",
            "acme/account/<str:account_id>/orders",
            "acme/key-change",
            "acme/new-order",
            "acme/order/<str:order_id>",
            "acme/order/<str:order_id>/finalize",
            "acme/certificate/<str:order_id>",
            "acme/certificate/<str:order_id>/<int:number>",
            "acme/new-authz",
            "acme/authz/<str:authz_id>",
            "acme/challenge/<str:challenge_id>",
            "acme/revoke-cert",
        ),
        "each request is signed by the ACME account's key and acts with its user's rights (RFC 8555)",
    ),
}
OPEN_PAGES = {
    "account_login": "whoever signs in is nobody yet",
    "second-step": "whoever has shown the password alone is nobody yet",
    "reference": "the API's description; the same for everybody",
    "passkey-challenge": "whoever signs in by a passkey is nobody yet",
    "passkey-sign-in": "whoever signs in by a passkey is nobody yet",
    "set_language": "before signing in too",
    "sso": "whoever signs in is nobody yet",
    "sso-callback": "whoever comes back from the provider is nobody yet",
    "forgotten": "whoever forgot the password cannot sign in",
    "sign-in-link": "the secret of the mailed link is the right",
}
OWN_PAGES = {
    "home": "leads to the first page that is open to the user",
    "overview": "shows what the user may see, by the rights of each part",
    "again": "shows one's own password or second factor once more",
    "security": "one's own second factor",
    "enrol-app": "one's own second factor",
    "confirm-app": "one's own second factor",
    "remove-app": "one's own second factor",
    "recovery-codes": "one's own second factor",
    "approvals": "one's own requests, and those that one may decide",
    "approval": "one's own request; others by the right",
    "approval-cancel": "one's own request",
    "begin-passkey": "one's own passkeys",
    "register-passkey": "one's own passkeys",
    "remove-passkey": "one's own passkeys",
    "account_logout": "ends one's own session",
    "account": "one's own password",
    "profile": "one's own address and language",
    "sso-link": "one's own identity at the provider",
    "sso-unlink": "one's own identity at the provider",
    "sso-again": "proves once more who one is, at the provider",
    "sessions": "one's own sessions",
    "iam-keys": "one's own access keys",
    "iam-key-add": "one's own access keys",
    "iam-key-switch": "one's own access keys",
    "iam-key-delete": "one's own access keys",
    "iam-switch": "the agencies that are open to oneself",
    "iam-switch-back": "ends one's own switch",
    "authority": "the certificates of the built-in CA, which are public",
}
UNSIGNED_OPERATIONS = {"tokens.create": "the password in the body is what it is decided by"}
OPERATIONS_OF_ALL = {
    "users.show": "oneself; others by the right",
    "access_keys.list": "one's own; others by the right",
    "access_keys.create": "one's own; others by the right",
    "access_keys.temporary": "one's own, by a Deny refused; of an agency by what that trusts",
    "access_keys.show": "one's own; others by the right",
    "access_keys.update": "one's own; others by the right",
    "access_keys.delete": "one's own; others by the right",
    "approvals.list": "one's own requests; others by the right",
    "approvals.show": "one's own request; others by the right",
    "approvals.cancel": "one's own request",
    "identity.domains": "the caller's own account, which the SDK asks for first",
    "identity.projects": "the caller's own account, which the SDK asks for first",
    "overview.show": "shows what the caller may see, by the rights of each part",
    "tokens.check": "one's own token; others by the right",
}
EVENTS = {
    "iam:accounts:create": "the host's command alone makes accounts",
    "iam:accounts:update": "asked for as certdesk:account:setFlags",
    "iam:credentials:enable": "asked for as iam:credentials:update",
    "iam:credentials:disable": "asked for as iam:credentials:update",
    "iam:sessions:delete": "one's own session",
    "iam:users:changePassword": "one's own, or asked for as iam:users:update",
    "iam:users:enrolSecondFactor": "one's own second factor",
    "iam:users:removeSecondFactor": "one's own, or asked for as iam:users:update",
    "iam:users:renewRecoveryCodes": "one's own second factor",
    "iam:users:linkIdentity": "one's own identity at the provider",
    "iam:users:unlinkIdentity": "one's own identity at the provider",
    "iam:users:followGroups": "the provider's word at a sign-in, within what the account's rules allow",
    "iam:users:signIn": "whoever signs in is nobody yet",
    "iam:users:refuseCopiedPasskey": "whoever signs in is nobody yet",
    "iam:users:redeemLink": "the secret of the mailed link is the right",
    "iam:users:updateProfile": "one's own profile",
}
"""Names in the audit trail that no policy is asked about."""


def routes(patterns: list[URLPattern | URLResolver]) -> Iterator[URLPattern]:
    for one in patterns:
        if isinstance(one, URLResolver):
            yield from routes(one.url_patterns)
        else:
            yield one


def unguarded(pattern: URLPattern) -> str:
    """Why the route is not allowed to be; empty when it is."""
    if pattern in api_urls.urlpatterns:
        return ""  # one door: `dispatch`, by the registry, which is looked at below
    if pattern in acme_urls.urlpatterns:
        return "" if str(pattern.pattern) in ACME else f"/{pattern.pattern} stands in no list (ACME)"
    if pattern in public_urls.urlpatterns:
        route = str(pattern.pattern)
        return "" if route in PUBLIC else f"/{route} is public, and nobody wrote down why (PUBLIC)"
    rights = getattr(pattern.callback, "rights", None)
    if rights is None:
        return f"/{pattern.pattern} has no IAM action: declare it with @page"
    return _words_of(str(pattern.name), rights.get, rights.post)


def _words_of(name: str, *actions: str) -> str:
    for action in filter(None, actions):
        if action == OPEN and name not in OPEN_PAGES:
            return f"the page {name} is open, and nobody wrote down why (OPEN_PAGES)"
        if action == OWN and name not in OWN_PAGES:
            return f"the page {name} asks for no action, and nobody wrote down why (OWN_PAGES)"
        if action not in (OPEN, OWN) and action not in known.actions():
            return f"the page {name} asks for {action}, which is not in the table of actions"
    return "" if any(actions) else f"the page {name} answers no method"


# rule: IAM-5
def test_every_route_has_its_action_or_a_reason() -> None:
    found = list(routes(urlpatterns))
    assert len(found) > 100
    assert [why for one in found if (why := unguarded(one))] == []


def test_a_route_without_an_action_fails_with_a_clear_sentence() -> None:
    def view(request: object) -> None: ...

    assert unguarded(URLPattern(console_urls.urlpatterns[0].pattern, view)).endswith("declare it with @page")
    assert "nobody wrote down why" in _words_of("secret page", OPEN)
    assert "nobody wrote down why" in _words_of("secret page", "scm:cert:get", OWN)
    assert "not in the table" in _words_of("certificate", "scm:cert:unheardOf")
    assert "no method" in _words_of("nothing", "", "")


def test_the_lists_of_what_is_open_have_nothing_left_over() -> None:
    by_name = {str(one.name): one.callback.rights for one in console_urls.urlpatterns}  # type: ignore[attr-defined]
    assert {name for name, one in by_name.items() if OPEN in (one.get, one.post)} == set(OPEN_PAGES)
    assert {name for name, one in by_name.items() if OWN in (one.get, one.post)} == set(OWN_PAGES)
    assert {str(one.pattern) for one in public_urls.urlpatterns} == set(PUBLIC)


# rule: IAM-5
def test_every_operation_asks_for_its_action_or_has_a_reason() -> None:
    assert {one.name for one in OPERATIONS.values() if one.public} == set(UNSIGNED_OPERATIONS)
    assert {one.name for one in OPERATIONS.values() if one.everyone} == set(OPERATIONS_OF_ALL)
    for one in OPERATIONS.values():
        assert all(ACTION.fullmatch(action) for action in (one.action, *one.also)), one.name
    assert dispatch.router() is not None


def literals() -> dict[str, set[str]]:
    """Every action that stands in the source, and where."""
    found: dict[str, set[str]] = {}
    for path in SOURCE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if (
                isinstance(node, ast.Constant)
                and isinstance(node.value, str)
                and ACTION.fullmatch(node.value)
            ):
                found.setdefault(node.value, set()).add(str(path.relative_to(SOURCE)))
    return found


# rule: IAM-3
def test_source_and_table_name_the_same_actions() -> None:
    """A right that the table does not know could be given away with a * by whoever does not hold it."""
    named = literals()
    strange = {action: places for action, places in named.items() if action not in known.actions()}
    assert set(strange) == set(EVENTS), "declare the action at its route, or write down why it is no right"
    later = {
        action for one in OPERATIONS.values() if one.later for action in (one.action, *one.also)
    }  # made from words until they come
    assert known.actions() - set(named) <= later


def test_every_view_goes_through_the_gate() -> None:
    """No view takes a request without `@page`: what is not routed yet cannot be routed by mistake."""
    bare = [
        f"{path.name}: {node.name}"
        for path in sorted((SOURCE / "interfaces/console/views").glob("*.py"))
        for node in ast.parse(path.read_text()).body
        if isinstance(node, ast.FunctionDef)
        and not node.name.startswith("_")
        and [one.arg for one in node.args.args[:2]] == ["request", "principal"]
        and _returns_a_page(node)
        and not any(_is_page(one) for one in node.decorator_list)
    ]
    assert bare == []


def _returns_a_page(node: ast.FunctionDef) -> bool:
    return isinstance(node.returns, ast.Name) and node.returns.id == "HttpResponse"


def _is_page(node: ast.expr) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "page"
