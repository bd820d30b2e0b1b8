"""What every signed request of a client asks for, and what an order changes on its way."""

from datetime import datetime

from certdesk.foundation.common import clock, sql
from certdesk.foundation.common.reader import Reader
from certdesk.foundation.common.writer import Writer
from certdesk.lifecycle.certificates.models import Version

from .models import Account, Authorization, Challenge, Order, OrderState

_ACCOUNT = (
    "JOIN enrolment_credential ON enrolment_credential.id = enrolment_account.credential_id"
    " WHERE enrolment_account."
)
_CHALLENGE = (
    "JOIN enrolment_authorization ON enrolment_authorization.id = enrolment_challenge.authorization_id"
)
_PROOFS = (
    "JOIN enrolment_order_authorizations ON"
    " enrolment_order_authorizations.authorization_id = enrolment_authorization.id"
    " WHERE enrolment_order_authorizations.order_id = %s"
    " ORDER BY enrolment_authorization.created_at, enrolment_authorization.id"
)

account_by_id = Reader(Account, f"{_ACCOUNT}id = %s", "credential")
order_of = Reader(Order, "WHERE id = %s AND account_id = %s")
authorization_of = Reader(Authorization, "WHERE id = %s AND account_id = %s")
challenge_of = Reader(
    Challenge,
    f"{_CHALLENGE} WHERE enrolment_challenge.id = %s AND enrolment_authorization.account_id = %s",
    "authorization",
)
authorizations_of_order = Reader(Authorization, _PROOFS)
challenges_of = Reader(Challenge, "WHERE authorization_id = %s ORDER BY place")
first_version = Reader(Version, "WHERE certificate_id = %s AND number = 1")
open_authorizations = Reader(
    Authorization,
    "WHERE account_id = %s AND value = %s AND wildcard = %s AND expires_at > %s"
    " AND state IN ('pending', 'valid') ORDER BY created_at DESC",
)
answered_challenge = Reader(
    Challenge,
    f"{_CHALLENGE}"
    " JOIN enrolment_account ON enrolment_account.id = enrolment_authorization.account_id"
    " JOIN enrolment_credential ON enrolment_credential.id = enrolment_account.credential_id"
    " WHERE enrolment_challenge.id = %s AND enrolment_challenge.state = 'processing'",
    "authorization",
    "authorization__account",
    "authorization__account__credential",
    lock=True,
)

new_order = Writer(Order)
new_authorization = Writer(Authorization)
new_challenges = Writer(Challenge)


def waiting(account_id: str, now: datetime, most: int) -> int:
    """How many names of the account wait for their proof; counted up to `most`."""
    found = sql.row(
        "SELECT COUNT(*) FROM (SELECT 1 FROM enrolment_authorization"
        " WHERE account_id = %s AND state = 'pending' AND expires_at > %s LIMIT %s) AS waiting",
        [account_id, clock.to_micros(now), most],
    )
    return int(found[0]) if found else 0


def move_order(order_id: str, before: OrderState, after: OrderState) -> bool:
    """Whether the order was in that state; it is in the other one now."""
    statement = "UPDATE enrolment_order SET state = %s WHERE id = %s AND state = %s"
    return sql.execute(statement, [after.value, order_id, before.value]) == 1


def take_order(order_id: str, now: datetime) -> bool:
    """Whether the order waited for somebody to finalize it; from now on this process does.

    Args:
        now: real time.
    """
    statement = (
        "UPDATE enrolment_order SET state = 'processing', taken_at = %s WHERE id = %s AND state = 'pending'"
    )
    return sql.execute(statement, [clock.to_micros(now), order_id]) == 1


def tie_order(order_id: str, certificate_id: str) -> bool:
    """Gives the certificate to an order that is being finalized still."""
    statement = "UPDATE enrolment_order SET certificate_id = %s WHERE id = %s AND state = 'processing'"
    return sql.execute(statement, [certificate_id, order_id]) == 1


def take_from_quota(credential_id: str) -> bool:
    """One certificate more; False where the quota is used up or the credential taken back."""
    statement = (
        "UPDATE enrolment_credential SET issued = issued + 1"
        " WHERE id = %s AND deleted_at IS NULL AND (quota IS NULL OR issued < quota)"
    )
    return sql.execute(statement, [credential_id]) == 1


def answer_challenge(challenge_id: str, thumbprint: str) -> bool:
    """Takes the client's word that it is ready; False when it was given before."""
    statement = (
        "UPDATE enrolment_challenge SET state = 'processing', thumbprint = %s, looks = 0"
        " WHERE id = %s AND state = 'pending'"
    )
    return sql.execute(statement, [thumbprint, challenge_id]) == 1


def prove(authorization_id: str, until: datetime) -> bool:
    """Whether the authorization waited for its proof; it is valid now, until then."""
    statement = (
        "UPDATE enrolment_authorization SET state = 'valid', expires_at = %s"
        " WHERE id = %s AND state = 'pending'"
    )
    return sql.execute(statement, [clock.to_micros(until), authorization_id]) == 1


def keep_proof(challenge_id: str, authorization_id: str, evidence_id: int, now: datetime) -> None:
    """Which challenge it was, and the evidence."""
    sql.execute(
        "UPDATE enrolment_challenge SET state = 'valid', validated_at = %s, error = NULL WHERE id = %s",
        [clock.to_micros(now), challenge_id],
    )
    sql.execute(
        "UPDATE enrolment_authorization SET evidence_id = %s WHERE id = %s", [evidence_id, authorization_id]
    )
