"""The chains with which a version can be handed out: the usual one, and those over cross-certificates."""

from datetime import datetime

from certdesk.foundation.common.errors import BadParameter
from certdesk.pki.authority import crosses
from certdesk.pki.authority.crosses import Alternate

from .models import Version

_BUILT_IN = "builtin:"


def alternates(version: Version, now: datetime) -> tuple[Alternate, ...]:
    """The other chains of what the built-in CA signed, oldest first; none for what others did."""
    if not version.issuer.startswith(_BUILT_IN):
        return ()
    return crosses.alternates(version.issuer.removeprefix(_BUILT_IN), now)


def chosen(version: Version, name: str, now: datetime) -> str:
    """The certificates above the leaf, PEM.

    Args:
        name: of the cross-certificate that the chain goes over, e.g. `root-p256-x1`; empty: the usual chain.

    Raises:
        BadParameter: the version has no such chain.
    """
    if not name:
        return bytes(version.chain).decode("ascii")
    others = alternates(version, now)
    for one in others:
        if one.name == name:
            return one.pem
    raise BadParameter(
        f"This certificate has no chain {name!r}.",
        next_step=f"Known: {', '.join(one.name for one in others) or 'the usual one alone'}.",
        field="chain",
    )
