"""A certificate or CSR as text with everything in it, in the words that other tools print (RFC 5280)."""

from collections.abc import Callable, Iterator
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from . import keys
from .certificates import algorithm_name, serial_hex
from .explaining import USAGES

_LINE = 16  # bytes of hex in a line
_USES = (
    ("digital_signature", "digitalSignature"),
    ("content_commitment", "nonRepudiation"),
    ("key_encipherment", "keyEncipherment"),
    ("data_encipherment", "dataEncipherment"),
    ("key_agreement", "keyAgreement"),
    ("key_cert_sign", "keyCertSign"),
    ("crl_sign", "cRLSign"),
)


def of_certificate(one: x509.Certificate) -> str:
    """Lines with two spaces of indent a level, ended by a line feed."""
    lines = [
        "Certificate:",
        f"  Version: {one.version.value + 1}",
        f"  Serial Number: {_colons(bytes.fromhex(serial_hex(one.serial_number).removeprefix('-')))}",
        f"  Signature Algorithm: {algorithm_name(one.signature_algorithm_oid)}",
        f"  Issuer: {_name(one.issuer)}",
        "  Validity:",
        f"    Not Before: {one.not_valid_before_utc:%Y-%m-%d %H:%M:%S} UTC",
        f"    Not After:  {one.not_valid_after_utc:%Y-%m-%d %H:%M:%S} UTC",
        f"  Subject: {_name(one.subject)}",
        *_key(one.public_key()),
        "  Extensions:",
        *_extensions(one.extensions),
        f"  Signature: {algorithm_name(one.signature_algorithm_oid)}",
        *_hex(one.signature),
    ]
    return _joined(lines)


def of_request(one: x509.CertificateSigningRequest) -> str:
    """As `of_certificate`; a challenge password is a secret and stays out."""
    lines = [
        "Certificate Request:",
        f"  Subject: {_name(one.subject)}",
        *_key(one.public_key()),
        "  Requested Extensions:",
        *_requested(one),
        f"  Signature: {algorithm_name(one.signature_algorithm_oid)}",
        *_hex(one.signature),
    ]
    return _joined(lines)


def _requested(one: x509.CertificateSigningRequest) -> list[str]:
    try:
        return list(_extensions(one.extensions))
    except Exception:  # noqa: BLE001 - parsers raise many types for foreign bytes
        return ["    (cannot be read)"]


def _joined(lines: list[str]) -> str:
    """Foreign text cannot break a line, colour a terminal or turn the direction of reading."""
    return "".join(
        "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in line) + "\n" for line in lines
    )


def _name(name: x509.Name) -> str:
    return name.rfc4514_string() or "(empty)"


