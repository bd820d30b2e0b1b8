"""The targets' way out to HTTP APIs: through the egress gate (law 11), failures as `TargetError`."""

import json
import ssl
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from certdesk.connectors import http
from certdesk.connectors.dns.lookup import printable
from certdesk.connectors.egress import check_host, is_allowed, is_public
from certdesk.connectors.http import Fetched, Resolve, Sent
from certdesk.connectors.protocol import ConnectorError, EgressRefused
from certdesk.connectors.targets.options import Outside
from certdesk.connectors.targets.protocol import Reason, TargetError

# What reading a field of an answer can raise when it is not shaped as documented.
BadShape = (KeyError, TypeError, ValueError, AttributeError, IndexError)
_UNPRIVILEGED = 1024
_STATUS = {
    401: (Reason.REFUSED, "Check the key of this target, and the clocks."),
    403: (Reason.REFUSED, "Give the key of this target the right to do that."),
    404: (Reason.NOT_THERE, "Let the target be looked at again (discover)."),
    408: (Reason.BUSY, ""),
    409: (Reason.BUSY, ""),
    429: (Reason.BUSY, ""),
}


async def call(
    outside: Outside,
    method: str,
    url: str,
    headers: Mapping[str, str],
    body: bytes = b"",
    tls: ssl.SSLContext | None = None,
) -> Fetched:
    """One request without redirects; any status is an answer.

    Raises:
        TargetError: NOT_ALLOWED, UNREACHABLE, TIMEOUT or BAD_ANSWER.
    """
    try:
        ports, resolver = permission(outside, url)
        return await http.fetch(
            url,
            ports=ports,
            allow_networks=outside.allow_networks,
            max_bytes=outside.max_bytes,
            total_timeout=outside.seconds,
            max_redirects=0,
            resolver=resolver,
            sent=Sent(method, headers, body),
            tls=tls,
        )
    except ConnectorError as error:
        raise refusal(error) from None


def refusal(error: ConnectorError, field: str = "") -> TargetError:
    """What the way out said, in a target's words: a closed place alone is a matter for the operator."""
    if isinstance(error, EgressRefused):
        next_step = "Ask the operator to allow the address (CERTDESK_ALLOW_NETWORKS) or port."
        found = TargetError(Reason.NOT_ALLOWED, error.message, next_step, field=field)
    else:
        late = isinstance(error.__context__, TimeoutError)
        passing = Reason.TIMEOUT if late else Reason.UNREACHABLE
        reason = Reason.BAD_ANSWER if error.permanent else passing
        next_step = "Check that the server runs and can be reached from here."
        found = TargetError(reason, error.message, next_step, field=field)
    found.sent = error.sent
    return found


def permission(outside: Outside, url: str) -> tuple[frozenset[int], Resolve | None]:
    """Ports and resolver of a call: http and odd ports are for addresses that the operator opened alone.

    A secret goes with nearly every call, and in clear it is kept inside one's own network.

    Raises:
        EgressRefused: no URL, or one of these two at a public address.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError:
        raise EgressRefused(f"{url!r:.200} is not a URL.") from None
    usual = port in outside.ports or port < _UNPRIVILEGED
    if usual and parts.scheme != "http":
        return outside.ports, outside.resolver
    refused = EgressRefused(
        f"{host} is asked over https alone, because it is outside your own network."
        if parts.scheme == "http"
        else f"Port {port} of {host} is not allowed."
    )
    address = check_host(host)
    if not isinstance(address, str) and is_public(address):
        raise refused
    asked = outside.resolver or http.system_resolve

    async def inside(name: str) -> Sequence[str]:
        found = await asked(name)
        others = [one for one in found if not is_allowed(one, ())]  # the gate looks which of them are open
        if found and not others:
            raise refused
        return others

    return (outside.ports if usual else outside.ports | {port}), inside


def parsed(answer: Fetched, what: str, host: str) -> Any:
    """The JSON of a good answer, None when its body is empty.

    Raises:
        TargetError: by the status of every other one, and BAD_ANSWER for what is no JSON.
    """
    good(answer, what, host)
    if not answer.body:
        return None
    try:
        return json.loads(answer.body)
    except ValueError:
        raise no_such_api(host) from None


def good(answer: Fetched, what: str, host: str, told: str | None = None) -> None:
    """Passes for 200 to 299.

    Args:
        told: the server's own words, where they are not the JSON that most answer with.

    Raises:
        TargetError: by the status; not with the server's words for 401, where some repeat what was sent.
    """
    if 200 <= answer.status < 300:
        return
    fallback = Reason.BUSY if answer.status >= 500 else Reason.REFUSED
    reason, next_step = _STATUS.get(answer.status, (fallback, ""))
    words = "" if answer.status == 401 else _told(answer) if told is None else told
    shown = f" ({printable(words.encode(), 200)})" if words else ""
    message = f"{what} failed: {host} answered {answer.status}{shown}."
    if not next_step and reason is Reason.REFUSED:
        next_step = "Read the server's words; correct the target or the certificate."
    raise TargetError(reason, message, next_step)


def no_such_api(host: str) -> TargetError:
    return TargetError(
        Reason.BAD_ANSWER, f"{host} did not answer as its kind of target does.", "Check the address."
    )


def _told(answer: Fetched) -> str:
    """Code and words of the usual shapes of errors."""
    try:
        body = json.loads(answer.body)
        inner = body["error"] if isinstance(body.get("error"), dict) else body
        code = (
            inner.get("error_code") or inner.get("code") or inner.get("__type") or inner.get("reason") or ""
        )
        words = inner.get("error_msg") or inner.get("message") or inner.get("Message") or ""
        listed = inner.get("errors")
        words = words or (", ".join(map(str, listed)) if isinstance(listed, list) else "")
    except BadShape:
        return ""
    return " ".join(str(part) for part in (code, words) if part)
