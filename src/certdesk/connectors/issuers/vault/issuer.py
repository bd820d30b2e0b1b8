"""OpenBao or Vault, PKI engine: `sign` of a role makes a certificate at once, for a key that stays here.

There are no tasks and no order: who may ask is the policy of the token, what may be asked the role. An
answer that was lost is found again by key, names and end of validity (`rules.mark`).
"""

import ipaddress
from collections.abc import Callable
from datetime import datetime
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from certdesk.connectors.issuers.options import Outside
from certdesk.connectors.issuers.protocol import (
    Capabilities,
    IssuerCheck,
    IssuerError,
    Order,
    OrderState,
    Reason,
    Wanted,
    nothing_sent,
)
from certdesk.connectors.issuers.vault import chains, checking, rules, stored
from certdesk.connectors.issuers.vault.access import Access
from certdesk.connectors.issuers.vault.options import VaultPkiOptions
from certdesk.connectors.issuers.vault.stored import Stored
from certdesk.connectors.targets.calling import BadShape
from certdesk.foundation.common import clock
from certdesk.pki.x509 import certificates
from certdesk.pki.x509.errors import BadCertificate

_LONGEST_COMMON_NAME = 64  # RFC 5280, ub-common-name
_FOREIGN = b"unable to verify signature on presented cert"


class VaultPki:
    """One role of one PKI engine."""

    def __init__(
        self, options: VaultPkiOptions, outside: Outside, now: Callable[[], datetime] = clock.real_now
    ) -> None:
        self._options, self._now = options, now
        self._mount = options.mount
        self._access = Access(options, outside)
        self._role: rules.Role | None = None

    @property
    def capabilities(self) -> Capabilities:
        """As usual; after the first call as the role says, where it may be read."""
        return (self._role or rules.Role()).capabilities

    async def place(self, wanted: Wanted) -> Order:
        with nothing_sent():
            role = await self._known()
            end, marked = rules.end_of(wanted.not_after, role, wanted.reference, self._now())
            validity = self._validity(end, marked)
            if marked and role.stores and not wanted.first:
                left = await stored.left_by(self._access, self._mount, wanted, self._now())
                if left is not None:
                    return await self._issued(left)
        return await self._signed(wanted, validity)

    async def proceed(self, wanted: Wanted, handle: str, tasks: tuple[str, ...]) -> Order:
        return await self.poll(wanted, handle)

    async def poll(self, wanted: Wanted, handle: str) -> Order:
        found = await self._stored(handle)
        if found.revoked:
            return _revoked(handle)
        return await self._issued(found)

    async def withdraw(self, handle: str) -> Order:
        """The order as it is: what is signed cannot be taken back, only revoked."""
        found = await self._stored(handle)
        return _revoked(handle) if found.revoked else Order(handle, OrderState.ISSUED)

    async def _stored(self, handle: str) -> Stored:
        found = await stored.read(self._access, self._mount, handle)
        if found is None:
            raise IssuerError(
                Reason.NOT_THERE,
                f"{self._access.host} has no certificate {handle:.80}.",
                "Check that the role stores certificates (no_store) and that it was not tidied away.",
            )
        return found

    async def revoke(self, certificate: bytes, handle: str, reason: int) -> None:
        """By its number, or whole where the engine did not store it. The engine keeps no reason."""
        number = _serial(x509.load_der_x509_certificate(certificate).serial_number)
        answer = await self._access.send("POST", f"{self._mount}/revoke", {"serial_number": number})
        if answer.status == 400 and b"not found" in answer.body:
            whole = {"certificate": certificates.to_pem(certificate)}
            answer = await self._access.send("POST", f"{self._mount}/revoke", whole)
        if _FOREIGN in answer.body:  # answered as an error of the engine's own, which would be tried again
            raise IssuerError(
                Reason.REFUSED,
                f"No CA of the engine {self._mount} at {self._access.host} has signed this certificate.",
                "Import the CA that signed it into the engine, with its key.",
            )
        if answer.status != 200:
            raise self._access.failure(answer, "The revocation")

    async def test(self) -> IssuerCheck:
        try:
            found = await checking.role(self._access, self._options)
            self._role = found or rules.Role()
            return await checking.check(self._access, self._options, found, self._now())
        except IssuerError as error:
            return IssuerCheck(False, error.message, error.next_step)

    async def _known(self) -> rules.Role:
        if self._role is None:
            self._role = await checking.role(self._access, self._options) or rules.Role()
        return self._role

    async def _signed(self, wanted: Wanted, validity: dict[str, str]) -> Order:
        path = f"{self._mount}/sign/{self._options.role}"
        body = _request(wanted) | validity
        row = await self._access.data("POST", path, body, what="The order")
        try:
            handle = str(row["serial_number"])
            above = row.get("ca_chain") or [row["issuing_ca"]]
            (leaf,) = chains.load([row["certificate"]])
            chain = (leaf, *chains.without_root(chains.load(above)))
        except (*BadShape, BadCertificate):
            raise self._access.bad_answer() from None
        return Order(handle, OrderState.ISSUED, chain=chain)

    def _validity(self, end: datetime, marked: bool) -> dict[str, str]:
        """Named to the second, or as a length that the engine cuts to what the role allows."""
        if marked:
            return {"not_after": end.strftime("%Y-%m-%dT%H:%M:%SZ")}
        seconds = int((end - self._now()).total_seconds())
        if seconds <= 0:
            raise IssuerError(Reason.REFUSED, "The end of validity that is wanted is over.", "Order again.")
        return {"ttl": f"{seconds}s"}

    async def _issued(self, found: Stored) -> Order:
        return Order(found.serial, OrderState.ISSUED, chain=(found.der, *await self._above(found.der)))

    async def _above(self, leaf: bytes) -> tuple[bytes, ...]:
        """The CA certificates above a stored one: the role's own issuer is asked first, then all others."""
        what = "The look at the CA certificates"
        listed = await self._access.found(f"{self._mount}/issuers?list=true", what)
        others = [str(one) for one in (listed or {}).get("keys") or ()]
        for name in ((await self._known()).issuer, *others):
            row = await self._access.found(f"{self._mount}/issuer/{name}/json", what)
            chain = self._loaded((row or {}).get("ca_chain"))
            if chain and chains.issued(chain[0], leaf):
                return chains.without_root(chain)
        raise self._access.bad_answer()

    def _loaded(self, pems: object) -> tuple[bytes, ...]:
        try:
            return chains.load(pems)
        except (*BadShape, BadCertificate):
            raise self._access.bad_answer() from None


def _revoked(handle: str) -> Order:
    return Order(handle, OrderState.CANCELLED, words="The certificate is revoked.")


def _request(wanted: Wanted) -> dict[str, Any]:
    """What `sign` is asked beside the end of validity: some roles take names from the CSR, some from here."""
    addresses = [one for one in wanted.names if _is_address(one)]
    names = [one for one in wanted.names if one not in addresses]
    csr = x509.load_der_x509_csr(wanted.csr).public_bytes(Encoding.PEM).decode()
    asked = {"csr": csr, "alt_names": ",".join(names), "ip_sans": ",".join(addresses)}
    common = next((one for one in names if len(one) <= _LONGEST_COMMON_NAME), "")
    return asked | ({"common_name": common} if common else {})


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _serial(number: int) -> str:
    text = certificates.serial_hex(number)
    return ":".join(text[at : at + 2] for at in range(0, len(text), 2))
