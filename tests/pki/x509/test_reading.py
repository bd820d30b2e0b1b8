"""Reading whatever is brought: forms, limits, order; and the whole text. No byte raises another error."""

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address, ip_network
from types import SimpleNamespace

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    pkcs7,
)
from cryptography.x509.oid import AuthorityInformationAccessOID, CertificatePoliciesOID, NameOID
from hypothesis import given
from hypothesis import strategies as st

from certdesk.pki.x509 import converting, depth, explaining, reading, whole_text
from certdesk.pki.x509.errors import CannotRead
from certdesk.pki.x509.reading import Content, Opened
from tests.support.requests_of import request_for
from tests.support.uploads import World, cn, key_of, key_pem, pem

WORLD = World()
DER = WORLD.usual.public_bytes(Encoding.DER)


def locked(content: bytes, password: str) -> Opened:
    raise CannotRead("The content is protected by a password, or is damaged.", field="password")


def read(content: bytes, password: str = "") -> Content:
    return reading.read(content, password, locked)


def refused(content: bytes) -> CannotRead:
    with pytest.raises(CannotRead) as caught:
        read(content)
    return caught.value


def test_each_form_is_known_by_itself() -> None:
    assert read(DER).format == "DER"
    assert read(pem(WORLD.usual).encode()).certificates == (WORLD.usual,)
    assert read(b"\xef\xbb\xbf" + pem(WORLD.usual).encode()).certificates == (WORLD.usual,)
    for encoding, form in ((Encoding.DER, "PKCS7"), (Encoding.PEM, "PEM")):
        bundle = read(pkcs7.serialize_certificates([WORLD.usual, WORLD.issuing], encoding))
        assert (bundle.format, len(bundle.certificates)) == (form, 2)
    asked = x509.load_pem_x509_csr(request_for("www.example.com").pem.encode())
    assert read(asked.public_bytes(Encoding.DER)).requests == (asked,)
    key = key_of(1)
    for form in (PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL):
        assert len(read(key_pem(key, form=form).encode()).keys) == 1
        assert len(read(key.private_bytes(Encoding.DER, form, _plain())).keys) == 1
    edwards = ed25519.Ed25519PrivateKey.generate()
    assert len(read(key_pem(edwards).encode()).keys) == 1
    parameters = "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n"
    assert len(read((parameters + key_pem(key)).encode()).keys) == 1


def _plain() -> object:
    from cryptography.hazmat.primitives.serialization import NoEncryption

    return NoEncryption()


def test_what_has_a_password_is_opened_elsewhere() -> None:
    key = key_of(1)
    for content in (
        key_pem(key, b"secret").encode(),
        key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret")),
        b"\xfe\xed\xfe\xed" + bytes(20),
    ):
        assert refused(content).field == "password"
    plain = key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, _plain())
    opened = reading.read(
        key_pem(key, b"secret").encode(), "secret", lambda content, password: Opened((), (plain,))
    )
    assert len(opened.keys) == 1
    assert "secret" not in repr(opened) + repr(Opened((), (plain,)))
    old = key_pem(key, b"secret", PrivateFormat.TraditionalOpenSSL).encode()
    assert "openssl pkcs8 -topk8" in refused(old).next_step


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"  \n", "empty"),
        (b"hello", "holds no certificate"),
        (b"\x30\x03\x02\x01\x01", "cannot be read"),
        (b"-----BEGIN CERTIFICATE-----\nMAA=", "BEGIN or END"),
        (b"-----BEGIN DH PARAMETERS-----\nMAA=\n-----END DH PARAMETERS-----", "holds no certificate"),
        (b"-----BEGIN PUBLIC KEY-----\nMAA=\n-----END PUBLIC KEY-----", "holds a PUBLIC KEY"),
        (b"\x30\x80" * 40 + bytes(80), "cannot be read"),
        (b"".join(b"\x30\x82" + (400 - 4 * n).to_bytes(2) for n in range(1, 50)) + bytes(300), "levels"),
    ],
)
def test_what_cannot_be_read_is_said(content: bytes, words: str) -> None:
    fault = refused(content)
    assert words in fault.message
    assert fault.next_step


def test_keys_of_other_kinds_and_sizes_are_refused() -> None:
    other = dsa.generate_private_key(2048)
    assert "no server" in refused(key_pem(other).encode()).message
    huge = rsa.RSAPrivateNumbers(
        p=3,
        q=(1 << 8200) + 1,
        d=3,
        dmp1=1,
        dmq1=1,
        iqmp=1,
        public_numbers=rsa.RSAPublicNumbers(3, (1 << 8200) * 3 + 3),
    ).private_key(unsafe_skip_rsa_key_validation=True)
    assert "8192 are read" in refused(key_pem(huge).encode()).message


@given(st.binary(max_size=400), st.integers(0, len(DER) - 1))
def test_no_bytes_raise_anything_else(noise: bytes, at: int) -> None:
    for content in (noise, DER[:at] + noise[:3] + DER[at + 3 :], b"-----BEGIN CERTIFICATE-----" + noise):
        depth.too_deep(content)
        with suppress(CannotRead):
            read(content)


