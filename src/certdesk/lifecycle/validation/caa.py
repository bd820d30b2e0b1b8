"""CAA before issuance, for each name on its own (DOM-12, RFC 8659)."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from certdesk.connectors.dns.caa import check_caa
from certdesk.connectors.protocol import ConnectorError
from certdesk.foundation.common import settings
from certdesk.lifecycle.applications.models import Application
from certdesk.lifecycle.catalogue.rules import Product

from . import rules
from .models import NameProof

AT_ONCE = 32
METHODS = {"DNS": "dns-01", "FILE": "http-01"}
"""RFC 8657 §4 names the methods as ACME does."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What to ask: the names, and the domains and accounts by which records permit our issuer."""

    names: tuple[str, ...]
    issuer_domains: tuple[str, ...]
    method: str
    account_uris: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Said:
    """What CAA says of one name; `retryable` = refused only because the question failed."""

    name: str
    permitted: bool
    sentence: str
    retryable: bool


def asked(
    application: Application,
    product: Product,
    issuer_domains: Sequence[str],
    account_uris: Sequence[str] = (),
) -> Asked | None:
    """None where CAA is not asked: the profile `private`, unless the catalogue names domains for it."""
    domains = tuple(product.caa_domains) or tuple(issuer_domains)
    if product.profile != "public" and not product.caa_domains:
        return None
    method = METHODS.get(application.domain_method, "")
    return Asked(tuple(application.names.split(";")), domains, method, tuple(account_uris))


async def ask(question: Asked, *, deadline: float) -> tuple[Said, ...]:
    """One answer a name; a name whose answer is late counts as a failed question."""
    gate = asyncio.Semaphore(AT_ONCE)

    async def one(name: str) -> Said:
        async with gate:
            return await _ask(name, question)

    tasks = [asyncio.create_task(one(name)) for name in question.names]
    await asyncio.wait(tasks, timeout=deadline)
    late = {task for task in tasks if not task.done()}
    for task in late:
        task.cancel()
    await asyncio.gather(*late, return_exceptions=True)
    return tuple(
        Said(name, False, f"The CAA records of {name} could not be read in time.", True)
        if task in late
        else task.result()
        for name, task in zip(question.names, tasks, strict=True)
    )


async def _ask(name: str, question: Asked) -> Said:
    configured = settings.get()
    try:
        result = await check_caa(
            name,
            wildcard=name.startswith("*."),
            issuer_domains=question.issuer_domains,
            resolvers=configured.dns_resolvers,
            allow_networks=configured.allow_networks,
            account_uris=question.account_uris,
            validation_methods=[question.method] if question.method else [],
        )
    except ConnectorError as error:
        return Said(name, False, error.message, not error.permanent)
    return Said(name, result.permitted, result.sentence, result.retryable)


def first_refusal(said: Sequence[Said]) -> Said | None:
    """The refusal that decides: one for good goes before a question that failed."""
    refusals = [one for one in said if not one.permitted]
    return min(refusals, key=lambda one: one.retryable, default=None)


def record(application_id: int, said: Sequence[Said], now: datetime) -> None:
    """Keeps what was said beside each name, and when."""
    for one in said:
        NameProof.objects.filter(application_id=application_id, name=one.name).update(
            caa=one.sentence, caa_at=now
        )


def is_fresh(application_id: int, now: datetime) -> bool:
    """Whether the answer for every single name is young enough to issue on it."""
    moments = NameProof.objects.filter(application_id=application_id).values_list("caa_at", flat=True)
    return all(rules.caa_is_fresh(moment, now) for moment in moments)
