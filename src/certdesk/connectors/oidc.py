"""An OpenID Connect provider, asked through the egress gate: what it is, its keys, a token for a code."""

import asyncio
import base64
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from certdesk.connectors import http
from certdesk.connectors.egress import Network
from certdesk.connectors.http import Sent
from certdesk.connectors.protocol import ConnectorError

SECONDS = 10.0
MOST_BYTES = 256 * 1024
_LOOPBACK = ("localhost", "127.0.0.1", "[::1]")


@dataclass(frozen=True, slots=True)
class Provider:
    """Where a provider's endpoints are; `algorithms` and `pkce` are what it says of itself."""

    issuer: str
    authorization: str
    token: str
    jwks: str
    end_session: str
    algorithms: tuple[str, ...]
    pkce: bool


@dataclass(frozen=True, slots=True)
class Exchange:
    """A code to be turned into a token; nothing of it is shown in `repr`."""

    code: str = field(repr=False)
    verifier: str = field(repr=False)
    client_id: str
    secret: str = field(repr=False)
    redirect_uri: str


async def discover(issuer: str, networks: Collection[Network]) -> Provider:
    """What stands at `<issuer>/.well-known/openid-configuration`.

    Raises:
        ConnectorError: no answer, another issuer in it, or an endpoint that is not https.
    """
    found = await _json(issuer, f"{issuer.rstrip('/')}/.well-known/openid-configuration", networks)
    if found.get("issuer") != issuer:
        raise ConnectorError(
            f"The provider names itself {found.get('issuer')!r:.200}, not {issuer!r:.200}.", permanent=True
        )
    algorithms = found.get("id_token_signing_alg_values_supported")
    methods = found.get("code_challenge_methods_supported")
    return Provider(
        issuer,
        _endpoint(found, "authorization_endpoint"),
        _endpoint(found, "token_endpoint"),
        _endpoint(found, "jwks_uri"),
        _endpoint(found, "end_session_endpoint") if found.get("end_session_endpoint") else "",
        tuple(map(str, algorithms)) if isinstance(algorithms, list) else (),
        isinstance(methods, list) and "S256" in methods,
    )


async def keys(provider: Provider, networks: Collection[Network]) -> Mapping[str, Any]:
    """The provider's JWK set of this moment: asked each time, so that new keys are known at once."""
    return await _json(provider.issuer, provider.jwks, networks)


async def redeem(provider: Provider, exchange: Exchange, networks: Collection[Network]) -> str:
    """The ID token for a code.

    Raises:
        ConnectorError: with the provider's error code when it refused.
    """
    given = {
        "grant_type": "authorization_code",
        "code": exchange.code,
        "redirect_uri": exchange.redirect_uri,
        "code_verifier": exchange.verifier,
    }
    headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
    pair = f"{quote(exchange.client_id, safe='')}:{quote(exchange.secret, safe='')}"  # RFC 6749, 2.3.1
    headers["Authorization"] = " ".join(("Basic", base64.b64encode(pair.encode()).decode()))
    sent = Sent("POST", headers, urlencode(given).encode())
    found = await _json(provider.issuer, provider.token, networks, sent)
    token = found.get("id_token")
    if not isinstance(token, str):
        raise ConnectorError("The provider gave no ID token.", permanent=True)
    return token


async def ask(issuer: str, networks: Collection[Network]) -> tuple[Provider, Mapping[str, Any]]:
    """Description and keys in one go."""
    provider = await discover(issuer, networks)
    return provider, await keys(provider, networks)


async def token_and_keys(
    issuer: str, exchange: Exchange, networks: Collection[Network]
) -> tuple[Provider, str, Mapping[str, Any]]:
    """Everything that a callback needs of the provider, within one limit of time."""
    async with asyncio.timeout(2 * SECONDS):
        provider = await discover(issuer, networks)
        token = await redeem(provider, exchange, networks)
        return provider, token, await keys(provider, networks)


def is_allowed_url(url: str) -> bool:
    """https, or http on this very machine for a trial."""
    try:
        parts = urlsplit(url)
        host = parts.netloc.rsplit(":", 1)[0] if parts.port else parts.netloc
    except ValueError:
        return False
    if parts.fragment or "@" in parts.netloc or not parts.hostname:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and host in _LOOPBACK)


def _endpoint(found: Mapping[str, Any], name: str) -> str:
    url = found.get(name)
    if not isinstance(url, str) or not is_allowed_url(url):
        raise ConnectorError(f"The provider's {name} is missing or no https address.", permanent=True)
    return url


async def _json(
    issuer: str, url: str, networks: Collection[Network], sent: Sent | None = None
) -> Mapping[str, Any]:
    """One JSON object; ports: those of https and of the issuer."""
    port = urlsplit(issuer).port
    answer = await http.fetch(
        url,
        ports={443, *((port,) if port else ())},
        allow_networks=networks,
        max_bytes=MOST_BYTES,
        total_timeout=SECONDS,
        max_redirects=0,
        sent=sent,
    )
    try:
        found = json.loads(answer.body)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise ConnectorError(f"The provider answered {answer.status} and no JSON object.", permanent=True)
    if answer.status != 200:
        code = str(found.get("error", ""))[:60] if str(found.get("error", "")).isprintable() else ""
        raise ConnectorError(f"The provider answered {answer.status} ({code}).", permanent=True)
    return found
