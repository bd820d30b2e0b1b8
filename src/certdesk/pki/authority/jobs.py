"""Whole lint runs in workers: shapes ahead of their use, certificates afterwards where it is due (law 3)."""

import asyncio
from dataclasses import dataclass

from certdesk.foundation.audit import actions as audit
from certdesk.foundation.common import clock
from certdesk.foundation.iam.principal import system_principal
from certdesk.foundation.jobs import actions as jobs
from certdesk.foundation.jobs.models import Job
from certdesk.foundation.jobs.registry import Handler, handler, periodic

from . import issuers, lint, publishing, queries, responders, samples, watching
from .constraints import Bounds
from .crl import Plan
from .issue import LINT
from .issuers import Holder
from .lint import Finding
from .publishing import Signed
from .queries import Issued
from .responders import Made
from .revocation import CRLS
from .shapes import Sample
from .types import LevelName
from .watching import KEYS, Seen, Watched

PROVE = "authority.prove"
RESPONDERS = "authority.responders"
LINT_FAILED = "authority.lint.failed"


@dataclass(frozen=True, slots=True)
class Due:
    certificate: Issued
    level: LevelName
    bounds: Bounds


@handler(LINT)
class Lint(Handler[list[Due], dict[str, tuple[Finding, ...]]]):
    """Lints issued certificates whole; an error found now is an incident and goes to the audit."""

    def load(self, job: Job) -> list[Due] | None:
        found = queries.issued(job.payload["serials"])
        bounds = {slug: queries.bounds(slug) for slug in {each.authority for each in found}}
        return [Due(each, queries.level_of(each.authority), bounds[each.authority]) for each in found] or None

    async def perform(self, work: list[Due]) -> dict[str, tuple[Finding, ...]]:
        return await asyncio.to_thread(_lint_all, work)

    def store(self, job: Job, work: list[Due], result: dict[str, tuple[Finding, ...]]) -> None:
        queries.set_linted(list(result), clock.real_now())
        for due in work:
            _report(due, result[due.certificate.serial])


def _lint_all(work: list[Due]) -> dict[str, tuple[Finding, ...]]:
    return {due.certificate.serial: lint.errors(_findings(due), due.certificate.profile) for due in work}


def _findings(due: Due) -> tuple[Finding, ...]:
    issued = due.certificate
    found = lint.whole(issued.certificate_der, due.level)
    return found + lint.outside(issued.certificate_der, due.bounds)


def _report(due: Due, findings: tuple[Finding, ...]) -> None:
    if findings:
        audit.record(
            system_principal("", LINT),
            LINT_FAILED,
            resource=f"issued:{due.certificate.serial}",
            details={
                "issuer": due.certificate.authority,
                "profile": due.certificate.profile,
                "codes": [finding.code for finding in findings],
            },
        )


@handler(PROVE, lock=PROVE)
class Prove(Handler[list[Sample], list[tuple[Finding, ...]]]):
    """Proves the common shapes ahead, so that a web process seldom has to load the linter."""

    def load(self, job: Job) -> list[Sample] | None:
        return samples.missing(clock.now()) or None

    async def perform(self, work: list[Sample]) -> list[tuple[Finding, ...]]:
        return await asyncio.to_thread(_examine_all, work)

    def store(self, job: Job, work: list[Sample], result: list[tuple[Finding, ...]]) -> None:
        for sample, findings in zip(work, result, strict=True):
            sample.keep(findings)


def _examine_all(work: list[Sample]) -> list[tuple[Finding, ...]]:
    return [sample.examine() for sample in work]


@handler(CRLS, lock=CRLS)
class Crls(Handler[list[Plan], list[Signed]]):
    """Signs the CRLs that are due: numbers committed first, signed outside any transaction, then served."""

    def load(self, job: Job) -> list[Plan] | None:
        now = clock.now()
        names = publishing.due(now)
        taken = publishing.at_once(names)
        if len(names) > len(taken):
            jobs.enqueue(CRLS, dedupe_key=CRLS)
        return publishing.take_numbers(taken, now) or None

    async def perform(self, work: list[Plan]) -> list[Signed]:
        return await asyncio.to_thread(lambda: [publishing.sign(plan) for plan in work])

    def store(self, job: Job, work: list[Plan], result: list[Signed]) -> None:
        for signed in result:
            publishing.publish(signed)


@handler(RESPONDERS, lock=RESPONDERS)
class Responders(Handler[list[Holder], list[Made]]):
    """Renews the delegated signers of OCSP answers."""

    def load(self, job: Job) -> list[Holder] | None:
        return [issuers.holder(slug) for slug in responders.lacking(clock.now())] or None

    async def perform(self, work: list[Holder]) -> list[Made]:
        now = clock.now()
        return await asyncio.to_thread(lambda: [responders.make(holder, now) for holder in work])

    def store(self, job: Job, work: list[Holder], result: list[Made]) -> None:
        for made in result:
            responders.keep(made)


@handler(KEYS, lock=KEYS)
class Keys(Handler[list[Watched], Seen]):
    """Looks whether the token still holds the keys of the CA; a loss is an incident and goes to the audit."""

    def load(self, job: Job) -> list[Watched] | None:
        return watching.watched(clock.now()) or None

    async def perform(self, work: list[Watched]) -> Seen:
        return await asyncio.to_thread(watching.look, work)

    def store(self, job: Job, work: list[Watched], result: Seen) -> None:
        watching.note(work, result)


periodic(KEYS, 60, at_start=True)
periodic(PROVE, 24 * 3600, at_start=True)
periodic(RESPONDERS, 60, at_start=True)
periodic(CRLS, 30, at_start=True)