def test_depth_counts_what_lies_in_one_another() -> None:
    def nested(levels: int) -> bytes:
        inner = b"\x05\x00"
        for _ in range(levels):
            inner = b"\x30" + _length(len(inner)) + inner
        return inner

    assert not depth.too_deep(nested(depth.MOST))
    assert depth.too_deep(nested(depth.MOST + 1))
    assert not depth.too_deep(b"\x30\x00" * 100)  # beside one another
    for odd in (
        b"",
        b"\x30",
        b"\x30\x85\x01\x01\x01\x01\x01",
        b"\x30\x82\x01",
        b"\x3f\x81\x01\x00",
        b"\x3f\x81",
    ):
        assert not depth.too_deep(odd)
    assert not depth.too_deep(DER)


def _length(count: int) -> bytes:
    return bytes([count]) if count < 128 else b"\x82" + count.to_bytes(2)


def test_texts_stand_for_bytes() -> None:
    assert reading.from_text(pem(WORLD.usual)).startswith(b"-----BEGIN")
    assert reading.from_text("MAMC\nAQE=") == b"\x30\x03\x02\x01\x01"
    assert reading.from_text("no base64!") == b"no base64!"


def test_the_servers_own_certificate_comes_first() -> None:
    shuffled = (WORLD.root, WORLD.usual, WORLD.issuing, WORLD.usual)
    assert reading.in_order(shuffled) == (WORLD.usual, WORLD.issuing, WORLD.root)
    assert reading.in_order(()) == ()
    assert reading.in_order((WORLD.root,)) == (WORLD.root,)
    strange = WORLD.leaf(issuer="Nobody CA")
    assert set(reading.in_order((WORLD.root, strange))) == {WORLD.root, strange}


def everything() -> x509.Certificate:
    """A certificate with every extension that the text has words for, and two that it has not."""
    key, now = rsa.generate_private_key(65537, 2048), datetime(2026, 11, 1, tzinfo=UTC)
    uri = x509.UniformResourceIdentifier("http://ca.example/x")
    general = [
        x509.DNSName("www.example.com"),
        x509.IPAddress(ip_address("192.0.2.1")),
        x509.RFC822Name("a@example.com"),
        uri,
        x509.DirectoryName(cn("Somebody")),
        x509.RegisteredID(x509.ObjectIdentifier("1.2.3")),
        x509.OtherName(x509.ObjectIdentifier("1.2.3"), b"\x05\x00"),
    ]
    tree = x509.NameConstraints([x509.DNSName("example.com")], [x509.IPAddress(ip_network("10.0.0.0/8"))])
    notice = x509.UserNotice(None, "read it")
    extensions: list[tuple[x509.ExtensionType, bool]] = [
        (x509.SubjectAlternativeName(general), False),
        (x509.IssuerAlternativeName([uri]), False),
        (x509.BasicConstraints(ca=True, path_length=2), True),
        (x509.KeyUsage(True, False, False, False, True, True, True, True, False), True),
        (x509.ExtendedKeyUsage([x509.ObjectIdentifier("1.2.3.4")]), False),
        (x509.SubjectKeyIdentifier(b"abc"), False),
        (x509.AuthorityKeyIdentifier(None, [x509.DirectoryName(cn("Root"))], 5), False),
        (
            x509.AuthorityInformationAccess(
                [
                    x509.AccessDescription(AuthorityInformationAccessOID.OCSP, uri),
                    x509.AccessDescription(AuthorityInformationAccessOID.CA_ISSUERS, uri),
                    x509.AccessDescription(x509.ObjectIdentifier("1.2.3"), uri),
                ]
            ),
            False,
        ),
        (
            x509.CRLDistributionPoints(
                [
                    x509.DistributionPoint([uri], None, None, None),
                    x509.DistributionPoint(None, cn("x").rdns[0], None, None),
                ]
            ),
            False,
        ),
        (
            x509.CertificatePolicies(
                [
                    x509.PolicyInformation(CertificatePoliciesOID.ANY_POLICY, ["http://cps.example", notice]),
                    x509.PolicyInformation(x509.ObjectIdentifier("2.23.140.1.2.1"), None),
                ]
            ),
            False,
        ),
        (tree, True),
        (x509.TLSFeature([x509.TLSFeatureType.status_request]), False),
        (x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4.5"), b"\x05\x00"), False),
    ]
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "evil\N{RIGHT-TO-LEFT OVERRIDE}name")])
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(7)
        .not_valid_before(now)
        .not_valid_after(now + timedelta(days=90))
    )
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical)
    return builder.sign(key, hashes.SHA256())


