"""A job acts with the right that its user has when it runs (law 5).

Lost meanwhile means: refused, audited, told where people look.
"""

import ast
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import orjson
import pytest

from certdesk.foundation.audit.models import Event
from certdesk.foundation.iam.models import User
from certdesk.foundation.iam.principal import Via
from certdesk.foundation.jobs import actions as jobs
from certdesk.foundation.jobs import registry, rights
from certdesk.foundation.jobs.errors import UserGone
from certdesk.foundation.jobs.models import Job
from certdesk.lifecycle.orders.models import Balance
from certdesk.lifecycle.validation import ahead, automatic, automatic_work
from certdesk.lifecycle.validation.models import AutomaticStep, Evidence
from tests.support.office import Office
from tests.support.rulebook import Caller

FOR_USERS = {
    "deployment.prepare": "the deployment of whoever asked (its tests stand with deployments)",
    "deployment.install": "the same",
    "deployment.redeploy": "what follows or mends, for whoever deployed there last",
    "deployment.restore": "the same, and the way back of it",
    "approvals.run": "the request of whoever asked (its tests stand with the approvals)",
    "bulk.look": "the bulk action of whoever asked (its tests stand with the bulk actions)",
    "bulk.run": "the same; each certificate's right is asked again",
    "campaigns.freeze": "the list of whoever asked for the campaign",
    "campaigns.run": "the campaign of whoever started it",
    "discovery.page": "the scan of whoever began it (its tests stand with discovery)",
    "discovery.deploy": "the certificate that whoever adopted an endpoint waits for",
    "operations.weekly_mail": "the overview of its reader, with what he may see then",
    "enrolment.validate": "the name that an ACME client of the user asks for (its tests stand with ACME)",
    "orders.review_unsubscription": "the refund of whoever unsubscribes",
    "renewal.step": "the renewal of whoever switched it on (its tests stand with auto-renewal)",
    "validation.prove": "the proof ahead of whoever asked for it",
    "validation.auto_find": "records in the zones of whoever applied",
    "validation.auto_find_asked": "the same for the records that a CA outside asks for",
    "validation.auto_write": "records in the zones of whoever applied",
}
FOR_THE_HOUSE = {
    "approvals.expire": "closes what nobody decided",
    "applications.forget_draft": "cleans up after an application that stands",
    "applications.forget_keys": "cleans up after a deletion that was decided",
    "authority.lint": "looks at what was signed",
    "authority.keys": "looks whether the token holds the CA's keys",
    "authority.prove": "looks at what was signed",
    "authority.crls": "signs the CRLs that are due",
    "campaigns.settle": "gives a campaign that runs its job again",
    "campaigns.tell": "mails to the owners of a campaign's certificates",
    "certificates.read_names": "the search's own index",
    "deployment.follow": "finds who deployed what has a newer version; each is asked for his right then",
    "deployment.look": "looks at what is served; changes nothing outside",
    "deployment.reconcile": "finds what is to be looked at",
    "deployment.retry": "sends a failed step again; its job then asks for the right",
    "deployment.settle": "settles what a crash left open",
    "discovery.forget": "cleans up after a deletion that was decided",
    "discovery.look": "finds what is due; each scan then asks for its user's right",
    "discovery.tell": "a mail about a scan of the account",
    "authority.responders": "renews the OCSP responders' certificates",
    "certificates.csr_key": "makes the key of a CSR that stands already",
    "iam.prune": "forgets what has run out",
    "hosts.watch": "tells of silent hosts, and forgets codes that nobody used",
    "enrolment.forget": "forgets what has run out",
    "enrolment.settle": "settles what a crash left open",
    "issuance.compromised": "revokes what has a key that is proved to be known; the CA's own duty",
    "issuance.revocation": "carries on a revocation that was decided",
    "issuance.revocations": "settles what a crash left open",
    "issuers.look": "finds which issuers are switched on",
    "issuers.test": "asks an issuer that the operator switched on whether it works; orders nothing",
    "issuance.look_for_advice": "finds whose CA is to be asked for its advice",
    "issuance.ask_for_advice_again": "finds whose CA is to be asked for its advice",
    "issuance.ask_advice": "asks a CA when it wants its certificate replaced; orders nothing",
    "issuance.ask": "carries on an order that stands already at the CA that has it",
    "issuance.end_version": "carries on a revocation that was decided",
    "issuance.place": "carries on an application that stands and is paid; the account's, not the applicant's",
    "issuance.reconcile": "settles what a crash left open",
    "issuance.sign": "carries on an application that stands and is proved",
    "issuance.withdrawal": "carries on a withdrawal that stands already",
    "jobs.prune": "forgets what has run out",
    "keystore.refill": "keys in store",
    "issuance.forget_counted": "forgets what has run out",
    "issuance.forget_told": "forgets to whom a revocation was told",
    "issuance.forget_rollover": "cleans up after a certificate that has ended",
    "issuance.reissues": "settles what nobody confirmed, and what a crash left open",
    "notifications.due": "notices of the account",
    "notifications.pack": "notices of the account",
    "notifications.send": "notices of the account",
    "notifications.look": "notices of the account",
    "notifications.tell": "notices of the account",
    "operations.tell_deciders": "a mail about a request that stands already",
    "operations.tell_requester": "a mail about a decision that stands already",
    "orders.close_unpaid": "closes what nobody paid",
    "overview.look": "finds whose mail is due; nothing of anybody is read",
    "outbox.deliver": "a message that stands already",
    "renewal.look": "finds what is due; each renewal then asks for its user's right",
    "renewal.succeed": "finds where a bought successor goes; each place is redeployed for its user",
    "renewal.rollover_failed": "notes a refusal that stands already",
    "validation.auto_remove": "removes what this service wrote; needs no right to be cleaned up",
    "validation.auto_sweep": "plans removals",
    "validation.auto_wait": "looks whether what stands can be seen",
    "validation.check": "looks at what the account's application asks for; changes nothing outside",
    "validation.documents": "forgets what has run out",
}


