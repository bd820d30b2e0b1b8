"""Challenges, what was seen, and evidence: the rows behind the proof of each name."""

import random
import secrets
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime

from django.db.models import F

from certdesk.foundation.common import clock, settings
from certdesk.lifecycle.applications.models import Application, ApplicationState
from certdesk.lifecycle.catalogue.rules import Product
from certdesk.pki.x509.names import parse_name

from . import queries, rules
from .models import Challenge, Check, Evidence, NameProof
from .perspectives import Look, Sight

NO_QUORUM = (
    "Not every server of the domain gives everybody the same answer: wait until the change has reached "
    "them all, and let no firewall or geographic answer treat our other places differently."
)


def create(
    application: Application,
    product: Product,
    reuse_days: int,
    now: datetime,
    *,
    ended: Collection[str] = (),
) -> list[Challenge]:
    """A proof row for each name, bound to reusable evidence (DOM-13) or to a challenge; answers those.

    Args:
        ended: methods whose proofs count no more.
    """
    names = [parse_name(text, allow_internal=product.allow_internal) for text in application.names.split(";")]
    wanted = rules.plan(names, application.domain_method)
    since = rules.reuse_since(reuse_days, now)
    found = queries.reusable(application.account_id, wanted, since, now, ended=ended)
    evidence = {name: found.of(name, one.covered_by) for one in wanted for name in one.names}
    missing = [one for one in wanted if any(evidence[name] is None for name in one.names)]
    made = Challenge.objects.bulk_create([_challenge(application, product, one, now) for one in missing])
    challenges = {one.authorization_domain: one for one in made}
    position = {name.text: place for place, name in enumerate(names)}
    NameProof.objects.bulk_create(
        NameProof(
            application=application,
            name=name,
            position=position[name],
            challenge=challenges[one.authorization_domain] if known is None else None,
            evidence_id=known[0] if known else None,
            reused=known is not None,
        )
        for one in wanted
        for name in one.names
        for known in (evidence[name],)
    )
    return made


def _challenge(application: Application, product: Product, wanted: rules.Wanted, now: datetime) -> Challenge:
    """Only a record has a type; the values of files and mails are plain."""
    record_type = product.record_type if application.domain_method == "DNS" else ""
    return Challenge(
        application=application,
        account_id=application.account_id,
        certificate_id=application.certificate_id,
        authorization_domain=wanted.authorization_domain,
        method=application.domain_method,
        record_name=wanted.record_name,
        record_type=record_type,
        value=fresh_value(record_type),
        value_made_at=now,
    )


def fresh_value(record_type: str) -> str:
    return rules.record_value(record_type, settings.get().dcv_zone, secrets.token_hex)


def renew_old_values(application: Application, now: datetime) -> list[Challenge]:
    """Gives challenges whose value is too old a new one (DOM-11); answers those.

    Mails are left out: nobody gets a new one a month unasked. Their page offers to send again.
    """
    renewed = []
    for challenge in looked_at(application.id):
        if rules.value_is_old(challenge.value_made_at, now):
            challenge.value = fresh_value(challenge.record_type)
            challenge.value_made_at = now
            challenge.next_check_at = None
            challenge.save(update_fields=["value", "value_made_at", "next_check_at"])
            renewed.append(challenge)
    return renewed


def unproved(application_id: int) -> list[Challenge]:
    return list(
        Challenge.objects.filter(application_id=application_id, verified_at__isnull=True).order_by("id")
    )


def looked_at(application_id: int) -> list[Challenge]:
    """The unproved ones that can be looked at; a mail's answer comes by itself."""
    return [one for one in unproved(application_id) if one.method != "EMAIL"]


def looks(challenges: Iterable[Challenge]) -> tuple[Look, ...]:
    return tuple(
        Look(one.id, one.record_name, one.record_type, one.value, one.method, one.authorization_domain)
        for one in challenges
    )


def lock(application_id: int) -> Application | None:
    """The open application, held until the transaction ends; always taken before the certificate's row."""
    return (
        Application.objects.select_for_update().filter(id=application_id, state=ApplicationState.OPEN).first()
    )


def lock_of(certificate_id: str) -> Application | None:
    """As `lock`, of whatever application of this certificate is open; at most one is."""
    held = Application.objects.select_for_update()
    return held.filter(certificate_id=certificate_id, state=ApplicationState.OPEN).first()


