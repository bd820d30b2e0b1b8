"""Proving a name ahead of any order (DOM-13): a challenge of the account, looked at as those of orders.

The evidence is the account's: whatever is ordered later may lean on it within the issuer's reuse period.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Q

from certdesk.foundation.audit import actions as audit
from certdesk.foundation.common import clock
from certdesk.foundation.common.errors import BadParameter, CertdeskError, Kind, NotFound
from certdesk.foundation.common.sql import short_transaction
from certdesk.foundation.iam.principal import Principal, system_principal
from certdesk.foundation.jobs import actions as jobs
from certdesk.lifecycle.catalogue.queries import catalogue
from certdesk.lifecycle.catalogue.rules import Product
from certdesk.pki.x509.names import Name, parse_name

from . import confirmations, domains, mails, proofs, queries, rules
from .models import Challenge, Check, Evidence
from .perspectives import LOCAL, Perspective, Sight, look_all
from .queries import NameInfo

PROVE = "scm:domain:prove"
JOB = "validation.prove"
PROVED = "domain.proved"
LOOK_SECONDS = 8.0
"""What a repeated call waits for at most; the answer comes within 10 s."""

LOOK_YOURSELF = "The workers look no more. Whoever has the right can start the proof again."
RECORD_TYPE = "TXT"
MOST_OPEN = 1000  # names of an account that are looked for at a time
MOST_MAILED = 20  # of them by mail: nobody uses us to write to the administrators of the world


@dataclass(frozen=True, slots=True)
class Ahead:
    """How the proof of one name stands.

    Attributes:
        status: PENDING, FAILED (the last look saw something else), VERIFIED, or EXPIRED (value too old).
        info: what to put where, and what the looks saw; None where an earlier proof counts as it is.
        proof: the evidence that counts now, if any does.
        expires_at: when the value that is asked for ends; None when nothing is asked for.
    """

    name: str
    method: str
    status: str
    info: NameInfo | None
    proof: Evidence | None
    reuse: tuple[domains.Reuse, ...]
    expires_at: datetime | None


@dataclass(frozen=True, slots=True)
class _Wish:
    """One name and method that passed the gate."""

    name: Name
    wanted: rules.Wanted
    method: str


def prove(
    principal: Principal,
    name: str,
    method: str = "DNS",
    *,
    renew: bool = False,
    address: str = "",
    perspective: Perspective = LOCAL,
) -> Ahead:
    """Asks for the proof of a name, or looks whether it is there by now. The same call again changes nothing
    but that: the value stays until it is proved or 30 days old.

    Args:
        renew: ask anew although a proof counts; one of the last 24 hours is taken as the answer.
        address: EMAIL: the mailbox to write to (again), within the limits of re-sends.

    Raises:
        Forbidden: no `scm:domain:prove`.
        BadName, BadParameter: a name or method that no product takes.
        CertdeskError: QUOTA; TOO_MANY for an `address` written to a short while ago.
    """
    domains.require(principal, PROVE)
    wish = _wish(name, method)
    challenge, new = _ask(principal, wish, renew=renew)
    if challenge is not None and address:
        _mail_again(principal, challenge.id, address)
    elif challenge is not None and not new and challenge.method != "EMAIL":
        _look(challenge.id, perspective)
    return _standing(principal.account_id, wish, challenge.id if challenge else None)


def show(principal: Principal, name: str, method: str = "") -> Ahead | None:
    """How it stands; None when nothing was asked for and no proof counts. Changes nothing, asks nobody.

    Args:
        method: empty = that of the challenge made last.

    Raises:
        Forbidden: no `scm:domain:prove`.
        BadName, BadParameter: as `prove`.
    """
    domains.require(principal, PROVE)
    wishes = [_wish(name, one) for one in ((method,) if method else methods(name))]
    asked = [(one, made) for one in wishes if (made := _own(principal.account_id, one))]
    if asked:
        wish, challenge = max(asked, key=lambda one: one[1].value_made_at)
        return _standing(principal.account_id, wish, challenge.id)
    if wishes and _counting(principal.account_id, wishes[0], clock.now()):
        return _standing(principal.account_id, wishes[0], None)
    return None


def methods(name: str) -> tuple[str, ...]:
    """Those by which the name can be proved now.

    Raises:
        BadName: by none, since no certificate may hold it.
    """
    found = []
    for method in rules.BR_METHOD:
        try:
            _wish(name, method)
        except BadParameter:
            continue
        found.append(method)
    return tuple(found)


def _wish(text: str, method: str) -> _Wish:
    products = _products()
    name = parse_name(text.strip().lower(), allow_internal=any(one.allow_internal for one in products))
    method = method.upper()
    fault = _fault(name, method, products)
    if fault:
        raise BadParameter(fault, next_step="Choose another method.", field="method")
    return _Wish(name, rules.plan([name], method)[0], method)


def _products() -> list[Product]:
    """What can be bought; where nothing can, what is listed."""
    listed = catalogue().products
    return [one for one in listed if one.available] or list(listed)


def _fault(name: Name, method: str, products: Sequence[Product]) -> str:
    """APP-13, for whatever may be ordered later."""
    if method not in rules.BR_METHOD:
        return f"The verification method {method[:20]!r} is not known."
    if method == "FILE" and name.wildcard:
        return "The file method cannot prove a wildcard name."
    book, today = catalogue(), clock.now().date()
    offering = [one for one in products if method in one.methods]
    if not offering:
        return f"No certificate type offers the verification method {method}."
    if all(method in book.ended_methods(one, today) for one in offering):
        return f"Verification by {method.lower()} has ended (Baseline Requirements)."
    return ""


def _counting(account_id: str, wish: _Wish, now: datetime) -> Evidence | None:
    """The youngest evidence for the name that every issuer takes now."""
    book, products, today = catalogue(), _products(), now.date()
    days = min(book.reuse_days(one, today) for one in products)
    ended = set.intersection(*(set(book.ended_methods(one, today)) for one in products))
    since = rules.reuse_since(days, now)
    found = queries.reusable(account_id, [wish.wanted], since, now, ended=ended)
    known = found.of(wish.name.text, wish.wanted.covered_by)
    return Evidence.objects.get(id=known[0]) if known else None


def _own(account_id: str, wish: _Wish) -> Challenge | None:
    return Challenge.objects.filter(
        account_id=account_id,
        application__isnull=True,
        authorization_domain=wish.wanted.authorization_domain,
        method=wish.method,
    ).first()


def _ask(principal: Principal, wish: _Wish, *, renew: bool) -> tuple[Challenge | None, bool]:
    """The challenge to be met, and whether it is new; None when an earlier proof counts."""
    with short_transaction():
        now = clock.now()
        proof = _counting(principal.account_id, wish, now)
        if proof is not None and not (renew and now - proof.at > rules.RENEW_AFTER):
            return None, False
        known = _own(principal.account_id, wish)
        challenge = known and proofs.lock_ahead(known.id)
        if challenge and not challenge.verified_at and not rules.value_is_old(challenge.value_made_at, now):
            return challenge, False
        _check_quota(principal.account_id, wish.method, now)
        made = _make(principal, wish, challenge, now)
        audit.record(
            principal,
            PROVE,
            resource=f"domain:{wish.name.text}",
            account_id=principal.account_id,
            details={"method": wish.method, "domain": made.authorization_domain},
        )
    return made, True


def _check_quota(account_id: str, method: str, now: datetime) -> None:
    waiting = Challenge.objects.filter(
        account_id=account_id,
        application__isnull=True,
        verified_at__isnull=True,
        value_made_at__gte=now - rules.VALUE_LIFE,
    )
    mailed = method == "EMAIL" and waiting.filter(method="EMAIL").count() >= MOST_MAILED
    if mailed or waiting.count() >= MOST_OPEN:
        raise CertdeskError(
            f"{MOST_MAILED if mailed else MOST_OPEN} names of the account wait for their proof already.",
            next_step="Prove those first, or wait until they expire (30 days).",
            kind=Kind.QUOTA,
        )


def _make(principal: Principal, wish: _Wish, old: Challenge | None, now: datetime) -> Challenge:
    """A fresh value, in the row of the last one where there was one; workers look, or mails go out."""
    record_type = RECORD_TYPE if wish.method == "DNS" else ""
    challenge = old or Challenge(
        account_id=principal.account_id,
        authorization_domain=wish.wanted.authorization_domain,
        method=wish.method,
        record_name=wish.wanted.record_name,
        record_type=record_type,
    )
    challenge.asked_by = principal.user_id
    challenge.value, challenge.value_made_at = proofs.fresh_value(record_type), now
    challenge.verified_at, challenge.next_check_at, challenge.checks_made = None, None, 0
    challenge.save()
    if wish.method == "EMAIL":
        confirmations.send_first(_asker(challenge), [challenge], now)
    else:
        schedule(challenge, clock.real_now() + rules.FIRST_DELAY)
    return challenge


def _asker(challenge: Challenge) -> mails.Asker:
    return mails.Asker(challenge.account_id, challenge.asked_by)


def schedule(challenge: Challenge, run_at: datetime) -> None:
    """The next look of the workers; one waits at most."""
    jobs.enqueue(
        JOB,
        {"challenge": challenge.id, "account_id": challenge.account_id, "user_id": challenge.asked_by},
        subject=challenge.authorization_domain,
        run_at=run_at,
        dedupe_key=f"{JOB}:{challenge.id}",
    )


def _mail_again(principal: Principal, challenge_id: int, address: str) -> None:
    with short_transaction():
        challenge = proofs.lock_ahead(challenge_id)
        if challenge is None or challenge.method != "EMAIL":
            raise BadParameter("Only a proof by email has mailboxes to write to.", field="address")
        sent = confirmations.send_again(_asker(challenge), challenge, address, clock.now())
        audit.record(
            principal,
            PROVE,
            resource=f"domain:{challenge.authorization_domain}",
            account_id=challenge.account_id,
            details={"mails": sent},
        )


def _look(challenge_id: int, perspective: Perspective) -> None:
    """Looks at once unless somebody does already: then the answer is what is known so far."""
    real = clock.real_now()
    free = Q(busy_until__isnull=True) | Q(busy_until__lt=real) | Q(busy_until__gt=real + timedelta(hours=1))
    turn = Challenge.objects.filter(free, id=challenge_id, verified_at__isnull=True)
    if not turn.update(busy_until=real + timedelta(seconds=LOOK_SECONDS + 2)):
        return
    looks = proofs.looks(Challenge.objects.filter(id=challenge_id))
    sights = asyncio.run(look_all(looks, clock.now(), deadline=LOOK_SECONDS, perspective=perspective))
    with short_transaction():
        Challenge.objects.filter(id=challenge_id).update(busy_until=None)
        store(challenge_id, sights, clock.now())


def store(challenge_id: int, sights: Sequence[Sight], now: datetime) -> Challenge | None:
    """Writes what was seen, in the caller's transaction; answers the challenge while it still waits."""
    challenge = proofs.lock_ahead(challenge_id)
    if challenge is None or challenge.verified_at is not None:
        return None
    proofs.write({challenge.id: challenge}, sights, now)
    challenge.refresh_from_db()
    if challenge.verified_at is None:
        return challenge
    audit.record(
        system_principal(challenge.account_id, JOB),
        PROVED,
        resource=f"domain:{challenge.authorization_domain}",
        account_id=challenge.account_id,
        details={"method": challenge.method},
    )
    return None


