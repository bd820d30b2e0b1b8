"""Conditions on a certificate's tags as SQL; `c` is the certificate of the statement around them."""

from certdesk.foundation.common import sql

from . import tag_rules
from .tag_rules import TagCondition

Condition = tuple[str, list[object]]
"""Text and parameters."""


def has(account_id: str, one: TagCondition) -> Condition:
    """Certificates that bear the tag, read from the index of tags: for conditions that name few."""
    values = f" AND t.value IN ({sql.marks(one.values)})" if one.values else ""
    text = (
        "c.id IN (SELECT t.certificate_id FROM certificates_tag t"
        f" WHERE t.account_id = %s AND t.key = %s{values})"
    )
    return text, [account_id, one.key, *one.values]


def has_text(account_id: str, text: str) -> Condition:
    """Certificates with the tag that `key=value` or `key` means."""
    return joined([has(account_id, one) for one in tag_rules.readings(text)], " OR ")


def bears(one: TagCondition) -> Condition:
    """The same looked up on the certificate: for conditions that most certificates meet."""
    values = f" AND t.value IN ({sql.marks(one.values)})" if one.values else ""
    text = f"EXISTS (SELECT 1 FROM certificates_tag t WHERE t.certificate_id = c.id AND t.key = %s{values})"
    return text, [one.key, *one.values]


def joined(parts: list[Condition], word: str) -> Condition:
    text = f"({word.join(part for part, _ in parts)})"
    return text, [value for _, more in parts for value in more]


def none(part: Condition) -> Condition:
    return f"NOT {part[0]}", part[1]
