"""Bodies of campaigns (API §10)."""

from typing import Annotated

from pydantic import Field

from .schemas import Body, Line, Number, Word


class CampaignQuery(Body):
    """Which certificates; what is given must all hold, and something is given."""

    issuer: Word = ""
    key: Annotated[str, Field(max_length=128)] = ""
    name: Line = ""
    profile: Word = ""


class NewCampaign(Body):
    """`reason_code` as for one revocation; `issuer`: the slug of whom replacements come from, empty = another
    one of the product's order than `query` names."""

    name: Line
    query: CampaignQuery
    action: Word
    issuer: Word = ""
    reason_code: Word = ""
    reason: Annotated[str, Field(max_length=1024)] = ""
    per_minute: Number = 900
    issuer_per_minute: Number = 0


class ReportQuery(Body):
    limit: Number = 10
    marker: Word = ""
    state: Word = ""
