"""THE STATE TABLE: (state, event, via) -> state, with progress, who acts next and what is offered.

Pure data. Console buttons, API guards, documentation and tests read it; `actions.move` is its only
writer. Expired is computed from the clock and never stored (LST-7). RULES: "States and their API codes".
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from certdesk.foundation.common.errors import WrongState


class State(StrEnum):
    """Stored states; the value is the API's `status`."""

    PAID = "PAID"
    CHECKING = "CHECKING"
    CHECKING_ORG = "CHECKING_ORG"
    ISSUING = "ISSUING"
    ISSUED = "ISSUED"
    UNPASSED = "UNPASSED"
    SUPPLEMENTCHECKING = "SUPPLEMENTCHECKING"
    CANCELSUPPLEMENTING = "CANCELSUPPLEMENTING"
    CANCELCHECKING = "CANCELCHECKING"
    REVOKING = "REVOKING"
    REVOKING_DOMAIN = "REVOKING_DOMAIN"
    REISSUING = "REISSUING"
    UNSUBSCRIBING = "UNSUBSCRIBING"
    REVOKED = "REVOKED"
    UPLOAD = "UPLOAD"
    DELETED = "DELETED"  # left the list for good: seen by nobody, kept for quota and audit
    EXPIRED = "EXPIRED"  # computed, never stored


class Event(StrEnum):
    """What happens to a certificate."""

    APPLY = "apply"
    DOMAINS_PROVED = "domains proved"
    ORGANIZATION_APPROVED = "organization approved"
    ORGANIZATION_REJECTED = "organization rejected"
    ISSUE = "issue"
    ISSUER_REFUSED = "issuer refused"
    REOPEN = "reopen"
    WITHDRAW = "withdraw"
    WITHDRAWAL_DONE = "withdrawal done"
    WITHDRAWAL_REFUSED = "withdrawal refused"
    REISSUE = "reissue"
    REISSUE_CONFIRMED = "reissue confirmed"
    REISSUE_DECLINED = "reissue declined"
    ADD_NAMES = "add names"
    ADDITION_ISSUED = "addition issued"
    ADDITION_REFUSED = "addition refused"
    ROLL_OVER = "roll over"
    REVOKE = "revoke"
    REVOCATION_NEEDS_DOMAIN = "revocation needs domain"
    REVOCATION_DOMAIN_PROVED = "revocation domain proved"
    REVOKED = "revoked"
    LAPSE = "lapse"
    UNSUBSCRIBE = "unsubscribe"
    UNSUBSCRIPTION_REFUSED = "unsubscription refused"
    UNSUBSCRIPTION_APPROVED = "unsubscription approved"
    DELETE = "delete"


class Via(StrEnum):
    """What tells two outcomes of one event apart; empty where there is only one."""

    ANY = ""
    DOMAIN_ONLY = "domain only"  # DV, or an organisation that is known already (ORG-4)
    ORGANIZATION = "organization"  # OV and EV
    FROM_PAID = "from PAID"
    FROM_REVOKED = "from REVOKED"


Step = tuple[Event, Via]
S, E, V = State, Event, Via

