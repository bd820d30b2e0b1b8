"""What a look at an answered challenge led to (RFC 8555 §7.5.1, §8)."""

from collections.abc import Sequence
from datetime import datetime

from certdesk.foundation.audit import actions as audit
from certdesk.foundation.iam.principal import system_principal
from certdesk.lifecycle.validation import enrolled
from certdesk.lifecycle.validation.perspectives import Look, Sight
from certdesk.lifecycle.validation.rules import corroborated

from . import authorizations, queries, rules, states
from .errors import AcmeError
from .models import AccountState, Authorization, AuthorizationState, Challenge, ChallengeState

PROVED = "acme.name_proved"
_PROBLEMS = {
    "NO_RECORD": "dns",
    "NXDOMAIN": "dns",
    "SERVFAIL": "dns",
    "CNAME_LOOP": "dns",
    "TIMEOUT": "connection",
    "NO_ANSWER": "connection",
    "ERROR": "connection",
    "REFUSED": "connection",
}
"""What was seen -> problem type; anything else is an incorrectResponse or, of records, unauthorized."""


def open_challenge(challenge_id: str, now: datetime) -> Challenge | None:
    """The challenge while somebody waits for its outcome, held until the transaction ends."""
    one = queries.answered_challenge.first(challenge_id)
    if one is None or states.authorization(one.authorization, now) != AuthorizationState.PENDING:
        return None
    return one if one.authorization.account.state == AccountState.VALID else None


def look_of(challenge: Challenge) -> Look:
    """What is looked for, as it stood when the client answered."""
    expected = rules.key_authorization(challenge.token, challenge.thumbprint)
    name = challenge.authorization.value
    if challenge.type == rules.DNS:
        return Look(0, f"{rules.RECORD_LABEL}.{name}", "TXT", rules.record_value(expected), "DNS")
    path = rules.WELL_KNOWN + challenge.token
    return Look(0, "", "", expected, rules.LOOK[challenge.type], name, path)


def store(challenge: Challenge, sights: Sequence[Sight], now: datetime) -> None:
    """Proved, to be looked at again, or refused. In the caller's transaction, which holds the challenge."""
    primary, remotes = sights[0], sights[1:]
    if corroborated(primary.matches, [one.matches for one in remotes]):
        _prove(challenge, [one.perspective for one in sights if one.matches], primary.seen, now)
        return
    looks = challenge.looks + 1
    wait = states.next_look(looks)
    if wait is None:
        fail(challenge, _problem(challenge, primary, remotes))
        return
    Challenge.objects.filter(id=challenge.id).update(looks=looks)
    authorizations.schedule(challenge.authorization.account, challenge, wait)


def _prove(challenge: Challenge, places: Sequence[str], seen: str, now: datetime) -> None:
    """Nothing where the client has deactivated the authorisation meanwhile."""
    one = challenge.authorization
    if not queries.prove(one.id, now + authorizations.LONGEST_REUSE):
        return
    account_id = one.account.credential.account_id
    book = rules.BR_METHOD_OF_ADDRESS if one.kind == "ip" else rules.BR_METHOD
    evidence_id = enrolled.record(
        account_id,
        one.value,
        whole=one.wildcard,
        method=rules.LOOK[challenge.type],
        br_method=book[challenge.type],
        places=",".join(places),
        seen=seen,
        now=now,
    )
    queries.keep_proof(challenge.id, one.id, evidence_id, now)
    audit.record(
        system_principal(account_id, authorizations.VALIDATE),
        PROVED,
        resource=f"domain:{one.value}",
        account_id=account_id,
        details={"method": challenge.type, "acme_account": one.account_id},
    )


def _problem(challenge: Challenge, primary: Sight, remotes: Sequence[Sight]) -> AcmeError:
    if primary.matches:
        saw = sum(one.matches for one in remotes)
        return AcmeError(
            "unauthorized",
            f"{saw} of {len(remotes)} remote places saw the same, which are too few.",
            status=403,
        )
    usual = "unauthorized" if challenge.type == rules.DNS else "incorrectResponse"
    problem = _PROBLEMS.get(primary.answer, usual)
    if challenge.type != rules.DNS and problem == "dns":
        problem = usual
    return AcmeError(problem, primary.seen, status=403)


def fail(challenge: Challenge, error: AcmeError) -> None:
    """The challenge and with it the authorisation are over (RFC 8555 §7.1.6)."""
    Challenge.objects.filter(id=challenge.id).update(
        state=ChallengeState.INVALID, error=error.document, looks=challenge.looks + 1
    )
    Authorization.objects.filter(id=challenge.authorization_id, state=AuthorizationState.PENDING).update(
        state=AuthorizationState.INVALID
    )
