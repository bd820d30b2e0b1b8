"""What pages say about a certificate: who must act, what comes next, which buttons. Pure but for words."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from certdesk.interfaces.words.say import say
from certdesk.lifecycle.catalogue.working_days import Promise
from certdesk.lifecycle.certificates.rules import LATER, Offer, Operation
from certdesk.lifecycle.certificates.states import ROWS, State, Tone

from .templatetags.certdesk_ui import ago, date_only, duration

NEEDS = {
    Operation.APPLY: "scm:cert:apply",
    Operation.VERIFY: "scm:cert:verify",
    Operation.ORGANIZATION: "scm:cert:apply",
    Operation.WITHDRAW: "scm:cert:cancel",
    Operation.REOPEN: "scm:cert:apply",
    Operation.DOWNLOAD: "scm:cert:download",
    Operation.DEPLOY: "scm:cert:deploy",
    Operation.PUSH: "scm:cert:push",
    Operation.UNSUBSCRIBE: "scm:cert:unsubscribe",
    Operation.DELETE: "scm:cert:delete",
    Operation.PRIVACY: "scm:privacyProtection:delete",
    Operation.REVOKE: "scm:cert:revoke",
    Operation.CONFIRM_REVOCATION: "scm:cert:revoke",
}
"""The IAM action behind each button; without it the button is not there (IAM-5)."""

LABELS = {
    Operation.APPLY: gettext_lazy("Apply for certificate"),
    Operation.VERIFY: gettext_lazy("Verify domain"),
    Operation.ORGANIZATION: gettext_lazy("Verify organization"),
    Operation.WITHDRAW: gettext_lazy("Withdraw application"),
    Operation.REOPEN: gettext_lazy("Modify and reapply"),
    Operation.DOWNLOAD: gettext_lazy("Download"),
    Operation.DEPLOY: gettext_lazy("Deploy"),
    Operation.PUSH: gettext_lazy("Push"),
    Operation.UNSUBSCRIBE: gettext_lazy("Unsubscribe"),
    Operation.DELETE: gettext_lazy("Delete"),
    Operation.PRIVACY: gettext_lazy("Cancel privacy authorization"),
    Operation.REVOKE: gettext_lazy("Revoke"),
    Operation.CONFIRM_REVOCATION: gettext_lazy("Confirm revocation"),
}
POSTED = frozenset({Operation.REOPEN})  # sent from where the button stands; the others have a page
QUIET = frozenset(
    {Operation.WITHDRAW, Operation.UNSUBSCRIBE, Operation.DELETE, Operation.REVOKE, Operation.PRIVACY}
)  # never the one button of a certificate

DOMAIN_TYPES = {
    "SINGLE_DOMAIN": gettext_lazy("Single domain"),
    "MULTI_DOMAIN": gettext_lazy("Multiple domains"),
    "WILDCARD": gettext_lazy("Wildcard"),
}


@dataclass(frozen=True, slots=True)
class Action:
    """A button; see `_components/action.html`."""

    label: str
    url: str
    operation: str = ""
    post: bool = False
    look: str = ""
    small: bool = False
    for_name: str = ""
    fields: tuple[tuple[str, str], ...] = ()
    icon: str = ""
    dialog: str = ""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why an operation is not offered."""

    operation: str
    label: str
    reason: str


@dataclass(frozen=True, slots=True)
class Buttons:
    """The one button, the rest of them, and the rules behind those that are absent."""

    first: Action | None
    rest: tuple[Action, ...]
    refusals: tuple[Refusal, ...]


@dataclass(frozen=True, slots=True)
class Callout:
    """What happens next; see `_components/callout.html`."""

    title: str
    text: str
    who: str
    tone: str


@dataclass(frozen=True, slots=True)
class Step:
    label: str
    note: str
    state: str


