"""Rotation of the KEK: online, kill-safe, resumable, fast (promise 15)."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from certdesk.foundation.common import clock, ids, settings
from certdesk.foundation.sealing import actions, envelope, kek, queries
from certdesk.foundation.sealing.models import Secret

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def own_kek_file(tmp_path: Path) -> Iterator[Path]:
    before = settings.get()
    settings.install(before.model_copy(update={"kek_file": tmp_path / "own.kek"}))
    yield kek.ensure_kek_file()
    settings.install(before)


def seal_many(count: int) -> dict[str, bytes]:
    ring, secrets = kek.load(), {}
    rows = []
    for number in range(count):
        label = envelope.Label("a", ids.hex32(), "x")
        secrets[label.id] = f"value {number}".encode()
        sealed = envelope.close(label, secrets[label.id], ring)
        rows.append(
            Secret(
                id=label.id,
                tenant="a",
                purpose="x",
                kek_version=sealed.kek_version,
                wrapped_key=sealed.wrapped_key,
                ciphertext=sealed.ciphertext,
                created_at=clock.real_now(),
            )
        )
    Secret.objects.bulk_create(rows, batch_size=1000)
    return secrets


def assert_all_readable(secrets: dict[str, bytes]) -> None:
    assert {secret: actions.unseal(secret, "a", "x") for secret in secrets} == secrets


def test_every_secret_moves_to_the_new_kek_and_the_old_one_is_retired() -> None:
    secrets = seal_many(250)
    before = dict(Secret.objects.values_list("id", "ciphertext"))
    report = actions.rotate()
    assert (report.version, report.rewrapped, report.remaining, report.retired) == (2, 250, 0, (1,))
    assert not report.resumed
    assert kek.load().versions == (2,)
    assert_all_readable(secrets)
    after = dict(Secret.objects.values_list("id", "ciphertext"))
    assert {k: bytes(v) for k, v in after.items()} == {k: bytes(v) for k, v in before.items()}


def test_rotating_twice_and_an_empty_table_are_fine() -> None:
    assert actions.rotate().version == 2
    assert actions.rotate().version == 3
    assert kek.load().versions == (3,)


def test_a_kill_after_any_batch_leaves_every_secret_readable_and_the_next_call_finishes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    secrets = seal_many(450)
    for batches in (0, 1, 2):
        monkeypatch.setattr(queries, "swap_wrapped", killed_after(batches, queries.swap_wrapped))
        with pytest.raises(Killed):
            actions.rotate()
        monkeypatch.undo()
        assert_all_readable(secrets)
        late = actions.seal("a", "x", b"sealed in between")
        secrets[late] = b"sealed in between"
    report = actions.rotate()
    assert report.resumed
    assert (report.version, report.remaining) == (2, 0)
    assert kek.load().versions == (2,)
    assert_all_readable(secrets)


class Killed(BaseException):
    pass


def killed_after(batches: int, real: Callable[..., int]) -> Callable[..., int]:
    left = batches

    def swap(changes: object) -> int:
        nonlocal left
        if left == 0:
            raise Killed
        left -= 1
        return real(changes)

    return swap


def test_a_kill_before_retiring_keeps_the_old_version_until_the_next_rotation(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    secrets = seal_many(10)

    def killed(*_: object) -> None:
        raise Killed

    monkeypatch.setattr(kek, "retire", killed)
    with pytest.raises(Killed):
        actions.rotate()
    monkeypatch.undo()
    assert kek.load().versions == (1, 2)
    assert actions.rotate().retired == (1, 2)
    assert_all_readable(secrets)


def test_a_row_that_somebody_changed_in_between_is_left_to_the_next_pass() -> None:
    secrets = seal_many(1)
    (label, sealed), *_ = queries.under_old_keks(2, 10)
    kek.add_version(settings.get().kek_path)
    newer = envelope.rewrap(label, sealed, kek.load())
    assert queries.swap_wrapped([(label.id, sealed, newer)]) == 1
    assert queries.swap_wrapped([(label.id, sealed, newer)]) == 0
    assert_all_readable(secrets)


def test_a_row_that_cannot_be_opened_is_named_and_keeps_its_kek() -> None:
    secrets = seal_many(3)
    broken = next(iter(secrets))
    Secret.objects.filter(id=broken).update(wrapped_key=b"x" * 60)
    report = actions.rotate()
    assert (report.broken, report.rewrapped, report.remaining, report.retired) == ((broken,), 2, 1, ())
    assert kek.load().versions == (1, 2)


def test_a_row_that_cannot_be_opened_does_not_keep_the_others_from_a_new_kek() -> None:
    secrets = seal_many(3)
    broken, gone, *_ = secrets
    Secret.objects.filter(id=broken).update(wrapped_key=b"x" * 60)
    actions.rotate()
    Secret.objects.filter(id=gone).update(kek_version=0)
    for version in (3, 4):
        report = actions.rotate()
        assert (report.version, report.resumed, report.rewrapped) == (version, False, 1)
        assert (set(report.broken), report.remaining, report.retired) == ({broken, gone}, 2, (version - 1,))
        assert kek.load().versions == (1, version)
    for secret in (broken, gone):
        del secrets[secret]
    assert_all_readable(secrets)


def test_old_versions_stay_when_other_nodes_still_need_them() -> None:
    seal_many(2)
    assert actions.rotate(retire=False).retired == ()
    assert kek.load().versions == (1, 2)


def test_a_rotation_that_begins_while_a_secret_is_sealed_does_not_strand_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    real = envelope.close
    rotated = []

    def close_then_rotate(*args: object) -> envelope.Sealed:
        sealed = real(*args)  # type: ignore[arg-type]
        if not rotated:
            rotated.append(kek.add_version(settings.get().kek_path))
        return sealed

    monkeypatch.setattr(envelope, "close", close_then_rotate)
    secret = actions.seal("a", "x", b"value")
    assert Secret.objects.get(id=secret).kek_version == 2
    assert actions.unseal(secret, "a", "x") == b"value"


def test_a_secret_read_just_before_its_old_kek_was_retired_is_read_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ((secret, value),) = seal_many(1).items()
    real = queries.find

    def read_then_rotated(secret_id: str) -> envelope.Sealed | None:
        monkeypatch.setattr(queries, "find", real)
        found = real(secret_id)
        actions.rotate()
        return found

    monkeypatch.setattr(queries, "find", read_then_rotated)
    assert actions.unseal(secret, "a", "x") == value


def test_ten_thousand_rows_take_far_less_than_thirty_seconds() -> None:
    secrets = seal_many(10_000)
    begun = time.monotonic()
    report = actions.rotate()
    assert time.monotonic() - begun < 30
    assert (report.rewrapped, report.remaining) == (10_000, 0)
    sample = dict(list(secrets.items())[::500])
    assert_all_readable(sample)
