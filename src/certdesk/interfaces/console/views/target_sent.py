"""What was sent to a target last, what came of it, and the way to send it again."""

from typing import Any
from urllib.parse import urlencode

from django.urls import reverse
from django.utils.translation import gettext as _

from certdesk.foundation.iam.principal import Principal
from certdesk.interfaces.words.say import say
from certdesk.lifecycle.certificates.models import Certificate
from certdesk.lifecycle.deployment import queries
from certdesk.lifecycle.deployment.models import Step, Target
from certdesk.lifecycle.deployment.states import StepState

from .deployments import STEPS


def latest(principal: Principal, target: Target) -> list[dict[str, Any]]:
    """The last ten, newest first."""
    steps = queries.latest_of_target(principal, target)
    ids = {step.deployment.certificate_id for step in steps}
    names = dict(Certificate.objects.filter(id__in=ids).values_list("id", "name"))
    place = urlencode({"service": target.service, "region": target.region})
    return [_line(step, names, place) for step in steps]


def _line(step: Step, names: dict[str, str], place: str) -> dict[str, Any]:
    certificate_id = step.deployment.certificate_id
    tone, label = STEPS[StepState(step.state)]
    return {
        "step": step,
        "name": names.get(certificate_id) or _("No name"),
        "version": step.deployment.version,
        "tone": tone,
        "label": label,
        "reason": say(step.reason),
        "url": reverse("deployment", args=[step.deployment_id]),
        "again_url": f"{reverse('deploy', args=[certificate_id])}?{place}",
    }
