"""Cancelling the privacy authorisation (§5.9, API §1.12, §10)."""

from certdesk.foundation.common import clock
from certdesk.foundation.iam.principal import Principal
from certdesk.lifecycle.issuance import privacy
from certdesk.lifecycle.issuance.privacy import CANCEL_PRIVACY

from .registry import operation
from .shapes import Shape
from .v2_buying import V2, check_project

C = "/v3/scm/certificates/{certificate_id}"


@operation("certificates.cancel_privacy", "DELETE", f"{C}/privacy-authorization", CANCEL_PRIVACY, success=204)
def cancel_privacy(principal: Principal, certificate_id: str) -> None:
    """Deletes contacts and organization details of the application for ever (PRV-1..5)."""
    privacy.cancel(principal, certificate_id, clock.now())


@operation("v2.cancel_privacy", "DELETE", f"{V2}/privacy-protection/{{cert_id}}", CANCEL_PRIVACY)
def cancel_privacy_v2(principal: Principal, project_id: str, cert_id: str) -> Shape:
    """As above, in the older API's words."""
    check_project(principal, project_id)
    privacy.cancel(principal, cert_id, clock.now())
    return {"cert_id": cert_id, "message": "success"}
