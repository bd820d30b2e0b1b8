"""What a tag may be, and what a search by tags may ask for (API §1.9). Pure."""

import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from certdesk.foundation.common.errors import BadParameter

from .filters import check_limit

MOST = 20
"""Tags of one certificate; keys of one list of a search; values of one key."""

KEY_LIMIT, VALUE_LIMIT = 128, 255
SIGNS = "_.:/=+-@"
BAD_KEY, BAD_VALUE, BAD_LIST = "SCM.0311", "SCM.0312", "SCM.0313"
NAME = "resource_name"
LISTS = ("tags", "tags_any", "not_tags", "not_tags_any")


@dataclass(frozen=True, slots=True)
class TagPair:
    key: str
    value: str = ""


@dataclass(frozen=True, slots=True)
class TagCondition:
    """A key with one of these values; no values = any."""

    key: str
    values: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TagSearch:
    """The body of a search by tags.

    Attributes:
        tags: all of these; tags_any: at least one of these.
        not_tags: not all of these; not_tags_any: none of these.
        without_any_tag: only what has no tag; the four lists are left aside then.
        name: keyword over the certificate's name; empty = any.
    """

    tags: tuple[TagCondition, ...] = ()
    tags_any: tuple[TagCondition, ...] = ()
    not_tags: tuple[TagCondition, ...] = ()
    not_tags_any: tuple[TagCondition, ...] = ()
    without_any_tag: bool = False
    name: str = ""
    limit: int = 10
    offset: int = 0
    counting: bool = field(default=False, kw_only=True)


def check_tags(tags: Sequence[TagPair], *, least: int = 1) -> None:
    """The tags of one request.

    Raises:
        BadParameter: none or more than 20, a key twice, or a key or value that is no tag's.
    """
    if not least <= len(tags) <= MOST:
        raise _bad(
            f"{len(tags)} tags were given.", f"Give {least} to {MOST} tags in one request.", "tags", BAD_LIST
        )
    twice = _first_double(one.key for one in tags)
    if twice is not None:
        raise _bad(
            f"The tag key {twice!r} is given twice.", "Give each key once, with one value.", "tags", BAD_LIST
        )
    for one in tags:
        check_key(one.key)
        check_value(one.value)


def check_key(key: str) -> None:
    """1 to 128 characters: letters of any script, digits, spaces and _ . : / = + - @

    Raises:
        BadParameter: what is wrong with it.
    """
    fault = "has no characters" if not key else _fault(key, KEY_LIMIT)
    if not fault and key.startswith("_sys_"):
        fault = "starts with _sys_, which is kept for the system"
    if fault:
        raise _bad(
            f"The tag key {_shown(key)} {fault}.",
            f"Use 1 to {KEY_LIMIT} letters, digits, spaces and {SIGNS}",
            "key",
            BAD_KEY,
        )


def check_value(value: str) -> None:
    """0 to 255 characters, the same ones.

    Raises:
        BadParameter: what is wrong with it.
    """
    fault = _fault(value, VALUE_LIMIT)
    if fault:
        raise _bad(
            f"The tag value {_shown(value)} {fault}.",
            f"Use up to {VALUE_LIMIT} letters, digits, spaces and {SIGNS}",
            "value",
            BAD_VALUE,
        )


def check_room(present: Iterable[str], added: Iterable[str]) -> None:
    """A certificate holds 20 tags; a key that it has already takes no further room.

    Raises:
        BadParameter: there would be more.
    """
    count = len({*present, *added})
    if count > MOST:
        raise _bad(
            f"The certificate would have {count} tags; at most {MOST} are allowed.",
            "Remove tags that are not needed any more.",
            "tags",
            BAD_LIST,
        )


