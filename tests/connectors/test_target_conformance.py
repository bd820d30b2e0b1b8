"""One suite for every local target connector, against the real servers (law 7)."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from certdesk.connectors.probe import Verdict
from certdesk.connectors.targets.protocol import Bundle, Reason, TargetError
from tests.support import tls
from tests.support.target_kinds import KINDS, Bench, opened, run

pytestmark = pytest.mark.server
WWW, SHOP = "www.example.test", "shop.example.test"


@pytest.fixture(params=list(KINDS))
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Bench]:
    with opened(request.param, tmp_path / "server") as made:
        yield made


@pytest.fixture(params=["haproxy", "small"])
def elb(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Bench]:
    """HAProxy alone: what no other kind does."""
    with opened(request.param, tmp_path / "server") as made:
        yield made


def test_resources_tell_names_listeners_and_fingerprint(bench: Bench) -> None:
    first, second = run(bench.target().resources())
    assert first.names == (WWW, "example.test")
    assert second.names == (SHOP,)
    assert first.listeners == second.listeners == (bench.lab.server,)
    snapshot = run(bench.target().snapshot(first.id))
    assert snapshot.names == first.names
    assert "PRIVATE KEY" not in repr(snapshot)
    assert len(first.fingerprint_sha1) == 40


def test_installed_is_served_at_once_and_lasts_when_kept(bench: Bench) -> None:
    made, found = tls.make(SHOP), bench.by_name(SHOP)
    before = run(bench.target().snapshot(found.id))
    for _ in range(2):  # every verb may be repeated
        run(bench.target().install(found.id, made.bundle))
    assert bench.served(SHOP, made) is Verdict.NEW
    if bench.apart:
        bench.restart()
        again = bench.served(SHOP, made, Verdict.PREVIOUS, before.fingerprint_sha256)
        assert again is Verdict.PREVIOUS
        run(bench.target().install(found.id, made.bundle))
    for _ in range(2):
        run(bench.target().keep(found.id, made.bundle))
    bench.restart()
    assert bench.served(SHOP, made) is Verdict.NEW
    assert bench.by_name(SHOP).fingerprint_sha1 == made.bundle.fingerprint_sha1


# rule: DEP-4
@pytest.mark.parametrize("name", [WWW, SHOP])
def test_new_names_take_the_place_of_the_old_ones(elb: Bench, name: str) -> None:
    made, found = tls.make(name, "*.new.example.test"), elb.by_name(name)
    run(elb.target().install(found.id, made.bundle))
    run(elb.target().keep(found.id, made.bundle))
    for wanted in (name, "*.new.example.test"):
        assert elb.served(wanted, made) is Verdict.NEW
    elb.restart()
    again = next(one for one in run(elb.target().resources()) if one.id == found.id)
    assert again.names == (name, "*.new.example.test")
    assert elb.served("a.new.example.test", made) is Verdict.NEW


@pytest.mark.parametrize("kept", [False, True])
@pytest.mark.parametrize("name", [WWW, SHOP])
def test_restored_is_as_before_live_and_after_a_restart(bench: Bench, name: str, kept: bool) -> None:
    made, found = tls.make(name, "new.example.test"), bench.by_name(name)
    before = run(bench.target().snapshot(found.id))
    run(bench.target().install(found.id, made.bundle))
    assert bench.served(name, made) is Verdict.NEW
    if kept:
        run(bench.target().keep(found.id, made.bundle))
    for _ in range(2):
        run(bench.target().restore(found.id, before))
    for again in (False, True):
        if again:
            bench.restart()
        assert bench.served(name, made, Verdict.PREVIOUS, before.fingerprint_sha256) is Verdict.PREVIOUS
        assert bench.by_name(name).names == found.names


def test_a_wrong_key_changes_nothing_and_blocks_nobody(bench: Bench) -> None:
    made, found = tls.make(SHOP), bench.by_name(SHOP)
    wrong = replace(made.bundle, key=tls.make("x.example.test").bundle.key)
    before = run(bench.target().snapshot(found.id))
    with pytest.raises(TargetError) as refused:
        run(bench.target().install(found.id, wrong))
    assert refused.value.reason is Reason.REFUSED
    assert "private key" in refused.value.message
    assert bench.served(SHOP, made, Verdict.PREVIOUS, before.fingerprint_sha256) is Verdict.PREVIOUS
    run(bench.target().install(found.id, made.bundle))
    assert bench.served(SHOP, made) is Verdict.NEW


def test_a_transaction_that_a_crash_left_is_ended(elb: Bench) -> None:
    made, found = tls.make(SHOP), elb.by_name(SHOP)
    other = elb.by_name(WWW)
    runtime = elb.target()._runtime  # type: ignore[attr-defined]
    for left in (found, other):
        run(runtime.ask(f"set ssl cert {left.id}", made.bundle.whole))
        run(elb.target().install(found.id, made.bundle))
        assert elb.served(SHOP, made) is Verdict.NEW
    assert elb.by_name(WWW).fingerprint_sha1 == other.fingerprint_sha1


def test_pushed_is_there_and_used_by_nobody(bench: Bench) -> None:
    made = tls.make("pushed.example.test")
    for _ in range(2):
        pushed = run(bench.target().push("scs1600000000000", made.bundle))
    found = next(one for one in run(bench.target().resources()) if one.id == pushed.id)
    assert (found.names, found.listeners) == ((), ())
    assert found.fingerprint_sha1 == made.bundle.fingerprint_sha1
    assert Path(pushed.id).stat().st_mode & 0o777 == 0o600
    with pytest.raises(TargetError, match="no folder"):
        run(bench.target(folder=None).push("scs1600000000000", made.bundle))


def test_the_test_says_what_is_wrong(bench: Bench) -> None:
    assert run(bench.target().test()).ok
    assert run(bench.target(folder=None).test()).notes
    missing = run(bench.target(folder=str(bench.lab.folder / "nowhere")).test())
    assert (missing.ok, "is no folder" in missing.problem) == (False, True)
    place = "socket" if bench.kind == "haproxy" else "config"
    outside = run(bench.target(**{place: "/run/other"}).test())
    assert "CERTDESK_TARGET_FOLDERS" in outside.next_step
    bench.lab.stop()
    gone = run(bench.target().test())
    assert ("cannot be used" if bench.watched else "does not run") in gone.problem


def test_no_way_back_means_hands_off(elb: Bench) -> None:
    found = elb.by_name(SHOP)
    file = Path(found.id)
    other = tls.make(SHOP).bundle
    for text in ("", "no certificate", other.whole):
        file.write_text(text, encoding="ascii")
        with pytest.raises(TargetError) as refused:
            run(elb.target().snapshot(found.id))
        assert refused.value.reason is Reason.NO_WAY_BACK
    file.unlink()
    with pytest.raises(TargetError, match="does not hold"):
        run(elb.target().snapshot(found.id))
    file.symlink_to("/etc/hostname")
    with pytest.raises(TargetError) as refused:
        run(elb.target().snapshot(found.id))
    assert refused.value.reason is Reason.NOT_ALLOWED


def test_what_is_not_there_is_refused(bench: Bench) -> None:
    bundle: Bundle = tls.make(SHOP).bundle
    path = str(bench.lab.folder / "none.pem")
    with pytest.raises(TargetError) as refused:
        run(bench.target().install(path, bundle))
    assert refused.value.reason is Reason.NOT_THERE


def test_what_is_in_use_is_not_pushed_over(elb: Bench) -> None:
    used = elb.by_name(WWW).id
    with pytest.raises(TargetError, match="in use"):
        run(elb.target(folder=str(elb.lab.folder)).push(Path(used).stem, tls.make(SHOP).bundle))
