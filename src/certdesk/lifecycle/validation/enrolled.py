"""Evidence that ACME clients gather: as good for the account's other faces as any."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from certdesk.foundation.common.writer import Writer
from certdesk.lifecycle.catalogue.queries import catalogue
from certdesk.lifecycle.catalogue.rules import Product
from certdesk.pki.x509.names import Name

from . import queries, rules
from .models import Evidence

_evidence = Writer(Evidence)


@dataclass(frozen=True, slots=True)
class Known:
    """Evidence that counts now for one name, and until when it does."""

    evidence_id: int
    until: datetime


def record(
    account_id: str,
    domain: str,
    *,
    whole: bool,
    method: str,
    br_method: str,
    places: str,
    seen: str,
    now: datetime,
) -> int:
    """Writes evidence in the caller's transaction; answers its id.

    Args:
        domain: the name that was looked at, without `*.`.
        whole: it proves the domain with what stands below it (a wildcard's record), not the exact name alone.
        method: HTTP, DNS or ALPN.
    """
    made = Evidence(
        account_id=account_id,
        authorization_domain=domain,
        name="" if whole else domain,
        method=method,
        br_method=br_method,
        perspective=places,
        seen=seen,
        at=now,
        application_id=0,
    )
    _evidence.insert(made)
    return int(made.id)


def known(account_id: str, name: Name, product: Product, now: datetime) -> Known | None:
    """The youngest evidence of the account that a certificate of this product could use now (DOM-13)."""
    book, today = catalogue(), now.date()
    days = book.reuse_days(product, today)
    (wanted,) = rules.plan([name], "FILE")
    found = queries.reusable(
        account_id,
        [wanted],
        rules.reuse_since(days, now),
        now,
        ended=book.ended_methods(product, today),
    ).of(name.text, wanted.covered_by)
    return Known(found[0], found[1] + timedelta(days=days)) if found else None
