"""The names of a certificate, and when they are looked at again."""

from datetime import datetime

from django.utils.translation import gettext as _

from certdesk.lifecycle.applications.models import Application
from certdesk.lifecycle.certificates.models import Certificate
from certdesk.lifecycle.certificates.states import State
from certdesk.lifecycle.validation import queries as proofs
from certdesk.lifecycle.validation.rules import NameStatus


def names(certificate: Certificate, state: State) -> list[dict[str, str]]:
    """Several names; while they are being verified each says whether it is. Names that are being added
    stand behind those of the present certificate."""
    if ";" not in certificate.sans:
        return []
    proved: dict[str, bool] = {}
    if state in (State.CHECKING, State.SUPPLEMENTCHECKING):
        proved = {
            one.domain: one.status is NameStatus.VERIFIED for one in proofs.info_of(certificate).domains
        }
    present = certificate.sans.split(";")
    if state is State.SUPPLEMENTCHECKING:
        return [_line(name, proved, new=name not in present) for name in proved]
    return [_line(name, proved) for name in present]


def _line(name: str, proved: dict[str, bool], *, new: bool = False) -> dict[str, str]:
    label = "" if name not in proved else _("Verified") if proved[name] else _("Not verified yet")
    tone = "" if name not in proved else "good" if proved[name] else "you"
    return {"name": name, "tone": tone, "label": _("New: %(how)s") % {"how": label} if new else label}


def next_check(certificate: Certificate, application: Application | None) -> datetime | None:
    """When the names are looked at again by themselves."""
    return proofs.next_check(certificate, application) if application else None
