"""The domains page: every name proved or needed, what the DNS says now, and the pre-flight."""

from dataclasses import replace

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _

from certdesk.connectors.dns.seen import DomainSeen, Signed
from certdesk.foundation.common import clock
from certdesk.foundation.common.errors import CertdeskError
from certdesk.foundation.iam.principal import Principal
from certdesk.interfaces.words.say import both, say
from certdesk.lifecycle.overview.rules import NEAR
from certdesk.lifecycle.validation import domains, ending, preflight, rules
from certdesk.lifecycle.validation.domains import LIST, Domain
from certdesk.lifecycle.validation.preflight import PROVE, Question, Report, Verdict

from ..forms.common import put
from ..forms.dns import PreflightForm
from . import fragments
from .page import code_of, page

PAGE = 30
TONES = {"NEEDED": "you", "PROVING": "you", "PROVED": "good", "ENDED": "end", "NONE": "end"}


@page(LIST)
def listed(request: HttpRequest, principal: Principal) -> HttpResponse:
    """By name; the DNS is not asked."""
    content, after = request.GET.get("content", "")[:255], request.GET.get("after", "")[:255]
    soon = request.GET.get("proof") == "ending" and not content
    only = ending.names(principal.account_id, clock.now(), NEAR, after, PAGE + 1) if soon else None
    found, marker = domains.listed(principal, PAGE, after, content, only)
    query = {"content": content} if content else {"proof": "ending"} if soon else {}
    context = {
        "title": _("Domains"),
        "lines": [_line(one) for one in found],
        "query": content,
        "soon": soon,
        "clear": reverse("domains"),
        "search_url": reverse("domains"),
        "next_url": f"?{urlencode({**query, 'after': marker})}" if marker else "",
        "previous_url": f"{reverse('domains')}?{urlencode(query)}" if after else "",
        "may_look": principal.may(PROVE),
    }
    return render(request, "console/domains.html", context)


def status_label(status: str) -> str:
    return {
        "NEEDED": _("Waiting for the proof"),
        "PROVED": _("Proved"),
        "PROVING": _("Being proved"),
        "ENDED": _("Proof too old"),
        "NONE": _("Not proved"),
    }[status]


def method_label(method: str) -> str:
    known = {"DNS": _("DNS record"), "FILE": _("File"), "EMAIL": _("Email")}
    return known.get(method, {"HTTP": "http-01", "ALPN": "tls-alpn-01"}.get(method, method))


def way_of(method: str, name: str, record: str) -> str:
    """How the method proves that name, in a sentence."""
    where = {"record": record, "url": rules.file_url(name), "domain": name.removeprefix("*.")}
    return {
        "DNS": _("By a record at %(record)s; its value comes with each application."),
        "FILE": _("By a file at %(url)s (or https), whose content comes with each application."),
        "HTTP": _("By an ACME client at http://%(domain)s (http-01); it answers each order by itself."),
        "ALPN": _("By an ACME client in the TLS handshake of %(domain)s (tls-alpn-01)."),
        "EMAIL": _(
            "By a mail to the administrator of %(domain)s or of its parent domain; "
            "whoever reads it confirms by its link."
        ),
    }[method] % where


def _ways(one: Domain) -> list[dict[str, str]]:
    """The methods that proved the name or were chosen for it; a DNS record where neither is known."""
    known = dict.fromkeys([*one.chosen, *([one.method] if one.method else [])]) or {"DNS": None}
    return [
        {
            "method": method,
            "label": method_label(method),
            "number": one.br_method if method == one.method else rules.BR_METHOD[method],
            "text": way_of(method, one.name, one.record_name),
            "when": _("chosen by the application that waits")
            if method in one.chosen
            else _("proved in this way last")
            if method == one.method
            else _("unless the application chooses another one"),
        }
        for method in known
        if method != "DNS" or one.record_name
    ]


def _line(one: Domain) -> dict[str, object]:
    status = one.status(clock.now())
    return {
        "domain": one,
        "url": reverse("domain", args=[one.name]),
        "status": status,
        "tone": TONES[status],
        "label": status_label(status),
        "method": method_label(one.method),
        "reuse": one.reuse[:2],
        "prove_url": reverse("prove", args=[one.name]),
        "verify_url": reverse("verify", args=[one.needed_by[0]]) if one.needed_by else "",
    }


