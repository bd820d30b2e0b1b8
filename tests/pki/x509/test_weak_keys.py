"""Keys that must never be certified are refused, each in under 100 ms."""

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import badkeys.checks  # noqa: F401 - its import is not part of what is timed
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa, x25519
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes

from certdesk.foundation.common.errors import BadParameter, Kind
from certdesk.pki.x509 import keys
from certdesk.pki.x509.errors import WeakKey
from certdesk.pki.x509.weak_keys import load_blocklist, refuse_weak
from tests.support import weak_moduli
from tests.support.chains import ec_key, rsa_key


def rsa_public(modulus: int, exponent: int = 65537) -> rsa.RSAPublicKey:
    return rsa.RSAPublicNumbers(exponent, modulus).public_key()


WEAK: dict[str, tuple[Callable[[], PublicKeyTypes], str]] = {  # made when asked for: primes take seconds
    "1024 bits": (lambda: rsa_public(weak_moduli.good(1024)), "has 1024 bits; RSA keys need at least 2048"),
    "2047 bits": (lambda: rsa_public(weak_moduli.good() >> 1 | 1), "at least 2048"),
    "2049 bits": (lambda: rsa_public(weak_moduli.good(2049)), "multiple of 8"),
    "2052 bits": (lambda: rsa_public(weak_moduli.good(2052)), "multiple of 8"),
    "8200 bits": (lambda: rsa_public((1 << 8199) | 1), "at most 8192"),
    "exponent 3": (lambda: rsa_public(weak_moduli.good(), 3), "small public exponent 3"),
    "exponent 65535": (lambda: rsa_public(weak_moduli.good(), 65535), "small public exponent 65535"),
    "exponent of 257 bits": (lambda: rsa_public(weak_moduli.good(), (1 << 256) | 1), "over 256 bits"),
    "ROCA": (lambda: rsa_public(weak_moduli.roca()), "ROCA"),
    "close primes": (lambda: rsa_public(weak_moduli.close_primes()), "Fermat"),
    "small factor": (lambda: rsa_public(weak_moduli.small_factor()), "small prime factor"),
    "repeated bytes": (lambda: rsa_public(weak_moduli.repeated_bytes()), "repeats one byte"),
    "mostly ones": (lambda: rsa_public(weak_moduli.few_zeros()), "too many zeros or ones"),
    "mostly zeros": (lambda: rsa_public(weak_moduli.many_zeros()), "zeros"),
    "P-192": (lambda: ec.generate_private_key(ec.SECP192R1()).public_key(), "curve P-192"),
    "P-521": (lambda: ec.generate_private_key(ec.SECP521R1()).public_key(), "curve P-521"),
    "secp256k1": (lambda: ec.generate_private_key(ec.SECP256K1()).public_key(), "curve secp256k1"),
    "Ed25519": (lambda: ed25519.Ed25519PrivateKey.generate().public_key(), "type Ed25519"),
    "Ed448": (lambda: ed448.Ed448PrivateKey.generate().public_key(), "type Ed448"),
    "X25519": (lambda: x25519.X25519PrivateKey.generate().public_key(), "type X25519"),
}


@pytest.mark.parametrize("case", WEAK)
def test_a_weak_key_is_refused_with_its_reason_in_time(case: str) -> None:
    make, fragment = WEAK[case]
    public_key = make()
    started = time.process_time()
    with pytest.raises(WeakKey) as caught:
        refuse_weak(public_key)
    assert time.process_time() - started < 0.1
    assert fragment in caught.value.message
    assert caught.value.kind is Kind.BAD_CSR
    assert caught.value.next_step


def test_an_even_exponent_is_refused() -> None:
    """The library builds no such key; one may still come from another reader."""

    class Even(rsa.RSAPublicKey):
        key_size = 2048

        def public_numbers(self) -> rsa.RSAPublicNumbers:
            return rsa.RSAPublicNumbers(65538, weak_moduli.good())

    Even.__abstractmethods__ = frozenset()
    with pytest.raises(WeakKey, match="even public exponent"):
        refuse_weak(Even())  # type: ignore[abstract]


@pytest.mark.parametrize(
    "make",
    [
        lambda: rsa_key().public_key(),
        lambda: rsa_public(weak_moduli.good()),
        lambda: rsa_public(weak_moduli.good(8192)),
        lambda: rsa_public(weak_moduli.good(), (1 << 255) | 1),
        lambda: ec_key().public_key(),
        lambda: ec.generate_private_key(ec.SECP384R1()).public_key(),
    ],
    ids=["rsa 2048", "rsa 2048 fixed", "rsa 8192", "large exponent", "p-256", "p-384"],
)
def test_a_good_key_passes_in_time(make: Callable[[], keys.PublicKey]) -> None:
    public_key = make()
    started = time.process_time()
    assert refuse_weak(public_key, blocked=lambda digest: False) is public_key
    assert time.process_time() - started < 0.1


def test_p521_only_where_it_is_allowed() -> None:
    public_key = ec.generate_private_key(ec.SECP521R1()).public_key()
    assert refuse_weak(public_key, allow_p521=True) is public_key


def test_a_blocked_key_is_refused(tmp_path: Path) -> None:
    public_key = ec_key().public_key()
    digest = keys.spki_sha256(public_key)
    listed = tmp_path / "blocked.txt"
    listed.write_text(
        f"# found in a firmware\n\n{digest.hex().upper()}  # router\n{'00' * 32}\n{':'.join(['ab'] * 32)}\n"
    )
    blocklist = load_blocklist(listed)
    assert blocklist == {digest, bytes(32), b"\xab" * 32}
    with pytest.raises(WeakKey, match="compromised"):
        refuse_weak(public_key, blocked=blocklist.__contains__)
    assert refuse_weak(rsa_key().public_key(), blocked=blocklist.__contains__)


@pytest.mark.parametrize("line", ["zz" * 32, "ab" * 20, "abc", "-----BEGIN PUBLIC KEY-----"])
def test_a_blocklist_with_a_wrong_line_is_refused_whole(line: str, tmp_path: Path) -> None:
    listed = tmp_path / "blocked.txt"
    listed.write_text(f"{'00' * 32}\n{line}\n")
    with pytest.raises(BadParameter, match="Line 2 of the key blocklist"):
        load_blocklist(listed)


def test_the_room_needs_no_django() -> None:
    script = (
        "import sys, pkgutil, importlib, certdesk.pki.x509 as room\n"
        "for module in pkgutil.iter_modules(room.__path__):\n"
        "    importlib.import_module(f'{room.__name__}.{module.name}')\n"
        "sys.exit('django' in sys.modules)\n"
    )
    path = [each for each in sys.path if each]
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={"PYTHONPATH": ":".join(path)},
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
