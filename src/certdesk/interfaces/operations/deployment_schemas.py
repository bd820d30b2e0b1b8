"""Bodies of targets, deployments and pushes (API §1 #6 to #9, §1.5, §1.12, §10)."""

from typing import Annotated, Any

from pydantic import Field

from .schemas import Body, Line, Number, Word

Options = Annotated[dict[str, Any], Field(max_length=50)]


class NewTarget(Body):
    """What `options` holds depends on the kind."""

    service: Word
    kind: Word
    region: Line
    project: Line = ""
    label: Line = ""
    options: Options


class TargetChange(Body):
    """What is left out stays as it is."""

    region: Line | None = None
    project: Line | None = None
    label: Line | None = None
    options: Options | None = None


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


class Deploy(Body):
    service_name: Word
    project_name: Line = ""
    resources: Annotated[list[DeployResource], Field(max_length=100)]


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
