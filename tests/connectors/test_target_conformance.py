"""One suite for every target connector, against the real server (law 7)."""

import asyncio
import ipaddress
from collections.abc import Awaitable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import pytest

from certdesk.connectors import probe
from certdesk.connectors.probe import Expected, Verdict
from certdesk.connectors.targets import registry
from certdesk.connectors.targets.options import Outside
from certdesk.connectors.targets.protocol import Bundle, Reason, Resource, Target, TargetError
from certdesk.lab.elb import LabElb, haproxy
from tests.support import tls
from tests.support.needs import need

pytestmark = pytest.mark.server
T = TypeVar("T")
LOOPBACK = (ipaddress.ip_network("127.0.0.0/8"),)


def run(work: Awaitable[T]) -> T:
    async def inside() -> T:
        return await work

    return asyncio.run(inside())


@pytest.fixture(params=["real", "small"])
def elb(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[LabElb]:
    real = request.param == "real"
    if real:
        need(haproxy() is not None, "haproxy is not installed")
    with LabElb(tmp_path / "elb", real=real) as started:
        yield started


def target(elb: LabElb, **options: object) -> Target:
    outside = Outside(folders=(elb.folder,), seconds=5)
    return registry.connect("haproxy", {**elb.options, **options}, outside)


def by_name(elb: LabElb, name: str) -> Resource:
    return next(one for one in run(target(elb).resources()) if name in one.names)


def served(elb: LabElb, name: str, made: tls.Made, previous: str = "") -> Verdict:
    expected = Expected(made.sha256, previous, chain=made.chain)
    (seen,) = run(probe.look("127.0.0.1", elb.port, name, expected, allow_networks=LOOPBACK))
    return seen.verdict


def test_resources_tell_names_listeners_and_fingerprint(elb: LabElb) -> None:
    first, second = run(target(elb).resources())
    assert first.names == ("www.example.test", "example.test")
    assert second.names == ("shop.example.test",)
    assert first.listeners == second.listeners == (elb.server,)
    snapshot = run(target(elb).snapshot(first.id))
    assert snapshot.names == first.names
    assert "PRIVATE KEY" not in repr(snapshot)
    assert len(first.fingerprint_sha1) == 40


def test_installed_is_served_at_once_and_lasts_only_when_kept(elb: LabElb) -> None:
    made, found = tls.make("shop.example.test"), by_name(elb, "shop.example.test")
    before = run(target(elb).snapshot(found.id))
    for _ in range(2):  # every verb may be repeated
        run(target(elb).install(found.id, made.bundle))
    assert served(elb, "shop.example.test", made) is Verdict.NEW
    elb.stop()
    elb.start()
    assert served(elb, "shop.example.test", made, before.fingerprint_sha256) is Verdict.PREVIOUS
    run(target(elb).install(found.id, made.bundle))
    for _ in range(2):
        run(target(elb).keep(found.id, made.bundle))
    elb.stop()
    elb.start()
    assert served(elb, "shop.example.test", made) is Verdict.NEW
    assert by_name(elb, "shop.example.test").fingerprint_sha1 == made.bundle.fingerprint_sha1


# rule: DEP-4
@pytest.mark.parametrize("name", ["www.example.test", "shop.example.test"])
def test_new_names_take_the_place_of_the_old_ones(elb: LabElb, name: str) -> None:
    made, found = tls.make(name, "*.new.example.test"), by_name(elb, name)
    run(target(elb).install(found.id, made.bundle))
    run(target(elb).keep(found.id, made.bundle))
    for wanted in (name, "*.new.example.test"):
        assert served(elb, wanted, made) is Verdict.NEW
    elb.stop()
    elb.start()
    again = next(one for one in run(target(elb).resources()) if one.id == found.id)
    assert again.names == (name, "*.new.example.test")
    assert served(elb, "a.new.example.test", made) is Verdict.NEW


@pytest.mark.parametrize("kept", [False, True])
@pytest.mark.parametrize("name", ["www.example.test", "shop.example.test"])
def test_restored_is_as_before_live_and_after_a_restart(elb: LabElb, name: str, kept: bool) -> None:
    made, found = tls.make(name, "new.example.test"), by_name(elb, name)
    before = run(target(elb).snapshot(found.id))
    run(target(elb).install(found.id, made.bundle))
    if kept:
        run(target(elb).keep(found.id, made.bundle))
    for _ in range(2):
        run(target(elb).restore(found.id, before))
    assert served(elb, name, made, before.fingerprint_sha256) is Verdict.PREVIOUS
    assert by_name(elb, name).names == found.names
    elb.stop()
    elb.start()
    assert served(elb, name, made, before.fingerprint_sha256) is Verdict.PREVIOUS
    assert by_name(elb, name).names == found.names


def test_a_wrong_key_changes_nothing_and_blocks_nobody(elb: LabElb) -> None:
    made, found = tls.make("shop.example.test"), by_name(elb, "shop.example.test")
    wrong = replace(made.bundle, key=tls.make("x.example.test").bundle.key)
    before = run(target(elb).snapshot(found.id))
    with pytest.raises(TargetError) as refused:
        run(target(elb).install(found.id, wrong))
    assert refused.value.reason is Reason.REFUSED
    assert "inconsistencies" in refused.value.message
    assert served(elb, "shop.example.test", made, before.fingerprint_sha256) is Verdict.PREVIOUS
    run(target(elb).install(found.id, made.bundle))
    assert served(elb, "shop.example.test", made) is Verdict.NEW


def test_a_transaction_that_a_crash_left_is_ended(elb: LabElb) -> None:
    made, found = tls.make("shop.example.test"), by_name(elb, "shop.example.test")
    other = by_name(elb, "www.example.test")
    runtime = target(elb)._runtime  # type: ignore[attr-defined]
    for left in (found, other):
        run(runtime.ask(f"set ssl cert {left.id}", made.bundle.whole))
        run(target(elb).install(found.id, made.bundle))
        assert served(elb, "shop.example.test", made) is Verdict.NEW
    assert by_name(elb, "www.example.test").fingerprint_sha1 == other.fingerprint_sha1


def test_pushed_is_there_and_used_by_nobody(elb: LabElb) -> None:
    made = tls.make("pushed.example.test")
    for _ in range(2):
        pushed = run(target(elb).push("scs1600000000000", made.bundle))
    found = next(one for one in run(target(elb).resources()) if one.id == pushed.id)
    assert (found.names, found.listeners) == ((), ())
    assert found.fingerprint_sha1 == made.bundle.fingerprint_sha1
    assert Path(pushed.id).stat().st_mode & 0o777 == 0o600
    with pytest.raises(TargetError, match="no folder"):
        run(target(elb, folder=None).push("scs1600000000000", made.bundle))


def test_the_test_says_what_is_wrong(elb: LabElb) -> None:
    assert run(target(elb).test()).ok
    assert run(target(elb, folder=None).test()).notes
    missing = run(target(elb, folder=str(elb.folder / "nowhere")).test())
    assert (missing.ok, "is no folder" in missing.problem) == (False, True)
    outside = run(target(elb, socket="/run/other.sock").test())
    assert "CERTDESK_TARGET_FOLDERS" in outside.next_step
    elb.stop()
    gone = run(target(elb).test())
    assert "cannot be used" in gone.problem


def test_no_way_back_means_hands_off(elb: LabElb) -> None:
    found = by_name(elb, "shop.example.test")
    file = Path(found.id)
    other = tls.make("shop.example.test").bundle
    for text in ("", "no certificate", other.whole):
        file.write_text(text, encoding="ascii")
        with pytest.raises(TargetError) as refused:
            run(target(elb).snapshot(found.id))
        assert refused.value.reason is Reason.NO_WAY_BACK
    file.unlink()
    with pytest.raises(TargetError, match="does not hold"):
        run(target(elb).snapshot(found.id))
    file.symlink_to("/etc/hostname")
    with pytest.raises(TargetError) as refused:
        run(target(elb).snapshot(found.id))
    assert refused.value.reason is Reason.NOT_ALLOWED


def test_what_is_not_there_is_refused(elb: LabElb) -> None:
    bundle: Bundle = tls.make("shop.example.test").bundle
    path = str(elb.folder / "none.pem")
    with pytest.raises(TargetError) as refused:
        run(target(elb).install(path, bundle))
    assert refused.value.reason is Reason.NOT_THERE
    used = by_name(elb, "www.example.test").id
    with pytest.raises(TargetError, match="in use"):
        run(target(elb, folder=str(elb.folder)).push(Path(used).stem, bundle))