TABLE: dict[tuple[State, Event, Via], State] = {
    (S.PAID, E.APPLY, V.ANY): S.CHECKING,
    (S.CHECKING, E.DOMAINS_PROVED, V.DOMAIN_ONLY): S.ISSUING,
    (S.CHECKING, E.DOMAINS_PROVED, V.ORGANIZATION): S.CHECKING_ORG,
    (S.CHECKING_ORG, E.ORGANIZATION_APPROVED, V.ANY): S.ISSUING,
    (S.CHECKING_ORG, E.ORGANIZATION_REJECTED, V.ANY): S.UNPASSED,
    (S.ISSUING, E.ISSUE, V.ANY): S.ISSUED,
    (S.CHECKING, E.ISSUER_REFUSED, V.ANY): S.UNPASSED,
    (S.CHECKING_ORG, E.ISSUER_REFUSED, V.ANY): S.UNPASSED,
    (S.ISSUING, E.ISSUER_REFUSED, V.ANY): S.UNPASSED,
    (S.UNPASSED, E.REOPEN, V.ANY): S.PAID,
    (S.CHECKING, E.WITHDRAW, V.ANY): S.CANCELCHECKING,
    (S.CHECKING_ORG, E.WITHDRAW, V.ANY): S.CANCELCHECKING,
    (S.CANCELCHECKING, E.WITHDRAWAL_DONE, V.ANY): S.PAID,
    (S.CANCELCHECKING, E.WITHDRAWAL_REFUSED, V.ANY): S.ISSUING,
    (S.SUPPLEMENTCHECKING, E.WITHDRAW, V.ANY): S.CANCELSUPPLEMENTING,
    (S.CANCELSUPPLEMENTING, E.WITHDRAWAL_DONE, V.ANY): S.ISSUED,
    (S.CANCELSUPPLEMENTING, E.WITHDRAWAL_REFUSED, V.ANY): S.SUPPLEMENTCHECKING,
    (S.ISSUED, E.ADD_NAMES, V.ANY): S.SUPPLEMENTCHECKING,
    (S.SUPPLEMENTCHECKING, E.ADDITION_ISSUED, V.ANY): S.ISSUED,
    (S.SUPPLEMENTCHECKING, E.ADDITION_REFUSED, V.ANY): S.ISSUED,
    (S.ISSUED, E.REISSUE, V.ANY): S.REISSUING,
    (S.REISSUING, E.REISSUE_CONFIRMED, V.ANY): S.CHECKING,
    (S.REISSUING, E.REISSUE_DECLINED, V.ANY): S.ISSUED,
    (S.ISSUED, E.ROLL_OVER, V.ANY): S.ISSUED,
    (S.REISSUING, E.ROLL_OVER, V.ANY): S.REISSUING,  # REI-9: renewed as before until it is confirmed
    (S.ISSUED, E.REVOKE, V.ANY): S.REVOKING,
    (S.REVOKING, E.REVOCATION_NEEDS_DOMAIN, V.ANY): S.REVOKING_DOMAIN,
    (S.REVOKING_DOMAIN, E.REVOCATION_DOMAIN_PROVED, V.ANY): S.REVOKING,
    (S.REVOKING, E.REVOKED, V.ANY): S.REVOKED,
    (S.REVOKING, E.LAPSE, V.ANY): S.ISSUED,
    (S.REVOKING_DOMAIN, E.LAPSE, V.ANY): S.ISSUED,
    (S.REISSUING, E.LAPSE, V.ANY): S.ISSUED,
    (S.SUPPLEMENTCHECKING, E.LAPSE, V.ANY): S.ISSUED,
    (S.CANCELSUPPLEMENTING, E.LAPSE, V.ANY): S.ISSUED,
    (S.PAID, E.UNSUBSCRIBE, V.ANY): S.UNSUBSCRIBING,
    (S.REVOKED, E.UNSUBSCRIBE, V.ANY): S.UNSUBSCRIBING,
    (S.UNSUBSCRIBING, E.UNSUBSCRIPTION_REFUSED, V.FROM_PAID): S.PAID,
    (S.UNSUBSCRIBING, E.UNSUBSCRIPTION_REFUSED, V.FROM_REVOKED): S.REVOKED,
    (S.UNSUBSCRIBING, E.UNSUBSCRIPTION_APPROVED, V.ANY): S.DELETED,
    (S.ISSUED, E.DELETE, V.ANY): S.DELETED,
    (S.REVOKED, E.DELETE, V.ANY): S.DELETED,
    (S.UPLOAD, E.DELETE, V.ANY): S.DELETED,
    (S.PAID, E.DELETE, V.ANY): S.DELETED,  # free ones only (DEL-1); the room decides
}


class Tone(StrEnum):
    """The five colours that always mean the same (the console's words carry the meaning)."""

    YOU = "you"
    WAIT = "wait"
    GOOD = "good"
    BAD = "bad"
    END = "end"


@dataclass(frozen=True)
class Row:
    """What a state means to people.

    Attributes:
        title: the console's name, as the guide has it (table 5-3).
        progress: percent (LST-5) or None.
        next_actor: who acts next; empty = nobody.
        operations: what this state may offer; a room's own conditions narrow it further.
    """

    title: str
    progress: int | None
    next_actor: str
    next_step: str
    tone: Tone
    operations: tuple[str, ...]