@page(LIST)
def shown(request: HttpRequest, principal: Principal, name: str) -> HttpResponse:
    """One name. What the DNS says is looked up by a button, never by the page itself."""
    one = domains.show(principal, name)
    context = {
        "title": one.name,
        "title_is_domain": True,
        "crumbs": [{"label": _("Domains"), "url": reverse("domains")}],
        "line": _line(one),
        "domain": one,
        "ways": _ways(one),
        "by_record": any(way["method"] == "DNS" for way in _ways(one)),
        "seen": say(one.seen),
        "dns_url": reverse("domain-dns", args=[one.name]),
        "preflight_url": f"{reverse('preflight')}?{urlencode({'domains': one.name})}",
        "may_look": principal.may(PROVE),
        "now": clock.now(),
    }
    return render(request, "console/domain.html", context)


@page(LIST)
def seen(request: HttpRequest, principal: Principal, name: str) -> HttpResponse:
    """What stands in the DNS at this moment; a fragment, or a page of its own without script."""
    context: dict[str, object] = {"name": name, "dns_url": reverse("domain-dns", args=[name])}
    try:
        context |= _seen(domains.seen_now(principal, name))
    except CertdeskError as error:
        if not fragments.is_fragment(request):
            raise
        context |= {"problem": both(error), "problem_code": code_of(error)}
    if fragments.is_fragment(request):
        return render(request, "console/_domain_dns.html", context)
    context |= {
        "title": name,
        "title_is_domain": True,
        "crumbs": [
            {"label": _("Domains"), "url": reverse("domains")},
            {"label": name, "url": reverse("domain", args=[name])},
        ],
    }
    return render(request, "console/domain_dns.html", context)


def _seen(found: DomainSeen) -> dict[str, object]:
    dnssec = {
        Signed.SECURE: _("Secure: the signatures hold, from the root down."),
        Signed.INSECURE: _("Not signed: the signed parent zone says so."),
        Signed.BOGUS: _(
            "Bogus: it should be signed, but its signatures do not hold. Nothing is issued on it."
        ),
        Signed.SIGNED: _("Signed: the parent zone has DS records."),
        Signed.UNSIGNED: _("Not signed: the parent zone has no DS record."),
        Signed.UNKNOWN: _("Unknown: nobody answered."),
    }[found.signed]
    if found.authenticated:
        dnssec = f"{dnssec} {_('The resolver validated the answer (AD).')}"
    return {
        "seen": found,
        "problem": say(found.problem),
        "dnssec": dnssec,
        "at": clock.now(),
        "caa_words": _("No CAA record: every certificate authority may issue."),
    }


@page(PROVE, post=PROVE)
def look_before(request: HttpRequest, principal: Principal) -> HttpResponse:
    """What will fail and why, before anything is ordered."""
    initial = {"domains": request.GET.get("domains", ""), "cert_type": "DV_SSL_CERT", "method": "DNS"}
    form = PreflightForm(request.POST if request.method == "POST" else None, initial=initial)
    report: Report | None = None
    code = ""
    if request.method == "POST" and form.is_valid():
        try:
            report = preflight.look(principal, _question(form))
        except CertdeskError as error:
            code = code_of(error)
            put(form, error)
    context = {
        "title": _("Pre-flight"),
        "crumbs": [{"label": _("Domains"), "url": reverse("domains")}],
        "form": form,
        "code": code,
        "report": report,
        "general": _told(report.problems) if report else [],
        "verdicts": [_verdict(one, form.cleaned_data["method"]) for one in report.domains] if report else [],
        "buy_url": reverse("buy"),
    }
    return render(request, "console/preflight.html", context, status=422 if form.errors else 200)


def _question(form: PreflightForm) -> Question:
    given = form.cleaned_data
    names = tuple(given["domains"].replace(",", " ").split())[:250]
    automatic = given["method"] == "AUTO"
    return Question(
        names,
        given["brand"],
        given["cert_type"] or "DV_SSL_CERT",
        "DNS" if automatic else given["method"],
        automatic,
    )


def _verdict(one: Verdict, method: str) -> dict[str, object]:
    chosen = "DNS" if method == "AUTO" else method
    return {
        "verdict": one,
        "problems": _told(one.problems),
        "way": way_of(chosen, one.domain, one.record_name),
    }


def _told(problems: tuple[preflight.Problem, ...] | list[preflight.Problem]) -> list[preflight.Problem]:
    return [replace(one, sentence=say(one.sentence), fix=say(one.fix)) for one in problems]
