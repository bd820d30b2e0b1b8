"""The pages of hosts: a code that is shown once, how each host stands, and its end."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from certdesk.foundation.common import clock, settings
from certdesk.interfaces.public import agents
from certdesk.lifecycle.deployment.models import Binding
from certdesk.lifecycle.hosts import actions, exchange, queries, rules
from certdesk.lifecycle.hosts.models import Agent
from tests.support.crowd import csr
from tests.support.office import Office, open_office

pytestmark = pytest.mark.django_db
NAME = "www.example.com"


@pytest.fixture
def office(db: None) -> Iterator[Office]:
    with open_office() as made:
        yield made


def enrolled(office: Office, served: str = "", problem: str = "") -> Agent:
    _, code = actions.code(office.desk.alice, "web1")
    agent = actions.enrol(code, "ab" * 32, "web1.internal", "1")
    told = exchange.Told("shop", (NAME,), ("127.0.0.1:443",), (csr(NAME),), served, problem)
    exchange.report(agent, [told], [])
    return agent


def page(office: Office, path: str, name: str = "alice", language: str = "en") -> str:
    answer = office.client(name, language).get(path)
    assert answer.status_code == 200, answer.content
    return answer.content.decode()


def test_a_code_is_shown_on_the_page_that_answers_and_nowhere_else(office: Office) -> None:
    assert "No host enrolled" in page(office, "/hosts")
    client = office.client()
    assert 'data-operation="host-add"' in client.get("/hosts/add").content.decode()
    answer = client.post("/hosts/add")
    assert "no-store" in answer.headers["Cache-Control"]
    shown = answer.content.decode()
    code = re.search(r"--code ([A-Z2-7]{32})", shown)
    assert code is not None
    assert f"--pin sha256:{agents.pin()}" in shown
    assert agents.program()[1] in shown
    assert "--server https://" in shown
    listed = page(office, "/hosts")
    assert code[1] not in listed
    assert 'data-status="WAITING"' in listed
    assert actions.enrol(code[1], "ab" * 32, "web1", "1").host == "web1"


@pytest.mark.parametrize(
    ("changes", "seen"),
    [
        ({"external_url": "https://desk.example.com/"}, "--server https://desk.example.com --code"),
        ({"external_url": "", "https": ""}, "this installation has no HTTPS address"),
    ],
)
def test_the_command_names_the_address_of_the_desk(
    office: Office, changes: dict[str, str], seen: str
) -> None:
    before = settings.get()
    settings.install(before.model_copy(update=changes))
    try:
        assert seen in office.client().post("/hosts/add").content.decode()
    finally:
        settings.install(before)


def test_a_host_shows_its_places_and_the_request_of_its_key(office: Office) -> None:
    agent = enrolled(office, problem="No handshake with 127.0.0.1:443: refused.")
    shown = page(office, f"/hosts/{agent.id}")
    for text in ("web1.internal", "shop · 127.0.0.1:443", "BEGIN CERTIFICATE REQUEST", "No handshake with"):
        assert text in shown
    assert "无法与 127.0.0.1:443 握手" in page(office, f"/hosts/{agent.id}", language="zh-hans")
    assert "web1" in page(office, "/hosts")
    assert page(office, "/csrs").count("web1 shop") >= 1


def test_silence_stands_on_the_page(office: Office) -> None:
    agent = enrolled(office)
    Agent.objects.update(seen_at=clock.real_now() - rules.SILENT_AFTER)
    assert "The host does not ask any more." in page(office, f"/hosts/{agent.id}")
    assert 'data-status="SILENT"' in page(office, "/hosts")


def test_removing_asks_first(office: Office) -> None:
    agent = enrolled(office)
    client = office.client()
    assert "Its credential is dead at once" in client.get(f"/hosts/{agent.id}/remove").content.decode()
    answer = client.post(f"/hosts/{agent.id}/remove", follow=True).content.decode()
    assert "The host is removed" in answer
    assert not Agent.objects.exists()
    with pytest.raises(exchange.Unknown):
        exchange.fetch(agent.id)


def test_who_may_what(office: Office) -> None:
    agent = enrolled(office)
    assert office.client("charlie").get(f"/hosts/{agent.id}").status_code == 404
    assert office.client("charlie").post(f"/hosts/{agent.id}/remove").status_code == 404
    assert office.client("nils").get("/hosts").status_code == 403
    assert office.client("rita").post("/hosts/add").status_code == 403
    assert page(office, f"/hosts/{agent.id}", "bob").count('data-operation="host-remove"') == 1


def test_the_list_counts_what_each_host_serves_in_one_read(
    office: Office, django_assert_max_num_queries: Any
) -> None:
    first = enrolled(office)
    Binding.objects.update(deployment="FAILED")
    hosts = [first, *(enrolled(office) for _ in range(3))]
    gone = enrolled(office)
    Binding.objects.filter(id=gone.places.get().binding_id).update(gone=True)
    expected = {one.id: (1, int(one is first)) for one in hosts}
    assert queries.counts(office.desk.account.id) == expected
    client = office.client()
    client.get("/hosts")
    with CaptureQueriesContext(connection) as before:
        assert client.get("/hosts").content.decode().count("1 failed") == 1
    for _ in range(3):
        enrolled(office)
    with django_assert_max_num_queries(len(before)):
        client.get("/hosts")
