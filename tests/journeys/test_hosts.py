"""Hosts with an agent: real agent processes against a real desk behind TLS, and what goes wrong."""

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from pytest_django.live_server_helper import LiveServer

from certdesk.agents import host as agent
from certdesk.agents.host import sign
from certdesk.foundation.audit.models import Event
from certdesk.foundation.common import clock
from certdesk.foundation.iam.principal import Via
from certdesk.foundation.iam.queries import principal_of
from certdesk.foundation.outbox.models import Message
from certdesk.interfaces.public import agents
from certdesk.lifecycle.certificates.models import Csr
from certdesk.lifecycle.deployment.models import Binding
from certdesk.lifecycle.hosts import jobs, rules
from certdesk.lifecycle.hosts.models import Agent, Place
from tests.support.host_world import World, open_world
from tests.support.hosts import NAME, kill
from tests.support.rulebook import Caller
from tests.support.waiting import until

pytestmark = [pytest.mark.django_db, pytest.mark.server]


@pytest.fixture
def world(live_server: LiveServer, tmp_path: Path) -> Iterator[World]:
    with open_world(live_server.url, tmp_path) as made:
        yield made


def test_from_the_code_to_the_served_certificate_and_its_successor(world: World) -> None:
    # rule: DEP-6
    code, said = world.enrol()
    assert code == 0, said
    assert world.turn() == (0, "")
    place = world.place()
    assert (place["names"], place["deployment"]) == ([NAME], "NOT_DEPLOYED")
    (csr,) = place["csrs"]
    stored = Csr.objects.get()
    assert (stored.domain_name, stored.key_id) == (NAME, "")

    first = world.issue(csr)
    assert world.turn() == (0, "")
    place = world.place()
    assert (place["deployment"], place["verdict"]) == ("DEPLOYED", "NEW"), place
    assert place["served"]["certificate_id"] == first == place["desired"]["certificate_id"]
    assert place["desired"]["version"] == 1
    assert world.host.served() == place["served"]["fingerprint"]
    (binding,) = world.alice("bindings.list", query={"certificate": first, "limit": 10})["items"]
    assert binding["deployment"] == "DEPLOYED"
    assert "still served" in world.alice.refused("certificates.delete", first).message

    second = world.issue(csr)
    assert world.turn() == (0, "")
    assert world.place()["served"]["certificate_id"] == second
    key = next((world.host.place.folder / "keys").glob("*.key")).read_text()
    assert not any(key[28:60] in str(one.details) for one in Event.objects.all())


def test_a_code_counts_once_and_for_a_while(world: World) -> None:
    code, said = world.enrol("NOSUCHCODE")
    assert (code, "not known" in said) == (1, True)
    old = world.code()
    Agent.objects.update(code_expires_at=clock.real_now())
    code, said = world.enrol(old)
    assert (code, "too old" in said) == (1, True)
    good = world.code()
    assert world.enrol(good)[0] == 0
    code, said = world.enrol(good)
    assert (code, "used before" in said) == (1, True)
    assert {one["state"] for one in world.alice("agents.list", query={"limit": 10})["items"]} == {
        "ACTIVE",
        "EXPIRED",
    }


