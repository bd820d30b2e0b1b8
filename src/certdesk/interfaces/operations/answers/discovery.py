"""Answers about scans and endpoints."""

from typing import Annotated

from pydantic import Field
from typing_extensions import TypedDict

from certdesk.lifecycle.discovery.models import Repeat, ScanState
from certdesk.lifecycle.discovery.rules import Verdict

from .common import Made, Marker, Moment


class ScanInfo(TypedDict):
    """A scan; `looked` of `total` places in its present or last run, `found` certificates seen in it."""

    id: str
    name: str
    ranges: list[str]
    ports: list[str]
    sni: list[str]
    protocol: str
    targets: bool
    per_second: int
    repeat: Annotated[str, Field(json_schema_extra={"enum": [str(one) for one in Repeat]})]
    state: Annotated[str, Field(json_schema_extra={"enum": [str(one) for one in ScanState]})]
    looked: int
    total: int
    found: int
    note: str
    created_at: Moment
    started_at: Moment
    finished_at: Moment
    next_at: Moment


class ScanPage(TypedDict):
    items: list[ScanInfo]
    next_marker: Marker


class EndpointInfo(TypedDict):
    """What was last served at one place. `certificate_id`: empty where it is none of the account's."""

    id: str
    host: str
    address: str
    port: int
    name: str
    protocol: str
    verdicts: Annotated[
        list[str], Field(json_schema_extra={"items": {"enum": [str(one) for one in Verdict]}})
    ]
    fingerprint: str
    serial: str
    subject: str
    issuer: str
    names: list[str]
    not_before: Moment
    not_after: Moment
    tls_version: str
    chain_problem: str
    certificate_id: str
    version: int
    binding_id: str
    scan_id: str
    reason: str
    first_seen: Moment
    last_seen: Moment


class EndpointPage(TypedDict):
    items: list[EndpointInfo]
    next_marker: Marker


class Adopted(TypedDict):
    certificate_id: str


ANSWERS: dict[str, object] = {
    "scans.list": ScanPage,
    "scans.create": Made,
    "scans.show": ScanInfo,
    "scans.update": ScanInfo,
    "scans.run": ScanInfo,
    "scans.cancel": ScanInfo,
    "endpoints.list": EndpointPage,
    "endpoints.adopt": Adopted,
}
