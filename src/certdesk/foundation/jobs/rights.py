"""A job acts for somebody: whether he still may is asked again when the job runs (law 5)."""

from certdesk.foundation.iam.models import User
from certdesk.foundation.iam.principal import Principal, Resource, Via, system_principal
from certdesk.foundation.iam.queries import principal_of

from .errors import Permanent
from .models import Job


def principal_for(job: Job) -> Principal:
    """The user of `payload["user_id"]` with the grants of this moment; without one, the house in
    the account of `payload["account_id"]`.

    Raises:
        Permanent: the user is gone or switched off.
    """
    user_id = job.payload.get("user_id")
    if user_id:
        return principal_of_user(str(user_id))
    return system_principal(str(job.payload.get("account_id", "")), job.kind)


def principal_of_user(user_id: str) -> Principal:
    """A user, acting through a job.

    Raises:
        Permanent: the user is gone or switched off.
    """
    user = User.objects.filter(id=user_id, is_active=True).first()
    if user is None:
        raise Permanent("The user who asked for this is gone or switched off, so it was not done.")
    return principal_of(user, Via.JOB)


def require(job: Job, action: str, resource: Resource | None = None) -> Principal:
    """As `principal_for`, and the principal must have the right to `action`.

    Raises:
        Forbidden, NotFound: as `Principal.require`; the job is given up.
    """
    principal = principal_for(job)
    principal.require(action, resource)
    return principal
