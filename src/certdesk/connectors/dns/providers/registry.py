"""The kinds of DNS connections: options model and connector of each."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from certdesk.connectors.dns.providers import options as form_options
from certdesk.connectors.dns.providers.huawei import Huawei, HuaweiOptions
from certdesk.connectors.dns.providers.lexicon import Lexicon, LexiconOptions
from certdesk.connectors.dns.providers.options import ProviderOptions
from certdesk.connectors.dns.providers.powerdns import PowerDns, PowerDnsOptions
from certdesk.connectors.dns.providers.protocol import DnsError, Outside, Provider, Reason
from certdesk.connectors.dns.providers.rfc2136 import Rfc2136, Rfc2136Options


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind: `make(options, outside)` is the connection."""

    name: str
    options: type[ProviderOptions]
    make: Callable[[Any, Outside], Provider]

    @property
    def label(self) -> str:
        return self.options.label


KINDS = {
    kind.name: kind
    for kind in (
        Kind("rfc2136", Rfc2136Options, Rfc2136),
        Kind("powerdns", PowerDnsOptions, PowerDns),
        Kind("huawei", HuaweiOptions, Huawei),
        Kind("lexicon", LexiconOptions, Lexicon),
    )
}


def kind_of(name: str) -> Kind:
    """Raises `DnsError` (OPTIONS) for a kind that does not exist."""
    kind = KINDS.get(name)
    if kind is None:
        raise DnsError(
            Reason.OPTIONS, f"{name!r:.40} is no kind of DNS connection.", f"Choose {', '.join(KINDS)}."
        )
    return kind


def read_options(
    name: str, given: Mapping[str, Any], old: Mapping[str, Any] | None = None
) -> ProviderOptions:
    """The validated options of a kind; see `options.read`."""
    found: ProviderOptions = form_options.read(kind_of(name).options, given, old)
    return found


def connect(name: str, given: Mapping[str, Any], outside: Outside) -> Provider:
    """A connection from stored options.

    Raises:
        DnsError: OPTIONS, or NOT_INSTALLED.
    """
    return kind_of(name).make(read_options(name, given), outside)
