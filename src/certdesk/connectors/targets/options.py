"""Options of a target as a typed model: validated, sealed, shown without secrets, drawn as a form."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar

import pydantic

from certdesk.connectors.dns.providers.options import ProviderOptions, with_old_secrets
from certdesk.connectors.egress import Network
from certdesk.connectors.http import Resolve
from certdesk.connectors.targets.protocol import Reason, TargetError

LONGEST = 64
"""Characters of a push's name inside a target."""
_HOST = r"([^\s=/\[\]:]{1,250}|\[[0-9a-fA-F:.]{2,45}\]|[0-9a-fA-F:.]{2,45})"
LISTENER = rf"([a-z]{{3,12}}://)?{_HOST}:[0-9]{{1,5}}"
"""host:port, with a protocol of `starttls` in front where TLS begins later."""


def in_range(listener: str) -> str:
    """The same, if its port exists: else the look after a deployment would be the first to find out.

    Raises:
        ValueError: it does not.
    """
    port = listener.partition("=")[0].rpartition(":")[2]
    if not 1 <= int(port) <= 65535:
        raise ValueError("a port lies between 1 and 65535")
    return listener


Listener = Annotated[str, pydantic.Field(pattern=f"^{LISTENER}$"), pydantic.AfterValidator(in_range)]


@dataclass(frozen=True, slots=True)
class Outside:
    """What a target connector may reach.

    Args:
        folders: where targets may have sockets and certificate files (`CERTDESK_TARGET_FOLDERS`).
        programs: what `running.run` may start, files or folders of them (`CERTDESK_TARGET_PROGRAMS`).
        seconds: for one command.
        max_bytes: of one answer or file.
        allow_networks: networks beside public addresses (`CERTDESK_ALLOW_NETWORKS`); there any unprivileged
            port may be asked.
        ports: what may be asked at public addresses.
        resolver: how host names become addresses; default the operating system's.
    """

    folders: tuple[Path, ...] = ()
    programs: tuple[Path, ...] = ()
    seconds: float = 10.0
    max_bytes: int = 4 * 1024 * 1024
    allow_networks: tuple[Network, ...] = ()
    ports: frozenset[int] = frozenset({443, 6443, 8200, 8443})
    resolver: Resolve | None = None

    def inside(self, path: str, field: str = "") -> Path:
        """The path without links, if it lies in one of the folders.

        Raises:
            TargetError: NOT_ALLOWED.
        """
        real = Path(path).resolve()
        if not any(real.is_relative_to(folder.resolve()) for folder in self.folders):
            raise TargetError(
                Reason.NOT_ALLOWED,
                f"{path} lies in no folder that targets may use.",
                "Ask the operator to name its folder in CERTDESK_TARGET_FOLDERS.",
                field=field,
            )
        return real


class TargetOptions(ProviderOptions):
    """Base of every kind's options; as those of a DNS connection, secrets are write-only."""

    usual_service: ClassVar[str] = "ELB"
    """What the form begins with."""


def read(model: type[TargetOptions], given: Mapping[str, Any], old: Mapping[str, Any] | None = None) -> Any:
    """The options from a form or request; `***` keeps the secret of `old` (as `stored` gave it).

    Raises:
        TargetError: OPTIONS, naming the fields that are wrong, never their values.
    """
    try:
        return model.model_validate(with_old_secrets(given, old or {}))
    except pydantic.ValidationError as error:
        told = "; ".join(
            f"{'.'.join(map(str, one['loc'])) or 'options'}: {one['msg'].removeprefix('Value error, ')}"
            for one in error.errors(include_url=False, include_context=False, include_input=False)[:8]
        )
        raise TargetError(
            Reason.OPTIONS,
            f"The options of the target are wrong: {told}.",
            "Correct these fields.",
            field="options",
        ) from None
