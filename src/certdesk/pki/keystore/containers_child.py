"""Opens one PKCS#12 or Java store, or one encrypted key, in a process of its own; JSON in, JSON out.

How long a password takes to try is chosen by whoever made the file: the limits of this process end it.
"""

import base64
import json
import resource
import sys
from typing import Any

SECONDS = 5  # of CPU
MEMORY = 1024 * 1024 * 1024  # bytes of addresses; scrypt may want some hundred MiB of them
_JAVA = (b"\xfe\xed\xfe\xed", b"\xce\xce\xce\xce")


def opened(content: bytes, password: str) -> tuple[list[bytes], list[bytes]]:
    """Certificates and keys, DER. Raises ValueError or TypeError for a wrong password or damage."""
    if content.startswith(_JAVA):
        return _of_java(content, password)
    return _of_pkcs8(content, password) or _of_pkcs12(content, password)


def _of_pkcs12(content: bytes, password: str) -> tuple[list[bytes], list[bytes]]:
    from cryptography.hazmat.primitives.serialization import Encoding, pkcs12

    store = pkcs12.load_pkcs12(content, password.encode())
    found = [*([store.cert] if store.cert else []), *store.additional_certs]
    keys = [store.key] if store.key is not None else []
    return [one.certificate.public_bytes(Encoding.DER) for one in found], [_plain(key) for key in keys]


def _of_pkcs8(content: bytes, password: str) -> tuple[list[bytes], list[bytes]] | None:
    """None where the content is another thing than an encrypted key."""
    from cryptography.hazmat.primitives.serialization import load_der_private_key

    try:
        load_der_private_key(content, None)
    except TypeError:  # a key, with a password
        return [], [_plain(load_der_private_key(content, password.encode()))]
    except ValueError:
        return None
    return None


def _of_java(content: bytes, password: str) -> tuple[list[bytes], list[bytes]]:
    import jks

    store = jks.KeyStore.loads(content, password)
    chains = [one.cert_chain for one in store.private_keys.values()]
    certificates = [der for chain in chains for _, der in chain] + [one.cert for one in store.certs.values()]
    return certificates, [one.pkey_pkcs8 for one in store.private_keys.values()]


def _plain(key: Any) -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    der: bytes = key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    return der


def main() -> None:
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    given = json.load(sys.stdin)
    try:
        certificates, keys = opened(base64.b64decode(given["content"]), given["password"])
    except MemoryError:
        raise
    except Exception:  # noqa: BLE001 - parsers raise what they like; the parent says the sentence
        json.dump({"refused": True}, sys.stdout)
        return
    answer = {"certificates": certificates, "keys": keys}
    json.dump(
        {name: [base64.b64encode(der).decode() for der in ders] for name, ders in answer.items()}, sys.stdout
    )


if __name__ == "__main__":
    main()
