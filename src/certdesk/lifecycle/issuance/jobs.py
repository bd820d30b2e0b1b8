"""Issuance by workers: get the key and ask CAA, record the intent, sign, store; settle what was left open."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import cast

from certdesk.foundation.common import clock
from certdesk.foundation.common.errors import CertdeskError
from certdesk.foundation.iam.principal import Principal, system_principal
from certdesk.foundation.jobs import actions as jobs
from certdesk.foundation.jobs.errors import RetryAfter
from certdesk.foundation.jobs.models import Job
from certdesk.foundation.jobs.registry import Handler, handler, periodic, subscribe
from certdesk.foundation.jobs.rules import WAITS
from certdesk.lifecycle.applications import actions as applications
from certdesk.lifecycle.applications import queries as application_queries
from certdesk.lifecycle.applications.models import Application
from certdesk.lifecycle.applications.purposes import is_beside, may_sign
from certdesk.lifecycle.catalogue.rules import Product
from certdesk.lifecycle.certificates import actions as certificates
from certdesk.lifecycle.certificates.models import Certificate
from certdesk.lifecycle.certificates.states import State
from certdesk.lifecycle.validation import caa, proofs
from certdesk.lifecycle.validation import queries as validation
from certdesk.lifecycle.validation.organization import COMPLETE
from certdesk.pki.authority.errors import NotIntended
from certdesk.pki.authority.issue import Prepared
from certdesk.pki.authority.lint import Finding
from certdesk.pki.authority.shapes import Sample
from certdesk.pki.authority.types import Signed
from certdesk.pki.keystore import actions as keystore
from certdesk.pki.keystore.errors import KeyNotReady
from certdesk.pki.x509 import keys
from certdesk.pki.x509.keys import KeyAlgorithm, PrivateKey

from . import (
    advice_jobs,
    followup,
    followup_jobs,
    issuers,
    limit_jobs,
    outside,
    outside_jobs,
    outside_orders,
    pipeline,
    reconcile,
    revocation_jobs,
    withdrawal,
)
from .actions import PLACE, SIGN, WITHDRAWAL
from .errors import IssuerRefused
from .issuers import Issuer
from .models import Placement

RECONCILE = "issuance.reconcile"
FORGET = "issuance.forget_rollover"
CAA_SECONDS = 40.0
CAA_PAUSE = 60.0
NOBODY_PAUSE = 60.0
ASK_AGAIN = (
    "Nothing is lost: it is asked again every minute. Make the name servers of this domain answer for CAA."
)
RECONCILE_SECONDS = 5.0
"""Shorter than the promised minute: whatever was killed, nothing stays open 10 s after a start."""

_FOR_EVER = 1_000_000  # an outage of the issuer never loses an application (ISS-4)
_LOCK = "issuance:{subject}"


def _open(certificate_id: str) -> tuple[Certificate, Application] | None:
    """The certificate whose open application may be signed, with that; the application's row is held."""
    locked = proofs.lock_of(certificate_id)
    certificate = Certificate.objects.filter(id=certificate_id).first()
    if certificate is None or locked is None or not may_sign(locked.purpose, certificate.state):
        return None
    if is_beside(locked.purpose) and not validation.all_proved(locked):
        return None  # its state does not say how far it is
    return certificate, locked


def _principal(job: Job, certificate: Certificate) -> Principal:
    return system_principal(certificate.account_id, job.kind)


def _refuse(job: Job, error: BaseException) -> None:
    """Only the issuer's own no ends an application; any other loss is found by the reconciler."""
    found = _open(job.subject)
    if isinstance(error, IssuerRefused) and found:
        pipeline.refuse(_principal(job, found[0]), *found, str(error), clock.now())


@dataclass(frozen=True, slots=True)
class Needs:
    """What must come from outside before the issuer is asked.

    Attributes:
        slug: the issuer that CAA is asked for; empty where only the house issues.
        passed: slugs that CAA does not permit, each with its sentence.
    """

    application_id: int
    make_key: KeyAlgorithm | None
    caa: caa.Asked | None
    slug: str = ""
    passed: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Brought:
    key: PrivateKey | None
    caa: tuple[caa.Said, ...]


