"""An oracle of policies that knows nothing of the evaluator but the grammar, and policies by chance."""

import os
import random
from datetime import UTC, datetime
from typing import Any

from certdesk.foundation.iam import rules
from certdesk.foundation.iam.principal import PolicyGrant, Resource
from certdesk.foundation.iam.rules import Asker

SETS = 20_000 if os.environ.get("CERTDESK_SIZE") == "full" else 2_000
KNOWN = [
    f"{service}:{kind}:{verb}" for service in ("scm", "bss") for kind in ("cert", "csr") for verb in "abc"
]
KNOWN += ["scm:cert:subscribe", "scm:cert:apply"]
PATTERNS = [
    *KNOWN,
    "*",
    "scm:*",
    "scm:cert:*",
    "*:*:a",
    "scm:c*:b",
    "scm:cert:purchase",
    "SCM:x:y".lower(),
    "bss:*:c*",
]
RESOURCES = ["scm:*:*:cert:*", "scm:*:a1:cert:scs1", "scm:*:a2:*:*", "*:*:*:cert:scs*", "*:*:*:csr:scs1"]
WHEN = datetime(2026, 11, 30, 12, tzinfo=UTC)
CONDITIONS: list[dict[str, Any]] = [
    {"StringEquals": {"g:EnterpriseProjectId": ["p1"]}},
    {"StringNotEquals": {"scm:Owner": ["u1", "u2"]}},
    {"StringEquals": {"g:UserName": ["alice"]}},
    {"IpAddress": {"g:SourceIp": ["192.0.2.0/24", "10.0.0.1"]}},
    {"NotIpAddress": {"g:SourceIp": ["192.0.2.0/24"]}},
    {"DateLessThan": {"g:CurrentTime": ["2026-11-30T12:00:00Z"]}},
    {"DateLessThanEquals": {"g:CurrentTime": ["2026-11-30T12:00:00Z"]}},
    {"DateGreaterThan": {"g:CurrentTime": ["2026-11-30T12:00:00Z"]}},
    {"DateGreaterThanEquals": {"g:CurrentTime": ["2026-11-30T12:00:00Z"]}},
    {"Bool": {"g:MFAPresent": ["true"]}, "StringEquals": {"scm:Owner": ["u1"]}},
    {"Bool": {"g:MFAPresent": ["false"]}},
    {"StringEquals": {"scm:DomainName": ["a.example", "b.example"]}},
    {"StringNotEquals": {"scm:DomainName": ["b.example"]}},
    {"StringMatch": {"scm:DomainName": ["*.shop.example"]}},
    {"StringMatch": {"scm:DomainName": ["www*", "*example"]}},
    {"StringNotMatch": {"scm:DomainName": ["*shop*"]}},
    {"StringEquals": {"scm:CertificateType": ["DV_SSL_CERT"]}},
    {"StringNotMatch": {"scm:CertificateType": ["OV*"]}},
    {"StringEquals": {"g:ResourceTag/team": ["web", "Shop"]}},
    {"StringNotEquals": {"g:ResourceTag/team": ["web"]}},
    {"StringMatch": {"g:ResourceTag/team": ["S*"], "g:ResourceTag/env": ["*o*"]}},
    {"StringNotMatch": {"g:ResourceTag/env": ["*d"]}},
]
NAMES = ["a.example", "b.example", "www.shop.example", "shop.example", "*.shop.example", "www"]
TAGS = [("team", "web"), ("team", "Shop"), ("team", "shop"), ("env", "prod"), ("env", "100_o")]
Held = list[tuple[dict[str, Any], str]]
"""Documents with their projects."""


# --- the oracle: knows nothing of the evaluator but the grammar ----------------------------------


def oracle(held: Held, action: str, row: Resource, asker: Asker) -> bool:
    effects = {
        one["Effect"]
        for document, project in held
        for one in document["Statement"]
        if project in ("", row.enterprise_project_id)
        and any(like(name, pattern) for pattern in one["Action"] for name in names(action))
        and ("Resource" not in one or any(inside(text, action, row) for text in one["Resource"]))
        and all(
            true(one["Effect"], operator, key, values, row, asker)
            for operator, keys in one.get("Condition", {}).items()
            for key, values in keys.items()
        )
    }
    return effects == {"Allow"}


