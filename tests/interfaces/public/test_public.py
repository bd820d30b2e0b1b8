"""Faces without sign-in."""

from datetime import timedelta

import pytest
from django.test import Client

from certdesk.foundation.audit.models import Event
from certdesk.foundation.common import clock
from certdesk.foundation.common import settings as house
from certdesk.foundation.jobs.models import Job, Schedule
from certdesk.interfaces.public import figures
from tests.support.signed import account, person

pytestmark = pytest.mark.django_db


def test_health_and_readiness(client: Client) -> None:
    assert client.get("/healthz").json() == {"status": "ok"}
    assert client.get("/readyz").json() == {"status": "ok", "failed": []}
    assert client.post("/healthz").status_code == 405
    for probe in ("/healthz", "/readyz", "/heartbeat", "/metrics", "/openapi.json"):
        assert client.head(probe).status_code == client.get(probe).status_code, probe


def test_not_ready_without_the_kek_file(client: Client, tmp_path) -> None:  # type: ignore[no-untyped-def]
    before = house.get()
    house.install(before.model_copy(update={"kek_file": tmp_path / "none"}))
    try:
        answer = client.get("/readyz")
    finally:
        house.install(before)
    assert (answer.status_code, answer.json()["failed"]) == (503, ["kek"])


@pytest.mark.parametrize(("seconds", "status"), [(-5, 200), (60, 200), (300, 503)])
def test_heartbeat(client: Client, seconds: int, status: int) -> None:
    Schedule.objects.all().delete()
    calm = {"scheduler_late_s": 0.0, "worker_late_s": 0.0, "sealer_late_s": 0.0, "late": []}
    assert client.get("/heartbeat").json() == calm
    Schedule.objects.create(name="x", next_at=clock.real_now() - timedelta(seconds=seconds))
    answer = client.get("/heartbeat")
    assert answer.status_code == status
    assert answer.json()["scheduler_late_s"] >= max(0, seconds) - 1


@pytest.mark.parametrize(("minutes", "late"), [(9, []), (11, ["worker"])])
def test_heartbeat_tells_of_workers_that_do_nothing(client: Client, minutes: int, late: list[str]) -> None:
    at = clock.real_now() - timedelta(minutes=minutes)
    Job.objects.create(kind="x.y", state="READY", run_at=at, created_at=at)
    answer = client.get("/heartbeat")
    assert (answer.status_code, answer.json()["late"]) == (503 if late else 200, late)


@pytest.mark.parametrize(("seconds", "late"), [(50, []), (70, ["sealer"])])
def test_heartbeat_tells_of_a_sealer_that_sleeps(client: Client, seconds: int, late: list[str]) -> None:
    at = clock.real_now() - timedelta(seconds=seconds)
    Event.objects.create(account_id="system", at=at, actor="system", action="x.y")
    answer = client.get("/heartbeat")
    assert (answer.status_code, answer.json()["late"]) == (503 if late else 200, late)
    assert answer.json()["sealer_late_s"] >= seconds - 1


def test_metrics_are_counts_only(client: Client) -> None:
    alice = person(account("secret-account"), "alice", "users")
    now = clock.real_now()
    Job.objects.create(kind="x.y", state="READY", run_at=now - timedelta(seconds=9), created_at=now)
    text = client.get("/metrics").content.decode()
    assert 'certdesk_jobs{state="READY"}' in text
    assert "certdesk_oldest_due_job_seconds 9" in figures.text(now)
    for secret in ("alice", "secret-account", alice.access_key):
        assert secret not in text


def test_security_headers_stand_on_every_page(client: Client) -> None:
    answer = client.get("/healthz")
    policy = answer["Content-Security-Policy"]
    for part in (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "connect-src 'self'",
        "font-src 'self'",
        "form-action 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
    ):
        assert part in policy.split("; ")
    assert "unsafe" not in policy
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["Referrer-Policy"] == "same-origin"
    assert len(answer["X-Request-Id"]) == 32
