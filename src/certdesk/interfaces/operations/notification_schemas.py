"""Bodies and queries about channels, rules and hours of notices, and messages."""

from typing import Annotated, Any, Literal

from pydantic import Field

from .schemas import Body, Line, Number, PageQuery, Word

State = Literal["", "QUEUED", "SENT", "FAILED", "KEPT"]


class NewChannel(Body):
    """A channel; what `options` holds depends on its kind."""

    kind: Word
    label: Line = ""
    options: Annotated[dict[str, Any], Field(max_length=20)]


class ChannelChange(Body):
    """What is left out stays as it is; `***` keeps a secret."""

    label: Line | None = None
    options: Annotated[dict[str, Any], Field(max_length=20)] | None = None


class ChannelTest(Body):
    phone: Line = ""


class NewNoticeRule(Body):
    """Who is told, of which certificates, and after how many days without acknowledgement (0 = at once)."""

    scope: Literal["ACCOUNT", "PROJECT", "CERTIFICATE"] = "ACCOUNT"
    scope_id: Word = ""
    whom: Literal["APPLICANT", "CONTACT", "ADMINISTRATORS", "EMAIL", "PHONE", "CHANNEL"]
    recipient: Line = ""
    locale: Literal["en", "zh-hans"] = "en"
    after_days: Number = 0


class NoticeHours(Body):
    """Times of day as 22:30; empty = not wished."""

    zone: Word = "UTC"
    quiet_from: Word = ""
    quiet_to: Word = ""
    digest_at: Word = ""


class MessageQuery(PageQuery):
    state: State = ""
    certificate_id: Word = ""
