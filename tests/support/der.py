"""A few lines of DER, enough to write requests that no library would write."""

import base64
from collections.abc import Callable

OID_COMMON_NAME = "2.5.4.3"
OID_EXTENSION_REQUEST = "1.2.840.113549.1.9.14"
OID_ALTERNATIVE_NAME = "2.5.29.17"
OID_ECDSA_SHA256 = "1.2.840.10045.4.3.2"
OID_RSA_SHA256 = "1.2.840.113549.1.1.11"


def tlv(tag: int, *parts: bytes) -> bytes:
    body = b"".join(parts)
    if len(body) < 0x80:
        return bytes([tag, len(body)]) + body
    size = (len(body).bit_length() + 7) // 8
    return bytes([tag, 0x80 | size]) + len(body).to_bytes(size, "big") + body


def sequence(*parts: bytes) -> bytes:
    return tlv(0x30, *parts)


def set_of(*parts: bytes) -> bytes:
    return tlv(0x31, *parts)


def integer(value: int) -> bytes:
    return tlv(0x02, value.to_bytes(value.bit_length() // 8 + 1, "big", signed=True))


def bit_string(data: bytes) -> bytes:
    return tlv(0x03, b"\x00", data)


def octets(data: bytes) -> bytes:
    return tlv(0x04, data)


def oid(dotted: str) -> bytes:
    first, second, *rest = (int(part) for part in dotted.split("."))
    return tlv(0x06, b"".join(_base128(arc) for arc in (first * 40 + second, *rest)))


def _base128(value: int) -> bytes:
    digits = [value & 0x7F]
    while value := value >> 7:
        digits.append(0x80 | (value & 0x7F))
    return bytes(reversed(digits))


def common_name(text: bytes, tag: int = 0x0C) -> bytes:
    """A subject with one CN; the tag is UTF8String unless told."""
    return sequence(set_of(sequence(oid(OID_COMMON_NAME), tlv(tag, text))))


def rsa_spki(n: int, e: int) -> bytes:
    algorithm = sequence(oid("1.2.840.113549.1.1.1"), tlv(0x05))
    return sequence(algorithm, bit_string(sequence(integer(n), integer(e))))


def dns_name(name: bytes) -> bytes:
    return tlv(0x82, name)


def extension(dotted: str, value: bytes, *, critical: bool = False) -> bytes:
    flag = tlv(0x01, b"\xff") if critical else b""
    return sequence(oid(dotted), flag, octets(value))


def alternative_names(*general_names: bytes) -> bytes:
    return extension(OID_ALTERNATIVE_NAME, sequence(*general_names))


def extension_request(*extensions: bytes) -> bytes:
    """The attribute that carries the wanted extensions (RFC 2985 §5.4.2)."""
    return sequence(oid(OID_EXTENSION_REQUEST), set_of(sequence(*extensions)))


def request(
    subject: bytes,
    spki: bytes,
    *attributes: bytes,
    sign: Callable[[bytes], bytes],
    version: int = 0,
    algorithm: str = OID_ECDSA_SHA256,
) -> bytes:
    """A PKCS#10 request (RFC 2986 §4.2)."""
    body = sequence(integer(version), subject, spki, tlv(0xA0, *sorted(attributes)))
    parameters = tlv(0x05) if algorithm == OID_RSA_SHA256 else b""
    return sequence(body, sequence(oid(algorithm), parameters), bit_string(sign(body)))


def pem(der: bytes, label: str = "CERTIFICATE REQUEST") -> str:
    body = base64.encodebytes(der).decode().replace("\n", "")
    lines = [body[i : i + 64] for i in range(0, len(body), 64)]
    return "\n".join([f"-----BEGIN {label}-----", *lines, f"-----END {label}-----", ""])