def _key(public_key: Any) -> Iterator[str]:
    yield f"  Public Key: {keys.describe(public_key)}"
    if isinstance(public_key, rsa.RSAPublicKey):
        numbers = public_key.public_numbers()
        yield f"    Exponent: {numbers.e}"
        yield "    Modulus:"
        yield from _hex(numbers.n.to_bytes((numbers.n.bit_length() + 7) // 8), 6)
    elif isinstance(public_key, ec.EllipticCurvePublicKey):
        yield f"    Curve: {public_key.curve.name}"
    yield f"    SHA-256 of the SPKI: {_colons(keys.spki_sha256(public_key))}"


def _extensions(found: x509.Extensions) -> Iterator[str]:
    for one in found:
        word = _WORDS.get(type(one.value), one.oid.dotted_string)
        yield f"    {word}:{' critical' if one.critical else ''}"
        write = _WRITERS.get(type(one.value), _unknown)
        yield from (f"      {line}" for line in write(one.value))


def _unknown(value: Any) -> Iterator[str]:
    if isinstance(value, x509.UnrecognizedExtension):
        yield from (line.strip() for line in _hex(value.value))
    else:
        yield from (line.strip() for line in _hex(value.public_bytes()))


def _key_usage(value: x509.KeyUsage) -> Iterator[str]:
    found = [word for attribute, word in _USES if getattr(value, attribute)]
    if value.key_agreement:
        found += ["encipherOnly"] * value.encipher_only + ["decipherOnly"] * value.decipher_only
    yield ", ".join(found)


def _extended_usage(value: x509.ExtendedKeyUsage) -> Iterator[str]:
    yield ", ".join(USAGES.get(oid.dotted_string, oid.dotted_string) for oid in value)


def _constraints(value: x509.BasicConstraints) -> Iterator[str]:
    length = "" if value.path_length is None else f", pathlen:{value.path_length}"
    yield f"CA:{'TRUE' if value.ca else 'FALSE'}{length}"


def _alternative_names(value: Any) -> Iterator[str]:
    yield from (_general(name) for name in value)


def _general(name: x509.GeneralName) -> str:
    word = _GENERAL.get(type(name), type(name).__name__)
    held = name.value
    return f"{word}:{held.rfc4514_string() if isinstance(held, x509.Name) else held}"


def _subject_key(value: x509.SubjectKeyIdentifier) -> Iterator[str]:
    yield _colons(value.digest)


def _authority_key(value: x509.AuthorityKeyIdentifier) -> Iterator[str]:
    yield f"keyid:{_colons(value.key_identifier)}" if value.key_identifier else "(no keyid)"
    yield from (_general(name) for name in value.authority_cert_issuer or ())


def _information(value: x509.AuthorityInformationAccess) -> Iterator[str]:
    known = {"1.3.6.1.5.5.7.48.1": "OCSP", "1.3.6.1.5.5.7.48.2": "CA Issuers"}
    for one in value:
        method = one.access_method.dotted_string
        yield f"{known.get(method, method)} - {_general(one.access_location)}"


def _points(value: x509.CRLDistributionPoints) -> Iterator[str]:
    for point in value:
        yield from (_general(name) for name in point.full_name or ())


def _policies(value: x509.CertificatePolicies) -> Iterator[str]:
    for policy in value:
        yield policy.policy_identifier.dotted_string
        for qualifier in policy.policy_qualifiers or ():
            yield f"  {qualifier if isinstance(qualifier, str) else 'user notice'}"


def _trees(value: x509.NameConstraints) -> Iterator[str]:
    for word, names in (("Permitted", value.permitted_subtrees), ("Excluded", value.excluded_subtrees)):
        yield from (f"{word}: {_general(name)}" for name in names or ())


def _timestamps(value: Any) -> Iterator[str]:
    for one in value:
        yield f"log {one.log_id.hex()} at {one.timestamp:%Y-%m-%d %H:%M:%S} UTC"


_GENERAL: dict[type, str] = {
    x509.DNSName: "DNS",
    x509.IPAddress: "IP Address",
    x509.RFC822Name: "email",
    x509.UniformResourceIdentifier: "URI",
    x509.DirectoryName: "DirName",
    x509.RegisteredID: "Registered ID",
    x509.OtherName: "othername",
}
_WORDS: dict[type, str] = {
    x509.KeyUsage: "Key Usage",
    x509.ExtendedKeyUsage: "Extended Key Usage",
    x509.BasicConstraints: "Basic Constraints",
    x509.SubjectAlternativeName: "Subject Alternative Name",
    x509.IssuerAlternativeName: "Issuer Alternative Name",
    x509.SubjectKeyIdentifier: "Subject Key Identifier",
    x509.AuthorityKeyIdentifier: "Authority Key Identifier",
    x509.AuthorityInformationAccess: "Authority Information Access",
    x509.CRLDistributionPoints: "CRL Distribution Points",
    x509.CertificatePolicies: "Certificate Policies",
    x509.NameConstraints: "Name Constraints",
    x509.PolicyConstraints: "Policy Constraints",
    x509.PrecertificateSignedCertificateTimestamps: "Signed Certificate Timestamps",
    x509.TLSFeature: "TLS Feature",
}
_WRITERS: dict[type, Callable[[Any], Iterator[str]]] = {
    x509.KeyUsage: _key_usage,
    x509.ExtendedKeyUsage: _extended_usage,
    x509.BasicConstraints: _constraints,
    x509.SubjectAlternativeName: _alternative_names,
    x509.IssuerAlternativeName: _alternative_names,
    x509.SubjectKeyIdentifier: _subject_key,
    x509.AuthorityKeyIdentifier: _authority_key,
    x509.AuthorityInformationAccess: _information,
    x509.CRLDistributionPoints: _points,
    x509.CertificatePolicies: _policies,
    x509.NameConstraints: _trees,
    x509.PrecertificateSignedCertificateTimestamps: _timestamps,
}


def _hex(data: bytes, indent: int = 4) -> Iterator[str]:
    for start in range(0, len(data), _LINE):
        yield " " * indent + _colons(data[start : start + _LINE])


def _colons(data: bytes) -> str:
    return data.hex(":")
