"""The audit log over the API: pages, filters, whose it is, and an export that is checked offline."""

import json
from pathlib import Path

import pytest

from certdesk.foundation.audit import actions as audit
from certdesk.foundation.audit.verify import verify_file
from certdesk.foundation.audit.verify_database import public_keys
from certdesk.foundation.iam import actions
from certdesk.foundation.iam import queries as iam
from tests.support.signed import Answer, Person, account, person

pytestmark = pytest.mark.django_db
EVENTS = "/v3/scm/audit-events"


@pytest.fixture
def alice() -> Person:
    return person(account(), "alice", "admins")


def happened(who: Person, count: int, action: str = "scm:cert:delete") -> None:
    principal = iam.principal_of(str(who.user.pk), "api")  # type: ignore[arg-type]
    for number in range(count):
        audit.record(principal, action, resource=f"cert:scs{number}", details={"number": number})


def actions_in(answer: Answer) -> list[str]:
    assert answer.status == 200, answer.json
    return [one["action"] for one in answer.json["items"]]


def test_pages_of_the_own_log_by_marker(alice: Person) -> None:
    happened(alice, 12)
    first = alice.get(f"{EVENTS}?limit=10&action=scm:cert:delete").json
    second = alice.get(f"{EVENTS}?limit=10&action=scm:cert:delete&marker={first['next_marker']}").json
    numbers = [one["details"]["number"] for one in [*first["items"], *second["items"]]]
    assert (numbers, second["next_marker"]) == (list(range(11, -1, -1)), None)
    one = first["items"][0]
    assert (one["actor_name"], one["resource"], one["agency"]) == ("alice", "cert:scs11", "")
    assert one["at"].endswith(".0")


def test_filters_and_what_they_refuse(alice: Person) -> None:
    happened(alice, 2)
    bob = person(alice.account, "bob", "admins")
    happened(bob, 1, "scm:cert:update")
    assert actions_in(alice.get(f"{EVENTS}?actor=bob&action=scm:*")) == ["scm:cert:update"]
    assert actions_in(alice.get(f"{EVENTS}?resource=scs1")) == ["scm:cert:delete"]
    assert actions_in(alice.get(f"{EVENTS}?from=2000-01-01&to=2000-01-01")) == []
    for wrong in ("limit=11", "marker=x", "marker=1-x", "from=yesterday", "from=2026-02-01&to=2026-01-01"):
        refused = alice.get(f"{EVENTS}?{wrong}")
        assert (refused.status, refused.code) == (400, "SCM.0005"), wrong


def test_nobody_reads_another_accounts_log(alice: Person) -> None:
    happened(alice, 1)
    charlie = person(account(), "charlie", "admins")
    assert "scm:cert:delete" not in actions_in(charlie.get(f"{EVENTS}?limit=50"))
    reader = person(alice.account, "reader", "readers")
    assert reader.get(EVENTS).status == reader.get(f"{EVENTS}/export").status == 403
    assert "scm:audit:list" in reader.get(EVENTS).text


def test_a_right_within_one_project_shows_no_log(alice: Person) -> None:
    owner = alice.account
    document = {"Version": "1.1", "Statement": [{"Effect": "Allow", "Action": ["scm:audit:list"]}]}
    policy = actions.create_policy(owner, "Readers of the log", document)
    project = alice.post("/v1.0/enterprise-projects", {"name": "web"}).json["id"]
    for name, where, status in (("part", project, 403), ("all", "", 200)):
        group = actions.create_group(owner, name)
        actions.grant(group, policy, where)
        assert person(owner, f"of-{name}", name).get(EVENTS).status == status, name


def test_an_export_is_checked_from_the_file_alone(alice: Person, tmp_path: Path) -> None:
    happened(alice, 5)
    answer = alice.get(f"{EVENTS}/export")
    assert answer.status == 200
    assert "attachment" in answer.response["Content-Disposition"]
    path = tmp_path / "audit.jsonl"
    path.write_bytes(b"".join(answer.response.streaming_content))  # type: ignore[attr-defined]
    report = verify_file(path, public_keys())
    assert report.ok, report.problems
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    last = [one["event"] for one in rows if "event" in one][-1]
    assert (last["action"], last["actor_name"]) == ("audit.exported", "alice")
    part = alice.get(f"{EVENTS}/export?action=scm:cert:delete")
    path.write_bytes(b"".join(part.response.streaming_content))  # type: ignore[attr-defined]
    report = verify_file(path, public_keys())
    assert (report.ok, report.part["filters"]) == (True, {"action": "scm:cert:delete"})
