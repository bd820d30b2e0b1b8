"""From a stored target to a connector, and how a request waits for the world outside."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from certdesk.connectors.protocol import ConnectorError
from certdesk.connectors.targets import registry
from certdesk.connectors.targets.options import Outside
from certdesk.connectors.targets.protocol import Reason, TargetError
from certdesk.connectors.targets.protocol import Target as Connector
from certdesk.foundation.common import settings
from certdesk.foundation.common.baton import baton
from certdesk.foundation.common.errors import CertdeskError, Kind
from certdesk.foundation.sealing import actions as sealing

from .models import Target

SECONDS = 30.0
"""What a person waits for at most."""

_KINDS = {
    Reason.UNREACHABLE: Kind.UNAVAILABLE,
    Reason.TIMEOUT: Kind.UNAVAILABLE,
    Reason.BUSY: Kind.UNAVAILABLE,
    Reason.NOT_THERE: Kind.NOT_FOUND,
}
T = TypeVar("T")


def purpose(target_id: str) -> str:
    """What the sealed options are bound to, beside the account."""
    return f"target:{target_id}"


def options_of(target: Target) -> dict[str, Any]:
    """The options in plain; keep them no longer than the call that needs them."""
    found: dict[str, Any] = json.loads(
        sealing.unseal(target.secret_id, target.account_id, purpose(target.id))
    )
    return found


def outside() -> Outside:
    found = settings.get()
    return Outside(
        folders=found.target_folders, programs=found.target_programs, allow_networks=found.allow_networks
    )


def connector(kind: str, options: dict[str, Any]) -> Connector:
    """Raises `TargetError` (OPTIONS)."""
    return registry.connect(kind, options, outside())


def patience(kind: str) -> float:
    """Seconds that a change may take there until it is served."""
    found = registry.KINDS.get(kind)
    return found.patience if found else 0.0


def call(work: Callable[[], Awaitable[T]], what: str) -> T:
    """Runs one network call of a request, outside any transaction; other requests run meanwhile.

    Raises:
        CertdeskError: the connector's refusal, as the faces know it; UNAVAILABLE when it took too long.
    """

    async def timed() -> T:
        async with asyncio.timeout(SECONDS):
            return await work()

    try:
        with baton.aside():
            return asyncio.run(timed())
    except TimeoutError:
        raise CertdeskError(
            f"{what} was not over after {SECONDS:g} seconds.",
            next_step="Check that the target answers, then try again.",
            kind=Kind.UNAVAILABLE,
        ) from None
    except ConnectorError as error:
        raise refusal(error) from error


def refusal(error: ConnectorError) -> CertdeskError:
    """A connector's failure in the shape of every refusal."""
    kind = _KINDS.get(error.reason, Kind.BAD_PARAMETER) if isinstance(error, TargetError) else None
    field = error.field if isinstance(error, TargetError) else ""
    return CertdeskError(error.message, next_step=step_of(error), kind=kind, field=field)


def step_of(error: ConnectorError) -> str:
    return error.next_step if isinstance(error, TargetError) else ""


def lasts(error: ConnectorError) -> bool:
    """Whether only a person can change what stands in the way: wrong options, or a place not opened."""
    return isinstance(error, TargetError) and error.reason in (Reason.OPTIONS, Reason.NOT_ALLOWED)
