"""What waits too long: reissues nobody confirms, and what was pending when a certificate expired (LST-7)."""

from datetime import datetime

from django.db.models import Q, QuerySet

from certdesk.foundation.common import clock
from certdesk.foundation.common.sql import short_transaction
from certdesk.foundation.iam.principal import system_principal
from certdesk.foundation.jobs import actions as jobs
from certdesk.foundation.jobs.models import Job
from certdesk.foundation.jobs.registry import Handler, handler, periodic
from certdesk.foundation.outbox import actions as outbox
from certdesk.foundation.outbox.models import Message
from certdesk.lifecycle.applications import actions as applications
from certdesk.lifecycle.applications.models import Application, ApplicationState, Purpose
from certdesk.lifecycle.certificates import actions as certificates
from certdesk.lifecycle.certificates.rules import state_of
from certdesk.lifecycle.certificates.states import Event, State
from certdesk.lifecycle.validation import proofs

from . import reissuing
from . import revocation_rules as rules
from .models import ReissueOutcome, ReissueRequest

WATCH = "issuance.reissues"
AT_ONCE = 100  # rows of one round (law 13)
ADDING = (State.SUPPLEMENTCHECKING, State.CANCELSUPPLEMENTING)
LAPSED = "The reissue was not confirmed within 30 days, so the certificate stays as it is."
EXPIRED = "The certificate expired before its reissue was confirmed."
ADDITION_EXPIRED = "The certificate expired before the added names were issued."


@handler(WATCH, lock=WATCH)
class Watch(Handler[bool, None]):
    """Every minute: who has waited three days is reminded once, who has waited thirty is let go."""

    def load(self, job: Job) -> bool | None:
        now = clock.now()
        due, over = list(_due(now)), list(_over(now))
        for asked in due:
            _watch(asked, now)
        for application in over:
            end_addition(application, now)
        if AT_ONCE in (len(due), len(over)):  # there may be more; each seen now is due no longer
            jobs.enqueue(WATCH, dedupe_key=WATCH)
        return None


def _due(now: datetime) -> QuerySet[ReissueRequest]:
    reminder = Q(reminded_at=None, made_at__lte=now - rules.REMIND_AFTER)
    over = Q(made_at__lt=now - rules.LINK_LIFE) | Q(certificate__not_after__lt=now)
    gone = ~Q(certificate__state=State.REISSUING)  # e.g. deleted after it had expired
    found = ReissueRequest.objects.filter(reminder | over | gone, outcome=ReissueOutcome.OPEN)
    return found.select_related("certificate").order_by("id")[:AT_ONCE]


def _watch(asked: ReissueRequest, now: datetime) -> None:
    if state_of(asked.certificate, now) is not State.REISSUING:
        reissuing.lapse(asked, EXPIRED, now)
    elif rules.link_is_old(asked.made_at, now):
        reissuing.lapse(asked, LAPSED, now)
    else:
        ReissueRequest.objects.filter(id=asked.id).update(reminded_at=now)
        message = Message.objects.filter(dedupe_key=reissuing.message_of(asked.id)).first()
        if message is not None:
            outbox.send_again(message.id)


def _over(now: datetime) -> QuerySet[Application]:
    return Application.objects.filter(
        state=ApplicationState.OPEN,
        purpose=Purpose.ADDITION,
        certificate__state__in=ADDING,
        certificate__not_after__lt=now,
    ).order_by("id")[:AT_ONCE]


def end_addition(application: Application, now: datetime) -> None:
    """Expired with the certificate. Whoever was quicker, a signature or a withdrawal, has settled it."""
    principal = system_principal(application.account_id, WATCH)
    with short_transaction():
        if proofs.lock(application.id) is None:
            return
        applications.end(application.id, ApplicationState.WITHDRAWN, now)
        certificates.move(
            application.certificate_id, Event.LAPSE, now, principal=principal, note=ADDITION_EXPIRED
        )


periodic(WATCH, 60, at_start=True)
