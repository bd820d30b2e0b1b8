"""The profiles `private` and `public` as data, and how long a certificate may live. Pure.

Lifetimes by date are data, not constants (law 9). Raise `version` whenever a certificate's form changes:
every shape is then linted anew before the first signature.
"""

from calendar import monthrange
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from .errors import AuthorityMissing, RequestRefused
from .types import LevelName, ProfileName

_SECOND = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Profile:
    """What a kind of certificate may be.

    Attributes:
        lifetimes: (from this date of notBefore on, days at most), rising; both end seconds count.
        margin: days that are left unused of it by ourselves: the Baseline Requirements 6.3.2 recommend one.
        common_name: copy the primary name into the subject when it fits (ISS-6).
        public_names_only: names of the public DNS only.
        keys_made_here: the service may have made the key (forbidden by Baseline Requirements 6.1.1.3).
    """

    name: ProfileName
    version: int
    lifetimes: tuple[tuple[date, int], ...]
    margin: int
    common_name: bool
    public_names_only: bool
    keys_made_here: bool

    def longest(self, on: date) -> int:
        """Days that a certificate may live whose validity begins on that date."""
        return next(days for since, days in reversed(self.lifetimes) if since <= on)

    def usable(self, on: date) -> int:
        """Of these the days that are used: the margin less."""
        return self.longest(on) - self.margin


PROFILES: Mapping[ProfileName, Profile] = {
    # Three years, the longest period sold, with a leap day, and the month a renewal may carry over (REN-5).
    "private": Profile("private", 1, ((date.min, 3 * 365 + 1 + 31),), 0, True, False, True),
    "public": Profile(
        "public",
        1,
        (
            (date.min, 398),
            (date(2026, 3, 15), 200),
            (date(2027, 3, 15), 100),
            (date(2029, 3, 15), 47),
        ),
        1,
        False,
        True,
        False,
    ),
}

# CA/Browser Forum reserved policies: 2.23.140.1.2.1, .2.2, .1.1.
POLICIES: Mapping[LevelName, str] = {"DV": "2.23.140.1.2.1", "OV": "2.23.140.1.2.2", "EV": "2.23.140.1.1"}


def validity(
    profile: ProfileName, months: int, start: datetime, remaining: timedelta = timedelta(0)
) -> tuple[datetime, datetime]:
    """(notBefore, notAfter) of a bought period: calendar months minus one second (TIM-1).

    `public` ends earlier where the Baseline Requirements of that date want it (REN-8).

    Args:
        remaining: what a renewal carries over from the old certificate (REN-5).
    """
    begin = start.astimezone(UTC).replace(microsecond=0)
    end = _months_later(begin, months) + remaining - _SECOND
    days = PROFILES[profile].usable(begin.date())
    return begin, min(end.replace(microsecond=0), begin + timedelta(days=days) - _SECOND)


def _months_later(moment: datetime, months: int) -> datetime:
    """The same day some months on; clamped to the end of a shorter month."""
    year, month = divmod(moment.year * 12 + moment.month - 1 + months, 12)
    day = min(moment.day, monthrange(year, month + 1)[1])
    return moment.replace(year=year, month=month + 1, day=day)


def refuse_dates(
    profile: Profile,
    not_before: datetime,
    not_after: datetime,
    now: datetime,
    issuer_lives: tuple[datetime, datetime],
) -> None:
    """Refuse a validity that is empty, too long, in the future, or not within that of the issuer.

    Raises:
        RequestRefused: for good. AuthorityMissing: the issuer is not valid yet, e.g. under a clock set back.
    """
    if now < issuer_lives[0]:
        raise AuthorityMissing(
            f"The certificate of the issuer is valid only from {issuer_lives[0]:%Y-%m-%d %H:%M:%S} UTC.",
            next_step="Set the clock right; the application waits until then.",
        )
    if not_after <= not_before:
        raise _refused("ends before it begins")
    days = profile.longest(not_before.date())
    if not_after - not_before + _SECOND > timedelta(days=days):
        raise _refused(f"is longer than the {days} days that the profile {profile.name} allows on this date")
    if not_before > now:
        raise _refused("begins in the future")
    if now - not_before > timedelta(hours=48):
        raise _refused("begins more than 48 hours ago")
    if not_before < issuer_lives[0]:
        raise _refused("begins before the certificate of its issuer")
    if not_after > issuer_lives[1]:
        raise _refused("would outlive the certificate of its issuer")


def _refused(what: str) -> RequestRefused:
    return RequestRefused(
        f"The validity {what}.", next_step="Choose a shorter period.", field="validity_period"
    )
