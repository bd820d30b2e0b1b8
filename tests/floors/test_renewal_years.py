"""Three years of automatic renewal in one go: shorter certificates by date, outages, killed workers.

`CERTDESK_SIZE=full` takes the stated 1,000 and 50 certificates; CI a sample of the same path.
"""

import os
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from certdesk.foundation.common import clock, settings
from certdesk.foundation.common.errors import CertdeskError, Kind
from certdesk.foundation.jobs import running, testing
from certdesk.foundation.jobs.actions import enqueue
from certdesk.foundation.jobs.models import Job, State
from certdesk.lifecycle.catalogue.queries import SHIPPED
from certdesk.lifecycle.certificates.models import Certificate, Version
from certdesk.lifecycle.issuance import issuers
from certdesk.lifecycle.issuance.issuers import BuiltIn
from certdesk.lifecycle.orders.models import Order
from certdesk.lifecycle.renewal import jobs, switch
from certdesk.lifecycle.renewal.models import Renewal
from certdesk.pki.authority.issue import Prepared
from certdesk.pki.authority.types import CertificateRequest
from tests.support.office import Office, open_office
from tests.support.rulebook import LabClock, lab_clock

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)
FULL = os.environ.get("CERTDESK_SIZE") == "full"
START = datetime(2026, 12, 1, 9, tzinfo=UTC)
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


def turn() -> None:
    """What the workers do until the next time."""
    for _ in range(3):
        Job.objects.filter(state=State.READY, kind__startswith="issuance.").update(run_at=clock.real_now())
        enqueue(jobs.LOOK)
        testing.run_due(500)


@pytest.mark.parametrize(
    ("validity", "count", "days", "hours"),
    [
        pytest.param(BY_DATE, 1_000 if FULL else 3, 3 * 365, 60, id="200, 100, 47 days"),
        pytest.param(WEEK, 50 if FULL else 2, 3 * 365 if FULL else 40, 8, id="7 days"),
    ],
)
def test_nothing_expires_and_nothing_is_bought_twice(
    lab: LabClock, office: Office, tmp_path: Path, validity: str, count: int, days: int, hours: int
) -> None:
    # rule: REN-7
    # rule: REN-8
    policy(tmp_path, validity)
    lab.at(START)
    lines = [[office.desk.issued("www.example.com")] for _ in range(count)]
    for line in lines:
        switch.set_auto(office.desk.alice, line[0], clock.now(), enabled=True, deploy=True)
    end = START + timedelta(days=days)
    at, number = START, 0
    while at < end:
        at, number = at + timedelta(hours=hours), number + 1
        lab.at(at)
        outage = (at - START) % timedelta(days=20) < timedelta(days=3)
        issuers.register(Down() if outage else BuiltIn())
        if number % 5 == 0:
            enqueue(jobs.LOOK)
            killed()
        turn()
        latest = Certificate.objects.filter(auto_renewal=True, state="ISSUED")
        assert latest.count() == count, at
        assert not latest.filter(not_after__lt=at), at
    bought = Counter(Certificate.objects.exclude(renews_id="").values_list("renews_id", flat=True))
    assert set(bought.values()) <= {1}
    assert (
        Order.objects.filter(type="RENEWAL").count()
        == len(bought)
        == Renewal.objects.filter(kind="BUY").count()
    )
    assert len(bought) == count * (days // 366 or 0) or len(bought) >= count * (days // 400)
    rolled = Version.objects.filter(cause="ROLLOVER").count()
    assert rolled >= count * (days // 200)
