"""What a scan has found, written as its worker writes it."""

from typing import TYPE_CHECKING

from certdesk.foundation.common import clock
from certdesk.lifecycle.discovery.models import Endpoint
from certdesk.pki.x509.certificates import facts, to_pem
from tests.support import tls

if TYPE_CHECKING:
    from .things import Side


def endpoint(side: "Side") -> str:
    """A certificate that the account does not know, for a name of its zone."""
    made = tls.make(side.name("found"))
    told, now = facts(made.leaf), clock.now()
    row = Endpoint.objects.create(
        account_id=side.account.id,
        scan_id=side.ids["scans"],
        host="10.0.0.1",
        address="10.0.0.1",
        port=443,
        name=side.name("found"),
        protocol="TLS",
        fingerprint=told.sha256,
        serial=told.serial,
        subject=told.subject,
        issuer=told.issuer,
        names=list(told.names),
        not_before=told.not_before,
        not_after=told.not_after,
        der=made.leaf,
        chain=to_pem(made.intermediate).encode(),
        version="TLSv1.3",
        first_seen=now,
        last_seen=now,
    )
    return row.id
