"""People and certificates for tests of the inventory and of orders."""

import itertools
from datetime import UTC, datetime, timedelta

from certdesk.foundation.iam.models import Account
from certdesk.foundation.iam.principal import PolicyGrant, Principal, Via
from certdesk.foundation.iam.rules import allow
from certdesk.lifecycle.certificates import actions
from certdesk.lifecycle.certificates.models import Certificate
from certdesk.lifecycle.certificates.rules import Bought, VersionFacts
from certdesk.lifecycle.certificates.states import State

NOW = datetime(2026, 11, 23, 12, 0, 0, tzinfo=UTC)
YEAR = timedelta(days=365)
_serials = itertools.count(1)

DV = Bought(
    brand="GEOTRUST",
    type="DV_SSL_CERT",
    level="DV",
    domain_type="SINGLE_DOMAIN",
    primary_domain_type="SINGLE_DOMAIN",
    domain_quota=1,
    single_quota=0,
    wildcard_quota=0,
    validity_months=12,
)


def person(account: Account | str, name: str = "alice", *rights: str, project: str = "") -> Principal:
    """A user of the account who may do `rights`; everything when none is given."""
    account_id = account if isinstance(account, str) else account.id
    grant = PolicyGrant("test", allow(*(rights or ("*",))), project)
    return Principal(account_id, f"{name:x<32}", name, Via.API, grants=(grant,))


def new_account(name: str = "house", **facts: object) -> Account:
    return Account.objects.create(name=name, created_at=NOW, **facts)


def facts_of(
    names: tuple[str, ...] = ("www.example.com",),
    *,
    not_before: datetime = NOW,
    lasts: timedelta = YEAR,
    key_id: str = "k" * 32,
) -> VersionFacts:
    number = next(_serials)
    return VersionFacts(
        cause="ISSUE",
        issuer="builtin:dv-p256",
        serial=f"{number:032x}",
        fingerprint_sha256=f"{number:064x}",
        fingerprint_sha1=f"{number:040x}",
        spki_sha256=f"{number:064x}",
        signature_algorithm="ECDSA-SHA256",
        key_algorithm="EC_P256",
        not_before=not_before,
        not_after=not_before + lasts - timedelta(seconds=1),
        der=b"\x30\x00",
        chain=b"-----BEGIN CERTIFICATE-----\n",
        names=names,
        key_id=key_id,
    )


def bought(
    principal: Principal, count: int = 1, now: datetime = NOW, facts: Bought = DV, order: str = "CS1"
) -> list[str]:
    return actions.create_bought(principal, order, facts, count, now)


def placed(certificate_id: str, state: State, not_after: datetime | None = None) -> None:
    """Puts a certificate into a state for a test of what follows; the product itself uses `move`."""
    Certificate.objects.filter(id=certificate_id).update(state=state.value, not_after=not_after)


def issued(
    principal: Principal,
    names: tuple[str, ...] = ("www.example.com",),
    *,
    now: datetime = NOW,
    lasts: timedelta = YEAR,
    key_id: str = "k" * 32,
    facts: Bought = DV,
) -> str:
    """A certificate with its first version, Issued at `now`."""
    (certificate_id,) = bought(principal, 1, now, facts)
    actions.add_version(certificate_id, facts_of(names, not_before=now, lasts=lasts, key_id=key_id), now)
    placed(certificate_id, State.ISSUED, now + lasts - timedelta(seconds=1))
    return certificate_id
