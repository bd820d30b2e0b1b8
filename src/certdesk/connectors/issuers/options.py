"""Options of a CA as a typed model: validated, sealed, shown without secrets, drawn as a form."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pydantic

from certdesk.connectors.dns.providers.options import ProviderOptions, with_old_secrets
from certdesk.connectors.egress import Network
from certdesk.connectors.http import Resolve
from certdesk.connectors.issuers.protocol import IssuerError, Reason
from certdesk.connectors.targets.options import Outside as TargetOutside


@dataclass(frozen=True, slots=True)
class Outside:
    """What a connector to a CA may reach.

    Args:
        seconds: for one request.
        max_bytes: of one answer.
        allow_networks: networks beside public addresses (`CERTDESK_ALLOW_NETWORKS`); there any unprivileged
            port may be asked.
        ports: what may be asked at public addresses, and there over https alone.
        resolver: how host names become addresses; default the operating system's.
    """

    seconds: float = 30.0
    max_bytes: int = 1024 * 1024
    allow_networks: tuple[Network, ...] = ()
    ports: frozenset[int] = frozenset({443, 8200, 8443, 9000, 14000})
    resolver: Resolve | None = None

    def as_target(self) -> TargetOutside:
        """The same limits for the way out that CAs share with targets."""
        return TargetOutside(
            seconds=self.seconds,
            max_bytes=self.max_bytes,
            allow_networks=self.allow_networks,
            ports=self.ports,
            resolver=self.resolver,
        )


class IssuerOptions(ProviderOptions):
    """Base of every kind's options; as those of a DNS connection, secrets are write-only."""


def read(model: type[IssuerOptions], given: Mapping[str, Any], old: Mapping[str, Any] | None = None) -> Any:
    """The options from a form or request; `***` keeps the secret of `old` (as `stored` gave it).

    Raises:
        IssuerError: OPTIONS, naming the fields that are wrong, never their values.
    """
    try:
        return model.model_validate(with_old_secrets(given, old or {}))
    except pydantic.ValidationError as error:
        told = "; ".join(
            f"{'.'.join(map(str, one['loc'])) or 'options'}: {one['msg'].removeprefix('Value error, ')}"
            for one in error.errors(include_url=False, include_context=False, include_input=False)[:8]
        )
        raise IssuerError(
            Reason.OPTIONS,
            f"The options of the certificate authority are wrong: {told}.",
            "Correct these fields.",
            field="options",
        ) from None
