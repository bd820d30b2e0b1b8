"""The figures as data: what each principal gets, and what stays flat."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from certdesk.foundation.common import clock
from certdesk.interfaces.operations.index import OPERATIONS
from certdesk.interfaces.operations.registry import call
from certdesk.lifecycle.certificates import attention
from certdesk.lifecycle.certificates.models import Certificate
from certdesk.lifecycle.overview import queries
from tests.support.inventory import bought, issued, new_account, person

pytestmark = pytest.mark.django_db
assert OPERATIONS


def asked(principal: Any) -> dict[str, Any]:
    status, answer = call("overview.show", principal)
    assert status == 200
    assert isinstance(answer, dict)
    return answer


def test_the_operation_answers_what_the_page_shows() -> None:
    house, now = new_account(), clock.now()
    alice = person(house)
    bought(alice)
    soon = issued(alice, ("soon.example.com",), now=now - timedelta(days=360))
    found = asked(alice)
    figures = {one["name"]: one for one in found["figures"]}
    assert figures["tab_you"]["count"] == 2
    assert figures["by_hand"] == {
        "name": "by_hand", "count": 1, "more": False, "path": figures["by_hand"]["path"],
    }  # fmt: skip
    assert figures["by_hand"]["path"].startswith("/certificates?ends_from=")
    assert found["needs"][0]["id"] == soon
    assert sum(one["count"] for one in found["ending"]) == 1
    assert {one["status"] for one in found["states"]} == {"PAID", "ISSUED"}
    assert found["ca"] == {"waiting_since": "", "late": False}


def test_each_part_has_its_own_right() -> None:
    house, other = new_account(), new_account("other")
    issued(person(house), ("a.example.com",), now=clock.now())
    charlie = asked(person(other, "charlie"))
    assert not charlie["needs"]
    assert not charlie["states"]
    assert all(not one["count"] for one in charlie["figures"])
    officer = asked(person(house, "otto", "scm:organization:list"))
    assert [one["name"] for one in officer["figures"]] == ["organizations"]
    reader = {one["name"] for one in asked(person(house, "rita", "scm:cert:list"))["figures"]}
    assert "by_hand" in reader
    assert not {"proofs", "unserved", "served", "organizations"} & reader
    assert not queries.take(person(house, "nils", "bss:order:view"), clock.now()).anything


def test_the_ca_is_late_after_ten_minutes() -> None:
    house, now = new_account(), clock.now()
    alice = person(house)
    bought(alice)
    for ago, late in ((timedelta(minutes=10), False), (timedelta(minutes=10, seconds=1), True)):
        Certificate.objects.update(state="ISSUING", state_since=now - ago)
        found = queries.take(alice, now)
        assert (found.ca_late, found.at_ca and found.at_ca.count) == (late, 1)


def test_counts_stop_and_statements_stay_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    house, now = new_account(), clock.now()
    alice = person(house)
    with CaptureQueriesContext(connection) as few:
        queries.take(alice, now)
    for place in range(4):
        issued(alice, (f"n{place}.example.com",), now=now)
    with CaptureQueriesContext(connection) as many:
        queries.take(alice, now)
    assert len(many) == len(few)
    monkeypatch.setattr("certdesk.lifecycle.certificates.narrowing.COUNT_UP_TO", 3)
    monkeypatch.setattr(attention, "COUNT_UP_TO", 3)
    found = queries.take(alice, now)
    assert found.issued is not None
    assert (found.issued.count, found.issued.more) == (3, True)
