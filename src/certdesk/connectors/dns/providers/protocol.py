"""What every DNS provider connector offers (DOM-7, law 7): zones, record sets, one value beside others.

Names are A-labels in lower case without the last dot. Values stand as in a zone file, with whole names
(`"text"` in quotation marks for TXT, `target.example.` for CNAME), except where a verb says otherwise.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Generic, Literal, Protocol, TypeVar

from certdesk.connectors.egress import Network
from certdesk.connectors.protocol import ConnectorError

ProofType = Literal["TXT", "CNAME"]
T = TypeVar("T")


class Reason(StrEnum):
    """Why a call failed; the first group may go away by itself."""

    UNREACHABLE = "UNREACHABLE"
    TIMEOUT = "TIMEOUT"
    BUSY = "BUSY"
    CONTENDED = "CONTENDED"

    EGRESS = "EGRESS"
    OPTIONS = "OPTIONS"
    NOT_INSTALLED = "NOT_INSTALLED"
    WRONG_KEY = "WRONG_KEY"
    UNSIGNED = "UNSIGNED"
    REFUSED = "REFUSED"
    NO_ZONE = "NO_ZONE"
    DELEGATED = "DELEGATED"
    NOT_THERE = "NOT_THERE"
    ALREADY_THERE = "ALREADY_THERE"
    CONFLICT = "CONFLICT"
    LIMIT = "LIMIT"
    BAD_ANSWER = "BAD_ANSWER"


_PASSING = frozenset({Reason.UNREACHABLE, Reason.TIMEOUT, Reason.BUSY, Reason.CONTENDED})


class DnsError(ConnectorError):
    """A call to a DNS provider failed.

    Args:
        reason: whether trying again can help follows from it.
        message: one plain sentence: what was tried and what came back. Holds no secret.
        next_step: one plain sentence: what the reader can do.
        retry_after: seconds, where the other side named them.
        field: the part of a record set that is refused: name, type, ttl or values.
    """

    def __init__(
        self,
        reason: Reason,
        message: str,
        next_step: str = "",
        retry_after: int | None = None,
        *,
        field: str = "",
    ) -> None:
        super().__init__(message, reason not in _PASSING, retry_after)
        self.reason = reason
        self.field = field
        self.next_step = next_step or ("Nothing: it is tried again." if reason in _PASSING else "")


@dataclass(frozen=True, slots=True)
class Outside:
    """What a connector may reach and how long it may take.

    Args:
        allow_networks: networks beside public addresses (`CERTDESK_ALLOW_NETWORKS`).
        own_servers: (host as written in the options, port) that the operator set himself: allowed wherever
            they stand (law 11). A connection that a user of an account made is not in here.
        ports: what else may be asked.
        seconds: for one call to the server; a verb makes a bounded number of them.
        max_bytes: of one answer, a whole zone transfer included.
        settle: seconds after which a set written whole is read again, so that somebody who read before us
            and wrote after us is noticed. Not needed where the server adds values itself (RFC 2136).
        resolver: how host names become addresses; default the operating system's.
    """

    allow_networks: tuple[Network, ...] = ()
    own_servers: frozenset[tuple[str, int]] = frozenset()
    ports: frozenset[int] = frozenset({53, 80, 443, 8081, 8443})
    seconds: float = 15.0
    max_bytes: int = 32 * 1024 * 1024
    settle: float = 1.0
    resolver: Callable[[str], Awaitable[Sequence[str]]] | None = None


@dataclass(frozen=True, slots=True)
class Zone:
    """A public zone of the connection; `id` is the provider's, empty where its name is enough."""

    name: str
    id: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class RecordSet:
    """All values of one name and type; `native` is the provider's own form, for its connector only."""

    name: str
    type: str
    ttl: int
    values: tuple[str, ...]
    native: object = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """`next_marker` asks for what follows; None at the end."""

    items: tuple[T, ...]
    next_marker: str | None = None


@dataclass(frozen=True, slots=True)
class ConnectionCheck:
    """The result of a connection test, which changes nothing.

    `zones` are those that answered; `problem` and `next_step` are empty when all is well; `notes` say what
    works only in part (for example: records can be written, but the zone cannot be listed).
    """

    ok: bool
    zones: tuple[str, ...] = ()
    problem: str = ""
    next_step: str = ""
    notes: tuple[str, ...] = ()


class Provider(Protocol):
    """One connection. Every verb raises `DnsError`; those that change something may be repeated."""

    async def zones(self, marker: str | None = None) -> Page[Zone]: ...

    async def record_sets(self, zone: Zone, marker: str | None = None) -> Page[RecordSet]: ...

    async def record_set(self, zone: Zone, name: str, record_type: str) -> RecordSet | None:
        """One record set as the provider has it now, None when there is none."""

    async def add_record_set(self, zone: Zone, record_set: RecordSet) -> None:
        """Raises ALREADY_THERE when the name has records of the type, whatever their values."""

    async def modify_record_set(self, zone: Zone, record_set: RecordSet) -> None:
        """Replaces all values and the TTL. Raises NOT_THERE when there is nothing to replace."""

    async def delete_record_set(self, zone: Zone, name: str, record_type: str) -> bool:
        """False when there was none."""

    async def add_value(
        self, zone: Zone, name: str, record_type: ProofType, value: str, ttl: int = 300
    ) -> bool:
        """One TXT text or one CNAME target (plain, as shown to people) beside what stands there.

        False when it was there already. A set that exists keeps its TTL. Raises CONFLICT for a CNAME with
        another target, or where CNAME and other records would stand at one name.
        """

    async def remove_value(self, zone: Zone, name: str, record_type: ProofType, value: str) -> bool:
        """Takes exactly that value away, foreign ones stay. False when it was not there."""

    async def test(self) -> ConnectionCheck:
        """Can the zones be reached and, as far as that shows without a change, written? Never raises."""
