"""What every channel connector offers (law 7): one notice to one place, and why that failed."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from certdesk.connectors.egress import Network
from certdesk.connectors.protocol import ConnectorError


class Reason(StrEnum):
    """Why a call failed; the first group may go away by itself."""

    UNREACHABLE = "UNREACHABLE"
    TIMEOUT = "TIMEOUT"
    BUSY = "BUSY"

    EGRESS = "EGRESS"
    OPTIONS = "OPTIONS"
    WRONG_KEY = "WRONG_KEY"
    REFUSED = "REFUSED"


_PASSING = frozenset({Reason.UNREACHABLE, Reason.TIMEOUT, Reason.BUSY})


class ChannelError(ConnectorError):
    """A channel did not take a notice, or its options are wrong.

    Args:
        message: one plain sentence: what was tried and what came back. Holds no secret.
        next_step: one plain sentence: what the reader can do.
        field: the option at fault.
    """

    def __init__(self, reason: Reason, message: str, next_step: str = "", *, field: str = "") -> None:
        super().__init__(message, reason not in _PASSING)
        self.reason = reason
        self.next_step = next_step or ("It is tried again by itself." if reason in _PASSING else "")
        self.field = field


@dataclass(frozen=True, slots=True)
class Notice:
    """One message to one recipient.

    Attributes:
        delivery: names the message for all its tries, so that the other side can drop a repeated one.
        to: the phone number, for channels that send to one (E.164, `+` and digits); else empty.
        facts: JSON values for machines.
    """

    delivery: str
    subject: str
    text: str
    to: str = ""
    facts: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Outside:
    """What a channel may reach and how long it may take.

    Args:
        allow_networks: networks beside public addresses (`CERTDESK_ALLOW_NETWORKS`).
        ports: the ports that may be asked.
        seconds: for one notice.
        max_bytes: of one answer.
        resolver: how host names become addresses; default the operating system's.
    """

    allow_networks: tuple[Network, ...] = ()
    ports: frozenset[int] = frozenset({80, 443, 8443})
    seconds: float = 20.0
    max_bytes: int = 64 * 1024
    resolver: Callable[[str], Awaitable[Sequence[str]]] | None = None


class Channel(Protocol):
    """One place that takes notices. Both verbs raise `ChannelError`."""

    async def check(self) -> None:
        """Can these options work at all? Nothing is sent."""

    async def send(self, notice: Notice) -> str:
        """Hands over one notice; answers in one line what the other side said."""
