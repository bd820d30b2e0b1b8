"""Renewing a certificate (API §10)."""

from certdesk.foundation.common import clock
from certdesk.foundation.iam.principal import Principal
from certdesk.interfaces.words.say import say
from certdesk.lifecycle.orders import queries as orders
from certdesk.lifecycle.orders.actions import SUBSCRIBE
from certdesk.lifecycle.renewal import actions
from certdesk.lifecycle.renewal.rules import CHANGEABLE, Wish

from .registry import operation
from .renewal_schemas import Renew
from .shapes import Shape

C = "/v3/scm/certificates/{certificate_id}"


@operation(
    "certificates.renew",
    "POST",
    f"{C}/renew",
    SUBSCRIBE,
    also=(orders.PAY,),
    request=Renew,
    idempotent=True,
    one_transaction=True,
)
def renew(principal: Principal, certificate_id: str, body: Renew) -> Shape:
    """Orders the same certificate anew, in the last 30 days of the old one (REN-1..3)."""
    wish = Wish(body.effective_time, body.agree_privacy_protection, body.model_dump(include=set(CHANGEABLE)))
    done = actions.renew(principal, certificate_id, wish, clock.now(), auto_pay=body.is_auto_pay)
    answer: Shape = {
        "order_id": done.order.order_id,
        "cert": [{"cert_id": one} for one in done.order.certificate_ids],
        "inherits_remaining": done.inherits,
    }
    return answer if done.order.paid else answer | {"unpaid_reason": say(done.order.unpaid_reason)}
