"""One channel of notices: connect, test, edit, remove. Its secrets are never shown."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _

from certdesk.connectors.channels.registry import KINDS
from certdesk.foundation.common.errors import CertdeskError, WrongState
from certdesk.foundation.iam.principal import Principal
from certdesk.interfaces.words.say import say
from certdesk.lifecycle.notifications import channels
from certdesk.lifecycle.notifications.channels import CREATE, DELETE, GET, TEST, UPDATE
from certdesk.lifecycle.notifications.models import Channel, Rule

from ..forms.common import put
from ..forms.dns import PREFIX
from ..forms.notifications import ChannelForm, ChannelTestForm
from .notifications import standing
from .page import alert, back_to, code_of, page, tell


def words() -> dict[str, str]:
    """By kind: what it is for."""
    return {
        "chat": _("Slack, Teams, Matrix, ntfy, DingTalk, WeCom and some 130 other services, by apprise."),
        "sms": _("Text messages to phones, by a gateway such as Twilio, Vonage, Infobip or BulkSMS."),
        "webhook": _("JSON by POST to a program of yours, signed with a key that both sides know."),
    }


@page(CREATE, post=CREATE)
def add(request: HttpRequest, principal: Principal) -> HttpResponse:
    """First the kind, then its form."""
    kind = request.GET.get("kind", "")
    if kind not in KINDS:
        kinds = [
            {
                "title": _(KINDS[name].label),
                "text": text,
                "url": f"{reverse('channel-add')}?{urlencode({'kind': name})}",
            }
            for name, text in words().items()
        ]
        context = {"title": _("Connect a channel"), "crumbs": _crumbs(), "kinds": kinds}
        return render(request, "console/channel_kinds.html", context)
    form = ChannelForm(kind, request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        try:
            made = channels.add(principal, kind, form.cleaned_data["label"], form.options())
        except CertdeskError as error:
            return _form(request, _("Connect a channel"), form, reverse("notifications"), error)
        tell(request, _("The channel is saved. Send a test now."), "channel.saved")
        return back_to("channel", made.id)
    return _form(request, _("Connect a channel"), form, reverse("notifications"))


@page(UPDATE, post=UPDATE)
def edit(request: HttpRequest, principal: Principal, channel_id: str) -> HttpResponse:
    channel = channels.fetch(principal, UPDATE, channel_id)
    back = reverse("channel", args=[channel_id])
    form = ChannelForm(channel.kind, request.POST if request.method == "POST" else None, shown=channel.shown)
    form.fields["label"].initial = channel.label
    if request.method == "POST" and form.is_valid():
        try:
            channels.edit(principal, channel_id, form.cleaned_data["label"] or channel.label, form.options())
        except CertdeskError as error:
            return _form(request, _("Edit the channel"), form, back, error)
        tell(request, _("The channel is saved. Send a test now."), "channel.saved")
        return back_to("channel", channel_id)
    return _form(request, _("Edit the channel"), form, back)


def _form(
    request: HttpRequest, title: str, form: ChannelForm, back: str, error: CertdeskError | None = None
) -> HttpResponse:
    if error is not None:
        put(form, error, {"options": f"{PREFIX}url"})
    context = {
        "title": title,
        "subtitle": _(KINDS[form.kind].label),
        "form": form,
        "code": code_of(error) if error else "",
        "back": back,
        "crumbs": _crumbs(),
    }
    return render(request, "console/channel_form.html", context, status=422 if form.errors else 200)


def _crumbs(channel: Channel | None = None) -> list[dict[str, str]]:
    found = [{"label": _("Notifications"), "url": reverse("notifications")}]
    if channel is not None:
        found.append({"label": channel.label, "url": reverse("channel", args=[channel.id])})
    return found


@page(GET, post=TEST)
def shown(request: HttpRequest, principal: Principal, channel_id: str) -> HttpResponse:
    """One channel, how it does, and *Send test*."""
    action = TEST if request.method == "POST" else GET
    channel = channels.fetch(principal, action, channel_id)
    form = ChannelTestForm(request.POST if request.method == "POST" else None, label_suffix="")
    if request.method == "POST" and form.is_valid():
        try:
            _tell_test(request, channels.test(principal, channel_id, form.cleaned_data["phone"]))
            return back_to("channel", channel_id)
        except CertdeskError as error:
            put(form, error)
    resource = channels.resource_of(channel.account_id, channel.id)
    tone, label = standing(channel)
    context = {
        "title": channel.label,
        "subtitle": _(KINDS[channel.kind].label),
        "crumbs": _crumbs(),
        "channel": channel,
        "tone": tone,
        "label": label,
        "problem": say(channel.problem),
        "next_step": say(channel.next_step),
        "form": form,
        "is_sms": KINDS[channel.kind].to_phone,
        "facts": _facts(channel),
        "may_test": principal.may(TEST, resource),
        "may_edit": principal.may(UPDATE, resource),
        "may_remove": principal.may(DELETE, resource),
    }
    return render(request, "console/channel.html", context, status=422 if form.errors else 200)


def _tell_test(request: HttpRequest, found: channels.Tested) -> None:
    if found.ok:
        words = _("The test was taken (%(answer)s). Look whether it arrived.") % {"answer": found.answer}
        tell(request, words, "channel.tested")
        return
    problem = _("The test was not taken: %(problem)s") % {"problem": say(found.problem)}
    alert(request, WrongState(problem, next_step=say(found.next_step)))


def _facts(channel: Channel) -> list[dict[str, Any]]:
    model = KINDS[channel.kind].options.model_fields
    found = []
    for name, value in channel.shown.items():
        text = _("stored, never shown") if value == "***" else str(value or _("none"))
        found.append({"label": _(model[name].title or name) if name in model else name, "value": text})
    return found


@page(DELETE, post=DELETE)
def remove(request: HttpRequest, principal: Principal, channel_id: str) -> HttpResponse:
    """Asks first, naming what is lost."""
    channel = channels.fetch(principal, DELETE, channel_id)
    if request.method == "POST":
        channels.remove(principal, channel_id)
        tell(request, _("The channel is removed and its secrets are destroyed."), "channel.removed")
        return back_to("notifications")
    context = {
        "title": _("Remove the channel"),
        "crumbs": _crumbs(channel),
        "channel": channel,
        "rules": Rule.objects.filter(account_id=channel.account_id, recipient=channel.id).count(),
        "back": reverse("channel", args=[channel_id]),
    }
    return render(request, "console/channel_remove.html", context)
