"""Public keys that must never be certified (APP-12, Baseline Requirements 6.1.1.3 and 6.1.6).

Cheap checks come first, and the size is limited before anything costly: every check ends in under
100 ms. From `badkeys` only named checks are used; its blocklist needs a download and ends the process
when that is missing, so the operator's own list (`load_blocklist`) takes its place.
"""

from collections.abc import Callable
from functools import cache, lru_cache
from pathlib import Path

import gmpy2  # type: ignore[import-untyped]
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes

from certdesk.foundation.common.errors import BadParameter

from . import keys
from .errors import WeakKey, shown

RSA_SMALLEST = 2048  # bits
RSA_LARGEST = 8192  # bits; larger ones cost every client dearly and nobody needs them
EXPONENT_SMALLEST = 65537
EXPONENT_LARGEST_BITS = 256  # NIST SP 800-89 §5.3.3
SMALL_PRIME_LIMIT = 65537

_NEW_KEY = "Make a new key pair with current software and send a CSR for it."

# Name of the badkeys check -> what it means. Fermat tries 100 rounds.
_NAMED_CHECKS = {
    "fermat": "its two primes are so close together that they were found by Fermat's method",
    "roca": "it was made by a faulty chip and can be broken (ROCA, CVE-2017-15361)",
    "sharedprimes": "one of its primes is already known from other keys",
    "rsapoly": "its modulus has a regular pattern of zeros and can be factored",
    "pattern": "its modulus repeats one byte many times, so it is not random",
    "rsabias": "its modulus has far too many zeros or ones, so it is not random",
}


def refuse_weak(
    public_key: PublicKeyTypes,
    *,
    blocked: Callable[[bytes], bool] | None = None,
    allow_p521: bool = False,
) -> keys.PublicKey:
    """The same key, known to be RSA or EC; `WeakKey` when it must not be certified.

    Args:
        public_key: any public key that `cryptography` loads.
        blocked: says whether the SHA-256 of the SPKI (32 bytes) is on a list of compromised keys.
        allow_p521: take P-521 too, for an issuer that signs it.
    """
    if isinstance(public_key, rsa.RSAPublicKey):
        _refuse_weak_rsa(public_key.public_numbers())
    elif isinstance(public_key, ec.EllipticCurvePublicKey):
        _refuse_curve(public_key, allow_p521=allow_p521)
    else:
        raise _refusal(
            f"is of the type {keys.describe(public_key)}, which browsers do not accept in certificates",
            "Use RSA of at least 2048 bits, or EC on P-256 or P-384.",
        )
    if blocked is not None:
        refuse_blocked(keys.spki_sha256(public_key), blocked)
    return public_key


def refuse_blocked(spki_sha256: bytes, blocked: Callable[[bytes], bool]) -> None:
    """`WeakKey` when the key with this digest is on a list of compromised keys."""
    if blocked(spki_sha256):
        raise _refusal("is on the list of compromised keys and stays blocked for ever")


def load_blocklist(path: Path) -> frozenset[bytes]:
    """The operator's list of bad keys: one SHA-256 of an SPKI in hex per line, `#` starts a comment.

    Returns the 32-byte digests; `load_blocklist(path).__contains__` serves as `blocked`.

    Raises:
        BadParameter: a line is no such digest; it is named, since a list half read protects nobody.
    """
    digests = set()
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        entry = line.partition("#")[0].strip()
        if entry:
            digests.add(_digest(entry, number))
    return frozenset(digests)


def forget_accepted() -> None:
    """Check every key anew, for measurements; this process remembers RSA keys that it accepted."""
    _refuse_weak_rsa.cache_clear()


def _digest(entry: str, number: int) -> bytes:
    try:
        digest = bytes.fromhex(entry.replace(":", ""))
    except ValueError:
        digest = b""
    if len(digest) != 32:
        raise BadParameter(
            f"Line {number} of the key blocklist is no SHA-256 in hex: '{shown(entry)}'.",
            next_step="Write 64 hex digits per line: the SHA-256 of the key's SPKI.",
        )
    return digest


def _refusal(reason: str, next_step: str = _NEW_KEY) -> WeakKey:
    return WeakKey(f"The public key is refused: it {reason}.", next_step=next_step, field="csr")


def _refuse_curve(public_key: ec.EllipticCurvePublicKey, *, allow_p521: bool) -> None:
    accepted = (ec.SECP256R1, ec.SECP384R1) + ((ec.SECP521R1,) if allow_p521 else ())
    if not isinstance(public_key.curve, accepted):
        raise _refusal(
            f"is on the curve {keys.describe(public_key).removeprefix('EC ')}, which is not accepted",
            "Use the curve P-256 or P-384.",
        )


@lru_cache(maxsize=4096)  # accepted keys only: a key meets this gate at its CSR and again at issuance
def _refuse_weak_rsa(numbers: rsa.RSAPublicNumbers) -> None:
    _refuse_size(numbers.n.bit_length())
    _refuse_exponent(numbers.e)
    if gmpy2.gcd(_small_primes(), numbers.n) != 1:
        raise _refusal("has a small prime factor, so anybody can compute the private key")
    from badkeys.checks import checkrsa  # 0.25 s, which a start of the command line should not pay

    for check, meaning in _NAMED_CHECKS.items():
        if checkrsa(numbers.n, numbers.e, checks=[check]):
            raise WeakKey(f"The public key is refused: {meaning}.", next_step=_NEW_KEY, field="csr")


def _refuse_size(bits: int) -> None:
    if bits < RSA_SMALLEST:
        raise _refusal(f"has {bits} bits; RSA keys need at least {RSA_SMALLEST}")
    if bits > RSA_LARGEST:
        raise _refusal(f"has {bits} bits; RSA keys may have at most {RSA_LARGEST}")
    if bits % 8:
        raise _refusal(f"has {bits} bits; the size of an RSA key must be a multiple of 8")


def _refuse_exponent(exponent: int) -> None:
    if exponent % 2 == 0:
        raise _refusal("has an even public exponent, which is no RSA key")
    if exponent < EXPONENT_SMALLEST:
        raise _refusal(f"has the small public exponent {exponent}; use {EXPONENT_SMALLEST}")
    if exponent.bit_length() > EXPONENT_LARGEST_BITS:
        raise _refusal(f"has a public exponent of over {EXPONENT_LARGEST_BITS} bits; use {EXPONENT_SMALLEST}")


@cache
def _small_primes() -> gmpy2.mpz:
    """The product of all primes up to the limit: one gcd finds any of them as a factor."""
    return gmpy2.primorial(SMALL_PRIME_LIMIT)