def lock_ahead(challenge_id: int) -> Challenge | None:
    """A challenge ahead of any order, held until the transaction ends."""
    return Challenge.objects.select_for_update().filter(id=challenge_id, application__isnull=True).first()


def record(application: Application, sights: Sequence[Sight], now: datetime) -> None:
    """Logs every look, and makes evidence of each that matched. The caller holds `lock`."""
    ids = [sight.look.challenge_id for sight in sights]
    write(Challenge.objects.filter(application=application).in_bulk(ids), sights, now)


def write(challenges: Mapping[int, Challenge], sights: Sequence[Sight], now: datetime) -> None:
    """As `record`, for challenges that the caller holds; looks at others are passed over."""
    Check.objects.bulk_create(
        Check(
            challenge_id=sight.look.challenge_id,
            at=now,
            perspective=sight.perspective,
            answer=sight.answer,
            seen=sight.seen,
            cause=sight.cause,
        )
        for sight in sights
        if sight.look.challenge_id in challenges
    )
    for challenge_id, seen in _by_challenge(sights).items():
        challenge = challenges.get(challenge_id)
        if challenge is not None and challenge.verified_at is None:
            _settle(challenge, seen, now)


def _by_challenge(sights: Iterable[Sight]) -> dict[int, list[Sight]]:
    """What each place saw of a challenge; the primary place first, as `look_all` gives it."""
    found: dict[int, list[Sight]] = {}
    for sight in sights:
        found.setdefault(sight.look.challenge_id, []).append(sight)
    return found


def _settle(challenge: Challenge, seen: Sequence[Sight], now: datetime) -> None:
    """A match counts only for the value that is asked for now: it may have been renewed during the look."""
    primary, remotes = seen[0], seen[1:]
    current = challenge.value == primary.look.value and not rules.value_is_old(challenge.value_made_at, now)
    enough = rules.corroborated(primary.matches, [one.matches for one in remotes])
    if primary.matches and remotes:
        _log_quorum(challenge, remotes, enough=enough, now=now)
    if not (enough and current):
        delay = rules.next_delay(challenge.checks_made + 1, random.random())  # noqa: S311 spread, no secret
        Challenge.objects.filter(id=challenge.id).update(
            checks_made=F("checks_made") + 1, next_check_at=clock.real_now() + delay
        )
        return
    Challenge.objects.filter(id=challenge.id).update(checks_made=F("checks_made") + 1)
    places = ",".join(one.perspective for one in seen if one.matches)
    prove(challenge, places, primary.seen, now)


def _log_quorum(challenge: Challenge, remotes: Sequence[Sight], *, enough: bool, now: datetime) -> None:
    """How many places agreed, beside what each of them saw (Baseline Requirements 3.2.2.9)."""
    saw = sum(one.matches for one in remotes)
    most = rules.allowed_to_disagree(len(remotes))
    Check.objects.create(
        challenge=challenge,
        at=now,
        perspective="quorum",
        answer="MATCH" if enough else "NO_QUORUM",
        seen=f"{saw} of {len(remotes)} remote places saw the same; at most {most} may disagree.",
        cause="" if enough else NO_QUORUM,
    )


def log(challenge: Challenge, perspective: str, seen: str, now: datetime) -> None:
    """What came by itself stands among the looks, as the one that matched (DOM-11)."""
    Check.objects.create(challenge=challenge, at=now, perspective=perspective[:40], answer="MATCH", seen=seen)


def prove(challenge: Challenge, perspective: str, seen: str, now: datetime) -> None:
    """Makes evidence of a challenge and gives it to its names. The caller holds `lock`."""
    Challenge.objects.filter(id=challenge.id).update(verified_at=now, next_check_at=None)
    evidence = Evidence.objects.create(
        account_id=challenge.account_id,
        authorization_domain=challenge.authorization_domain,
        name=challenge.authorization_domain if challenge.method == "FILE" else "",
        method=challenge.method,
        br_method=rules.BR_METHOD[challenge.method],
        perspective=perspective,
        seen=seen,
        at=now,
        application_id=challenge.application_id or 0,
    )
    NameProof.objects.filter(challenge=challenge, evidence__isnull=True).update(evidence=evidence)


def void(application_id: int, now: datetime) -> int:
    """WDR-5: what was gathered under a withdrawn application proves nothing for those opened from now on."""
    return Evidence.objects.filter(application_id=application_id, void_at__isnull=True).update(void_at=now)
