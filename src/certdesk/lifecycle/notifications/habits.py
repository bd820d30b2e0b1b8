"""When an account wants to be told: quiet hours, the hour of the digest, the zone of both."""

from certdesk.foundation.audit import actions as audit
from certdesk.foundation.common import sql
from certdesk.foundation.iam.principal import Principal, Resource

from . import timing_rules
from .models import Habits
from .timing_rules import Hours

GET, SET = "scm:notification:get", "scm:notification:update"


def hours(account_id: str) -> Hours:
    """What holds for an account; without a row nothing is held."""
    row = Habits.objects.filter(account_id=account_id).first()
    return Hours() if row is None else Hours(row.zone, row.quiet_from, row.quiet_to, row.digest_at)


def read(principal: Principal) -> Hours:
    principal.require(GET, Resource("notification", "", principal.account_id))
    return hours(principal.account_id)


def change(principal: Principal, wanted: Hours) -> Hours:
    """New hours for the whole account; what waits already keeps its time.

    Raises:
        Forbidden: no `scm:notification:update` on the account.
        BadParameter: as `timing_rules.check`.
    """
    principal.require(SET, Resource("notification", "", principal.account_id))
    timing_rules.check(wanted)
    values = {
        "zone": wanted.zone,
        "quiet_from": wanted.quiet_from,
        "quiet_to": wanted.quiet_to,
        "digest_at": wanted.digest_at,
    }
    with sql.short_transaction():
        Habits.objects.update_or_create(account_id=principal.account_id, defaults=values)
        audit.record(
            principal,
            SET,
            resource=f"noticeHours:{principal.account_id}",
            account_id=principal.account_id,
            details=values,
        )
    return wanted
