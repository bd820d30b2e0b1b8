"""How people of an account sign in: whether a second factor is wanted of everybody."""

from certdesk.foundation.audit import actions as audit
from certdesk.foundation.common import sql

from .finding import resource
from .models import Account
from .principal import Principal

GET, UPDATE = "iam:signIn:get", "iam:signIn:update"


def fetch(principal: Principal) -> Account:
    """The principal's account.

    Raises:
        Forbidden: no right.
    """
    principal.require(GET, resource("account", principal))
    return Account.objects.get(id=principal.account_id)


def require_second_factor(principal: Principal, wanted: bool) -> Account:
    """Wants a second factor of everybody, or no longer; who has none enrols it at the next sign-in.

    Raises:
        Forbidden: no right.
    """
    principal.require(UPDATE, resource("account", principal))
    with sql.short_transaction():
        if (
            Account.objects.filter(id=principal.account_id)
            .exclude(second_factor_required=wanted)
            .update(second_factor_required=wanted)
        ):
            audit.record(
                principal,
                UPDATE,
                resource=f"account:{principal.account_id}",
                details={"second_factor_required": wanted},
            )
    return Account.objects.get(id=principal.account_id)
