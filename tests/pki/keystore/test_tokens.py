"""Keys in a PKCS#11 token: real SoftHSM, threads, forks, other processes, a wrong PIN, a lost token."""

import copy
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from certdesk.foundation.common import settings
from certdesk.pki.keystore import actions, token_keys, tokens, use
from certdesk.pki.keystore.errors import KeyElsewhere, TokenUnavailable
from certdesk.pki.keystore.models import Held, Key
from certdesk.pki.x509 import keys
from certdesk.pki.x509.keys import KeyAlgorithm
from tests.support import softhsm
from tests.support.softhsm import Token

pytestmark = pytest.mark.server
DATA = b"to be signed"


@pytest.fixture
def token(tmp_path: Path) -> Iterator[Token]:
    with softhsm.used(softhsm.make(tmp_path)) as made:
        yield made


def sign(key: Any) -> bytes:
    if isinstance(key, rsa.RSAPrivateKey):
        return key.sign(DATA, padding.PKCS1v15(), hashes.SHA256())
    return bytes(key.sign(DATA, ec.ECDSA(hashes.SHA256())))


def verify(key: Any, signature: bytes) -> None:
    public = key.public_key()
    if isinstance(public, rsa.RSAPublicKey):
        public.verify(signature, DATA, padding.PKCS1v15(), hashes.SHA256())
    else:
        public.verify(signature, DATA, ec.ECDSA(hashes.SHA256()))


@pytest.mark.parametrize("algorithm", [KeyAlgorithm.EC_P256, KeyAlgorithm.EC_P384, KeyAlgorithm.RSA_2048])
def test_a_key_in_the_token_signs_and_cannot_be_taken_out(token: Token, algorithm: KeyAlgorithm) -> None:
    key = token_keys.generate(algorithm)
    assert keys.algorithm_of(key.public_key()) is algorithm
    assert key.key_size == key.public_key().key_size
    verify(key, sign(key))
    again = token_keys.load(token_keys.id_of(key), keys.spki_der(key.public_key()))
    verify(key, sign(again))
    assert copy.copy(key) is key
    assert copy.deepcopy(key) is key
    assert token_keys.id_of(key) in repr(key)
    with pytest.raises(TokenUnavailable, match="never leaves"):
        key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    assert attributes(token_keys.id_of(key)) == (False, True)


def attributes(object_id: str) -> tuple[bool, bool]:
    """EXTRACTABLE and SENSITIVE, as the token itself says."""
    import pkcs11

    def asked(session: tokens.Session) -> tuple[bool, bool]:
        key = session.raw.get_key(pkcs11.ObjectClass.PRIVATE_KEY, id=bytes.fromhex(object_id))
        return key[pkcs11.Attribute.EXTRACTABLE], key[pkcs11.Attribute.SENSITIVE]

    return tokens.run(asked)


@pytest.mark.parametrize(
    "use_it",
    [
        lambda key: key.private_numbers(),
        lambda key: key.exchange(ec.ECDH(), key.public_key()),
        lambda key: key.decrypt(b"x", padding.PKCS1v15()),
    ],
)
def test_it_signs_and_does_nothing_else(token: Token, use_it: Callable[[Any], object]) -> None:
    with pytest.raises(TokenUnavailable):
        use_it(token_keys.generate(KeyAlgorithm.EC_P256))


def test_another_scheme_than_the_authoritys_is_refused(token: Token) -> None:
    key = token_keys.generate(KeyAlgorithm.RSA_2048)
    assert isinstance(key, rsa.RSAPrivateKey)
    pss = padding.PSS(padding.MGF1(hashes.SHA256()), 32)
    with pytest.raises(ValueError, match=r"v1\.5"):
        key.sign(DATA, pss, hashes.SHA256())


def test_only_rsa_and_ec_lie_in_a_token() -> None:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    with pytest.raises(ValueError, match="neither"):
        token_keys.load("00", keys.spki_der(Ed25519PrivateKey.generate().public_key()))
    assert token_keys.id_of(keys.generate(KeyAlgorithm.EC_P256)) == ""


def test_many_threads_sign_at_once(token: Token) -> None:
    key = token_keys.generate(KeyAlgorithm.EC_P256)
    with ThreadPoolExecutor(max_workers=8) as threads:
        for signature in threads.map(lambda _: sign(key), range(64)):
            verify(key, signature)


