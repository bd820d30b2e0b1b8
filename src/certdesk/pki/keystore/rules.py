"""How many ready-made RSA keys the pool keeps. Pure."""

from collections.abc import Mapping

from certdesk.pki.x509.keys import KeyAlgorithm

# An RSA key takes 50 ms (2048) to seconds (4096) to make, so some lie ready; EC keys take 12 µs.
POOL: Mapping[KeyAlgorithm, int] = {
    KeyAlgorithm.RSA_2048: 4,
    KeyAlgorithm.RSA_3072: 1,
    KeyAlgorithm.RSA_4096: 1,
}


def lacking(present: Mapping[str, int]) -> list[KeyAlgorithm]:
    """The algorithms of the keys to make, one entry a key, given how many of each lie ready."""
    return [
        algorithm for algorithm, wanted in POOL.items() for _ in range(wanted - present.get(algorithm, 0))
    ]
