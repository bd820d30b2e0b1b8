"""DigiCert CertCentral: orders, reissues and revocations by its Services API v2.

Our reference is the order's `alternative_order_id`, and stands in the comments of each request: by it an
order is found again after an answer that was lost. CertCentral itself refuses no second order.

Documented at https://dev.digicert.com/certcentral-apis/services-api.html.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from certdesk.connectors.issuers.certcentral import collecting, orders, organizations, products
from certdesk.connectors.issuers.certcentral.options import CertCentralOptions
from certdesk.connectors.issuers.certcentral.wire import Refusal, Wire
from certdesk.connectors.issuers.options import Outside
from certdesk.connectors.issuers.protocol import (
    Capabilities,
    ControlWanted,
    IssuerCheck,
    IssuerError,
    Order,
    OrderState,
    Reason,
    Task,
    Wanted,
    nothing_sent,
)
from certdesk.connectors.targets.calling import BadShape
from certdesk.pki.x509 import certificates

_LOOKED_AT = 25  # newest orders of the same primary name, to find ours among them
_AGAIN = 60  # seconds: DigiCert looks for proofs by itself every few minutes
_AGAIN_PEOPLE = 900
_AT_ONCE = 1
_PLACED = "DigiCert works on the order."
_WAITS = {
    "needs_approval": "The order waits for an administrator's approval in CertCentral.",
    "processing": "The domains are proved; DigiCert checks the organization or asks its approvers.",
}
_OPEN = frozenset({"pending", "reissue_pending"})
_ENDED = frozenset({"canceled", "cancelled", "revoked", "expired"})
_DONE = _ENDED | {"issued"}


def _now() -> datetime:
    return datetime.now(UTC)


class CertCentral:
    """One account."""

    def __init__(
        self, options: CertCentralOptions, outside: Outside, now: Callable[[], datetime] = _now
    ) -> None:
        self._options, self._now = options, now
        self._wire = Wire(options, outside)

    @property
    def capabilities(self) -> Capabilities:
        levels = frozenset(self._options.products)
        return Capabilities(
            levels=levels,
            wildcard=levels != {"EV"},
            ip=False,
            most_names=products.MOST_NAMES,
            key_algorithms=products.KEYS,
            caa_domains=products.CAA,
            methods=self._methods(),
            longest_days=products.LONGEST_DAYS,
        )

    def _methods(self) -> tuple[str, ...]:
        """A wildcard's proof is dns-01 where the option says http."""
        method = products.PROOFS[self._options.dcv_method]
        return (method, "dns-01") if method == "http-01" else (method,)

    async def place(self, wanted: Wanted) -> Order:
        product = orders.product_of(self._options, wanted)
        with nothing_sent():
            handle = await self._known(wanted)
        handle = handle or await self._ordered(wanted, product)
        # No look at it here: a look that fails must not be taken for an order that was not made.
        return Order(handle, OrderState.WORKING, words=_PLACED, retry_after=_AT_ONCE)

    async def proceed(self, wanted: Wanted, handle: str, tasks: tuple[str, ...]) -> Order:
        return await self.poll(wanted, handle)  # each look asks CertCentral to look for the proofs as well

    async def poll(self, wanted: Wanted, handle: str) -> Order:
        number, request = orders.numbers(handle)
        row = await self._order(number)
        if orders.status(row, request) in _OPEN:
            tasks = await self._tasks(wanted, number, row)
            if all(task.done for task in tasks):  # the last proof may have let it issue at once
                row = await self._order(number)
        else:
            tasks = ()
        found = _state(handle, row, request, tasks)
        if found.state is not OrderState.ISSUED:
            return found
        return replace(found, chain=await collecting.chain(self._wire, row, request, wanted.csr))

    async def withdraw(self, handle: str) -> Order:
        number, request = orders.numbers(handle)
        row = await self._order(number)  # a reissue that came later must not be cancelled in place of this
        if orders.status(row, request) in _DONE:
            return _state(handle, row, request, ())
        try:
            body = {"status": "CANCELED", "note": "Withdrawn by the applicant."}
            await self._wire.send(
                "PUT", f"order/certificate/{number}/status", "The cancellation", body, decides=True
            )
        except Refusal as refusal:
            if refusal.reason is not Reason.REFUSED:
                raise
            row = await self._order(number)  # it was cancelled before, or the CA was quicker
            state = _state(handle, row, request, ())
            if state.state in (OrderState.TASKS, OrderState.WORKING):
                raise
            return state
        return Order(handle, OrderState.CANCELLED)

    async def revoke(self, certificate: bytes, handle: str, reason: int) -> None:
        serial = certificates.facts(certificate).serial.upper()
        body = {
            "revocation_reason": products.REASONS.get(reason, "unspecified"),
            "comments": "Revoked by certdesk.",
            "skip_approval": self._options.skip_approval,
        }
        try:
            path = f"certificate/{serial}/revoke"
            answer = await self._wire.send("PUT", path, "The revocation", body, decides=True)
        except Refusal as refusal:
            if refusal.reason is not Reason.REFUSED:
                raise
            number = orders.numbers(handle)[0]
            row = await self._order(number)
            if orders.CONTROL_WANTED in refusal.said.codes:
                raise await self._control_wanted(number, row, certificate) from None
            if _is_revoked(row, serial) or _says_revoked(refusal):
                return
            raise _passing(row) or refusal from None
        if answer.status == 201:
            raise _waits_for_approval()

    async def _control_wanted(self, number: int, row: Mapping[str, Any], der: bytes) -> ControlWanted:
        names, method = certificates.facts(der).names, str(row.get("dcv_method", ""))
        return orders.control_wanted(
            names, orders.tasks(method, names, await self._token(method, number), frozenset())
        )

    async def test(self) -> IssuerCheck:
        try:
            user = await self._wire.json("GET", "user/me", "The look at the account")
            offered = await self._wire.json("GET", "product", "The look at the products")
            known = {str(one["name_id"]) for one in offered["products"]}
        except IssuerError as error:
            return IssuerCheck(False, error.message, error.next_step)
        except BadShape:
            wrong = self._wire.bad_answer()
            return IssuerCheck(False, wrong.message, wrong.next_step)
        missing = sorted(set(self._options.products.values()) - known)
        notes = tuple(f"The account may not order {product}." for product in missing)
        inactive = user.get("status", "active") != "active"
        return IssuerCheck(True, notes=(*notes, *(["The API key's user is not active."] if inactive else [])))

    # finding and placing

    async def _known(self, wanted: Wanted) -> str | None:
        """The handle of the live order or reissue with our reference."""
        if wanted.first:
            return None
        before = self._predecessor(wanted)
        if before is not None:
            row = await self._maybe(before)
            try:
                request = orders.reissue_with(row, wanted.reference) if row else None
            except BadShape:  # ours is there: another one must not be asked for
                raise self._wire.bad_answer() from None
            if request is not None:
                return f"{before}/{request}"
        query = (
            f"filters[common_name]={quote(wanted.names[0], safe='')}&sort=-date_created&limit={_LOOKED_AT}"
        )
        path = f"order/certificate?{query.replace('[', '%5B').replace(']', '%5D')}"
        listed = (await self._wire.json("GET", path, "The look at the orders")).get("orders", [])
        for one in listed if isinstance(listed, list) else []:
            if isinstance(one, dict) and orders.is_live(one) and isinstance(one.get("id"), int):
                row = one if "alternative_order_id" in one else await self._order(one["id"])
                if row.get("alternative_order_id") == wanted.reference:
                    return str(one["id"])
        return None

    def _predecessor(self, wanted: Wanted) -> int | None:
        return orders.numbers(wanted.predecessor)[0] if wanted.predecessor and wanted.replaces else None

    async def _ordered(self, wanted: Wanted, product: str) -> str:
        """Places it: as a reissue where the predecessor still covers it, else as an order of its own."""
        with nothing_sent():
            covering, renewal = await self._followed(wanted, product)
        if covering is not None:
            return await self._reissued(wanted, covering)
        with nothing_sent():
            organization = await organizations.number_of(self._wire, self._options, wanted)
        body = orders.order(self._options, wanted, organization, renewal)
        made = await self._wire.json("POST", f"order/certificate/{product}", "The order", body, decides=True)
        if not isinstance(made.get("id"), int):
            raise self._wire.bad_answer()
        return str(made["id"])

    async def _followed(self, wanted: Wanted, product: str) -> tuple[int | None, int | None]:
        """The predecessor where it covers what is wanted, else where it can be renewed; None for neither."""
        before = self._predecessor(wanted)
        row = await self._maybe(before) if before is not None else None
        if before is None or row is None:
            return None, None
        replaced = certificates.facts(wanted.replaces)
        if orders.can_reissue(row, product, wanted, replaced.names):
            return before, None
        return None, before if orders.renewed(row, product, replaced.not_after, self._now()) else None

    async def _reissued(self, wanted: Wanted, before: int) -> str:
        body = orders.reissue(self._options, wanted)
        path = f"order/certificate/{before}/reissue"
        made = await self._wire.json("POST", path, "The reissue", body, decides=True)
        try:
            return f"{before}/{int(made['requests'][0]['id'])}"
        except BadShape:
            raise self._wire.bad_answer() from None

    # looking

    async def _order(self, number: int) -> Mapping[str, Any]:
        return await self._wire.json("GET", f"order/certificate/{number}", "The look at the order")

    async def _maybe(self, number: int) -> Mapping[str, Any] | None:
        """None where the account has no such order (any more)."""
        try:
            return await self._order(number)
        except IssuerError as error:
            if error.reason is Reason.NOT_THERE:
                return None
            raise

    async def _tasks(self, wanted: Wanted, number: int, row: Mapping[str, Any]) -> tuple[Task, ...]:
        """What is asked for, with a look of CertCentral's at what is there."""
        method = str(row.get("dcv_method", ""))
        token = await self._token(method, number)
        return orders.tasks(method, wanted.names, token, await self._proved(number) if token else frozenset())

    async def _token(self, method: str, number: int) -> str:
        """The random value of an order; empty where mails prove its domains."""
        if method == "email":
            return ""
        path = f"order/certificate/{number}/dcv-random-value"
        token = (await self._wire.json("PUT", path, "The random value", {})).get("dcv_random_value")
        if not isinstance(token, str) or not token:
            raise self._wire.bad_answer()
        return token

    async def _proved(self, number: int) -> frozenset[str]:
        try:
            seen = await self._wire.json(
                "PUT", f"order/certificate/{number}/check-dcv", "The check of the domains", {}, decides=True
            )
        except Refusal as refusal:
            if refusal.reason is Reason.REFUSED:  # http-token: not all of them are there
                return frozenset()
            raise
        rows = seen.get("dns_name_validations")
        return frozenset(
            str(one.get("dns_name", "")).lower().removeprefix("*.")
            for one in (rows if isinstance(rows, list) else [])
            if isinstance(one, dict) and one.get("status") in ("approved", "valid", "complete")
        )


