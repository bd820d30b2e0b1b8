"""What the simulated CA remembers, in memory: organizations, orders, their requests and certificates."""

import secrets
from dataclasses import dataclass, field
from datetime import datetime

from cryptography import x509

from certdesk.lab.ca.products import Product


@dataclass
class Organization:
    """`status`: pending, active or rejected. `submitted`: since when people look at it.

    `confirm`: the secret in the mail that asks whether it wants certificates; empty once answered.
    """

    id: int
    fields: dict[str, str]
    contact: str = ""
    status: str = "inactive"
    submitted: datetime | None = None
    confirm: str = ""


@dataclass
class Domain:
    """One that is proved ahead of orders. `secret`: of the link in its mail."""

    id: int
    name: str
    organization: Organization
    method: str
    token: str = field(default_factory=lambda: secrets.token_hex(16))
    proved: bool = False
    secret: str = ""


@dataclass
class Certificate:
    """`status`: issued or revoked."""

    id: int
    order: int
    certificate: x509.Certificate
    names: tuple[str, ...]
    status: str = "issued"
    revoked_at: datetime | None = None

    @property
    def serial(self) -> str:
        return f"{self.certificate.serial_number:032X}"


@dataclass
class Request:
    """One request on an order. `kind`: new_request, reissue, duplicate or revoke.

    `status`: pending (an administrator of the account decides), approved, rejected, canceled.
    `words`: of whoever decided. `certificate`: what came of it.
    """

    id: int
    kind: str
    status: str
    date: datetime
    comments: str = ""
    words: str = ""
    names: tuple[str, ...] = ()
    csr: x509.CertificateSigningRequest | None = None
    until: datetime | None = None
    certificate: int | None = None


@dataclass
class Order:
    """`work`: the request that waits for its certificate. `proved`: the names whose control was shown.

    `approvals`: EV: each approver's address and whether they agreed.
    `again`: the names that still have to be shown once more before a revocation; None while none waits.
    `noted`, `changed`: the status that was seen last, and since when.
    `secrets`: of the links in mails: what each one stands for (`dcv:NAME`, `again:NAME`, `approver:ADDRESS`).
    """

    id: int
    product: Product
    organization: Organization | None
    status: str
    method: str
    created: datetime
    valid_till: datetime
    alternative: str = ""
    renewal_of: int | None = None
    contacts: list[dict[str, str]] = field(default_factory=list)
    token: str = field(default_factory=lambda: secrets.token_hex(16))
    proved: set[str] = field(default_factory=set)
    approvals: dict[str, bool] = field(default_factory=dict)
    secrets: dict[str, str] = field(default_factory=dict)
    requests: list[Request] = field(default_factory=list)
    work: Request | None = None
    certificates: list[Certificate] = field(default_factory=list)
    again: set[str] | None = None
    noted: str = ""
    changed: datetime | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """Those of the work at hand, else of the newest request that has some."""
        return next((one.names for one in (self.work, *reversed(self.requests)) if one and one.names), ())


def to_prove(names: tuple[str, ...]) -> tuple[str, ...]:
    """The names whose control is asked for: without `*.`, each once."""
    return tuple(dict.fromkeys(name.removeprefix("*.") for name in names))
