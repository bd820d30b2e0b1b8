"""Which certificate an ACME client has got in the place of an older one: a renewal is an order of its own."""

from collections.abc import Collection, Sequence

from django.db.models import OuterRef, Subquery

from certdesk.foundation.common import sql
from certdesk.lifecycle.applications.models import Application, ApplicationState, CsrMode
from certdesk.lifecycle.certificates.models import Version

from . import rules
from .models import Order

_LACKS_NONE = (
    "NOT EXISTS (SELECT 1 FROM certificates_certificatename {one} WHERE {one}.certificate_id = {has}.id"
    " AND NOT EXISTS (SELECT 1 FROM certificates_certificatename {one}2"
    " WHERE {one}2.certificate_id = {other}.id AND {one}2.name = {one}.name))"
)
_SAME_NAMES = " AND ".join(
    (_LACKS_NONE.format(one="x", has="c", other="n"), _LACKS_NONE.format(one="y", has="n", other="c"))
)
"""In whatever order the client gave them."""


def of_clients(certificate_ids: Sequence[str]) -> frozenset[str]:
    """Those of these that ACME clients asked for, and renew by themselves: not what was reissued since with a
    key of the service, which the client does not have."""
    current = Application.objects.filter(
        certificate_id=OuterRef("certificate_id"), state=ApplicationState.FULFILLED
    )
    key = Subquery(current.order_by("-id").values("csr_mode")[:1])
    orders = Order.objects.filter(certificate_id__in=certificate_ids).annotate(key=key)
    found = orders.exclude(key=CsrMode.SYSTEM).values_list("certificate_id", flat=True)
    return frozenset(map(str, found))


def successors(certificate_ids: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """The later certificates in force that the same ACME account has got for the same names, latest first.

    A client may name what its order replaces (RFC 9773 §5), which counts for that one alone. Many name
    nothing: there the names tell, and the kind of key, for a host may have an RSA and an ECDSA certificate.
    """
    if not certificate_ids:
        return {}
    rows = sql.rows(
        "SELECT o.certificate_id, n.id, p.replaces FROM enrolment_order o"
        " JOIN certificates_certificate c ON c.id = o.certificate_id"
        " JOIN certificates_certificatename m ON m.account_id = c.account_id AND m.name = c.domain"
        " JOIN certificates_certificate n ON n.id = m.certificate_id AND n.created_at > c.created_at"
        " AND n.current_version > 0 AND n.state = 'ISSUED'"
        " JOIN enrolment_order p ON p.certificate_id = n.id AND p.account_id = o.account_id"
        " JOIN certificates_version v ON v.certificate_id = c.id AND v.number = c.current_version"
        " JOIN certificates_version w ON w.certificate_id = n.id AND w.number = n.current_version"
        f" WHERE o.certificate_id IN ({sql.marks(certificate_ids)})"
        f" AND (p.replaces <> '' OR v.key_algorithm = w.key_algorithm) AND {_SAME_NAMES}"
        " ORDER BY n.created_at DESC, n.id DESC",
        list(certificate_ids),
    )
    named = _named({str(old) for old, _, replaces in rows if replaces})
    found: dict[str, tuple[str, ...]] = {}
    for old, new, replaces in rows:
        if not replaces or replaces in named[str(old)]:
            found[str(old)] = (*found.get(str(old), ()), str(new))
    return found


def _named(certificate_ids: Collection[str]) -> dict[str, frozenset[str]]:
    """The names by which orders may say that they replace a version of these (RFC 9773 §4.1)."""
    found: dict[str, frozenset[str]] = dict.fromkeys(certificate_ids, frozenset())
    for one in Version.objects.filter(certificate_id__in=found):
        found[one.certificate_id] |= {rules.certificate_id(bytes(one.der))}
    return found
