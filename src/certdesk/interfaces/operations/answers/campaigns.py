"""Answers about campaigns."""

from typing import Annotated

from pydantic import Field
from typing_extensions import TypedDict

from certdesk.lifecycle.campaigns.rules import Action
from certdesk.lifecycle.campaigns.states import CampaignState, ItemState

from .common import FileAnswer, Made, Marker, Moment


class CampaignFor(TypedDict):
    """Which certificates; empty = not asked for."""

    issuer: str
    key: str
    name: str
    profile: str


class CampaignCounts(TypedDict):
    """How many certificates stand where."""

    waiting: int
    cannot: int
    replacing: int
    deploying: int
    renewing: int
    revoking: int
    done: int
    failed: int
    left: int


class CampaignClients(TypedDict):
    """Certificates that ACME clients renew by themselves."""

    total: int
    done: int


class CampaignInfo(TypedDict):
    """A campaign; `total` are the certificates that it can touch; `issuer` is whom replacements come from."""

    id: str
    name: str
    query: CampaignFor
    action: Annotated[str, Field(json_schema_extra={"enum": [str(one) for one in Action]})]
    issuer: str
    reason_code: str
    reason: str
    per_minute: int
    issuer_per_minute: int
    state: Annotated[str, Field(json_schema_extra={"enum": [str(one) for one in CampaignState]})]
    note: str
    operations: list[str]
    total: int
    counts: CampaignCounts
    acme_clients: CampaignClients
    each_milliseconds: float
    seconds_left: int
    created_at: Moment
    previewed_at: Moment
    started_at: Moment
    ended_at: Moment


class CampaignPage(TypedDict):
    items: list[CampaignInfo]
    next_marker: Marker


class CampaignItem(TypedDict):
    """One certificate: as it was when the list was frozen, what came of it, and the proof.

    `new_*` is what took its place, `served` at how many places that was seen; null = nothing has yet.
    """

    certificate_id: str
    domain: str
    owner: str
    issuer: str
    serial: str
    version: int
    places: int
    acme_client: bool
    state: Annotated[str, Field(json_schema_extra={"enum": [str(one) for one in ItemState]})]
    why: str
    new_certificate_id: str
    new_issuer: str
    new_serial: str
    served: int | None
    begun_at: Moment
    ended_at: Moment
    revoked_at: Moment
    crl: str
    crl_number: int | None


class CampaignReason(TypedDict):
    why: str
    count: int


class CampaignReport(TypedDict):
    """`reasons`: why certificates are left out or failed, the most frequent first."""

    campaign: CampaignInfo
    reasons: list[CampaignReason]
    items: list[CampaignItem]
    next_marker: Marker


ANSWERS: dict[str, object] = {
    "campaigns.list": CampaignPage,
    "campaigns.create": Made,
    "campaigns.show": CampaignInfo,
    "campaigns.update": CampaignInfo,
    "campaigns.preview": CampaignInfo,
    "campaigns.start": CampaignInfo,
    "campaigns.pause": CampaignInfo,
    "campaigns.cancel": CampaignInfo,
    "campaigns.report": CampaignReport,
    "campaigns.report_file": FileAnswer("text/csv; charset=utf-8"),
}
