"""Which certificates are an ACME client's to renew, and which one took the place of which: a renewal is an
order of its own.

An order may name the certificate that it replaces (RFC 9773 §5). Whether it may is asked once, when it is
placed; from then on it is taken at its word. Many clients name nothing: there the names tell, and the kind of
key, for a host may have an RSA and an ECDSA certificate.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from certdesk.foundation.common import sql
from certdesk.lifecycle.applications.models import ApplicationState, CsrMode
from certdesk.lifecycle.certificates.models import Certificate, Version
from certdesk.lifecycle.certificates.states import State
from certdesk.pki.x509.renewal_info import certificate_id

from . import advice
from .errors import malformed
from .models import Account, Order, OrderState

OF_CLIENT = (
    "(EXISTS (SELECT 1 FROM enrolment_order clients"
    " JOIN enrolment_account client ON client.id = clients.account_id AND client.state = 'valid'"
    " JOIN enrolment_credential bound ON bound.id = client.credential_id AND bound.deleted_at IS NULL"
    " JOIN iam_user asker ON asker.id = bound.user_id AND asker.is_active"
    " WHERE clients.certificate_id = c.id)"
    " AND COALESCE((SELECT last.csr_mode FROM applications_application last WHERE last.certificate_id = c.id"
    f" AND last.state = '{ApplicationState.FULFILLED}' ORDER BY last.id DESC LIMIT 1), '')"
    f" <> '{CsrMode.SYSTEM}')"
)
"""Condition on a certificate `c`: an ACME client asked for it, and renews it by itself. Not where its account
was deactivated, its credential taken back or its user switched off, for it would be refused; not what was
reissued since with a key of the service, which the client does not have."""
NOT_OF_CLIENT = f"NOT {OF_CLIENT}"
_LACKS_NONE = (
    "NOT EXISTS (SELECT 1 FROM certificates_certificatename {one} WHERE {one}.certificate_id = {has}.id"
    " AND NOT EXISTS (SELECT 1 FROM certificates_certificatename {one}2"
    " WHERE {one}2.certificate_id = {other}.id AND {one}2.name = {one}.name))"
)
_SAME_NAMES = " AND ".join(
    (_LACKS_NONE.format(one="x", has="c", other="n"), _LACKS_NONE.format(one="y", has="n", other="c"))
)
"""In whatever order the client gave them."""


def replaced(account: Account, given: object, names: Collection[str]) -> str:
    """The certID of what an order replaces, as `certificate_id` writes it; empty when it names nothing.

    It may name a certificate that the same ACME account ordered and that shares a name with the order
    (RFC 9773 §5): another account's order takes the place of nobody's certificate.

    Raises:
        AcmeError: malformed.
    """
    if given is None:
        return ""
    if not isinstance(given, str) or len(given) > 100:
        raise malformed("replaces must be a certificate identifier.")
    version = advice.version_of(given)
    mine = Order.objects.filter(account=account, certificate_id=version.certificate_id) if version else None
    if version is None or mine is None or not mine.exists():
        raise malformed("replaces is no certificate of this account: leave it out.")
    if not set(version.names.split(";")) & set(names):
        raise malformed("replaces is a certificate for other names.")
    return certificate_id(bytes(version.der))


def of_clients(certificate_ids: Sequence[str]) -> frozenset[str]:
    """Those of these that are ACME clients' to renew: see `OF_CLIENT`."""
    if not certificate_ids:
        return frozenset()
    marks = sql.marks(certificate_ids)
    found = sql.rows(
        f"SELECT c.id FROM certificates_certificate c WHERE c.id IN ({marks}) AND {OF_CLIENT}",
        list(certificate_ids),
    )
    return frozenset(str(row[0]) for row in found)


def later(certificate_ids: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """The later certificates that the same ACME account has got for the same names with the same kind of key,
    by orders that name nothing; latest first. Each may be a renewal, or another host's."""
    if not certificate_ids:
        return {}
    rows = sql.rows(
        "SELECT o.certificate_id, n.id FROM enrolment_order o"
        " JOIN certificates_certificate c ON c.id = o.certificate_id"
        " JOIN certificates_certificatename m ON m.account_id = c.account_id AND m.name = c.domain"
        " JOIN certificates_certificate n ON n.id = m.certificate_id AND n.created_at > c.created_at"
        " JOIN enrolment_order p ON p.certificate_id = n.id AND p.account_id = o.account_id"
        " JOIN certificates_version v ON v.certificate_id = c.id AND v.number = c.current_version"
        " JOIN certificates_version w ON w.certificate_id = n.id AND w.number = n.current_version"
        f" WHERE o.certificate_id IN ({sql.marks(certificate_ids)}) AND p.replaces = ''"
        f" AND v.key_algorithm = w.key_algorithm AND {_SAME_NAMES} ORDER BY n.created_at DESC, n.id DESC",
        list(certificate_ids),
    )
    found: dict[str, tuple[str, ...]] = {}
    for old, new in rows:
        found[str(old)] = (*found.get(str(old), ()), str(new))
    return found


def lines(certificate_ids: Collection[str], now: datetime) -> dict[str, tuple[str, ...]]:
    """Each of these and what replaced it, one after the other, as the orders name it: down to the last one
    that is in force and has not expired; empty where none is. Three statements for each further step of the
    longest line."""
    found = {one: [one] for one in certificate_ids}
    going = dict(found)
    while going:
        after = _replacing({line[-1] for line in going.values()})
        going = {one: line for one, line in going.items() if line[-1] in after}
        for line in going.values():
            line.append(after[line[-1]])
    ids = {one for line in found.values() for one in line}
    good = Certificate.objects.filter(
        id__in=ids, state=State.ISSUED, current_version__gt=0, not_after__gte=now
    )
    in_force = frozenset(good.values_list("id", flat=True))
    return {one: _down_to(line, in_force) for one, line in found.items()}


def _replacing(certificate_ids: Collection[str]) -> Mapping[str, str]:
    """What the latest order that names a version of each has brought. What an order names was there before
    its own certificate, so that a line never comes back to itself. Old orders may name what another ACME
    account ordered: those replace nothing (RFC 9773 §5)."""
    versions = Version.objects.filter(certificate_id__in=certificate_ids)
    named = {certificate_id(bytes(one.der)): one.certificate_id for one in versions}
    named.pop("", None)  # of a CA that leaves the key identifier out
    orders = Order.objects.filter(replaces__in=named).exclude(replaces="")  # as the index says it
    placed = orders.exclude(state=OrderState.INVALID).exclude(certificate_id="").order_by("created_at", "id")
    theirs = Order.objects.filter(certificate_id__in=certificate_ids)
    ordered = frozenset(theirs.values_list("account_id", "certificate_id"))
    own = [one for one in placed if (one.account_id, named[one.replaces]) in ordered]
    return {named[one.replaces]: one.certificate_id for one in own}


def _down_to(line: Sequence[str], in_force: Collection[str]) -> tuple[str, ...]:
    length = next((end for end in range(len(line), 0, -1) if line[end - 1] in in_force), 0)
    return tuple(line[:length])
