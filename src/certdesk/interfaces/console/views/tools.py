"""The certificate tools: what it is, does the key match, another form, what is served at an address.

Forms are sent by POST and answered by a page or a file; nothing of it is kept.
"""

import io
import zipfile
from typing import Any

from django import forms
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _

from certdesk.connectors.starttls import Protocol
from certdesk.foundation.common.errors import CertdeskError
from certdesk.foundation.iam.principal import Principal
from certdesk.interfaces.words.say import say
from certdesk.lifecycle.discovery import looking, tools
from certdesk.lifecycle.discovery.looking import PROBE, Look, Question, Verdict
from certdesk.lifecycle.discovery.tools import USE, Decoded, Shown
from certdesk.pki.x509.bundles import PASSWORD_FILE
from certdesk.pki.x509.converting import Converted, Form
from certdesk.pki.x509.explaining import ChainTold, Force

from ..forms.common import put
from ..forms.tools import ConvertForm, DecodeForm, MatchForm, ServedForm
from ..templatetags.certdesk_ui import moment
from .cards.facts import Fact
from .page import code_of, page

_TONES = {
    Verdict.GOOD: "good",
    Verdict.ATTENTION: "you",
    Verdict.BAD: "bad",
    Verdict.REFUSED: "bad",
    Verdict.UNREACHABLE: "end",
}


@page(USE, post=USE)
def decode(request: HttpRequest, principal: Principal) -> HttpResponse:
    """Everything about a certificate, chain, CSR or key."""
    form = DecodeForm(request.POST, request.FILES) if request.method == "POST" else DecodeForm()
    more: dict[str, Any] = {"submit": _("Decode"), "operation": "decode"}
    if form.is_bound and form.is_valid():
        try:
            given = form.cleaned_data
            more["decoded"] = decoded(tools.decode(principal, given["text"], given["password"]))
        except CertdeskError as error:
            more["code"] = _refused(form, error)
    return _page(request, principal, form, _("Decode"), "tools", more)


@page(USE, post=USE)
def match(request: HttpRequest, principal: Principal) -> HttpResponse:
    """Whether a private key belongs to a certificate or CSR; the key is neither kept nor sent back."""
    form = MatchForm(request.POST, request.FILES) if request.method == "POST" else MatchForm()
    more: dict[str, Any] = {"submit": _("Compare"), "operation": "match"}
    if form.is_bound and form.is_valid():
        given = form.cleaned_data
        try:
            found = tools.match(principal, given["text"], given["private_key"], given["password"])
        except CertdeskError as error:
            more["code"] = _refused(form, error)
        else:
            more |= {"matched": found, "sentence": say(found.sentence)}
    return _page(request, principal, form, _("Does the key match?"), "tools-match", more)


@page(USE, post=USE)
def convert(request: HttpRequest, principal: Principal) -> HttpResponse:
    """The same things in another form, as a file; by POST alone, for a key may be in it."""
    form = ConvertForm(request.POST, request.FILES) if request.method == "POST" else ConvertForm()
    more: dict[str, Any] = {"submit": _("Convert and download"), "operation": "convert"}
    if form.is_bound and form.is_valid():
        given = form.cleaned_data
        new = given["new_password"]
        try:
            made = tools.convert(
                principal, given["text"], Form(given["format"]), password=given["password"], new_password=new
            )
        except CertdeskError as error:
            more["code"] = _refused(form, error)
        else:
            return _file(made) if new or not made.password else _file(_with_password(made))
    return _page(request, principal, form, _("Convert"), "tools-convert", more)


@page(PROBE, post=PROBE)
def served(request: HttpRequest, principal: Principal) -> HttpResponse:
    """What an address serves now, and which of the account's certificates it is."""
    form = ServedForm(request.POST if request.method == "POST" else None)
    more: dict[str, Any] = {"submit": _("Look"), "operation": "served"}
    if form.is_bound and form.is_valid():
        given = form.cleaned_data
        protocol = Protocol(given["protocol"] or Protocol.TLS)
        question = Question(given["host"], given["port"] or 0, given["name"], protocol)
        try:
            found = looking.look(principal, question)
        except CertdeskError as error:
            more["code"] = _refused(form, error)
        else:
            more |= {
                "name": found.name,
                "looks": [_look(one) for one in found.looks],
                "ours": [(reverse("certificate", args=[one]), label) for one, label in found.ours],
            }
    return _page(request, principal, form, _("What is served?"), "tools-served", more)


def _refused(form: forms.Form, error: CertdeskError) -> str:
    put(form, error, {"format": "format", "text": "text"})
    return code_of(error)


