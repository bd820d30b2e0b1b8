"""Adding domain names to an issued certificate (ADD): the names are proved, then a wider version follows."""

from datetime import datetime

from certdesk.foundation.common.errors import BadParameter, WrongState
from certdesk.foundation.common.sql import short_transaction
from certdesk.foundation.iam.principal import Principal
from certdesk.lifecycle.applications import actions as applications
from certdesk.lifecycle.applications import queries as application_queries
from certdesk.lifecycle.applications.contacts import check_address
from certdesk.lifecycle.applications.form import ApplicationForm
from certdesk.lifecycle.applications.methods import check_method
from certdesk.lifecycle.applications.models import Application, Purpose
from certdesk.lifecycle.applications.rules import check_names
from certdesk.lifecycle.catalogue.queries import catalogue
from certdesk.lifecycle.catalogue.rules import Product
from certdesk.lifecycle.certificates import actions as certificates
from certdesk.lifecycle.certificates import further, states
from certdesk.lifecycle.certificates import queries as certificate_queries
from certdesk.lifecycle.certificates.models import Certificate
from certdesk.lifecycle.certificates.rules import names_of
from certdesk.lifecycle.certificates.states import Event, State
from certdesk.lifecycle.validation import actions as validation
from certdesk.lifecycle.validation import organization_reuse
from certdesk.pki.x509.name_sets import NameSet

from . import followup

SUPPLEMENT = "scm:cert:supplement"


def add(principal: Principal, certificate_id: str, given: str, email: str, now: datetime) -> State:
    """Asks for more names; answers the state, CA verifying (domain name addition).

    Args:
        given: the new names, parted by `;`, a comma or a line break.
        email: where mails about this addition go (ADD-2).

    Raises:
        NotFound, Forbidden: no such certificate, or no `scm:cert:supplement` on it.
        WrongState: it is not Issued, or takes no more names (ADD-1).
        BadName, NamesDoNotFit, BadParameter: a name, the quota of its kind, or the address.
        Conflict: another request was quicker.
    """
    certificate = certificate_queries.fetch(principal, SUPPLEMENT, certificate_id)
    check_possible(certificate, now)
    before = followup.base_of(certificate)
    address = check_address(email)
    product = application_queries.product_of(certificate)
    names = _widened(certificate, product, given)
    certificate_queries.require_names(principal, SUPPLEMENT, certificate, names.texts)
    method = _method(before, product, names, now)
    with short_transaction():
        followup.drop_rollover(certificate.id, now)
        state = certificates.move(
            certificate.id, Event.ADD_NAMES, now, principal=principal, set={"personal_data": True}
        )
        application = applications.record_followup(
            before,
            Purpose.ADDITION,
            names.texts,
            certificate.not_after or now,
            now,
            submitted_by=principal.user_id,
            submitted_key=principal.access_key,
            submitted_agency=principal.agency,
            domain_method=method,
            auto_dns=before.auto_dns and method == "DNS",
        )
        applications.set_address(application, address)
        organization_reuse.carry_on(before, application, now)
        validation.begin(certificate, application, now)
    return state


def check_possible(certificate: Certificate, now: datetime) -> None:
    """ADD-1.

    Raises:
        WrongState: with the cause.
    """
    states.check_not_expired(State(certificate.state), certificate.not_after, now, Event.ADD_NAMES)
    why = further.no_addition(certificate)
    if why:
        raise WrongState(why, next_step="Buy another certificate for the other names.")
    states.step(State(certificate.state), Event.ADD_NAMES)


def _widened(certificate: Certificate, product: Product, given: str) -> NameSet:
    """The names of now and the new ones, within what was bought (ADD-7); none is ever left out."""
    present = names_of(certificate.sans)
    wanted = ApplicationForm(sans=given).additional
    if not wanted:
        raise BadParameter(
            "No domain name to add was given.", next_step="Enter one or more, one per line.", field="add_sans"
        )
    known = next((one for one in wanted if one.lower() in present), "")
    if known:
        raise BadParameter(
            f"{known[:255]} is in the certificate already.", next_step="Leave it out.", field="add_sans"
        )
    return check_names(
        ApplicationForm(domain=present[0], sans=";".join((*present[1:], *wanted))), certificate, product
    )


def _method(before: Application, product: Product, names: NameSet, now: datetime) -> str:
    """That of the application before, where it can prove all names and its time is not over; else DNS."""
    ended = catalogue().ended_methods(product, now.date())
    try:
        return check_method(before.domain_method, product, names.names, ended=ended)
    except BadParameter:
        return check_method("DNS", product, names.names, ended=ended)
