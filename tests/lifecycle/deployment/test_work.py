"""What a deployment does outside, with targets and looks that go wrong in every order."""

import asyncio
from dataclasses import dataclass, field

import pytest

from certdesk.connectors import probe
from certdesk.connectors.probe import Expected, Seen, Verdict
from certdesk.connectors.targets.protocol import Bundle, Reason, Resource, Snapshot, TargetError
from certdesk.lifecycle.deployment import dialing, work
from certdesk.lifecycle.deployment.work import Failed, Place, ToInstall, ToRestore

PLACE = Place("haproxy", "r", ("a.example.com",), ("[::1]:443", "h:8443"), {})
BUNDLE = Bundle("leaf", "chain", ("a.example.com",), "f" * 40, "key")
SNAPSHOT = Snapshot(b"x", "old", ("a.example.com",))


@dataclass
class Fake:
    """A target whose verbs fail when named; `done` is what was asked of it."""

    failing: tuple[str, ...] = ()
    touched: bool = True
    held: str = BUNDLE.fingerprint_sha1
    done: list[str] = field(default_factory=list)

    def _do(self, verb: str) -> None:
        self.done.append(verb)
        if verb in self.failing:
            error = TargetError(Reason.REFUSED, f"{verb} failed.", "Mend it.")
            error.touched = self.touched
            raise error

    async def snapshot(self, _: str) -> Snapshot:
        self._do("snapshot")
        return SNAPSHOT

    async def install(self, *_: object) -> None:
        self._do("install")

    async def resources(self) -> tuple[Resource, ...]:
        return (Resource("other", (), (), "0" * 40), Resource("r", (), (), self.held))

    async def keep(self, *_: object) -> None:
        self._do("keep")

    async def restore(self, *_: object) -> None:
        self._do("restore")


@dataclass
class World:
    target: Fake
    verdicts: list[Verdict]
    asked: list[tuple[str, int]] = field(default_factory=list)

    async def look(self, host: str, port: int, name: str, _: Expected, **__: object) -> tuple[Seen, ...]:
        self.asked.append((host, port))
        verdict = self.verdicts.pop(0) if len(self.verdicts) > 1 else self.verdicts[0]
        return (Seen(f"{host}:{port}", name, verdict, f"saw {verdict}."),)


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    made = World(Fake(), [Verdict.NEW])
    monkeypatch.setattr(dialing, "connector", lambda *_: made.target)
    monkeypatch.setattr(probe, "look", made.look)
    monkeypatch.setattr(work, "PATIENCE", 0.0)
    monkeypatch.setattr(work, "AGAIN", 0.0)
    return made


def install(place: Place = PLACE, before: Snapshot = SNAPSHOT) -> work.Outcome:
    return asyncio.run(work.install(ToInstall(place, BUNDLE, Expected("new", "old"), before)))


# rule: DEP-6
def test_kept_only_once_every_listener_serves_it(world: World) -> None:
    outcome = install()
    assert (outcome.ok, world.target.done) == (True, ["install", "keep"])
    assert world.asked == [("::1", 443), ("h", 8443)] * 2


# rule: DEP-6
def test_one_good_look_is_none_while_old_and_new_processes_answer_in_turn(world: World) -> None:
    world.verdicts[:] = [Verdict.NEW, Verdict.NEW, Verdict.PREVIOUS, Verdict.NEW]
    outcome = install()
    assert (outcome.ok, outcome.back, outcome.verdict) == (False, True, Verdict.PREVIOUS)


# rule: DEP-6
def test_one_listener_that_serves_another_takes_all_back(world: World) -> None:
    world.verdicts[:] = [Verdict.NEW, Verdict.UNKNOWN, Verdict.NEW]
    outcome = install()
    assert (outcome.ok, outcome.back, outcome.verdict) == (False, True, Verdict.UNKNOWN)
    assert outcome.reason == "saw UNKNOWN. The previous certificate was put back and is served."
    assert world.target.done == ["install", "restore"]


