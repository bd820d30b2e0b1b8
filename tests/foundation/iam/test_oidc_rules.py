"""ID tokens: what is believed, and what they say; RFC 7636's own example."""

from datetime import UTC, datetime
from typing import Any

import jwt
import pytest

from certdesk.foundation.iam import oidc_rules as rules
from tests.support import provider as real

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
AT = int(NOW.timestamp())
KEYS = {kind: real.key(kind, kind) for kind in ("RSA", "EC")}
EXPECTED = rules.Expected("https://login.example.org", "desk", "n", "groups", frozenset({"strong"}))
CLAIMS = {"iss": EXPECTED.issuer, "aud": "desk", "sub": "s", "nonce": "n", "exp": AT + 60, "iat": AT}


def public(kind: str) -> dict[str, Any]:
    hidden = ("d", "p", "q", "dp", "dq", "qi")
    return {name: value for name, value in KEYS[kind].items() if name not in hidden}


def token(kind: str = "RSA", **claims: object) -> str:
    algorithm = "ES256" if kind == "EC" else "RS256"
    signer = jwt.PyJWK(KEYS[kind], algorithm=algorithm).key
    return jwt.encode({**CLAIMS, **claims}, signer, algorithm=algorithm, headers={"kid": kind})


def believe(text: str, keys: Any = None) -> rules.Identity:
    found = {"keys": [public("RSA"), public("EC"), "no key"]} if keys is None else keys
    return rules.believe(text, found, EXPECTED, NOW)


def test_the_challenge_of_rfc_7636() -> None:
    example = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
    assert rules.challenge_of(example) == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
    assert rules.new_verifier() != rules.new_verifier()


@pytest.mark.parametrize("kind", ["RSA", "EC"])
def test_a_good_token_says_who_it_is(kind: str) -> None:
    found = believe(token(kind, email=" a@example.com ", email_verified=True, groups=["x", 7], auth_time=AT))
    assert found == rules.Identity("s", "a@example.com", True, "", frozenset({"x"}), False, AT)
    odd = believe(token(kind, email=7, email_verified="true", groups="x", preferred_username=None))
    assert odd == rules.Identity("s", "", False, "", frozenset(), False, 0)
    plain = rules.Expected(EXPECTED.issuer, "desk", "n")
    assert rules.believe(token(kind, groups=["x"]), {"keys": [public(kind)]}, plain, NOW).groups is None


@pytest.mark.parametrize(
    ("claims", "wanted"),
    [
        ({"exp": AT - 59}, True),
        ({"exp": AT - 60}, False),
        ({"exp": True}, False),
        ({"exp": None}, False),
        ({"iat": AT + 60}, True),
        ({"iat": AT + 61}, False),
        ({"iat": "now"}, False),
        ({"nbf": AT + 60}, True),
        ({"nbf": AT + 61}, False),
        ({"aud": ["desk"]}, True),
        ({"aud": ["desk", "other"]}, False),
        ({"aud": ["desk", "other"], "azp": "desk"}, True),
        ({"azp": "other"}, False),
        ({"sub": "x" * 255}, True),
        ({"sub": "x" * 256}, False),
        ({"iss": "https://login.example.org/"}, False),
    ],
)
def test_both_sides_of_each_limit(claims: dict[str, object], wanted: bool) -> None:
    try:
        believe(token(**claims))
    except rules.Unbelievable:
        assert not wanted
    else:
        assert wanted


@pytest.mark.parametrize(
    "keys",
    [
        {},
        {"keys": "x"},
        {"keys": [public("RSA"), public("RSA")]},
        {"keys": [{**public("RSA"), "use": "enc"}]},
        {"keys": [{**public("RSA"), "alg": "RS512"}]},
        {"keys": [{"kty": "oct", "kid": "RSA", "k": "c2VjcmV0"}]},
        {"keys": [{"kty": "RSA", "kid": "RSA", "n": "AQ"}]},
    ],
)
def test_a_key_that_does_not_fit_proves_nothing(keys: dict[str, object]) -> None:
    with pytest.raises(rules.Unbelievable):
        believe(token(), keys)
    for broken in ("", "a.b.c", token()[:-8] + "AAAAAAAA"):
        with pytest.raises(rules.Unbelievable):
            believe(broken)


@pytest.mark.parametrize(
    ("claims", "strong"),
    [
        ({}, False),
        ({"amr": "mfa"}, False),
        ({"amr": ["pwd"]}, False),
        ({"amr": ["otp"]}, False),
        ({"amr": ["pwd", "otp"]}, True),
        ({"amr": ["pin", "hwk"]}, True),
        ({"amr": ["mfa", 7]}, True),
        ({"acr": "strong"}, True),
        ({"acr": "weak"}, False),
        ({"acr": ["strong"]}, False),
    ],
)
def test_what_counts_as_a_second_factor(claims: dict[str, object], strong: bool) -> None:
    # rule: IAM-3
    assert believe(token(**claims)).mfa is strong
