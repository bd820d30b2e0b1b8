"""Uploads as pure code: formats told apart, every finding, chains that hold and that do not."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID

from certdesk.pki.x509 import chains, foreign_formats, uploads
from certdesk.pki.x509.errors import UploadRefused
from certdesk.pki.x509.uploads import Upload
from tests.support.uploads import World, key_of, key_pem, pem

WORLD = World(datetime(2026, 12, 1, tzinfo=UTC))
# openssl req -x509 -new -sha1 -days 36500 -subj "/CN=Old Root" with the key of WORLD's root
OLD_ROOT = b"""\
-----BEGIN CERTIFICATE-----
MIIBeDCCAR+gAwIBAgIBATAJBgcqhkjOPQQBMBMxETAPBgNVBAMMCE9sZCBSb290
MCAXDTI2MTEyNTE3MTUwMVoYDzIxMjYxMTAxMTcxNTAxWjATMREwDwYDVQQDDAhP
bGQgUm9vdDBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABHFpO3Fy0lLdrkFJkmzJ
PXwNlG7oGxrcAaGPu87h0GSmyMcnsXvydRYPvuhPa6FOp9NUiZaVH0BtbTW6mPSZ
o1ijYzBhMB0GA1UdDgQWBBTHzPekChWGKepuPlaHkikHPciakjAfBgNVHSMEGDAW
gBTHzPekChWGKepuPlaHkikHPciakjAPBgNVHRMBAf8EBTADAQH/MA4GA1UdDwEB
/wQEAwIBBjAJBgcqhkjOPQQBA0gAMEUCIA8SJZK0kfw2A7varxsZzQt4B2IpuGE4
GhkSMB2HM3veAiEAuuZINFAd7ppUcTHq5Wz5O5mKorJ7hKeYdwRpBVzgowI=
-----END CERTIFICATE-----
"""


def check(leaf: x509.Certificate | None = None, *above: x509.Certificate, world: World = WORLD) -> Upload:
    chain = "".join(map(pem, above or (world.issuing, world.root)))
    return uploads.check_upload(
        pem(leaf or world.usual), chain, key_pem(world.leaf_key), world.now, blocked=lambda digest: False
    )


def codes(leaf: x509.Certificate | None = None, *above: x509.Certificate) -> set[str]:
    """Codes of the findings, with the place where it is not the leaf's."""
    found = check(leaf, *above).findings
    assert all(one.sentence.endswith(".") for one in found)
    return {one.code if one.place == 1 else f"{one.code}@{one.place}" for one in found}


def add(extension: x509.ExtensionType, critical: bool) -> Callable[[x509.CertificateBuilder], object]:
    return lambda builder: builder.add_extension(extension, critical)


def test_a_chain_by_the_book_has_no_finding() -> None:
    found = check()
    assert codes() == set()
    assert (found.names[0].text, found.algorithm.value) == ("www.example.com", "EC_P256")
    assert "Elsewhere" not in repr(found)
    assert codes(WORLD.leaf(("10.0.0.1",))) == set()
    assert codes(WORLD.leaf(("*.example.com",))) == set()


def test_what_is_odd_about_a_leaf() -> None:
    any_use, client = ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE, ExtendedKeyUsageOID.CLIENT_AUTH
    strict = "strict-clients-refuse"
    assert codes(WORLD.leaf(subject="www.example.com")) == set()
    assert codes(WORLD.leaf(subject="WWW.example.com")) == {"cn-not-in-san"}
    assert codes(WORLD.leaf(subject="x", san_critical=True)) == {"cn-not-in-san", "san-criticality", strict}
    assert codes(WORLD.leaf(san_critical=False)) == {"san-criticality", strict}
    assert codes(WORLD.leaf(eku=None)) == {"eku-missing"}
    assert codes(WORLD.leaf(eku=(any_use,))) == {"eku-any", strict}
    assert codes(WORLD.leaf(eku=(client,))) == {"eku-not-for-servers", strict}
    assert codes(WORLD.leaf(eku_critical=True)) == {"criticality-extendedKeyUsage", strict}
    assert codes(WORLD.leaf(("*.co.uk", "example.com", "github.io"))) == {"public-suffix"}
    assert codes(WORLD.leaf(aki=False)) == {"aki-missing", strict}
    ca = add(x509.BasicConstraints(True, None), True)
    assert codes(WORLD.leaf(("www.example.com",), ca)) == {"leaf-is-ca", strict}
    plain = add(x509.BasicConstraints(False, None), True)
    assert codes(WORLD.leaf(("www.example.com",), plain)) == set()