# rule: DEP-6
@pytest.mark.parametrize("held", ["0" * 40, ""])
def test_a_neighbour_that_serves_the_same_certificate_deceives_nobody(world: World, held: str) -> None:
    world.target.held = held
    outcome = install()
    assert (outcome.ok, outcome.back) == (False, True)
    assert "holds another one" in outcome.reason
    assert world.target.done == ["install", "restore"]


@pytest.mark.parametrize("verb", ["install", "keep"])
def test_a_refusal_takes_all_back(world: World, verb: str) -> None:
    world.target.failing = (verb,)
    outcome = install()
    assert (outcome.ok, outcome.back, outcome.next_step) == (False, True, "Mend it.")
    assert outcome.reason.startswith(f"{verb} failed. ")


# rule: DEP-6
def test_where_nothing_was_touched_nothing_is_put_back(world: World) -> None:
    """A reload too may fail, on a full disk for example: it would take the server away that still works."""
    world.target.failing, world.target.touched = ("install",), False
    outcome = install()
    told = "install failed. Nothing was changed: the previous certificate is served."
    assert (outcome.ok, outcome.back, outcome.reason, outcome.next_step) == (False, True, told, "Mend it.")
    assert world.target.done == ["install"]


def test_where_nothing_was_touched_a_look_says_what_is_served(world: World) -> None:
    world.target.failing, world.target.touched = ("install",), False
    world.verdicts[:] = [Verdict.REFUSED]
    outcome = install()
    assert (outcome.ok, outcome.back) == (False, None)
    told = "Nothing was changed, but the previous certificate is not seen: saw REFUSED."
    assert outcome.reason == f"install failed. {told}"
    assert outcome.next_step == "Look at the target now; then deploy again."


def test_where_nothing_stood_before_nothing_is_looked_for(world: World) -> None:
    world.target.failing, world.target.touched = ("install",), False
    outcome = install(before=Snapshot(b"", "", ()))
    assert (outcome.ok, outcome.back, outcome.reason, world.asked) == (False, None, "install failed.", [])


@pytest.mark.parametrize(
    ("verdict", "failing", "told"),
    [
        (Verdict.REFUSED, (), "was put back but is not seen: saw REFUSED."),
        (Verdict.NEW, ("restore",), "could not be put back: restore failed."),
    ],
)
def test_what_cannot_be_put_back_is_told(
    world: World, verdict: Verdict, failing: tuple[str, ...], told: str
) -> None:
    world.target.failing = ("install", *failing)
    world.verdicts[:] = [verdict]
    outcome = install()
    assert (outcome.ok, outcome.back) == (False, False)
    assert outcome.reason == f"install failed. The previous certificate {told}"


def test_nobody_to_look_is_no_success(world: World) -> None:
    outcome = install(Place("haproxy", "r", ("a.example.com",), (), {}))
    assert outcome.ok is False
    assert outcome.reason.startswith("Nobody could look at what is served.")


def test_a_slow_target_has_a_moment(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(work, "PATIENCE", 30.0)
    monkeypatch.setattr(work, "PAUSE", 0.0)
    world.verdicts[:] = [Verdict.PREVIOUS, Verdict.PREVIOUS, Verdict.NEW]
    assert install().ok


def test_a_previous_one_that_never_covered_its_names_counts_as_before(world: World) -> None:
    world.verdicts[:] = [Verdict.NAME_MISMATCH]
    assert asyncio.run(work.restore(ToRestore(PLACE, SNAPSHOT, Expected("old")))).ok
    assert install().ok is False


def test_without_a_way_back_nothing_is_begun(world: World) -> None:
    assert asyncio.run(work.prepare(PLACE)) is SNAPSHOT
    world.target.failing = ("snapshot",)
    assert asyncio.run(work.prepare(PLACE)) == Failed("snapshot failed.", "Mend it.")
