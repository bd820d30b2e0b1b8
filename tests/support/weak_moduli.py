"""RSA moduli with known weaknesses, the same ones in every run."""

import random
from functools import cache

import gmpy2

_ROCA_MODULUS = 0x924CBA6AE99DFA084537FACC54948DF0C23DA044D8CABE0EDD75BC6


def prime(bits: int, seed: int) -> int:
    """A prime of exactly `bits` bits with its two top bits set."""
    start = random.Random(seed).getrandbits(bits) | (3 << (bits - 2)) | 1
    return int(gmpy2.next_prime(start))


@cache
def good(bits: int = 2048, seed: int = 1) -> int:
    """Two random primes: nothing is wrong with it but that anybody can make it again."""
    half = bits // 2
    return prime(half, seed) * prime(bits - half, seed + 1000)


@cache
def close_primes() -> int:
    first = prime(1024, 5)
    return first * int(gmpy2.next_prime(first + 2**300))


@cache
def roca() -> int:
    """Congruent to a power of 65537, as the faulty chips make them, and without a small factor."""
    source = random.Random(7)
    small = gmpy2.primorial(65537)
    residue = pow(65537, source.randrange(1, 10**9), _ROCA_MODULUS)
    while True:
        high = (source.getrandbits(2047) | (1 << 2047)) // _ROCA_MODULUS
        modulus = high * _ROCA_MODULUS + residue
        if modulus % 2 and modulus.bit_length() == 2048 and gmpy2.gcd(modulus, small) == 1:
            return modulus


@cache
def small_factor() -> int:
    """2048 bits, divisible by 65521."""
    return 65521 * int(gmpy2.next_prime(((1 << 2048) - 1) // 65521 - (1 << 1900)))


def _free_of_small_factors(start: int) -> int:
    return int(gmpy2.next_prime(start))


@cache
def repeated_bytes() -> int:
    """Bytes that repeat 32 times in the middle, like a buffer that was never filled."""
    base = random.Random(11).getrandbits(2048) | (1 << 2047)
    mask = (1 << 256) - 1
    return _free_of_small_factors((base & ~(mask << 1024)) | (int.from_bytes(b"\x5a" * 32, "big") << 1024))


@cache
def few_zeros() -> int:
    """Two of three bits are ones."""
    source = random.Random(13)
    bits = (1 << 2047) | sum(1 << i for i in range(2047) if source.random() < 0.75)
    return _free_of_small_factors(bits)


@cache
def many_zeros() -> int:
    """One bit of four, without a pattern that would repeat bytes."""
    source = random.Random(17)
    bits = (1 << 2047) | sum(1 << i for i in range(2047) if source.random() < 0.25)
    return _free_of_small_factors(bits)
