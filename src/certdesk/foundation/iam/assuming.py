"""Acting in another account by an agency (IAM-8), and access keys for a while. Who may is asked each time."""

import hashlib
import secrets
from datetime import datetime, timedelta

from django.db.models import Q

from certdesk.foundation.audit import actions as audit
from certdesk.foundation.common import sql
from certdesk.foundation.common.errors import BadParameter, Forbidden, NotFound
from certdesk.foundation.sealing import actions as sealing

from . import actions, agencies, finding, queries, rules
from .models import Account, Agency, TemporaryKey, User
from .principal import PolicyGrant, Principal, Via

ASSUME, MAKE = "iam:agencies:assume", "iam:securitytokens:create"
SHORTEST, LONGEST = timedelta(minutes=15), timedelta(hours=24)
MOST = 50
"""Living temporary keys of one user; an older one makes place for a new one."""


class NoAgency(NotFound):
    """One text for an agency that is not there, one that is over and one that trusts somebody else."""

    def __init__(self) -> None:
        super().__init__(
            "There is no such agency that you may assume.",
            next_step="Check the account and the name of the agency, or ask who runs that account.",
        )


def find(home: Principal, account: str, name: str, now: datetime) -> Agency:
    """The agency of an account (name or id) that the principal may assume.

    Raises:
        NoAgency: there is none, or it does not trust the principal.
        Forbidden: it trusts the account as a whole, and the principal has no `iam:agencies:assume` there.
    """
    if home.temporary or not home.user_id:
        raise Forbidden(
            "An agency is assumed by a user who has signed in as itself.", details={"action": ASSUME}
        )
    user = User.objects.select_related("account").get(id=home.user_id)
    found = Agency.objects.filter(Q(account_id=account) | Q(account__name=account), name=name).first()
    if found is None or not trusts(found, user, now):
        raise NoAgency()
    _require_at_home(home, found)
    return found


def trusts(agency: Agency, user: User, now: datetime) -> bool:
    """Whether the agency's account lets this user in; the user's own account is asked by its policies."""
    if agencies.is_over(agency, now) or not user.is_active:
        return False
    if agency.trust_id:
        if agency.trust_id != user.account_id:
            return False
    elif agency.trust_name not in (user.account_id, user.account.name):
        return False
    named = list(agency.users.all())
    return not named or any(
        one.user_id == user.id if one.user_id else one.name in (user.id, user.name) for one in named
    )


def _require_at_home(home: Principal, agency: Agency) -> None:
    """Who is named needs no policy of his own account, but a Deny there holds; who is not, needs one."""
    about = finding.resource("agency", home, agency.id)
    if not agency.users.exists() or home.decide(ASSUME, about).denied_by:
        home.require(ASSUME, about)


def may_still(agency: Agency, user: User, now: datetime) -> bool:
    """Both sides, asked again: for every request of somebody who has assumed it."""
    if not trusts(agency, user, now):
        return False
    try:
        _require_at_home(queries.principal_of(user, Via.API), agency)
    except Forbidden:
        return False
    return True


def act(home: Principal, agency: Agency) -> Principal:
    """The principal in the agency's account; the caller has called `find` or `may_still`.

    Its name has the account in front, so that no policy takes it for a user of the agency's account.
    """
    return queries.principal_of_agency(agency, home)


def open_to(home: Principal, now: datetime) -> list[Agency]:
    """The agencies of other accounts that the principal may assume, by account and name."""
    if home.temporary:
        return []
    user = User.objects.select_related("account").get(id=home.user_id)
    names = Q(trust_id="", trust_name__in=(user.account_id, user.account.name))
    found = Agency.objects.filter(Q(trust_id=user.account_id) | names).select_related("account")
    return [one for one in found.order_by("account__name", "name") if may_still(one, user, now)]


def again(home: Principal, agency_id: str, now: datetime) -> Principal | None:
    """The principal that a session has switched to; None once either side lets it no longer."""
    agency = Agency.objects.filter(id=agency_id).first()
    user = User.objects.select_related("account").filter(id=home.user_id).first()
    if agency is None or user is None or not may_still(agency, user, now):
        return None
    return act(home, agency)


