"""Revocation (API §10, §1.12)."""

from certdesk.foundation.common import clock
from certdesk.foundation.iam.principal import Principal
from certdesk.lifecycle.issuance import revoking
from certdesk.lifecycle.issuance.revoking import REVOKE, Wish

from .registry import operation
from .schemas import Revoke, RevokeV2
from .shapes import Shape
from .v2_buying import V2, check_project

C = "/v3/scm/certificates/{certificate_id}"


@operation("certificates.revoke", "POST", f"{C}/revoke", REVOKE, request=Revoke)
def revoke(principal: Principal, certificate_id: str, body: Revoke) -> Shape:
    """Asks for the revocation; DV takes seconds, OV and EV are confirmed by mail first (REV-1..3)."""
    wish = Wish(body.reason_code, body.reason, body.key_proof)
    revoking.request(principal, certificate_id, wish, clock.now())
    return {"cert_id": certificate_id, "message": "success"}


@operation("certificates.confirm_revocation", "POST", f"{C}/revoke/confirm", REVOKE)
def confirm(principal: Principal, certificate_id: str) -> Shape:
    """Confirms it here instead of by the mail's link (REV-2)."""
    revoking.confirm(principal, certificate_id, clock.now())
    return {"cert_id": certificate_id, "message": "success"}


@operation("v2.revoke", "POST", f"{V2}/cert/{{cert_id}}/revoke", REVOKE, request=RevokeV2)
def revoke_v2(principal: Principal, project_id: str, cert_id: str, body: RevokeV2) -> Shape:
    """As revoke, in the older API's words; the reason is text, its code UNSPECIFIED."""
    check_project(principal, project_id)
    revoking.request(principal, cert_id, Wish(reason=body.reason), clock.now())
    return {"cert_id": cert_id, "message": "success"}
