"""No way to the signer without evidence for every single name, at whatever position it stands."""

import pytest

from certdesk.foundation.common import clock
from certdesk.foundation.jobs import actions as jobs
from certdesk.lifecycle.applications.form import ApplicationForm
from certdesk.lifecycle.certificates.models import Certificate, Version
from certdesk.lifecycle.issuance import actions
from certdesk.lifecycle.issuance.actions import PLACE, IssueRequest
from certdesk.lifecycle.issuance.jobs import SIGN
from certdesk.lifecycle.validation import queries
from certdesk.lifecycle.validation.models import NameProof
from certdesk.pki.authority.models import Intent
from tests.support.desk import Desk

COUNT = 100


def names() -> list[str]:
    return [f"n{number}.example.com" for number in range(COUNT)]


@pytest.mark.parametrize("missing", [0, 1, 50, 98, 99])
def test_a_hundred_names_wait_for_the_last_one(desk: Desk, missing: int) -> None:
    everything = names()
    certificate_id = desk.buy(domain_type="MULTI_DOMAIN", names=COUNT)
    application_id = desk.apply(certificate_id, domain=everything[0], sans=";".join(everything[1:]))
    desk.publish(certificate_id, leave_out=(everything[missing],))
    desk.run()
    assert desk.state(certificate_id) == "CHECKING"
    info = queries.proof_info(desk.alice, certificate_id)
    unproved = [one.domain for one in info.domains if one.status != "VERIFIED"]
    assert unproved == [everything[missing]]
    assert [proof.name for proof in queries.proved(application_id)] == [
        name for name in everything if name != everything[missing]
    ]
    Certificate.objects.filter(id=certificate_id).update(state="ISSUING")  # a fault elsewhere
    jobs.enqueue(PLACE, subject=certificate_id)
    jobs.enqueue(SIGN, subject=certificate_id)
    desk.run(strict=False)
    certificate = desk.certificate(certificate_id)
    assert certificate.state == "UNPASSED"
    assert everything[missing] in certificate.last_failure
    assert not Intent.objects.exists()
    assert not Version.objects.exists()


@pytest.mark.parametrize("missing", [0, 1, 2])
def test_issue_now_issues_nothing_while_one_name_lacks_its_proof(desk: Desk, missing: int) -> None:
    everything = ["a.example.com", "b.example.com", "c.example.com"]
    for name in everything:
        if name != everything[missing]:
            desk.issued(name)
    before = Intent.objects.count()
    form = ApplicationForm(
        domain=everything[0],
        sans=";".join(everything[1:]),
        key_algorithm="EC_P256",
        agree_privacy_protection=True,
    )
    result = actions.issue_now(desk.alice, IssueRequest("GEOTRUST", "DV_SSL_CERT", form), clock.now())
    assert (result.issued, result.status, result.certificate) == (False, "CHECKING", "")
    assert Intent.objects.count() == before
    proofs = NameProof.objects.filter(application__certificate_id=result.certificate_id).order_by("position")
    assert [proof.evidence_id is None for proof in proofs] == [
        place == missing for place in range(len(everything))
    ]
    desk.publish(result.certificate_id)
    desk.run()
    assert desk.state(result.certificate_id) == "ISSUED"


def test_void_evidence_counts_for_nothing_at_the_last_moment(desk: Desk) -> None:
    from certdesk.lifecycle.validation.models import Evidence

    certificate_id = desk.buy()
    desk.apply(certificate_id, domain="a.example.com")
    desk.publish(certificate_id)
    from certdesk.foundation.jobs import testing

    testing.run_due(1)  # the look alone: To be issued, nothing signed yet
    assert desk.state(certificate_id) == "ISSUING"
    Evidence.objects.update(void_at=clock.now())
    desk.run(strict=False)
    assert desk.state(certificate_id) == "UNPASSED"
    assert not Intent.objects.exists()