@pytest.mark.filterwarnings("ignore:Parsed a serial number")
def test_what_is_odd_about_the_certificates_above() -> None:
    def issuing(*changes: object, **more: object) -> x509.Certificate:
        return WORLD.authority(
            "Elsewhere CA", "Elsewhere Root", WORLD.issuing_key, WORLD.root_key, *changes, **more
        )

    def root(*changes: object, **more: object) -> x509.Certificate:
        return WORLD.authority(
            "Elsewhere Root", "Elsewhere Root", WORLD.root_key, WORLD.root_key, *changes, **more
        )

    leaf = WORLD.usual
    assert codes(leaf, issuing(aki=False), WORLD.root) == {"aki-missing@2"}
    assert codes(leaf, issuing(ski=False), WORLD.root) == {"ski-missing@2"}
    assert codes(leaf, WORLD.issuing, root(aki=False)) == set()
    wrong = add(x509.AuthorityKeyIdentifier(b"x" * 20, None, None), False)
    assert codes(leaf, WORLD.issuing, root(wrong, aki=False)) == {"aki-odd@3"}
    assert codes(leaf, issuing(wrong, aki=False)) == set()  # its issuer is not there to compare with
    named = [x509.DirectoryName(x509.Name([]))]
    assert "aki-odd@2" in codes(
        leaf, issuing(add(x509.AuthorityKeyIdentifier(None, named, 7), False), aki=False), WORLD.root
    )
    usage = add(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False)
    assert codes(leaf, WORLD.issuing, root(usage)) == {"root-eku@3"}
    within = x509.NameConstraints([x509.DNSName("example.com")], None)
    assert codes(leaf, issuing(add(within, True)), WORLD.root) == set()
    assert codes(leaf, issuing(add(within, False)), WORLD.root) == {"criticality-nameConstraints@2"}
    numbered = root().public_bytes(Encoding.DER).replace(b"\x02\x01\x77", b"\x02\x01\x00", 1)
    assert codes(leaf, WORLD.issuing, x509.load_der_x509_certificate(numbered)) == {"serial@3"}
    zero = x509.PolicyConstraints(0, None)
    assert codes(leaf, issuing(add(zero, False)), WORLD.root) == {"criticality-policyConstraints@2"}


def test_weak_keys_and_hashes_above_are_findings_where_the_chain_still_holds() -> None:
    odd = rsa.generate_private_key(65537, 2052)
    root = WORLD.authority("Odd Root", "Odd Root", odd, odd)
    issuing = WORLD.authority("Elsewhere CA", "Odd Root", WORLD.issuing_key, odd)
    assert codes(WORLD.usual, issuing, root) == {"weak-ca-key@3"}
    old = x509.load_pem_x509_certificate(OLD_ROOT)
    issuing = WORLD.authority("Elsewhere CA", "Old Root", WORLD.issuing_key, WORLD.root_key)
    assert codes(WORLD.usual, issuing, old) == {"weak-signature@3"}


def refused(*chain: x509.Certificate, leaf: x509.Certificate | None = None) -> UploadRefused:
    with pytest.raises(UploadRefused) as caught:
        check(leaf, *chain)
    return caught.value


def test_chains_that_do_not_hold() -> None:
    edwards = ed25519.Ed25519PrivateKey.generate()
    odd = WORLD.authority("Elsewhere Root", "Elsewhere Root", edwards, WORLD.root_key)
    assert refused(WORLD.issuing, odd).code == chains.NO_RESOLVE  # another key than the one that signed
    outside = x509.NameConstraints([x509.DNSName("example.org")], None)
    limited = WORLD.authority(
        "Elsewhere CA", "Elsewhere Root", WORLD.issuing_key, WORLD.root_key, add(outside, True)
    )
    assert "name constraint" in refused(limited, WORLD.root).message
    no_usage = WORLD.authority(
        "Elsewhere CA", "Elsewhere Root", WORLD.issuing_key, WORLD.root_key, usage=False
    )
    assert "no CA certificate" in refused(no_usage, WORLD.root).message
    unknown = add(x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\x05\x00"), True)
    assert refused(leaf=WORLD.leaf(("www.example.com",), unknown)).code == chains.NO_RESOLVE
    later = WORLD.leaf(since=timedelta(seconds=-1))
    assert (refused(leaf=later).code, refused(leaf=later).field) == (chains.OUT_OF_TIME, "certificate")


def test_the_longest_chain() -> None:
    made, above, signer = [WORLD.root], "Elsewhere Root", WORLD.root_key
    for number in range(chains.MOST_ABOVE - 1):
        name = "Elsewhere CA" if number == chains.MOST_ABOVE - 2 else f"CA {number}"
        key = WORLD.issuing_key if name == "Elsewhere CA" else key_of(100 + number)
        made.insert(0, WORLD.authority(name, above, key, signer))
        above, signer = name, key
    assert len(made) == chains.MOST_ABOVE
    assert check(None, *made).findings == ()
    assert "at most 11" in refused(*made, WORLD.root).message


def test_findings_of_what_is_hosted_are_the_same() -> None:
    leaf = WORLD.leaf(eku=None)
    found = check(leaf)
    again = uploads.findings_of(found.leaf, pem(WORLD.issuing) + pem(WORLD.root), WORLD.now)
    assert again == found.findings
    assert [one.code for one in again] == ["eku-missing"]


# rule: UPL-1
@pytest.mark.parametrize(
    ("content", "advice"),
    [
        (b"\xfe\xed\xfe\xed\x00\x00", foreign_formats.JAVA),
        (b"\xce\xce\xce\xce\x00\x00", foreign_formats.JAVA),
        (bytes.fromhex("30820a1102010330"), foreign_formats.PKCS12),
        (bytes.fromhex("308201000609 2a864886f70d010702".replace(" ", "")), foreign_formats.PKCS7),
        (bytes.fromhex("3082010030820100"), foreign_formats.DER_CERTIFICATE),
        (b"\x89PNG", foreign_formats.UNKNOWN),
        (b"", foreign_formats.UNKNOWN),
    ],
)
def test_files_are_known_by_their_first_bytes(content: bytes, advice: tuple[str, str]) -> None:
    assert foreign_formats.of_bytes(content) == advice
    fault = uploads.refuse_bytes(content, "certificate")
    assert (fault.next_step, fault.code, fault.field) == (advice[1], "SCM.0053", "certificate")


def test_a_key_in_der_form_has_a_line_of_its_own() -> None:
    fault = uploads.refuse_bytes(bytes.fromhex("30820100020100"), "private_key")
    assert (fault.next_step, fault.code) == (foreign_formats.DER_KEY[1], "SCM.0114")
    assert foreign_formats.of_label("CERTIFICATE") is None
