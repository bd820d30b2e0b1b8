"""Private keys from outside: what is read, and that no refusal quotes one."""

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from certdesk.pki.x509 import keys
from certdesk.pki.x509.errors import UploadRefused
from certdesk.pki.x509.uploaded_keys import TEXT_LIMIT, load, read

PKCS8, OPENSSL = PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL
EC = ec.generate_private_key(ec.SECP256R1())


def pem(key, form=PKCS8, encryption=None):
    return key.private_bytes(Encoding.PEM, form, encryption or NoEncryption()).decode()


@pytest.mark.parametrize("form", [PKCS8, OPENSSL])
@pytest.mark.parametrize(
    "key", [EC, ec.generate_private_key(ec.SECP384R1()), rsa.generate_private_key(65537, 2048)]
)
def test_keys_of_the_service_are_read(key, form):
    text = pem(key, form)
    for given in (text, text.replace("\n", "\r\n"), text.strip(), f"a comment\n{text}"):
        assert keys.spki_sha256(load(given).public_key()) == keys.spki_sha256(key.public_key())


def test_what_openssl_puts_before_an_ec_key_is_passed_over():
    parameters = "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n"
    assert load(parameters + pem(EC, OPENSSL)).key_size == 256


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("", "no PEM"),
        ("MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg", "DER form"),
        (pem(EC) + pem(EC), "something else too"),
        (pem(EC).replace("PRIVATE KEY", "CERTIFICATE"), "no private key"),
        (pem(EC)[:60], "partner"),
        (pem(EC).replace("M", "A", 3), "damaged"),
        (pem(EC, PKCS8, BestAvailableEncryption(b"secret")), "password"),
        (pem(EC, OPENSSL, BestAvailableEncryption(b"secret")), "password"),
        (pem(ed25519.Ed25519PrivateKey.generate()), "Ed25519"),
        (pem(ec.generate_private_key(ec.SECP521R1())), "EC P-521"),
        (pem(rsa.generate_private_key(65537, 2560)), "RSA 2560"),
        (pem(EC) + " " * TEXT_LIMIT, "at most 16000"),
    ],
)
def test_everything_else_is_refused_without_a_byte_of_it(text, part):
    with pytest.raises(UploadRefused, match=part) as refused:
        load(text)
    assert refused.value.code in ("SCM.0012", "SCM.0114", "SCM.0115")
    assert refused.value.field == "private_key"
    assert refused.value.next_step
    quoted = text.replace("\n", " ").split()
    assert not any(len(word) > 20 and word in str(refused.value) for word in quoted)


def test_the_limit_is_exact():
    text = pem(EC)
    assert load(text + "\n" * (TEXT_LIMIT - len(text)))
    with pytest.raises(UploadRefused):
        load(text + "\n" * (TEXT_LIMIT - len(text) + 1))


def test_a_key_whose_numbers_do_not_fit_together_is_damaged() -> None:
    good = rsa.generate_private_key(65537, 2048)
    numbers = good.private_numbers()
    wrong = rsa.RSAPrivateNumbers(
        p=numbers.p,
        q=numbers.q,
        d=numbers.d + 2,
        dmp1=numbers.dmp1,
        dmq1=numbers.dmq1,
        iqmp=numbers.iqmp,
        public_numbers=numbers.public_numbers,
    ).private_key(unsafe_skip_rsa_key_validation=True)
    text = wrong.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    with pytest.raises(UploadRefused):
        read(text, good.public_key())
    with pytest.raises(UploadRefused, match="another certificate"):
        read(text, EC.public_key())
