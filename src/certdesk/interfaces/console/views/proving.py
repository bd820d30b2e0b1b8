"""Verifying domain names (§3.2): records to add, what the checks saw, *Verify*."""

import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext, pgettext

from certdesk.foundation.common import clock
from certdesk.foundation.common.errors import CertdeskError, WrongState
from certdesk.foundation.iam.principal import Principal
from certdesk.lifecycle.catalogue.queries import catalogue
from certdesk.lifecycle.certificates import queries, rules
from certdesk.lifecycle.certificates.models import Certificate
from certdesk.lifecycle.certificates.states import ROWS, State
from certdesk.lifecycle.validation import actions
from certdesk.lifecycle.validation.queries import NameInfo, ProofInfo, info_of
from certdesk.lifecycle.validation.rules import NameStatus

from ..forms.common import say, sentence
from . import detail, fragments
from .page import alert, back_to, code_of, page, tell

GET, VERIFY = "scm:cert:get", "scm:cert:verify"
CHECKS, COMMANDS = 20, 4
WRONG = frozenset({"WRONG_VALUE", "CNAME_LOOP"})

TONES = {NameStatus.PENDING: "you", NameStatus.VERIFIED: "good", NameStatus.FAILED: "bad"}


@dataclass(frozen=True, slots=True)
class Pair:
    label: str
    value: str


@dataclass(frozen=True, slots=True)
class Record:
    """One record and the names that it proves; see `_components/records.html`."""

    names: tuple[str, ...]
    tone: str
    label: str
    code: str
    rows: tuple[Pair, ...]
    small: tuple[Pair, ...]


@dataclass(frozen=True, slots=True)
class Seen:
    at: datetime
    answer: str
    cause: str
    perspective: str
    tone: str


@page(GET, post=VERIFY)
def verify(request: HttpRequest, principal: Principal, certificate_id: str) -> HttpResponse:
    """The page; *Verify* looks at once and tells what was seen (DOM-1..6, DOM-11)."""
    certificate = queries.fetch(principal, GET, certificate_id)
    problem: CertdeskError | None = None
    if request.method == "POST":
        try:
            report = actions.check_now(principal, certificate_id)
            if report.status != State.CHECKING:
                return _proved(request, certificate, State(report.status))
        except CertdeskError as error:
            problem = error
    if fragments.is_fragment(request):
        return render(request, "console/_proofs.html", context(principal, certificate, problem))
    if problem is not None:
        alert(request, problem)
    if request.method == "POST":
        return back_to("verify", certificate_id)
    try:
        return render(request, "console/verify.html", context(principal, certificate, None))
    except WrongState as error:
        alert(request, error)
        return back_to("certificate", certificate_id)


@page(GET)
def proofs(request: HttpRequest, principal: Principal, certificate_id: str) -> HttpResponse:
    """The live part of the page, asked for every 3 s while the names are being verified."""
    certificate = queries.fetch(principal, GET, certificate_id)
    state = rules.state_of(certificate, clock.now())
    if state is not State.CHECKING and request.GET.get("state") == State.CHECKING:
        return _proved(request, certificate, state)
    found = context(principal, certificate, None)
    if request.GET.get("seen") == found["seen"]:
        return fragments.unchanged()
    return render(request, "console/_proofs.html", found)


def _proved(request: HttpRequest, certificate: Certificate, state: State) -> HttpResponse:
    """Nothing is left to verify: on to the certificate's page."""
    if state in (State.CHECKING_ORG, State.ISSUING, State.ISSUED):
        tell(request, _("All domain names are verified."), "domain.verified")
    url = reverse("certificate", args=[certificate.id])
    return fragments.go(url) if fragments.is_fragment(request) else back_to("certificate", certificate.id)


