"""Who asked and who decided, with the rights of this moment."""

from certdesk.foundation.common.errors import Conflict, Forbidden
from certdesk.foundation.iam import persons
from certdesk.foundation.iam.models import AccessKey, User
from certdesk.foundation.iam.person_rules import Person
from certdesk.foundation.iam.principal import Principal, Resource, Via
from certdesk.foundation.iam.queries import principal_of

from . import registry, rules
from .models import Decision, Request

DECIDE = "scm:approval:decide"


def requester(request: Request) -> Principal:
    """Who asked, acting through a job; the audit rows of what is done carry the request's id.

    Raises:
        Forbidden: the user or the access key is gone or switched off.
    """
    return _acting(
        request,
        request.requester_id,
        request.requester_key,
        request.requester_source,
        request.requester_mfa,
    )


def _acting(request: Request, user_id: str, access_key: str, source: str, mfa: bool) -> Principal:
    """Rights of this moment; address and second factor as they were shown when it was asked or decided."""
    user = User.objects.filter(id=user_id, is_active=True, account_id=request.account_id).first()
    if user is None:
        raise Forbidden("A user who asked for this or approved it is gone or switched off.")
    if access_key and not AccessKey.objects.filter(access_key=access_key, user=user, enabled=True).exists():
        raise Forbidden("The access key that this was asked or approved with is gone or switched off.")
    return principal_of(user, Via.JOB, source=source, request_id=request.id, mfa=mfa)


def asking_side(request: Request) -> list[Person]:
    """Who may not decide: the one who asked, and whoever the operation names beside."""
    asked = persons.person(request.requester_id, request.requester_key)
    return [asked, *registry.find(request.operation).barred(request)]


def approvers(request: Request) -> list[Person]:
    """Who has approved so far, oldest first."""
    found = request.decisions.filter(approved=True).order_by("id")
    return [persons.person(one.person_id, one.person_key) for one in found]


def check_approvals(request: Request) -> None:
    """All approvals once more, as they would be given now: enough, by different people who may decide.

    Raises:
        Forbidden: with what has changed since.
    """
    given = list(request.decisions.filter(approved=True).order_by("id"))
    if len(given) < request.needed:
        raise Forbidden(f"This needs {request.needed} approvals and has {len(given)}.")
    side, earlier = asking_side(request), list[Person]()
    for one in given:
        _check_right(request, one)
        person = persons.person(one.person_id, one.person_key)
        try:
            rules.check_approver(person, side, earlier)
        except Conflict as twice:
            raise Forbidden(twice.message) from None
        earlier.append(person)


def _check_right(request: Request, one: Decision) -> None:
    acting = _acting(request, one.person_id, one.person_key, one.person_source, one.person_mfa)
    acting.require(DECIDE, resource(request))


def resource(request: Request) -> Resource:
    return Resource("approval", request.id, request.account_id)
