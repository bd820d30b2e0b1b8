"""The mail server of the installation, and a test message: for who administers it (NTF-3)."""

import secrets

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from certdesk.foundation.audit import actions as audit
from certdesk.foundation.common import settings
from certdesk.foundation.common.errors import CertdeskError, WrongState
from certdesk.foundation.common.sql import short_transaction
from certdesk.foundation.iam.principal import Principal
from certdesk.foundation.outbox import actions as outbox
from certdesk.foundation.outbox import queries, smtp
from certdesk.foundation.outbox.models import Message, State

from ..forms.common import put
from ..forms.small import TestMailForm
from .outbox import TONES, label
from .page import back_to, code_of, page, tell

GET, TEST = "iam:mailServer:get", "iam:mailServer:test"


@page(GET, post=TEST)
def mail_server(request: HttpRequest, principal: Principal) -> HttpResponse:
    """How messages leave, and *Send test*."""
    form = TestMailForm(request.POST or None, initial={"address": getattr(request.user, "email", "")})
    code = ""
    if request.method == "POST" and form.is_valid():
        try:
            message = _send(principal, form.cleaned_data["address"])
            tell(request, _("The test message is on its way; its delivery result appears here."), "mail.test")
            return back_to("message", message.id)
        except CertdeskError as error:
            code = code_of(error)
            put(form, error)
    tests = queries.of_account(principal.account_id).filter(template="mail-test")[:5]
    context = {
        "title": _("Mail server"),
        "form": form,
        "code": code,
        "facts": facts(),
        "ready": bool(settings.get().smtp_url),
        "may_test": principal.may(TEST),
        "tests": [_line(one) for one in tests],
    }
    return render(request, "console/mail_server.html", context, status=422 if form.errors else 200)


def _line(message: Message) -> dict[str, object]:
    state = State(message.state)
    return {
        "at": message.created_at,
        "recipient": message.recipient or _("deleted"),
        "label": label(state),
        "tone": TONES[state],
        "code": state.value,
        "url": reverse("message", args=[message.id]),
    }


def facts() -> list[dict[str, str]]:
    """What the settings say; a password is told by its presence alone."""
    url = settings.get().smtp_url
    if not url:
        return [{"label": _("Mail server"), "value": _("none: messages are kept here only")}]
    server = smtp.parse(url)
    secured = "TLS" if server.tls else "STARTTLS" if server.starttls else _("not encrypted")
    return [
        {"label": _("Mail server"), "value": f"{server.host}:{server.port}"},
        {"label": _("Connection"), "value": secured},
        {"label": _("User"), "value": server.user or _("none")},
        {"label": _("Sender"), "value": server.sender or outbox.default_sender()},
        {"label": _("Replies"), "value": settings.get().mail_listener or _("are not taken")},
    ]


def _send(principal: Principal, address: str) -> Message:
    if not settings.get().smtp_url:
        raise WrongState(
            _("No mail server is set up."), next_step=_("Set CERTDESK_SMTP_URL and start again, then test.")
        )
    context = {"sender": principal.name, "link": f"{settings.get().base_url}{reverse('mail-server')}"}
    with short_transaction():
        message = outbox.send(
            principal.account_id,
            "mail-test",
            address.strip(),
            context,
            locale=get_language() or "en",
            dedupe_key=f"mail-test:{secrets.token_hex(16)}",
        )
        audit.record(principal, TEST, resource="mail-server", account_id=principal.account_id, details={})
    return message
