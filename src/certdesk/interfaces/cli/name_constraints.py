"""Name constraints as they are typed, checked against what this installation itself needs."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from certdesk.foundation.common import settings
from certdesk.foundation.common.errors import BadParameter

from . import listener_certificate

if TYPE_CHECKING:
    from certdesk.pki.authority.constraints import Bounds


def read(places: Sequence[str], permit: Sequence[str] | None, exclude: Sequence[str] | None) -> "Bounds":
    """The bounds for new authorities at these places.

    Raises:
        BadBounds: a text is no name and no network.
        BadParameter: the installation could not renew the certificate of its own HTTPS any more.
    """
    from certdesk.pki.authority import constraints, listener

    bounds = constraints.bounds(permit or (), exclude or ())
    current = settings.get()
    hosts = listener_certificate.hosts(current) if current.https and listener.PLACE in places else []
    shut_out = listener.outside(bounds, hosts)
    if shut_out:
        raise BadParameter(
            f"{listener.PLACE} also certifies this installation's own HTTPS, whose"
            f" {', '.join(shut_out)} would lie outside.",
            next_step="Permit these too and exclude none of them, or switch HTTPS off with CERTDESK_HTTPS=.",
        )
    return bounds
