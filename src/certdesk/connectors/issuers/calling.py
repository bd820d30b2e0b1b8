"""The CAs' way out: the one of the targets, its failures as `IssuerError`."""

import ssl
from collections.abc import Mapping

from certdesk.connectors.http import Fetched
from certdesk.connectors.issuers.options import Outside
from certdesk.connectors.issuers.protocol import IssuerError, Reason
from certdesk.connectors.targets import calling
from certdesk.connectors.targets.protocol import TargetError


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
        IssuerError: NOT_ALLOWED, UNREACHABLE, TIMEOUT or BAD_ANSWER.
    """
    try:
        return await calling.call(outside.as_target(), method, url, headers, body, tls)
    except TargetError as error:
        raise IssuerError(Reason(error.reason), error.message, error.next_step, sent=error.sent) from None
