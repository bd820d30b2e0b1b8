"""The few DER forms that a TBSCertificate needs (X.690), and a strict reader for our own check of it.

Writing it ourselves has two reasons: the bytes that were checked and linted are the very bytes that are
signed, and everything constant is encoded once an authority instead of once a certificate.
"""

from collections.abc import Iterator
from datetime import datetime

from cryptography.x509 import ObjectIdentifier

_UTC_TIME_ENDS = 2050  # RFC 5280 §4.1.2.5: GeneralizedTime from this year on

TRUE = b"\x01\x01\xff"


def tlv(tag: int, content: bytes) -> bytes:
    length = len(content)
    if length < 0x80:
        return bytes((tag, length)) + content
    size = (length.bit_length() + 7) // 8
    return bytes((tag, 0x80 | size)) + length.to_bytes(size, "big") + content


def sequence(*parts: bytes) -> bytes:
    return tlv(0x30, b"".join(parts))


def integer(value: int) -> bytes:
    """A non-negative INTEGER, with the zero octet that keeps a high bit from meaning minus."""
    return tlv(0x02, value.to_bytes(value.bit_length() // 8 + 1, "big"))


def object_identifier(oid: ObjectIdentifier) -> bytes:
    first, second, *rest = (int(part) for part in oid.dotted_string.split("."))
    return tlv(0x06, b"".join(_base128(arc) for arc in (40 * first + second, *rest)))


def _base128(arc: int) -> bytes:
    digits = [arc & 0x7F]
    while arc := arc >> 7:
        digits.append(arc & 0x7F | 0x80)
    return bytes(reversed(digits))


def octet_string(content: bytes) -> bytes:
    return tlv(0x04, content)


def bit_string(content: bytes) -> bytes:
    return tlv(0x03, b"\x00" + content)


def utf8_string(text: str) -> bytes:
    return tlv(0x0C, text.encode())


def printable_string(text: str) -> bytes:
    return tlv(0x13, text.encode("ascii"))


def time(moment: datetime) -> bytes:
    """Time in UTC to the second, in the form that RFC 5280 asks for its year."""
    if moment.year < _UTC_TIME_ENDS:
        return tlv(0x17, moment.strftime("%y%m%d%H%M%SZ").encode())
    return tlv(0x18, moment.strftime("%Y%m%d%H%M%SZ").encode())


def read(data: bytes) -> Iterator[tuple[int, bytes, bytes]]:
    """(tag, content, whole element) of each element in a row; one-octet tags and definite lengths only.

    Raises:
        ValueError: the data ends in the middle of an element.
    """
    start, end = 0, len(data)
    while start < end:
        content, stop = _extent(data, start)
        if stop > end:
            raise ValueError("an element ends behind the data")
        yield data[start], data[content:stop], data[start:stop]
        start = stop


def _extent(data: bytes, start: int) -> tuple[int, int]:
    """Where the content of the element begins and ends."""
    try:
        length = data[start + 1]
    except IndexError:
        raise ValueError("an element has no length") from None
    begin = start + 2
    if length & 0x80:
        size = length & 0x7F
        length = int.from_bytes(data[begin : begin + size], "big")
        begin += size
    return begin, begin + length
