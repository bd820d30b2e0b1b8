"""Conditions of policies: read from a document, and held against asker and row. Pure.

Each of them can be decided without the row, or is told to the database by `predicates`; what is neither is
refused when the policy is saved (law 5).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from functools import lru_cache
from ipaddress import ip_address, ip_network

from certdesk.foundation.common.errors import BadParameter

from .subjects import Asker, Resource

PROJECT_KEY, OWNER_KEY = "g:EnterpriseProjectId", "scm:Owner"
NAME_KEY, KIND_KEY, TAG_KEY = "scm:DomainName", "scm:CertificateType", "g:ResourceTag/"
PRINCIPAL_KEYS = {"g:UserId": "user_id", "g:UserName": "name"}
SOURCE_KEY, TIME_KEY, MFA_KEY = "g:SourceIp", "g:CurrentTime", "g:MFAPresent"
ROW_KEYS = frozenset({PROJECT_KEY, OWNER_KEY, NAME_KEY, KIND_KEY})
MOST_VALUES, LONGEST = 50, 255
_LONGEST_TAG_KEY = 128


class Test(StrEnum):
    """How a condition compares."""

    TEXT = "text"
    LIKE = "like"
    NETWORK = "network"
    BEFORE = "before"
    AFTER = "after"
    TRUE = "true"


@dataclass(frozen=True, slots=True)
class Condition:
    """One key of one operator; `negated` for those that are true where the test is false: StringNotEquals,
    StringNotMatch, NotIpAddress, DateLessThanEquals (not after) and DateGreaterThanEquals (not before)."""

    key: str
    values: tuple[str, ...]
    negated: bool
    test: Test = Test.TEXT

    @property
    def tag(self) -> str:
        """Key of the tag that it asks for; empty for every other condition."""
        return self.key.removeprefix(TAG_KEY) if self.key.startswith(TAG_KEY) else ""


@dataclass(frozen=True, slots=True)
class Like:
    """A value of StringMatch: a text, with anything before it, after it, or on both sides."""

    text: str
    open_start: bool
    open_end: bool

    def fits(self, value: str) -> bool:
        if self.open_start and self.open_end:
            return self.text in value
        if self.open_start:
            return value.endswith(self.text)
        return value.startswith(self.text) if self.open_end else value == self.text


def like(value: str) -> Like:
    return Like(value.strip("*"), value.startswith("*"), value.endswith("*"))


OPERATORS = {
    "StringEquals": (False, Test.TEXT),
    "StringNotEquals": (True, Test.TEXT),
    "StringMatch": (False, Test.LIKE),
    "StringNotMatch": (True, Test.LIKE),
    "IpAddress": (False, Test.NETWORK),
    "NotIpAddress": (True, Test.NETWORK),
    "DateLessThan": (False, Test.BEFORE),
    "DateLessThanEquals": (True, Test.AFTER),
    "DateGreaterThan": (False, Test.AFTER),
    "DateGreaterThanEquals": (True, Test.BEFORE),
    "Bool": (False, Test.TRUE),
}
KEYS: dict[Test, frozenset[str]] = {
    Test.TEXT: frozenset({*ROW_KEYS, *PRINCIPAL_KEYS, TAG_KEY}),
    Test.LIKE: frozenset({NAME_KEY, KIND_KEY, TAG_KEY, "g:UserName"}),
    Test.NETWORK: frozenset({SOURCE_KEY}),
    Test.BEFORE: frozenset({TIME_KEY}),
    Test.AFTER: frozenset({TIME_KEY}),
    Test.TRUE: frozenset({MFA_KEY}),
}


# --- reading -------------------------------------------------------------------------------------


def refused(sentence: str, place: str = "") -> BadParameter:
    """The refusal of a document: where in it, and why."""
    return BadParameter(
        f"{place}: {sentence}" if place else sentence,
        next_step="Correct the policy document and save it again.",
        field="policy",
    )


def texts(raw: object, place: str, limit: int) -> list[str]:
    """Raises: BadParameter: no list of strings, or an empty, long or too many of them."""
    if not isinstance(raw, list) or not 1 <= len(raw) <= limit:
        raise refused(f"A list of 1 to {limit} strings is needed.", place)
    if not all(isinstance(text, str) and 0 < len(text) <= LONGEST for text in raw):
        raise refused("Each entry must be a string of 1 to 255 characters.", place)
    return list(raw)


def read(raw: object, place: str) -> tuple[Condition, ...]:
    """The conditions of a statement.

    Raises:
        BadParameter: an operator, key or value that could not be enforced.
    """
    if not isinstance(raw, Mapping) or not raw:
        raise refused("Condition must be an object of operators.", place)
    found: list[Condition] = []
    for operator, keys in raw.items():
        if operator not in OPERATORS:
            raise refused(f"The condition operator {operator!r} is not known: {', '.join(OPERATORS)}.", place)
        if not isinstance(keys, Mapping) or not keys:
            raise refused(f"{operator} must be an object of condition keys.", f"{place}.{operator}")
        negated, test = OPERATORS[operator]
        for key, values in keys.items():
            found.append(_condition(key, values, negated, test, f"{place}.{operator}"))
    return tuple(found)


def _condition(key: object, raw: object, negated: bool, test: Test, place: str) -> Condition:
    if not isinstance(key, str) or not _is_key(key, test):
        known = ", ".join(sorted(one + "<key>" if one == TAG_KEY else one for one in KEYS[test]))
        raise refused(f"The condition key {key!r} cannot be used here: {known}.", place)
    place = f"{place}.{key}"
    values = texts(raw, place, MOST_VALUES)
    if key == NAME_KEY:
        values = [_name(value, place) for value in values]
    complaint = _complaint(values, test)
    if complaint:
        raise refused(complaint, place)
    return Condition(key, tuple(values), negated, test)


def _is_key(key: str, test: Test) -> bool:
    if key.startswith(TAG_KEY):
        return TAG_KEY in KEYS[test] and 0 < len(key) - len(TAG_KEY) <= _LONGEST_TAG_KEY
    return key in KEYS[test]


def _name(value: str, place: str) -> str:
    if not value.isascii():
        raise refused(f"Write the name {value!r} as it stands in certificates, with xn--.", place)
    return value.lower()


def _complaint(values: list[str], test: Test) -> str:
    if test is Test.LIKE and not all(map(_is_like, values)):
        return "An entry may have one * at its beginning and one at its end, and text beside them."
    if test is Test.NETWORK and not all(map(_is_network, values)):
        return "Each entry must be an IP address or network, e.g. 192.0.2.0/24."
    if test in (Test.BEFORE, Test.AFTER) and (len(values) != 1 or _moment(values[0]) is None):
        return "One moment in UTC is needed, e.g. 2026-11-30T12:00:00Z."
    if test is Test.TRUE and values not in (["true"], ["false"]):
        return '["true"] or ["false"] is needed.'
    return ""


def _is_like(value: str) -> bool:
    found = like(value)
    stars = "*" * found.open_start, "*" * found.open_end
    return bool(found.text) and "*" not in found.text and value == stars[0] + found.text + stars[1]


def _is_network(value: str) -> bool:
    try:
        ip_network(value)
    except ValueError:
        return False
    return True


@lru_cache(maxsize=256)
def _moment(text: str) -> datetime | None:
    try:
        return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    except ValueError:
        return None


# --- holding -------------------------------------------------------------------------------------


def of_row(condition: Condition) -> bool:
    """Whether the row decides, and not the asker alone."""
    return condition.key in ROW_KEYS or bool(condition.tag)


def holds_for_row(condition: Condition, resource: Resource, *, to_allow: bool) -> bool:
    """Whether the row fits.

    Of the names of a certificate every one must fit to allow, and one is enough to deny; what has no name
    fits nothing. While the names are still to be said, they bar nobody: they are asked about once more
    when they are there. A tag that is not there equals nothing.
    """
    if condition.key == NAME_KEY:
        return _names_hold(condition, resource.names, to_allow)
    if condition.tag:
        value = resource.labels().get(condition.tag)
        return (value is not None and _is_among(value, condition)) is not condition.negated
    return _is_among(_value(condition.key, resource), condition) is not condition.negated


def _value(key: str, resource: Resource) -> str:
    if key == PROJECT_KEY:
        return resource.enterprise_project_id
    return resource.owner_id if key == OWNER_KEY else resource.kind


def _names_hold(condition: Condition, names: tuple[str, ...] | None, to_allow: bool) -> bool:
    if names is None:
        return to_allow
    fitting = [_is_among(name, condition) is not condition.negated for name in names]
    return bool(fitting) and (all(fitting) if to_allow else any(fitting))


def _is_among(value: str, condition: Condition) -> bool:
    if condition.test is Test.LIKE:
        return any(like(one).fits(value) for one in condition.values)
    return value in condition.values


def holds(condition: Condition, asker: Asker) -> bool:
    """Conditions that need no row."""
    if condition.test is Test.NETWORK:
        return _from_networks(asker.source, condition)
    if condition.test is Test.TRUE:
        return (condition.values == ("true",)) is asker.mfa
    if condition.test in (Test.BEFORE, Test.AFTER):
        return _in_time(condition, asker.at)
    value = str(getattr(asker, PRINCIPAL_KEYS[condition.key]))
    return _is_among(value, condition) is not condition.negated


def _in_time(condition: Condition, at: datetime | None) -> bool:
    limit = _moment(condition.values[0])
    if at is None or limit is None:
        return False
    passed = at < limit if condition.test is Test.BEFORE else at > limit
    return passed is not condition.negated


def _from_networks(source: str, condition: Condition) -> bool:
    try:
        address = ip_address(source)
    except ValueError:
        return condition.negated  # no address, so it is in no network
    inside = any(address in ip_network(value) for value in condition.values)
    return inside is not condition.negated
