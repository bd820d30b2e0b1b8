"""What may stand as a mail address in an envelope and a header. Pure."""

import re

from .errors import BadParameter

_LONGEST = 254  # RFC 5321 §4.5.3.1.3
_NOT_PRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_ADDRESS = re.compile(r"[^\s@,;:<>()\[\]\\\"]{1,64}@[^\s@,;:<>()\[\]\\\"]{1,255}")


def check(address: str, *, whose: str, field: str) -> str:
    """One bare mail address, as it was given.

    Args:
        whose: for the sentence, e.g. "user".

    Raises:
        BadParameter: it is none, or holds what could start another header or recipient.
    """
    if len(address) > _LONGEST or _NOT_PRINTABLE.search(address) or not _ADDRESS.fullmatch(address):
        raise BadParameter(
            f"The mail address of the {whose} is not valid.",
            next_step="Give one address like name@example.com.",
            field=field,
        )
    return address
