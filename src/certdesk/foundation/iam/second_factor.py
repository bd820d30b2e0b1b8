"""A user's second factor: an authenticator app and recovery codes; enrolled, shown, taken off. Passkeys
have a module of their own.

Whoever enrols is out everywhere else: what was opened with the password alone would outlive the change.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from certdesk.foundation.audit import actions as audit
from certdesk.foundation.common import clock, sql
from certdesk.foundation.common.errors import BadParameter, WrongState
from certdesk.foundation.sealing import actions as sealing

from . import factor_rules as rules
from . import sessions, throttle
from .models import Passkey, RecoveryCode, Totp, User
from .principal import Principal

PURPOSE = "totp"


class WrongCode(BadParameter):
    """One text for a wrong code, one that was used before and one that is too old."""

    def __init__(self) -> None:
        super().__init__(
            "This code is not right, or it was used before.",
            next_step="Wait for the next code of the app, or check the clock of the device.",
            field="code",
        )


@dataclass(frozen=True, slots=True)
class State:
    """What a user has.

    Attributes:
        app_since: since when the app is enrolled; None = none.
        codes_left: recovery codes not yet used.
        required: the account wants a second factor of everybody.
        passkeys: how many are registered.
    """

    app_since: datetime | None
    codes_left: int
    required: bool
    passkeys: int

    @property
    def present(self) -> bool:
        return self.app_since is not None or self.passkeys > 0


def state(user: User) -> State:
    app = Totp.objects.filter(user=user, confirmed_at__isnull=False).first()
    left = RecoveryCode.objects.filter(user=user).count()
    passkeys = Passkey.objects.filter(user=user).count()
    return State(app.confirmed_at if app else None, left, user.account.second_factor_required, passkeys)


def has(user_id: str) -> bool:
    """Whether a password alone does not sign this user in."""
    app = Totp.objects.filter(user_id=user_id, confirmed_at__isnull=False)
    return app.exists() or Passkey.objects.filter(user_id=user_id).exists()


def begin(principal: Principal) -> bytes:
    """A new secret for an app, sealed; it counts once a code of it has been shown (`confirm`).

    Raises:
        WrongState: an app is enrolled already.
    """
    user, secret = _own(principal), rules.new_secret()
    if Totp.objects.filter(user=user, confirmed_at__isnull=False).exists():
        raise WrongState("An authenticator app is enrolled already.", next_step="Remove it first.")
    with sql.short_transaction():
        _drop_app(user)
        Totp.objects.create(
            user=user,
            secret_id=sealing.seal(user.account_id, PURPOSE, secret),
            created_at=clock.real_now(),
        )
    return secret


def confirm(principal: Principal, code: str, now: datetime, *, this: str = "") -> list[str]:
    """Enrols the app whose code this is; answers new recovery codes, or none where there are some.

    Args:
        this: key of the session that stays; all others and the tokens end.

    Raises:
        WrongState: nothing was begun. WrongCode. SlowDown.
    """
    user = _own(principal)
    app = Totp.objects.filter(user=user, confirmed_at__isnull=True).first()
    if app is None:
        raise WrongState("No authenticator app waits for its first code.", next_step="Begin anew.")
    _counted(user, principal.source, now, lambda: _use_app(app, rules.typed(code), now))
    with sql.short_transaction():
        Totp.objects.filter(user=user).update(confirmed_at=now)
        end_other_sessions(user, this)
        audit.record(
            principal, "iam:users:enrolSecondFactor", resource=f"user:{user.id}", details={"kind": "app"}
        )
        return first_codes(user)


def first_codes(user: User) -> list[str]:
    """Recovery codes for a user who has none yet; in the caller's transaction."""
    return [] if RecoveryCode.objects.filter(user=user).exists() else _new_codes(user)


def end_other_sessions(user: User, this: str) -> None:
    """What was opened with less than the user shows from now on; in the caller's transaction."""
    user.tokens.all().delete()
    sessions.end_all(user.id, but=this)


