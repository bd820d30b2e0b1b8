"""A place serves another certificate than it should: one mail a change, to whoever deployed there last."""

import structlog

from certdesk.foundation.common import clock, settings
from certdesk.foundation.common.errors import BadParameter
from certdesk.foundation.iam.models import User
from certdesk.foundation.outbox import actions as outbox
from certdesk.lifecycle.certificates.models import Certificate

from .models import Binding
from .states import Drift

log = structlog.get_logger(__name__)
TEMPLATE = "deployment-drift"


def tell(binding: Binding, drift: Drift, *, mending: bool) -> None:
    """Queues the message in the caller's transaction; without an address nobody is told."""
    certificate = Certificate.objects.filter(id=binding.certificate_id).first()
    reader = _reader(binding, certificate)
    if certificate is None or reader is None:
        return
    context = {
        "domain": certificate.domain or certificate.name,
        "certificate_id": certificate.id,
        "place": f"{binding.target.label}: {', '.join(binding.names[:3]) or binding.resource}",
        "drift": drift.value,
        "mending": mending,
        "link": f"{settings.get().base_url}/targets/{binding.target_id}",
    }
    since = clock.to_micros(binding.drift_since) if binding.drift_since else 0
    try:
        outbox.send(
            binding.account_id,
            TEMPLATE,
            reader.email,
            context,
            certificate_id=certificate.id,
            locale=reader.language,
            dedupe_key=f"drift:{binding.id}:{drift.value}:{since}",
        )
    except BadParameter as refused:
        log.warning("message not sent", binding=binding.id, reason=refused.message)


def _reader(binding: Binding, certificate: Certificate | None) -> User | None:
    users = User.objects.filter(account_id=binding.account_id, is_active=True).exclude(email="")
    found = users.filter(id=binding.wanted_by).first()
    if found is None and certificate is not None:
        found = users.filter(id=certificate.owner_id).first()
    return found or users.order_by("created_at", "id").first()
