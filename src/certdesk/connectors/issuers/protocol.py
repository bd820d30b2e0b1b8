"""What every connector to a certificate authority offers (law 7): order, tasks, certificate, revocation.

An order is placed once for a reference of ours. What the CA wants to see before it issues comes back as
tasks; `proceed` says that they are set up. Every verb may be repeated: after a crash between a call and its
record, `place` with the same reference finds the order that is there, or makes one where none is.
"""

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol, runtime_checkable

from certdesk.connectors.protocol import ConnectorError


class Reason(StrEnum):
    """Why a call failed; the first group may go away by itself."""

    UNREACHABLE = "UNREACHABLE"
    TIMEOUT = "TIMEOUT"
    BUSY = "BUSY"  # an error of the CA's own (5xx)
    RATE_LIMITED = "RATE_LIMITED"  # `retry_after` says when, where the CA named it

    OPTIONS = "OPTIONS"
    NOT_ALLOWED = "NOT_ALLOWED"  # the operator has not opened this place
    CREDENTIALS = "CREDENTIALS"  # the account or its key is not accepted
    REFUSED = "REFUSED"  # the CA will never issue this order, or never revoke this certificate
    NOT_THERE = "NOT_THERE"
    BAD_ANSWER = "BAD_ANSWER"  # what no such CA says, e.g. a certificate that cannot be read


_PASSING = frozenset({Reason.UNREACHABLE, Reason.TIMEOUT, Reason.BUSY, Reason.RATE_LIMITED})


class IssuerError(ConnectorError):
    """A call to a CA failed.

    Args:
        message: one plain sentence: what was tried and what came back, with the CA's own words where it gave
            some (at most 500 characters of them). Holds no secret.
        next_step: one plain sentence: what the reader can do.
        field: the option that is refused.
        sent: false only where this call surely sent nothing that could make an order there, e.g. because no
            connection was made: another CA may then get the order.
    """

    def __init__(
        self,
        reason: Reason,
        message: str,
        next_step: str = "",
        *,
        retry_after: int | None = None,
        field: str = "",
        sent: bool = True,
    ) -> None:
        super().__init__(message, reason not in _PASSING, retry_after)
        self.reason = reason
        self.next_step = next_step or ("Try again later." if reason in _PASSING else "")
        self.field = field
        self.sent = sent


@contextlib.contextmanager
def nothing_sent() -> Iterator[None]:
    """What fails in here has ordered nothing."""
    try:
        yield
    except IssuerError as error:
        error.sent = False
        raise


