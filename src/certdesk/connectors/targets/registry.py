"""The kinds of targets: options model and connector of each."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from certdesk.connectors.targets import options as option_models
from certdesk.connectors.targets.apache.target import Apache, ApacheOptions
from certdesk.connectors.targets.aws.api import AwsOptions
from certdesk.connectors.targets.aws.target import Aws
from certdesk.connectors.targets.caddy.target import Caddy, CaddyOptions
from certdesk.connectors.targets.command.target import Command, CommandOptions
from certdesk.connectors.targets.envoy.target import Envoy, EnvoyOptions
from certdesk.connectors.targets.haproxy.target import HaProxy, HaProxyOptions
from certdesk.connectors.targets.huawei.cdn import Cdn, CdnOptions
from certdesk.connectors.targets.huawei.elb import Elb, ElbOptions
from certdesk.connectors.targets.huawei.waf import Waf, WafOptions
from certdesk.connectors.targets.keystore.target import Keystore, KeystoreOptions
from certdesk.connectors.targets.kubernetes.target import Kubernetes, KubernetesOptions
from certdesk.connectors.targets.nginx.target import Nginx, NginxOptions
from certdesk.connectors.targets.options import Outside, TargetOptions
from certdesk.connectors.targets.pem.target import Pem, PemOptions
from certdesk.connectors.targets.postfix.target import Postfix, PostfixOptions
from certdesk.connectors.targets.postgresql.target import Postgresql, PostgresqlOptions
from certdesk.connectors.targets.protocol import Reason, Target, TargetError
from certdesk.connectors.targets.ssh.target import SshHost, SshOptions
from certdesk.connectors.targets.vault.target import Vault, VaultOptions
from certdesk.connectors.targets.webhook.target import WebhookTarget, WebhookTargetOptions


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind: `make(options, outside)` is the target.

    Attributes:
        patience: seconds that a change may take until it is served, beside what every target is given.
    """

    name: str
    options: type[TargetOptions]
    make: Callable[[Any, Outside], Target]
    patience: float = 0.0

    @property
    def label(self) -> str:
        return self.options.label

    @property
    def keeps_keys(self) -> bool:
        """It does not give out the private keys of what it serves, or not always: see `returning`."""
        return hasattr(self.make, "snapshot_of")


KINDS = {
    kind.name: kind
    for kind in (
        Kind("haproxy", HaProxyOptions, HaProxy),
        Kind("nginx", NginxOptions, Nginx),
        Kind("apache", ApacheOptions, Apache),
        Kind("huawei-elb", ElbOptions, Elb, patience=30.0),
        Kind("huawei-waf", WafOptions, Waf, patience=120.0),
        Kind("huawei-cdn", CdnOptions, Cdn, patience=600.0),
        Kind("aws-acm", AwsOptions, Aws, patience=300.0),
        Kind("kubernetes", KubernetesOptions, Kubernetes, patience=60.0),
        Kind("vault", VaultOptions, Vault, patience=60.0),
        Kind("postfix", PostfixOptions, Postfix),
        Kind("postgresql", PostgresqlOptions, Postgresql),
        Kind("keystore", KeystoreOptions, Keystore),
        Kind("caddy", CaddyOptions, Caddy),
        Kind("envoy", EnvoyOptions, Envoy),
        Kind("pem", PemOptions, Pem),
        Kind("webhook", WebhookTargetOptions, WebhookTarget),
        Kind("command", CommandOptions, Command),
        Kind("ssh", SshOptions, SshHost),
    )
}


def kind_of(name: str) -> Kind:
    """Raises `TargetError` (OPTIONS) for a kind that does not exist."""
    kind = KINDS.get(name)
    if kind is None:
        raise TargetError(
            Reason.OPTIONS, f"{name!r:.40} is no kind of target.", f"Choose {', '.join(KINDS)}.", field="kind"
        )
    return kind


def read_options(name: str, given: Mapping[str, Any], old: Mapping[str, Any] | None = None) -> TargetOptions:
    """The validated options of a kind; see `options.read`."""
    found: TargetOptions = option_models.read(kind_of(name).options, given, old)
    return found


def connect(name: str, given: Mapping[str, Any], outside: Outside) -> Target:
    """A target from stored options.

    Raises:
        TargetError: OPTIONS.
    """
    return kind_of(name).make(read_options(name, given), outside)
