"""Verifying domain names (§3.2): records to add, what the checks saw, *Verify*."""

import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext, pgettext

from certdesk.foundation.common import clock, settings
from certdesk.foundation.common.errors import CertdeskError, NotFound, WrongState
from certdesk.foundation.iam.principal import Principal
from certdesk.foundation.outbox.models import State as MessageState
from certdesk.interfaces.words.say import both, say
from certdesk.lifecycle.applications import queries as applications
from certdesk.lifecycle.applications.purposes import is_proving
from certdesk.lifecycle.catalogue.queries import catalogue
from certdesk.lifecycle.certificates import queries, rules
from certdesk.lifecycle.certificates.models import Certificate
from certdesk.lifecycle.certificates.states import ROWS, State
from certdesk.lifecycle.validation import actions, confirmations
from certdesk.lifecycle.validation.queries import MailLine, NameInfo, ProofInfo, info_of
from certdesk.lifecycle.validation.rules import FILE_NAME, NameStatus

from ..forms.applying import email_ends
from . import detail, fragments, outbox
from .page import alert, back_to, code_of, page, tell

GET, VERIFY = "scm:cert:get", "scm:cert:verify"
CHECKS, COMMANDS = 20, 4
WRONG = frozenset({"WRONG_VALUE", "CNAME_LOOP"})
NOTHING_YET = frozenset({"NO_RECORD", "NO_FILE"})

PLACELESS = frozenset({"local", "quorum"})

PROVING_STATES = (State.CHECKING, State.SUPPLEMENTCHECKING)

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
    download: str = ""


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
            if request.POST.get("domain"):
                return _mailed(request, principal, certificate)
            report = actions.check_now(principal, certificate_id)
            if not _is_waiting(certificate, State(report.status)) or _all_verified(report.info):
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


def _mailed(request: HttpRequest, principal: Principal, certificate: Certificate) -> HttpResponse:
    """*Send again* beside a mailbox, or the first mail to another one (DOM-9)."""
    domain, address = request.POST["domain"], request.POST.get("address", "")
    sent = confirmations.resend(principal, certificate.id, domain, address, clock.now())
    words = ngettext("%(count)d mail is on its way.", "%(count)d mails are on their way.", sent)
    tell(request, words % {"count": sent}, "mail.sent")
    return back_to("verify", certificate.id)


@page(GET)
def proof_file(request: HttpRequest, principal: Principal, certificate_id: str) -> HttpResponse:
    """The file of one name, to be put on its web server as it is (DOM-8)."""
    certificate = queries.fetch(principal, GET, certificate_id)
    wanted = request.GET.get("name", "")
    for one in info_of(certificate).domains:
        if one.domain == wanted and one.file_content:
            response = HttpResponse(one.file_content, content_type="text/plain; charset=us-ascii")
            response.headers["Content-Disposition"] = f'attachment; filename="{FILE_NAME}"'
            return response
    raise NotFound(
        _("There is no file for this name."), next_step=_("Open the certificate to see how it is verified.")
    )


@page(GET)
def proofs(request: HttpRequest, principal: Principal, certificate_id: str) -> HttpResponse:
    """The live part of the page, asked for every 3 s while the names are being verified."""
    certificate = queries.fetch(principal, GET, certificate_id)
    state = rules.state_of(certificate, clock.now())
    if not _is_waiting(certificate, state) and request.GET.get("state") in PROVING_STATES:
        return _proved(request, certificate, state)
    found = context(principal, certificate, None)
    if request.GET.get("seen") == found["seen"]:
        return fragments.unchanged()
    return render(request, "console/_proofs.html", found)


def _is_waiting(certificate: Certificate, state: State) -> bool:
    """Whether names are looked at: of an application, a reissue, an addition or a rollover."""
    found = applications.open_application(certificate.id)
    return found is not None and is_proving(found.purpose, state)


def _all_verified(info: ProofInfo) -> bool:
    return all(one.status is NameStatus.VERIFIED for one in info.domains)


