"""The path of a certificate from purchase to issue (§5.12). Pure but for words."""

from dataclasses import dataclass

from django.utils.translation import gettext as _

from certdesk.lifecycle.certificates.states import State

from .standing import Standing
from .templatetags.certdesk_ui import ago, date_only


@dataclass(frozen=True, slots=True)
class Step:
    label: str
    note: str
    state: str


_PLACE = {
    State.PAID: "apply",
    State.CANCELCHECKING: "apply",
    State.CHECKING: "domain",
    State.CHECKING_ORG: "organization",
    State.ISSUING: "issue",
    State.ISSUED: "done",
}


def steps(standing: Standing, failed_at: str = "") -> tuple[Step, ...]:
    """The path from purchase to issue (§5.12); empty where a certificate has left it.

    Args:
        failed_at: for Approval failed: `organization` or `issue`.
    """
    place = failed_at if standing.state is State.UNPASSED else _PLACE.get(standing.state, "")
    if not place:
        return ()
    path = [
        ("buy", _("Bought"), ago(standing.created_at) if standing.created_at else ""),
        ("apply", _("Application"), ago(standing.applied_at) if standing.applied_at else _("you")),
        ("domain", _("Domain check"), _("you")),
        ("organization", _("Organization check"), _("RA officer")),
        ("issue", _("Issued"), date_only(standing.not_before) if standing.not_before else _("CA")),
    ]
    if not standing.needs_organization:
        path = [line for line in path if line[0] != "organization"]
    names = [line[0] for line in path]
    at = names.index(place) if place in names else len(names)
    mark = "failed" if standing.state is State.UNPASSED else "now"
    return tuple(
        Step(
            label,
            _note(name, note, standing, index, at),
            "done" if index < at else mark if index == at else "todo",
        )
        for index, (name, label, note) in enumerate(path)
    )


def _note(name: str, note: str, standing: Standing, index: int, at: int) -> str:
    """A step that is done needs no actor any more."""
    return "" if index < at and name in ("domain", "organization") else note