def names(action: str) -> list[str]:
    return [
        action,
        *(
            {"scm:cert:subscribe": ["scm:cert:purchase"], "scm:cert:apply": ["scm:cert:complete"]}.get(
                action, []
            )
        ),
    ]


def like(text: str, pattern: str) -> bool:
    """Shell-like: a * is any text."""
    if "*" not in pattern:
        return text == pattern
    head, rest = pattern.split("*", 1)
    return text.startswith(head) and any(like(text[cut:], rest) for cut in range(len(head), len(text) + 1))


def inside(pattern: str, action: str, row: Resource) -> bool:
    service, _region, account, kind, path = pattern.split(":", 4)
    wanted = [(service, action.split(":")[0]), (account, row.account_id), (kind, row.type), (path, row.id)]
    return all(like(value, one) for one, value in wanted)


def true(effect: str, operator: str, key: str, values: list[str], row: Resource, asker: Asker) -> bool:
    if key == "scm:DomainName":
        one_by_one = [compared(operator, name, values) for name in row.names or ()]
        outside, inside_ = one_by_one.count(False), one_by_one.count(True)
        return inside_ > 0 and (effect == "Deny" or outside == 0)
    if key.startswith("g:ResourceTag/"):
        mine = [value for tag, value in row.tags if tag == key.split("/", 1)[1]]  # type: ignore[union-attr]
        return compared(operator, mine[0], values) if mine else "Not" in operator
    if key == "scm:CertificateType":
        return compared(operator, row.kind, values)
    have = {
        "g:EnterpriseProjectId": row.enterprise_project_id,
        "scm:Owner": row.owner_id,
        "g:UserName": asker.name,
        "g:MFAPresent": str(asker.mfa).lower(),
        "g:CurrentTime": asker.at.strftime("%Y-%m-%dT%H:%M:%SZ") if asker.at else "",
    }.get(key, "")
    near = asker.source.startswith("192.0.2.") or ("10.0.0.1" in values and asker.source == "10.0.0.1")
    return {
        "StringEquals": have in values,
        "Bool": have in values,
        "StringNotEquals": have not in values,
        "IpAddress": near,
        "NotIpAddress": not near,
        "DateLessThan": have < values[0],
        "DateLessThanEquals": have <= values[0],
        "DateGreaterThan": have > values[0],
        "DateGreaterThanEquals": have >= values[0],
    }[operator]


def compared(operator: str, have: str, values: list[str]) -> bool:
    fits = any(like(have, one) if "Match" in operator else have == one for one in values)
    return fits is ("Not" not in operator)


# --- random policies -----------------------------------------------------------------------------


def some_statement(dice: random.Random, *, plain: bool = False) -> dict[str, Any]:
    found: dict[str, Any] = {
        "Effect": dice.choice(["Allow", "Allow", "Deny"]),
        "Action": dice.sample(PATTERNS, dice.randint(1, 3)),
    }
    if dice.random() < 0.3:
        found["Resource"] = dice.sample(RESOURCES, dice.randint(1, 2))
    if not plain and dice.random() < 0.4:
        found["Condition"] = dice.choice(CONDITIONS)
    return found


def some_held(dice: random.Random, *, plain: bool = False) -> Held:
    return [
        (
            {
                "Version": "1.1",
                "Statement": [some_statement(dice, plain=plain) for _ in range(dice.randint(1, 3))],
            },
            dice.choice(["", "", "p1"]),
        )
        for _ in range(dice.randint(0, 4))
    ]


def read(held: Held) -> tuple[PolicyGrant, ...]:
    return tuple(
        PolicyGrant(str(place), rules.parse(one), project) for place, (one, project) in enumerate(held)
    )


def some_row(dice: random.Random) -> Resource:
    return Resource(
        dice.choice(["cert", "csr"]),
        dice.choice(["scs1", "scs12", "x"]),
        "a1",
        dice.choice(["0", "p1"]),
        dice.choice(["u1", "u3"]),
        tuple(dice.sample(NAMES, dice.randint(0, 2))),
        dice.choice(["DV_SSL_CERT", "OV_SSL_CERT", ""]),
        tuple({key: (key, value) for key, value in dice.sample(TAGS, dice.randint(0, 2))}.values()),
    )
