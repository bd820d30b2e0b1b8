"""Rates of the engine beside what the machine can do at best, in one process, per CPU second (goal G1).

Three rows each for P-256 and RSA-2048: the bare signature (R), a lean issuance without any rule (F), and the
engine. A process remembers the RSA keys that passed the weak-key checks (0.4 ms each): `engine_rate` is
for keys that the CSR gate has just accepted, `engine_with_csr_rate` goes through that gate anew each time.
"""

import hashlib
import secrets
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from itertools import count

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from certdesk.foundation.common import clock
from certdesk.pki.x509 import certificates, csr, keys, weak_keys
from certdesk.pki.x509.keys import KeyAlgorithm, PrivateKey

from . import issue, issuers, profiles
from .types import Authorization, CertificateRequest, Subject

ALGORITHMS = (KeyAlgorithm.EC_P256, KeyAlgorithm.RSA_2048)
_NAME = "www.bench.example.com"
_KEYS = {KeyAlgorithm.EC_P256: 256, KeyAlgorithm.RSA_2048: 12}  # CSRs in rotation

Rates = dict[str, float]


def raw_sign_rate(seconds: float) -> Rates:
    """R: signatures over 900 bytes, the size of a TBS."""
    data = secrets.token_bytes(900)

    def turns(algorithm: KeyAlgorithm) -> Callable[[int], object]:
        sign = issuers.signer(keys.generate(algorithm), algorithm)
        return lambda _: sign(data)

    return _measure(turns, seconds)


def lean_rate(seconds: float) -> Rates:
    """F: CSR parsed and verified, built with constant extensions, signed, DER, PEM, fingerprint; no rules."""
    return _measure(_lean, seconds)


def engine_rate(seconds: float) -> Rates:
    """`prepare` + `sign`, then PEM and fingerprint: every check of the engine, the blocklist query included.

    Needs a migrated database with the built-in CA; writes nothing but the proof of the shape.
    """
    return _measure(lambda algorithm: _engine(algorithm, with_csr=False), seconds)


def engine_with_csr_rate(seconds: float) -> Rates:
    """As `engine_rate`, with the whole gate for an uploaded CSR in front: F's own input, checked."""
    return _measure(lambda algorithm: _engine(algorithm, with_csr=True), seconds)


def _measure(turns: Callable[[KeyAlgorithm], Callable[[int], object]], seconds: float) -> Rates:
    return {algorithm.value: _rate(turns(algorithm), seconds) for algorithm in ALGORITHMS}


def _rate(turn: Callable[[int], object], seconds: float) -> float:
    turn(0)  # what is loaded once a process
    done, begun = 0, time.process_time()
    while (spent := time.process_time() - begun) < seconds:
        for _ in range(10):
            turn(done)
            done += 1
    return done / spent


def _csr_pem(key: PrivateKey) -> str:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, _NAME)])
    names = x509.SubjectAlternativeName([x509.DNSName(_NAME)])
    builder = x509.CertificateSigningRequestBuilder().subject_name(name).add_extension(names, critical=False)
    return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM).decode()


def _requests(algorithm: KeyAlgorithm) -> list[str]:
    return [_csr_pem(keys.generate(algorithm)) for _ in range(_KEYS[algorithm])]


def _lean(algorithm: KeyAlgorithm) -> Callable[[int], object]:
    requests = [text.encode() for text in _requests(algorithm)]
    issuer_key = keys.generate(algorithm)
    issuer_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "bench")])
    constant = _constant_extensions(issuer_key)
    begin = clock.real_now().replace(microsecond=0)

    def turn(number: int) -> object:
        request = x509.load_pem_x509_csr(requests[number % len(requests)])
        if not request.is_signature_valid:
            raise ValueError("the bench made a bad CSR")
        names = request.extensions.get_extension_for_class(x509.SubjectAlternativeName)
        builder = x509.CertificateBuilder(
            issuer_name=issuer_name,
            subject_name=request.subject,
            public_key=request.public_key(),
            serial_number=x509.random_serial_number(),
            not_valid_before=begin,
            not_valid_after=begin + timedelta(days=199),
            extensions=[*constant, names],
        )
        certificate = builder.sign(issuer_key, hashes.SHA256())
        return certificate.public_bytes(Encoding.PEM), certificate.fingerprint(hashes.SHA256())

    return turn


def _constant_extensions(issuer_key: PrivateKey) -> list[x509.Extension[x509.ExtensionType]]:
    base = "http://pki.example.com"
    access, crl = issuers.access("bench", base), issuers.crl_pointer("bench", base)
    authority = x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key())
    values = (authority, access, issuers.policy("DV"), issuers.SERVER_AUTH, crl)
    return [
        *(x509.Extension(value.oid, False, value) for value in values),
        x509.Extension(issuers.KEY_USAGE.oid, True, issuers.KEY_USAGE),
    ]


def _engine(algorithm: KeyAlgorithm, *, with_csr: bool) -> Callable[[int], object]:
    now = clock.now()
    texts = _requests(algorithm)
    spkis = [keys.spki_der(csr.parse_csr(text).public_key) for text in texts]
    dates = profiles.validity("private", 12, now)
    run, references = secrets.token_hex(4), count()

    def turn(number: int) -> object:
        spki = spkis[number % len(spkis)]
        if with_csr:
            weak_keys.forget_accepted()
            spki = keys.spki_der(csr.parse_csr(texts[number % len(texts)]).public_key)
        prepared = issue.prepare(_request(algorithm, spki, f"bench-{run}-{next(references)}", dates), now)
        signed = issue.sign(prepared)
        return certificates.to_pem(signed.der), hashlib.sha256(signed.der).hexdigest()

    return turn


def _request(
    algorithm: KeyAlgorithm, spki: bytes, reference: str, dates: tuple[datetime, datetime]
) -> CertificateRequest:
    """A request for a name of its own: the names gate remembers what it has seen."""
    digest = hashlib.sha256(spki).digest()
    names = (f"{reference}.example.com",)
    proof = Authorization(reference, "bench", names, digest, (1,), (), "bench")
    return CertificateRequest(proof, "private", "DV", False, spki, algorithm, names, Subject(), *dates)
