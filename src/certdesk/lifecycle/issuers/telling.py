"""The operator is told when an issuer goes down, and when it is back: one mail a change, to who changed it
last, else to who set it up."""

import structlog

from certdesk.foundation.common import clock, settings
from certdesk.foundation.common.errors import BadParameter
from certdesk.foundation.iam.models import User
from certdesk.foundation.outbox import actions as outbox

from . import queries
from .models import Issuer

log = structlog.get_logger(__name__)
TEMPLATE = "issuer-health"


def tell(issuer: Issuer, *, down: bool) -> None:
    """Queues the message in the caller's transaction; without an address nobody is told."""
    reader = _reader(issuer)
    if reader is None:
        return
    context = {
        "name": issuer.title,
        "down": down,
        "reason": issuer.problem if down else "",
        "next_step": issuer.next_step if down else "",
        "products": len(queries.products_of(issuer.slug)),
        "link": f"{settings.get().base_url}/issuers/{issuer.id}",
    }
    since = clock.to_micros(issuer.since) if issuer.since else 0
    try:
        outbox.send(
            issuer.account_id,
            TEMPLATE,
            reader.email,
            context,
            locale=reader.language,
            dedupe_key=f"issuer:{issuer.id}:{'down' if down else 'back'}:{since}",
        )
    except BadParameter as refused:
        log.warning("message not sent", issuer=issuer.id, reason=refused.message)


def _reader(issuer: Issuer) -> User | None:
    users = User.objects.filter(account_id=issuer.account_id, is_active=True).exclude(email="")
    for user_id in (issuer.updated_by, issuer.created_by):
        found = users.filter(id=user_id).first()
        if found is not None:
            return found
    return users.order_by("created_at", "id").first()