def tell_end(challenge_id: int, sentence: str, now: datetime) -> None:
    """Says at the name that the workers look no more, and why."""
    Check.objects.create(
        challenge_id=challenge_id, at=now, answer="ENDED", seen=sentence, cause=LOOK_YOURSELF
    )


def _standing(account_id: str, wish: _Wish, asked: int | None) -> Ahead:
    now = clock.now()
    proof = _counting(account_id, wish, now)
    challenge = Challenge.objects.filter(id=asked).first() if asked else _own(account_id, wish)
    waiting = challenge is not None and challenge.verified_at is None
    old = challenge is not None and rules.value_is_old(challenge.value_made_at, now)
    info = queries.ahead_info(challenge, wish.name.text, None if waiting else proof) if challenge else None
    status = str(info.status) if info else "VERIFIED"
    if waiting and not asked and proof is not None:
        status = "VERIFIED"  # proved another way meanwhile
    elif challenge is not None and (old if waiting else proof is None):
        status = "EXPIRED"
    reuse = domains.reuse_of(proof.at, now) if proof else ()
    expires = challenge.value_made_at + rules.VALUE_LIFE if waiting and challenge else None
    return Ahead(wish.name.text, wish.method, status, info, proof, reuse, expires)


def file_of(principal: Principal, name: str) -> str:
    """The content of the file that proves the name.

    Raises:
        NotFound: no file is asked for.
    """
    found = show(principal, name, "FILE")
    if found is None or found.info is None:
        raise NotFound(f"No file is asked for to prove {name[:100]}.", next_step="Start the proof first.")
    return found.info.file_content
