"""Workers of the ACME server: looking at challenges, settling what a crash left, forgetting what is over."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from certdesk.foundation.common import clock
from certdesk.foundation.common.errors import Forbidden
from certdesk.foundation.iam.principal import Resource
from certdesk.foundation.jobs import rights
from certdesk.foundation.jobs.actions import enqueue
from certdesk.foundation.jobs.errors import UserGone
from certdesk.foundation.jobs.models import Job
from certdesk.foundation.jobs.registry import Handler, handler, periodic
from certdesk.lifecycle.validation.perspectives import Look, Sight, look_all

from . import finalizing, nonces, orders, validating
from .authorizations import VALIDATE
from .errors import AcmeError

SETTLE = "enrolment.settle"
SETTLE_SECONDS = 30
FORGET = "enrolment.forget"
PAUSE = timedelta(milliseconds=2)
LOOK_SECONDS = 40.0
GONE = "The user of this account's credential may not ask for certificates any more."
FAULT = "The server failed while it looked at this name. Place a new order."


@dataclass(frozen=True, slots=True)
class Work:
    look: Look
    now: datetime


@handler(VALIDATE, max_attempts=5, lock="enrolment-challenge:{challenge}")
class Validate(Handler[Work, list[Sight]]):
    """One look at an answered challenge, for the user behind the account."""

    def load(self, job: Job) -> Work | None:
        now = clock.now()
        challenge = validating.open_challenge(str(job.payload["challenge"]), now)
        if challenge is None:
            return None
        account_id = challenge.authorization.account.credential.account_id
        asker = rights.principal_of_user(challenge.authorization.account.credential.user_id, account_id)
        name = challenge.authorization.name
        asker.require(orders.APPLY, Resource("cert", "", account_id, "0", asker.user_id, (name,)))
        return Work(validating.look_of(challenge), now)

    async def perform(self, work: Work) -> list[Sight]:
        return await look_all((work.look,), work.now, deadline=LOOK_SECONDS)

    def store(self, job: Job, work: Work, result: list[Sight]) -> None:
        now = clock.now()
        challenge = validating.open_challenge(str(job.payload["challenge"]), now)
        if challenge is not None:
            validating.store(challenge, result, now)

    def failed(self, job: Job, error: BaseException) -> None:
        challenge = validating.open_challenge(str(job.payload["challenge"]), clock.now())
        if challenge is not None:
            validating.fail(challenge, _problem(error))


def _problem(error: BaseException) -> AcmeError:
    """What the client is told: that the user may not, or nothing of a fault that is ours."""
    if isinstance(error, Forbidden | UserGone):
        return AcmeError("unauthorized", GONE, status=403)
    return AcmeError("serverInternal", FAULT, status=500)


@handler(SETTLE, lock=SETTLE)
class Settle(Handler[bool, None]):
    """Orders whose process ended between taking them and buying: said so, and their quota given back."""

    def load(self, job: Job) -> bool | None:
        finalizing.give_up(clock.real_now())
        return None


@handler(FORGET, lock=FORGET)
class Forget(Handler[bool, None]):
    """Nonces too old to be used again: 100 of them, then it adds itself again while there are more."""

    def load(self, job: Job) -> bool | None:
        return nonces.forget(clock.real_now()) == nonces.CHUNK or None

    def store(self, job: Job, work: bool, result: None) -> None:
        enqueue(FORGET, run_at=clock.real_now() + PAUSE, dedupe_key=FORGET)


periodic(FORGET, 300)
periodic(SETTLE, SETTLE_SECONDS)