ROWS: dict[State, Row] = {
    S.PAID: Row(
        "Pending application",
        0,
        "applicant",
        "Submit the domain name and contact details of this certificate.",
        Tone.YOU,
        ("apply", "unsubscribe", "delete", "privacy"),
    ),
    S.CHECKING: Row(
        "Pending domain name verification",
        40,
        "domain owner",
        "Prove control of each domain name; we check every few minutes by ourselves.",
        Tone.YOU,
        ("verify", "withdraw"),
    ),
    S.CHECKING_ORG: Row(
        "Pending organization verification",
        70,
        "applicant, RA officer",
        "An RA officer checks the organization and then approves or rejects.",
        Tone.WAIT,
        ("organization", "withdraw"),
    ),
    S.ISSUING: Row(
        "To be issued",
        90,
        "CA",
        "The CA issues the certificate; nothing is needed from you.",
        Tone.WAIT,
        (),
    ),
    S.ISSUED: Row(
        "Issued",
        100,
        "",
        "Download it or deploy it.",
        Tone.GOOD,
        ("download", "deploy", "push", "renew", "reissue", "add-domains", "revoke", "delete", "privacy"),
    ),
    S.UNPASSED: Row(
        "Approval failed",
        None,
        "applicant",
        "Read the reason, then modify and reapply; nothing is paid again.",
        Tone.BAD,
        ("reopen", "privacy"),
    ),
    S.SUPPLEMENTCHECKING: Row(
        "CA verifying (domain name addition)",
        None,
        "domain owner",
        "Prove control of the added names; the certificate of before stays valid.",
        Tone.YOU,
        ("verify", "download", "withdraw"),
    ),
    S.CANCELSUPPLEMENTING: Row(
        "CA verifying (domain name addition)",
        None,
        "CA",
        "The addition is being withdrawn; the certificate of before stays valid.",
        Tone.WAIT,
        ("download",),
    ),
    S.CANCELCHECKING: Row(
        "CA verifying (application withdrawal)",
        None,
        "CA",
        "The CA stops the application; then it can be submitted again.",
        Tone.WAIT,
        (),
    ),
    S.REVOKING: Row(
        "CA verifying (revocation)",
        None,
        "applicant (OV/EV), CA",
        "Confirm the revocation by the mail's link (OV and EV); DV needs nothing.",
        Tone.WAIT,
        ("download", "confirm-revocation", "privacy"),
    ),
    S.REVOKING_DOMAIN: Row(
        "CA verifying revocation (pending domain name verification)",
        None,
        "domain owner",
        "Prove control of the domain name again.",
        Tone.YOU,
        ("verify", "download", "privacy"),
    ),
    S.REISSUING: Row(
        "CA verifying (reissue)",
        None,
        "applicant",
        "Confirm the cancellation of the old certificate, by the mail's link or here.",
        Tone.YOU,
        ("confirm-reissue", "decline-reissue", "download", "deploy", "renew", "privacy"),
    ),
    S.UNSUBSCRIBING: Row(
        "Unsubscribing (under review)",
        None,
        "",
        "The review takes seconds; any operation ends it.",
        Tone.WAIT,
        (),
    ),
    S.REVOKED: Row(
        "Revoked", None, "", "It is no longer trusted.", Tone.END, ("unsubscribe", "delete", "privacy")
    ),
    S.UPLOAD: Row(
        "Hosted", None, "", "Download it or deploy it.", Tone.GOOD, ("download", "deploy", "push", "delete")
    ),
    S.EXPIRED: Row(
        "Expired", None, "", "Buy a new certificate.", Tone.END, ("download", "delete", "privacy")
    ),
    S.DELETED: Row("Deleted", None, "", "", Tone.END, ()),
}

# LST-7: these are in force by an older version while something is pending, so they expire with it.
EXPIRING = frozenset(
    {
        S.ISSUED,
        S.UPLOAD,
        S.SUPPLEMENTCHECKING,
        S.CANCELSUPPLEMENTING,
        S.REISSUING,
        S.REVOKING,
        S.REVOKING_DOMAIN,
    }
)

BEING_REVOKED = frozenset({S.REVOKING, S.REVOKING_DOMAIN})
"""From the request on, until it is revoked or lapses; with proof of control in between where a CA wants it
(REV-7)."""

ROLLS_OVER = frozenset(state for state, event, _ in TABLE if event is E.ROLL_OVER)
"""In force, and nothing that was asked for keeps a further version from taking its place (REN-9, REI-9)."""


def step(state: State, event: Event, via: Via = Via.ANY) -> State:
    """The state after `event`.

    Raises:
        WrongState: when the table has no such line.
    """
    after = TABLE.get((state, event, via))
    if after is None:
        raise WrongState(
            f"A certificate that is {ROWS[state].title!r} does not allow: {event.value}.",
            next_step=ROWS[state].next_step,
        )
    return after


def effective(state: State, not_after: datetime | None, now: datetime) -> State:
    """The state that people see: Expired from the second after notAfter (LST-7)."""
    if state in EXPIRING and not_after is not None and now > not_after:
        return State.EXPIRED
    return state


def check_not_expired(state: State, not_after: datetime | None, now: datetime, event: Event) -> None:
    """LST-7: an expired certificate allows nothing of what its stored state still lists.

    Raises:
        WrongState: when it has expired.
    """
    if effective(state, not_after, now) is State.EXPIRED:
        raise WrongState(
            f"A certificate that is {ROWS[State.EXPIRED].title!r} does not allow: {event.value}.",
            next_step=ROWS[State.EXPIRED].next_step,
        )