def _proved(request: HttpRequest, certificate: Certificate, state: State) -> HttpResponse:
    """Nothing is left to verify: on to the certificate's page."""
    if state in (State.CHECKING_ORG, State.ISSUING, State.ISSUED, State.SUPPLEMENTCHECKING):
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
    waiting = _is_waiting(certificate, state)
    brand = catalogue().brands.get(certificate.brand)
    open_now = [one for one in info.domains if one.status is not NameStatus.VERIFIED]
    looks = checks(info)
    return {
        "title": certificate.domain or certificate.name,
        "title_is_domain": bool(certificate.domain),
        "state": state.value,
        "state_title": _(ROWS[state].title),
        "waiting": waiting,
        "method": info.method,
        "records": records(open_now, certificate.id),
        "mailed": mailed(open_now) if info.method == "EMAIL" else [],
        "email_ends": email_ends() if info.method == "EMAIL" else None,
        "mail_server": bool(settings.get().smtp_url),
        "by_reply": bool(settings.get().mail_listener),
        "may_messages": principal.may("scm:message:list"),
        "proved": records([one for one in info.domains if one.status is NameStatus.VERIFIED], certificate.id),
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
        "next_check": info.next_check_at,
        "may_verify": waiting and principal.may(VERIFY, rules.resource_of(certificate)),
        "needs_organization": certificate.level in ("OV", "EV"),
        "org_next": state is State.CHECKING_ORG,
        "brand": brand.title if brand else certificate.brand,
        "problem": both(problem) if problem else "",
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
    names = [(one.domain, one.status, one.record_value, one.file_content, one.mails) for one in info.domains]
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


@dataclass(frozen=True, slots=True)
class Mailbox:
    """One mailbox: its address, what became of the mail, whether it may be sent again."""

    address: str
    tone: str
    label: str
    code: str
    answer: str
    sent_at: datetime | None
    times: int
    may_send: bool
    message_url: str


@dataclass(frozen=True, slots=True)
class Mailed:
    """One domain that waits for a mailbox: the names behind it, those asked, those that could be asked."""

    domain: str
    names: tuple[str, ...]
    boxes: tuple[Mailbox, ...]
    others: tuple[str, ...]


def mailed(names: list[NameInfo]) -> list[Mailed]:
    """Names that share an authorisation domain wait for the same mails."""
    groups: dict[str, list[NameInfo]] = {}
    for one in names:
        groups.setdefault(one.authorization_domain, []).append(one)
    found = []
    for domain, group in groups.items():
        asked = tuple(_mailbox(mail) for mail in group[0].mails)
        written = {box.address for box in asked}
        others = tuple(one for one in group[0].mailboxes if one not in written)
        found.append(Mailed(domain, tuple(one.domain for one in group), asked, others))
    return found


def _mailbox(mail: MailLine) -> Mailbox:
    old = mail.expires_at < clock.now()
    code = "OLD" if old else mail.state or MessageState.KEPT
    return Mailbox(
        address=mail.address,
        tone="bad" if old else outbox.TONES[MessageState(code)],
        label=_("Link too old") if old else outbox.label(code),
        code=code,
        answer=mail.answer if code in (MessageState.FAILED, MessageState.QUEUED) else "",
        sent_at=mail.sent_at,
        times=mail.times_sent,
        may_send=old or not mail.wait_seconds,
        message_url=reverse("message", args=[mail.message_id]),
    )


def records(names: list[NameInfo], certificate_id: str = "") -> list[Record]:
    """Names that share a record stand together (DOM-15)."""
    groups: dict[tuple[str, str], list[NameInfo]] = {}
    for one in names:
        place = one.record_name or (one.authorization_domain if one.method == "EMAIL" else one.domain)
        groups.setdefault((place, one.record_value), []).append(one)
    return [_record(group, certificate_id) for group in groups.values()]


def _record(group: list[NameInfo], certificate_id: str) -> Record:
    first = group[0]
    status = first.status
    waiting = {"FILE": _("Waiting for the file"), "EMAIL": _("Waiting for a mailbox")}
    words = {
        NameStatus.PENDING: waiting.get(first.method) or _("Waiting for the record"),
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
    download = ""
    if first.file_content:
        rows = (Pair(_("Address"), first.file_url), Pair(_("Value"), first.file_content))
        small = (Pair(_("File"), FILE_NAME), Pair(_("Ports"), _ports()))
        if certificate_id:
            download = f"{reverse('proof-file', args=[certificate_id])}?{urlencode({'name': first.domain})}"
    names = tuple(one.domain for one in group)
    return Record(names, TONES[status], words[status], status.value, rows, small, download)


def _ports() -> str:
    return ", ".join(map(str, settings.get().validation_http_ports))


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
    """The last looks at all names, newest first. What was seen again stands once, with its latest time:
    ten rounds of *no such name* would push away what the reader looks for."""
    found: dict[tuple[str, str], Seen] = {}
    for one in info.domains:
        for line in one.checks:
            tone = "good" if line.answer == "MATCH" else "you" if line.answer in NOTHING_YET else "bad"
            place = "" if line.perspective in PLACELESS or "@" in line.perspective else line.perspective
            known = found.get((line.seen, line.perspective))
            if known is None or known.at < line.at:
                answer = say(line.seen) or line.answer
                found[line.seen, line.perspective] = Seen(line.at, answer, say(line.cause), place, tone)
    return sorted(found.values(), key=lambda seen: seen.at, reverse=True)[:CHECKS]
