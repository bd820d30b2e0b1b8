"""Pure rules of the two-person rule."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from certdesk.foundation.common.errors import BadParameter, Forbidden

LIFE = timedelta(days=7)
"""Business time in which a request can be decided."""
LONGEST_REASON = 255


@dataclass(frozen=True)
class Person:
    """Who asks or decides; the key is empty when none signed the request."""

    user_id: str
    access_key: str = ""


def frozen_hash(operation: str, payload: Mapping[str, Any]) -> str:
    """SHA-256 (hex) of what was asked: what is run later is what was approved, to the letter."""
    text = json.dumps([operation, payload], sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def check_other_person(requester: Person, approver: Person) -> None:
    """Requester and approver differ by user and by key (ORG-5 says the same of officers).

    Raises:
        Forbidden: they do not, or the approver is no person.
    """
    if not approver.user_id:
        raise Forbidden("Only a signed-in person can decide a request.", next_step="Sign in and try again.")
    same_key = bool(approver.access_key) and approver.access_key == requester.access_key
    if approver.user_id == requester.user_id or same_key:
        raise Forbidden(
            "You asked for this yourself, so somebody else has to decide it.",
            next_step="Ask another person who may approve requests.",
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


def is_expired(expires_at: datetime, now: datetime) -> bool:
    return now >= expires_at
