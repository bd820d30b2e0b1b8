"""JSON and base64url as RFC 7515 and RFC 8555 want them: one spelling of everything, and nothing twice."""

import binascii
import json
import re
from typing import Any

from certdesk.lifecycle.enrolment.errors import malformed

DEEPEST = 12
_UNSTORABLE = re.compile("[\0\ud800-\udfff]")
_CHARACTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
_ALPHABET = re.compile(r"[A-Za-z0-9_-]*\Z")
_LAST = {0: _CHARACTERS, 2: _CHARACTERS[::16], 3: _CHARACTERS[::4]}
"""What the last character may be, by the length: the bits of it that belong to no byte are zero."""
_PLAIN = str.maketrans("-_", "+/")


def unb64(text: object, what: str) -> bytes:
    """The bytes of base64url without padding, in its one spelling.

    Raises:
        AcmeError: malformed.
    """
    if not isinstance(text, str) or not _ALPHABET.match(text) or len(text) % 4 == 1:
        raise malformed(f"{what} is not base64url without padding.")
    if text and text[-1] not in _LAST[len(text) % 4]:
        raise malformed(f"{what} is not base64url in its one spelling.")
    return binascii.a2b_base64(text.translate(_PLAIN) + "==")


def read(data: bytes, what: str) -> dict[str, Any]:
    """A JSON object; no member twice, no number that JSON does not have, not nested too deeply.

    Raises:
        AcmeError: malformed.
    """
    try:
        found = json.loads(data.decode("utf-8"), object_pairs_hook=_once, parse_constant=_refuse)
    except (ValueError, RecursionError):
        raise malformed(f"{what} is not well-formed JSON in UTF-8, or has a member twice.") from None
    if not isinstance(found, dict):
        raise malformed(f"{what} is not a JSON object.")
    if _depth(found) > DEEPEST:
        raise malformed(f"{what} is nested too deeply.")
    return found


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs) or any("\0" in name for name in found):
        raise ValueError("a member twice, or U+0000")
    if any(isinstance(value, str) and _UNSTORABLE.search(value) for value in found.values()):
        raise ValueError("U+0000 or half a character")
    return found


def _refuse(name: str) -> None:
    raise ValueError(name)


def _depth(one: object) -> int:
    """How deep lists and objects are nested; without recursion, since clients choose the depth."""
    deepest, rest = 0, [(one, 1)]
    while rest:
        value, level = rest.pop()
        if isinstance(value, dict | list):
            deepest = max(deepest, level)
            rest += [(each, level + 1) for each in (value.values() if isinstance(value, dict) else value)]
    return deepest
