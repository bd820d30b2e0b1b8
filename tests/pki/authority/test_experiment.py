"""The experimental PKI with ML-DSA-65: judged by an implementation that shares no code with ours."""

from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from dilithium_py.ml_dsa import ML_DSA_65

from certdesk.pki.authority import experiment, gate
from certdesk.pki.authority.errors import ExperimentRefused, RequestRefused
from certdesk.pki.x509 import keys
from certdesk.pki.x509.csr_making import make_csr
from certdesk.pki.x509.errors import BadName
from certdesk.pki.x509.pem import write_block
from tests.support.authority import NOW, request

OID = "2.16.840.1.101.3.4.3.18"  # id-ml-dsa-65, RFC 9881


def signed_by(lower: x509.Certificate, upper: x509.Certificate) -> bool:
    public_key = upper.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    return bool(ML_DSA_65.verify(public_key, lower.tbs_certificate_bytes, lower.signature))


def test_root_authority_and_leaf_verify_elsewhere_and_say_what_they_are() -> None:
    made = experiment.make("00C0FFEE", NOW)
    leaf = experiment.issue(
        made.issuing, experiment.generate().public_key(), ["www.example.com", "10.0.0.1"], NOW, "private"
    )
    root, issuing = made.root.certificate, made.issuing.certificate
    for lower, upper in ((root, root), (issuing, root), (leaf, issuing)):
        assert signed_by(lower, upper)
        assert lower.issuer == upper.subject
        assert lower.signature_algorithm_oid.dotted_string == OID
        assert lower.signature_algorithm_parameters is None
        assert "EXPERIMENTAL" in lower.subject.rfc4514_string()
    assert not signed_by(leaf, root)
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert [str(one.value) for one in names] == ["www.example.com", "10.0.0.1"]
    assert leaf.not_valid_after_utc - NOW == timedelta(days=experiment.LEAF_DAYS)
    assert "PrivateKey" not in repr(made)
    with pytest.raises(InvalidSignature):
        leaf.verify_directly_issued_by(x509.load_der_x509_certificate(_renamed(made)))


def _renamed(made: experiment.Hierarchy) -> bytes:
    """Another authority of the same name."""
    other = experiment.make("00C0FFEE", NOW)
    assert other.issuing.certificate.subject == made.issuing.certificate.subject
    return other.issuing.certificate.public_bytes(Encoding.DER)


def test_what_it_does_not_do() -> None:
    made = experiment.make("00C0FFEE", NOW)
    key = experiment.generate().public_key()
    later = made.issuing.certificate.not_valid_after_utc
    for names, now, profile, why in (
        (["www.example.com"], NOW, "public", "no public profile"),
        ([], NOW, "private", "0 names"),
        (["www.example.com"] * 101, NOW, "private", "101 names"),
        (["www.example.com", "WWW.example.com"], NOW, "private", "given twice"),
        (["www.example.com"], later, "private", "not valid now"),
    ):
        with pytest.raises(ExperimentRefused, match=why):
            experiment.issue(made.issuing, key, names, now, profile)
    with pytest.raises(BadName):
        experiment.issue(made.issuing, key, ["../etc"], NOW, "private")
    ending = experiment.issue(made.issuing, key, ["a.example"], later - timedelta(days=1), "private")
    assert ending.not_valid_after_utc == later


def other_kind(pem: bytes) -> bytes:
    """The same request with an object identifier in place of the key's that nobody knows."""
    der = x509.load_pem_x509_csr(pem).public_bytes(Encoding.DER)
    changed = der.replace(bytes.fromhex("06072a8648ce3d0201"), bytes.fromhex("06072a8648ce3d0209"))
    return write_block("CERTIFICATE REQUEST", changed).encode()


def test_a_request_brings_a_key_of_its_kind_and_nothing_else() -> None:
    key = experiment.generate()
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    pem = builder.sign(key, None).public_bytes(Encoding.PEM)
    assert experiment.key_of_request(pem) == key.public_key()
    other = make_csr(ec.generate_private_key(ec.SECP256R1()), ["www.example.com"], {}).encode()
    unknown = other_kind(other)
    for bad, why in (
        (b"nothing", "cannot be read"),
        (unknown, "cannot be read"),
        (other, "ML-DSA-65 key signed"),
    ):
        with pytest.raises(ExperimentRefused, match=why):
            experiment.key_of_request(bad)
    made = experiment.make("00C0FFEE", NOW)
    assert experiment.pair(made.root.certificate, made.root.key) == made.root
    with pytest.raises(ExperimentRefused, match="something else"):
        experiment.pair(made.root.certificate, made.issuing.key)


@pytest.mark.parametrize("profile", ["private", "public"])
def test_the_built_in_ca_refuses_such_a_key(profile: str) -> None:
    spki = keys.spki_der(experiment.generate().public_key())
    wanted = request(profile=profile)  # type: ignore[arg-type]
    object.__setattr__(wanted, "spki", spki)
    with pytest.raises(RequestRefused, match="the public key is ML-DSA-65, not EC_P256"):
        gate.refuse_key(wanted, lambda _: False)
