"""What every signed request of a client asks for."""

from certdesk.foundation.common.reader import Reader
from certdesk.foundation.iam.models import User
from certdesk.lifecycle.certificates.models import Version

from .models import Account, Authorization, Challenge, Order

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

user_of = Reader(User, "WHERE id = %s AND is_active")
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
