"""What an ACME server says of an order, in our words; the last step, and the certificate (RFC 8555 §7.4)."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from certdesk.connectors.http import Fetched
from certdesk.connectors.issuers.acme import chains, tasks
from certdesk.connectors.issuers.acme.keys import b64
from certdesk.connectors.issuers.acme.memory import Memory
from certdesk.connectors.issuers.acme.options import AcmeOptions
from certdesk.connectors.issuers.acme.problems import AcmeRefused, words_of
from certdesk.connectors.issuers.acme.wire import Signer, Wire, no_acme, object_of
from certdesk.connectors.issuers.protocol import IssuerError, Order, OrderState, Reason, Task, Wanted

_PEM = "application/pem-certificate-chain"
_OVER = frozenset({"invalid", "revoked", "expired", "deactivated"})
_MORE_WAYS = "Allow another way of proof in the options of this certificate authority."
_NOT_TOLD = "The certificate authority refused the order without saying why."


@dataclass(frozen=True, slots=True)
class Orders:
    """The orders at one server, for an account with these options."""

    _wire: Wire
    _memory: Memory
    _options: AcmeOptions

    async def look(self, handle: str, by: Signer) -> Fetched:
        """The order as the server has it."""
        return await self._wire.post(handle, None, by, "The look at the order")

    async def told(
        self, answer: Fetched, wanted: Wanted, handle: str, by: Signer, *, finalizing: bool = True
    ) -> Order:
        """The order that an answer holds, in our words; a ready one is finalized if it may be."""
        order = object_of(answer, self._wire.host)
        self._check_names(order, wanted)
        status, wait = order.get("status"), self._wire.wait_of(answer)
        if status == "ready" and finalizing:
            return await self._finalized(order, wanted, handle, by)
        if status == "valid":
            return Order(handle, OrderState.ISSUED, chain=await self._certificate(order, wanted, by))
        if status == "processing":
            return Order(handle, OrderState.WORKING, retry_after=wait)
        held, longer = await self._authorizations(order, by)
        return self._open(order, handle, held, by, longest(wait, longer))

    async def answered(
        self, answer: Fetched, wanted: Wanted, handle: str, by: Signer, told: frozenset[str]
    ) -> Order:
        """A pending order, after the CA was told that these challenges are set up."""
        order = object_of(answer, self._wire.host)
        self._check_names(order, wanted)
        held, longer = await self._authorizations(order, by)
        waits = [self._wire.wait_of(answer), longer]
        for url in [
            str(one["url"])
            for authorization in held
            for one in tasks.challenges_of(authorization)
            if one["url"] in told
            and one.get("status") == "pending"
            and not self._memory.is_answered(str(one["url"]))
        ]:
            waits.append(await self._answer(url, by))
        return self._open(order, handle, held, by, longest(*waits))

    async def _answer(self, url: str, by: Signer) -> int | None:
        """Tells the CA that a challenge is set up; seconds that it wants to be left alone with it."""
        try:
            said = await self._wire.post(url, {}, by, "The answer to the challenge")
        except AcmeRefused as error:
            if error.kind != "malformed":  # its look has ended since we asked: the order tells how
                raise
            said = None
        self._memory.answer(url)
        return None if said is None else self._wire.wait_of(said)

    def _open(
        self, order: Mapping[str, Any], handle: str, held: list[dict[str, Any]], by: Signer, wait: int | None
    ) -> Order:
        """An order without a certificate, from what is asked for in it."""
        if order.get("status") == "invalid" or any(one.get("status") in _OVER for one in held):
            words = words_of(order.get("error")) or tasks.fault_of(held) or _NOT_TOLD
            return Order(handle, OrderState.REFUSED, self._tasks(held, by), words)
        if order.get("status") not in ("pending", "ready"):
            raise no_acme(self._wire.host)
        found = self._tasks(held, by)
        self._check_provable(held, found)
        state = OrderState.WORKING if self._is_looked_at(held) else OrderState.TASKS
        return Order(handle, state, found, retry_after=wait)

    def _link(self, order: Mapping[str, Any], name: str) -> str:
        found = order.get(name)
        if not isinstance(found, str):
            raise no_acme(self._wire.host)
        return found

    def _check_names(self, order: Mapping[str, Any], wanted: Wanted) -> None:
        try:
            held = {str(one["value"]).lower() for one in order["identifiers"]}
        except (KeyError, TypeError):
            raise no_acme(self._wire.host) from None
        if held != set(wanted.names):
            message = f"The order at {self._wire.host} is for other names than ours."
            raise IssuerError(Reason.BAD_ANSWER, message, "Order again.")

    def _tasks(self, held: list[dict[str, Any]], by: Signer) -> tuple[Task, ...]:
        return tasks.tasks_of(held, by.account, by.key.thumbprint, self._options.methods)

    def _check_provable(self, held: list[dict[str, Any]], found: tuple[Task, ...]) -> None:
        """Raises `IssuerError` (REFUSED) where a name can be proved in no way that is used here."""
        provable = {one.name for one in found}
        for one in held:
            if one.get("status") == "pending" and tasks.name_of(one) not in provable:
                message = f"{self._wire.host} takes no proof of {tasks.name_of(one)} that is used here."
                raise IssuerError(Reason.REFUSED, message, _MORE_WAYS, field="methods")

    def _is_looked_at(self, held: list[dict[str, Any]]) -> bool:
        """Every open proof has been answered for, by what the server or this process knows."""
        pending = [one for one in held if one.get("status") == "pending"]
        return bool(pending) and all(
            any(
                challenge.get("status") == "processing" or self._memory.is_answered(challenge["url"])
                for challenge in tasks.challenges_of(one)
            )
            for one in pending
        )

    async def _authorizations(
        self, order: Mapping[str, Any], by: Signer
    ) -> tuple[list[dict[str, Any]], int | None]:
        """Of an order, and the longest `Retry-After` among their answers."""
        urls, names = order.get("authorizations"), order.get("identifiers")
        # One for each name at most (RFC 8555 §7.1.3): nobody makes us ask without end.
        if not isinstance(urls, list) or not isinstance(names, list) or len(urls) > len(names):
            raise no_acme(self._wire.host)
        answers = [await self._wire.post(str(url), None, by, "The look at the proofs") for url in urls]
        waits = [self._wire.wait_of(one) for one in answers]
        return [object_of(one, self._wire.host) for one in answers], longest(*waits)

    async def _finalized(self, order: Mapping[str, Any], wanted: Wanted, handle: str, by: Signer) -> Order:
        payload = {"csr": b64(wanted.csr)}
        try:
            url = self._link(order, "finalize")
            answer = await self._wire.post(url, payload, by, "The order's last step", decides=True)
        except AcmeRefused as error:
            if error.kind != "orderNotReady":  # somebody of ours was quicker
                raise
            answer = await self.look(handle, by)
        return await self.told(answer, wanted, handle, by, finalizing=False)

    async def _certificate(self, order: Mapping[str, Any], wanted: Wanted, by: Signer) -> tuple[bytes, ...]:
        """The chain that is wanted, of those that hold together; else the first, as it came.

        Whoever takes it judges whether it is what was ordered, and has it revoked where it is not.
        """
        found = await self.chains(order, by)
        if len(found) == 1:
            return found[0]
        good = [one for one in found if await asyncio.to_thread(chains.holds, one, wanted.csr)]
        led = (one for one in good if chains.leads_to(one, self._options.root))
        return next(led, (good or found)[0])

    async def chains(self, order: Mapping[str, Any], by: Signer) -> list[tuple[bytes, ...]]:
        """The first one, and where another root is wanted than its own, the alternates."""
        first = await self._downloaded(self._link(order, "certificate"), by)
        found = [self._read(first)]
        if self._options.root and not chains.leads_to(found[0], self._options.root):
            found += [self._read(await self._downloaded(url, by)) for url in chains.alternates_of(first)]
        return found

    async def _downloaded(self, url: str, by: Signer) -> Fetched:
        return await self._wire.post(url, None, by, "The download of the certificate", _PEM)

    def _read(self, answer: Fetched) -> tuple[bytes, ...]:
        try:
            return chains.read(answer.body)
        except ValueError as fault:
            raise self._unusable(str(fault)) from None

    def _unusable(self, fault: str) -> IssuerError:
        message = f"The certificate that {self._wire.host} gave {fault}."
        return IssuerError(
            Reason.BAD_ANSWER, message, "Tell the certificate authority; it should revoke the certificate."
        )


def longest(*waits: int | None) -> int | None:
    """The longest of the times that a server asked for."""
    return max((one for one in waits if one is not None), default=None)
