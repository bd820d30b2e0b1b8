"""From a stored issuer to a connector, and how a request waits for the world outside."""

import asyncio
import json
from dataclasses import asdict, fields
from typing import Any

from certdesk.connectors.issuers import registry
from certdesk.connectors.issuers.options import Outside
from certdesk.connectors.issuers.protocol import (
    Capabilities,
    IssuerCheck,
    IssuerConnector,
    IssuerError,
    Reason,
)
from certdesk.connectors.protocol import ConnectorError
from certdesk.foundation.common import settings
from certdesk.foundation.common.baton import baton
from certdesk.foundation.common.errors import CertdeskError, Kind
from certdesk.foundation.sealing import actions as sealing

from .models import Issuer

SECONDS = 30.0
"""What a person waits for at most."""

_KINDS = {
    Reason.UNREACHABLE: Kind.UNAVAILABLE,
    Reason.TIMEOUT: Kind.UNAVAILABLE,
    Reason.BUSY: Kind.UNAVAILABLE,
    Reason.RATE_LIMITED: Kind.UNAVAILABLE,
}


def purpose(issuer_id: str) -> str:
    """What the sealed options are bound to, beside the account."""
    return f"issuer:{issuer_id}"


def options_of(issuer: Issuer) -> dict[str, Any]:
    """The options in plain; keep them no longer than the call that needs them."""
    found: dict[str, Any] = json.loads(
        sealing.unseal(issuer.secret_id, issuer.account_id, purpose(issuer.id))
    )
    return found


def outside() -> Outside:
    return Outside(allow_networks=settings.get().allow_networks)


def connector(issuer: Issuer) -> IssuerConnector:
    """Raises `IssuerError` (OPTIONS)."""
    return registry.connect(issuer.kind, options_of(issuer), outside())


def connector_or_why(issuer: Issuer) -> IssuerConnector | IssuerCheck:
    """The connector, or the failed test that says why its options cannot be used."""
    try:
        return connector(issuer)
    except (IssuerError, CertdeskError) as error:
        return IssuerCheck(False, error.message, error.next_step)


async def check(made: IssuerConnector) -> IssuerCheck:
    """What a test says; one that takes too long or breaks its promise never to raise is a failed one."""
    try:
        async with asyncio.timeout(SECONDS):
            return await made.test()
    except TimeoutError:
        return IssuerCheck(
            False,
            f"The test of the issuer was not over after {SECONDS:g} seconds.",
            "Check that the certificate authority answers, then try again.",
        )
    except ConnectorError as error:
        return IssuerCheck(False, error.message, error.next_step if isinstance(error, IssuerError) else "")


def ask(issuer: Issuer) -> tuple[IssuerCheck, Capabilities | None]:
    """Tests it in a request, outside any transaction; other requests run meanwhile."""
    made = connector_or_why(issuer)
    if isinstance(made, IssuerCheck):
        return made, None
    with baton.aside():
        found = asyncio.run(check(made))
    return found, made.capabilities


def refusal(error: IssuerError) -> CertdeskError:
    """A connector's failure in the shape of every refusal."""
    kind = _KINDS.get(error.reason, Kind.BAD_PARAMETER)
    return CertdeskError(error.message, next_step=error.next_step, kind=kind, field=error.field)


def stored(able: Capabilities) -> dict[str, Any]:
    """Capabilities as JSON."""
    return {
        name: sorted(value)
        if isinstance(value, frozenset)
        else list(value)
        if isinstance(value, tuple)
        else value
        for name, value in asdict(able).items()
    }


def read(kept: dict[str, Any]) -> Capabilities:
    """As `stored` gave it; what a later release calls otherwise is left at its default."""
    usual = Capabilities()
    values = {one.name: kept[one.name] for one in fields(Capabilities) if one.name in kept}
    return Capabilities(**{name: type(getattr(usual, name))(value) for name, value in values.items()})
