"""Who acts, by which door, with which grants. Pure but for the moment that a condition on time asks for."""

import hashlib
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from certdesk.foundation.common import clock
from certdesk.foundation.common.errors import Forbidden, NotFound

from . import rules
from .rules import Asker, Decision, PolicyGrant, Relevant, Resource

__all__ = ["NOBODY", "Decision", "PolicyGrant", "Principal", "Resource", "Via", "system_principal"]


_DECIDED_LIMIT = 1_000


class Via(StrEnum):
    """The door by which a principal came."""

    CONSOLE = "console"
    API = "api"
    CLI = "cli"
    JOB = "job"
    ACME = "acme"
    SYSTEM = "system"


@dataclass(frozen=True, slots=True)
class Principal:
    """Who acts.

    Attributes:
        account_id: the account in which it acts; empty only for the house itself, which acts in all.
        user_id: empty for jobs and the house.
        name: the user's name, or the job's kind.
        access_key: the key that signed the request, if one did.
        source: client address, text.
        agency: the role that a user of another account has assumed, if any (IAM-8).
        mfa: whether a second factor was shown when this session was opened.
        session: it acts by a temporary access key, or has switched to an agency.
        narrowed: what a temporary key is limited to beside all else; None = no further limit.
    """

    account_id: str
    user_id: str
    name: str
    via: Via
    access_key: str = ""
    source: str = ""
    request_id: str = ""
    grants: tuple[PolicyGrant, ...] = ()
    agency: str = ""
    mfa: bool = False
    session: bool = False
    narrowed: tuple[PolicyGrant, ...] | None = None
    timed: bool | None = None  # by its grants, unless the maker knows
    # Shared by all requests of a cached access key: statements by action, so that a decision costs 2 µs,
    # not 40; and decisions by action, source and resource without an id, which each request asks anew.
    _relevant: dict[str, Relevant] = field(default_factory=dict, compare=False, repr=False)
    _decided: dict[tuple[str, str, Resource | None], Decision] = field(
        default_factory=dict, compare=False, repr=False
    )

    def __post_init__(self) -> None:
        if self.timed is None:
            object.__setattr__(self, "timed", rules.is_timed((*self.grants, *(self.narrowed or ()))))

    @property
    def actor(self) -> str:
        """The audit's word for who acted: `user:<id>`, `job:<kind>` or `system`."""
        if self.user_id:
            return f"user:{self.user_id}"
        return f"job:{self.name}" if self.via is Via.JOB else "system"

    @property
    def temporary(self) -> bool:
        """Whether it acts for a while only: then nothing counts as its own, and it makes no keys."""
        return self.session or bool(self.agency)

    @property
    def scope(self) -> str:
        """Whose Idempotency-Keys these are: a user in its own account, or in that of an agency."""
        if not self.agency:
            return self.user_id
        return hashlib.sha256(f"{self.user_id}:{self.agency}".encode()).hexdigest()[:32]

    @property
    def asker(self) -> Asker:
        at = clock.real_now() if self.timed else None
        return Asker(self.account_id, self.user_id, self.name, self.source, at, self.mfa)

    def at(self, *, source: str = "", request_id: str = "") -> "Principal":
        """The same principal in one request."""
        return Principal(
            self.account_id,
            self.user_id,
            self.name,
            self.via,
            self.access_key,
            source,
            request_id,
            self.grants,
            self.agency,
            self.mfa,
            self.session,
            self.narrowed,
            self.timed,
            self._relevant,
            self._decided,
        )

    def decide(self, action: str, resource: Resource | None = None) -> Decision:
        """Whether a policy allows `action`; without a resource: on anything at all (see `rules.decide`)."""
        if resource is not None and not self.owns(resource.account_id):
            return Decision(False, action)
        if self.timed or (resource is not None and (resource.id or resource.names)):
            return self._fresh(action, resource)
        question = (action, self.source, resource)
        decision = self._decided.get(question)
        if decision is None:
            if len(self._decided) >= _DECIDED_LIMIT:
                self._decided.clear()
            decision = self._decided[question] = self._fresh(action, resource)
        return decision

    def _fresh(self, action: str, resource: Resource | None) -> Decision:
        named = self._relevant.get(action)
        if named is None:
            named = self._relevant[action] = rules.relevant(self.grants, action)
        decision = rules.decide_among(named, action, resource, self.asker)
        if self.narrowed is None or not decision.allowed:
            return decision
        return rules.decide(self.narrowed, action, resource, self.asker)

    def owns(self, account_id: str) -> bool:
        return account_id in ("", self.account_id) or not self.account_id

    def may(self, action: str, resource: Resource | None = None) -> bool:
        return self.decide(action, resource).allowed

    def require(self, action: str, resource: Resource | None = None) -> None:
        """Passes, or refuses naming the missing action (IAM-5).

        Raises:
            NotFound: the resource is of another account; nobody learns that it exists.
            Forbidden: no policy allows it, or one denies it; `details["action"]` names the action.
        """
        if resource is not None and not self.owns(resource.account_id):
            raise NotFound(f"There is no {resource.type} {resource.id}.", next_step="Check the id.")
        decision = self.decide(action, resource)
        if not decision.allowed:
            raise forbidden(decision)


def forbidden(decision: Decision) -> Forbidden:
    """The refusal of a decision, in words."""
    policy = decision.denied_by
    reason = f'the policy "{policy}" denies it' if policy else "no policy of yours allows it"
    return Forbidden(
        f"You may not do {decision.action}: {reason}.",
        next_step="Ask an administrator of your account for this permission.",
        details={"action": decision.action},
    )


def fresh_caches() -> dict[str, Any]:
    """For a changed copy of a principal: what the old one remembered does not hold for it."""
    return {"_relevant": {}, "_decided": {}}


NOBODY = Principal("nobody", "", "nobody", Via.API)
"""Who has not said who he is: of no account, may nothing."""

_EVERYTHING = (PolicyGrant("the house", rules.allow("*")),)


def system_principal(account_id: str, kind: str = "system") -> Principal:
    """The house acting for itself in one account (empty = all): may everything there.

    Args:
        kind: a job's kind, or `system`.
    """
    via = Via.SYSTEM if kind == "system" else Via.JOB
    return Principal(account_id, "", kind, via, grants=_EVERYTHING)
