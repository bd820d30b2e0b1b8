"""Phone numbers as gateways take them. Pure."""

import re

_E164 = re.compile(r"\+[1-9][0-9]{6,14}")
_FORMATTING = re.compile(r"[\s().\-/]")


def international(text: str) -> str:
    """`+442079460000` from `+44 20 7946 0000`; empty where no country stands in front (E.164)."""
    found = _FORMATTING.sub("", text)
    return found if _E164.fullmatch(found) else ""
