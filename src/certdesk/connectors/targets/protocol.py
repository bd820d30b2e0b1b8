"""What every target connector offers (law 7): what it serves, and how a certificate takes another's place.

A resource is a certificate object of the target, with the names and listeners that use it. `install` makes a
new one live, `keep` makes it last beyond a restart, `restore` undoes both. Every verb may be repeated.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from certdesk.connectors.protocol import ConnectorError


class Reason(StrEnum):
    """Why a call failed; the first group may go away by itself."""

    UNREACHABLE = "UNREACHABLE"
    TIMEOUT = "TIMEOUT"
    BUSY = "BUSY"

    OPTIONS = "OPTIONS"
    NOT_ALLOWED = "NOT_ALLOWED"  # the operator has not opened this place
    NOT_THERE = "NOT_THERE"
    REFUSED = "REFUSED"
    BAD_ANSWER = "BAD_ANSWER"
    NO_WAY_BACK = "NO_WAY_BACK"  # the previous certificate could not be put back later, so nothing is touched


_PASSING = frozenset({Reason.UNREACHABLE, Reason.TIMEOUT, Reason.BUSY})


class TargetError(ConnectorError):
    """A call to a target failed.

    Args:
        message: one plain sentence: what was tried and what came back. Holds no secret.
        next_step: one plain sentence: what the reader can do.
        field: the option that is refused.

    Attributes:
        touched: false where surely nothing was changed at the target, so that nothing need be put back.
    """

    touched = True

    def __init__(self, reason: Reason, message: str, next_step: str = "", *, field: str = "") -> None:
        super().__init__(message, reason not in _PASSING)
        self.reason = reason
        self.next_step = next_step or ("Try again." if reason in _PASSING else "")
        self.field = field


@dataclass(frozen=True, slots=True)
class Bundle:
    """A certificate with its key as it goes to a target. PEM; the key is not shown in `repr`."""

    leaf: str
    chain: str
    names: tuple[str, ...]
    fingerprint_sha1: str
    key: str = field(repr=False)

    @property
    def whole(self) -> str:
        """Leaf, chain and key in one, without empty lines."""
        return without_blanks(f"{self.leaf}\n{self.chain}\n{self.key}")


def without_blanks(pem: str) -> str:
    """The same lines, trimmed, without empty ones, ended by a line feed."""
    return "".join(f"{line.strip()}\n" for line in pem.splitlines() if line.strip())


@dataclass(frozen=True, slots=True)
class Resource:
    """One certificate object of a target.

    Attributes:
        id: the target's own name for it, e.g. a path.
        names: DNS names associated with it there; empty when nothing leads to it.
        listeners: `host:port` where clients meet it.
        fingerprint_sha1: of the leaf that it holds, lower-case hex; empty for none.
    """

    id: str
    names: tuple[str, ...]
    listeners: tuple[str, ...]
    fingerprint_sha1: str


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All that is needed to put a resource back, keys included: not shown, kept sealed."""

    content: bytes = field(repr=False)
    fingerprint_sha256: str = ""
    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TargetCheck:
    """The result of a test, which changes nothing; `problem` is empty when all is well."""

    ok: bool
    resources: tuple[Resource, ...] = ()
    problem: str = ""
    next_step: str = ""
    notes: tuple[str, ...] = ()


class Target(Protocol):
    """One target. Every verb raises `TargetError`."""

    async def resources(self) -> tuple[Resource, ...]:
        """What can be replaced here, as the target has it now."""

    async def snapshot(self, resource_id: str) -> Snapshot:
        """What it takes to go back. Raises NO_WAY_BACK when that is not to be had."""

    async def install(self, resource_id: str, bundle: Bundle) -> None:
        """The new certificate and key live, whole or not at all; its names become those of the bundle."""

    async def keep(self, resource_id: str, bundle: Bundle) -> None:
        """What is live now also after a restart."""

    async def restore(self, resource_id: str, snapshot: Snapshot) -> None:
        """Live and after a restart as it was at the snapshot."""

    async def push(self, name: str, bundle: Bundle) -> Resource:
        """A new certificate object that nothing uses yet."""

    async def test(self) -> TargetCheck:
        """Can it be reached and changed, as far as that shows without a change? Never raises."""
