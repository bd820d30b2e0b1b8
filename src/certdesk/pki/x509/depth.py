"""How deep DER is nested, looked at before any parser that recurses sees it."""

MOST = 32
"""Levels; a certificate with every extension has about 12, a PKCS#12 store about 20."""

_CONSTRUCTED, _LONG_FORM, _LONG_TAG = 0x20, 0x80, 0x1F
_MOST_LENGTH_BYTES = 4


def too_deep(der: bytes, most: int = MOST) -> bool:
    """Whether constructed values lie in one another more than `most` levels. Linear; never raises.

    What is no DER ends the look: the parser that follows says so.
    """
    ends: list[int] = []
    at = 0
    while at < len(der):
        while ends and at >= ends[-1]:
            ends.pop()
        tag, start, length = _head(der, at)
        if start < 0:
            return False
        if tag & _CONSTRUCTED and length:
            ends.append(start + length)
            if len(ends) > most:
                return True
            at = start
        else:
            at = start + length
    return False


def _head(der: bytes, at: int) -> tuple[int, int, int]:
    """(first byte of the tag, where the value starts, its length); start -1 for what is no DER."""
    tag, at = der[at], at + 1
    if tag & _LONG_TAG == _LONG_TAG:
        while at < len(der) and der[at] & _LONG_FORM:
            at += 1
        at += 1
    if at >= len(der):
        return tag, -1, 0
    length, at = der[at], at + 1
    if length & _LONG_FORM:
        count = length & ~_LONG_FORM
        if not 0 < count <= _MOST_LENGTH_BYTES or at + count > len(der):
            return tag, -1, 0
        length, at = int.from_bytes(der[at : at + count]), at + count
    return tag, at, length
