"""Who somebody is beside his user id, for the rule that the applicant never decides (ORG-5)."""

from collections.abc import Iterable

from certdesk.foundation.audit.models import Event
from certdesk.foundation.iam.models import AccessKey, User
from certdesk.foundation.iam.principal import Principal
from certdesk.lifecycle.applications.models import Application, Contact

from .models import OrganizationDecision, OrganizationVerification
from .organization_rules import Officer, email_mark, name_mark, phone_mark

_ON_USER = (
    "iam:users:create",
    "iam:users:update",
    "iam:users:changePassword",
    "iam:groups:addUser",
)
_ON_KEY = ("iam:credentials:create", "iam:credentials:enable")


def acting(principal: Principal) -> Officer:
    """The person who asks now."""
    return _person(principal.user_id, principal.access_key, principal.agency)


def applicant(application: Application) -> Officer:
    """Who applied: the user, and the people whom the application names by address."""
    found = Contact.objects.filter(application=application).values_list("applicant_email", "contact_email")
    named = [email_mark(address) for pair in found for address in pair]
    return _person(
        application.submitted_by, application.submitted_key, application.submitted_agency, extra=named
    )


def showing(verification: OrganizationVerification) -> list[Officer]:
    """Who uploaded documents for the applicant: they stand on his side."""
    users = verification.documents.values_list("uploaded_by", "uploaded_key").distinct()
    return [_person(user, key, "") for user, key in users if user]


def decided(decision: OrganizationDecision) -> Officer:
    return _person(decision.officer_id, decision.officer_key, decision.officer_agency)


def _person(user_id: str, access_key: str, agency: str, extra: Iterable[str] = ()) -> Officer:
    user = User.objects.filter(id=user_id).values("name", "email", "phone").first() if user_id else None
    marks = set(extra)
    if user is not None:
        marks |= {name_mark(user["name"]), email_mark(user["email"]), phone_mark(user["phone"])}
    makers = _makers(user_id) if user_id else frozenset()  # the trail stays when the user is deleted
    return Officer(user_id, access_key, agency, frozenset(marks - {""}), makers)


def _makers(user_id: str) -> frozenset[str]:
    """Users who, by the audit trail, made this one or gave it a group, a password or a key."""
    keys = AccessKey.objects.filter(user_id=user_id).values_list("access_key", flat=True)
    found = Event.objects.filter(resource=f"user:{user_id}", action__in=_ON_USER)
    found |= Event.objects.filter(resource__in=[f"access-key:{one}" for one in keys], action__in=_ON_KEY)
    actors = found.values_list("actor", flat=True).distinct()
    return frozenset(
        actor.partition(":")[2] for actor in actors if actor.startswith("user:") and actor[5:] != user_id
    )
