"""From notices that are due to messages: one a certificate, or one a person as a digest."""

import hashlib
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby

import structlog

from certdesk.foundation.common import clock, settings
from certdesk.foundation.common.errors import BadParameter
from certdesk.foundation.outbox import actions as outbox

from . import habits, queries, recipients, rules, timing_rules
from .models import Channel, Notice, Progress, Whom
from .queries import Candidate
from .recipients import To
from .rules import NoticeType
from .timing_rules import Hours

LINK = "notice-"
EXPIRED = "expired"
log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Ready:
    """A notice with the certificate it is about, as it is now, and its recipient's address."""

    notice: Notice
    about: Candidate
    recipient: str


def waiting_accounts(now: datetime) -> list[str]:
    found = Notice.objects.filter(state=Progress.WAITING, send_at__lte=now)
    return sorted(found.order_by().values_list("account_id", flat=True).distinct())


def pack(account_id: str, now: datetime, limit: int) -> bool:
    """Hands due notices to the outbox, in the caller's transaction; answers whether there may be more."""
    hours = habits.hours(account_id)
    is_digest = hours.digest_at is not None
    order = ("channel_id", "digest", "id") if is_digest else ("id",)
    due = Notice.objects.filter(account_id=account_id, state=Progress.WAITING, send_at__lte=now)
    found = list(due.order_by(*order)[:limit])
    about = queries.candidates([one.certificate_id for one in found])
    kinds = {one.id: one for one in Channel.objects.filter(account_id=account_id)}
    ready = []
    for notice in found:
        certificate = about.get(notice.certificate_id)
        if certificate is not None and _is_held(notice, certificate):
            _put_off(notice, certificate, hours, now)
            continue
        one = _ready(notice, certificate, kinds)
        if one is None:
            _settle([notice], Progress.SILENCED)
        else:
            ready.append(one)
    for _person, group in groupby(ready, key=lambda one: (one.notice.channel_id, one.notice.digest)):
        _send_all(list(group), kinds, now, is_digest=is_digest)
    return len(found) == limit


def _is_held(notice: Notice, about: Candidate) -> bool:
    """Its stage counts as told, so what is dropped now would never be told, should the renewal not come."""
    is_latest = notice.version == about.version and about.told == (notice.version, notice.stage)
    return is_latest and about.held(notice.stage)


def _put_off(notice: Notice, about: Candidate, hours: Hours, now: datetime) -> None:
    later = now + queries.SOON
    when = later if notice.urgent else timing_rules.send_at(hours, later, about.not_after)
    Notice.objects.filter(id=notice.id).update(send_at=when)


def _ready(notice: Notice, about: Candidate | None, kinds: Mapping[str, Channel]) -> Ready | None:
    """None for what is not to be told any more: replaced, deleted, switched off, nobody there."""
    if about is None or about.version != notice.version or notice.channel_id not in {"", *kinds}:
        return None
    if about.quiet(notice.stage):  # it was renewed while this waited
        return None
    kind = NoticeType.EXPIRED if notice.stage == EXPIRED else NoticeType.EXPIRING
    recipient = notice.recipient if notice.whom != Whom.APPLICANT else _applicant(notice, about)
    return Ready(notice, about, recipient) if kind in about.on and recipient else None


def _applicant(notice: Notice, about: Candidate) -> str:
    for mail, number, _locale in recipients.people(about, Whom.APPLICANT):
        for address in (mail, number):
            if To(Whom.APPLICANT, address, "").digest == notice.digest:
                return address
    return ""


def _send_all(
    ready: Sequence[Ready], kinds: Mapping[str, Channel], now: datetime, *, is_digest: bool
) -> None:
    if is_digest and len(ready) > 1:
        _send(ready, kinds, now)
        return
    for one in ready:
        _send([one], kinds, now)


def _send(ready: Sequence[Ready], kinds: Mapping[str, Channel], now: datetime) -> None:
    """A message never stops the others: an address that cannot be used is noted in the log."""
    first = ready[0]
    secret = secrets.token_urlsafe(24)
    single = len(ready) == 1
    try:
        message = outbox.send(
            first.notice.account_id,
            _template(ready),
            first.recipient if first.notice.whom != Whom.CHANNEL else kinds[first.notice.channel_id].label,
            line(first.about, now) if single else digest_context(ready, now),
            certificate_id=first.about.id if single else "",
            also_about=() if single else [one.about.id for one in ready],
            locale=first.notice.locale,
            channel=kinds[first.notice.channel_id].kind if first.notice.channel_id else outbox.EMAIL,
            channel_id=first.notice.channel_id,
            thread=f"notices:{first.about.id}" if single else "",
            dedupe_key=_name(first.notice, single=single),
            secrets={"acknowledge_link": f"{settings.get().base_url}/confirm/{LINK}{secret}"},
        )
    except BadParameter as refused:
        log.warning("message not sent", certificate=first.about.id, reason=refused.message)
        _settle([one.notice for one in ready], Progress.SILENCED)
        return
    _settle([one.notice for one in ready], Progress.SENT, message.id, digest_of(secret))


def _template(ready: Sequence[Ready]) -> str:
    if len(ready) > 1:
        return "expiring-digest"
    return "expired" if ready[0].notice.stage == EXPIRED else "expiring"


def _name(notice: Notice, *, single: bool) -> str:
    if not single:
        return f"digest:{notice.id}"
    way = f":{notice.channel_id}" if notice.channel_id else ""
    return f"{notice.certificate_id}:{notice.version}:{notice.stage}:{notice.digest}{way}"


def line(about: Candidate, now: datetime) -> dict[str, object]:
    """What the templates of a single certificate need."""
    return {
        "domain": about.domain,
        "name": about.name,
        "certificate_id": about.id,
        "not_after": about.not_after,
        "days": rules.days_left(about.not_after, now),
        "link": f"{settings.get().base_url}/certificates/{about.id}",
        "successor": about.succession.name if about.succession else "",
        "successor_link": f"{settings.get().base_url}{about.succession.path}" if about.succession else "",
    }


def digest_context(ready: Sequence[Ready], now: datetime) -> dict[str, object]:
    lines = sorted((one.about for one in ready), key=lambda about: (about.not_after, about.id))
    return {
        "count": len(lines),
        "lines": [line(about, now) for about in lines],
        "link": f"{settings.get().base_url}/certificates",
    }


def _settle(notices: Sequence[Notice], state: Progress, message_id: int = 0, link: str = "") -> None:
    """The address goes: the outbox has it, and forgets it where a privacy authorization is cancelled."""
    Notice.objects.filter(id__in=[one.id for one in notices]).update(
        state=state, message_id=message_id, link=link, recipient=""
    )


def digest_of(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def facts(message_id: int) -> dict[str, object]:
    """What a webhook is told of a message, beside its text."""
    found = list(Notice.objects.filter(message_id=message_id).order_by("id"))
    about = queries.candidates([one.certificate_id for one in found])
    lines = [
        {
            "certificate_id": one.certificate_id,
            "domain": about[one.certificate_id].domain,
            "name": about[one.certificate_id].name,
            "not_after": clock.wire(about[one.certificate_id].not_after),
            "stage": one.stage,
            "escalated": one.urgent,
        }
        for one in found
        if one.certificate_id in about
    ]
    base = settings.get().base_url
    single = f"/certificates/{found[0].certificate_id}" if len(found) == 1 else "/certificates"
    return {"event": "certificate.expiring", "certificates": lines, "link": f"{base}{single}"}
