"""The policies that every account has (IAM-2) and the groups it starts with. Data.

`scm:organization:decide` stands in SCM RA Officer alone (ORG-5): whoever may do everything else with
certificates still cannot approve an organization.
"""

from collections.abc import Mapping

Document = dict[str, object]

_SCM_TYPES = (
    "acmeCredential",
    "agent",
    "approval",
    "audit",
    "binding",
    "campaign",
    "cert",
    "certProduct",
    "certType",
    "company",
    "contact",
    "csr",
    "dnsConnection",
    "domain",
    "issuer",
    "message",
    "notification",
    "privacyProtection",
    "pushHistory",
    "scan",
    "target",
    "tool",
)
_EVERYTHING_OF_SCM = [
    *(f"scm:{kind}:*" for kind in _SCM_TYPES),
    "scm:organization:list",
    "scm:organization:get",
]
_READING = [
    "scm:cert:list*",
    "scm:cert:get",
    "scm:certType:get",
    "scm:certProduct:get",
    "scm:pushHistory:list",
    "scm:csr:list",
    "scm:csr:get",
    "scm:domain:list",
    "scm:issuer:list",
    "scm:target:list",
    "scm:binding:list",
    "scm:scan:list",
    "scm:campaign:list",
    "scm:tool:use",
]


def _allow(*actions: str) -> Document:
    return {"Version": "1.1", "Statement": [{"Effect": "Allow", "Action": list(actions)}]}


SYSTEM_POLICIES: Mapping[str, tuple[str, Document]] = {
    "SCM Administrator": (
        "Everything about certificates, and the account's users, groups, policies and projects.",
        _allow(*_EVERYTHING_OF_SCM, "iam:*", "eps:*"),
    ),
    "SCM FullAccess": ("Everything about certificates.", _allow(*_EVERYTHING_OF_SCM)),
    "SCM ReadOnlyAccess": ("See certificates, types and products; change nothing.", _allow(*_READING)),
    "SCM RA Officer": (
        "Check organizations and approve or reject them.",
        _allow("scm:organization:list", "scm:organization:get", "scm:organization:decide"),
    ),
    "BSS Administrator": ("Orders, payment, balance.", _allow("bss:*")),
    "DNS Administrator": ("DNS zones and records.", _allow("dns:*")),
    "Certdesk Operator": (
        "Prices, balances, vouchers and coupons of every account; works in the operating account alone.",
        _allow("certdesk:*"),
    ),
}
OPERATOR = "Certdesk Operator"
"""Given to the administrators of the account that operates the installation, and to nobody else."""

GROUPS: Mapping[str, tuple[str, ...]] = {
    "admins": tuple(name for name in SYSTEM_POLICIES if name != OPERATOR),
    "users": ("SCM FullAccess", "BSS Administrator", "DNS Administrator"),
    "readers": ("SCM ReadOnlyAccess",),
    "officers": ("SCM RA Officer", "SCM ReadOnlyAccess"),
}
