"""Three years of automatic renewal in one go: shorter certificates by date, outages, killed workers.

The clock goes from one moment at which something is due to the next, never further than `IDLE`. The stated
size is 1,000 certificates of 200, 100 and 47 days, and 50 of 7 days, for three years: `CERTDESK_SIZE=full`.
CI goes the same way with 60 for three years and 10 for 40 days, about a CPU second each; on PostgreSQL, where
the rest of the suite runs the same jobs, with few.
"""

import os
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from certdesk.foundation.common import clock, settings
from certdesk.foundation.common.errors import CertdeskError, Kind
from certdesk.foundation.common.months import add_months
from certdesk.foundation.iam.models import User
from certdesk.foundation.jobs import running, testing
from certdesk.foundation.jobs.actions import enqueue
from certdesk.foundation.jobs.models import Job, State
from certdesk.foundation.outbox.models import Message
from certdesk.lifecycle.catalogue.queries import SHIPPED
from certdesk.lifecycle.certificates.models import Certificate, Version
from certdesk.lifecycle.issuance import issuers
from certdesk.lifecycle.issuance.issuers import BuiltIn
from certdesk.lifecycle.notifications import jobs as notices
from certdesk.lifecycle.notifications.models import Notice
from certdesk.lifecycle.notifications.rules import LAST
from certdesk.lifecycle.orders.models import Order
from certdesk.lifecycle.renewal import jobs, schedule, switch
from certdesk.lifecycle.renewal.models import Renewal
from certdesk.pki.authority.issue import Prepared
from certdesk.pki.authority.types import CertificateRequest
from tests.support.office import Office, open_office
from tests.support.rulebook import DAY, SECOND, LabClock, lab_clock

# PostgreSQL keeps every old version of a row until its transaction ends, and reads past them all.
ON_POSTGRESQL = "CERTDESK_TEST_DATABASE_URL" in os.environ
pytestmark = [pytest.mark.django_db(transaction=ON_POSTGRESQL), pytest.mark.slow]
FULL = os.environ.get("CERTDESK_SIZE") == "full"
FEW = (8, 3) if ON_POSTGRESQL else (60, 10)
START = datetime(2026, 12, 1, 9, tzinfo=UTC)
IDLE = 5 * DAY
OUTAGE, EVERY = 3 * DAY, 20 * DAY
READERS = ("ada@example.com", "alice@example.net")
BY_DATE = (
    "{ since = 2000-01-01, days = 200 }, { since = 2027-03-15, days = 100 },"
    " { since = 2029-03-15, days = 47 }"
)
WEEK = "{ since = 2000-01-01, days = 7 }"


class Down(BuiltIn):
    """The built-in CA while it does not answer."""

    def prepare(self, request: CertificateRequest, now: object) -> Prepared:
        raise CertdeskError("The CA does not answer.", kind=Kind.UNAVAILABLE)


@pytest.fixture
def lab(db: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LabClock]:
    with lab_clock(tmp_path, monkeypatch) as made:
        yield made


@pytest.fixture
def office(lab: LabClock) -> Iterator[Office]:
    there = issuers.find("builtin")
    with open_office(10**12) as made:
        yield made
    issuers.register(there)


def policy(folder: Path, validity: str) -> None:
    """A catalogue whose certificates get shorter by date, and whose proofs are good throughout."""
    text, head = SHIPPED.read_text(encoding="utf-8"), "[profiles.private]\n"
    proofs = "reuse = [{ since = 2000-01-01, days = 398 }]"
    assert head + proofs in text
    own = f"{head}validity = [{validity}]\n{proofs.replace('398', '3000')}"
    (folder / "years.toml").write_text(text.replace(head + proofs, own), encoding="utf-8")
    settings.install(settings.get().model_copy(update={"catalogue": folder / "years.toml"}))


def killed() -> None:
    """A worker dies in the middle of what it has begun; its leases run out."""
    for job in running.claim("killed", 3):
        running.start(job)
    past = clock.real_now() - DAY
    Job.objects.filter(state=State.RUNNING).update(lease_until=past)


def turn(rounds: int) -> None:
    """What the workers do until the next time."""
    for _ in range(rounds):
        Job.objects.filter(state=State.READY, kind__startswith="issuance.").update(run_at=clock.real_now())
        enqueue(jobs.LOOK)
        testing.run_due(100_000)
    for kind in (notices.LOOK, "notifications.due"):
        enqueue(kind)
        testing.run_due(100_000)


def is_out(at: datetime) -> bool:
    return (at - START) % EVERY < OUTAGE


def stages(version: Version, paid: datetime) -> list[tuple[datetime, str]]:
    """NTF-1, NTF-4, REN-9 in the words of the rules: what comes after its issuance, in the order of time."""
    end, lifetime = version.not_after, version.not_after - version.not_before + SECOND
    found = list[tuple[datetime, str]]()
    if paid > end:  # it is replaced by itself
        pass
    elif lifetime < 100 * DAY:
        parts = ((3, "third"), (6, "sixth"), (12, "twelfth"))
        found = [(end - lifetime / part, name) for part, name in parts]
    else:
        found = [(add_months(end, -2), "two-months"), (add_months(end, -1), "one-month")]
        found.append((end - 7 * DAY, "one-week"))
    found += [(end - 3 * DAY, "three-days"), (end - DAY, "one-day"), (end + SECOND, "expired")]
    return sorted(one for one in found if one[0] > version.created_at)


