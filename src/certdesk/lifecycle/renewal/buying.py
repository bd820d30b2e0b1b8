"""Auto-renewal (REN-7): the steps from the purchase to the new certificate that is served."""

from dataclasses import replace
from datetime import datetime, timedelta

from certdesk.foundation.iam.principal import Principal
from certdesk.foundation.jobs import rights
from certdesk.lifecycle.applications import queries as applications
from certdesk.lifecycle.applications.form import ApplicationForm, from_mapping
from certdesk.lifecycle.applications.models import Application, Contact
from certdesk.lifecycle.certificates import editing
from certdesk.lifecycle.certificates.models import Certificate, Csr
from certdesk.lifecycle.certificates.states import BEING_REVOKED, State
from certdesk.lifecycle.issuance import actions as issuance
from certdesk.lifecycle.orders import actions as orders
from certdesk.lifecycle.validation import automatic

from . import placing, queries, rules
from .actions import tags_of
from .causes import Cause
from .models import AutoRenewal, Renewal
from .outcome import Done, Ended, Failed, Moved, Outcome, Waits
from .rules import Wish

PATIENCE = timedelta(minutes=30)
"""So long the proofs and the issuer may take before anything is said to stand in the way."""
ENDED = BEING_REVOKED | {State.REVOKED, State.DELETED, State.UNSUBSCRIBING}


class Short(Exception):
    """The balance does not pay the order; what was written of it is taken back."""


def step(renewal: Renewal, old: Certificate, now: datetime) -> Outcome:
    """One step of the purchase, in the caller's transaction.

    Raises:
        CertdeskError, UserGone: what the step is refused for. Short: as it says.
    """
    switch = AutoRenewal.objects.filter(certificate_id=old.id).first()
    if not renewal.new_id:
        if switch is None or not old.auto_renewal or State(old.state) in ENDED:
            return Ended()
        return _buy(rights.principal_of_user(switch.user_id, old.account_id), renewal, old, now)
    new = Certificate.objects.filter(id=renewal.new_id).first()
    if new is None or switch is None or State(new.state) in ENDED:
        return Ended()
    principal = rights.principal_of_user(switch.user_id, old.account_id)
    match State(new.state):
        case State.PAID:
            return _apply(principal, new, old, now)
        case State.UNPASSED:
            return _refused(principal, renewal, new, now)
        case State.CHECKING:
            return _proof(new, now)
        case State.CHECKING_ORG:
            return Waits(Cause.ORGANIZATION)
        case State.ISSUING if new.last_failure or now - new.state_since >= PATIENCE:
            return Waits(cause_of_words(new.last_failure), new.last_failure)
        case State.ISSUED:
            done = placing.place(principal, renewal, new, deploy=switch.deploy)
            if isinstance(done, Done):
                _hand_on(switch, old, new, now)
            return done
    return Waits()


def _buy(principal: Principal, renewal: Renewal, old: Certificate, now: datetime) -> Outcome:
    """One order for ever: whoever renewed it by hand meanwhile has done it."""
    bought = next((one for one in queries.successors(old.id) if State(one.state) not in ENDED), None)
    if bought is not None:
        renewal.new_id = bought.id
    else:
        request = rules.request(old, Wish(None, True), tags_of(principal, old))
        result = orders.buy(principal, request, now, auto_pay=True)
        if not result.paid:
            raise Short(result.unpaid_reason)
        (renewal.new_id,) = result.certificate_ids
        editing.take_after(renewal.new_id, old)
    renewal.save(update_fields=["new_id"])
    return Moved()


def _apply(principal: Principal, new: Certificate, old: Certificate, now: datetime) -> Outcome:
    before = applications.current(old.id)
    if before is None or not Contact.objects.filter(application=before).exists():
        return Failed(Cause.PRIVACY)
    issuance.apply(principal, new.id, form_of(principal, before), now)
    return Moved()


def form_of(principal: Principal, before: Application) -> ApplicationForm:
    """The answers of the old application; by automatic DNS where that can be had."""
    values = dict(applications.last_details(principal, before.certificate_id).values)
    stored = Csr.objects.filter(account_id=before.account_id, id=values.get("csr_id", ""))
    if values.get("csr_id") and not stored.exists():
        values |= {"csr": "", "csr_id": ""}  # its key went with it: the service makes a new one
    elif values.get("csr_id"):
        values["csr"] = ""
    dns = before.domain_method == "DNS"
    automatically = dns and (before.auto_dns or automatic.is_offered(principal))
    return replace(from_mapping(values), auto_dns_auth=automatically, agree_privacy_protection=True)


def _refused(principal: Principal, renewal: Renewal, new: Certificate, now: datetime) -> Outcome:
    """After a pause *modify and reapply* with the same answers: what was refused may be good by now."""
    if not placing.retries(renewal, Cause.REFUSED, Cause.CAA):
        return Failed(cause_of_words(new.last_failure, Cause.REFUSED), new.last_failure)
    issuance.reopen(principal, new.id, now)
    return Moved()


def _proof(new: Certificate, now: datetime) -> Outcome:
    application = applications.open_application(new.id)
    if now - new.state_since < PATIENCE:
        return Waits(pause=PATIENCE)
    return Waits(cause_of_proof(application), new.last_failure)


def cause_of_proof(application: Application | None) -> Cause:
    """Why names wait for their proof: nobody can set the records by himself, or they were not seen yet."""
    if application is None or application.domain_method != "DNS" or not application.auto_dns:
        return Cause.CONNECTION
    zones = automatic.zones_of(application.account_id)
    names = application.names.replace("*.", "").split(";")
    covered = all(automatic.covering(zones, name) for name in names)
    return Cause.PROOF if covered or not zones else Cause.CONNECTION


def cause_of_words(words: str, otherwise: Cause = Cause.ISSUER) -> Cause:
    return Cause.CAA if "CAA" in words else otherwise


def _hand_on(switch: AutoRenewal, old: Certificate, new: Certificate, now: datetime) -> None:
    """The new one renews itself from now on, the old one has been renewed."""
    AutoRenewal.objects.get_or_create(
        certificate_id=new.id,
        defaults={
            "account_id": new.account_id,
            "user_id": switch.user_id,
            "deploy": switch.deploy,
            "changed_at": now,
        },
    )
    editing.switch_renewal(new.id, now, on=True)
    editing.switch_renewal(old.id, now, on=False)
