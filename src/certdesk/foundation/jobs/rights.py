"""A job acts for somebody: whether he still may is asked again when the job runs (law 5).

A refusal ends the job, is audited as `job.refused` (`running`), and its handler tells it where people look.
"""

from certdesk.foundation.audit import actions as audit
from certdesk.foundation.common import clock
from certdesk.foundation.common.errors import Forbidden
from certdesk.foundation.iam import assuming
from certdesk.foundation.iam.models import User
from certdesk.foundation.iam.principal import Principal, Resource, Via, system_principal
from certdesk.foundation.iam.queries import active_user, principal_of

from .errors import UserGone
from .models import Job

REFUSED = "job.refused"


def principal_for(job: Job) -> Principal:
    """The user of `payload["user_id"]` with the grants of this moment; without one, the house in
    the account of `payload["account_id"]`.

    Raises:
        UserGone: the user is gone or switched off.
    """
    user_id = job.payload.get("user_id", "")
    if user_id is None:  # it was to act for somebody, and he cannot be told any more
        raise UserGone()
    if user_id:
        return principal_of_user(str(user_id), str(job.payload.get("account_id", "")))
    return system_principal(str(job.payload.get("account_id", "")), job.kind)


def principal_of_user(user_id: str, account_id: str = "") -> Principal:
    """A user, acting through a job; in another account by the agencies there that are open to it now.

    Raises:
        UserGone: the user is gone or switched off.
    """
    user = active_user.first(user_id)
    if user is None:
        raise UserGone()
    # What it was asked for with was decided then; a job can show no second factor itself.
    if account_id in ("", user.account_id):
        return principal_of(user, Via.JOB, mfa=True)
    guest = assuming.in_job(user, account_id, clock.real_now())
    if guest is None:
        raise UserGone()
    return guest


def record_refusal(job: Job, error: BaseException) -> None:
    """Audits that a job was not done because who asked for it may no longer; other errors are passed over."""
    if not isinstance(error, Forbidden | UserGone):
        return
    user_id, account_id = str(job.payload.get("user_id", "")), str(job.payload.get("account_id", ""))
    if user_id and not account_id:
        account_id = User.objects.filter(id=user_id).values_list("account_id", flat=True).first() or ""
    details = {"kind": job.kind, "subject": job.subject, "user": user_id}
    if isinstance(error, Forbidden):
        details["missing"] = str(error.details.get("action", ""))
    house = system_principal(account_id, job.kind)
    audit.record(house, REFUSED, resource=f"job:{job.id}", details=details, account_id=account_id)


def require(job: Job, action: str, resource: Resource | None = None) -> Principal:
    """As `principal_for`, and the principal must have the right to `action`.

    Raises:
        Forbidden, NotFound: as `Principal.require`; the job is given up.
    """
    principal = principal_for(job)
    principal.require(action, resource)
    return principal