def record_switch(home: Principal, agency: Agency) -> None:
    """In the trail of both accounts."""
    details = {"agency": agency.id, "name": agency.name}
    with sql.short_transaction():
        audit.record(home, ASSUME, resource=f"agency:{agency.id}", details=details)
        audit.record(act(home, agency), ASSUME, resource=f"agency:{agency.id}", details={"name": agency.name})


def make_key(
    home: Principal, agency: Agency | None, lasts: timedelta, policy: object, now: datetime
) -> tuple[TemporaryKey, str, str]:
    """`(key, secret, security token)` of oneself, or of an agency that `find` gave; shown this once.

    Args:
        lasts: 15 minutes to 24 hours.
        policy: a document that limits it further; None = no further limit.

    Raises:
        BadParameter: a time outside, or a document that cannot be read.
        Forbidden: temporary keys make no further ones, or a policy denies it.
    """
    if home.temporary or not home.user_id:
        raise Forbidden(
            "A temporary access key makes no further one.",
            next_step="Use a lasting access key, or a token for a password.",
            details={"action": MAKE},
        )
    finding.require_unless_own(home, MAKE, home.user_id)
    if not SHORTEST <= lasts <= LONGEST:
        raise BadParameter("A temporary access key lasts 900 to 86400 seconds.", field="duration_seconds")
    if policy is not None:
        rules.parse(policy)
    access_key, secret, token = _letters(), secrets.token_urlsafe(30), secrets.token_urlsafe(96)
    with sql.short_transaction():
        _make_room(home.user_id)
        made = TemporaryKey.objects.create(
            access_key=access_key,
            user_id=home.user_id,
            agency=agency,
            secret_id=sealing.seal(home.account_id, queries.KEY_PURPOSE, secret.encode()),
            token_digest=digest(token),
            narrowed=policy,
            created_at=now,
            expires_at=now + lasts,
        )
        audit.record(
            home,
            MAKE,
            resource=f"access-key:{access_key}",
            details={"agency": agency.id if agency else "", "seconds": int(lasts.total_seconds())},
        )
        if agency is not None:
            record_switch(home, agency)
    return made, secret, token


def _letters() -> str:
    return queries.TEMPORARY + actions.random_key(20 - len(queries.TEMPORARY))


def _make_room(user_id: str) -> None:
    old = TemporaryKey.objects.filter(user_id=user_id).order_by("-created_at", "access_key")[MOST - 1 :]
    for one in list(old):
        sealing.destroy(one.secret_id)
        one.delete()


def digest(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()


def prune(now: datetime) -> int:
    """Deletes at most 100 temporary keys that are over, with their secrets."""
    with sql.short_transaction():
        over = list(TemporaryKey.objects.filter(expires_at__lt=now)[:100])
        for one in over:
            sealing.destroy(one.secret_id)
            one.delete()
    return len(over)


def in_job(user: User, account_id: str, now: datetime) -> Principal | None:
    """Somebody whose job is of another account: with all that he could assume there now; None = nothing."""
    home = queries.principal_of(user, Via.JOB, mfa=True)
    held = [one for one in open_to(home, now) if one.account_id == account_id]
    if not held:
        return None
    first = act(home, held[0])
    more: dict[PolicyGrant, None] = {grant: None for one in held for grant in act(home, one).grants}
    return Principal(
        account_id, user.id, first.name, Via.JOB, grants=tuple(more), agency=first.agency, session=True
    )


def about(principal: Principal) -> dict[str, str]:
    """Names of the agency and the account in which the principal acts: `{"agency", "account"}`."""
    found = Agency.objects.select_related("account").get(id=principal.agency)
    return {"agency": found.name, "account": found.account.name}


def account_name(agency: Agency) -> str:
    return Account.objects.values_list("name", flat=True).get(id=agency.account_id)
