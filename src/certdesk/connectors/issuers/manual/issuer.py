"""A CA without an interface: an officer takes the CSR there and brings back what it sent.

Nothing is kept here: the order's handle is our own reference, and its one task shows the CSR.
"""

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from certdesk.connectors.issuers.manual.options import ManualOptions
from certdesk.connectors.issuers.options import Outside
from certdesk.connectors.issuers.protocol import (
    Capabilities,
    IssuerCheck,
    IssuerError,
    Order,
    OrderState,
    Reason,
    Task,
    Wanted,
)

_UP_TO = {"DV": ("DV",), "OV": ("DV", "OV"), "EV": ("DV", "OV", "EV")}
TASK = "csr"
TO_DO = "An officer takes this CSR to the CA and uploads here what the CA sends."


class ManualIssuer:
    """See `protocol.IssuerConnector` and `protocol.ByHand`."""

    def __init__(self, options: ManualOptions, outside: Outside) -> None:
        self._options = options

    @property
    def capabilities(self) -> Capabilities:
        options = self._options
        return Capabilities(
            levels=frozenset(_UP_TO[options.level]),
            wildcard=options.wildcard,
            ip=options.ip,
            most_names=options.most_names,
            caa_domains=options.caa_domains,
            longest_days=options.longest_days,
        )

    async def place(self, wanted: Wanted) -> Order:
        return self._waiting(wanted)

    async def proceed(self, wanted: Wanted, handle: str, tasks: tuple[str, ...]) -> Order:
        return self._waiting(wanted)

    async def poll(self, wanted: Wanted, handle: str) -> Order:
        return self._waiting(wanted)

    async def bring(self, wanted: Wanted, handle: str, chain: tuple[bytes, ...], refusal: str) -> Order:
        if chain:
            return Order(wanted.reference, OrderState.ISSUED, chain=chain)
        return Order(wanted.reference, OrderState.REFUSED, words=refusal)

    async def withdraw(self, handle: str) -> Order:
        return Order(handle, OrderState.CANCELLED, words="Nothing was ordered over the network.")

    async def revoke(self, certificate: bytes, handle: str, reason: int) -> None:
        serial = x509.load_der_x509_certificate(certificate).serial_number
        raise IssuerError(
            Reason.NOT_ALLOWED,
            f"The certificate with the serial {serial:x} has to be revoked at its CA by hand.",
            "Revoke it there, then note here that it is done.",
        )

    async def test(self) -> IssuerCheck:
        return IssuerCheck(True, notes=("This CA is asked by hand, so there is nothing to reach.",))

    def _waiting(self, wanted: Wanted) -> Order:
        csr = x509.load_der_x509_csr(wanted.csr).public_bytes(Encoding.PEM).decode("ascii")
        task = Task(TASK, wanted.names[0], "by-hand", self._options.place, csr, words=TO_DO)
        return Order(wanted.reference, OrderState.TASKS, (task,))