def _page(
    request: HttpRequest, principal: Principal, form: forms.Form, title: str, name: str, more: dict[str, Any]
) -> HttpResponse:
    context = {
        "title": title,
        "crumbs": [{"label": _("Certificate tools"), "url": reverse("tools")}] if name != "tools" else [],
        "tabs": _tabs(principal, name),
        "form": form,
        **more,
    }
    response = render(request, "console/tools.html", context, status=422 if form.errors else 200)
    response.headers["Cache-Control"] = "no-store"
    return response


def _tabs(principal: Principal, active: str) -> list[dict[str, Any]]:
    lines = [
        ("tools", _("Decode"), USE),
        ("tools-match", _("Does the key match?"), USE),
        ("tools-convert", _("Convert"), USE),
        ("tools-served", _("What is served?"), PROBE),
    ]
    return [
        {"label": label, "url": reverse(name), "active": name == active}
        for name, label, action in lines
        if principal.may(action)
    ]


def decoded(found: Decoded) -> dict[str, Any]:
    """What the template shows of everything that was read."""
    return {
        "format": found.format,
        "chain": say(found.chain.sentence) if found.chain else "",
        "chain_tone": _chain_tone(found.chain),
        "certificates": [_certificate(one) for one in found.certificates],
        "requests": [
            {
                "title": ", ".join(told.names[:1]) or told.subject,
                "facts": [*_names(told.names), Fact(_("Subject"), told.subject), Fact(_("Key"), told.key)],
                "findings": [say(one.sentence) for one in told.findings],
                "text": text,
            }
            for told, text in found.requests
        ],
        "keys": [
            {
                "facts": [
                    Fact(_("Key"), told.key),
                    Fact(_("SHA-256 of the public key"), told.spki_sha256.hex(), mono=True),
                ],
                "findings": [say(one.sentence) for one in told.findings],
            }
            for told in found.keys
        ],
    }


def _chain_tone(chain: ChainTold | None) -> str:
    if chain is None or not chain.linked:
        return "you"
    return "good" if chain.complete else "wait"


def _certificate(one: Shown) -> dict[str, Any]:
    told, facts = one.told, one.told.facts
    known = one.known
    return {
        "title": facts.names[0] if facts.names else told.common_name or facts.subject,
        "force": _force(told.force),
        "tone": "good" if told.force is Force.IN_FORCE else "bad",
        "role": _("CA certificate") if told.is_ca else "",
        "known": known,
        "known_url": reverse("certificate", args=[known.certificate_id]) if known else "",
        "facts": [
            *_names(facts.names),
            Fact(_("Common name"), told.common_name),
            Fact(_("Valid from"), moment(facts.not_before)),
            Fact(_("Valid until"), moment(facts.not_after)),
            Fact(_("Key"), facts.key),
            Fact(_("Issuer"), facts.issuer),
            Fact(_("Subject"), facts.subject),
            Fact(_("Use"), ", ".join(told.usages), mono=True),
            Fact(_("Signature"), facts.signature_algorithm, mono=True),
            Fact(_("Serial number"), facts.serial, mono=True),
            Fact(_("SHA-256 fingerprint"), facts.sha256, mono=True),
        ],
        "findings": [say(finding.sentence) for finding in told.findings],
        "text": one.text,
    }


def _names(names: tuple[str, ...]) -> list[Fact]:
    shown = ", ".join(names[:20]) + (" …" if len(names) > 20 else "")
    return [Fact(_("Names"), f"{shown} ({len(names)})" if len(names) > 1 else shown, mono=True)]


def _force(force: Force) -> str:
    return {
        Force.IN_FORCE: _("In force"),
        Force.NOT_YET: _("Not yet valid"),
        Force.EXPIRED: _("Expired"),
    }[force]


def _look(one: Look) -> dict[str, Any]:
    words = {
        Verdict.GOOD: _("Good"),
        Verdict.ATTENTION: _("Needs attention"),
        Verdict.BAD: _("Clients refuse it"),
        Verdict.REFUSED: _("No handshake"),
        Verdict.UNREACHABLE: _("Unreachable"),
    }
    return {
        "address": one.serving.address,
        "verdict": one.verdict.value,
        "tone": _TONES[one.verdict],
        "word": words[one.verdict],
        "sentences": [say(sentence) for sentence in one.sentences],
        "how": " · ".join(filter(None, (one.serving.version, one.serving.cipher))),
        "decoded": decoded(one.decoded) if one.decoded else None,
    }


def _file(made: Converted) -> HttpResponse:
    headers = {"Content-Disposition": f'attachment; filename="{made.name}"', "Cache-Control": "no-store"}
    return HttpResponse(made.content, content_type=made.content_type, headers=headers)


def _with_password(made: Converted) -> Converted:
    """The store and the password that was made for it, in one archive."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as target:
        target.writestr(made.name, made.content)
        target.writestr(PASSWORD_FILE, made.password)
    return Converted("server.zip", "application/zip", archive.getvalue(), made.password, made.has_key)