class ControlWanted(IssuerError):
    """A CA that revokes only after control of the domains was shown once more (REV-7).

    It passes: `revoke` is called again, and the CA looks each time.

    Args:
        shown_by: what has to stand where, one sentence; it is the next step.
    """

    def __init__(self, message: str, shown_by: str) -> None:
        super().__init__(Reason.BUSY, message, shown_by)


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a CA can do, for the choice among several.

    Attributes:
        levels: of `DV`, `OV`, `EV`.
        domains: names have to be one of these or lie below; empty for any.
        wildcard, ip: names of these kinds.
        most_names: in one certificate.
        key_algorithms: values of `KeyAlgorithm`.
        caa_domains: the names by which CAA records permit it (RFC 8659 `issue`).
        account_uris: of our account there, by which CAA records may permit it alone (RFC 8657 `accounturi`);
            known once it was asked.
        methods: of `dns-01`, `http-01`, `tls-alpn-01`, `email`; empty where it asks for no proof.
        longest_days: of validity that it gives.
        advises: it knows the certificate that an order replaces (ARI, RFC 9773).
        harmless_until_proceed: it issues and bills nothing for an order before `proceed`, so an order that
            was only placed may be left for one at another CA.
    """

    levels: frozenset[str] = frozenset({"DV"})
    domains: tuple[str, ...] = ()
    wildcard: bool = True
    ip: bool = False
    most_names: int = 100
    key_algorithms: frozenset[str] = frozenset()
    caa_domains: tuple[str, ...] = ()
    account_uris: tuple[str, ...] = ()
    methods: tuple[str, ...] = ()
    longest_days: int = 200
    advises: bool = False
    harmless_until_proceed: bool = False


@dataclass(frozen=True, slots=True)
class Wanted:
    """A certificate to order; from our order, never from what the applicant's CSR holds beside its key.

    Attributes:
        reference: ours, at most 64 characters; one live order at the CA for each.
        csr: PKCS #10, DER, with exactly these names; signed by the key.
        names: canonical; A-labels, IP addresses in their canonical text; the primary name first.
        level: `DV`, `OV` or `EV`.
        product: the CA's own code of what is ordered, e.g. `ssl_basic`; empty where it has one only.
        organization: as verified here; keys as in an application's `company`. Empty for DV.
        contact: name, email, phone; whom the CA may ask.
        not_after: the end that is wanted; a CA may give less.
        replaces: DER of the certificate whose place this one takes (ARI `replaces`, reissue); empty for a
            first one.
        predecessor: the CA's handle of the order that `replaces` came from, where it was the same CA.
        first: no call for this reference can have reached the CA before; a connector that would have to
            search for it among others need not.
    """

    reference: str
    csr: bytes
    names: tuple[str, ...]
    level: str
    not_after: datetime
    product: str = ""
    organization: Mapping[str, str] = field(default_factory=dict)
    contact: Mapping[str, str] = field(default_factory=dict)
    replaces: bytes = b""
    predecessor: str = ""
    first: bool = False


@dataclass(frozen=True, slots=True)
class Task:
    """What the CA wants to see before it issues; whoever can sets it up, and it is taken away afterwards.

    Attributes:
        id: the CA's own, unique within the order, e.g. the URL of a challenge.
        name: the domain name or address that it proves, without `*.`.
        method: `dns-01`, `http-01`, `tls-alpn-01`, `email` or `by-hand`.
        where: for dns-01 the record's whole name, for http-01 the URL, for email the mailbox.
        record_type: `TXT` or `CNAME` for dns-01.
        value: what has to stand there.
        done: the CA has accepted it.
        words: for people: what the CA said last of it; empty for nothing.
    """

    id: str
    name: str
    method: str
    where: str
    value: str
    record_type: str = ""
    done: bool = False
    words: str = ""


class OrderState(StrEnum):
    """Where an order stands at the CA."""

    TASKS = "TASKS"  # waits for us: tasks to set up
    WORKING = "WORKING"  # waits for the CA: it checks, or people there do
    ISSUED = "ISSUED"
    REFUSED = "REFUSED"
    CANCELLED = "CANCELLED"


@dataclass(frozen=True, slots=True)
class Order:
    """An order as the CA has it now.

    Attributes:
        handle: what the other verbs need to find it again, e.g. its URL or number; at most 1,000 characters.
        tasks: all that is asked for, each under one or several methods of which one is enough for its name.
        words: the CA's own, for people; always there when REFUSED.
        retry_after: seconds until it makes sense to ask again.
        chain: when ISSUED: DER, the leaf first, without the root; none in the answer of `withdraw`.
    """

    handle: str
    state: OrderState
    tasks: tuple[Task, ...] = ()
    words: str = ""
    retry_after: int | None = None
    chain: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class IssuerCheck:
    """The result of a test, which orders nothing; `problem` is empty when all is well."""

    ok: bool
    problem: str = ""
    next_step: str = ""
    notes: tuple[str, ...] = ()


class IssuerConnector(Protocol):
    """One CA. Every verb raises `IssuerError`; none is called inside a transaction."""

    @property
    def capabilities(self) -> Capabilities: ...

    async def place(self, wanted: Wanted) -> Order:
        """Orders it, or finds the live order of that reference."""

    async def proceed(self, wanted: Wanted, handle: str, tasks: tuple[str, ...]) -> Order:
        """Says that the tasks of these ids are set up, and does what else carries the order on (finalize)."""

    async def poll(self, wanted: Wanted, handle: str) -> Order:
        """The order as it is now, the certificate in it once it is issued."""

    async def withdraw(self, handle: str) -> Order:
        """Takes an order back. ISSUED in the answer: the CA was quicker; `poll` brings the certificate."""

    async def revoke(self, certificate: bytes, handle: str, reason: int) -> None:
        """Revokes a certificate (DER); twice is no error. `reason`: CRLReason (RFC 5280 §5.3.1).

        Raises `ControlWanted` where the CA wants to see control of the domains again first.
        """

    async def test(self) -> IssuerCheck:
        """Can it be reached, and does it accept our account? Never raises."""


@dataclass(frozen=True, slots=True)
class Advice:
    """When a CA wants a certificate replaced (ARI, RFC 9773).

    Attributes:
        start, end: of the window, real time; some moment between them is to be chosen at random.
        explanation: address of a page that says why; empty for none.
        retry_after: seconds until it makes sense to ask again.
    """

    start: datetime
    end: datetime
    explanation: str = ""
    retry_after: int | None = None


@runtime_checkable
class Advises(Protocol):
    """A CA that can be asked when a certificate should be replaced."""

    async def advice(self, certificate: bytes) -> Advice:
        """Raises `IssuerError`: REFUSED where it gives none for this certificate (DER)."""


@runtime_checkable
class ByHand(Protocol):
    """A CA without an interface: an officer brings what it sent, or says what it has decided."""

    async def bring(self, wanted: Wanted, handle: str, chain: tuple[bytes, ...], refusal: str) -> Order:
        """The order with what was brought: ISSUED with `chain` (DER, leaf first), or REFUSED in its words."""