@handler(PLACE, max_attempts=_FOR_EVER, lock=_LOCK)
class Place(Handler[Needs, Brought]):
    """Gets the key and the permission by CAA, then has the certificate signed."""

    def load(self, job: Job) -> Needs | None:
        found = _open(job.subject)
        if found is None:
            return None
        certificate, application = found
        passed = dict(job.payload.get("passed", {}))
        slug = _first_choice(certificate, application, passed)
        asked = _caa(application, application_queries.product_of(certificate), slug)
        needs = Needs(application.id, _key_to_make(application), asked, slug, passed)
        if needs.make_key is None and needs.caa is None:
            _sign_next(certificate.id, slug, passed)
            return None
        return needs

    async def perform(self, work: Needs) -> Brought:
        key = await asyncio.to_thread(keys.generate, work.make_key) if work.make_key else None
        said = await caa.ask(work.caa, deadline=CAA_SECONDS) if work.caa else ()
        return Brought(key, said)

    def store(self, job: Job, work: Needs, result: Brought) -> None:
        found = _open(job.subject)
        if found is None or found[1].id != work.application_id:
            return
        certificate, application = found
        if result.key is not None and application.spki is None:
            key = keystore.store_made(certificate.account_id, result.key)
            applications.set_key(application.id, key.id, bytes(key.spki))
        caa.record(application.id, result.caa, clock.now())
        refusal = caa.first_refusal(result.caa)
        if refusal is None:
            _sign_next(certificate.id, work.slug, work.passed)
        elif not refusal.retryable and _place_elsewhere(certificate, application, work, refusal):
            return
        elif refusal.retryable:
            _ask_again(certificate, refusal)
        else:
            pipeline.refuse(_principal(job, certificate), *found, refusal.sentence, clock.now())

    def failed(self, job: Job, error: BaseException) -> None:
        _refuse(job, error)


def _ask_again(certificate: Certificate, refusal: caa.Said) -> None:
    """A new job and no error of this one: what was seen is kept and shown meanwhile (DOM-12)."""
    words = f"{refusal.sentence} {ASK_AGAIN}"
    certificates.note_failure(certificate.id, State(certificate.state), words, clock.now())
    run_at = clock.real_now() + timedelta(seconds=CAA_PAUSE)
    jobs.enqueue(PLACE, subject=certificate.id, run_at=run_at, dedupe_key=f"{PLACE}:{certificate.id}")


def _place_elsewhere(
    certificate: Certificate, application: Application, work: Needs, refusal: caa.Said
) -> bool:
    """CAA does not permit this issuer; another one of the product may be permitted, now or in a while."""
    if not work.slug:
        return False
    passed = {**work.passed, work.slug: refusal.sentence}
    choices = _choices(certificate, application, passed)
    if outside.taken(choices):
        key = f"{PLACE}:{certificate.id}"
        jobs.enqueue(PLACE, {"passed": passed}, subject=certificate.id, dedupe_key=key)
        return True
    return _wait_for_another(certificate, application, choices)


def _wait_for_another(
    certificate: Certificate, application: Application, choices: Sequence[outside.Choice]
) -> bool:
    """Where another issuer can take it later, all are asked about again then: the records may be others."""
    again = outside.again_at(choices)
    over = outside_orders.over(application.id)
    if again is None and over.passed.keys() - over.refused:  # one failed a moment ago: its turn comes again
        again = clock.real_now() + outside_orders.LATELY
    if again is None:
        return False
    certificates.note_failure(certificate.id, State(certificate.state), outside.because(choices), clock.now())
    run_at = max(again, clock.real_now() + timedelta(seconds=NOBODY_PAUSE))
    jobs.enqueue(PLACE, subject=certificate.id, run_at=run_at, dedupe_key=f"{PLACE}:{certificate.id}")
    return True


def _sign_next(certificate_id: str, slug: str = "", passed: Mapping[str, str] | None = None) -> None:
    """`slug`: the issuer that CAA was asked for; `passed`: those that it does not permit."""
    payload = {"slug": slug, "passed": dict(passed or {})} if slug else None
    jobs.enqueue(SIGN, payload, subject=certificate_id, dedupe_key=f"{SIGN}:{certificate_id}")


def _first_choice(certificate: Certificate, application: Application, passed: Mapping[str, str]) -> str:
    """Who would get the order now; empty where only the house issues, or nobody can now."""
    order = outside.order_of(application_queries.product_of(certificate))
    if not outside.leads_outside(order):
        return ""
    return outside.taken(_choices(certificate, application, passed, order))