def _state(handle: str, row: Mapping[str, Any], request: int | None, tasks: tuple[Task, ...]) -> Order:
    """Where it stands; without the certificate."""
    status = orders.status(row, request)
    asked = orders.asked(row, request)
    decided = str(asked.get("status", "")).lower()
    words = str(asked.get("processor_comment") or "")[:500]
    if status == "rejected" or decided == "rejected":
        return Order(handle, OrderState.REFUSED, words=words or "DigiCert rejected the order without words.")
    if status in _ENDED or decided in ("canceled", "cancelled"):
        return Order(handle, OrderState.CANCELLED, words=words)
    if status == "issued":
        return Order(handle, OrderState.ISSUED)
    if any(not task.done for task in tasks):
        return Order(handle, OrderState.TASKS, tasks)  # each look has CertCentral look too
    again = _AGAIN_PEOPLE if status in _WAITS else _AGAIN
    words = _WAITS.get(status, _PLACED)
    return Order(handle, OrderState.WORKING, tasks, words, retry_after=again)


def _is_revoked(row: Mapping[str, Any], serial: str) -> bool:
    shown = row.get("certificate")
    if not isinstance(shown, Mapping) or str(shown.get("serial_number", "")).upper().lstrip(
        "0"
    ) != serial.lstrip("0"):
        return row.get("status") == "revoked"
    return "revoked" in (row.get("status"), shown.get("status"))


def _says_revoked(refusal: Refusal) -> bool:
    told = " ".join((*refusal.said.codes, refusal.said.words)).lower()
    return "already" in told and "revoked" in told


def _passing(row: Mapping[str, Any]) -> IssuerError | None:
    """Why it cannot be revoked now, where that will pass."""
    if row.get("status") == "reissue_pending":
        return IssuerError(
            Reason.BUSY,
            "CertCentral revokes nothing while a reissue of the order is pending.",
            "Let the reissue end, or withdraw it; the revocation is tried again.",
        )
    waits = any(
        one.get("type") == "revoke" and one.get("status") == "pending" for one in orders.requests(row)
    )
    return _waits_for_approval() if waits else None


def _waits_for_approval() -> IssuerError:
    return IssuerError(
        Reason.BUSY,
        "The revocation waits for an administrator's approval in CertCentral.",
        "Approve it there, or switch on 'Approve at once' in the options.",
    )
