"""What a client asks before its first call: account, projects (API §4.1) and a token (API §4.3)."""

from datetime import datetime
from typing import Any

from pydantic import BaseModel, SecretStr

from certdesk.foundation.common import clock
from certdesk.foundation.common.errors import BadParameter
from certdesk.foundation.iam import finding, tokens
from certdesk.foundation.iam.models import Account, Token
from certdesk.foundation.iam.principal import Principal

from .people_schemas import LONGEST_PASSWORD
from .registry import Headed, operation
from .schemas import Body, Line

TOKENS = "/v3/auth/tokens"


class ProjectQuery(BaseModel):
    name: str = ""


@operation("identity.domains", "GET", "/v3/auth/domains", "iam:accounts:get", everyone=True)
def domains(principal: Principal) -> dict[str, Any]:
    """The account of the key that signed; the official SDK takes its id once a process."""
    account = Account.objects.get(id=principal.account_id)
    return {
        "domains": [
            {
                "id": account.id,
                "name": account.name,
                "enabled": True,
                "description": "",
                "links": {"self": ""},
            }
        ],
        "links": {"self": "", "previous": None, "next": None},
    }


@operation("identity.projects", "GET", "/v3/projects", "iam:projects:list", query=ProjectQuery, everyone=True)
def projects(principal: Principal, query: ProjectQuery) -> dict[str, Any]:
    """Exactly one project, of whatever name is asked for: the service has no regions."""
    account = Account.objects.get(id=principal.account_id)
    project = {
        "id": account.id,
        "name": query.name or account.name,
        "domain_id": account.id,
        "parent_id": account.id,
        "is_domain": False,
        "enabled": True,
        "description": "",
        "links": {"self": ""},
    }
    return {"projects": [project], "links": {"self": "", "previous": None, "next": None}}


class _Domain(Body):
    name: Line = ""
    id: Line = ""


class _User(Body):
    name: Line
    password: SecretStr
    domain: _Domain


class _Password(Body):
    user: _User


class _TotpUser(Body):
    id: Line = ""
    passcode: SecretStr


class _Totp(Body):
    user: _TotpUser


class _Identity(Body):
    methods: list[Line]
    password: _Password
    totp: _Totp | None = None


class _Auth(Body):
    identity: _Identity
    scope: dict[str, Any] = {}


class SignIn(Body):
    """`auth.identity.password.user` {name, password, domain {name or id}}, for the method `totp` also
    `auth.identity.totp.user` {id, passcode}; `auth.scope` as well."""

    auth: _Auth


@operation("tokens.create", "POST", TOKENS, "iam:tokens:create", request=SignIn, success=201, public=True)
def create_token(principal: Principal, body: SignIn) -> Headed:
    """A token for a password, in X-Subject-Token; good for 24 h, or until the user is switched off."""
    identity, user = body.auth.identity, body.auth.identity.password.user
    passcode = _passcode(identity)
    password = user.password.get_secret_value()
    if len(password) > LONGEST_PASSWORD:
        raise BadParameter("The password is too long.", field="auth.identity.password.user.password")
    token, made = tokens.create(
        user.domain.id or user.domain.name,
        user.name,
        password,
        clock.real_now(),
        passcode=passcode,
        source=principal.source,
        request_id=principal.request_id,
    )
    return Headed(_token_shape(made, body.auth.scope), {"X-Subject-Token": token})


def _passcode(identity: _Identity) -> str:
    """Empty for the password alone.

    Raises:
        BadParameter: other methods, or `totp` without its code.
    """
    if identity.methods == ["password"]:
        return ""
    code = identity.totp.user.passcode.get_secret_value() if identity.totp else ""
    if sorted(identity.methods) != ["password", "totp"] or not 0 < len(code) <= 64:
        raise BadParameter(
            'auth.identity.methods must be ["password"], or ["password", "totp"] with a passcode.',
            field="auth.identity.methods",
        )
    return code


@operation(
    "tokens.check",
    "GET",
    TOKENS,
    "iam:tokens:get",
    everyone=True,
    headers=(("subject_token", "X-Subject-Token"),),
)
def check_token(principal: Principal, subject_token: str) -> Headed:
    """Whether the token in X-Subject-Token is good: one's own, or with the right one of the account."""
    made = tokens.find(subject_token, clock.real_now())
    if made.user.account_id != principal.account_id:
        raise finding.missing("token", "of that text")
    finding.require_unless_own(principal, "iam:tokens:get", made.user_id)
    return Headed(_token_shape(made, {}), {"X-Subject-Token": subject_token})


def _token_shape(made: Token, scope: dict[str, Any]) -> dict[str, Any]:
    account = made.user.account
    domain = {"id": account.id, "name": account.name}
    about: dict[str, Any] = {"domain": domain}
    project = scope.get("project")
    if isinstance(project, dict):  # the one project, by whatever name it is asked for
        about = {
            "project": {"id": account.id, "name": str(project.get("name", account.name)), "domain": domain}
        }
    roles = [{"id": one.id, "name": one.name} for one in made.user.groups.order_by("name")]
    return {
        "token": {
            "methods": ["password", "totp"] if made.mfa else ["password"],
            "issued_at": _iso(made.issued_at),
            "expires_at": _iso(made.expires_at),
            "user": {"id": made.user.id, "name": made.user.name, "domain": domain},
            "roles": roles,
            "catalog": [],
            **about,
        }
    }


def _iso(moment: datetime) -> str:
    """As IAM v3 writes it."""
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
