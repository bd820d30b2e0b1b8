"""Making, describing and writing keys."""

import hashlib

import pytest
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from certdesk.pki.x509 import keys
from certdesk.pki.x509.keys import KeyAlgorithm
from tests.support.chains import ec_key, rsa_key


@pytest.mark.parametrize(
    ("algorithm", "description"),
    [
        (KeyAlgorithm.RSA_2048, "RSA 2048"),
        (KeyAlgorithm.RSA_3072, "RSA 3072"),
        (KeyAlgorithm.RSA_4096, "RSA 4096"),
        (KeyAlgorithm.EC_P256, "EC P-256"),
        (KeyAlgorithm.EC_P384, "EC P-384"),
    ],
)
def test_each_algorithm_makes_its_key(algorithm: KeyAlgorithm, description: str) -> None:
    public_key = keys.generate(algorithm).public_key()
    assert keys.describe(public_key) == description
    assert keys.algorithm_of(public_key) is algorithm
    assert algorithm.is_rsa is isinstance(public_key, rsa.RSAPublicKey)


def test_other_keys_are_described_and_belong_to_no_algorithm() -> None:
    dsa_numbers = dsa.DSAParameterNumbers((1 << 2047) | 1, (1 << 255) | 1, 2)
    dsa_key = dsa.DSAPublicNumbers(4, dsa_numbers).public_key()
    assert keys.describe(dsa_key) == "DSA 2048"
    assert keys.describe(ed25519.Ed25519PrivateKey.generate().public_key()) == "Ed25519"
    assert keys.describe(ec.generate_private_key(ec.BrainpoolP256R1()).public_key()) == "EC brainpoolP256r1"
    assert keys.algorithm_of(ec.generate_private_key(ec.SECP521R1()).public_key()) is None


def test_a_key_is_known_by_the_hash_of_its_spki() -> None:
    public_key = ec_key().public_key()
    assert keys.spki_sha256(public_key) == hashlib.sha256(keys.spki_der(public_key)).digest()


@pytest.mark.parametrize("key", [rsa_key(), ec_key()], ids=["rsa", "ec"])
def test_der_and_pem_give_the_same_key_back(key: keys.PrivateKey) -> None:
    again = keys.private_from_der(keys.private_to_der(key))
    assert again.private_numbers() == key.private_numbers()
    assert keys.private_to_pem(key).startswith(b"-----BEGIN PRIVATE KEY-----")
    assert load_pem_private_key(keys.private_to_pem(key), None).public_key() == key.public_key()


def test_only_rsa_and_ec_are_read_back() -> None:
    other = ed25519.Ed25519PrivateKey.generate()
    der = other.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    with pytest.raises(ValueError, match="neither RSA nor EC"):
        keys.private_from_der(der)
    with pytest.raises(ValueError):
        keys.private_from_der(b"rubbish")
