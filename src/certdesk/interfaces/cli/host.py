"""Who acts from the host's command line."""

from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from certdesk.foundation.iam.principal import Principal


def host() -> "Principal":
    """The operator of the host, for the audit log."""
    from certdesk.foundation.iam.principal import Via, system_principal

    return replace(system_principal(""), via=Via.CLI)
