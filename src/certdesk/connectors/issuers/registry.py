"""The kinds of certificate authorities: options model and connector of each."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from certdesk.connectors.issuers import options as option_models
from certdesk.connectors.issuers.acme.issuer import Acme
from certdesk.connectors.issuers.acme.options import AcmeOptions
from certdesk.connectors.issuers.certcentral.issuer import CertCentral
from certdesk.connectors.issuers.certcentral.options import CertCentralOptions
from certdesk.connectors.issuers.manual.issuer import ManualIssuer
from certdesk.connectors.issuers.manual.options import ManualOptions
from certdesk.connectors.issuers.options import IssuerOptions, Outside
from certdesk.connectors.issuers.protocol import ByHand, IssuerConnector, IssuerError, Reason
from certdesk.connectors.issuers.vault.issuer import VaultPki
from certdesk.connectors.issuers.vault.options import VaultPkiOptions


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind: `make(options, outside)` is the connector."""

    name: str
    options: type[IssuerOptions]
    make: Callable[[Any, Outside], IssuerConnector]

    @property
    def label(self) -> str:
        return self.options.label

    @property
    def by_hand(self) -> bool:
        """Whether its CAs have no interface."""
        return isinstance(self.make, type) and issubclass(self.make, ByHand)


KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind("acme", AcmeOptions, Acme),
        Kind("certcentral", CertCentralOptions, CertCentral),
        Kind("manual", ManualOptions, ManualIssuer),
        Kind("vault", VaultPkiOptions, VaultPki),
    )
}


def kind_of(name: str) -> Kind:
    """Raises `IssuerError` (OPTIONS) for a kind that does not exist."""
    kind = KINDS.get(name)
    if kind is None:
        raise IssuerError(
            Reason.OPTIONS,
            f"{name!r:.40} is no kind of certificate authority.",
            f"Choose {', '.join(KINDS)}.",
            field="kind",
        )
    return kind


def read_options(name: str, given: Mapping[str, Any], old: Mapping[str, Any] | None = None) -> IssuerOptions:
    """The validated options of a kind; see `options.read`."""
    found: IssuerOptions = option_models.read(kind_of(name).options, given, old)
    return found


def connect(name: str, given: Mapping[str, Any], outside: Outside) -> IssuerConnector:
    """A connector from stored options.

    Raises:
        IssuerError: OPTIONS.
    """
    return kind_of(name).make(read_options(name, given), outside)
