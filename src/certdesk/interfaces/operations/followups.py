"""Reissuing a certificate, and adding names to one (API §10, §1.12)."""

from certdesk.foundation.common import clock
from certdesk.foundation.iam.principal import Principal
from certdesk.lifecycle.applications.form import ApplicationForm
from certdesk.lifecycle.issuance import adding, reissuing
from certdesk.lifecycle.issuance.adding import SUPPLEMENT
from certdesk.lifecycle.issuance.reissuing import REISSUE

from .registry import operation
from .schemas import AddDomains, Apply
from .shapes import Shape
from .v2_buying import V2, check_project

C = "/v3/scm/certificates/{certificate_id}"


@operation("certificates.reissue", "POST", f"{C}/reissue", REISSUE, request=Apply)
def reissue(principal: Principal, certificate_id: str, body: Apply) -> Shape:
    """Asks for a reissue (REI-1..4); what is left out stays as it was. It waits for a confirmation."""
    reissuing.request(principal, certificate_id, ApplicationForm(**body.model_dump()), clock.now())
    return {"request_info": "success"}


@operation("certificates.confirm_reissue", "POST", f"{C}/reissue/confirm", REISSUE)
def confirm(principal: Principal, certificate_id: str) -> Shape:
    """Confirms here instead of by the mail's link: the old certificate is revoked (REI-4, REI-8)."""
    state = reissuing.confirm(principal, certificate_id, clock.now())
    return {"cert_id": certificate_id, "status": state.value}


@operation("certificates.decline_reissue", "POST", f"{C}/reissue/decline", REISSUE)
def decline(principal: Principal, certificate_id: str) -> Shape:
    """The certificate stays as it is (REI-7)."""
    state = reissuing.decline(principal, certificate_id, clock.now())
    return {"cert_id": certificate_id, "status": state.value}


@operation("certificates.add_domains", "POST", f"{C}/additional-domains", SUPPLEMENT, request=AddDomains)
def add_domains(principal: Principal, certificate_id: str, body: AddDomains) -> Shape:
    """Asks for more names in a multi-domain certificate (ADD-1, ADD-2); only the new ones are proved."""
    adding.add(principal, certificate_id, body.add_sans, body.email, clock.now())
    return {"message": "success"}


@operation("v2.add_domains", "POST", f"{V2}/cert/{{cert_id}}/supplement", SUPPLEMENT, request=AddDomains)
def add_domains_v2(principal: Principal, project_id: str, cert_id: str, body: AddDomains) -> Shape:
    """As additional-domains, in the older API; names that the certificate has need not be sent."""
    check_project(principal, project_id)
    adding.add(principal, cert_id, body.add_sans, body.email, clock.now())
    return {"message": "success"}
