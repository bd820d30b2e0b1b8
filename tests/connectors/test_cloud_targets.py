"""One suite for the targets that are somebody else's HTTP API, against stand-ins that are strict."""

import asyncio
from collections.abc import Awaitable, Iterator
from dataclasses import replace
from typing import TypeVar

import pytest

from certdesk.connectors.dns.providers.options import MASK
from certdesk.connectors.targets import calling, registry
from certdesk.connectors.targets.options import Outside
from certdesk.connectors.targets.protocol import Reason, Resource, Snapshot, TargetError
from certdesk.connectors.targets.returning import ReturnsFromInventory
from tests.support import tls
from tests.support.clouds import CASES, LOOPBACK, NAME, Case
from tests.support.stub_http import CUT, EMPTY, NONSENSE, SLOW

T = TypeVar("T")


def run(work: Awaitable[T]) -> T:
    async def inside() -> T:
        return await work

    return asyncio.run(inside())


@pytest.fixture(params=sorted(CASES))
def case(request: pytest.FixtureRequest) -> Iterator[Case]:
    with CASES[request.param]() as made:
        yield made


def resource(case: Case) -> Resource:
    return next(one for one in run(case.target().resources()) if one.id == case.resource)


def snapshot(case: Case) -> Snapshot:
    target = case.target()
    if case.shows_keys:
        return run(target.snapshot(case.resource))
    assert isinstance(target, ReturnsFromInventory)
    return run(target.snapshot_of(case.resource, case.first.bundle))


def refusal(work: Awaitable[object]) -> TargetError:
    with pytest.raises(TargetError) as refused:
        run(work)
    return refused.value


def test_resources_tell_names_listeners_and_fingerprint(case: Case) -> None:
    found = resource(case)
    assert found.names == (NAME,)
    assert found.listeners
    assert found.fingerprint_sha1 == case.first.bundle.fingerprint_sha1


# rule: DEP-6
def test_installed_kept_and_put_back(case: Case) -> None:
    made, before, target = tls.make(NAME), snapshot(case), case.target()
    assert before.fingerprint_sha256 == case.first.sha256
    assert NAME in before.names
    assert "PRIVATE KEY" not in repr(before)
    for _ in range(2):  # every verb may be repeated
        run(target.install(case.resource, made.bundle))
    assert resource(case).fingerprint_sha1 == made.bundle.fingerprint_sha1
    for _ in range(2):
        run(target.keep(case.resource, made.bundle))
    assert made.bundle.leaf.strip() in case.held()
    for _ in range(2):
        run(target.restore(case.resource, before))
    assert resource(case).fingerprint_sha1 == case.first.bundle.fingerprint_sha1


def test_a_wrong_key_changes_nothing(case: Case) -> None:
    made = tls.make(NAME)
    wrong = replace(made.bundle, key=tls.make(NAME).bundle.key)
    assert refusal(case.target().install(case.resource, wrong)).reason is Reason.REFUSED
    assert resource(case).fingerprint_sha1 == case.first.bundle.fingerprint_sha1


# rule: PSH-1
def test_pushed_is_there_and_used_by_nobody(case: Case) -> None:
    made = tls.make("pushed.example.test").bundle
    if not case.pushes:
        assert refusal(case.target().push("scs1600000000000-v1", made)).reason is Reason.REFUSED
        return
    pushed = run(case.target().push("scs1600000000000-v1", made))
    found = next(one for one in run(case.target().resources()) if one.id == pushed.id)
    assert (found.names, found.listeners, found.fingerprint_sha1) == ((), (), made.fingerprint_sha1)


def test_the_test_changes_nothing_and_says_what_is_wrong(case: Case) -> None:
    before = case.held()
    done = run(case.target().test())
    assert (done.ok, done.problem) == (True, "")
    assert case.resource in {one.id for one in done.resources}
    case.stub.fault = 403
    refused = run(case.target().test())
    assert (refused.ok, "403" in refused.problem) == (False, True)
    assert refused.next_step
    assert (case.stub.changes, case.held()) == ([], before)


