"""PEM text (RFC 7468) read strictly and within limits, before any ASN.1 parser sees a byte."""

import base64
import binascii
import re
from dataclasses import dataclass

_BLOCK = re.compile(r"-----BEGIN ([A-Z0-9 ]{1,40})-----([^-]*)-----END \1-----")
_MARKER = re.compile(r"-----(?:BEGIN|END)\b")
_LINE = 64


class BadPem(ValueError):
    """The text is no PEM; the message is the end of a sentence."""


@dataclass(frozen=True, slots=True)
class Block:
    label: str
    der: bytes


def read_blocks(text: str) -> list[Block]:
    """Every block of the text in order; text around the blocks is allowed, as `openssl -text` prints it.

    Raises:
        BadPem: a block is not closed, nested, has headers, or its Base64 is broken.
    """
    blocks = [Block(found[1], _decode(found[2])) for found in _BLOCK.finditer(text)]
    if len(_MARKER.findall(text)) != 2 * len(blocks):
        raise BadPem("has a BEGIN or END line without its partner, or something else between the two")
    return blocks


def _decode(body: str) -> bytes:
    try:
        return base64.b64decode("".join(body.split()), validate=True)
    except (binascii.Error, ValueError) as fault:
        raise BadPem("has a block that is not correct Base64") from fault


def write_block(label: str, der: bytes) -> str:
    """One PEM block with lines of 64 characters and a line feed at the end."""
    body = base64.b64encode(der).decode("ascii")
    lines = [body[start : start + _LINE] for start in range(0, len(body), _LINE)]
    return "\n".join([f"-----BEGIN {label}-----", *lines, f"-----END {label}-----", ""])
