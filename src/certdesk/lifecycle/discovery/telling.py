"""One mail after a run about what is new and wrong: to whoever made the scan, each problem once."""

from datetime import datetime

from django.db.models import Case, CharField, F, QuerySet, Value, When

from certdesk.foundation.common import settings
from certdesk.foundation.iam.models import User
from certdesk.foundation.jobs.actions import enqueue
from certdesk.foundation.outbox import actions as outbox

from . import queries, rules
from .models import Endpoint, Scan

TELL = "discovery.tell"
TEMPLATE = "scan-found"
NAMED = 20  # endpoints in one mail
MARKED = 100  # rows in one transaction (law 13)


def send(scan: Scan, *, again: bool = False) -> None:
    """The job, in the caller's transaction."""
    payload = {"run": scan.run, "again": again}
    enqueue(TELL, payload, subject=scan.id, dedupe_key=f"{TELL}:{scan.id}:{scan.run}:{again}")


def tell(scan: Scan, run: int, now: datetime, *, again: bool = False) -> None:
    """Mails what was not told yet, and marks a page of it; `again` only marks the next page."""
    new = _untold(scan, now)
    page = list(new.order_by("not_after", "id")[: MARKED + 1])
    if page and not again:
        _mail(scan, run, page[:NAMED], new.count())
    for verdict in {one.verdict for one in page}:  # type: ignore[attr-defined]
        those = [one.id for one in page[:MARKED] if one.verdict == verdict]  # type: ignore[attr-defined]
        Endpoint.objects.filter(id__in=those).update(told=verdict)
    if len(page) > MARKED:
        send(scan, again=True)


def _untold(scan: Scan, now: datetime) -> "QuerySet[Endpoint]":
    """Endpoints of the scan whose gravest problem is another one than was told last."""
    whens = [When(queries.having(one, now), then=Value(one.value)) for one in rules.TOLD]
    gravest = Case(*whens, default=Value(""), output_field=CharField())
    found = Endpoint.objects.filter(scan_id=scan.id, gone=False).annotate(verdict=gravest)
    return found.exclude(verdict="").exclude(verdict=F("told"))


def _mail(scan: Scan, run: int, named: list[Endpoint], count: int) -> None:
    contact = _contact(scan)
    if contact is None:
        return
    outbox.send(
        scan.account_id,
        TEMPLATE,
        contact.email,
        {
            "name": contact.name,
            "scan": scan.name,
            "count": count,
            "lines": [_line(one) for one in named],
            "more": count - len(named),
            "link": f"{settings.get().base_url}/discovery",
        },
        locale=contact.language,
        dedupe_key=f"scan:{scan.id}:{run}",
    )


def _line(one: Endpoint) -> dict[str, object]:
    where = f"[{one.address}]:{one.port}" if ":" in one.address else f"{one.address}:{one.port}"
    shown = one.name or (one.host if one.host != one.address else "")
    return {
        "place": f"{shown} ({where})" if shown else where,
        "verdict": one.verdict,  # type: ignore[attr-defined]
        "subject": one.subject,
        "not_after": one.not_after,
    }


def _contact(scan: Scan) -> User | None:
    """Who made the scan; when gone, the account's first user with an address."""
    users = User.objects.filter(account_id=scan.account_id, is_active=True).exclude(email="")
    return users.filter(id=scan.created_by).first() or users.order_by("created_at", "id").first()
