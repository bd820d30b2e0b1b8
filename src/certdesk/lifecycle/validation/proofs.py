"""Challenges, what was seen, and evidence: the rows behind the proof of each name."""

import random
import secrets
from collections.abc import Iterable, Sequence
from datetime import datetime

from django.db.models import F

from certdesk.foundation.common import clock, settings
from certdesk.lifecycle.applications.models import Application, ApplicationState
from certdesk.lifecycle.catalogue.rules import Product
from certdesk.pki.x509.names import parse_name

from . import queries, rules
from .models import Challenge, Check, Evidence, NameProof
from .perspectives import Look, Sight


def create(application: Application, product: Product, reuse_days: int, now: datetime) -> list[Challenge]:
    """A proof row for each name, bound to reusable evidence (DOM-13) or to a challenge; answers those."""
    names = [parse_name(text, allow_internal=product.allow_internal) for text in application.names.split(";")]
    wanted = rules.plan(names)
    evidence = queries.reusable(
        application.account_id,
        [one.authorization_domain for one in wanted],
        rules.reuse_since(reuse_days, now),
        now,
    )
    missing = [one for one in wanted if one.authorization_domain not in evidence]
    made = Challenge.objects.bulk_create([_challenge(application, product, one, now) for one in missing])
    challenges = {one.authorization_domain: one for one in made}
    position = {name.text: place for place, name in enumerate(names)}
    NameProof.objects.bulk_create(
        NameProof(
            application=application,
            name=name,
            position=position[name],
            challenge=challenges.get(one.authorization_domain),
            evidence_id=evidence[one.authorization_domain][0]
            if one.authorization_domain in evidence
            else None,
            reused=one.authorization_domain in evidence,
        )
        for one in wanted
        for name in one.names
    )
    return made


def _challenge(application: Application, product: Product, wanted: rules.Wanted, now: datetime) -> Challenge:
    return Challenge(
        application=application,
        account_id=application.account_id,
        certificate_id=application.certificate_id,
        authorization_domain=wanted.authorization_domain,
        method=application.domain_method,
        record_name=wanted.record_name,
        record_type=product.record_type,
        value=fresh_value(product.record_type),
        value_made_at=now,
    )


def fresh_value(record_type: str) -> str:
    return rules.record_value(record_type, settings.get().dcv_zone, secrets.token_hex)


def renew_old_values(application: Application, now: datetime) -> list[Challenge]:
    """Gives challenges whose value is too old a new one (DOM-11); answers those."""
    renewed = []
    for challenge in unproved(application.id):
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


def looks(challenges: Iterable[Challenge]) -> tuple[Look, ...]:
    return tuple(Look(one.id, one.record_name, one.record_type, one.value) for one in challenges)


def lock(application_id: int) -> Application | None:
    """The open application, held until the transaction ends; always taken before the certificate's row."""
    return (
        Application.objects.select_for_update().filter(id=application_id, state=ApplicationState.OPEN).first()
    )


def record(application: Application, sights: Sequence[Sight], now: datetime) -> None:
    """Logs every look, and makes evidence of each that matched. The caller holds `lock`."""
    ids = [sight.look.challenge_id for sight in sights]
    challenges = Challenge.objects.filter(application=application).in_bulk(ids)
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
    for sight in sights:
        challenge = challenges.get(sight.look.challenge_id)
        if challenge is not None and challenge.verified_at is None:
            _settle(challenge, sight, now)


def _settle(challenge: Challenge, sight: Sight, now: datetime) -> None:
    """A match counts only for the value that is asked for now: it may have been renewed during the look."""
    current = challenge.value == sight.look.value and not rules.value_is_old(challenge.value_made_at, now)
    if not (sight.matches and current):
        delay = rules.next_delay(challenge.checks_made + 1, random.random())  # noqa: S311 spread, no secret
        Challenge.objects.filter(id=challenge.id).update(
            checks_made=F("checks_made") + 1, next_check_at=clock.real_now() + delay
        )
        return
    Challenge.objects.filter(id=challenge.id).update(
        checks_made=F("checks_made") + 1, verified_at=now, next_check_at=None
    )
    evidence = Evidence.objects.create(
        account_id=challenge.account_id,
        authorization_domain=challenge.authorization_domain,
        method=challenge.method,
        br_method=rules.BR_METHOD[challenge.method],
        perspective=sight.perspective,
        seen=sight.seen,
        at=now,
        application_id=challenge.application_id,
    )
    NameProof.objects.filter(challenge=challenge, evidence__isnull=True).update(evidence=evidence)


def void(application_id: int, now: datetime) -> int:
    """WDR-5: what was gathered under a withdrawn application proves nothing for those opened from now on."""
    return Evidence.objects.filter(application_id=application_id, void_at__isnull=True).update(void_at=now)
