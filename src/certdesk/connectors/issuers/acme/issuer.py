"""An ACME server as an issuer (RFC 8555).

An order's handle is its URL. ACME has no reference of the client's: when a process dies between `place` and
the record of its handle, the next `place` makes another order. That is safe, because `place` never finalizes:
the order that was lost holds no certificate, and lapses. Only `proceed` and `poll`, which have a handle,
finalize. Within one process the order of a reference is remembered and found.

`withdraw` sends nothing: an order that nobody finalizes is none, and its authorisations may be another's.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from certdesk.connectors.http import Fetched
from certdesk.connectors.issuers.acme import advice
from certdesk.connectors.issuers.acme.account import Account
from certdesk.connectors.issuers.acme.keys import b64
from certdesk.connectors.issuers.acme.memory import SHARED, Memory
from certdesk.connectors.issuers.acme.options import AcmeOptions
from certdesk.connectors.issuers.acme.orders import Orders
from certdesk.connectors.issuers.acme.presets import PRESETS
from certdesk.connectors.issuers.acme.problems import AcmeRefused
from certdesk.connectors.issuers.acme.wire import Signer, Wire, no_acme, object_of
from certdesk.connectors.issuers.options import Outside
from certdesk.connectors.issuers.protocol import (
    Advice,
    Capabilities,
    IssuerCheck,
    IssuerError,
    Order,
    OrderState,
    Reason,
    Wanted,
    nothing_sent,
)
from certdesk.connectors.targets import servers
from certdesk.foundation.common import clock
from certdesk.pki.x509.renewal_info import certificate_id

_PLACED = "The order"
_NO_ACCOUNT = "accountDoesNotExist"
# A CA may know the certificate that is replaced no more, or have replaced it already: then it is a first one.
_NO_PREDECESSOR = frozenset({"alreadyReplaced", "malformed", "unauthorized", "notFound"})


class Acme:
    """One account at one ACME server."""

    def __init__(
        self,
        options: AcmeOptions,
        outside: Outside,
        memory: Memory = SHARED,
        now: Callable[[], datetime] = clock.real_now,
    ) -> None:
        self._options, self._memory, self._now = options, memory, now
        self._preset = PRESETS[options.preset]
        self._wire = Wire(options.directory, outside, servers.context(options.ca), memory, now)
        self._account = Account(options, self._wire, memory)
        self._orders = Orders(self._wire, memory, options)
        known = self._preset.capabilities
        ways = tuple(one for one in known.methods if one in options.methods)
        self._capabilities = replace(known, methods=ways or options.methods)

    @property
    def capabilities(self) -> Capabilities:
        """From the preset; after the first call from what the directory says too."""
        return self._capabilities

    async def test(self) -> IssuerCheck:
        self._account.forget()  # what is tested is the server, not what we know of it
        try:
            by = await self._account.signer(make=True)
            await self._account.update_contact()
            notes = await self._learn(by)
        except IssuerError as error:
            return IssuerCheck(False, error.message, error.next_step)
        return IssuerCheck(True, notes=(f"Our account there is {by.account}.", *notes))

    async def _learn(self, by: Signer) -> tuple[str, ...]:
        """Takes over what the directory says of itself, and our account; notes for people."""
        directory, meta = await self._wire.directory(), await self._wire.meta()
        named = meta.get("caaIdentities")
        caa = tuple(one for one in named if isinstance(one, str)) if isinstance(named, list) else ()
        self._capabilities = replace(
            self._capabilities,
            caa_domains=caa or self._capabilities.caa_domains,
            account_uris=(by.account,),
            advises=isinstance(directory.get("renewalInfo"), str),
        )
        profiles = meta.get("profiles")
        listed = ", ".join(sorted(map(str, profiles))[:20]) if isinstance(profiles, Mapping) else ""
        return (f"It offers these profiles: {listed}.",) if listed else ()

    async def place(self, wanted: Wanted) -> Order:
        try:
            return await self._placed(wanted)
        except AcmeRefused as error:
            if error.kind != _NO_ACCOUNT:
                raise
        self._account.forget()  # the server has lost it since we asked: it is made again
        return await self._placed(wanted)

    async def _placed(self, wanted: Wanted) -> Order:
        with nothing_sent():
            by = await self._account.signer(make=True)
            await self._learn(by)
        known = self._memory.order_of(by.key.thumbprint, self._reference(wanted))
        if known:
            found = await self._live(wanted, known, by)
            if found is not None:
                return found
        answer = await self._ordered(wanted, by)
        handle = answer.header("location")
        if not handle or len(handle) > 1000:
            raise no_acme(self._wire.host)
        self._memory.placed(by.key.thumbprint, self._reference(wanted), handle)
        return await self._orders.told(answer, wanted, handle, by, finalizing=False)

    def _reference(self, wanted: Wanted) -> str:
        return f"{self._options.directory} {wanted.reference}"

    async def _live(self, wanted: Wanted, handle: str, by: Signer) -> Order | None:
        """The order that this process has placed for the reference; None when it leads nowhere."""
        try:
            answer = await self._orders.look(handle, by)
            found = await self._orders.told(answer, wanted, handle, by, finalizing=False)
        except IssuerError as error:
            if error.reason is Reason.NOT_THERE:
                return None
            raise
        return None if found.state is OrderState.REFUSED else found

    async def _ordered(self, wanted: Wanted, by: Signer) -> Fetched:
        with nothing_sent():
            payload = await self._payload(wanted)
            url = await self._wire.url_of("newOrder")
        try:
            return await self._wire.post(url, payload, by, _PLACED, decides=True)
        except AcmeRefused as error:
            if "replaces" not in payload or error.kind not in _NO_PREDECESSOR:
                raise
        del payload["replaces"]
        return await self._wire.post(url, payload, by, _PLACED, decides=True)

    async def _payload(self, wanted: Wanted) -> dict[str, Any]:
        payload: dict[str, Any] = {"identifiers": [_identifier(name) for name in wanted.names]}
        profile = wanted.product or self._options.profile
        if profile:
            payload["profile"] = await self._offered(profile)
        if self._preset.takes_end:
            longest = self._now() + timedelta(days=self._capabilities.longest_days)
            end = min(wanted.not_after, longest)  # a CA refuses an order beyond what it gives
            payload["notAfter"] = end.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        if wanted.replaces and wanted.predecessor and self._capabilities.advises:
            replaced = certificate_id(wanted.replaces)
            if replaced:
                payload["replaces"] = replaced
        return payload

    async def _offered(self, profile: str) -> str:
        listed = (await self._wire.meta()).get("profiles")
        names = sorted(map(str, listed)) if isinstance(listed, Mapping) else []
        if profile not in names:
            raise IssuerError(
                Reason.REFUSED,
                f"{self._wire.host} offers no profile {profile!r:.100}.",
                f"Choose one of {', '.join(names)[:300]}." if names else "Leave the profile empty.",
                field="profile",
            )
        return profile

    async def proceed(self, wanted: Wanted, handle: str, tasks: tuple[str, ...]) -> Order:
        """Looks once, before it answers challenges: the CA says there when it wants to be asked again."""
        by = await self._account.signer()
        answer = await self._orders.look(handle, by)
        if not tasks or object_of(answer, self._wire.host).get("status") != "pending":
            return await self._orders.told(answer, wanted, handle, by)
        return await self._orders.answered(answer, wanted, handle, by, frozenset(tasks))

    async def poll(self, wanted: Wanted, handle: str) -> Order:
        """Also finalizes the order, once the CA has accepted all proofs."""
        by = await self._account.signer()
        return await self._orders.told(await self._orders.look(handle, by), wanted, handle, by)

    async def withdraw(self, handle: str) -> Order:
        by = await self._account.signer()
        answer = await self._orders.look(handle, by)
        order = object_of(answer, self._wire.host)
        match order.get("status"):
            case "valid":
                return Order(handle, OrderState.ISSUED)
            case "processing":
                return Order(handle, OrderState.WORKING, retry_after=self._wire.wait_of(answer))
            case _:
                return Order(handle, OrderState.CANCELLED)

    async def revoke(self, certificate: bytes, handle: str, reason: int) -> None:
        by = await self._account.signer()
        url = await self._wire.url_of("revokeCert")
        try:
            payload = {"certificate": b64(certificate), "reason": reason}
            await self._wire.post(url, payload, by, "The revocation", decides=True)
        except AcmeRefused as error:
            if error.kind != "alreadyRevoked":
                raise

    async def advice(self, certificate: bytes) -> Advice:
        """As the server's renewal information says (RFC 9773 §4); the question is not signed."""
        url = await self._wire.url_of("renewalInfo")
        name = certificate_id(certificate)
        if not name:
            message = "The certificate names no key of its CA, so nobody can ask when to replace it."
            raise IssuerError(Reason.REFUSED, message, "It is replaced by its lifetime.")
        answer = await self._wire.get(f"{url.rstrip('/')}/{name}", "The question when to replace it")
        found = advice.read(object_of(answer, self._wire.host), self._wire.wait_of(answer))
        if found is None:
            message = f"{self._wire.host} named no window in which to replace the certificate."
            raise IssuerError(Reason.BAD_ANSWER, message, "It is asked again after six hours.")
        return found


def _identifier(name: str) -> dict[str, str]:
    return {"type": "ip" if ":" in name or name.replace(".", "").isdigit() else "dns", "value": name}
