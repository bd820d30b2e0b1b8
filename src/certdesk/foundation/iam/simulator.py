"""What would be decided for a user, and which statements say so. Nothing is done (IAM-3, IAM-4)."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from ipaddress import ip_address

from django.db.models import Q

from certdesk.foundation.common import clock
from certdesk.foundation.common.errors import BadParameter

from . import finding, queries, rules
from .models import User
from .principal import Principal, Via
from .rules import Asker, Decision, Resource

SIMULATE = "iam:policies:simulate"
ROW = ("enterprise_project_id", "owner", "domain", "type", "tags")
CONTEXT = ("source", "time", "mfa", *ROW)
LookUp = Callable[[str], Resource | None]


def simulate(
    principal: Principal,
    user: str,
    action: str,
    resource: str = "",
    context: Mapping[str, object] | None = None,
    look_up: LookUp | None = None,
) -> Decision:
    """The decision for a user of the account.

    Args:
        user: id or name.
        resource: `type:id` or `service:region:account:type:path`; empty = on anything at all.
        context: `source` (address), `time` (`2026-11-30T12:00:00Z`; default now), `mfa`, and of the thing
            itself `enterprise_project_id`, `owner` (user id), `domain` (a name or a list of them), `type`
            and `tags` (an object).
        look_up: the certificate of an id as it really is; what the context says goes before it.

    Raises:
        Forbidden, NotFound: no right to ask, or no such user in this account.
        BadParameter: the action, resource or context cannot be read.
    """
    principal.require(SIMULATE, finding.resource("policy", principal))
    found = User.objects.filter(Q(id=user) | Q(name=user), account_id=principal.account_id).first()
    if found is None:
        raise finding.missing("user", user)
    rules.check_action(action)
    given = dict(context or {})
    strange = sorted(set(given) - set(CONTEXT))
    if strange:
        raise BadParameter(
            f"The context has no {', '.join(strange)}.",
            next_step=f"It has: {', '.join(CONTEXT)}.",
            field="context",
        )
    asker = Asker(
        found.account_id, found.id, found.name, _source(given), _moment(given), given.get("mfa") is True
    )
    grants = queries.principal_of(found, Via.API).grants
    about = _resource(resource, given, principal.account_id, look_up)
    if about is not None and about.account_id != principal.account_id:
        return Decision(False, action)  # nobody may anything with what is another account's
    return rules.decide(grants, action, about, asker)


def reason(answer: Decision) -> str:
    """The decision in one sentence; statements are counted from 1, as the editor shows them."""
    if answer.denied_by:
        one = next(match for match in answer.matched if match.effect is rules.Effect.DENY)
        return f'Statement {one.statement + 1} of the policy "{one.policy}" denies it, and Deny wins.'
    if answer.allowed:
        one = answer.matched[0]
        return f'Statement {one.statement + 1} of the policy "{one.policy}" allows it, and none denies it.'
    return f"No policy allows {answer.action}."


def _source(given: Mapping[str, object]) -> str:
    text = str(given.get("source", ""))
    try:
        return str(ip_address(text)) if text else ""
    except ValueError:
        raise BadParameter(f"{text!r} is not an IP address.", field="context") from None


def _moment(given: Mapping[str, object]) -> datetime:
    text = str(given.get("time", ""))
    if not text:
        return clock.real_now()
    try:
        return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    except ValueError:
        raise BadParameter(
            f"{text!r} is not a time.", next_step="Use the form 2026-11-30T12:00:00Z.", field="context"
        ) from None


def _resource(
    text: str, given: Mapping[str, object], account_id: str, look_up: LookUp | None
) -> Resource | None:
    if not text and not set(ROW) & set(given):
        return None
    parts = text.split(":", 4)
    if len(parts) == 5:
        kind, path = parts[3], parts[4]
        account_id = parts[2] if parts[2] not in ("", "*") else account_id
    elif len(parts) == 2:
        kind, path = parts
    elif text:
        raise BadParameter(
            f"{text!r} is not a resource.",
            next_step="Use type:id, e.g. cert:scs1600313391074.",
            field="resource",
        )
    else:
        kind, path = "cert", ""
    real = look_up(path) if look_up is not None and kind == "cert" and path else None
    return _with(real or Resource(kind, path, account_id), given)


def _with(about: Resource, given: Mapping[str, object]) -> Resource:
    """What the context says of the thing itself."""
    about = replace(
        about,
        enterprise_project_id=str(given.get("enterprise_project_id", about.enterprise_project_id)),
        owner_id=str(given.get("owner", about.owner_id)),
        kind=str(given.get("type", about.kind)),
    )
    if "domain" in given:
        names = given["domain"] if isinstance(given["domain"], list) else [given["domain"]]
        about = replace(about, names=tuple(str(name).lower() for name in names))
    return replace(about, tags=_tags(given["tags"])) if "tags" in given else about


def _tags(given: object) -> tuple[tuple[str, str], ...]:
    if not isinstance(given, Mapping):
        raise BadParameter(
            "tags must be an object of keys and values.", next_step='Use {"team": "web"}.', field="context"
        )
    return tuple((str(key), str(value)) for key, value in given.items())
