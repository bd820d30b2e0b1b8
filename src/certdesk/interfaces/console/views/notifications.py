"""Notification settings: who is told by which way and when, and what the messages look like (NTF-1 to 6)."""

from datetime import timedelta
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _

from certdesk.connectors.channels.registry import KINDS
from certdesk.foundation.common import clock, settings
from certdesk.foundation.common.errors import BadParameter, CertdeskError
from certdesk.foundation.iam.principal import Principal
from certdesk.foundation.outbox import render as messages
from certdesk.foundation.outbox.rules import LOCALES
from certdesk.interfaces.operations.registry import call
from certdesk.lifecycle.notifications import audience, channels, habits, rules
from certdesk.lifecycle.notifications.channels import CREATE, DELETE, LIST, UPDATE
from certdesk.lifecycle.notifications.models import Channel, Rule, Whom
from certdesk.lifecycle.notifications.timing_rules import text_of

from ..forms.common import put
from ..forms.notifications import HoursForm
from .page import back_to, code_of, page, tell


@page(LIST, post=UPDATE)
def settings_page(request: HttpRequest, principal: Principal) -> HttpResponse:
    """Recipients, channels, hours."""
    hours = habits.hours(principal.account_id)
    shown = {name: text_of(getattr(hours, name)) for name in ("quiet_from", "quiet_to", "digest_at")}
    form = HoursForm(
        request.POST if request.method == "POST" else None,
        initial={"zone": hours.zone, **shown},
        label_suffix="",
    )
    code = ""
    if request.method == "POST" and form.is_valid():
        try:
            call("notification_hours.update", principal, body=form.cleaned_data)
        except CertdeskError as error:
            code = code_of(error)
            put(form, error)
        else:
            tell(request, _("The hours are saved."), "notices.hours")
            return back_to("notifications")
    found = channels.listed(principal)
    own = channels.resource_of(principal.account_id)
    context = {
        "title": _("Notifications"),
        "rules": [rule_line(one, found) for one in audience.listed(principal)],
        "channels": [channel_line(one) for one in found],
        "mail_ready": bool(settings.get().smtp_url),
        "has_sms": any(one.kind == "sms" for one in found),
        "form": form,
        "code": code,
        "may_add": principal.may(CREATE, own),
        "may_edit": principal.may(UPDATE, own),
        "may_remove": principal.may(DELETE, own),
    }
    return render(request, "console/notifications.html", context, status=422 if form.errors else 200)


def channel_line(one: Channel) -> dict[str, Any]:
    tone, label = standing(one)
    return {
        "channel": one,
        "url": reverse("channel", args=[one.id]),
        "kind": _(KINDS[one.kind].label) if one.kind in KINDS else one.kind,
        "tone": tone,
        "label": label,
    }


def standing(one: Channel) -> tuple[str, str]:
    """Tone and words by the last delivery or test."""
    if one.problem:
        return "bad", _("Does not work")
    return ("good", _("Works")) if one.asked_at else ("you", _("Not tested yet"))


def whom_words() -> dict[str, str]:
    """By `Whom`."""
    return {
        Whom.APPLICANT: _("Applicant"),
        Whom.CONTACT: _("Account contact"),
        Whom.ADMINISTRATORS: _("Administrators of the account"),
        Whom.EMAIL: _("Mail"),
        Whom.PHONE: _("SMS"),
        Whom.CHANNEL: _("Channel"),
    }


def rule_line(rule: Rule, found: list[Channel]) -> dict[str, Any]:
    names = {one.id: one.label for one in found}
    return {
        "rule": rule,
        "whom": whom_words()[rule.whom],
        "recipient": names.get(rule.recipient, rule.recipient),
        "scope": _scope(rule),
        "certificate_url": reverse("certificate", args=[rule.scope_id])
        if rule.scope == "CERTIFICATE"
        else "",
    }


def _scope(rule: Rule) -> str:
    if rule.scope == "PROJECT":
        name = _("default") if rule.scope_id == "0" else rule.scope_id
        return _("Project %(name)s") % {"name": name}
    return rule.scope_id or _("All certificates")


STAGES = ("expiring", "expired", "expiring-digest")


@page(LIST)
def preview(request: HttpRequest, principal: Principal) -> HttpResponse:
    """Each stage's message as it will look, in both languages."""
    context = {
        "title": _("Preview of the messages"),
        "crumbs": [{"label": _("Notifications"), "url": reverse("notifications")}],
        "stages": [
            {
                "title": title,
                "messages": [
                    {
                        "locale": "zh-Hans" if locale == "zh-hans" else "en",
                        "language": "简体中文" if locale == "zh-hans" else "English",
                        "shown": messages.render(template, locale, _sample(days)),
                        "url": f"{reverse('notices-preview-mail')}?"
                        + urlencode({"template": template, "locale": locale, "days": str(days)}),
                    }
                    for locale in LOCALES
                ],
            }
            for title, template, days in _stages()
        ],
    }
    return render(request, "console/notices_preview.html", context)


def _stages() -> list[tuple[str, str, int]]:
    """(heading, template, days left)."""
    return [
        (_("Two months before the end"), "expiring", 61),
        (_("One month before the end"), "expiring", 31),
        (_("One week before the end"), "expiring", 7),
        (_("Three days before the end"), "expiring", 3),
        (_("One day before the end"), "expiring", 1),
        (_("At its end"), "expired", 0),
        (_("One message a day about many"), "expiring-digest", 3),
    ]


def _sample(days: int) -> dict[str, object]:
    """A certificate that does not exist, ending in so many days."""
    now = clock.now().replace(microsecond=0)
    base = settings.get().base_url
    one = _certificate("www.example.com", now + timedelta(days=days) - rules.SECOND * (days == 0), days)
    other = _certificate("shop.example.com", now + timedelta(days=days + 4), days + 4)
    return {
        **one,
        "count": 2,
        "lines": [one, other],
        "acknowledge_link": f"{base}/confirm/notice-…",
    }


def _certificate(domain: str, ends: Any, days: int) -> dict[str, object]:
    return {
        "successor": "",
        "successor_link": "",
        "domain": domain,
        "name": "scm-a1b2c3",
        "certificate_id": "scs0000000000000",
        "not_after": ends,
        "days": days,
        "link": f"{settings.get().base_url}/certificates/scs0000000000000",
    }


@page(LIST)
def preview_mail(request: HttpRequest, principal: Principal) -> HttpResponse:
    """The HTML part of one mail, alone on its page and without any power there."""
    template, locale = request.GET.get("template", ""), request.GET.get("locale", "en")
    days = request.GET.get("days", "7")
    if template not in STAGES or locale not in LOCALES or days not in {str(one[2]) for one in _stages()}:
        raise BadParameter(_("There is no such message."), next_step=_("Use the links of the preview."))
    shown = messages.render(template, locale, _sample(int(days)))
    response = HttpResponse(shown.html)
    response.headers["Content-Security-Policy"] = (
        "sandbox; default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"
    )
    return response