def context(principal: Principal, certificate: Certificate, problem: CertdeskError | None) -> dict[str, Any]:
    """Everything for `console/verify.html` and its live part.

    Raises:
        WrongState: nothing was applied for yet.
    """
    info, now = info_of(certificate), clock.now()
    state = rules.state_of(certificate, now)
    waiting = state is State.CHECKING
    brand = catalogue().brands.get(certificate.brand)
    open_now = [one for one in info.domains if one.status is not NameStatus.VERIFIED]
    looks = checks(info)
    return {
        "title": certificate.domain or certificate.name,
        "title_is_domain": bool(certificate.domain),
        "state": state.value,
        "state_title": _(ROWS[state].title),
        "waiting": waiting,
        "records": records(open_now),
        "proved": records([one for one in info.domains if one.status is NameStatus.VERIFIED]),
        "zone": zone_lines(open_now),
        "wrong": bool(open_now) and all(is_wrong(one) for one in open_now),
        "many": len(info.domains) > 1,
        "summary": summary(info),
        "checks": looks,
        "automatic": info.auto_dns,
        "steps": steps(info),
        "failed_step": waiting and bool(info.steps) and not info.steps[-1].good,
        "latest": looks[0] if looks and len(info.domains) == 1 else None,
        "commands": list(dict.fromkeys(line for one in open_now for line in one.commands))[:COMMANDS],
        "seen": seen_mark(info, looks),
        "expires_at": info.value_expires_at,
        "may_verify": waiting and principal.may(VERIFY, rules.resource_of(certificate)),
        "needs_organization": certificate.level in ("OV", "EV"),
        "org_next": state is State.CHECKING_ORG,
        "brand": brand.title if brand else certificate.brand,
        "problem": sentence(problem) if problem else "",
        "problem_code": code_of(problem) if problem else "",
        "post_url": reverse("verify", args=[certificate.id]),
        "live_url": reverse("proofs", args=[certificate.id]),
        "private_ca_matters": False,
        **detail.crumbs(certificate),
    }


def summary(info: ProofInfo) -> str:
    done = sum(one.status is NameStatus.VERIFIED for one in info.domains)
    return ngettext(
        "%(done)d of %(all)d domain name is verified.",
        "%(done)d of %(all)d domain names are verified.",
        len(info.domains),
    ) % {"done": done, "all": len(info.domains)}


def seen_mark(info: ProofInfo, looks: list[Seen]) -> str:
    """Short and the same as long as the page would show the same."""
    names = [(one.domain, one.status, one.record_value) for one in info.domains]
    shown = repr((names, looks, info.steps))
    return hashlib.sha256(shown.encode()).hexdigest()[:16]


def is_wrong(one: NameInfo) -> bool:
    """A record stands there, but not the one that proves the name."""
    return bool(one.checks) and one.checks[0].answer in WRONG


def zone_lines(names: list[NameInfo]) -> str:
    """The records as lines of a zone file, for platforms that import them."""
    lines = [
        f"{one.record_name}. 300 IN {one.record_type} {_value(one)}"
        + ("." if one.record_type == "CNAME" else "")
        for one in names
        if one.record_name
    ]
    return "\n".join(dict.fromkeys(lines))


def _value(one: NameInfo) -> str:
    return f'"{one.record_value}"' if one.record_type == "TXT" else one.record_value


def records(names: list[NameInfo]) -> list[Record]:
    """Names that share a record stand together (DOM-15)."""
    groups: dict[tuple[str, str], list[NameInfo]] = {}
    for one in names:
        groups.setdefault((one.record_name or one.domain, one.record_value), []).append(one)
    return [_record(group) for group in groups.values()]


def _record(group: list[NameInfo]) -> Record:
    first = group[0]
    status = first.status
    words = {
        NameStatus.PENDING: _("Waiting for the record"),
        NameStatus.VERIFIED: _("Verified, proof of before") if first.reused else _("Verified"),
        NameStatus.FAILED: _("Another value found") if is_wrong(first) else _("Not found yet"),
    }
    rows: tuple[Pair, ...] = ()
    small: tuple[Pair, ...] = ()
    if first.record_name:
        rows = (Pair(pgettext("DNS record", "Name"), first.record_name), Pair(_("Value"), _value(first)))
        small = (
            Pair(_("Type"), first.record_type),
            Pair(_("Alias"), _("No")),
            Pair(_("Line"), _("Default")),
            Pair("TTL (s)", "300"),
        )
    return Record(tuple(one.domain for one in group), TONES[status], words[status], status.value, rows, small)


def steps(info: ProofInfo) -> list[dict[str, Any]]:
    """What automatic DNS did or met, newest first, with its domain where there are several."""
    several = len({one.domain for one in info.steps if one.domain}) > 1
    return [
        {
            "at": one.at,
            "answer": f"{one.domain}: {say(one.sentence)}" if several and one.domain else say(one.sentence),
            "cause": say(one.next_step),
            "perspective": "",
            "tone": "good" if one.good else "bad",
        }
        for one in reversed(info.steps)
    ][:CHECKS]


def checks(info: ProofInfo) -> list[Seen]:
    """The last looks at all names, newest first; each record once."""
    found: dict[tuple[datetime, str, str], Seen] = {}
    for one in info.domains:
        for line in one.checks:
            tone = "good" if line.answer == "MATCH" else "you" if line.answer == "NO_RECORD" else "bad"
            place = "" if line.perspective == "local" else line.perspective
            found.setdefault(
                (line.at, line.seen, line.perspective),
                Seen(line.at, say(line.seen) or line.answer, say(line.cause), place, tone),
            )
    return sorted(found.values(), key=lambda seen: seen.at, reverse=True)[:CHECKS]
