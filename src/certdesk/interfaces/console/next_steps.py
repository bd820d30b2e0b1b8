"""What happens next with a certificate and who must act, in sentences. Pure but for words."""

from dataclasses import dataclass
from datetime import datetime

from django.utils.translation import gettext as _

from certdesk.lifecycle.certificates.states import ROWS, State, Tone

from .standing import Standing, promised, soon, waited


@dataclass(frozen=True, slots=True)
class Callout:
    """What happens next; see `_components/callout.html`."""

    title: str
    text: str
    who: str
    tone: str


def hint(standing: Standing, now: datetime, *, may_act: bool = True) -> tuple[str, str]:
    """For a row of the list: who must act, and one short sentence.

    Args:
        may_act: the reader has the applicant's rights; who only reads or checks is not told to act.
    """
    who, text = _hint(standing, now)
    if may_act or who != _("You"):
        return who, text
    return _("The applicant"), _("must act next; nothing is needed from you.")


def _hint(standing: Standing, now: datetime) -> tuple[str, str]:
    time = {"waited": waited(standing.since, now), "usual": _(standing.approval)}
    match standing.state:
        case State.PAID:
            return _("You"), _("enter the domain name and the contact details.")
        case State.CHECKING if standing.method == "DNS":
            return _("You"), _("add the DNS record, then verify. We also look every few minutes.")
        case State.CHECKING:
            return _("You"), _("prove control of each domain name.")
        case State.CHECKING_ORG:
            return _("RA officer"), _(
                "checks the organization. Waiting for %(waited)s, usual: %(usual)s."
            ) % time
        case State.ISSUING:
            return _("CA"), _("issues it. Waiting for %(waited)s; nothing is needed from you.") % time
        case State.UNPASSED:
            return _("You"), standing.failure or _("read the reason, then modify and reapply.")
        case State.CANCELCHECKING:
            return _("CA"), _("stops the application, then it can be submitted again.")
        case State.EXPIRED:
            return _("You"), _("buy a new certificate; an expired one can not be renewed.")
        case State.ISSUED if soon(standing, now):
            return _("You"), _("renew it in time.")
        case State.UPLOAD if soon(standing, now):
            return _("You"), _("buy its successor in time.")
        case State.UPLOAD:
            return "", _("In force. Nothing is needed now.")
        case State.ISSUED:
            return "", _("In force. Nothing is needed now.")
    return "", _(ROWS[standing.state].next_step)


def callout(standing: Standing, now: datetime, *, may_act: bool = True) -> Callout:
    """For the top of the certificate's page: the next step in one sentence, and who takes it.

    Args:
        may_act: as in `hint`.
    """
    title, text = _next(standing, now)
    row = ROWS[standing.state]
    tone = Tone.BAD if soon(standing, now) else row.tone
    return Callout(title, text, actor_text(row.next_actor, may_act=may_act), tone.value)


def actor_text(actor: str, *, may_act: bool = True) -> str:
    """The state table's word for who acts next, as a reader sees it."""
    if not may_act:
        return {
            "applicant": _("The applicant"),
            "domain owner": _("The applicant, or whoever manages the domain's DNS"),
            "applicant, RA officer": _("RA officer"),
            "CA": _("CA"),
            "applicant (OV/EV), CA": _("The applicant (OV and EV), then the CA"),
        }.get(actor, "")
    return {
        "applicant": _("You, the applicant"),
        "domain owner": _("You, or whoever manages the domain's DNS"),
        "applicant, RA officer": _("RA officer; be reachable for questions"),
        "CA": _("CA"),
        "applicant (OV/EV), CA": _("You (OV and EV), then the CA"),
    }.get(actor, "")


def _next(standing: Standing, now: datetime) -> tuple[str, str]:
    time = {"waited": waited(standing.since, now), "usual": _(standing.approval)}
    match standing.state:
        case State.PAID:
            return _("What happens next: say which domain name it is for."), _(
                "It is paid. Submit the domain name and the contact details; the CA checks them."
            )
        case State.CHECKING if standing.method == "DNS":
            return _("What happens next: add the DNS record, then press Verify."), _(
                "The record counts only on the platform that manages the domain. "
                "We also look every few minutes by ourselves."
            )
        case State.CHECKING:
            return _("What happens next: prove control of each domain name."), _(
                "We also look every few minutes by ourselves."
            )
        case State.CHECKING_ORG:
            text = _(
                "Waiting for %(waited)s; this type usually takes %(usual)s. "
                "The officer may call or write to the applicant."
            )
            return _("What happens next: an RA officer checks the organization."), " ".join(
                part for part in (text % time, promised(standing.promise)) if part
            )
        case State.ISSUING:
            return _("What happens next: the CA issues the certificate."), _(
                "Waiting for %(waited)s; the approval period of this type is: %(usual)s. "
                "Nothing is needed from you."
            ) % time
        case State.ISSUED if soon(standing, now):
            return _("It expires soon: renew it in time."), _(
                "After expiry it can not be renewed, and clients refuse it."
            )
        case State.UPLOAD if soon(standing, now):
            return _("It expires soon: buy its successor in time."), _(
                "After expiry it can not be renewed, and clients refuse it."
            )
        case State.ISSUED:
            return _("It is issued and in force: download it for your server."), _(
                "The archive holds the files for Nginx, Apache, Tomcat, IIS and others."
            )
        case State.UPLOAD if standing.watched:
            return _("It is watched: you are told before it ends."), _(
                "Its key is not here, so it is renewed and put on its servers where that key is."
            )
        case State.UPLOAD:
            return _("It is hosted here and in force: download it for your server."), _(
                "It came from elsewhere: its issuer renews and revokes it, not this service."
            )
        case State.UNPASSED:
            return _("The application was refused. Modify it and reapply; nothing is paid again."), (
                _("Reason: %(reason)s") % {"reason": standing.failure} if standing.failure else ""
            )
        case State.CANCELCHECKING:
            return _("What happens next: the CA stops the application."), _(
                "Then the certificate is pending application again, and you can submit new details."
            )
        case State.REVOKED:
            return _("It is no longer trusted."), _(
                "OCSP and the CRL say so to everybody. Where it is still served, visitors see an error: "
                "put another certificate there."
            )
        case State.REVOKING:
            return _("What happens next: the revocation takes effect."), _(
                "For DV within seconds. OV and EV have to be confirmed first, by the mail's link or here; "
                "not confirmed within 30 days, it stays in force."
            )
        case State.EXPIRED:
            return _("It has expired: buy a new certificate."), _(
                "An expired certificate can not be renewed."
            )
    return _(ROWS[standing.state].next_step), ""
