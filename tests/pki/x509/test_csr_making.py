"""CSRs that the service makes pass the gate that CSRs from outside pass."""

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.x509.oid import NameOID

from certdesk.pki.x509 import keys
from certdesk.pki.x509.csr import parse_csr
from certdesk.pki.x509.csr_making import make_csr
from certdesk.pki.x509.keys import KeyAlgorithm

NAMES = ("www.example.com", "example.com", "*.example.com")
COMPANY = {"country": "CN", "province": "贵州", "city": "Guiyang", "name": "Example Trading Co.,Ltd"}


@pytest.mark.parametrize("algorithm", [KeyAlgorithm.RSA_2048, KeyAlgorithm.EC_P256, KeyAlgorithm.EC_P384])
def test_a_made_csr_is_good(algorithm):
    key = keys.generate(algorithm)
    text = make_csr(key, NAMES, COMPANY)
    parsed = parse_csr(text)
    assert parsed.pem == text
    assert tuple(one.text for one in parsed.names) == NAMES
    assert parsed.spki == keys.spki_der(key.public_key())
    wanted = hashes.SHA384 if algorithm is KeyAlgorithm.EC_P384 else hashes.SHA256
    assert isinstance(x509.load_pem_x509_csr(text.encode()).signature_hash_algorithm, wanted)


def test_the_subject_holds_what_was_given():
    key = keys.generate(KeyAlgorithm.EC_P256)
    subject = x509.load_pem_x509_csr(make_csr(key, NAMES, COMPANY).encode()).subject
    found = {one.oid: one.value for one in subject}
    assert found == {
        NameOID.COUNTRY_NAME: "CN",
        NameOID.STATE_OR_PROVINCE_NAME: "贵州",
        NameOID.LOCALITY_NAME: "Guiyang",
        NameOID.ORGANIZATION_NAME: "Example Trading Co.,Ltd",
        NameOID.COMMON_NAME: NAMES[0],
    }
    plain = x509.load_pem_x509_csr(make_csr(key, NAMES, {"country": "", "name": ""}).encode()).subject
    assert [one.oid for one in plain] == [NameOID.COMMON_NAME]


@pytest.mark.parametrize(("length", "named"), [(64, True), (65, False)])
def test_a_long_name_is_no_common_name(length, named):
    name = "a" * 40 + "." + "b" * (length - 45) + ".com"
    assert len(name) == length
    text = make_csr(keys.generate(KeyAlgorithm.EC_P256), [name], {})
    assert bool(list(x509.load_pem_x509_csr(text.encode()).subject)) is named
    assert [one.text for one in parse_csr(text).names] == [name]
