"""The golden conversations of the contract, word for word, and the helper that compares them."""

import inspect
import json
import os
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from huaweicloudsdkscm.v3 import ScmClient

from certdesk.foundation.common import clock
from certdesk.foundation.common import settings as house
from certdesk.foundation.iam import actions as iam
from certdesk.foundation.iam.principal import system_principal
from certdesk.foundation.jobs import testing as jobs
from certdesk.interfaces.api.router import Router
from certdesk.interfaces.operations.index import OPERATIONS
from certdesk.interfaces.operations.registry import Operation
from certdesk.lab.dns_server import LabDns
from certdesk.lab.elb import LabElb
from certdesk.lab.elb_small import Fault
from certdesk.lifecycle.orders import actions as orders
from certdesk.lifecycle.validation.models import Challenge
from tests.support import golden, golden_record
from tests.support.authority import start_ca
from tests.support.balancer import open_elb
from tests.support.golden import Different, People, World, compare
from tests.support.requests_of import request_for
from tests.support.signed import PASSWORD, account, person
from tests.support.uploads import World as Elsewhere
from tests.support.uploads import key_of, key_pem, pem

GOLDEN = Path(__file__).with_name("golden")


@pytest.fixture
def people() -> People:
    """Alice of `golden`, Rita reads, Nils may nothing, Pat has a password; Charlie of another one."""
    start_ca(clock.now())
    owner = account("golden")
    orders.credit(owner.id, "CNY", 10_000_000_00, "top-up", clock.now(), system_principal(owner.id))
    iam.create_user(owner, "pat", PASSWORD, ["readers"])
    return {
        "alice": person(owner, "alice", "users", "admins"),
        "rita": person(owner, "rita", "readers"),
        "nils": person(owner, "nils"),
        "charlie": person(account("elsewhere"), "charlie", "admins"),
    }


def work() -> None:
    """Everything that is due by now, or within a minute."""
    jobs.run_all(timedelta(minutes=1))


@pytest.fixture
def elb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LabElb]:
    with open_elb(tmp_path, monkeypatch, work) as made:
        yield made


@pytest.fixture
def world(elb: LabElb) -> Iterator[World]:
    before = house.get()
    with LabDns() as dns:
        house.install(before.model_copy(update={"dns_resolvers": (dns.server,)}))

        def happen(what: str) -> None:
            """`prove <id>`: the records that its names ask for are set. Then everything due runs.

            `deaf`: the load balancer says yes and goes on serving what it served; `hears`: no more. `off`:
            it is stopped.
            """
            if what == "off":
                elb.stop()
            elb.small.faults = {Fault.DEAF} if what == "deaf" else set()
            _, _, certificate_id = what.partition("prove ")
            for one in Challenge.objects.filter(certificate_id=certificate_id, verified_at=None):
                dns.set(one.record_name, one.record_type, [one.value])
            work()

        yield happen
    house.install(before)


def known(elb: LabElb) -> dict[str, object]:
    """What files may send without having met it."""
    elsewhere = Elsewhere(clock.now())
    return {
        "elb_socket": elb.options["socket"],
        "elb_pushed": elb.options["folder"],
        "elb_folder": str(elb.folder),
        "elb_server": elb.server,
        "foreign_csr": request_for("www.foreign-example.com").pem,
        "leaf": pem(elsewhere.usual),
        "leaf_key": key_pem(elsewhere.leaf_key),
        "locked_key": key_pem(elsewhere.leaf_key, b"secret"),
        "other_key": key_pem(key_of(9)),
        "nameless": pem(elsewhere.leaf(())),
        "past": pem(Elsewhere(datetime(2024, 1, 1, tzinfo=UTC)).usual),
        "chain": pem(elsewhere.issuing) + pem(elsewhere.root),
        "root": pem(elsewhere.root),
    }


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("file", sorted(GOLDEN.glob("*.json")), ids=lambda file: file.stem)
def test_the_conversation_is_the_one_of_the_file(
    people: People, file: Path, world: World, elb: LabElb
) -> None:
    if os.environ.get("GOLDEN") == "record":
        golden_record.record(people, file, known(elb), world)
        pytest.fail("recorded: read the file, then run the tests without GOLDEN")
    golden.play(people, file, known(elb), world)


def asked() -> dict[str, set[int]]:
    """Method and path of every step of the files, by the registry's routes, with the answers' statuses."""
    router, found = Router(OPERATIONS.values()), dict[str, set[int]]()
    for file in GOLDEN.glob("*.json"):
        for step in json.loads(file.read_text(encoding="utf-8")):
            method, _, path = step.get("do", "").partition(" ")
            route = router.find(path.partition("?")[0]) if path else None
            if route and method in route.operations:
                found.setdefault(_line(route.operations[method]), set()).add(step["status"])
    return found


def _line(operation: Operation) -> str:
    return f"{operation.method} {re.sub(r'{[a-z_]+}', '{}', operation.path)}"


def of_the_sdk() -> set[str]:
    """Method and path of everything that the official SDK can call, from its own source."""
    found = re.findall(r'"method": "(\w+)",\s+"resource_path": "([^"]+)"', inspect.getsource(ScmClient))
    lines = {f"{method} {re.sub(r'{[a-z_]+}', '{}', path)}" for method, path in found}
    search = "POST /v3/scm/{}/action"  # its one path variable has one value
    return (lines - {search}) | {"POST /v3/scm/resource_instances/action"}


def test_every_operation_of_the_sdk_has_its_golden_answers() -> None:
    """Both a success and a refusal of each; a new operation without a file fails here."""
    wanted = of_the_sdk()
    assert len(wanted) == 27
    served = {_line(one) for one in OPERATIONS.values()}
    assert wanted <= served
    kept = asked()
    for line in sorted(wanted):
        assert any(status < 300 for status in kept.get(line, ())), f"{line} has no golden success"
        assert any(status >= 400 for status in kept[line]), f"{line} has no golden refusal"


@pytest.mark.parametrize(
    ("expected", "actual"),
    [
        ({"a": 1}, {"a": 1, "b": 2}),
        ({"a": 1, "b": 2}, {"a": 1}),
        ([1], [1, 2]),
        (1, True),
        ("1", 1),
        ("a", "b"),
        (None, ""),
        ("<x:hex32>", "A" * 32),
        ("<x:millis>", "1600000000000"),
        ("<known>", "other"),
        ("<known:hex32>", "b" * 32),
        ("see <known>.", "see other."),
    ],
)
def test_every_difference_is_one(expected: object, actual: object) -> None:
    with pytest.raises(Different):
        compare(expected, actual, {"known": "a" * 32}, "here")


def test_the_same_is_the_same() -> None:
    values: dict[str, object] = {}
    compare({"id": "<x:hex32>", "n": [1, None]}, {"n": [1, None], "id": "a" * 32}, values, "here")
    compare("see <x>.", f"see {'a' * 32}.", values, "here")
    compare("<x>", "a" * 32, values, "here")
    assert values == {"x": "a" * 32}
