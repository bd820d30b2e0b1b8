"""What an ID token must hold to be believed (OpenID Connect Core 3.1.3.7), and what it says. Pure."""

import base64
import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import jwt

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
"""Signatures alone: a MAC's key, the client's secret, would let whoever knows it make tokens."""
LEEWAY = 60
"""Seconds by which the clocks may differ."""
_STRONG = frozenset({"otp", "hwk", "swk", "sms", "tel", "fpt", "face", "iris", "retina", "vbm", "sc"})


class Unbelievable(Exception):
    """The token is not what it has to be; the text says why, for the administrator's log."""


@dataclass(frozen=True, slots=True)
class Expected:
    """What was asked for."""

    issuer: str
    client_id: str
    nonce: str
    group_claim: str = ""
    mfa_acrs: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Identity:
    """Who the provider says it is. `groups` is None where it says nothing of groups.

    Attributes:
        auth_time: when that user last proved who it is, seconds since 1970; 0 = not said.
    """

    subject: str
    email: str
    email_verified: bool
    name: str
    groups: frozenset[str] | None
    mfa: bool
    auth_time: int


def new_verifier() -> str:
    """RFC 7636: 43 characters of 256 bits."""
    return secrets.token_urlsafe(32)


def challenge_of(verifier: str) -> str:
    digest = hashlib.sha256(verifier.encode()).digest()
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")


def believe(token: str, key_set: Mapping[str, Any], expected: Expected, now: datetime) -> Identity:
    """Raises: Unbelievable."""
    claims = _signed(token, key_set)
    _check(claims, expected, now.timestamp())
    return _identity(claims, expected)


def _signed(token: str, key_set: Mapping[str, Any]) -> Mapping[str, Any]:
    """The claims of a token that a key of the provider signed; time and audience are checked by us."""
    try:
        head = jwt.get_unverified_header(token)
        key, algorithm = _key(head, key_set), str(head.get("alg"))
        options: Any = {
            "verify_exp": False,
            "verify_iat": False,
            "verify_nbf": False,
            "verify_aud": False,
            "verify_iss": False,
        }
        found: Mapping[str, Any] = jwt.decode(token, key=key, algorithms=[algorithm], options=options)
    except (jwt.PyJWTError, ValueError, TypeError) as error:
        raise Unbelievable(f"signature: {type(error).__name__}") from None
    return found


def _key(head: Mapping[str, Any], key_set: Mapping[str, Any]) -> jwt.PyJWK:
    if head.get("alg") not in ALGORITHMS:
        raise Unbelievable("algorithm")
    listed = key_set.get("keys")
    fit = [
        one
        for one in (listed if isinstance(listed, list) else [])
        if isinstance(one, dict)
        and one.get("kty") in ("RSA", "EC", "OKP")
        and one.get("use", "sig") == "sig"
        and one.get("alg", head["alg"]) == head["alg"]
        and ("kid" not in head or one.get("kid") == head["kid"])
    ]
    if len(fit) != 1:
        raise Unbelievable("key")
    return jwt.PyJWK(fit[0], algorithm=str(head["alg"]))


def _check(claims: Mapping[str, Any], expected: Expected, now: float) -> None:
    audience = claims.get("aud")
    audiences = audience if isinstance(audience, list) else [audience]
    ends, issued, before = claims.get("exp"), claims.get("iat"), claims.get("nbf", 0)
    checks = {
        "issuer": claims.get("iss") == expected.issuer,
        "audience": expected.client_id in audiences,
        "azp": claims.get("azp", expected.client_id if len(audiences) == 1 else None) == expected.client_id,
        "nonce": secrets.compare_digest(str(claims.get("nonce", "")).encode(), expected.nonce.encode()),
        "expiry": now < _number(ends, 0) + LEEWAY,
        "iat": _number(issued, now + 2 * LEEWAY) <= now + LEEWAY,
        "nbf": _number(before, now + 2 * LEEWAY) <= now + LEEWAY,
        "subject": isinstance(claims.get("sub"), str) and 0 < len(claims["sub"]) <= 255,
    }
    for name, good in checks.items():
        if not good:
            raise Unbelievable(name)


def _number(value: object, otherwise: float) -> float:
    return value if isinstance(value, int | float) and not isinstance(value, bool) else otherwise


def _identity(claims: Mapping[str, Any], expected: Expected) -> Identity:
    given = claims.get(expected.group_claim) if expected.group_claim else None
    groups = frozenset(one for one in given if isinstance(one, str)) if isinstance(given, list) else None
    email = claims.get("email")
    at = claims.get("auth_time")
    return Identity(
        subject=claims["sub"],
        email=email.strip() if isinstance(email, str) else "",
        email_verified=claims.get("email_verified") is True,
        name=str(claims.get("preferred_username") or ""),
        groups=frozenset() if expected.group_claim and groups is None else groups,
        mfa=_is_strong(claims, expected),
        auth_time=int(at) if isinstance(at, int | float) else 0,
    )


def _is_strong(claims: Mapping[str, Any], expected: Expected) -> bool:
    """RFC 8176: `mfa`, or a password together with something else; or a class that the account names."""
    amr = claims.get("amr")
    said = {one for one in amr if isinstance(one, str)} if isinstance(amr, list) else set()
    acr = claims.get("acr")
    if "mfa" in said or (said & {"pwd", "pin"} and said & _STRONG):
        return True
    return isinstance(acr, str) and acr in expected.mfa_acrs
