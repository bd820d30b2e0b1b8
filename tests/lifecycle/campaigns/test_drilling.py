"""The rehearsal on the host: what it counts, and that it keeps nothing."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from typer.testing import CliRunner

from certdesk.foundation.audit.models import Event
from certdesk.foundation.common.errors import NotFound
from certdesk.foundation.jobs.models import Job
from certdesk.interfaces.cli.main import app
from certdesk.lifecycle.campaigns import drilling, queries, rules
from certdesk.lifecycle.certificates.models import Certificate
from certdesk.lifecycle.issuance.models import RevocationRequest
from tests.support.desk import Desk, open_desk

pytestmark = pytest.mark.django_db
EXAMPLE = rules.Query(name="example.com")


@pytest.fixture
def desk(db: None) -> Iterator[Desk]:
    with open_desk() as made:
        yield made


def test_it_counts_rehearses_a_sample_and_keeps_nothing(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    # rule: REV-6
    monkeypatch.setattr(queries, "SCANNED", 2)
    mine = [desk.issued(f"{name}.example.com") for name in "abc"]
    desk.issued("www.example.net")
    Certificate.objects.filter(id=mine[0]).update(state="REISSUING")
    events, jobs = Event.objects.count(), Job.objects.count()
    told = drilling.drill(EXAMPLE, "desk", 1)
    assert (told.certificates, told.able, told.rehearsed, told.owners) == (3, 2, 1, 1)
    assert list(told.left_out.values()) == [1]
    assert told.each > 0
    assert (Event.objects.count(), Job.objects.count()) == (events, jobs)
    assert [desk.state(one) for one in mine[1:]] == ["ISSUED", "ISSUED"]
    assert not RevocationRequest.objects.exists()


def test_nothing_found_takes_no_time_and_no_account_is_told(desk: Desk) -> None:
    told = drilling.drill(EXAMPLE, "", 50)
    assert (told.certificates, told.each, told.owners) == (0, 0.0, 0)
    with pytest.raises(NotFound):
        drilling.drill(EXAMPLE, "nobody", 50)


def test_the_command_says_how_long_it_would_take(desk: Desk) -> None:
    desk.issued("www.example.com")
    done = CliRunner().invoke(app, ["drill", "--name", "example.com", "--per-minute", "1", "--json"])
    assert done.exit_code == 0, done.output
    assert '"would_take_seconds": 60' in done.output
    assert '"could_be_revoked": 1' in done.output


def test_time_left_is_by_the_pace_or_by_the_work() -> None:
    assert rules.time_left(120, 60, timedelta(0)) == timedelta(minutes=2)
    assert rules.time_left(120, 60, timedelta(seconds=2)) == timedelta(minutes=4)
