"""Who somebody is beside his user id, by the rows and by the audit trail."""

from collections.abc import Iterable

from certdesk.foundation.audit.models import Event

from .models import AccessKey, User
from .person_rules import Person, email_mark, name_mark, phone_mark
from .principal import Principal

_ON_USER = (
    "iam:users:create",
    "iam:users:update",
    "iam:users:changePassword",
    "iam:users:resetSecondFactor",
    "iam:groups:addUser",
)
_ON_KEY = ("iam:credentials:create", "iam:credentials:enable")
_MOST_MAKERS = 200  # a longer chain is no team any more; what lies beyond is not looked at


def acting(principal: Principal) -> Person:
    """The person who asks now."""
    return person(principal.user_id, principal.access_key, principal.agency)


def person(user_id: str, access_key: str = "", agency: str = "", extra: Iterable[str] = ()) -> Person:
    """A user with its marks and makers.

    Args:
        extra: further marks, as `person_rules` makes them.
    """
    user = User.objects.filter(id=user_id).values("name", "email", "phone").first() if user_id else None
    marks = set(extra)
    if user is not None:
        marks |= {name_mark(user["name"]), email_mark(user["email"]), phone_mark(user["phone"])}
    made_by = makers(user_id) if user_id else frozenset()  # the trail stays when the user is deleted
    return Person(user_id, access_key, agency, frozenset(marks - {""}), made_by)


def makers(user_id: str) -> frozenset[str]:
    """Users who, by the audit trail, made this one or gave it a group, a password or a key; and who did so
    with them, to the first of the line."""
    found: set[str] = set()
    ahead = [user_id]
    while ahead and len(found) < _MOST_MAKERS:
        new = _direct(ahead.pop()) - found - {user_id}
        found |= new
        ahead += sorted(new)
    return frozenset(found)


def _direct(user_id: str) -> set[str]:
    keys = AccessKey.objects.filter(user_id=user_id).values_list("access_key", flat=True)
    found = Event.objects.filter(resource=f"user:{user_id}", action__in=_ON_USER)
    found |= Event.objects.filter(resource__in=[f"access-key:{one}" for one in keys], action__in=_ON_KEY)
    actors = found.values_list("actor", flat=True).distinct()
    return {actor.partition(":")[2] for actor in actors if actor.startswith("user:")}