@dataclass(frozen=True, slots=True)
class Standing:
    """How a certificate stands, as its pages need it.

    Attributes:
        state: as people see it, Expired computed.
        applied_at: when the last application was submitted.
        approval: the type's approval period (table 3-6), e.g. `3 to 5 working days`.
        failure: the words of whoever refused the last step.
        promise: the approval period in working days, while an organization is checked (ISS-5).
    """

    state: State
    since: datetime
    level: str
    approval: str
    method: str = "DNS"
    failure: str = ""
    created_at: datetime | None = None
    applied_at: datetime | None = None
    not_before: datetime | None = None
    not_after: datetime | None = None
    promise: Promise | None = None

    @property
    def needs_organization(self) -> bool:
        return self.level in ("OV", "EV")


def buttons(
    offers: Iterable[Offer],
    url: Callable[[Operation], str],
    may: Callable[[str], bool],
    name: str,
    *,
    small: bool,
    urgent: bool = True,
) -> Buttons:
    """The operations of a certificate as buttons; what a policy forbids does not appear at all.

    Args:
        urgent: the first one is what has to be done now, so it stands out.
    """
    actions: list[Action] = []
    first: Action | None = None
    refusals = []
    for offer in offers:
        operation = offer.operation
        if operation in LATER or not may(NEEDS[operation]):
            continue
        label = str(LABELS[operation])
        if not offer.offered:
            why = say(offer.why_not) if offer.special else _why_not(operation)
            refusals.append(Refusal(operation.value, label, why))
            continue
        is_first = first is None and operation not in QUIET
        action = Action(
            label,
            url(operation),
            operation.value,
            operation in POSTED,
            "primary" if is_first and urgent else "",
            small,
            name,
        )
        if is_first:
            first = action
        else:
            actions.append(action)
    return Buttons(first, tuple(actions), tuple(refusals))


def replaced(found: Buttons, first: Action) -> Buttons:
    """`first` becomes the one button; the one of before stays among the others."""
    others = (replace(found.first, look=""), *found.rest) if found.first else found.rest
    return Buttons(first, others, found.refusals)


def ends(standing: Standing, now: datetime) -> bool:
    """Whether only another certificate helps: it has expired, or does so in its last 30 days."""
    return standing.state is State.EXPIRED or soon(standing, now)


def _why_not(operation: Operation) -> str:
    titles = dict.fromkeys(_(row.title) for row in ROWS.values() if operation.value in row.operations)
    return _("Possible only while the certificate is: %(states)s.") % {"states": _(", ").join(titles)}


def waited(since: datetime, now: datetime) -> str:
    """`6 hours`: the time that somebody has waited, never below a minute's rounding."""
    span = now - since
    whole = span - span % timedelta(minutes=1)
    return duration(whole) if whole else _("less than a minute")


def promised(promise: Promise | None) -> str:
    """How the promised period stands in working days; empty where none was promised."""
    if promise is None:
        return ""
    facts = {
        "waited": ngettext("%(count)d working day", "%(count)d working days", promise.waited)
        % {"count": promise.waited},
        "due": date_format(promise.due, _("j M Y")),
    }
    if promise.late:
        return _("%(waited)s have passed: it should have been decided by %(due)s.") % facts
    return _("%(waited)s have passed; to be decided by %(due)s.") % facts


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
        case State.ISSUED | State.UPLOAD if soon(standing, now):
            return _("You"), _("buy its successor in time.")
        case State.UPLOAD:
            return "", _("In force. Nothing is needed now.")
        case State.ISSUED:
            return "", _("In force. Nothing is needed now.")
    return "", _(ROWS[standing.state].next_step)


def soon(standing: Standing, now: datetime) -> bool:
    """LST-3."""
    end = standing.not_after
    return (
        end is not None and standing.state in (State.ISSUED, State.UPLOAD) and end - now <= timedelta(days=30)
    )


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
        case State.ISSUED | State.UPLOAD if soon(standing, now):
            return _("It expires soon: buy its successor in time."), _(
                "After expiry it can not be renewed, and clients refuse it."
            )
        case State.ISSUED:
            return _("It is issued and in force: download it for your server."), _(
                "The archive holds the files for Nginx, Apache, Tomcat, IIS and others."
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
