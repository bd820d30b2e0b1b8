"""Answers about targets, bindings, deployments and pushes."""

from typing import Annotated, Any, Literal

from pydantic import Field
from typing_extensions import TypedDict

from certdesk.lifecycle.deployment.states import Cause, DeploymentState

from .common import Done, Made, Marker, Moment


class TargetInfo(TypedDict):
    """A server with certificates; secrets in `options` are `***`; an empty `window` is always open."""

    id: str
    service: str
    kind: str
    label: str
    region: str
    project: str
    window: dict[str, Any]
    options: dict[str, Any]
    problem: str
    next_step: str
    notes: list[str]
    asked_at: Moment
    created_at: Moment
    updated_at: Moment


class TargetPage(TypedDict):
    items: list[TargetInfo]
    next_marker: Marker


class TargetTested(TypedDict):
    """`resources`: how many certificates it has."""

    ok: bool
    resources: int
    problem: str
    next_step: str
    notes: list[str]


class BindingDesired(TypedDict):
    certificate_id: str
    version: int
    fingerprint: str


class BindingServed(TypedDict):
    certificate_id: str
    fingerprint: str


class BindingInfo(TypedDict):
    """A certificate object of a target: what it should serve, and what it serves.

    `drift`: how the two differ, empty when they do not; `exempt`: listeners and names not looked at.
    """

    id: str
    target_id: str
    service: str
    region: str
    resource: str
    names: list[str]
    listeners: list[str]
    policy: Annotated[str, Field(json_schema_extra={"enum": ["REPORT", "MEND"]})]
    desired: BindingDesired
    served: BindingServed
    deployment: Annotated[
        str, Field(json_schema_extra={"enum": ["NOT_DEPLOYED", "DEPLOYING", "DEPLOYED", "FAILED"]})
    ]
    drift: str
    exempt: list[str]
    verdict: str
    reason: str
    next_step: str
    seen_at: Moment


class BindingPage(TypedDict):
    items: list[BindingInfo]
    next_marker: Marker


class Discovered(TypedDict):
    bindings: list[BindingInfo]


class DeployFailure(TypedDict):
    resource: str
    failure_info: str


class DeployAnswer(TypedDict):
    """What failed or is not over; an empty list means that all of it is served."""

    failure_list: list[DeployFailure]
    deployment_id: str


class PlacedResource(TypedDict):
    resource_id: str
    resource_name: str


class PlacedRegion(TypedDict):
    region_id: str
    is_error: bool
    resources: list[PlacedResource]


class PlacedService(TypedDict):
    service: str
    resource_num: int
    resource_location: str
    region_resources: list[PlacedRegion]


class PlacedCertificate(TypedDict):
    certificate_id: str
    total_num: int
    deployed_resources: list[PlacedService]


class PlacedAnswer(TypedDict):
    results: list[PlacedCertificate]


class DeploymentWave(TypedDict):
    number: int
    bindings: list[str | None]


class DeploymentBefore(TypedDict):
    certificate_id: str
    fingerprint: str


class DeploymentLook(TypedDict):
    """One look from outside."""

    address: str
    name: str
    verdict: str
    sentence: str


class DeploymentStep(TypedDict):
    """One binding's part; `binding_id` is null once the target was removed."""

    binding_id: str | None
    title: str
    state: str
    verdict: str
    reason: str
    next_step: str
    before: DeploymentBefore
    can_roll_back: bool
    wave: int
    attempts: int
    retry_at: Moment
    waits_until: Moment
    exempt: list[str]
    looks: list[DeploymentLook]


class DeploymentRollout(TypedDict):
    """0 = that does not hold."""

    canary: int
    wave_size: int
    stop_after: int
    stop_percent: int


class DeploymentInfo(TypedDict):
    """`wave`: the latest that has begun; `pause_reason` where a person or a stop rule holds it."""

    id: str
    certificate_id: str
    version: int
    state: Annotated[
        str,
        Field(json_schema_extra={"enum": [state.value for state in DeploymentState]}),
    ]
    cause: Annotated[str, Field(json_schema_extra={"enum": [cause.value for cause in Cause]})]
    paused: bool
    pause_reason: str
    wave: int
    rollout: DeploymentRollout
    waves: list[DeploymentWave]
    bindings: list[DeploymentStep]
    created_at: Moment
    finished_at: Moment


class DeploymentPage(TypedDict):
    items: list[DeploymentInfo]
    next_marker: Marker


class PushResult(TypedDict):
    project_name: str
    cert_id: str
    message: str


class BatchPushAnswer(TypedDict):
    results: list[PushResult]


class PushRecordInfo(TypedDict):
    version: int
    service: str
    project: str
    ok: bool
    cert_id: str
    message: str
    pushed_at: Moment


class PushRecordPage(TypedDict):
    items: list[PushRecordInfo]
    next_marker: Marker


class PushHistoryLine(TypedDict):
    """`push_time` in milliseconds; no project for CDN."""

    push_time: str
    push_remote_project: str | None
    push_service: str


class PushHistoryAnswer(TypedDict):
    push_history_list: list[PushHistoryLine]


class AgentCode(TypedDict):
    """`code` is told this once."""

    id: str
    code: str
    expires_at: Moment


class AgentInfo(TypedDict):
    """A host with an agent."""

    id: str
    label: str
    state: Literal["WAITING", "EXPIRED", "ACTIVE", "SILENT"]
    host: str
    version: str
    target_id: str | None
    enrolled_at: Moment
    seen_at: Moment
    created_at: Moment


class AgentPage(TypedDict):
    items: list[AgentInfo]
    next_marker: Marker


class AgentPlace(TypedDict):
    """A certificate of a host; `csrs` are of keys that never leave it."""

    binding_id: str
    name: str
    names: list[str]
    listeners: list[str]
    csrs: list[str]
    deployment: str
    verdict: str
    reason: str
    next_step: str
    desired: BindingDesired
    served: BindingServed
    seen_at: Moment


class AgentDetail(AgentInfo):
    places: list[AgentPlace]


ANSWERS: dict[str, object] = {
    "targets.list": TargetPage,
    "targets.create": Made,
    "targets.show": TargetInfo,
    "targets.update": TargetInfo,
    "targets.test": TargetTested,
    "targets.discover": Discovered,
    "agents.enrolment_code": AgentCode,
    "agents.list": AgentPage,
    "agents.create": AgentCode,
    "agents.show": AgentDetail,
    "agents.update": AgentInfo,
    "bindings.list": BindingPage,
    "bindings.update": BindingInfo,
    "certificates.deploy": DeployAnswer,
    "certificates.deployed_resources": PlacedAnswer,
    "deployments.list": DeploymentPage,
    "deployments.show": DeploymentInfo,
    "deployments.retry": DeploymentInfo,
    "deployments.roll_back": DeploymentInfo,
    "deployments.pause": DeploymentInfo,
    "deployments.resume": DeploymentInfo,
    "deployments.cancel": DeploymentInfo,
    "certificates.batch_push": BatchPushAnswer,
    "certificates.push_records": PushRecordPage,
    "v2.push": Done,
    "v2.push_history": PushHistoryAnswer,
}
