"""A deployment held by a person: paused, resumed, or cancelled. What has begun is ended in peace."""

from django.db.models import QuerySet

from certdesk.foundation.common import clock
from certdesk.foundation.common.errors import WrongState
from certdesk.foundation.common.sql import short_transaction
from certdesk.foundation.iam.principal import Principal

from . import actions, following, stepping
from .models import Binding, Deployment, Step
from .states import OPEN, StepState

BY_A_PERSON = "Somebody paused it."
OVER = "This deployment is over."
SEE = "Look at its places; deploy again where that is wanted."


def pause(principal: Principal, deployment_id: str) -> Deployment:
    """No further place is begun until it is resumed.

    Raises:
        NoDeployment, NoCertificate, Forbidden: as `actions.retry`.
        WrongState: it is over, or paused already.
    """
    deployment = actions.fetch(principal, deployment_id)
    with short_transaction():
        now = _open(deployment)
        if now.paused:
            raise WrongState("This deployment is paused already.", next_step="Resume or cancel it.")
        Deployment.objects.filter(id=now.id).update(paused=True, pause_reason=BY_A_PERSON)
        stepping.settle(now)
        actions.note(principal, "deployment.pause", now, _waiting(now).count())
    return deployment


def resume(principal: Principal, deployment_id: str) -> Deployment:
    """Goes on with what has not begun; a stop rule that held it does not hold it again.

    Raises:
        NoDeployment, NoCertificate, Forbidden: as `actions.retry`.
        WrongState: it is not paused.
    """
    deployment = actions.fetch(principal, deployment_id)
    with short_transaction():
        now = _open(deployment)
        if not now.paused:
            raise WrongState("This deployment is not paused.", next_step="Wait for it, or pause it.")
        ruled = now.pause_reason != BY_A_PERSON
        rules = {"canary": 0, "stop_after": 0, "stop_percent": 0} if ruled else {}
        Deployment.objects.filter(id=now.id).update(paused=False, pause_reason="", **rules)
        sent = stepping.send_waiting(now, principal.user_id)
        stepping.plan_tries(now)
        stepping.settle(now)
        actions.note(principal, "deployment.resume", now, sent)
    return deployment


def cancel(principal: Principal, deployment_id: str) -> Deployment:
    """Gives up what has not begun: those places should serve again what they should before.

    Raises:
        NoDeployment, NoCertificate, Forbidden: as `actions.retry`.
        WrongState: it is over, or nothing of it waits.
    """
    deployment = actions.fetch(principal, deployment_id)
    with short_transaction():
        now = _open(deployment)
        waiting = list(_waiting(now))
        if not waiting:
            raise WrongState(
                "Every place of this deployment has begun.", next_step="Wait for it, then roll it back."
            )
        for step in waiting:
            Binding.objects.filter(id=step.binding_id).update(**step.undo)
        Step.objects.filter(id__in=[one.id for one in waiting], state=StepState.PLANNED).update(
            state=StepState.CANCELLED, waits_until=None, updated_at=clock.real_now()
        )
        Deployment.objects.filter(id=now.id).update(paused=False, pause_reason="")
        stepping.settle(now)
        following.catch_up(str(one.binding_id) for one in waiting)
        actions.note(principal, "deployment.cancel", now, len(waiting))
    return deployment


def _open(deployment: Deployment) -> Deployment:
    now = Deployment.objects.select_for_update().get(id=deployment.id)
    if not Step.objects.filter(deployment=now, state__in=OPEN).exists():
        raise WrongState(OVER, next_step=SEE)
    return now


def _waiting(deployment: Deployment) -> QuerySet[Step]:
    return Step.objects.filter(deployment=deployment, state=StepState.PLANNED).order_by("id")
