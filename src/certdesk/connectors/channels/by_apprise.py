"""Chat services and SMS gateways by apprise: each notice in a process of its own, under the egress rule."""

import json
from typing import Any
from urllib.parse import quote

from certdesk.connectors import guarded
from certdesk.connectors.channels.apprise_options import PHONE, ChatOptions, SmsOptions
from certdesk.connectors.channels.protocol import ChannelError, Notice, Outside, Reason
from certdesk.connectors.channels.webhook import STEPS, judge

_CHILD = "certdesk.connectors.channels.apprise_child"
_SOMEBODY = "+15555550100"  # a number that nobody has: for looking at the URL alone
_LONGEST_SMS = 300


class Apprise:
    """`Channel` over one apprise URL."""

    def __init__(self, options: ChatOptions | SmsOptions, outside: Outside) -> None:
        self._outside = outside
        self._url = options.url.get_secret_value()
        self._is_sms = isinstance(options, SmsOptions)

    async def check(self) -> None:
        await self._run({"verb": "check", "url": self._url.replace(PHONE, quote(_SOMEBODY))})

    async def send(self, notice: Notice) -> str:
        if self._is_sms and not notice.to:
            raise ChannelError(Reason.OPTIONS, "An SMS needs a phone number.", "Name the number to send to.")
        text = f"{notice.subject}. {notice.facts.get('link', '')}".strip()[:_LONGEST_SMS]
        answer = await self._run(
            {
                "verb": "send",
                "url": self._url.replace(PHONE, quote(notice.to)),
                "title": "" if self._is_sms else notice.subject,
                "body": text if self._is_sms else notice.text,
            }
        )
        statuses = answer.get("statuses", [])
        return f"HTTP {statuses[-1]}" if statuses else "Taken."

    async def _run(self, job: dict[str, Any]) -> dict[str, Any]:
        request = {
            "ports": sorted(self._outside.ports),
            "networks": [str(network) for network in self._outside.allow_networks],
            "own": [],
            **job,
        }
        scheme = self._url.partition("://")[0]
        try:
            answer = await guarded.ask(_CHILD, json.dumps(request).encode(), self._outside.seconds)
        except TimeoutError:
            seconds = f"{self._outside.seconds:g}"
            raise ChannelError(Reason.TIMEOUT, f"{scheme} did not finish within {seconds} s.") from None
        except ValueError:
            raise ChannelError(Reason.UNREACHABLE, f"{scheme} ended without an answer.") from None
        found = answer.get("result")
        if not isinstance(found, dict):
            kinds = ", ".join(answer.get("kinds", [])[:3])
            raise ChannelError(Reason.REFUSED, f"{scheme} failed: {kinds}.", STEPS[Reason.REFUSED])
        if not found["ok"]:
            raise _problem(scheme, found)
        return found


def _problem(scheme: str, found: dict[str, Any]) -> ChannelError:
    """Why apprise said no: our own rule, the last HTTP status, or no connection."""
    if found.get("refused"):
        message = f"{scheme} wanted {found['refused']}, which is not allowed."
        return ChannelError(Reason.EGRESS, message, STEPS[Reason.EGRESS])
    if found.get("unknown"):
        return ChannelError(
            Reason.OPTIONS,
            f"apprise does not understand this {scheme} URL.",
            "Compare it with apprise's documentation of the service.",
            field="options",
        )
    if found["broken"]:
        return ChannelError(Reason.UNREACHABLE, f"{scheme} could not be reached: {found['broken']}.")
    bad = [status for status in found["statuses"] if status >= 300]
    if bad:
        try:
            judge(scheme, bad[-1])
        except ChannelError as error:
            return error
    return ChannelError(Reason.REFUSED, f"{scheme} did not take the message.", STEPS[Reason.REFUSED])
