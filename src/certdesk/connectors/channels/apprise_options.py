"""Options of the channels that go by apprise: one URL, which holds the credentials."""

import re
from typing import Annotated, ClassVar

import pydantic
from pydantic import SecretStr

from certdesk.connectors.channels.options import ChannelOptions
from certdesk.connectors.dns.providers.options import Secret

PHONE = "{phone}"
_URL = re.compile(r"[a-z0-9]{2,30}://\S{1,2000}")
# What acts on this machine, or sends by ways that the egress gate does not lead through.
_LOCAL = frozenset({"dbus", "kde", "qt", "glib", "gnome", "macosx", "windows", "syslog", "blink1", "file"})
_OTHER_WAYS = frozenset(
    {"mailto", "mailtos", "smpp", "smpps", "mqtt", "mqtts", "xmpp", "xmpps", "irc", "ircs"}
)


def _apprise(url: SecretStr) -> SecretStr:
    text = url.get_secret_value()
    scheme = text.partition("://")[0].lower()
    if not _URL.fullmatch(text):
        raise ValueError("give a service URL as in apprise's documentation, such as slack://…")
    if scheme in _LOCAL or scheme in _OTHER_WAYS:
        raise ValueError(f"{scheme}:// is not offered here: only services that are reached by HTTP")
    return url


def _with_phone(url: SecretStr) -> SecretStr:
    if url.get_secret_value().count(PHONE) != 1:
        raise ValueError("write {phone} once, where the recipient's number stands in the URL")
    return url


Url = Annotated[Secret, pydantic.AfterValidator(_apprise)]
SmsUrl = Annotated[Url, pydantic.AfterValidator(_with_phone)]


class ChatOptions(ChannelOptions):
    """A chat room or another service that apprise knows."""

    label: ClassVar[str] = "Chat and other services"

    url: Url = pydantic.Field(
        title="Service URL",
        description="As in apprise's documentation: slack://…, msteams://…, matrixs://…, ntfys://…",
    )


class SmsOptions(ChannelOptions):
    """An SMS gateway that apprise knows."""

    label: ClassVar[str] = "SMS gateway"

    url: SmsUrl = pydantic.Field(
        title="Service URL of the gateway",
        description="With {phone} for the recipient's number, e.g. twilio://SID:TOKEN@FROM/{phone}",
    )
