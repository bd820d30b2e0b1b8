"""Times in requests: as we write them, or a date."""

from datetime import UTC, datetime, timedelta

from certdesk.foundation.common.errors import BadParameter

FORMS = ("%Y-%m-%d %H:%M:%S.%f", "%Y-%m-%d %H:%M:%S", "%Y-%m-%d")
LAST = timedelta(days=1) - timedelta(microseconds=1)


def moment(text: str, field: str, *, end_of_day: bool = False) -> datetime | None:
    """The moment, UTC; None for an empty text.

    Args:
        end_of_day: a date alone means its last moment instead of its first.

    Raises:
        BadParameter: it is no time.
    """
    for form in FORMS if text else ():
        try:
            found = datetime.strptime(text, form).replace(tzinfo=UTC)
        except ValueError:
            continue
        return found + LAST if end_of_day and form == FORMS[-1] else found
    if not text:
        return None
    raise BadParameter(
        f"{field} {text!r} is not a time.",
        next_step="Use the form 2026-11-30 12:00:00.0 (UTC), or a date.",
        field=field,
    )


def needed(text: str, field: str, *, end_of_day: bool = False) -> datetime:
    """As `moment`; an empty text is refused too.

    Raises:
        BadParameter: it is no time.
    """
    found = moment(text, field, end_of_day=end_of_day)
    if found is None:
        raise BadParameter(f"{field} is missing.", next_step="Send a time or a date.", field=field)
    return found
