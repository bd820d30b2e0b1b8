"""Organisation verification: what an officer checks and who may decide (ORG-1, ORG-2, ORG-5). Pure."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from certdesk.foundation.common.errors import BadParameter, Conflict, Forbidden
from certdesk.foundation.common.months import add_months
from certdesk.foundation.iam.person_rules import Person, could_be, same
from certdesk.lifecycle.catalogue.working_days import DAY, Region
from certdesk.pki.authority.subjects import is_printable

REASON_LIMIT = 500
NUMBER_LIMIT = 63


@dataclass(frozen=True, slots=True)
class Item:
    """One thing to check."""

    id: str
    text: str


_COMMON = (
    Item("exists", "The organization is registered under exactly this name (official register or licence)."),
    Item("address", "Country, province and city agree with the register."),
    Item("phone", "The organization was reached by a phone number from an independent source."),
    Item("applicant", "The organization confirmed that it asked for this certificate."),
    Item("domains", "The domain names belong to the organization or it may use them."),
)
_EXTENDED = (
    Item("jurisdiction", "Jurisdiction, registration number and business category agree with the register."),
    Item("operations", "The organization is active and has existed long enough, or has a bank account."),
    Item("authority", "The person who applied is employed there and may apply in its name."),
    Item("lists", "Neither the organization nor its place stands on a list of denied parties."),
)
CHECKLISTS: dict[str, tuple[Item, ...]] = {"OV": _COMMON, "EV": _COMMON + _EXTENDED}


_NOT_STATED = Item(
    "jurisdiction",
    "Nobody gave a registration number, so the certificate will say: Not stated. Jurisdiction and business "
    "category agree with the register.",
)


def checklist(level: str, *, numbered: bool = True) -> tuple[Item, ...]:
    """What an approval has to tick.

    Args:
        numbered: whether the application has a registration number; without one nobody confirms it.
    """
    return tuple(
        _NOT_STATED if one.id == _NOT_STATED.id and not numbered else one for one in CHECKLISTS[level]
    )


def approvals_needed(level: str) -> int:
    """EV needs two different officers (ORG-2)."""
    return 2 if level == "EV" else 1


DECIDE = "scm:organization:decide"


@dataclass(frozen=True, slots=True)
class Deed:
    """What the applicant may not do for himself, in the sentences that refuse it.

    Attributes:
        no_job: nobody signed in does it; applied: whoever does it applied; could_be: may be who applied.
    """

    no_job: str
    applied: str
    could_be: str


DECISION = Deed(
    "An organization is verified by a person, not by a job.",
    "You applied for this certificate, so you may not decide about its organization.",
    "You may not decide: your user belongs to the person who applied, or one of the two was made or "
    "given its rights by the other.",
)


def check_not_applicant(officer: Person, applicant: Person, deed: Deed) -> None:
    """An officer who did not apply, and is nobody's who did (ORG-5).

    Raises:
        Forbidden: the officer is the applicant, or could be: the same user, key, agency or person, or one of
            the two made the other or gave it its rights.
    """
    details = {"action": DECIDE}
    if not officer.user_id:
        raise Forbidden(deed.no_job, next_step="Sign in as an RA officer.", details=details)
    if same(officer, applicant):
        raise Forbidden(deed.applied, next_step="Ask another RA officer.", details=details)
    if could_be(officer, applicant):
        raise Forbidden(
            deed.could_be,
            next_step="Ask an RA officer whom the applicant did not appoint; an operator can make one with "
            "`./certdesk user create --groups officers`.",
            details=details,
        )


def check_officer(officer: Person, applicant: Person, earlier: Sequence[Person]) -> None:
    """The applicant decides nothing, and nobody decides twice.

    Raises:
        Forbidden: see `check_not_applicant`.
        Conflict: this officer, by the same measure, has decided before.
    """
    check_not_applicant(officer, applicant, DECISION)
    if any(same(officer, one) or could_be(officer, one) for one in earlier):
        raise Conflict(
            "You have decided about this organization already.",
            next_step="An EV certificate needs a second, different officer.",
        )


def why_not(officer: Person, applicant: Person, earlier: Sequence[Person]) -> str:
    """Why this person may not decide, for pages that would offer it; empty when he may."""
    try:
        check_officer(officer, applicant, earlier)
    except (Forbidden, Conflict) as refusal:
        return refusal.message
    return ""


def may_reuse(approved_at: datetime, months: int, bought_at: datetime) -> bool:
    """ORG-4: whether a purchase lies within the months (of the calendar) after an approval; the last moment
    counts. 0 months = never."""
    return months > 0 and bought_at <= add_months(approved_at, months)


def check_number(level: str, number: str, *, known: str, decided: bool) -> None:
    """A registration number that the officer found in the register, where the applicant gave none.

    Raises:
        BadParameter: it is not wanted here, or a certificate cannot hold it.
    """
    fault = ""
    if level != "EV":
        fault = "Only EV certificates carry a registration number"
    elif known and known != number:
        fault = "The application has another registration number"
    elif decided and not known:
        fault = "An officer has confirmed the application without a registration number"
    elif len(number) > NUMBER_LIMIT or not is_printable(number):
        fault = "A certificate cannot hold this registration number"
    if fault:
        raise BadParameter(
            f"{fault}.",
            next_step="Leave it out, or reject the application with that reason.",
            field="registration_number",
        )


def check_decision(level: str, *, approve: bool, checked: Collection[str], reason: str) -> None:
    """An approval ticks the whole checklist, a rejection gives its reason (ORG-2, ORG-3)."""
    known = {item.id: item for item in checklist(level)}
    unknown = sorted(set(checked) - set(known))
    if unknown:
        raise BadParameter(
            f"The checklist of {level} has no item {unknown[0][:40]!r}.",
            next_step=f"Its items are: {', '.join(known)}.",
            field="checked",
        )
    if len(reason) > REASON_LIMIT:
        raise BadParameter(
            f"The reason has {len(reason)} characters; at most {REASON_LIMIT} are allowed.",
            next_step="Shorten it.",
            field="reason",
        )
    if not approve and not reason.strip():
        raise BadParameter(
            "A rejection needs a reason, which the applicant reads.",
            next_step="Write what has to be changed.",
            field="reason",
        )
    missing = [item for item in known.values() if item.id not in set(checked)]
    if approve and missing:
        raise BadParameter(
            f"Not everything was checked: {missing[0].text}",
            next_step=f"Check and tick: {', '.join(item.id for item in missing)}.",
            field="checked",
        )


def late_from(most: int, now: datetime, region: Region) -> date:
    """The first day on which a request that came then has not yet waited longer than `most` working days;
    what came on an earlier day is late (`working_days.Promise.late`)."""
    day, counted = region.day(now), 0
    while counted + region.is_working(day) <= most:
        counted += region.is_working(day)
        day -= DAY
    return day