def test_a_kill_while_enrolling_costs_no_second_code(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    code, places = world.code(), agent.read_places(world.host.config)
    monkeypatch.setattr(agent, "prepare", _dies)
    with pytest.raises(KeyboardInterrupt):
        agent.enrol(world.host.state, world.front.url, code, agents.pin(), places)
    monkeypatch.undo()
    assert world.enrol(code)[0] == 0
    assert Agent.objects.count() == 1


def _dies(*_: object) -> None:
    raise KeyboardInterrupt


def test_another_ca_than_the_pinned_one_is_refused(world: World) -> None:
    code, said = world.enrol("", "--pin", "sha256:" + "0" * 64)
    assert (code, "not the pinned one" in said) == (1, True)
    code, said = world.enrol(world.code(), "--pin", "")
    assert (code, "CERTIFICATE_VERIFY_FAILED" in said) == (1, True), said
    code, said = world.host.run("enrol", "--server", "http://127.0.0.1:1", "--code", "x")
    assert (code, "no https address" in said) == (1, True)


def test_a_removed_host_is_told_so_and_ends(world: World) -> None:
    world.enrol()
    world.turn()
    found = world.show()
    world.alice("agents.delete", id=found["id"])
    code, said = world.turn()
    assert (code, "does not know this agent any more" in said) == (agent.GONE, True)
    assert not Binding.objects.exists()


def test_a_desk_that_is_down_is_asked_again(world: World) -> None:
    world.enrol()
    known = json.loads((world.host.state / "agent.json").read_text())
    (world.host.state / "agent.json").write_text(json.dumps({**known, "server": "https://127.0.0.1:1"}))
    code, said = world.turn()
    assert (code, "Asking again" in said) == (1, True)
    (world.host.state / "agent.json").write_text(json.dumps(known))
    assert world.turn() == (0, "")


def test_a_reload_that_fails_leaves_the_old_one_served_and_is_tried_again(world: World) -> None:
    # rule: DEP-5
    world.enrol()
    world.turn()
    before = world.host.served()
    world.issue(world.place()["csrs"][0])
    world.host.configure(["false"])
    assert world.turn()[0] == 0
    place = world.place()
    assert place["deployment"] == "FAILED"
    assert "The previous certificate was put back and is served." in place["reason"]
    assert world.host.served() == before
    world.host.configure()
    world.turn()
    assert world.place()["deployment"] == "FAILED", "not before its pause is over"
    Place.objects.update(next_at=clock.real_now())
    world.turn()
    assert world.place()["deployment"] == "DEPLOYED"


def test_a_killed_agent_goes_on_where_it_was(world: World, tmp_path: Path) -> None:
    world.enrol()
    world.turn()
    before, gate = world.host.served(), tmp_path / "gate"
    certificate = world.issue(world.place()["csrs"][0])
    # The reload hangs until the gate stands: that is where the agent dies.
    told = f"date +%s%N > {world.host.server.told}"
    world.host.configure(
        ["sh", "-c", f"touch {gate}.seen; while ! test -e {gate}; do sleep 0.05; done; {told}"]
    )
    process = world.host.start("run")
    until("the reload", lambda: Path(f"{gate}.seen").exists())
    kill(process)
    assert world.host.served() == before
    gate.touch()
    assert world.turn() == (0, "")
    assert world.place()["served"]["certificate_id"] == certificate
    assert not list((world.host.state / "journal").glob("*.json"))


@pytest.mark.parametrize("policy", ["REPORT", "MEND"])
def test_drift_is_told_or_mended(world: World, policy: str) -> None:
    world.enrol()
    world.turn()
    world.issue(world.place()["csrs"][0])
    old = world.host.place.current
    world.turn()
    binding = world.place()["binding_id"]
    world.alice("bindings.update", id=binding, body={"policy": policy})
    agent.switch(world.host.place, old)
    world.host.server.told.write_text("drift")
    world.turn()
    place = world.place()
    if policy == "MEND":
        assert place["deployment"] == "DEPLOYED"
        assert world.host.served() == place["desired"]["fingerprint"]
    else:
        assert (place["deployment"], place["reason"]) == (
            "NOT_DEPLOYED",
            "The host serves another certificate now than the one that was deployed.",
        )


def test_the_right_is_asked_when_the_certificate_is_handed_out(world: World) -> None:
    world.enrol()
    world.turn()
    world.issue(world.place()["csrs"][0])
    world.office.people["alice"].groups.clear()
    world.turn()
    place = Binding.objects.get()
    assert (place.deployment, place.reason) == (
        "FAILED",
        "Whoever enrolled this host may not deploy this certificate.",
    )


def test_certificates_that_do_not_fit_stay_where_they_are(world: World) -> None:
    """One that lacks a name of the place, and one that is revoked: the place gets neither."""
    world.enrol()
    world.turn()
    before = world.host.served()
    certificate = world.issue(world.place()["csrs"][0])
    world.host.configure(names=[NAME, "shop.example.com"])
    world.turn()
    assert world.place()["desired"]["certificate_id"] == ""
    world.host.configure()
    world.alice("certificates.revoke", certificate, {"reason_code": "SUPERSEDED"})
    world.office.desk.run()
    world.turn()
    assert world.place()["desired"]["certificate_id"] == ""
    assert world.host.served() == before


def test_charlie_gets_nothing(world: World) -> None:
    world.enrol()
    found = world.show()
    charlie = Caller(principal_of(world.office.people["charlie"], Via.API))
    assert charlie("agents.list", query={"limit": 10})["items"] == []
    for name, body in (("agents.show", None), ("agents.update", {"label": "x"}), ("agents.delete", None)):
        given = {"id": found["id"]} | ({"body": body} if body else {})
        assert "no such host" in charlie.refused(name, **given).message
    rita = Caller(principal_of(world.office.people["rita"], Via.API))
    assert "scm:agent:createEnrolmentCode" in str(rita.refused("agents.enrolment_code").details)
    bob = Caller(principal_of(world.office.people["bob"], Via.API))
    assert bob("agents.update", id=found["id"], body={"label": "web1"})["label"] == "web1"


# --- the wire --------------------------------------------------------------------------------------------


def request(known: dict[str, str], counter: int, body: bytes, **changes: str) -> dict[str, str]:
    parts = (b"POST", b"/agent/exchange", str(counter).encode(), body)
    headers = {
        "X-Certdesk-Agent": known["id"],
        "X-Certdesk-Counter": str(counter),
        "X-Certdesk-Signature": sign(bytes.fromhex(known["secret"]), *parts),
    }
    return {**headers, **changes}


def test_a_request_counts_once_and_only_with_its_signature(world: World, client: Client) -> None:
    world.enrol()
    known = json.loads((world.host.state / "agent.json").read_text())
    body = json.dumps({"places": []}).encode()

    def send(headers: dict[str, str], content: bytes = body) -> Any:
        return client.post("/agent/exchange", content, content_type="application/json", headers=headers)

    good = request(known, 7, body)
    assert send(good).status_code == 200
    replayed = send(good)
    assert (replayed.status_code, replayed.json()["counter"]) == (409, 7)
    assert send(request(known, 6, body)).status_code == 409
    for wrong in (
        request(known, 8, body + b" "),
        request({**known, "secret": "0" * 64}, 8, body),
        request({**known, "id": "0" * 32}, 8, body),
        request(known, 8, body, **{"X-Certdesk-Counter": "9"}),
        request(known, 8, body, **{"X-Certdesk-Counter": "-1"}),
        {},
    ):
        assert send(wrong).status_code == 401
    for content in (b"[]", b"{", b'{"places": [{"name": "../x"}]}', b'{"places": [], "host": "\\u0000"}'):
        assert send(request(known, 10, content), content).status_code == 400
    assert send({}, b" " * (agents.MOST_EXCHANGE + 1)).status_code == 400
    assert client.get("/agent/exchange").status_code == 405
    assert client.post("/agent/enrol", b"{}", content_type="application/json").status_code == 400
    assert b"One file, standard library only" in client.get("/agent/host.py").content
    weak = {"code": world.code(), "secret": "short"}
    assert client.post("/agent/enrol", json.dumps(weak), content_type="application/json").status_code == 400


def test_an_agent_that_lost_its_number_catches_up(world: World) -> None:
    world.enrol()
    ahead = int((clock.real_now() + timedelta(days=400)).timestamp() * 1_000_000)
    Agent.objects.update(counter=ahead)
    assert world.turn() == (0, "")
    assert world.turn() == (0, "")
    assert Agent.objects.get().counter > ahead


# --- silence ---------------------------------------------------------------------------------------------


def test_silence_is_told_once_and_ends_with_a_word(world: World) -> None:
    world.enrol()
    world.turn()
    user = world.office.people["alice"]
    user.email = "alice@example.net"
    user.save(update_fields=["email"])
    Agent.objects.update(seen_at=clock.real_now() - rules.SILENT_AFTER)
    for _ in range(2):
        jobs.Watch().load(None)  # type: ignore[arg-type]
    (mail,) = Message.objects.filter(template="host-silent")
    assert "was last heard of" in mail.text
    assert world.show()["state"] == "SILENT"
    world.turn()
    assert (world.show()["state"], Agent.objects.get().told_at) == ("ACTIVE", None)


def test_codes_that_nobody_used_are_forgotten(world: World) -> None:
    world.code()
    jobs.Watch().load(None)  # type: ignore[arg-type]
    assert Agent.objects.count() == 1
    Agent.objects.update(code_expires_at=clock.real_now() - jobs.FORGOTTEN_AFTER - timedelta(seconds=1))
    jobs.Watch().load(None)  # type: ignore[arg-type]
    assert not Agent.objects.exists()
