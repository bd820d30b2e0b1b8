"""Taking a certificate off the list for good (§5.5). Outside it stays as valid as before."""

from datetime import datetime

from certdesk.foundation.common import sql
from certdesk.foundation.iam.principal import Principal, Via

from . import actions, endings, queries, rules, versions
from .states import State

DELETE = "scm:cert:delete"


def delete(principal: Principal, certificate_id: str, now: datetime) -> None:
    """Removes the certificate and destroys its private keys; OCSP and CRL do not change (DEL-2, DEL-3).

    Raises:
        NoCertificate, Forbidden, UnderReview: as `queries.fetch`.
        WrongState: DEL-1 or FRE-4 does not allow it.
        StateChanged: another request was quicker.
    """
    certificate = queries.fetch(principal, DELETE, certificate_id)
    shown = rules.state_of(certificate, now)
    endings.check_deletable(certificate, shown, in_console=principal.via is Via.CONSOLE)
    steps = endings.deletion_steps(State(certificate.state), shown)
    with sql.short_transaction():
        actions.move_through(certificate.id, steps, now, principal=principal)
        versions.destroy_keys(certificate.id)
