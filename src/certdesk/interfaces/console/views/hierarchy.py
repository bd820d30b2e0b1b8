"""The built-in CA for who operates it: hierarchy, where each key is, revocation lists, OCSP answers."""

from collections.abc import Sequence
from datetime import datetime

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _

from certdesk.foundation.common import clock
from certdesk.foundation.iam import queries as iam
from certdesk.foundation.iam.principal import Principal
from certdesk.pki.authority import ceremonies, ceremony, overview
from certdesk.pki.authority.models import Ceremony
from certdesk.pki.authority.overview import Crossed, Line

from ..forms.applying import ALGORITHMS
from .page import page

LIST = "certdesk:authority:list"


@page(LIST)
def hierarchy(request: HttpRequest, principal: Principal) -> HttpResponse:
    """A tree for each root; retired authorities stand last."""
    iam.require_operator(principal, LIST)
    lines, now = overview.lines(), clock.now()
    context = {
        "title": _("Authorities of the private CA"),
        "crumbs": [{"label": _("Private CA"), "url": reverse("authority")}],
        "trees": [
            {
                "root": _shown(root, now),
                "below": [_shown(one, now) for one in lines if one.parent == root.slug],
                "crossed": _certified_by(root, lines, now),
            }
            for root in lines
            if not root.parent
        ],
        "ceremonies": [_held(one) for one in ceremonies.taken()],
    }
    return render(request, "console/hierarchy.html", context)


def _certified_by(root: Line, lines: Sequence[Line], now: datetime) -> list[Crossed]:
    """What holds of it: after its end it is no promise any more."""
    certified = (one for line in lines for one in line.crosses if one.issuer == root.slug)
    return [one for one in certified if one.not_after > now]


def _held(row: Ceremony) -> dict[str, object]:
    agenda = ceremony.agenda_of(row.agenda)
    return {"row": row, "root": agenda.root.slug, "made": [one.place.slug for one in agenda.wanted]}


def _shown(line: Line, now: datetime) -> dict[str, object]:
    label, tone, code = _standing(line, now)
    return {
        "line": line,
        "label": label,
        "tone": tone,
        "code": code,
        "algorithm": ALGORITHMS.get(line.algorithm, line.algorithm),
        "key": _key(line),
        "lists": line.lists,
        "lists_late": line.lists.next_update is not None and line.lists.next_update <= now,
        "answers": _answers(line, now),
        "crosses": [{"cross": one, "ended": one.not_after <= now} for one in line.crosses],
    }


def _standing(line: Line, now: datetime) -> tuple[str, str, str]:
    if line.lost_at:
        return _("Key lost"), "bad", "KEY_LOST"
    if line.not_after <= now:
        return _("Expired"), "end", "EXPIRED"
    if line.retired_at:
        return _("Retired: lists and answers only"), "end", "RETIRED"
    return (_("Root"), "good", "ROOT") if not line.parent else (_("Signs"), "good", "SIGNS")


def _key(line: Line) -> str:
    where = {
        "SEALED": _("sealed in the database"),
        "TOKEN": _("in the PKCS#11 token"),
        "ELSEWHERE": _("outside this installation"),
    }
    return where[line.held]


def _answers(line: Line, now: datetime) -> str:
    """Who answers OCSP for it."""
    if line.answered_until is not None and line.answered_until > now:
        return _("delegated signer")
    return _("nobody") if line.held == "ELSEWHERE" else _("the authority itself")
