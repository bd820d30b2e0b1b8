"""Proving a name ahead of any order: what to put where, what the looks saw, *Verify* (DOM-13)."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from certdesk.foundation.common import clock, settings
from certdesk.foundation.common.errors import BadParameter, CertdeskError
from certdesk.foundation.iam.principal import Principal
from certdesk.interfaces.words.say import both, say
from certdesk.lifecycle.validation import ahead
from certdesk.lifecycle.validation.ahead import PROVE, Ahead
from certdesk.lifecycle.validation.queries import ProofInfo
from certdesk.lifecycle.validation.rules import BR_METHOD, FILE_NAME

from . import fragments, proving
from .domains import method_label
from .page import alert, code_of, page, tell

TONES = {"PENDING": "you", "FAILED": "bad", "VERIFIED": "good", "EXPIRED": "end"}


@page(PROVE)
def ask(request: HttpRequest, principal: Principal) -> HttpResponse:
    """From the field of the domains page to the name's own page."""
    name = request.GET.get("name", "").strip().lower().removesuffix(".")
    if not name or "/" in name:
        alert(request, BadParameter(_("Type one domain name, e.g. www.example.com.")))
        return HttpResponseRedirect(reverse("domains"))
    return HttpResponseRedirect(reverse("prove", args=[name]))


@page(PROVE, post=PROVE)
def prove(request: HttpRequest, principal: Principal, name: str) -> HttpResponse:
    """The page; a POST starts the proof, looks at once, or writes to a mailbox."""
    method = request.POST.get("method") or request.GET.get("method", "")
    if request.POST.get("address"):
        method = "EMAIL"  # *Send again* beside a mailbox
    problem: CertdeskError | None = None
    if request.method == "POST":
        try:
            found = ahead.prove(
                principal,
                name,
                method,
                renew=bool(request.POST.get("renew")),
                address=request.POST.get("address", ""),
            )
            if found.status == "VERIFIED":
                tell(request, _("The domain name is proved."), "domain.proved")
        except CertdeskError as error:
            problem = error
    live = fragments.is_fragment(request)
    if request.method == "POST" and not live:
        if problem is not None:
            alert(request, problem)
        query = f"?method={method}" if method in BR_METHOD else ""
        return HttpResponseRedirect(reverse("prove", args=[name]) + query)
    found_now = context(principal, name, method, problem)
    if live and request.method == "POST" and found_now["status"] == "VERIFIED":
        return fragments.go(found_now["post_url"])
    if live and request.GET.get("seen") == found_now["seen"]:
        return fragments.unchanged()
    template = "console/_domain_prove.html" if live else "console/domain_prove.html"
    return render(request, template, found_now)


@page(PROVE)
def proof_file(request: HttpRequest, principal: Principal, name: str) -> HttpResponse:
    """The file, to be put on the name's web server as it is (DOM-8)."""
    content = ahead.file_of(principal, name)
    response = HttpResponse(content, content_type="text/plain; charset=us-ascii")
    response.headers["Content-Disposition"] = f'attachment; filename="{FILE_NAME}"'
    return response


def context(principal: Principal, name: str, method: str, problem: CertdeskError | None) -> dict[str, Any]:
    """Everything for `console/domain_prove.html` and its live part.

    Raises:
        BadName: no certificate may hold the name.
    """
    offered = ahead.methods(name)
    found = ahead.show(principal, name, method if method in offered else "")
    info = found.info if found else None
    waiting = found is not None and found.status in ("PENDING", "FAILED")
    shown = ProofInfo("", "", found.method if found else "", False, None, (info,) if info else ())
    looks = proving.checks(shown)
    status = found.status if found else ""
    return {
        "title": name,
        "title_is_domain": True,
        "crumbs": [{"label": _("Domains"), "url": reverse("domains")}],
        "name": name,
        "found": found,
        "status": status,
        "label": _label(status),
        "tone": TONES.get(status, "you"),
        "waiting": waiting,
        "method": found.method if found else "",
        "methods": [(one, method_label(one)) for one in offered],
        "others": [(one, method_label(one)) for one in offered if not (found and one == found.method)],
        "records": _records(found, name) if waiting else [],
        "mailed": proving.mailed([info]) if waiting and info and info.method == "EMAIL" else [],
        "mail_server": bool(settings.get().smtp_url),
        "by_reply": bool(settings.get().mail_listener),
        "may_messages": principal.may("scm:message:list"),
        "may_verify": True,
        "checks": looks,
        "latest": looks[0] if looks else None,
        "commands": list(info.commands) if info and waiting else [],
        "proof": found.proof if found else None,
        "proof_seen": say(found.proof.seen) if found and found.proof else "",
        "proof_method": method_label(found.proof.method) if found and found.proof else "",
        "reuse": found.reuse if found else (),
        "wrong": bool(info) and waiting and info is not None and proving.is_wrong(info),
        "expires_at": found.expires_at if found else None,
        "seen": f"{status}{proving.seen_mark(shown, looks)}",
        "problem": both(problem) if problem else "",
        "problem_code": code_of(problem) if problem else "",
        "post_url": reverse("prove", args=[name]),
        "now": clock.now(),
    }


def _label(status: str) -> str:
    return {
        "": _("Not begun"),
        "PENDING": _("Waiting for the proof"),
        "FAILED": _("Not found yet"),
        "VERIFIED": _("Proved"),
        "EXPIRED": pgettext("proof", "Expired"),
    }[status]


def _records(found: Ahead | None, name: str) -> Sequence[proving.Record]:
    """As on the verify page; the file is fetched from here."""
    if found is None or found.info is None or found.method == "EMAIL":
        return []
    made = proving.records([found.info])
    url = reverse("prove-file", args=[name]) if found.method == "FILE" else ""
    return [replace(one, download=url) for one in made]