def check_search(asked: TagSearch) -> None:
    """The limits of API §1.9.

    Raises:
        BadParameter: names the list or parameter in `field`.
    """
    if not asked.counting:
        check_limit(asked.limit)
        if not 0 <= asked.offset < 2**31:
            raise _bad(f"offset {asked.offset} is not allowed.", "Use 0 or more.", "offset", "")
    for name in LISTS:
        _check_list(name, getattr(asked, name))


def _check_list(name: str, conditions: Sequence[TagCondition]) -> None:
    if len(conditions) > MOST:
        raise _bad(f"{name} has {len(conditions)} keys.", f"Give at most {MOST}.", name, BAD_KEY)
    twice = _first_double(one.key for one in conditions)
    if twice is not None:
        raise _bad(f"{name} has the key {twice!r} twice.", "Give each key once.", name, BAD_KEY)
    for one in conditions:
        if not 0 < len(one.key) <= KEY_LIMIT:
            raise _bad(
                f"{name} has a key of {len(one.key)} characters.", f"Use 1 to {KEY_LIMIT}.", name, BAD_KEY
            )
        _check_values(name, one)


def _check_values(name: str, one: TagCondition) -> None:
    if len(one.values) > MOST:
        raise _bad(
            f"{name} has {len(one.values)} values for the key {one.key!r}.",
            f"Give at most {MOST}.",
            name,
            BAD_VALUE,
        )
    if _first_double(one.values) is not None:
        raise _bad(
            f"{name} has a value twice for the key {one.key!r}.", "Give each value once.", name, BAD_VALUE
        )
    longest = max(map(len, one.values), default=0)
    if longest > VALUE_LIMIT:
        raise _bad(
            f"{name} has a value of {longest} characters.", f"Use at most {VALUE_LIMIT}.", name, BAD_VALUE
        )


def read_name(matches: Sequence[TagPair]) -> str:
    """The keyword of `matches`, whose only key is `resource_name`.

    Raises:
        BadParameter: another key, or the key twice.
    """
    unknown = next((one.key for one in matches if one.key != NAME), None)
    if unknown is not None or len(matches) > 1:
        what = f"The key {_shown(unknown)}" if unknown is not None else f"{NAME} given twice"
        raise _bad(f"{what} in matches is not supported.", f"Use {NAME} once.", "matches", "")
    if matches and len(matches[0].value) > VALUE_LIMIT:
        raise _bad("The value in matches is too long.", f"Use at most {VALUE_LIMIT}.", "matches", "")
    return matches[0].value if matches else ""


def readings(text: str) -> tuple[TagCondition, ...]:
    """What `key=value` or `key` may mean: a key may hold `=` itself, so each one may part the two."""
    places = [place for place, sign in enumerate(text) if sign == "="]
    parted = [TagCondition(text[:place], (text[place + 1 :],)) for place in places if place]
    return (TagCondition(text), *parted[:MOST])


def _fault(text: str, limit: int) -> str:
    """The first fault as the end of a sentence; empty when there is none."""
    if len(text) > limit:
        return f"has {len(text)} characters; at most {limit} are allowed"
    if text != text.strip(" "):
        return "starts or ends with a space"
    strange = next((one for one in text if not _is_allowed(one)), "")
    return f"has the character {_shown(strange)}, which is not allowed" if strange else ""


def _is_allowed(sign: str) -> bool:
    """Letters of any script with their marks, decimal digits, the space and a few signs."""
    kind = unicodedata.category(sign)
    return sign == " " or sign in SIGNS or kind[0] in "LM" or kind == "Nd"


def _first_double(found: Iterable[str]) -> str | None:
    seen: set[str] = set()
    for one in found:
        if one in seen:
            return one
        seen.add(one)
    return None


def _shown(text: str | None) -> str:
    """Safe to quote: `repr` escapes what cannot be printed."""
    whole = text or ""
    return repr(whole if len(whole) <= 40 else f"{whole[:37]}...")


def _bad(message: str, next_step: str, where: str, code: str) -> BadParameter:
    return BadParameter(message, next_step=next_step, field=where, code=code)