def _choices(
    certificate: Certificate,
    application: Application,
    passed: Mapping[str, str],
    order: Sequence[str] | None = None,
) -> tuple[outside.Choice, ...]:
    without = {**outside_orders.over(application.id).passed, **passed}
    return outside_orders.choices_of(certificate, application, without, order)


def _key_to_make(application: Application) -> KeyAlgorithm | None:
    """Takes a key that is quick to have; answers the algorithm when one must be made in a thread."""
    if application.spki is not None:
        return None
    algorithm = KeyAlgorithm(application.key_algorithm)
    try:
        key = keystore.obtain(application.account_id, algorithm)
    except KeyNotReady:
        return algorithm
    applications.set_key(application.id, key.id, bytes(key.spki))
    return None


def _caa(application: Application, product: Product, slug: str = "") -> caa.Asked | None:
    """What to ask; the domains of a configured issuer go before those of the catalogue.

    Nothing while none of a product's issuers can take the order: CAA is asked for the one that will.
    """
    if not slug and outside.may_be_outside(product):
        return None
    if not outside.is_outside(slug):
        return caa.asked(application, product, issuers.capabilities_of(slug or product.issuer).caa_domains)
    able = outside.capabilities(slug)
    named = replace(product, caa_domains=able.caa_domains or product.caa_domains)
    return caa.asked(application, named, able.caa_domains, able.account_uris)


def _caa_is_old(application: Application, certificate: Certificate, slug: str, now: datetime) -> bool:
    """An outage of the issuer may last longer than the answers of CAA are good for (DOM-12)."""
    asked = _caa(application, application_queries.product_of(certificate), slug)
    return asked is not None and not caa.is_fresh(application.id, now)


@contextmanager
def _refusals() -> Iterator[None]:
    """What the issuer refuses for good ends the application (ISS-4); what time may heal is tried again."""
    try:
        yield
    except CertdeskError as error:
        if error.kind in WAITS:
            raise
        raise IssuerRefused(str(error)) from error


def _house_chosen(job: Job, certificate: Certificate, application: Application, order: Sequence[str]) -> bool:
    """Chooses among the product's issuers, of which `order` names the first first; True when the house's own
    CA is the one. Else the order at the CA outside is begun, carried on, waited for, or refused with the CA's
    words."""
    live = outside_orders.live_of(application.id)
    if live is not None:
        outside_orders.resume(live)
        return False
    passed = dict(job.payload.get("passed", {}))
    over = outside_orders.over(application.id)
    choices = outside_orders.choices_of(certificate, application, over.passed | passed, order)
    slug = outside.taken(choices)
    if not slug:
        _nobody(job, certificate, application, over, choices)
    elif slug != job.payload.get("slug"):  # CAA was asked for another one, or for none
        jobs.enqueue(
            PLACE, {"passed": passed}, subject=certificate.id, dedupe_key=f"{PLACE}:{certificate.id}"
        )
    elif not outside.is_outside(slug):
        return True
    else:
        with _refusals():
            reference = pipeline.next_reference(certificate)
            request = pipeline.request_of(certificate, application, reference, clock.now())
            begun = outside_orders.begin(certificate, application, request, choices, slug)
        if not begun:
            _sign_next(certificate.id, slug, passed)  # it chooses again
    return False


def _nobody(
    job: Job,
    certificate: Certificate,
    application: Application,
    over: outside_orders.Over,
    choices: Sequence[outside.Choice],
) -> None:
    """Refused by each that could: the application ends with the words of the last. Else it waits (ISS-4)."""
    waits = over.passed.keys() - over.refused
    ended = all(one.slug in over.refused or one.again_at is None for one in choices)
    if over.refused and not waits and ended:
        words = over.last_refusal
        pipeline.refuse(_principal(job, certificate), certificate, application, words, clock.now())
        return
    certificates.note_failure(certificate.id, State(certificate.state), outside.because(choices), clock.now())
    soonest = clock.real_now() + timedelta(seconds=NOBODY_PAUSE)
    again = max(soonest, outside.again_at(choices) or soonest)
    jobs.enqueue(SIGN, subject=certificate.id, run_at=again, dedupe_key=f"{SIGN}:{certificate.id}")


@dataclass(frozen=True, slots=True)
class ToSign:
    issuer: Issuer
    prepared: Prepared
    placement: str


@dataclass(frozen=True, slots=True)
class ToExamine:
    """The first certificate of a shape, e.g. of a new organisation: linted whole before its turn."""

    sample: Sample