def test_after_a_fork_parent_and_child_both_sign(token: Token) -> None:
    key = token_keys.generate(KeyAlgorithm.EC_P256)
    sign(key)
    read, write = os.pipe()
    child = os.fork()
    if child == 0:  # nothing of the test's own machinery may run here
        try:
            os.write(write, sign(key))
        finally:
            os._exit(0)
    os.close(write)
    verify(key, sign(key))
    with os.fdopen(read, "rb") as told:
        verify(key, told.read())
    assert os.waitpid(child, 0)[1] == 0


def test_two_processes_sign_with_one_key(token: Token) -> None:
    key = token_keys.generate(KeyAlgorithm.RSA_2048)
    program = (
        "import sys; from certdesk.config.settings import load;"
        "from certdesk.foundation.common import settings;"
        "settings.install(load()); from certdesk.pki.keystore import token_keys;"
        "from cryptography.hazmat.primitives import hashes; from cryptography.hazmat.primitives.asymmetric"
        " import padding; key = token_keys.load(sys.argv[1], bytes.fromhex(sys.argv[2]));"
        f"sys.stdout.write(key.sign({DATA!r}, padding.PKCS1v15(), hashes.SHA256()).hex())"
    )
    spki = keys.spki_der(key.public_key()).hex()
    environment = {**os.environ, **token.environment(), "DJANGO_SETTINGS_MODULE": "certdesk.config.django"}
    other = subprocess.Popen(
        [sys.executable, "-c", f"import django; django.setup(); {program}", token_keys.id_of(key), spki],
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
    )
    verify(key, sign(key))
    answer, _ = other.communicate(timeout=60)
    assert other.returncode == 0
    verify(key, bytes.fromhex(answer))
    verify(key, sign(key))


def test_a_lost_session_is_opened_again(token: Token) -> None:
    key = token_keys.generate(KeyAlgorithm.EC_P256)
    sign(key)
    tokens.run(lambda session: session.raw.close())
    verify(key, sign(key))


def test_what_may_not_be_done_twice_is_not_tried_again(token: Token) -> None:
    from pkcs11.exceptions import DeviceError

    tried = []

    def broken(session: tokens.Session) -> None:
        tried.append(session)
        raise DeviceError

    with pytest.raises(TokenUnavailable, match="DeviceError"):
        tokens.run(broken, again=False)
    assert len(tried) == 1
    with pytest.raises(TokenUnavailable, match="DeviceError"):
        tokens.run(broken)
    assert len(tried) == 3


def test_a_wrong_pin_is_refused_and_never_shown(token: Token) -> None:
    key = token_keys.generate(KeyAlgorithm.EC_P256)
    tokens.forget()
    token.pin_file.write_text("wrong-9876\n")
    with pytest.raises(TokenUnavailable, match="PIN was refused") as refused:
        sign(key)
    assert "wrong-9876" not in str(refused.value)
    token.pin_file.write_text(softhsm.PIN + "\n")
    verify(key, sign(key))


