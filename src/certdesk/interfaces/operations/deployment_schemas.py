"""Bodies of targets, deployments and pushes (API §1 #6 to #9, §1.5, §1.12, §10)."""

from typing import Annotated, Any

from pydantic import Field, model_validator

from certdesk.foundation.common.errors import BadParameter

from .schemas import Body, Line, Number, Word

Options = Annotated[dict[str, Any], Field(max_length=50)]


class Window(Body):
    """When the target may be changed: days MON to SUN, times of day in a zone; no days = always."""

    days: Annotated[list[Word], Field(max_length=7)] = []
    start: Annotated[Word, Field(alias="from")] = ""
    until: Word = ""
    zone: Line = ""

    def stored(self) -> dict[str, Any]:
        """As the room of deployments reads it."""
        return self.model_dump(by_alias=True) if self.days else {}


class NewTarget(Body):
    """What `options` holds depends on the kind."""

    service: Word
    kind: Word
    region: Line
    project: Line = ""
    label: Line = ""
    window: Window | None = None
    options: Options


class TargetChange(Body):
    """What is left out stays as it is."""

    region: Line | None = None
    project: Line | None = None
    label: Line | None = None
    window: Window | None = None
    options: Options | None = None


class NewAgent(Body):
    label: Line = ""


class AgentChange(Body):
    label: Line


class BindingQuery(Body):
    limit: Number = 10
    marker: Line = ""
    target: Word = ""
    certificate: Word = ""


class BindingChange(Body):
    certificate_id: Word | None = None
    policy: Word | None = None
    exempt: Annotated[list[Line], Field(max_length=100)] | None = None


class DeployResource(Body):
    """API §1.5: WAF and ELB name an id, CDN a domain name."""

    id: Line = ""
    type: Word = ""
    domain_name: Line = ""
    enterprise_project_id: Word = "0"


class Rollout(Body):
    """Ours: `canary` places first, then waves; what stops it. 0 = that does not hold."""

    canary: Number = 0
    wave_size: Number = 0
    stop_after: Number = 0
    stop_percent: Number = 0


class Deploy(Body):
    service_name: Word
    project_name: Line = ""
    resources: Annotated[list[DeployResource], Field(max_length=500)]
    rollout: Rollout | None = None

    @model_validator(mode="before")
    @classmethod
    def _refuse_outside(cls, given: Any) -> Any:
        """Ignored like other unknown fields, it would send to all places at once who wanted a trial."""
        for field in Rollout.model_fields:
            if isinstance(given, dict) and given.get(field) is not None:
                raise BadParameter(
                    f"{field} stands beside rollout.", next_step="Write it inside rollout.", field=field
                )
        return given


class DeployedResources(Body):
    certificate_ids: Annotated[list[Word], Field(min_length=1, max_length=50)]
    service_names: Annotated[list[Word], Field(min_length=1, max_length=10)]


class DeploymentQuery(Body):
    limit: Number = 10
    marker: Line = ""
    certificate: Word = ""


class Push(Body):
    target_service: Word
    target_project: Annotated[str, Field(max_length=255)] = ""


class BatchPush(Body):
    target_service: Word
    target_projects: Annotated[
        list[Annotated[str, Field(min_length=1, max_length=32)]], Field(min_length=1, max_length=10)
    ]


class PushV2(Body):
    service_type: Word
    remote_project: Annotated[str, Field(max_length=255)] = ""
