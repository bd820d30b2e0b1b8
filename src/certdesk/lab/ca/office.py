"""The office of the simulated CA: all of its state, and how things are found in it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from threading import RLock

from certdesk.lab.ca.errors import not_found
from certdesk.lab.ca.faults import Faults
from certdesk.lab.ca.mails import Post
from certdesk.lab.ca.proofs import Prover
from certdesk.lab.ca.signing import Signer
from certdesk.lab.ca.state import Certificate, Domain, Order, Organization, Request


@dataclass
class Office:
    """All state of the CA. Whoever reads or changes it holds the lock.

    Args:
        vetting_seconds: how long people look at an organization; None = until they are told to (`vet`).
        url: where links in mails lead.
        revocation_proof: it revokes only after control of the domains was shown once more.
    """

    signer: Signer
    now: Callable[[], datetime]
    prover: Prover = field(default_factory=Prover)
    post: Post = field(default_factory=Post)
    faults: Faults = field(default_factory=Faults)
    vetting_seconds: float | None = 0.0
    url: str = ""
    revocation_proof: bool = False
    organizations: dict[int, Organization] = field(default_factory=dict)
    domains: dict[int, Domain] = field(default_factory=dict)
    orders: dict[int, Order] = field(default_factory=dict)
    lock: RLock = field(default_factory=RLock)
    _next: int = 1000

    def number(self) -> int:
        self._next += 1
        return self._next

    def organization(self, number: int) -> Organization:
        found = self.organizations.get(number)
        if found is None:
            raise not_found("organization")
        return found

    def request(self, number: int) -> tuple[Order, Request]:
        for order in self.orders.values():
            for one in order.requests:
                if one.id == number:
                    return order, one
        raise not_found("request")

    def certificate(self, identifier: str) -> tuple[Order, Certificate]:
        """By id or serial number."""
        wanted = identifier.upper().lstrip("0")
        for order in self.orders.values():
            for one in order.certificates:
                if wanted in (str(one.id), one.serial.lstrip("0")):
                    return order, one
        raise not_found("certificate")

    def note(self) -> None:
        """Keeps when the status of each order changed, for the list of changes."""
        for order in self.orders.values():
            if order.noted != order.status:
                order.noted, order.changed = order.status, self.now()

    def crl(self) -> bytes:
        gone = [
            (one.certificate.serial_number, one.revoked_at)
            for order in self.orders.values()
            for one in order.certificates
            if one.revoked_at is not None
        ]
        return self.signer.crl(gone, self.now())