def test_every_job_says_for_whom_it_acts() -> None:
    """A new kind fails here until somebody has thought about whose right it needs."""
    registry.discover()
    kinds = {kind for kind in registry.handlers if not kind.startswith("test.")}
    assert kinds == set(FOR_USERS) | set(FOR_THE_HOUSE)


def test_a_job_with_a_user_in_its_payload_is_one_for_users() -> None:
    """Whoever enqueues a job with a `user_id` has its right asked again."""
    source = Path(jobs.__file__).resolve().parents[2]
    with_user = {
        f"{path.relative_to(source)}"
        for path in source.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and _called(node) in ("enqueue", "enqueue_write")
        if any(_says_user(one) for each in node.args for one in ast.walk(each))
    }
    assert with_user == {
        "foundation/approvals/actions.py",
        "lifecycle/bulk/actions.py",
        "lifecycle/campaigns/actions.py",
        "lifecycle/deployment/stepping.py",
        "lifecycle/deployment/following.py",
        "lifecycle/discovery/scans.py",
        "lifecycle/enrolment/authorizations.py",
        "lifecycle/orders/unsubscribing.py",
        "lifecycle/validation/ahead.py",
        "lifecycle/validation/automatic.py",
        "lifecycle/validation/automatic_find.py",
    }


def _says_user(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and node.value == "user_id"


def _called(node: ast.Call) -> str:
    return node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")


def taken_away(office: Office, how: str) -> None:
    if how == "right":
        office.people["alice"].groups.clear()
    else:
        User.objects.filter(id=office.people["alice"].id).update(is_active=False)


def audited(kind: str, how: str, missing: str) -> None:
    event = Event.objects.get(action=rights.REFUSED)
    told = orjson.loads(event.details)
    assert (told["kind"], event.actor) == (kind, f"job:{kind}")
    assert event.account_id
    assert told.get("missing", "") == (missing if how == "right" else "")


HOWS = pytest.mark.parametrize("how", ["right", "user"])


@HOWS
def test_no_refund_for_whoever_lost_the_right(office: Office, how: str) -> None:
    # rule: UNS-6
    alice = Caller(replace(office.desk.alice, via=Via.API))
    certificate_id = alice.buy()
    before = Balance.objects.get(account_id=office.desk.account.id).cash
    alice("certificates.unsubscribe", certificate_id)
    taken_away(office, how)
    office.desk.run(strict=False)
    assert alice.status(certificate_id) == "PAID"
    assert Balance.objects.get(account_id=office.desk.account.id).cash == before
    audited("orders.review_unsubscription", how, "scm:cert:unsubscribe")
    told = office.desk.certificate(certificate_id).last_failure
    assert ("scm:cert:unsubscribe" if how == "right" else "gone or switched off") in told


@HOWS
def test_no_proof_ahead_for_whoever_lost_the_right(office: Office, how: str) -> None:
    # rule: DOM-13
    desk = office.desk
    asked = ahead.prove(desk.alice, "example.com")
    assert asked.info is not None
    desk.dns.set(asked.info.record_name, asked.info.record_type, [asked.info.record_value])
    taken_away(office, how)
    desk.run(timedelta(minutes=1), strict=False)
    assert not Evidence.objects.exists()
    assert not Job.objects.filter(kind=ahead.JOB, state="READY").exists()
    audited(ahead.JOB, how, ahead.PROVE)
    shown = ahead.show(desk.alice, "example.com")
    assert shown is not None
    assert shown.info is not None
    assert ("scm:domain:prove" if how == "right" else "gone or switched off") in shown.info.seen


@HOWS
@pytest.mark.parametrize("kind", [automatic.FIND, automatic.WRITE])
def test_no_record_for_whoever_lost_the_right(office: Office, how: str, kind: str) -> None:
    # rule: DOM-17
    desk = office.desk
    certificate_id = desk.buy()
    application = desk.apply(certificate_id, domain="www.example.com")
    job = Job(kind=kind, payload={"user_id": desk.alice.user_id}, subject=certificate_id)
    assert not automatic_work.refused(job, application, desk.account.id)
    taken_away(office, how)
    assert automatic_work.refused(job, application, desk.account.id)
    audited(kind, how, automatic.RIGHT)
    told = AutomaticStep.objects.get(application_id=application).sentence
    assert (automatic.RIGHT if how == "right" else "gone or switched off") in told
    nobody = Job(kind=kind, payload={"user_id": None}, subject=certificate_id)
    assert automatic_work.refused(nobody, application, desk.account.id)


def test_a_job_that_was_to_act_for_somebody_never_acts_for_the_house() -> None:
    with pytest.raises(UserGone):
        rights.principal_for(Job(kind="test.note", payload={"user_id": None}))
