"""Authorisations: reused, known from earlier proofs, or to be proved (RFC 8555 §7.1.4, §7.4.1)."""

import secrets
from datetime import datetime, timedelta

from certdesk.foundation.audit import actions as audit
from certdesk.foundation.common import clock, ids, settings
from certdesk.foundation.common.sql import short_transaction
from certdesk.foundation.jobs import actions as jobs
from certdesk.lifecycle.catalogue.rules import Product
from certdesk.lifecycle.validation import enrolled

from . import accounts, queries, rules, states
from .errors import AcmeError, malformed, not_found
from .models import Account, Authorization, AuthorizationState, Challenge, ChallengeState, Order
from .rules import Asked

VALIDATE = "enrolment.validate"
MOST_PENDING = 3000
LONGEST_REUSE = timedelta(days=30)
DEACTIVATED = "acme.authorization_deactivated"
_OPEN = (AuthorizationState.PENDING, AuthorizationState.VALID)


def of(account: Account, authorization_id: str) -> Authorization:
    """Raises:
    AcmeError: 404 for what is not there and what is another account's.
    """
    found = queries.authorization_of.first(authorization_id, account.id)
    if found is None:
        raise not_found("authorization")
    found.account = account
    return found


def of_order(order: Order) -> list[Authorization]:
    return queries.authorizations_of_order.all(order.id)


def challenge_of(account: Account, challenge_id: str) -> Challenge:
    """Raises:
    AcmeError: as `of`.
    """
    one = queries.challenge_of.first(challenge_id, account.id)
    if one is None:
        raise not_found("challenge")
    return one


def state_of(one: Authorization, now: datetime) -> str:
    return states.authorization(one, now)


def obtain(account: Account, asked: Asked, product: Product, now: datetime) -> Authorization:
    """The authorisation for one name of an order, in the caller's transaction.

    A pending or valid one is used again. One that an earlier proof of the account covers is valid from the
    start: nobody proves a name twice within the issuer's period (DOM-13).
    """
    known = enrolled.known(account.credential.account_id, asked.name, product, now)
    name = asked.name
    open_ones = queries.open_authorizations.all(account.id, name.base, name.wildcard, clock.to_micros(now))
    for one in open_ones:
        if one.state == AuthorizationState.PENDING and known is None:
            return one
        if one.state == AuthorizationState.VALID and known is not None:
            return one
    return _make(account, asked, known, now)


def _make(account: Account, asked: Asked, known: enrolled.Known | None, now: datetime) -> Authorization:
    if known is None and queries.waiting(account.id, now, MOST_PENDING) >= MOST_PENDING:
        raise AcmeError(
            "rateLimited",
            f"{MOST_PENDING} names of this account wait for their proof already.",
            status=429,
            headers={"Retry-After": "3600"},
        )
    until = min(known.until, now + LONGEST_REUSE) if known else now + states.PENDING_LIFE
    made = Authorization(
        id=ids.hex32(),
        account=account,
        kind=asked.kind,
        value=asked.name.base,
        wildcard=asked.name.wildcard,
        state=AuthorizationState.VALID if known else AuthorizationState.PENDING,
        evidence_id=known.evidence_id if known else None,
        created_at=now,
        expires_at=until,
    )
    queries.new_authorization.insert(made)
    types = rules.challenge_types(
        asked.kind, wildcard=asked.name.wildcard, alpn=not settings.get().perspectives
    )
    ways = [_challenge(made, place, kind, now) for place, kind in enumerate(types)]
    queries.new_challenges.insert(*ways)
    return made


def _challenge(one: Authorization, place: int, kind: str, now: datetime) -> Challenge:
    """Of a name that was proved before, each way counts as gone: some clients look for a valid one."""
    done = one.state == AuthorizationState.VALID and place == 0
    return Challenge(
        id=ids.hex32(),
        authorization=one,
        place=place,
        type=kind,
        token=secrets.token_urlsafe(32),
        state=ChallengeState.VALID if done else ChallengeState.PENDING,
        validated_at=now if done else None,
    )


def shown(one: Authorization) -> list[Challenge]:
    """What clients see: all ways while it is pending, afterwards the one that decided (RFC 8555 §7.1.4)."""
    found = queries.challenges_of.all(one.id)
    if one.state == AuthorizationState.PENDING:
        return found
    wanted = ChallengeState.VALID if one.state == AuthorizationState.VALID else ChallengeState.INVALID
    return [each for each in found if each.state == wanted] or found


def answer(account: Account, challenge: Challenge, now: datetime) -> Challenge:
    """The client says that it is ready (RFC 8555 §7.5.1); a worker looks within a second. Twice is no error.

    Raises:
        AcmeError: the authorisation is over.
    """
    if challenge.state != ChallengeState.PENDING:
        return challenge
    if state_of(challenge.authorization, now) != AuthorizationState.PENDING:
        raise malformed("The authorization is not pending any more.")
    with short_transaction():
        if not queries.answer_challenge(challenge.id, account.thumbprint):
            return challenge_of(account, challenge.id)
        schedule(account, challenge, 0.0)
    challenge.state, challenge.thumbprint, challenge.looks = ChallengeState.PROCESSING, account.thumbprint, 0
    return challenge


def schedule(account: Account, challenge: Challenge, seconds: float) -> None:
    """The next look; one waits at most."""
    credential = account.credential
    jobs.enqueue(
        VALIDATE,
        {"challenge": challenge.id, "account_id": credential.account_id, "user_id": credential.user_id},
        subject=challenge.authorization.value[:64],
        run_at=clock.real_now() + timedelta(seconds=seconds),
        dedupe_key=f"{VALIDATE}:{challenge.id}",
    )


def deactivate(one: Authorization, now: datetime, source: str = "") -> Authorization:
    """RFC 8555 §7.5.2. What was proved stays proved for the account; this client no longer relies on it.

    Raises:
        AcmeError: it is over already.
    """
    if state_of(one, now) not in _OPEN:
        raise malformed("The authorization is over already.")
    who = accounts.principal(one.account, source)
    with short_transaction():
        if not Authorization.objects.filter(id=one.id, state__in=_OPEN).update(
            state=AuthorizationState.DEACTIVATED
        ):
            raise malformed("The authorization is over already.")
        audit.record(
            who,
            DEACTIVATED,
            resource=f"domain:{one.value}",
            account_id=who.account_id,
            details={"acme_account": one.account_id, "authorization": one.id},
        )
    one.state = AuthorizationState.DEACTIVATED
    return one