def test_what_is_not_there_is_refused(case: Case) -> None:
    bundle = tls.make(NAME).bundle
    assert refusal(case.target().install(case.unknown, bundle)).reason is case.gone
    assert refusal(case.target().snapshot(case.unknown)).reason is case.gone


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (400, Reason.REFUSED),
        (401, Reason.REFUSED),
        (403, Reason.REFUSED),
        (429, Reason.BUSY),
        (503, Reason.BUSY),
        (CUT, Reason.UNREACHABLE),
        (SLOW, Reason.TIMEOUT),
        (NONSENSE, Reason.BAD_ANSWER),
        (EMPTY, Reason.BAD_ANSWER),
    ],
)
def test_failures_are_told_apart_and_hold_no_secret(case: Case, fault: int | str, reason: Reason) -> None:
    case.stub.fault = fault
    error = refusal(case.target(0.3 if fault == SLOW else 20).resources())
    assert error.reason is reason
    assert error.permanent is (reason in (Reason.REFUSED, Reason.BAD_ANSWER))
    assert error.next_step
    assert not [one for one in case.secrets if one in f"{error}{error.next_step}"]


@pytest.mark.parametrize("fault", [409, 500, CUT])
def test_a_change_that_fails_leaves_the_old_one(case: Case, fault: int | str) -> None:
    made = tls.make(NAME)
    case.stub.when, case.stub.fault = case.changing, fault
    error = refusal(case.target().install(case.resource, made.bundle))
    case.stub.fault = ""
    assert not error.permanent
    assert resource(case).fingerprint_sha1 == case.first.bundle.fingerprint_sha1
    run(case.target().install(case.resource, made.bundle))
    assert resource(case).fingerprint_sha1 == made.bundle.fingerprint_sha1


def test_a_wrong_secret_is_refused_and_not_told(case: Case) -> None:
    for name, kind in registry.KINDS[case.kind].options.model_fields.items():
        if "Secret" in str(kind.annotation) and case.options.get(name):
            error = refusal(case.target(**{name: "wrong0secret"}).resources())
            assert error.reason is Reason.REFUSED
            assert "wrong0secret" not in str(error)


def test_secrets_are_stored_whole_and_never_shown(case: Case) -> None:
    options = registry.read_options(case.kind, case.options)
    assert all(one in str(options.stored()) for one in case.secrets)
    shown = options.shown()
    assert not [one for one in case.secrets if one in str(shown)]
    assert list(shown.values()).count(MASK) == len(case.secrets)
    assert not [one for one in case.secrets if one in repr(options)]
    again = registry.read_options(case.kind, shown, options.stored())
    assert again.stored() == options.stored()


def test_nothing_is_asked_at_an_address_that_nobody_opened(case: Case) -> None:
    closed = registry.connect(case.kind, case.options, Outside())
    error = refusal(closed.resources())
    assert error.reason is Reason.NOT_ALLOWED
    assert "CERTDESK_ALLOW_NETWORKS" in error.next_step
    assert case.stub.asked == []


def test_no_way_back_is_told_unless_the_options_allow_it(case: Case) -> None:
    if case.shows_keys:
        return
    assert refusal(case.target().snapshot(case.resource)).reason is Reason.NO_WAY_BACK
    allowed = case.target(without_way_back=True)
    taken = run(allowed.snapshot(case.resource))
    assert taken.fingerprint_sha256 == case.first.sha256
    assert refusal(allowed.restore(case.resource, taken)).reason is Reason.NO_WAY_BACK
    assert isinstance(allowed, ReturnsFromInventory)
    other = tls.make(NAME).bundle
    assert refusal(allowed.snapshot_of(case.resource, other)).reason is Reason.NO_WAY_BACK


# law 11
def test_a_secret_goes_in_clear_to_ones_own_network_alone() -> None:
    async def resolver(name: str) -> list[str]:
        return ["93.184.216.34"] if name == "out.example.com" else ["93.184.216.34", "127.0.0.1"]

    outside = Outside(allow_networks=LOOPBACK, ports=frozenset({8200, 9}), resolver=resolver)
    for host in ("93.184.216.34", "out.example.com"):
        error = refusal(calling.call(outside, "GET", f"http://{host}:8200/", {"X-Token": "t"}))
        assert (error.reason, "https alone" in error.message) == (Reason.NOT_ALLOWED, True)
    both = refusal(calling.call(outside, "GET", "http://in.example.com:9/", {}))
    assert (both.reason, both.sent) == (Reason.UNREACHABLE, False)  # asked at 127.0.0.1, where nobody listens


@pytest.mark.parametrize("host", ["203.0.113.5", "93.184.216.34"])
def test_an_odd_port_is_not_asked_at_a_public_address(host: str) -> None:
    outside = Outside(allow_networks=LOOPBACK)
    error = refusal(calling.call(outside, "GET", f"http://{host}:9999/", {}))
    assert error.reason is Reason.NOT_ALLOWED
