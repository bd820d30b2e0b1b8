"""Changing the rules of an account. Weakening them is held back elsewhere (`interfaces/operations`)."""

from collections.abc import Sequence

from certdesk.foundation.audit import actions as audit
from certdesk.foundation.common import sql
from certdesk.foundation.common.errors import WrongState
from certdesk.foundation.iam import persons
from certdesk.foundation.iam.models import Account
from certdesk.foundation.iam.person_rules import could_be, same
from certdesk.foundation.iam.principal import Principal, Resource

from . import queries, registry, rules
from .models import Rule
from .rules import RuleLine

SET = "scm:approval:updateRules"


def check(principal: Principal, wanted: Sequence[RuleLine]) -> None:
    """Whether the rules can be set at all.

    Raises:
        Forbidden: no right. BadParameter: see `rules.check_rules`.
        WrongState: too few people could decide what the principal asks for, so nothing would go on.
    """
    principal.require(SET, Resource("approval", "", principal.account_id))
    rules.check_rules(wanted, registry.kinds)
    most = max((one.approvals for one in wanted), default=0)
    able = _others(principal) if most else 0
    if able < most:
        raise WrongState(
            f"{most} other people would have to approve what you ask for, and {able} could.",
            next_step="First give the right scm:approval:decide to people whom you did not make; an operator "
            "can make them with `./certdesk user create`.",
        )


def _others(principal: Principal) -> int:
    me = persons.acting(principal)
    found = [persons.person(one.id) for one in queries.deciders(principal.account_id)]
    return sum(not same(me, one) and not could_be(me, one) for one in found)


def set_rules(principal: Principal, wanted: Sequence[RuleLine]) -> None:
    """Puts these rules in the place of the account's present ones.

    Raises:
        as `check`.
    """
    check(principal, wanted)
    account_id = principal.account_id
    with sql.short_transaction():
        Account.objects.select_for_update().get(id=account_id)  # one change of an account at a time
        before = queries.rules_of(account_id)
        Rule.objects.filter(account_id=account_id).delete()
        for one in sorted(wanted):
            Rule.objects.create(
                account_id=account_id, operation=one.operation, approvals=one.approvals, hours=one.hours
            )
        audit.record(principal, SET, details={"before": _text(before), "after": _text(sorted(wanted))})


def _text(lines: Sequence[RuleLine]) -> list[str]:
    return [f"{one.operation}: {one.approvals} within {one.hours} h" for one in lines]
