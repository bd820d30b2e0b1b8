"""Pure rules of the two-person rule."""

import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from certdesk.foundation.common.errors import BadParameter, Conflict, Forbidden
from certdesk.foundation.iam.person_rules import Person, could_be, same

MOST_APPROVALS = 3
LEAST_HOURS, MOST_HOURS, USUAL_HOURS = 1, 14 * 24, 7 * 24
FETCH = timedelta(hours=24)
"""Business time in which what was approved for handing out can be fetched."""
LONGEST_REASON = 255


@dataclass(frozen=True, slots=True)
class Target:
    """What an operation is about, as it stands now.

    Attributes:
        version: digest of everything that the person who approves relies on (`digest`).
        summary: what exactly will happen, one English sentence.
    """

    type: str
    id: str
    version: str
    summary: str


@dataclass(frozen=True, slots=True, order=True)
class RuleLine:
    """One rule: so many other people within so many hours."""

    operation: str
    approvals: int = 1
    hours: int = USUAL_HOURS


def digest(*parts: object) -> str:
    """SHA-256 (hex) over values of JSON."""
    text = json.dumps(parts, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def frozen_hash(account_id: str, operation: str, payload: Mapping[str, Any], target: Target) -> str:
    """What was asked, about what, in which state: what is run later is what was approved, to the letter."""
    return digest(
        account_id, operation, dict(payload), target.type, target.id, target.version, target.summary
    )


def check_approver(approver: Person, others: Sequence[Person], earlier: Sequence[Person]) -> None:
    """The approver is somebody else than those who ask, by any path, and than those who approved before.

    Args:
        others: who asked, and whoever else stands on that side.

    Raises:
        Forbidden: the approver is one of them or could be, or is no person.
        Conflict: the approver, by the same measure, has approved before.
    """
    if not approver.user_id:
        raise Forbidden("Only a signed-in person can decide a request.", next_step="Sign in and try again.")
    if approver.agency:
        raise Forbidden(
            "A request is decided by a user of the account itself, not by an assumed role.",
            next_step="Ask a user of the account.",
        )
    if any(same(approver, one) for one in others):
        raise Forbidden(
            "You asked for this yourself, so somebody else has to decide it.",
            next_step="Ask another person who may approve requests.",
        )
    if any(could_be(approver, one) for one in others):
        raise Forbidden(
            "You may not decide: your user belongs to the person who asked, or one of the two was made or "
            "given its rights by the other.",
            next_step="Ask a person whom neither made; an operator can make one with "
            "`./certdesk user create`.",
        )
    if any(same(approver, one) or could_be(approver, one) for one in earlier):
        raise Conflict(
            "You have approved this request already.", next_step="It needs another, different person."
        )


def check_asker(agency: str) -> None:
    """Raises:
    Forbidden: an assumed role asks; nobody could check later that it is still lent.
    """
    if agency:
        raise Forbidden(
            "What needs a second person is asked for by a user of the account, not by an assumed role.",
            next_step="Ask a user of the account.",
        )


def check_reason(approve: bool, reason: str) -> str:
    """The trimmed reason; a rejection needs one, and it has at most 255 characters.

    Raises:
        BadParameter: missing or too long.
    """
    reason = " ".join(reason.split())
    if not approve and not reason:
        raise BadParameter("A rejection needs a reason.", next_step="Say why.", field="reason")
    if len(reason) > LONGEST_REASON:
        raise BadParameter(
            f"The reason is longer than {LONGEST_REASON} characters.", next_step="Shorten it.", field="reason"
        )
    return reason


def check_rules(wanted: Sequence[RuleLine], known: Collection[str]) -> None:
    """Raises:
    BadParameter: an operation that is not known or stands twice, a number out of its limits.
    """
    seen: set[str] = set()
    for one in wanted:
        if one.operation not in known:
            raise BadParameter(
                f"There is no rule for {one.operation[:40]!r}.",
                next_step=f"Use one of: {', '.join(sorted(known))}.",
                field="operation",
            )
        if one.operation in seen:
            raise BadParameter(
                f"The rule for {one.operation} stands twice.", next_step="Send it once.", field="operation"
            )
        seen.add(one.operation)
        _check_numbers(one)


def _check_numbers(one: RuleLine) -> None:
    if not 1 <= one.approvals <= MOST_APPROVALS:
        raise BadParameter(
            f"{one.approvals} approvals cannot be asked for.",
            next_step=f"Use 1 to {MOST_APPROVALS}.",
            field="approvals",
        )
    if not LEAST_HOURS <= one.hours <= MOST_HOURS:
        raise BadParameter(
            f"A request cannot live for {one.hours} hours.",
            next_step=f"Use {LEAST_HOURS} to {MOST_HOURS} hours.",
            field="hours",
        )


def weakened(before: Sequence[RuleLine], after: Sequence[RuleLine]) -> list[RuleLine]:
    """The present rules that a change would weaken: gone, fewer approvals, or a longer life."""
    then = {one.operation: one for one in after}
    found = []
    for one in before:
        new = then.get(one.operation)
        if new is None or new.approvals < one.approvals or new.hours > one.hours:
            found.append(one)
    return found


def is_over(until: datetime, now: datetime) -> bool:
    return now >= until
