"""Which of the account's certificates something is: a certificate that somebody brings, or a server shows."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from certdesk.foundation.common import sql
from certdesk.foundation.iam.principal import Principal

from . import queries
from .states import BEING_REVOKED, EXPIRING

_MOST_NAMES = 100
_MOST = 20
_IN_FORCE = EXPIRING - BEING_REVOKED


@dataclass(frozen=True, slots=True)
class Known:
    """A version of a certificate of the account.

    Attributes:
        name: what its people call it.
        number: of the version; `current` when it is the newest.
    """

    certificate_id: str
    name: str
    number: int
    current: bool
    revoked: bool


def recognised(principal: Principal, fingerprint_sha256: str, names: Sequence[str]) -> Known | None:
    """The account's certificate with that fingerprint, if the principal may look at it; deleted ones are not.

    Args:
        names: its names, by which it is found.
    """
    given = [name.lower() for name in names[:_MOST_NAMES]]
    if not given:
        return None
    marks = ",".join(["%s"] * len(given))
    found = sql.rows(
        "SELECT DISTINCT c.id, c.name, v.number, c.current_version, v.revoked_at"
        " FROM certificates_certificatename n"
        " JOIN certificates_certificate c ON c.id = n.certificate_id"
        " JOIN certificates_version v ON v.certificate_id = c.id"
        f" WHERE n.account_id = %s AND n.name IN ({marks}) AND v.fingerprint_sha256 = %s"
        f" AND c.state <> 'DELETED' ORDER BY c.id LIMIT {_MOST}",
        [principal.account_id, *given, fingerprint_sha256],
    )
    for certificate_id, name, number, current, revoked_at in found:
        if _may_see(principal, str(certificate_id)):
            revoked = revoked_at is not None
            return Known(str(certificate_id), str(name), int(number), number == current, revoked)
    return None


def covering(principal: Principal, name: str, now: datetime) -> tuple[tuple[str, str], ...]:
    """(id, name) of certificates in force that the principal may look at and that cover a host, the one
    that lasts longest first; at most 20."""
    host = name.lower().removesuffix(".")
    found = sql.rows(
        "SELECT DISTINCT c.id, c.name, c.not_after FROM certificates_certificatename n"
        " JOIN certificates_certificate c ON c.id = n.certificate_id"
        " WHERE n.account_id = %s AND n.name IN (%s, %s)"
        f" AND c.state IN ({sql.marks(_IN_FORCE)}) AND c.not_after > %s"
        f" ORDER BY c.not_after DESC, c.id LIMIT {_MOST}",
        [
            principal.account_id,
            host,
            f"*.{host.partition('.')[2]}",
            *(state.value for state in _IN_FORCE),
            sql.plain(now),
        ],
    )
    return tuple((str(one), str(label)) for one, label, _ in found if _may_see(principal, str(one)))


def _may_see(principal: Principal, certificate_id: str) -> bool:
    return queries.described(principal, certificate_id) is not None