def renew_codes(principal: Principal) -> list[str]:
    """Ten new recovery codes; the old ones end.

    Raises:
        WrongState: without a second factor there is nothing to recover.
    """
    user = _own(principal)
    if not has(user.id):
        raise WrongState("There is no second factor yet.", next_step="Enrol one first.")
    with sql.short_transaction():
        audit.record(principal, "iam:users:renewRecoveryCodes", resource=f"user:{user.id}")
        return _new_codes(user)


def check(user: User, code: str, source: str, now: datetime) -> str:
    """Passes the user who shows a good code, which then is used up; answers `app` or `recovery`.

    Raises:
        WrongCode. SlowDown: too many wrong ones, counted for this user and address.
    """
    given = rules.typed(code)

    def use() -> str:
        if rules.is_recovery(given):
            return _use_recovery(user, given)
        app = Totp.objects.filter(user=user, confirmed_at__isnull=False).first()
        if app is None:
            raise WrongCode()
        return _use_app(app, given, now)

    return _counted(user, source, now, use)


def remove_app(principal: Principal) -> None:
    """Takes the app off; the caller has asked for the second factor anew.

    Raises:
        WrongState: there is none, or the account wants one of everybody and this is the last.
    """
    user = _own(principal)
    if not Totp.objects.filter(user=user, confirmed_at__isnull=False).exists():
        raise WrongState("No authenticator app is enrolled.", next_step="")
    with sql.short_transaction():
        _drop_app(user)
        settle(user)
        audit.record(
            principal, "iam:users:removeSecondFactor", resource=f"user:{user.id}", details={"kind": "app"}
        )


def settle(user: User) -> None:
    """After a factor went: without any, the recovery codes go too. In the caller's transaction.

    Raises:
        WrongState: the account wants a second factor of everybody.
    """
    if has(user.id):
        return
    if user.account.second_factor_required:
        raise WrongState(
            "Your account wants a second factor of everybody, and this is your last one.",
            next_step="Enrol another one first.",
        )
    RecoveryCode.objects.filter(user=user).delete()


def clear(user: User) -> None:
    """Everything of a user goes, with the sealed secret; in the caller's transaction."""
    _drop_app(user)
    Passkey.objects.filter(user=user).delete()
    RecoveryCode.objects.filter(user=user).delete()


def _own(principal: Principal) -> User:
    return User.objects.select_related("account").get(id=principal.user_id)


def _counted(user: User, source: str, now: datetime, use: Callable[[], str]) -> str:
    """One try under the throttle of sign-ins: an attacker elsewhere locks nobody out."""
    name = f"second/{user.id}"
    throttle.check(name, source, now)
    try:
        kind = use()
    except WrongCode:
        throttle.failed(name, source, now)
        raise
    throttle.succeeded(name, source, now)
    return kind


def _use_app(app: Totp, code: str, now: datetime) -> str:
    secret = sealing.unseal(app.secret_id, app.user.account_id, PURPOSE)
    step = rules.matching_step(secret, code, now, app.last_step)
    # of two requests with the same code one gets the row
    if step is None or not Totp.objects.filter(id=app.id, last_step__lt=step).update(last_step=step):
        raise WrongCode()
    return "app"


def _use_recovery(user: User, code: str) -> str:
    with sql.short_transaction():
        if not RecoveryCode.objects.filter(user=user, digest=rules.digest_of(code)).delete()[0]:
            raise WrongCode()
    return "recovery"


def _new_codes(user: User) -> list[str]:
    codes = rules.new_recovery_codes()
    RecoveryCode.objects.filter(user=user).delete()
    RecoveryCode.objects.bulk_create(RecoveryCode(user=user, digest=rules.digest_of(one)) for one in codes)
    return codes


def _drop_app(user: User) -> None:
    for app in Totp.objects.filter(user=user):
        sealing.destroy(app.secret_id)
        app.delete()