def test_a_refused_pin_is_not_given_again_before_its_file_changes(
    token: Token, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = token_keys.generate(KeyAlgorithm.EC_P256)
    tries: list[str] = []
    logged_in = tokens._logged_in

    def counted(raw: Any, wanted: tokens.Place, pin: str, written: int) -> Any:
        tries.append(pin)
        return logged_in(raw, wanted, pin, written)

    monkeypatch.setattr(tokens, "_logged_in", counted)
    token.pin_file.write_text("wrong-9876\n")
    for use_it in (token_keys.missing, *[lambda _: sign(key)] * 5):
        with pytest.raises(TokenUnavailable):
            tokens.forget(), use_it([token_keys.id_of(key)])
    assert tries == ["wrong-9876"]
    token.pin_file.write_text(softhsm.PIN + "\n")
    verify(key, sign(key))


def test_a_process_that_finds_wrong_pins_counted_adds_none(token: Token) -> None:
    key = token_keys.generate(KeyAlgorithm.EC_P256)
    tokens.forget()
    token.pin_file.write_text("wrong-9876\n")
    with pytest.raises(TokenUnavailable, match="PIN was refused"):
        sign(key)
    tokens._refused.clear()  # as in a process that gave no wrong one itself
    with pytest.raises(TokenUnavailable, match="soon be locked") as refused:
        sign(key)
    assert "vendor's tools" in refused.value.next_step
    assert log_in(token)
    token.pin_file.write_text(softhsm.PIN + "\n")
    verify(key, sign(key))


def log_in(token: Token) -> bool:
    """As a vendor's tool does it, which ends the count."""
    import pkcs11

    raw = pkcs11.lib(token.module).get_token(token_label=softhsm.LABEL)
    with raw.open(user_pin=softhsm.PIN):
        return True


def test_a_key_that_is_missing_leaves_the_session_open(token: Token) -> None:
    held, gone = (token_keys.generate(KeyAlgorithm.EC_P256) for _ in range(2))
    token_keys.remove([token_keys.id_of(gone)])
    before = tokens.run(lambda session: session)
    with pytest.raises(TokenUnavailable, match="holds no key"):
        sign(gone)
    assert tokens.run(lambda session: session) is before
    verify(held, sign(held))


@pytest.mark.parametrize(
    ("change", "why"), [("mode", "others can read"), ("empty", "is empty"), ("gone", "cannot be read")]
)
def test_the_pin_file_is_checked_at_each_opening(token: Token, change: str, why: str) -> None:
    if change == "mode":
        token.pin_file.chmod(0o640)
    elif change == "empty":
        token.pin_file.write_text("")
    else:
        token.pin_file.unlink()
    with pytest.raises(TokenUnavailable, match=why):
        token_keys.generate(KeyAlgorithm.EC_P256)


def test_a_token_that_is_gone_signs_nothing_and_one_that_is_back_signs_again(token: Token) -> None:
    key = token_keys.generate(KeyAlgorithm.EC_P256)
    other = token_keys.generate(KeyAlgorithm.EC_P256)
    ids = [token_keys.id_of(key), token_keys.id_of(other)]
    assert token_keys.missing(ids) == []
    token.take_out()
    with pytest.raises(TokenUnavailable):
        token_keys.missing(ids)
    with pytest.raises(TokenUnavailable):
        sign(key)
    token.put_back()
    verify(key, sign(key))
    token_keys.remove(ids[1:])
    token_keys.remove(ids[1:])
    assert token_keys.missing(ids) == ids[1:]
    with pytest.raises(TokenUnavailable, match="holds no key"):
        sign(other)


def test_without_a_token_or_its_library_the_refusal_says_what_to_do(
    token: Token, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = token_keys.generate(KeyAlgorithm.EC_P256)
    with_token = settings.get()
    settings.install(with_token.model_copy(update={"pkcs11_token": "another"}))
    with pytest.raises(TokenUnavailable, match="label another"):
        sign(key)
    settings.install(with_token.model_copy(update={"pkcs11_module": Path("/etc/hostname")}))
    with pytest.raises(TokenUnavailable):
        sign(key)
    monkeypatch.setitem(sys.modules, "pkcs11", None)
    settings.install(with_token)
    with pytest.raises(TokenUnavailable, match="certdesk\\[pkcs11\\]"):
        sign(key)
    settings.install(with_token.model_copy(update={"pkcs11_module": None}))
    with pytest.raises(TokenUnavailable, match="no token is set up"):
        sign(key)


@pytest.mark.django_db
def test_the_row_of_such_a_key_holds_no_secret(token: Token) -> None:
    made = token_keys.generate(KeyAlgorithm.EC_P256)
    row = actions.store_made(actions.HOUSE, made, "authority")
    assert (row.held, row.secret_id, row.object_id) == (Held.TOKEN, "", token_keys.id_of(made))
    held = use.private_key(row.id, actions.HOUSE)
    verify(held, sign(held))
    assert actions.set_lost(row.id, row.created_at)
    assert not actions.set_lost(row.id, row.created_at)
    assert actions.set_lost(row.id, None)
    actions.destroy(row.id)
    assert Key.objects.get(id=row.id).state == "DESTROYED"


@pytest.mark.django_db
def test_a_key_that_is_kept_elsewhere_signs_nothing_here() -> None:
    public: Any = keys.generate(KeyAlgorithm.EC_P256).public_key()
    row = actions.store_public(public, "authority")
    with pytest.raises(KeyElsewhere):
        use.private_key(row.id, actions.HOUSE)
