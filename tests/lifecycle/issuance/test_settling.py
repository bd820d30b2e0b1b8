"""Whatever is killed at whatever step: nothing signed unrecorded, nothing lost, nothing left open."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import pytest

from certdesk.foundation.common import clock
from certdesk.foundation.common.errors import BadParameter, CertdeskError, Conflict, Kind
from certdesk.foundation.jobs import running, testing
from certdesk.foundation.jobs.errors import RetryAfter
from certdesk.foundation.jobs.models import Job
from certdesk.foundation.jobs.running import Loaded
from certdesk.lifecycle.applications.form import ApplicationForm
from certdesk.lifecycle.applications.models import Application
from certdesk.lifecycle.certificates.models import Certificate, Version
from certdesk.lifecycle.issuance import actions, issuers, pipeline
from certdesk.lifecycle.issuance.actions import IssueRequest
from certdesk.lifecycle.issuance.issuers import BuiltIn, Capabilities
from certdesk.lifecycle.issuance.models import Placement
from certdesk.lifecycle.issuance.reconcile import STALE_SECONDS, reconcile
from certdesk.pki.authority.issue import Prepared
from certdesk.pki.authority.models import Intent
from certdesk.pki.authority.shapes import Sample
from certdesk.pki.authority.types import CertificateRequest, Signed
from tests.support.authority import request as authority_request
from tests.support.desk import Desk

HOUR = timedelta(hours=1)


class Killed(BaseException):
    """Stands for the end of the process: nothing catches it."""


@dataclass
class Faulty:
    """The built-in CA with one step that fails in a chosen way."""

    step: str
    error: BaseException
    times: int = 1
    slug: str = "builtin"
    capabilities: Capabilities = BuiltIn().capabilities
    inner: BuiltIn = field(default_factory=BuiltIn)

    def __hash__(self) -> int:
        return id(self)

    def _fail(self, step: str) -> None:
        if step == self.step and self.times > 0:
            self.times -= 1
            raise self.error

    def unproved(self, request: CertificateRequest, now: datetime) -> Sample | None:
        self._fail("unproved")
        return self.inner.unproved(request, now)

    def prepare(self, request: CertificateRequest, now: datetime) -> Prepared:
        self._fail("prepare")
        return self.inner.prepare(request, now)

    def place(self, prepared: Sequence[Prepared]) -> None:
        self._fail("place")
        self.inner.place(prepared)

    def collect(self, prepared: Prepared) -> Signed:
        self._fail("collect")
        signed = self.inner.collect(prepared)
        self._fail("after signing")
        return signed

    def accept(self, signed: Sequence[Signed]) -> None:
        self.inner.accept(signed)
        self._fail("accept")

    def settle(self, reference: str) -> Signed | None:
        return self.inner.settle(reference)


@pytest.fixture
def faulty(desk: Desk):
    """Registers a faulty issuer for the length of a test."""
    yield issuers.register
    issuers.register(BuiltIn())


def everything_is_settled() -> None:
    assert not Intent.objects.filter(state="INTENDED").exists()
    assert not Placement.objects.filter(state="PLACED").exists()
    assert Intent.objects.filter(state="SIGNED").count() == Version.objects.count()


def started_again(desk: Desk) -> None:
    """What a starting worker does: leases of the dead are over, the reconciler runs."""
    Job.objects.filter(state="RUNNING").update(state="READY", lease_until=None, worker="")
    reconcile(stale_seconds=0)
    desk.run(HOUR, strict=False)


@pytest.mark.parametrize("step", ["prepare", "place", "collect", "after signing", "accept"])
def test_a_worker_killed_at_any_step_loses_nothing(desk: Desk, faulty, step: str) -> None:
    faulty(Faulty(step, Killed()))
    certificate_id = desk.buy()
    desk.apply(certificate_id, domain="www.example.com")
    desk.publish(certificate_id)
    with pytest.raises(Killed):
        desk.run()
    started_again(desk)
    assert desk.state(certificate_id) == "ISSUED"
    assert Version.objects.count() == 1
    everything_is_settled()


FORM = ApplicationForm(domain="www.example.com", key_algorithm="EC_P256", agree_privacy_protection=True)


@pytest.mark.parametrize("step", ["prepare", "place", "collect", "after signing", "accept"])
def test_issue_now_killed_at_any_step_loses_nothing(desk: Desk, faulty, step: str) -> None:
    desk.issued("www.example.com")
    faulty(Faulty(step, Killed()))
    with pytest.raises(Killed):
        actions.issue_now(desk.alice, IssueRequest("GEOTRUST", "DV_SSL_CERT", FORM), clock.now())
    started_again(desk)
    bought = Certificate.objects.exclude(order_id="").order_by("id")
    assert [one.state for one in bought] == ["ISSUED"] * (1 if step in ("prepare", "place") else 2)
    everything_is_settled()


def test_a_young_placement_is_left_to_who_works_on_it(desk: Desk, faulty) -> None:
    desk.issued("www.example.com")
    faulty(Faulty("collect", Killed()))
    with pytest.raises(Killed):
        actions.issue_now(desk.alice, IssueRequest("GEOTRUST", "DV_SSL_CERT", FORM), clock.now())
    Job.objects.filter(kind__startswith="issuance.").delete()
    reconcile()
    assert Placement.objects.filter(state="PLACED").count() == 1
    past = clock.real_now() - timedelta(seconds=STALE_SECONDS)
    Placement.objects.filter(state="PLACED").update(created_at=past)
    reconcile()
    assert not Placement.objects.filter(state="PLACED").exists()


def signing(desk: Desk) -> Loaded:
    """The signature under way: its intent is committed, and it takes long."""
    certificate_id = desk.buy()
    desk.apply(certificate_id, domain="www.example.com")
    desk.publish(certificate_id)
    testing.run_due(3)  # the look, the key, the shape
    loaded = running.start(*running.claim("slow", 1))
    assert loaded is not None
    assert loaded.job.kind == actions.SIGN
    age = timedelta(seconds=2 * STALE_SECONDS)
    Placement.objects.filter(state="PLACED").update(created_at=clock.real_now() - age)
    Intent.objects.filter(state="INTENDED").update(created_at=clock.real_now() - age)
    return loaded


def finished(loaded: Loaded) -> None:
    running.finish(loaded, loaded.work.issuer.collect(loaded.work.prepared))


def test_a_slow_signature_of_a_worker_that_lives_is_left_alone(desk: Desk) -> None:
    loaded = signing(desk)
    reconcile()
    assert Placement.objects.get().state == "PLACED"
    finished(loaded)
    assert desk.state(loaded.job.subject) == "ISSUED"
    everything_is_settled()


def test_a_signature_that_comes_after_its_placement_was_dropped_is_made_again(desk: Desk) -> None:
    loaded = signing(desk)
    Job.objects.filter(id=loaded.job.id).update(lease_until=clock.real_now() - HOUR)
    reconcile()
    assert Placement.objects.get().state == "DROPPED"
    with pytest.raises(RetryAfter) as late:
        finished(loaded)
    running.fail(loaded.job, late.value)
    assert Job.objects.get(id=loaded.job.id).state == "READY"
    desk.run(HOUR)
    assert desk.state(loaded.job.subject) == "ISSUED"
    everything_is_settled()


def test_an_intent_that_no_placement_stands_for_is_abandoned(desk: Desk) -> None:
    asked = [authority_request(now=clock.now()) for _ in range(2)]
    prepared = [BuiltIn().prepare(one, clock.now()) for one in asked]
    BuiltIn().place(prepared)
    past = clock.real_now() - timedelta(seconds=STALE_SECONDS)
    Intent.objects.filter(serial=prepared[0].serial).update(created_at=past)
    assert reconcile() == 1
    states = dict(Intent.objects.values_list("serial", "state"))
    assert [states[one.serial] for one in prepared] == ["ABANDONED", "INTENDED"]


def test_what_was_signed_under_a_dropped_placement_is_never_stored(desk: Desk, faulty) -> None:
    """A frozen process wakes after the reconciler has settled its placement."""
    desk.issued("www.example.com")

    class Frozen(Faulty):
        def collect(self, prepared: Prepared) -> Signed:
            signed = self.inner.collect(prepared)
            reconcile(stale_seconds=0)
            return signed

    faulty(Frozen("none", Killed()))
    result = actions.issue_now(desk.alice, IssueRequest("GEOTRUST", "DV_SSL_CERT", FORM), clock.now())
    assert (result.status, result.serial) == ("ISSUING", "")  # paid for, and nothing to ask again
    faulty(BuiltIn())
    assert Version.objects.count() == 1
    started_again(desk)
    assert Version.objects.count() == 2
    everything_is_settled()


def test_what_the_authority_signed_and_recorded_is_stored_by_the_reconciler(desk: Desk) -> None:
    certificate_id = desk.buy()
    desk.apply(certificate_id, domain="www.example.com")
    desk.publish(certificate_id)
    testing.run_all(HOUR, 2)  # the look and the key; the signature is still to come
    certificate = desk.certificate(certificate_id)
    application = Application.objects.get()
    assert certificate.state == "ISSUING"
    request = pipeline.request_of(certificate, application, f"{certificate_id}.1.1", clock.now())
    issuer = BuiltIn()
    prepared = issuer.prepare(request, clock.now())
    Placement.objects.create(
        reference=f"{certificate_id}.1.1",
        certificate=certificate,
        application=application,
        issuer="builtin",
        created_at=clock.real_now(),
    )
    issuer.place([prepared])
    signed = issuer.collect(prepared)
    issuer.accept([signed])
    assert reconcile(stale_seconds=0) >= 1
    assert desk.state(certificate_id) == "ISSUED"
    assert Version.objects.get().serial == signed.serial
    desk.run(HOUR)
    everything_is_settled()


def test_an_outage_of_the_issuer_never_loses_the_application(desk: Desk, faulty) -> None:
    outage = CertdeskError("The CA does not answer.", kind=Kind.UNAVAILABLE)
    faulty(Faulty("prepare", outage, times=3))
    certificate_id = desk.buy()
    desk.apply(certificate_id, domain="www.example.com")
    desk.publish(certificate_id)
    desk.run(strict=False)
    assert desk.state(certificate_id) == "ISSUING"
    desk.run(2 * HOUR, strict=False)
    assert desk.state(certificate_id) == "ISSUED"
    everything_is_settled()


def test_a_permanent_refusal_gives_approval_failed_with_the_words_of_the_ca(desk: Desk, faulty) -> None:
    faulty(Faulty("prepare", BadParameter("The name is on our list of brands.")))
    certificate_id = desk.buy()
    desk.apply(certificate_id, domain="www.example.com")
    desk.publish(certificate_id)
    desk.run(strict=False)
    certificate = desk.certificate(certificate_id)
    assert (certificate.state, certificate.last_failure) == ("UNPASSED", "The name is on our list of brands.")
    actions.reopen(desk.alice, certificate_id, clock.now())
    desk.apply(certificate_id, domain="www.example.com")
    desk.run()
    assert desk.state(certificate_id) == "ISSUED"


def test_a_key_blocked_since_the_application_is_refused(desk: Desk) -> None:
    import hashlib

    from certdesk.pki.keystore import actions as keystore

    from .test_main_path import csr_for

    csr, spki = csr_for("www.example.com")
    certificate_id = desk.buy()
    desk.apply(certificate_id, domain="www.example.com", csr=csr)
    keystore.block(hashlib.sha256(spki).digest(), "compromised", clock.now())
    desk.publish(certificate_id)
    desk.run(strict=False)
    assert desk.state(certificate_id) == "UNPASSED"


def test_a_certificate_that_lost_its_job_gets_it_back(desk: Desk) -> None:
    certificate_id = desk.buy()
    desk.apply(certificate_id, domain="www.example.com")
    desk.publish(certificate_id)
    testing.run_due(1)
    assert desk.state(certificate_id) == "ISSUING"
    Job.objects.all().delete()
    assert reconcile() == 1
    assert reconcile() == 0
    desk.run()
    assert desk.state(certificate_id) == "ISSUED"


def test_two_jobs_for_one_certificate_make_one_certificate(desk: Desk) -> None:
    from certdesk.foundation.jobs import actions as jobs
    from certdesk.lifecycle.issuance.jobs import SIGN

    certificate_id = desk.buy()
    desk.apply(certificate_id, domain="www.example.com")
    desk.publish(certificate_id)
    testing.run_due(1)
    for kind in (actions.PLACE, SIGN, SIGN, actions.PLACE):
        jobs.enqueue(kind, subject=certificate_id)
    desk.run()
    assert Version.objects.count() == 1
    everything_is_settled()


def test_a_placement_is_fulfilled_once(desk: Desk) -> None:
    certificate_id = desk.issued("www.example.com")
    placement = Placement.objects.select_related("application", "certificate").get()
    with pytest.raises(Conflict):
        pipeline.fulfil(desk.alice, placement, BuiltIn().settle(placement.reference), clock.now())
    assert Version.objects.filter(certificate_id=certificate_id).count() == 1
