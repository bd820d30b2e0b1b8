"""Stores and keys with a password: opened in a child whose time and memory end."""

import io
import json
import subprocess
import sys
from base64 import b64encode

import pytest
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat

from certdesk.pki.keystore import containers, containers_child
from certdesk.pki.x509 import bundles
from certdesk.pki.x509.errors import CannotRead
from tests.support.uploads import World, key_of

WORLD = World()
LEAF, ISSUING = (one.public_bytes(Encoding.DER) for one in (WORLD.usual, WORLD.issuing))
STORES = {
    "PKCS12": bundles.pkcs12_store(LEAF, [ISSUING], WORLD.leaf_key, "a", "secret"),
    "JKS": bundles.jks_store(LEAF, [ISSUING], WORLD.leaf_key, "a", "secret", WORLD.now),
}
LOCKED = key_of(1).private_bytes(Encoding.DER, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret"))


@pytest.mark.parametrize("kind", STORES)
def test_a_store_opens_with_its_password_alone(kind: str) -> None:
    opened = containers.open_container(STORES[kind], "secret")
    assert opened.certificates == (LEAF, ISSUING)
    assert len(opened.keys) == 1
    for password, words in (("wrong", "does not open"), ("", "protected by a password")):
        with pytest.raises(CannotRead) as fault:
            containers.open_container(STORES[kind], password)
        assert words in fault.value.message
        assert fault.value.field == "password"


def test_an_encrypted_key_opens_too() -> None:
    assert len(containers.open_container(LOCKED, "secret").keys) == 1
    assert containers_child.opened(LOCKED, "secret")[0] == []


def test_the_password_has_an_end() -> None:
    with pytest.raises(CannotRead, match="does not open"):
        containers.open_container(LOCKED, "x" * containers.PASSWORD_LIMIT)
    with pytest.raises(CannotRead, match="at most 256"):
        containers.open_container(LOCKED, "x" * (containers.PASSWORD_LIMIT + 1))


def dear() -> bytes:
    """The same encrypted key with 2,000,000,000 iterations instead of the usual number."""
    counts = [n for n in range(len(LOCKED) - 3) if LOCKED[n : n + 2] == b"\x02\x02" and LOCKED[n + 2] >= 8]
    at = counts[0]
    lengths = bytearray(LOCKED)
    return _longer(bytes(lengths), at)


def _longer(der: bytes, at: int) -> bytes:
    """INTEGER of two bytes at `at` replaced by one of four, every length around it corrected."""
    changed = bytearray(der[:at] + b"\x02\x04\x77\x35\x94\x00" + der[at + 4 :])
    where = 0
    while where < at:  # every value that begins before it and ends behind it holds it
        head = 2 if der[where + 1] < 128 else 2 + (der[where + 1] & 127)
        length = der[where + 1] if head == 2 else int.from_bytes(der[where + 2 : where + head])
        if where + head + length > at:
            field = slice(where + 1, where + 2) if head == 2 else slice(where + 2, where + head)
            changed[field] = (length + 2).to_bytes(field.stop - field.start)
            where += head
        else:
            where += head + length
    return bytes(changed)


def test_what_costs_too_much_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(containers, "SECONDS", 1.0)  # the child's own limit is five of CPU
    with pytest.raises(CannotRead, match="more time or memory"):
        containers.open_container(dear(), "secret")


def test_the_childs_own_time_ends() -> None:
    script = (
        "from certdesk.pki.keystore import containers_child as child\n"
        "child.SECONDS = 1\n"
        "child.opened = lambda content, password: sum(iter(int, 1))\n"
        "child.main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        input=b'{"content": "", "password": ""}',
        capture_output=True,
        check=False,
    )
    assert done.returncode < 0


def test_the_child_answers_in_json(monkeypatch: pytest.MonkeyPatch) -> None:
    def asked(content: bytes, password: str) -> dict[str, object]:
        told = io.StringIO()
        given = json.dumps({"content": b64encode(content).decode(), "password": password})
        monkeypatch.setattr(sys, "stdin", io.StringIO(given))
        monkeypatch.setattr(sys, "stdout", told)
        monkeypatch.setattr(containers_child.resource, "setrlimit", lambda *limit: None)
        containers_child.main()
        return dict(json.loads(told.getvalue()))

    for content in STORES.values():
        assert len(asked(content, "secret")["certificates"]) == 2
    assert asked(LOCKED, "wrong") == {"refused": True}
    assert asked(b"\x30\x00", "") == {"refused": True}
    plain = key_of(1).private_bytes(Encoding.DER, PrivateFormat.PKCS8, _no_lock())
    assert asked(plain, "") == {"refused": True}  # such a one is never brought here

    def full(content: bytes, password: str) -> None:
        raise MemoryError

    monkeypatch.setattr(containers_child, "opened", full)
    with pytest.raises(MemoryError):
        asked(LOCKED, "secret")


def _no_lock() -> object:
    from cryptography.hazmat.primitives.serialization import NoEncryption

    return NoEncryption()
