"""Pure rules of messages: which templates there are, what may stand in a header, what an answer means."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from certdesk.foundation.common import mail_address

LOCALES = ("en", "zh-hans")
LONGEST_ANSWER = 500
LONGEST_SUBJECT = 300
MAX_ATTEMPTS = 20

_SUCCESSOR = frozenset({"successor", "successor_link"})
_ENDING = _SUCCESSOR | {"domain", "name", "certificate_id", "not_after", "link", "acknowledge_link"}

TEMPLATES: Mapping[str, frozenset[str]] = {
    # DOM-2: `records` is a list of {"domain", "host", "type", "value"}
    "dns-record": frozenset({"domain", "certificate_id", "records", "link"}),
    # ORG-1; `choose_link` is a secret: whoever has it chooses
    "organization-request": frozenset({"domain", "certificate_id", "company", "choose_link", "page"}),
    "host-silent": frozenset({"name", "host", "seen_at", "places", "link"}),
    "issued": frozenset({"domain", "certificate_id", "not_after", "link"}),
    "refused": frozenset({"domain", "certificate_id", "reason", "addition", "link"}),
    "withdrawn": frozenset({"domain", "certificate_id", "addition", "link"}),
    # REV-2; `confirm_link` is a secret: whoever has it confirms
    "revocation-confirmation": frozenset(
        {"domain", "certificate_id", "company", "until", "confirm_link", "link"}
    ),
    # REI-4; `confirm_link` is a secret: whoever has it decides
    "reissue-confirmation": frozenset(
        {"domain", "certificate_id", "new_domain", "until", "confirm_link", "link"}
    ),
    "revoked": frozenset({"domain", "certificate_id", "at", "link"}),
    # DOM-8: `files` is a list of {"domain", "url", "value"}
    "proof-file": frozenset({"domain", "certificate_id", "files", "link"}),
    # DOM-9; `confirm_link` is a secret: whoever has it confirms
    "domain-confirmation": frozenset(
        {"domain", "certificate_id", "names", "company", "applicant", "until", "confirm_link", "by_reply"}
    ),
    # NTF-1; `days` is a number
    # NTF-5; `acknowledge_link` is a secret: whoever has it silences the stage
    # `successor` names what was bought to renew it, `successor_link` where that goes on; empty without one
    "expiring": _ENDING | {"days"},
    "expired": _ENDING,
    # `lines` is a list of what `expiring` has of a certificate; `days` is 0 for what has expired
    "expiring-digest": frozenset({"count", "lines", "link", "acknowledge_link"}),
    # REN-7; `cause` is one of lifecycle.renewal.causes
    "renewal-attention": frozenset(
        {"domain", "name", "certificate_id", "not_after", "cause", "reason", "link"}
    ),
    # DEP-6; `drift` is one of lifecycle.deployment.states.Drift, `place` names target and names
    "deployment-drift": frozenset({"domain", "certificate_id", "place", "drift", "mending", "link"}),
    # `reason` and `next_step`: what the certificate authority met last; `products` is a number
    "issuer-health": frozenset({"name", "down", "reason", "next_step", "products", "link"}),
    "invitation": frozenset({"name", "login", "until", "link"}),
    "password-reset": frozenset({"name", "login", "until", "link"}),
    "second-factor-reset": frozenset({"name", "login", "by", "at", "link"}),
    # the two-person rule; `summary` and `end` are whole sentences in the reader's language
    "approval-asked": frozenset({"summary", "requester", "until", "link"}),
    "approval-ended": frozenset({"summary", "requester", "end", "reason", "link"}),
    # `action` is a campaign's; `domains` are the first of `count`, `more` is how many are not named;
    # `clients`: how many of them ACME clients renew by themselves
    "campaign-started": frozenset(
        {"name", "campaign", "action", "reason", "count", "clients", "domains", "more", "link"}
    ),
    "campaign-ended": frozenset({"name", "campaign", "action", "count", "done", "domains", "more", "link"}),
    # `cause`: STOPPED with a reason; KEY, ISSUER with the first domain whose ACME client renewed in vain
    "campaign-attention": frozenset({"name", "campaign", "cause", "domain", "reason", "link"}),
    # `lines`: {"place", "verdict", "subject", "not_after"} each, `verdict` one of lifecycle.discovery.rules
    "scan-found": frozenset({"name", "scan", "count", "lines", "more", "link"}),
    # `needs`: {"domain", "state", "not_after", "link"} each; `figures`: {"count", "text", "link"}; `week`:
    # {"count", "served", "link"}; `more` a number
    "weekly": frozenset({"name", "needs", "more", "figures", "week", "link", "settings"}),
    "mail-test": frozenset({"sender", "link"}),
    "channel-test": frozenset({"sender", "link"}),
}
"""Each template with the names that its context must have."""


def mark(name: str) -> str:
    """What stands in the outbox where the mail itself has a secret."""
    return f"[[{name}]]"


_NOT_PRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]+")


@dataclass(frozen=True)
class Answer:
    """What became of one try: delivered, refused for good, or neither (try again)."""

    delivered: bool
    permanent: bool
    text: str


def one_line(text: str, limit: int) -> str:
    """Control and direction characters become a space, runs of blanks one; cut at `limit` characters."""
    return " ".join(_NOT_PRINTABLE.sub(" ", text).split())[:limit]


def check_recipient(recipient: str) -> str:
    """One bare mail address.

    Raises:
        BadParameter: it is none, or holds what could start another header or recipient.
    """
    return mail_address.check(recipient, whose="recipient", field="recipient")


def check_template(template: str, context: Mapping[str, object]) -> None:
    """Raises ValueError for an unknown template or a missing name: a mistake in the code that sends."""
    if template not in TEMPLATES:
        raise ValueError(f"unknown template {template!r}; known: {', '.join(sorted(TEMPLATES))}")
    missing = TEMPLATES[template] - set(context)
    if missing:
        raise ValueError(f"template {template!r} needs {', '.join(sorted(missing))}")


def choose_locale(locale: str) -> str:
    """The nearest of ours: Chinese of any kind, else English."""
    return "zh-hans" if locale.lower().replace("_", "-").startswith("zh") else "en"


def clean(value: Any) -> Any:
    """A context value as it may stand in a message: texts on one line, moments with their zone (NTF-2)."""
    if isinstance(value, str):
        return one_line(value, 4000)
    if isinstance(value, datetime):
        return f"{value.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
    if isinstance(value, Mapping):
        return {key: clean(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [clean(part) for part in value]
    return value


def understand(code: int, text: str) -> Answer:
    """A server's reply (RFC 5321 §4.2.1): 2yz done, 5yz refused for good, anything else: try again."""
    return Answer(200 <= code < 300, 500 <= code < 600, one_line(f"{code} {text}", LONGEST_ANSWER))
