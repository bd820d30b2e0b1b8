"""Seal, unseal, destroy: what a row is bound to, and what a thief of the database gets."""

import pytest

from certdesk.foundation.common import settings
from certdesk.foundation.sealing import actions, envelope, kek
from certdesk.foundation.sealing.errors import KekRefused, SealBroken, SecretMissing
from certdesk.foundation.sealing.models import Secret

pytestmark = pytest.mark.django_db

PLAIN = b"canary 6f1f5e0b private bytes"


@pytest.fixture(autouse=True)
def kek_file() -> None:
    kek.ensure_kek_file()


def test_what_was_sealed_comes_back() -> None:
    secret = actions.seal("a", "private-key", PLAIN)
    assert actions.unseal(secret, "a", "private-key") == PLAIN


def test_no_column_holds_the_plaintext_and_repr_shows_nothing() -> None:
    row = Secret.objects.get(id=actions.seal("a", "private-key", PLAIN))
    everything = (
        b"".join(bytes(part) for part in (row.wrapped_key, row.ciphertext)) + repr(vars(row)).encode()
    )
    assert PLAIN not in everything
    assert PLAIN.decode() not in repr(row)


def test_equal_plaintexts_have_different_rows() -> None:
    rows = [Secret.objects.get(id=actions.seal("a", "x", PLAIN)) for _ in range(20)]
    assert len({bytes(row.ciphertext)[:12] for row in rows}) == 20
    assert len({bytes(row.wrapped_key) for row in rows}) == 20


@pytest.mark.parametrize(("tenant", "purpose"), [("b", "private-key"), ("a", "totp"), ("ap", "rivate-key")])
def test_another_tenant_or_purpose_cannot_open_it(tenant: str, purpose: str) -> None:
    secret = actions.seal("a", "private-key", PLAIN)
    with pytest.raises(SealBroken):
        actions.unseal(secret, tenant, purpose)


@pytest.mark.parametrize("columns", [("ciphertext",), ("wrapped_key",), ("wrapped_key", "ciphertext")])
def test_a_row_moved_to_another_id_cannot_be_opened(columns: tuple[str, ...]) -> None:
    """Promise 14: swapping rows, whole or in part, is noticed."""
    mine, other = actions.seal("a", "x", b"mine"), actions.seal("a", "x", b"other")
    source = Secret.objects.get(id=mine)
    Secret.objects.filter(id=other).update(**{column: getattr(source, column) for column in columns})
    with pytest.raises(SealBroken) as broken:
        actions.unseal(other, "a", "x")
    assert "mine" not in str(broken.value)
    assert actions.unseal(mine, "a", "x") == b"mine"


@pytest.mark.parametrize("column", ["ciphertext", "wrapped_key"])
@pytest.mark.parametrize("change", ["flip", "truncate", "empty"])
def test_a_changed_row_cannot_be_opened(column: str, change: str) -> None:
    secret = actions.seal("a", "x", PLAIN)
    data = bytes(getattr(Secret.objects.get(id=secret), column))
    changed = {"flip": data[:-1] + bytes([data[-1] ^ 1]), "truncate": data[:20], "empty": b""}[change]
    Secret.objects.filter(id=secret).update(**{column: changed})
    with pytest.raises(SealBroken):
        actions.unseal(secret, "a", "x")


def test_the_kek_version_is_bound_too() -> None:
    secret = actions.seal("a", "x", PLAIN)
    kek.add_version(settings.get().kek_path)
    Secret.objects.filter(id=secret).update(kek_version=kek.load().current)
    with pytest.raises(SealBroken):
        actions.unseal(secret, "a", "x")


def test_the_database_without_its_kek_file_yields_nothing() -> None:
    secret = actions.seal("a", "x", PLAIN)
    path = settings.get().kek_path
    kept = path.read_bytes()
    path.unlink()
    try:
        with pytest.raises(KekRefused):
            actions.unseal(secret, "a", "x")
        kek.ensure_kek_file(path)
        with pytest.raises((SealBroken, KekRefused)):
            actions.unseal(secret, "a", "x")
        with pytest.raises(KekRefused):
            actions.check_kek()
    finally:
        path.write_bytes(kept)
    actions.check_kek()


def test_a_destroyed_secret_is_gone_and_destroying_twice_is_no_error() -> None:
    secret = actions.seal("a", "x", PLAIN)
    actions.destroy(secret)
    actions.destroy(secret)
    with pytest.raises(SecretMissing):
        actions.unseal(secret, "a", "x")


def test_label_parts_cannot_run_into_each_other() -> None:
    assert envelope.Label("a", "bc", "d").bind() != envelope.Label("ab", "c", "d").bind()
    assert envelope.Label("a", "b", "c").bind(1) != envelope.Label("a", "b", "c").bind()


def test_sealed_parts_and_errors_show_nothing() -> None:
    sealed = envelope.close(envelope.Label("a", "b", "c"), PLAIN, kek.load())
    assert str(sealed.ciphertext) not in repr(sealed)


def test_an_empty_database_takes_any_kek_file() -> None:
    actions.check_kek()
