"""What is another account's and what is not there cost the same statements and read the same."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from certdesk.foundation.iam import queries
from certdesk.foundation.iam.models import Policy
from certdesk.foundation.iam.principal import Via
from certdesk.interfaces.operations.index import OPERATIONS
from certdesk.interfaces.operations.registry import Operation
from certdesk.lifecycle.certificates.models import Csr
from tests.support.inventory import NOW, issued
from tests.support.signed import Answer, Person, account, person

pytestmark = pytest.mark.django_db
DOCUMENT = {"Version": "1.1", "Statement": [{"Effect": "Allow", "Action": ["scm:cert:get"]}]}


@pytest.fixture
def alice() -> Person:
    return person(account(), "alice", "admins", "users")


@pytest.fixture
def foreign() -> dict[str, str]:
    """Things of Charlie's account, by the beginning of the operation's name."""
    charlie = person(account(), "charlie", "admins", "users")
    csr = Csr.objects.create(
        account_id=charlie.account.id, name="c", domain_name="a.example", created_at=NOW, updated_at=NOW
    )
    agency = charlie.post("/v3.0/OS-AGENCY/agencies", {"name": "a", "trust_domain_name": "x"}).json["id"]
    return {
        "certificates": issued(queries.principal_of(charlie.user, Via.API)),
        "csrs": csr.id,
        "users": charlie.user.id,
        "groups": charlie.post("/v3/groups", {"name": "g"}).json["id"],
        "policies": charlie.post("/v3.0/OS-ROLE/roles", {"name": "p", "policy": DOCUMENT}).json["id"],
        "access_keys": charlie.access_key,
        "projects": charlie.post("/v1.0/enterprise-projects", {"name": "p"}).json["id"],
        "agencies": agency,
    }


def missing(id_: str) -> str:
    """An id of the same form that nothing has."""
    return id_[:-4] + ("0000" if not id_.endswith("0000") else "1111")


ONE_ID = [
    one
    for one in OPERATIONS.values()
    if not one.later and len(one.parameters) == 1 and one.method in ("GET", "DELETE")
]


def counted(who: Person, operation: Operation, id_: str) -> tuple[Answer, int]:
    path = operation.path.replace("{" + operation.parameters[0] + "}", id_)
    with CaptureQueriesContext(
        connection,
    ) as seen:
        answer = who.send(operation.method, path)
    own = [one for one in seen.captured_queries if "usedsignature" not in one["sql"]]
    return answer, len(own)


@pytest.mark.parametrize("operation", ONE_ID, ids=lambda one: one.name)
def test_foreign_and_missing_ids_cannot_be_told_apart(
    alice: Person, foreign: dict[str, str], operation: Operation
) -> None:
    id_ = foreign.get(operation.name.split(".")[0])
    if id_ is None or operation.name.endswith(".contacts"):
        return  # of another chapter: its own tests ask it
    counted(alice, operation, missing(id_))  # what a process reads once is read now
    theirs, cost = counted(alice, operation, id_)
    nobodys, other_cost = counted(alice, operation, missing(id_))
    assert theirs.status == nobodys.status, (theirs.json, nobodys.json)
    assert theirs.status == 404 or theirs.code == "SCM.0707"  # what the contract says of a CSR
    assert theirs.text.replace(id_, "X") == nobodys.text.replace(missing(id_), "X")
    assert theirs.code == nobodys.code
    assert cost == other_cost


def test_the_walk_meets_every_chapter(foreign: dict[str, str]) -> None:
    assert {one.name.split(".")[0] for one in ONE_ID} >= set(foreign)
    assert Policy.objects.filter(id=foreign["policies"]).exists()
