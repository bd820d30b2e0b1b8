"""What may be done with a certificate now, and why not; facts of purchases and versions. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from functools import cache
from typing import Protocol

from certdesk.foundation.common.errors import WrongState
from certdesk.foundation.iam.principal import Resource

from . import endings, states
from .errors import NotExportable
from .filters import HOUSE
from .further import Further
from .states import Event, State

REMINDER = timedelta(days=30)  # TIM-1: 30 × 86,400 s


class Operation(StrEnum):
    """Everything that the state table may offer; buttons carry it as `data-operation`."""

    APPLY = "apply"
    VERIFY = "verify"
    ORGANIZATION = "organization"
    WITHDRAW = "withdraw"
    REOPEN = "reopen"
    CONFIRM_REISSUE = "confirm-reissue"
    DECLINE_REISSUE = "decline-reissue"
    DOWNLOAD = "download"
    DEPLOY = "deploy"
    PUSH = "push"
    RENEW = "renew"
    REISSUE = "reissue"
    ADD_DOMAINS = "add-domains"
    REVOKE = "revoke"
    CONFIRM_REVOCATION = "confirm-revocation"
    UNSUBSCRIBE = "unsubscribe"
    DELETE = "delete"
    PRIVACY = "privacy"
    UPLOAD = "upload"


# These end the application with the words of whoever refused it; the words stay on the certificate.
FAILURES = frozenset(
    {
        Event.ORGANIZATION_REJECTED,
        Event.ISSUER_REFUSED,
        Event.WITHDRAWAL_REFUSED,
        Event.ADDITION_REFUSED,
        Event.UNSUBSCRIPTION_REFUSED,
        Event.LAPSE,
    }
)
FRESH_STARTS = frozenset(  # from here on an old failure is of no interest
    {
        Event.APPLY,
        Event.ISSUE,
        Event.ADD_NAMES,
        Event.ADDITION_ISSUED,
        Event.REISSUE,
        Event.REISSUE_CONFIRMED,
        Event.ROLL_OVER,
    }
)
AFTER_EXPIRY = frozenset({Event.LAPSE, Event.DELETE})  # LST-7: a pending step ends with the certificate


class Stateful(Protocol):
    """What the rules look at: a `Certificate` or a row of a list."""

    @property
    def id(self) -> str: ...
    @property
    def state(self) -> str: ...
    @property
    def not_after(self) -> datetime | None: ...


class Offerable(Stateful, Further, Protocol):
    """What decides beside the state what is offered."""

    @property
    def created_at(self) -> datetime: ...
    @property
    def personal_data(self) -> bool: ...
    @property
    def not_before(self) -> datetime | None: ...
    @property
    def paid_until(self) -> datetime | None: ...


class Owned(Protocol):
    @property
    def id(self) -> str: ...
    @property
    def account_id(self) -> str: ...
    @property
    def enterprise_project_id(self) -> str: ...
    @property
    def owner_id(self) -> str: ...
    @property
    def type(self) -> str: ...
    @property
    def sans(self) -> str: ...
    def tag_pairs(self) -> tuple[tuple[str, str], ...]: ...


@dataclass(frozen=True)
class Bought:
    """What was bought, the same for each certificate of an order (CAT-9).

    Attributes:
        domain_quota: names in all; single_quota and wildcard_quota: additional plain and wildcard ones.
        renews: id of the certificate that it renews; empty for an ordinary purchase (REN-3).
    """

    brand: str
    type: str
    level: str
    domain_type: str
    primary_domain_type: str
    domain_quota: int
    single_quota: int
    wildcard_quota: int
    validity_months: int
    free: bool = False
    enterprise_project_id: str = "0"
    renews: str = ""


@dataclass(frozen=True)
class VersionFacts:
    """An issued or uploaded certificate as it goes into the inventory (VER-1).

    Attributes:
        cause: ISSUE, REISSUE, ADDITION, ROLLOVER or UPLOAD.
        issuer: slug, e.g. `builtin:dv-p256`; empty for uploads.
        serial, fingerprints, spki_sha256: lower-case hex.
        chain: PEM of the chain above the leaf.
        names: DNS names, primary first.
        paid_until: last second of the period that was paid, with a first version; None changes nothing.
    """

    cause: str
    issuer: str
    serial: str
    fingerprint_sha256: str
    fingerprint_sha1: str
    spki_sha256: str
    signature_algorithm: str
    key_algorithm: str
    not_before: datetime
    not_after: datetime
    der: bytes
    chain: bytes
    names: tuple[str, ...]
    key_id: str = ""
    paid_until: datetime | None = None


@dataclass(frozen=True)
class Offer:
    """One operation: offered now, or the reason why it is not."""

    operation: Operation
    offered: bool
    why_not: str = ""
    special: bool = False  # the reason lies in this certificate, not in its state


def resource_of(certificate: Owned) -> Resource:
    """The certificate as policies see it."""
    return Resource(
        "cert",
        certificate.id,
        certificate.account_id,
        certificate.enterprise_project_id,
        certificate.owner_id,
        names_of(certificate.sans),
        certificate.type,
        cache(certificate.tag_pairs),
    )


def names_of(sans: str) -> tuple[str, ...]:
    """The names of the column `sans`, primary first."""
    return tuple(sans.split(";")) if sans else ()


def state_of(certificate: Stateful, now: datetime) -> State:
    """The state that people see; Expired is computed (LST-7)."""
    return states.effective(State(certificate.state), certificate.not_after, now)


def offers(certificate: Offerable, now: datetime, *, in_console: bool = False) -> tuple[Offer, ...]:
    """Every operation with its answer, in the order of the state's table.

    Args:
        in_console: what the API alone may do is not offered (DEL-1).
    """
    state = state_of(certificate, now)
    listed = states.ROWS[state].operations
    order = sorted(Operation, key=lambda one: (one not in listed, list(Operation).index(one)))
    return tuple(
        _offer(operation, certificate, state, now, in_console)
        for operation in order
        if operation is not Operation.UPLOAD
    )


def offered(certificate: Offerable, now: datetime, *, in_console: bool = False) -> tuple[Operation, ...]:
    """The operations that are possible now; the API's `operations[]` and the console's buttons."""
    return tuple(one.operation for one in offers(certificate, now, in_console=in_console) if one.offered)


def _offer(
    operation: Operation, certificate: Offerable, state: State, now: datetime, in_console: bool
) -> Offer:
    bar = endings.bar(operation.value, certificate, state, now, in_console=in_console)
    if bar:
        return Offer(operation, False, bar, special=True)
    if operation in states.ROWS[state].operations:
        return Offer(operation, True)
    titles = ", ".join(_titles(operation))
    return Offer(operation, False, f"Possible only while the certificate is: {titles}.")


def _titles(operation: Operation) -> Iterable[str]:
    """Names of the states that offer the operation, each once."""
    return dict.fromkeys(row.title for row in states.ROWS.values() if operation in row.operations)


def check_downloadable(certificate: Stateful, now: datetime) -> None:
    """DLD-1: Issued, Hosted, Expired, and the old version while something is pending; never Revoked.

    Raises:
        NotExportable: DLD-2.
    """
    state = state_of(certificate, now)
    if Operation.DOWNLOAD not in states.ROWS[state].operations:
        raise NotExportable(
            f"A certificate that is {states.ROWS[state].title!r} has nothing to download.",
            next_step=states.ROWS[state].next_step,
        )


def check_forgettable(certificate: Offerable, now: datetime) -> None:
    """PRV-1, PRV-4: something is kept of an application, and nobody is approving it.

    Raises:
        WrongState: with the reason.
    """
    state = state_of(certificate, now)
    if certificate.source == "UPLOADED":
        raise WrongState("An uploaded certificate has no application, so there is nothing to cancel.")
    if Operation.PRIVACY not in states.ROWS[state].operations:
        title = states.ROWS[state].title
        raise WrongState(
            f"The privacy authorization cannot be canceled while the certificate is {title!r}.",
            next_step="Wait until it is issued, or withdraw the application first.",
        )
    if not certificate.personal_data:
        raise WrongState(endings.NOTHING_KEPT)


def expires_soon(certificate: Stateful, now: datetime) -> bool:
    """LST-3: from 30 days before notAfter on, for Issued and Hosted ones."""
    if certificate.not_after is None or state_of(certificate, now) not in (State.ISSUED, State.UPLOAD):
        return False
    return now >= certificate.not_after - REMINDER


def outside_slug(issuer: str) -> str:
    """Who issued a version, where that is a CA outside the house; `issuer` as the version keeps it."""
    slug = issuer.partition(":")[0]
    return "" if slug == HOUSE or slug.startswith(f"{HOUSE}-") else slug


def version_columns(facts: VersionFacts, number: int) -> dict[str, object]:
    """What the row of the certificate says about its current version."""
    paid = {"paid_until": facts.paid_until} if facts.paid_until else {}
    return {
        **paid,
        "current_version": number,
        "issuer": outside_slug(facts.issuer),
        "not_before": facts.not_before,
        "not_after": facts.not_after,
        **name_columns(facts.names),
    }


def name_columns(names: tuple[str, ...]) -> dict[str, object]:
    return {"domain": names[0] if names else "", "sans": ";".join(names)}
