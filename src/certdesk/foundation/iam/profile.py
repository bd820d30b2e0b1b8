"""What a user says about itself: language and time zone. Its mail address and phone are an
administrator's to change: new passwords go there, and officers are told from applicants by them."""

from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from certdesk.foundation.audit import actions as audit
from certdesk.foundation.common import sql
from certdesk.foundation.common.errors import BadParameter

from .models import User
from .people import LANGUAGES
from .principal import Principal


def own(principal: Principal) -> User:
    return User.objects.select_related("account").get(id=principal.user_id)


def update(principal: Principal, language: str, time_zone: str) -> User:
    """Changes one's own.

    Raises:
        BadParameter: a language that we do not speak, or no time zone of the tz database.
    """
    if language not in LANGUAGES:
        raise BadParameter(f"language must be one of {', '.join(LANGUAGES)}.", field="language")
    zone(time_zone)
    user = own(principal)
    user.language, user.time_zone = language, time_zone
    with sql.short_transaction():
        user.save(update_fields=["language", "time_zone"])
        audit.record(principal, "iam:users:updateProfile", resource=f"user:{user.id}")
    return user


def zone(name: str) -> ZoneInfo:
    """Raises: BadParameter: no time zone of the tz database."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise BadParameter(
            f"{name!r} is no time zone.", next_step="Use a name such as Asia/Shanghai.", field="time_zone"
        ) from None
