"""Deleting a certificate that bindings still serve is refused unless forced (DEL-4)."""

from datetime import datetime

from certdesk.foundation.iam.principal import Principal
from certdesk.lifecycle.certificates import deleting
from certdesk.lifecycle.certificates import queries as certificates

from . import queries
from .errors import StillServed


def delete(principal: Principal, certificate_id: str, now: datetime, *, force: bool = False) -> None:
    """As `certificates.deleting.delete`.

    Raises:
        StillServed: bindings serve it; with `force` it goes all the same, and stays served.
    """
    certificate = certificates.fetch(principal, deleting.DELETE, certificate_id)
    where = queries.serving(certificate.id)
    if where and not force:
        raise StillServed(where)
    deleting.delete(principal, certificate_id, now)