def test_the_whole_text_has_everything_and_is_harmless() -> None:
    text = whole_text.of_certificate(everything())
    for words in (
        "Subject: CN=evil\N{REPLACEMENT CHARACTER}name",
        "DNS:www.example.com",
        "IP Address:192.0.2.1",
        "email:a@example.com",
        "DirName:CN=Somebody",
        "CA:TRUE, pathlen:2",
        "digitalSignature, keyAgreement, keyCertSign, cRLSign, encipherOnly",
        "1.2.3.4",
        "(no keyid)",
        "OCSP - URI:http://ca.example/x",
        "2.5.29.32.0",
        "user notice",
        "Permitted: DNS:example.com",
        "Excluded: IP Address:10.0.0.0/8",
        "1.2.3.4.5:",
        "05:00",
        "Exponent: 65537",
    ):
        assert words in text, words
    assert "\N{RIGHT-TO-LEFT OVERRIDE}" not in text
    edwards = ed25519.Ed25519PrivateKey.generate()
    request = x509.CertificateSigningRequestBuilder().subject_name(cn("")).sign(edwards, None)
    told = whole_text.of_request(request)
    assert "Subject: (empty)" in told
    assert "Ed25519" in told


def test_certificates_and_requests_are_told_with_what_is_odd() -> None:
    everybody = everything()
    told = explaining.certificate((everybody,), 1, WORLD.now, lambda digest: False)
    assert (told.is_ca, told.self_signed, told.usages) == (True, True, ("1.2.3.4",))
    assert told.ocsp == ("http://ca.example/x",)
    weak = WORLD.leaf(key=ec.generate_private_key(ec.SECP192R1()))
    codes = {one.code for one in explaining.certificate((weak,), 1, WORLD.now, lambda digest: False).findings}
    assert "weak-key" in codes
    blocked = explaining.key(key_of(1), lambda digest: True)
    assert [one.code for one in blocked.findings] == ["weak-key"]
    asked = x509.load_pem_x509_csr(request_for("www.example.com").pem.encode())
    assert explaining.request(asked, lambda digest: False).findings == ()
    edwards = ed25519.Ed25519PrivateKey.generate()
    builder = x509.CertificateSigningRequestBuilder().subject_name(cn("www.example.com"))
    bare = explaining.request(builder.sign(edwards, None), lambda digest: False)
    assert (bare.names, bare.key) == ((), "Ed25519")
    more = x509.CertificateSigningRequestBuilder().subject_name(
        x509.Name(
            [
                x509.NameAttribute(NameOID.COMMON_NAME, "www.example.com"),
                x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Example"),
            ]
        )
    )
    ignored = explaining.request(more.sign(key_of(1), hashes.SHA256()), lambda digest: False)
    assert [one.code for one in ignored.findings] == ["ignored"]


def test_chains_in_words() -> None:
    chain = (WORLD.usual, WORLD.issuing, WORLD.root)
    assert (explaining.chain(chain).linked, explaining.chain(chain).complete) == (True, True)
    part = explaining.chain(chain[:2])
    assert (part.linked, part.complete) == (True, False)
    assert "'CN=Elsewhere Root' is not among them" in part.sentence
    assert "is not among what was given" in explaining.chain(chain[:1]).sentence
    assert "signed itself" in explaining.chain((WORLD.root,)).sentence
    assert explaining.chain((WORLD.usual, WORLD.root)).linked is False


def test_pem_takes_what_there_is() -> None:
    made = converting.convert(Content("DER", (WORLD.usual,)), converting.Form.PEM, "", WORLD.now)
    assert (made.content.decode(), made.has_key) == (pem(WORLD.usual), False)


def test_an_ed25519_key_has_no_place_in_a_java_store() -> None:
    key = ed25519.Ed25519PrivateKey.generate()
    own = WORLD.leaf(key=key)
    content = Content("PEM", (own,), (), (key,))
    with pytest.raises(CannotRead, match="Java key store"):
        converting.convert(content, converting.Form.JKS, "", WORLD.now)
    assert "PEM" in repr(content)
    made = converting.convert(content, converting.Form.PKCS12, "", WORLD.now)
    assert made.password not in repr(made)


def test_what_the_library_cannot_build_is_written_too() -> None:
    stamp = SimpleNamespace(log_id=b"\x01\x02", timestamp=datetime(2026, 11, 1, 12, tzinfo=UTC))
    assert list(whole_text._timestamps([stamp])) == ["log 0102 at 2026-11-01 12:00:00 UTC"]
    twice = x509.CertificateSigningRequestBuilder().subject_name(cn("x"))
    for oid in ("1.2.3.4", "1.2.3.5"):
        twice = twice.add_extension(
            x509.UnrecognizedExtension(x509.ObjectIdentifier(oid), b"\x05\x00"), False
        )
    made = twice.sign(key_of(1), hashes.SHA256()).public_bytes(Encoding.DER)
    doubled = x509.load_der_x509_csr(made.replace(b"\x2a\x03\x05", b"\x2a\x03\x04"))  # the same one twice
    assert "(cannot be read)" in whole_text.of_request(doubled)
    assert explaining.request(doubled, lambda digest: False).names == ()
