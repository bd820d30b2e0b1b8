"""Whatever a lower room said, in the reader's language.

A shape is a sentence with its changing parts named; what matches a shape whole is translated part by part.
English readers get what the room wrote.
"""

import re
from collections.abc import Mapping
from functools import lru_cache

from django.utils.translation import get_language, gettext
from django.utils.translation.trans_real import parse_accept_lang_header

from certdesk.foundation.common.errors import CertdeskError

from . import (
    acme,
    acme_issuers,
    applying,
    approvals,
    authority,
    ca_orders,
    campaigns,
    certcentral,
    certificates,
    clouds,
    connections,
    delivering,
    deploying,
    discovery,
    followups,
    hosts,
    issuers,
    keys,
    money,
    names,
    notices,
    organization,
    people,
    places,
    policies,
    proving,
    records,
    renewing,
    revoking,
    states,
    tags_and_csrs,
    tools,
    uploads,
    vault_pki,
    web_servers,
)

SHAPES = (
    *names.SHAPES,
    *keys.SHAPES,
    *authority.SHAPES,
    *ca_orders.SHAPES,
    *certificates.SHAPES,
    *applying.SHAPES,
    *money.SHAPES,
    *proving.SHAPES,
    *organization.SHAPES,
    *records.SHAPES,
    *connections.SHAPES,
    *approvals.SHAPES,
    *deploying.SHAPES,
    *delivering.SHAPES,
    *discovery.SHAPES,
    *web_servers.SHAPES,
    *clouds.SHAPES,
    *vault_pki.SHAPES,
    *hosts.SHAPES,
    *issuers.SHAPES,
    *acme_issuers.SHAPES,
    *certcentral.SHAPES,
    *people.SHAPES,
    *places.SHAPES,
    *policies.SHAPES,
    *uploads.SHAPES,
    *tools.SHAPES,
    *tags_and_csrs.SHAPES,
    *renewing.SHAPES,
    *revoking.SHAPES,
    *followups.SHAPES,
    *campaigns.SHAPES,
    *notices.SHAPES,
    *acme.SHAPES,
    *states.TITLES,
)
_PARAMETER = re.compile(r"%\((\w+)\)s")
_LATIN = re.compile(r"[a-z]")
_NEXT_SENTENCE = re.compile(r"(?<=\.) (?=[A-Z0-9'\"`])")
_OURS = {"allowed", "detail", "event", "fault", "field", "file", "from", "held", "item", "kind", "means"} | {
    *{"method", "more", "person", "place", "problem", "servers", "silent", "state", "step", "told"},
    *{"values", "wait", "way", "what", "where", "whose", "why"},
}
"""Parts that a room words; all others hold what people and servers gave, which stays as it is."""
_LONGEST, _MOST_SENTENCES = 4000, 8
"""What is longer than so many characters is no sentence of ours; longer rows are not taken apart."""


class Pattern:
    """A shape taken apart: what is fixed, and the names of what lies between."""

    def __init__(self, shape: str) -> None:
        self.shape = shape
        self.first, *self.rest = _PARAMETER.split(shape)[::2]
        self.names = _PARAMETER.findall(shape)

    def parts(self, text: str) -> dict[str, str] | None:
        """The parts where `text` is such a sentence; each as short as can be. Linear in the text."""
        if not self.rest:
            return {} if text == self.first else None
        at, end = len(self.first), len(text) - len(self.rest[-1])
        if at > end or not text.startswith(self.first) or not text.endswith(self.rest[-1]):
            return None
        values = []
        for fixed in self.rest[:-1]:
            found = text.find(fixed, at, end)
            if found < 0:
                return None
            values.append(text[at:found])
            at = found + len(fixed)
        return dict(zip(self.names, [*values, text[at:end]], strict=True))


def _fixed(shape: str) -> int:
    return len(_PARAMETER.sub("", shape))


PATTERNS = tuple(map(Pattern, sorted(dict.fromkeys(SHAPES), key=_fixed, reverse=True)))
ABOUT = "%(label)s: %(what)s"
WHOLE = tuple(
    one for one in PATTERNS if one.shape[0].isupper() or one.shape.endswith(".") or one.shape == ABOUT
)
"""What can stand by itself; the rest is a part of another sentence, and too little to know one by."""


def chinese() -> bool:
    """Whether the active language is Chinese; everything else reads English."""
    return (get_language() or "en").startswith("zh")


def language(meta: Mapping[str, str]) -> str:
    """The language of an answer to a program: `X-Language`, else `Accept-Language`, else English."""
    wanted = meta.get("HTTP_X_LANGUAGE", "") or meta.get("HTTP_ACCEPT_LANGUAGE", "")
    first = next((name for name, _ in parse_accept_lang_header(wanted.lower())), "")
    return "zh-hans" if first.startswith("zh") else "en"


def say(text: str) -> str:
    """The sentence, or the sentences, in the reader's language; as it came where nothing is known of it."""
    return _said(text, WHOLE) or text if text and chinese() else text


def both(error: CertdeskError) -> str:
    """A refusal with its next step."""
    parts = [say(part) for part in (error.message, error.next_step) if part]
    return "".join(parts) if _ended(parts) else " ".join(parts)


@lru_cache(maxsize=4096)
def _said(text: str, patterns: tuple[Pattern, ...]) -> str:
    """The translation; empty where there is none."""
    known = gettext(text)
    return known if known != text else _shaped(text, patterns) or _apart(text, patterns)


def _apart(text: str, patterns: tuple[Pattern, ...]) -> str:
    """Several sentences in a row, each of them known."""
    ends = list(_NEXT_SENTENCE.finditer(text[:_LONGEST]))
    for end in ends if len(ends) < _MOST_SENTENCES else ():
        said = _said(text[: end.start()], patterns)
        and_then = said and _said(text[end.end() :], patterns)
        if and_then:
            return said + and_then
    return ""


def _shaped(text: str, patterns: tuple[Pattern, ...]) -> str:
    """By the shape that leaves the least of the text as it was, and says the most itself."""
    if len(text) > _LONGEST:
        return ""
    fitting = ((one.shape, one.parts(text)) for one in patterns)
    said = [_filled(shape, parts) for shape, parts in fitting if parts is not None]
    return min(filter(None, said), key=lambda one: len(_LATIN.findall(one)), default="")


def _filled(shape: str, parts: dict[str, str]) -> str:
    said = {name: _part(name, part) for name, part in parts.items()}
    if said == parts and not _LATIN.search(_PARAMETER.sub("", shape)):
        return ""  # punctuation alone fits anybody's text
    if any(part == said[name] and _NEXT_SENTENCE.search(part) for name, part in parts.items()):
        return ""  # a second sentence was taken for a part of the first
    return gettext(shape) % said


def _part(name: str, text: str) -> str:
    return _said(text, PATTERNS) or text if text and name in _OURS else text


def _ended(parts: list[str]) -> bool:
    """Sentences that end in a full stop of theirs need no space between them."""
    return all(part.endswith(("。", "！", "？")) for part in parts[:-1])
