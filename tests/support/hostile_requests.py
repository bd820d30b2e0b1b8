"""How the hostile CSRs are written. Each case is (name, PEM, fragment)."""

import ipaddress
from collections.abc import Callable, Iterator
from functools import cache

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519
from cryptography.x509.oid import AttributeOID, AuthorityInformationAccessOID, ExtendedKeyUsageOID, NameOID

from . import der, weak_moduli

Case = tuple[str, str, str]
GOOD = "good.example.com"


@cache
def _key() -> ec.EllipticCurvePrivateKey:
    """A fixed key and deterministic signatures (RFC 6979): the cases are the same in every run."""
    return ec.derive_private_key(0x1D0C5, ec.SECP256R1())


def _spki(key: ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey | ed448.Ed448PublicKey) -> bytes:
    return key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


def _sign(body: bytes) -> bytes:
    return _key().sign(body, ec.ECDSA(hashes.SHA256(), deterministic_signing=True))


def _no_signature(body: bytes) -> bytes:
    return b"\x00" * 256


def raw(
    *attributes: bytes,
    subject: bytes = b"\x30\x00",
    spki: bytes | None = None,
    sign: Callable[[bytes], bytes] = _sign,
    version: int = 0,
    algorithm: str = der.OID_ECDSA_SHA256,
) -> bytes:
    """DER of a request written by hand; by default rightly signed with the fixed key."""
    spki = _spki(_key().public_key()) if spki is None else spki
    return der.request(subject, spki, *attributes, sign=sign, version=version, algorithm=algorithm)


def with_names(*names: bytes) -> str:
    """A rightly signed request for any bytes as DNS names."""
    return der.pem(raw(der.extension_request(der.alternative_names(*map(der.dns_name, names)))))


def built(
    *extensions: x509.ExtensionType,
    common_name: str | None = None,
    subject: tuple[x509.NameAttribute, ...] = (),
) -> x509.CertificateSigningRequestBuilder:
    """A request for the good name, with more extensions; by the library's builder."""
    attributes = list(subject)
    if common_name is not None:
        attributes.append(x509.NameAttribute(NameOID.COMMON_NAME, common_name))
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name(attributes))
    if not any(isinstance(each, x509.SubjectAlternativeName) for each in extensions):
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(GOOD)]), critical=False)
    for each in extensions:
        builder = builder.add_extension(each, critical=False)
    return builder


def signed(builder: x509.CertificateSigningRequestBuilder) -> str:
    return (
        builder.sign(_key(), hashes.SHA256(), ecdsa_deterministic=True)
        .public_bytes(serialization.Encoding.PEM)
        .decode()
    )


def _good_attribute() -> bytes:
    return der.extension_request(der.alternative_names(der.dns_name(GOOD.encode())))


