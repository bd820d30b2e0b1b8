"""The weekly mail: on or off, its day, and how it would look now."""

from typing import Any

from django import forms
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from certdesk.foundation.common import clock
from certdesk.foundation.common.errors import CertdeskError
from certdesk.foundation.iam.principal import Principal
from certdesk.interfaces.operations import overview_mails
from certdesk.lifecycle.certificates.rows import LIST
from certdesk.lifecycle.overview import actions, mailing, rules

from ..forms.common import put
from .page import back_to, page, tell

DAYS = [
    (0, gettext_lazy("Monday")),
    (1, gettext_lazy("Tuesday")),
    (2, gettext_lazy("Wednesday")),
    (3, gettext_lazy("Thursday")),
    (4, gettext_lazy("Friday")),
    (5, gettext_lazy("Saturday")),
    (6, gettext_lazy("Sunday")),
]


class MailForm(forms.Form):
    enabled = forms.BooleanField(label=gettext_lazy("Mail me the overview each week"), required=False)
    weekday = forms.TypedChoiceField(label=gettext_lazy("Day"), choices=DAYS, coerce=int)


@page(LIST, post=LIST)
def mail(request: HttpRequest, principal: Principal) -> HttpResponse:
    now = clock.now()
    switch = mailing.own(principal, now)
    initial = {"enabled": switch.enabled, "weekday": switch.weekday}
    form = MailForm(request.POST if request.method == "POST" else None, initial=initial, label_suffix="")
    if request.method == "POST" and form.is_valid():
        try:
            actions.switch(principal, **form.cleaned_data, now=now)
        except CertdeskError as error:
            put(form, error)
        else:
            tell(request, _("Saved."), "overview.mail")
            return back_to("overview-mail")
    context: dict[str, Any] = {
        "title": _("Weekly mail"),
        "crumbs": [{"label": _("Overview"), "url": reverse("overview")}],
        "form": form,
        "switch": switch,
        "hour": f"{rules.HOUR:%H:%M}",
        "preview": overview_mails.preview(principal, switch.user, now),
    }
    return render(request, "console/overview_mail.html", context, status=422 if form.errors else 200)
