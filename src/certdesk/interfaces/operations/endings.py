"""Deleting and unsubscribing (API §1 #5, #11, §1.12)."""

from certdesk.foundation.common import clock
from certdesk.foundation.common.errors import Conflict, NotSettled
from certdesk.foundation.iam.principal import Principal
from certdesk.lifecycle.certificates.deleting import DELETE
from certdesk.lifecycle.deployment import deleting
from certdesk.lifecycle.orders import unsubscribing
from certdesk.lifecycle.orders.refunds import REFUND

from .registry import operation
from .schemas import ForceQuery
from .shapes import Shape
from .v2_buying import V2, check_project

C = "/v3/scm/certificates/{certificate_id}"


@operation("certificates.delete", "DELETE", C, DELETE, query=ForceQuery, success=204)
def delete(principal: Principal, certificate_id: str, query: ForceQuery) -> None:
    """Takes it off the list for good and destroys its key; outside it stays valid (DEL-1..4)."""
    deleting.delete(principal, certificate_id, clock.now(), force=query.force)


@operation("certificates.unsubscribe", "DELETE", f"{C}/unsubscribe", REFUND)
def unsubscribe(principal: Principal, certificate_id: str) -> Shape:
    """Asks for the refund; a review takes seconds, then the certificate is gone (UNS-1..7).

    A request that lost a race answers 500 and SCM.0016: the one answer that Terraform asks again on.
    """
    try:
        unsubscribing.unsubscribe(principal, certificate_id, clock.now())
    except Conflict as lost:
        raise NotSettled(lost.message, next_step=lost.next_step) from lost
    return {"unsubscribe_results": "SUCCESS"}


@operation("v2.delete", "DELETE", f"{V2}/cert/{{cert_id}}", DELETE)
def delete_v2(principal: Principal, project_id: str, cert_id: str) -> Shape:
    """As delete, in the older API's words."""
    check_project(principal, project_id)
    deleting.delete(principal, cert_id, clock.now())
    return {"cert_id": cert_id, "message": "success"}
