"""What may be deployed and pushed where; which names are overwritten and looked at. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from certdesk.connectors.probe import Seen, Verdict
from certdesk.lifecycle.certificates.states import State
from certdesk.pki.x509.names import match

from .errors import NotDeployable

MOST_PROJECTS = 10
MOST_LOOKED_AT = 10
DEFAULT_PROJECT = "0"
PUSH_SERVICES = ("CDN", "WAF", "ELB")
DEPLOYABLE = frozenset({State.ISSUED, State.UPLOAD, State.REISSUING})  # REI-9

UPLOADED_CSR = "Its key was made by you with the CSR, so the service does not have it."
DOWNLOAD = "Download the certificate, upload it with your key to the product, and deploy it there."
OTHER_PROJECT = (
    "WAF is reached in the default enterprise project only. "
    "Download the certificate, upload it to WAF, and deploy it there."
)
NO_NAMES = "No domain name is associated with this certificate on the load balancer."
NO_LISTENER = "No listener is known for it, so nobody could check what is served."
NO_RESOURCE = "There is no such resource there."
NO_DOMAIN = "WAF has no such domain. Add it there first, with HTTPS and any certificate, then deploy."
NO_HTTPS = "WAF has this domain without HTTPS. Configure a certificate for it there first, then deploy."
USUAL_LOOK = 900.0
PAUSES = (60.0, 120.0, 300.0, 900.0, 3600.0)
"""Seconds before what failed is tried again by itself; the last one stays."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """One entry of a deploy request (API §1.5): an id, or for CDN a domain name."""

    key: str
    enterprise_project_id: str = DEFAULT_PROJECT


def check_deployable(state: State, title: str, has_key: bool) -> None:
    """DEP-1, PSH-1.

    Raises:
        NotDeployable: with the guide's way round.
    """
    if state not in DEPLOYABLE:
        raise NotDeployable(
            f"A certificate that is {title!r} cannot be deployed or pushed.",
            next_step="Possible only while it is Issued or Hosted.",
        )
    if not has_key:
        raise NotDeployable(UPLOADED_CSR, next_step=DOWNLOAD)


def refusal(service: str, wanted: Wanted, names: Sequence[str], listeners: Sequence[str]) -> str:
    """Why a binding cannot be deployed to; empty when it can (DEP-3, DEP-7, DEP-8)."""
    if service == "WAF" and wanted.enterprise_project_id not in ("", DEFAULT_PROJECT):
        return OTHER_PROJECT
    if not names:
        return NO_NAMES
    if listeners:
        return ""
    return NO_HTTPS if service == "WAF" else NO_LISTENER


def overwritten(before: Iterable[str], new: Sequence[str]) -> tuple[str, ...]:
    """Names that lead to the binding now and that the new certificate does not cover (DEP-4)."""
    return tuple(name for name in before if not covered(name, new))


def covered(name: str, names: Sequence[str]) -> bool:
    """Whether one of the certificate's names stands for this one; a wildcard for the same wildcard too."""
    return any(name.lower() == one.lower() or match(one, name) for one in names)


def looked_at(before: Sequence[str], new: Sequence[str]) -> tuple[str, ...]:
    """The names to ask for after a deployment: those that stay, or if none does, the new ones."""
    stay = [name for name in before if covered(name, new)]
    return tuple((stay or list(new))[:MOST_LOOKED_AT])


def worst(looks: Sequence[Seen]) -> Seen | None:
    """The first look that did not see the new certificate; None when every one did, and there was one.

    Raises:
        ValueError: nobody looked, so nothing is proved.
    """
    if not looks:
        raise ValueError("nothing was looked at")
    return next((one for one in looks if one.verdict is not Verdict.NEW), None)


def same_project(project: str, region: str, name: str) -> bool:
    """Whether a target of that region and project is meant by a request's project name (API §1.5)."""
    return name in (region, project) if project else name == region


def pause(failures: int, look_seconds: float = USUAL_LOOK) -> float:
    """Seconds until the next try after so many failures before this one.

    Args:
        look_seconds: how often places are looked at; the pauses shrink and grow with it.
    """
    return PAUSES[min(failures, len(PAUSES) - 1)] * look_seconds / USUAL_LOOK


def jitter(binding_id: str, seconds: float) -> float:
    """Where in a period a binding has its turn, so that not all come at once; the same for ever."""
    return int(binding_id[:8], 16) / 0x1_0000_0000 * seconds