def refused_forms() -> Iterator[Case]:
    """Damaged, unsigned, oversized or not a single CSR."""
    good = raw(_good_attribute())
    pem = der.pem(good)
    yield "empty text", "", "0 PEM blocks"
    yield "no PEM at all", "hello", "0 PEM blocks"
    yield "NUL bytes", "\x00" * 64, "0 PEM blocks"
    yield "two requests", pem + pem, "2 PEM blocks"
    yield "a certificate label", der.pem(good, "CERTIFICATE"), "not a CERTIFICATE REQUEST"
    yield "a private key beside it", pem + der.pem(b"\x30\x00", "PRIVATE KEY"), "private key"
    yield "an encrypted key beside it", pem + der.pem(b"\x30\x00", "ENCRYPTED PRIVATE KEY"), "private key"
    yield "no END line", pem.replace("-----END CERTIFICATE REQUEST-----", ""), "without its partner"
    yield (
        "nested BEGIN",
        pem.replace("\n", "\n-----BEGIN CERTIFICATE REQUEST-----\n", 1),
        "without its partner",
    )
    yield "PEM headers", pem.replace("\n", "\nProc-Type: 4,ENCRYPTED\n\n", 1), "without its partner"
    yield "broken Base64", pem.replace("M", "!", 1), "Base64"
    yield "Base64 outside ASCII", pem.replace("\nM", "\nＭ", 1), "Base64"
    yield "empty block", der.pem(b""), "cannot be read"
    yield "16 KiB and one character", pem + " " * (16 * 1024 + 1 - len(pem)), "at most 16384"
    yield "fifty megabytes", "A" * 50_000_000, "at most 16384"
    yield "truncated", der.pem(good[: len(good) // 2]), "cannot be read"
    yield "trailing bytes", der.pem(good + b"\x00"), "cannot be read"
    yield "nested 3,000 deep", der.pem(b"\x30\x80" * 3000), "cannot be read"
    yield "indefinite length", der.pem(b"\x30\x80" + good[4:] + b"\x00\x00"), "cannot be read"
    yield "length of 2^64", der.pem(b"\x30\x88" + b"\xff" * 8), "cannot be read"
    yield "random bytes", der.pem(bytes(range(256))), "cannot be read"
    yield "version 3", der.pem(raw(_good_attribute(), version=2)), "cannot be read"
    yield "changed signature", der.pem(good[:-1] + bytes([good[-1] ^ 1])), "signature"
    yield "changed name", der.pem(good.replace(b"good.", b"evil.")), "signature"
    yield "empty signature", der.pem(raw(_good_attribute(), sign=lambda body: b"")), "signature"
    yield "signed by another key", der.pem(raw(_good_attribute(), sign=_sign_with_another)), "signature"
    yield "signed with SHA-1", der.pem(_with_algorithm("1.2.840.10045.4.1")), "SHA1"
    yield "unknown algorithm", der.pem(_with_algorithm("1.2.3.4")), "cannot be read"
    yield "RSA with MD5 claimed", der.pem(_with_algorithm("1.2.840.113549.1.1.4")), "MD5"
    yield "RSA signature claimed", der.pem(_with_algorithm(der.OID_RSA_SHA256)), "signature"
    yield "two extension requests", der.pem(raw(_good_attribute(), _evil_attribute())), "twice"
    yield "no name at all", der.pem(raw()), "names no host"
    yield "the same extension twice", der.pem(_doubled_extension()), "cannot be read"
    yield "names in a wrong type", der.pem(raw(_broken_extension())), "cannot be read"


def _sign_with_another(body: bytes) -> bytes:
    return ec.derive_private_key(0xBAD, ec.SECP256R1()).sign(
        body, ec.ECDSA(hashes.SHA256(), deterministic_signing=True)
    )


def _with_algorithm(dotted: str) -> bytes:
    return raw(_good_attribute(), algorithm=dotted)


def _evil_attribute() -> bytes:
    return der.extension_request(der.alternative_names(der.dns_name(b"evil.example.com")))


def _doubled_extension() -> bytes:
    names = der.alternative_names(der.dns_name(GOOD.encode()))
    return raw(der.extension_request(names, names))


def _broken_extension() -> bytes:
    return der.extension_request(der.extension(der.OID_ALTERNATIVE_NAME, der.integer(5)))


def refused_keys() -> Iterator[Case]:
    """Weak, short, odd or unusable public keys."""
    good = weak_moduli.good()
    yield "RSA 1024", _rsa(weak_moduli.good(1024)), "at least 2048"
    yield "RSA 2047", _rsa(weak_moduli.good() >> 1 | 1), "at least 2048"
    yield "RSA 2049", _rsa(weak_moduli.good(2049)), "multiple of 8"
    yield "RSA 16384", _rsa((1 << 16383) | 1), "at most 8192"
    yield "RSA exponent 3", _rsa(good, 3), "small public exponent 3"
    yield "RSA huge exponent", _rsa(good, (1 << 1999) | 1), "over 256 bits"
    yield "RSA exponent 1", _rsa(good, 1), ""
    yield "RSA even exponent", _rsa(good, 65538), ""
    yield "RSA even modulus", _rsa(good + 1), ""
    yield "RSA ROCA", _rsa(weak_moduli.roca()), "ROCA"
    yield "RSA close primes", _rsa(weak_moduli.close_primes()), "Fermat"
    yield "RSA small factor", _rsa(weak_moduli.small_factor()), "small prime factor"
    yield "RSA repeated bytes", _rsa(weak_moduli.repeated_bytes()), "repeats one byte"
    yield "EC P-192", _curve(ec.SECP192R1()), "P-192"
    yield "EC P-224", _curve(ec.SECP224R1()), "secp224r1"
    yield "EC P-521", _curve(ec.SECP521R1()), "P-521"
    yield "EC secp256k1", _curve(ec.SECP256K1()), "secp256k1"
    yield "EC point not on the curve", _point(b"\x04" + b"\x01" * 64), "cannot be read"
    yield "EC point at infinity", _point(b"\x00"), "cannot be read"
    yield "EC compressed point", _point(_compressed()), "unusual form"
    yield "Ed25519", _edwards(ed25519.Ed25519PrivateKey.from_private_bytes(b"\x01" * 32)), "Ed25519"
    yield "Ed448", _edwards(ed448.Ed448PrivateKey.from_private_bytes(b"\x01" * 57)), "Ed448"
    yield "unknown key type", der.pem(raw(_good_attribute(), spki=_unknown_spki())), "cannot be read"


def _rsa(modulus: int, exponent: int = 65537) -> str:
    """Signed by nobody: a weak key is refused before its signature is looked at."""
    return der.pem(
        raw(
            _good_attribute(),
            spki=der.rsa_spki(modulus, exponent),
            sign=_no_signature,
            algorithm=der.OID_RSA_SHA256,
        )
    )


def _curve(curve: ec.EllipticCurve) -> str:
    key = ec.derive_private_key(0xC0FFEE, curve)
    return der.pem(
        raw(
            _good_attribute(),
            spki=_spki(key.public_key()),
            sign=lambda body: key.sign(body, ec.ECDSA(hashes.SHA256(), deterministic_signing=True)),
        )
    )


def _point(point: bytes) -> str:
    algorithm = der.sequence(der.oid("1.2.840.10045.2.1"), der.oid("1.2.840.10045.3.1.7"))
    return der.pem(raw(_good_attribute(), spki=der.sequence(algorithm, der.bit_string(point))))


def _compressed() -> bytes:
    return (
        _key()
        .public_key()
        .public_bytes(serialization.Encoding.X962, serialization.PublicFormat.CompressedPoint)
    )


def _edwards(key: ed25519.Ed25519PrivateKey | ed448.Ed448PrivateKey) -> str:
    algorithm = "1.3.101.112" if isinstance(key, ed25519.Ed25519PrivateKey) else "1.3.101.113"
    return der.pem(raw(_good_attribute(), spki=_spki(key.public_key()), sign=key.sign, algorithm=algorithm))


def _unknown_spki() -> bytes:
    return der.sequence(der.sequence(der.oid("1.2.3.4")), der.bit_string(b"\x00" * 32))


def refused_names() -> Iterator[Case]:
    """Names that no certificate may hold, in the SAN or as the common name."""
    names = [
        (b"exa_mple.com", "underscore"),
        (b"*.*.example.com", "a * in a wrong place"),
        (b"*.com", "wildcard directly under"),
        (b"*.co.uk", "wildcard directly under"),
        (b"com", "itself a public suffix"),
        (b"localhost", "reserved name"),
        (b"server.local", "multicast DNS"),
        (b"intranet", "single label"),
        (b"192.168.1.1", "IP address"),
        (b"a..b.example.com", "empty label"),
        (b"", "empty"),
        (b" example.com", "space"),
        (b"example.com\x00.evil.com", "control"),
        (b"example.com\r\nBcc: x@example.org", "line break"),
        (b"<script>alert(1)</script>.example.com", "web address or a path"),
        (b"../../etc/passwd", "web address or a path"),
        (b"user@example.com", "email address"),
        (b"example.com:443", "port"),
        (b"example.com.", "ends with a dot"),
        (b"x" * 64 + b".example.com", "64 characters"),
        (b"xn--a.example.com", "punycode"),
        (b"1.0.0.10.in-addr.arpa", "reverse zone"),
    ]
    for text, fragment in names:
        yield f"SAN {text[:20]!r}", with_names(GOOD.encode(), text), fragment
    yield "SAN outside ASCII", with_names("münchen.de".encode()), "xn--mnchen-3ya.de"
    yield "SAN not UTF-8", with_names(b"\xff\xfe.example.com"), "cannot be read"
    yield "SAN with 251 names", _many_names(251), "251 names"
    yield "only an address", der.pem(raw(_only(der.tlv(0x87, bytes([10, 0, 0, 1]))))), "names no host"
    yield "address of 5 bytes", der.pem(raw(_only(der.tlv(0x87, bytes(5))))), "cannot be read"
    yield "CN with an underscore", _named(b"exa_mple.com"), "underscore"
    yield "CN with NUL", _named(b"good.example.com\x00.evil.com"), "control"
    yield "CN outside ASCII", _named("münchen.de".encode()), "xn--mnchen-3ya.de"
    yield "CN an address", _named(b"10.0.0.1"), "IP address"
    yield "CN not UTF-8", _named(b"\xff\xfe.example.com"), "cannot be read"
    yield "CN an organisation alone", der.pem(raw(subject=der.common_name(b"Example Ltd"))), "names no host"


def _only(general_name: bytes) -> bytes:
    return der.extension_request(der.alternative_names(general_name))


def _named(common_name: bytes) -> str:
    return der.pem(raw(_good_attribute(), subject=der.common_name(common_name)))


def _many_names(count: int) -> str:
    return with_names(*(f"n{number}.example.com".encode() for number in range(count)))


def ignored() -> Iterator[Case]:
    """Good for `good.example.com`; what else they ask for must not reach a certificate."""
    yield "CA:TRUE", signed(built(x509.BasicConstraints(ca=True, path_length=None))), "basic constraints"
    yield "key usage certSign", signed(built(_certificate_signing())), "key usage"
    yield (
        "any extended key usage",
        signed(built(_usage(ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE))),
        "extended",
    )
    yield "code signing", signed(built(_usage(ExtendedKeyUsageOID.CODE_SIGNING))), "extended key usage"
    yield "OCSP signing", signed(built(_usage(ExtendedKeyUsageOID.OCSP_SIGNING))), "extended key usage"
    yield "policy of EV", signed(built(_policy())), "certificate policies"
    yield "CRL pointer", signed(built(_crl_pointer())), "crl distribution points"
    yield "AIA pointer inwards", signed(built(_aia_pointer())), "authority information access"
    yield "TLS feature", signed(built(x509.TLSFeature([x509.TLSFeatureType.status_request]))), "tls feature"
    yield "name constraints", signed(built(_constraints())), "name constraints"
    yield "OCSP no check", signed(built(x509.OCSPNoCheck())), "ocsp no check"
    yield "unknown extension", der.pem(raw(_with_unknown_extension())), "1.2.3.4.5"
    yield "SAN address", signed(built(_names(x509.IPAddress(ipaddress.ip_address("10.0.0.1"))))), "10.0.0.1"
    yield "SAN email", signed(built(_names(x509.RFC822Name("root@example.com")))), "root@example.com"
    yield "SAN URI", signed(built(_names(x509.UniformResourceIdentifier("https://evil.example")))), "evil"
    yield "SAN other name", signed(built(_names(_other_name()))), "OtherName"
    yield "SAN registered id", signed(built(_names(_registered_id()))), "RegisteredID"
    yield "SAN directory name", signed(built(_names(_directory_name()))), "DirectoryName"
    yield "CN a sentence", signed(built(common_name="=cmd|' /C calc'!A0")), "=cmd|"
    yield "CN an organisation", signed(built(common_name="Example Ltd.")), "Example Ltd."
    yield "CN script", signed(built(common_name="<script>alert(1)</script>")), "<script>"
    yield "CN right to left", signed(built(common_name="\u202emoc")), "\\u202emoc"
    yield "subject of another company", signed(built(subject=_company())), "Bank of Elsewhere"
    yield "challenge password", signed(_with_password()), "challenge password"


def _usage(oid: x509.ObjectIdentifier) -> x509.ExtendedKeyUsage:
    return x509.ExtendedKeyUsage([oid])


def _certificate_signing() -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=True,
        crl_sign=True,
        encipher_only=False,
        decipher_only=False,
    )


def _policy() -> x509.CertificatePolicies:
    return x509.CertificatePolicies(
        [x509.PolicyInformation(x509.ObjectIdentifier("2.23.140.1.1"), policy_qualifiers=None)]
    )


def _crl_pointer() -> x509.CRLDistributionPoints:
    location = x509.UniformResourceIdentifier("http://169.254.169.254/crl")
    return x509.CRLDistributionPoints([x509.DistributionPoint([location], None, None, None)])


def _aia_pointer() -> x509.AuthorityInformationAccess:
    location = x509.UniformResourceIdentifier("http://127.0.0.1/ca")
    return x509.AuthorityInformationAccess(
        [x509.AccessDescription(AuthorityInformationAccessOID.CA_ISSUERS, location)]
    )


def _constraints() -> x509.NameConstraints:
    return x509.NameConstraints([x509.DNSName("example.com")], None)


def _with_unknown_extension() -> bytes:
    return der.extension_request(
        der.alternative_names(der.dns_name(GOOD.encode())),
        der.extension("1.2.3.4.5", b"\x05\x00", critical=True),
    )


def _names(other: x509.GeneralName) -> x509.SubjectAlternativeName:
    return x509.SubjectAlternativeName([x509.DNSName(GOOD), other])


def _other_name() -> x509.OtherName:
    return x509.OtherName(x509.ObjectIdentifier("1.3.6.1.4.1.311.20.2.3"), b"\x0c\x04root")


def _registered_id() -> x509.RegisteredID:
    return x509.RegisteredID(x509.ObjectIdentifier("1.2.3.4"))


def _directory_name() -> x509.DirectoryName:
    return x509.DirectoryName(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "evil.example.com")]))


def _company() -> tuple[x509.NameAttribute, ...]:
    return (
        x509.NameAttribute(NameOID.COUNTRY_NAME, "US"),
        x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Bank of Elsewhere"),
        x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, "Vault"),
    )


def _with_password() -> x509.CertificateSigningRequestBuilder:
    return built().add_attribute(AttributeOID.CHALLENGE_PASSWORD, b"hunter2")