def moments(certificate: Certificate, version: Version) -> Iterator[datetime]:
    """When something of a certificate is due."""
    paid = certificate.paid_until or version.not_after
    yield from (at for at, _name in stages(version, paid))
    if paid > version.not_after:
        yield schedule.rollover_at(certificate.id, version.not_before, version.not_after)
    if certificate.auto_renewal:
        yield schedule.buy_at(certificate.id, paid)


def following(at: datetime, step: timedelta) -> datetime:
    """The next moment of the clock: the first of every `step` by which something is due."""
    due = [at + IDLE]
    if Renewal.objects.filter(state="OPEN").exists():
        due.append(at + step)
    known = Certificate.objects.in_bulk()
    for version in Version.objects.filter(superseded_at=None, not_after__gt=at - DAY):
        due += [one for one in moments(known[version.certificate_id], version) if one > at]
    return at - (at - min(due)) // step * step  # rounded up


def expected(version: Version, looks: list[datetime], quiet: tuple[datetime, datetime]) -> list[str]:
    """The stages that a version must have told: of those that came between two looks, the last.

    While its purchase is under way (`quiet`), nobody need do anything before the last days.
    """
    until = version.superseded_at or looks[-1] + SECOND
    paid = version.certificate.paid_until or version.not_after
    coming, told = stages(version, paid), list[str]()
    for look in looks[bisect_left(looks, version.created_at) : bisect_left(looks, until)]:
        come = [name for at, name in coming if at <= look]
        held = quiet[0] <= look < quiet[1]
        told += [one for one in come[-1:] if one not in told and (one in LAST or not held)]
    return told


def check_notices(looks: list[datetime]) -> None:
    """Each stage of each version once for each reader, in the threads and in the outbox, and nothing else."""
    wanted, mails = Counter[tuple[str, int, str]](), Counter[tuple[str, str, str]]()
    rows = Renewal.objects.filter(kind="BUY").values_list("certificate_id", "begun_at", "done_at")
    under_way = {one: (begun, done or looks[-1] + SECOND) for one, begun, done in rows}
    for version in Version.objects.select_related("certificate"):
        quiet = under_way.get(version.certificate_id, (looks[-1] + SECOND, looks[-1]))
        for name in expected(version, looks, quiet):
            wanted[version.certificate_id, version.number, name] += len(READERS)
            template = "expired" if name == "expired" else "expiring"
            mails.update((version.certificate_id, template, reader) for reader in READERS)
    assert Counter(Notice.objects.values_list("certificate_id", "version", "stage")) == wanted
    sent = Message.objects.filter(template__in=("expiring", "expired"))
    assert Counter(sent.values_list("certificate_id", "template", "recipient")) == mails
    renewed = Certificate.objects.filter(auto_renewal=True).values_list("id", flat=True)
    assert not sent.filter(template="expired", certificate_id__in=renewed).exists()


def check_purchases(count: int, days: int) -> None:
    """One order for each certificate that came to its last 30 days, and a chain that goes on to the end."""
    bought = Counter(Certificate.objects.exclude(renews_id="").values_list("renews_id", flat=True))
    assert set(bought.values()) <= {1}
    assert (
        Order.objects.filter(type="RENEWAL").count()
        == len(bought)
        == Renewal.objects.filter(kind="BUY").count()
    )
    assert len(bought) >= count * (days // 400)
    rolled = Version.objects.filter(cause="ROLLOVER")
    assert rolled.count() >= count * (days // 200)
    once = rolled.values_list("certificate_id", "number").distinct()
    assert once.count() == rolled.count() == Renewal.objects.filter(kind="ROLLOVER", state="DONE").count()


@pytest.mark.parametrize(
    ("validity", "count", "days", "hours"),
    [
        pytest.param(BY_DATE, 1_000 if FULL else FEW[0], 3 * 365, 12, id="200, 100, 47 days"),
        pytest.param(WEEK, 50 if FULL else FEW[1], 3 * 365 if FULL else 40, 4, id="7 days"),
    ],
)
def test_nothing_expires_is_bought_twice_or_told_twice(
    lab: LabClock, office: Office, tmp_path: Path, validity: str, count: int, days: int, hours: int
) -> None:
    # rule: REN-7
    # rule: REN-8
    # rule: NTF-1
    # rule: NTF-4
    policy(tmp_path, validity)
    User.objects.filter(id=office.people["alice"].id).update(email=READERS[1])
    lab.at(START)
    for _ in range(count):
        made = office.desk.issued("www.example.com")
        switch.set_auto(office.desk.alice, made, clock.now(), enabled=True, deploy=True)
    at, looks = START, list[datetime]()
    while at < START + timedelta(days=days):
        at = following(at, timedelta(hours=hours))
        lab.at(at)
        looks.append(at)
        issuers.register(Down() if is_out(at) else BuiltIn())
        if len(looks) % 5 == 0:
            enqueue(jobs.LOOK)
            killed()
        turn(1 if is_out(at) else 3)
        latest = Certificate.objects.filter(auto_renewal=True, state="ISSUED")
        assert latest.count() == count, at
        assert not latest.filter(not_after__lt=at), at
    check_purchases(count, days)
    check_notices(looks)