Outcome = Signed | tuple[Finding, ...]


@handler(SIGN, max_attempts=_FOR_EVER, lock=_LOCK, short_lease=True)
class Sign(Handler[ToSign | ToExamine, Outcome]):
    """Intent committed with `load`, signed outside any transaction, recorded with `store` (law 3).

    A shape that nobody has proved takes a turn before that: linted outside any transaction, kept, and
    the job comes again. A kill during it leaves nothing but a job to be taken over.
    """

    def load(self, job: Job) -> ToSign | ToExamine | None:
        found = _open(job.subject)
        if found is None:
            return None
        certificate, application = found
        now = clock.now()
        asked_for = str(job.payload.get("slug", ""))
        if application.spki is None or _caa_is_old(application, certificate, asked_for, now):
            jobs.enqueue(PLACE, subject=certificate.id, dedupe_key=f"{PLACE}:{certificate.id}")
            return None
        principal = _principal(job, certificate)
        if reconcile.settle_earlier(principal, certificate, now):
            return None
        product = application_queries.product_of(certificate)
        order = outside.order_of(product)
        if outside.leads_outside(order) and not _house_chosen(job, certificate, application, order):
            return None
        issuer = issuers.find(outside.house(product))
        reference = pipeline.next_reference(certificate)
        with _refusals():
            request = pipeline.request_of(certificate, application, reference, now)
            sample = issuer.unproved(request, now)
            if sample is not None:
                return ToExamine(sample)
            prepared = issuer.prepare(request, now)
        Placement.objects.create(
            reference=reference,
            certificate=certificate,
            application=application,
            issuer=issuer.slug,
            created_at=clock.real_now(),
        )
        issuer.place([prepared])
        return ToSign(issuer, prepared, reference)

    async def perform(self, work: ToSign | ToExamine) -> Outcome:
        if isinstance(work, ToExamine):
            with _refusals():
                return await asyncio.to_thread(work.sample.examine)
        return await asyncio.to_thread(work.issuer.collect, work.prepared)

    def store(self, job: Job, work: ToSign | ToExamine, result: Outcome) -> None:
        if isinstance(work, ToExamine):
            work.sample.keep(cast(tuple[Finding, ...], result))
            _sign_next(job.subject)
        else:
            self._accept(job, work, cast(Signed, result))

    def _accept(self, job: Job, work: ToSign, result: Signed) -> None:
        found = _open(job.subject)
        placement = Placement.objects.select_related("certificate", "application").get(
            reference=work.placement
        )
        if found is None or found[1].id != placement.application_id:
            raise RetryAfter(1, "The application ended while it was being signed.")
        try:
            work.issuer.accept([result])
        except NotIntended as error:  # settled meanwhile by somebody who took this worker for dead
            raise RetryAfter(1, str(error)) from error
        pipeline.fulfil(_principal(job, found[0]), placement, result, clock.now())

    def failed(self, job: Job, error: BaseException) -> None:
        _refuse(job, error)


@handler(WITHDRAWAL, max_attempts=_FOR_EVER, lock=_LOCK)
class Withdrawal(Handler[bool, None]):
    """WDR-2: settles a withdrawal in one transaction."""

    def load(self, job: Job) -> bool | None:
        certificate = Certificate.objects.filter(id=job.subject, state__in=withdrawal.PENDING).first()
        if certificate is not None:
            withdrawal.settle(_principal(job, certificate), certificate, clock.now())
        return None


@handler(FORGET)
class Forget(Handler[bool, None]):
    """A rollover of a certificate that was deleted meanwhile comes to nothing."""

    def load(self, job: Job) -> bool | None:
        followup.drop_rollover(job.subject, clock.now())
        return None


@handler(RECONCILE, max_attempts=3, lock=RECONCILE, short_lease=True)
class Reconcile(Handler[datetime, None]):
    """Settles what a kill left open; with nothing open it costs three look-ups."""

    def load(self, job: Job) -> datetime | None:
        reconcile.reconcile()
        return None


REVOCATIONS = revocation_jobs.WATCH  # its handlers are declared with this module
REISSUES = followup_jobs.WATCH
OUTSIDE = outside_jobs.Ask
ADVICE = advice_jobs.AskAdvice
LIMITS = limit_jobs.ForgetCounted
subscribe(COMPLETE, PLACE)
subscribe("certificate.deleted", FORGET)
periodic(RECONCILE, RECONCILE_SECONDS, at_start=True)
