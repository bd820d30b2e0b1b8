"""Scans of real listeners: everything is found, told by what it is, and adopted; only where it is allowed."""

import asyncio
import gc
import ipaddress
import os
import tracemalloc
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from certdesk.connectors import serving
from certdesk.connectors.probe import Verdict
from certdesk.connectors.protocol import ConnectorError
from certdesk.connectors.serving import Serving
from certdesk.connectors.starttls import Protocol
from certdesk.foundation.common import clock, settings
from certdesk.foundation.common.errors import CertdeskError, Forbidden, NotFound
from certdesk.foundation.common.sql import short_transaction
from certdesk.foundation.iam.models import User
from certdesk.foundation.iam.principal import Via
from certdesk.foundation.iam.queries import principal_of
from certdesk.foundation.jobs import testing
from certdesk.foundation.jobs.models import Job
from certdesk.foundation.outbox.models import Message
from certdesk.lifecycle.applications import drafts
from certdesk.lifecycle.certificates.models import Version
from certdesk.lifecycle.deployment import actions as deployment
from certdesk.lifecycle.deployment import material
from certdesk.lifecycle.deployment.queries import DEPLOY
from certdesk.lifecycle.discovery import actions, jobs, scans, work
from certdesk.lifecycle.discovery.models import Endpoint, Scan, ScanState
from certdesk.lifecycle.discovery.rules import Place
from certdesk.lifecycle.discovery.work import Looked
from tests.support import tls
from tests.support.balancer import REGION, open_balancer
from tests.support.listeners import Listeners, full_listener, listeners, slow_listener
from tests.support.office import Office
from tests.support.rulebook import Caller

LOOPBACK = (ipaddress.ip_network("127.0.0.0/8"), ipaddress.ip_network("::1/128"))
NAME = "www.example.com"
ELB = {"service_name": "ELB", "project_name": REGION, "resources": [{"id": "x"}]}
COUNT = 5_000 if os.environ.get("CERTDESK_SIZE") == "full" else 500


@pytest.fixture
def house(office: Office) -> Iterator[Office]:
    before = settings.get()
    settings.install(before.model_copy(update={"allow_networks": LOOPBACK}))
    yield office
    settings.install(before)


@pytest.fixture
def alice(house: Office) -> Caller:
    return Caller(house.desk.alice)


def spans(open_: Listeners) -> list[str]:
    return [str(port) for port in sorted(open_.ports)]


def scanned(house: Office, alice: Caller, **body: Any) -> str:
    """A scan, run to its end; answers its id."""
    given = {"name": "office", "ranges": ["127.0.0.1"], "per_second": 1000, **body}
    made = str(alice("scans.create", body=given)["id"])
    alice("scans.run", id=made)
    house.desk.run()
    assert Scan.objects.get(id=made).state == ScanState.DONE, Scan.objects.get(id=made).note
    return made


def found(alice: Caller, **query: Any) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = alice("endpoints.list", query={"limit": 50, **query})["items"]
    return items


def ours(house: Office, *names: str) -> tuple[str, str]:
    """A certificate of the account that is issued, and its PEM with chain and key, as a server has it."""
    certificate_id = house.desk.issued(*names)
    certificate, version = material.checked(house.desk.alice, DEPLOY, certificate_id)
    return certificate_id, material.of(house.desk.alice, certificate, version, DEPLOY).bundle.whole


def test_each_endpoint_is_told_by_what_it_is(house: Office, alice: Caller, tmp_path: Path) -> None:
    certificate_id, own = ours(house, NAME)
    stranger = tls.make(NAME)
    with listeners(tmp_path, [own, stranger.bundle.whole], 2) as open_:
        scan = scanned(house, alice, ports=spans(open_), sni=[NAME, "other.example.com"])
        shown = {(one["port"], one["name"]): one for one in found(alice)}
        assert len(shown) == 4
        right = shown[open_.ports[0], NAME]
        assert (right["verdicts"], right["certificate_id"], right["version"]) == (["GOOD"], certificate_id, 1)
        assert shown[open_.ports[0], "other.example.com"]["verdicts"] == ["MISMATCHED"]
        odd = shown[open_.ports[1], NAME]
        assert (odd["verdicts"], odd["certificate_id"]) == (["EXPIRING", "UNKNOWN"], "")
        assert odd["fingerprint"] == stranger.sha256
        for verdict, count in (("GOOD", 1), ("MISMATCHED", 2), ("UNKNOWN", 2), ("GONE", 0), ("EXPIRED", 0)):
            assert len(found(alice, verdict=verdict)) == count, verdict
        assert [one["port"] for one in found(alice, search="other", verdict="GOOD")] == []
        open_.close(open_.ports[1])
        alice("scans.run", id=scan)
        house.desk.run()
        gone = found(alice, verdict="GONE")
        assert {one["port"] for one in gone} == {open_.ports[1]}
        assert all("No connection" in one["reason"] for one in gone)
        assert len(found(alice)) == 2
    told = alice("scans.show", id=scan)
    assert (told["state"], told["looked"], told["total"], told["found"]) == ("DONE", 4, 4, 2)


def test_a_revoked_and_an_old_version_are_told(house: Office, alice: Caller, tmp_path: Path) -> None:
    certificate_id, own = ours(house, NAME)
    with listeners(tmp_path, [own]) as open_:
        scanned(house, alice, ports=spans(open_), sni=[NAME])
        Version.objects.filter(certificate_id=certificate_id).update(revoked_at=clock.now())
        assert found(alice)[0]["verdicts"] == ["REVOKED"]  # as the inventory says now
        scanned(house, alice, ports=spans(open_), sni=[NAME])
    assert [one["verdicts"] for one in found(alice, verdict="REVOKED")] == [["REVOKED"]]


def test_all_of_many_listeners_are_found_and_memory_stays_flat(
    house: Office, alice: Caller, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Memory is looked at after each page: what a page needs does not grow with those before it."""
    held: list[int] = []
    kept = actions.keep

    def measured(*arguments: Any) -> None:
        kept(*arguments)
        gc.collect()  # closed connections are cycles, theirs and ours
        held.append(tracemalloc.get_traced_memory()[0])

    monkeypatch.setattr(actions, "keep", measured)
    with listeners(tmp_path, [tls.make(NAME).bundle.whole], COUNT) as open_:
        given = {"name": "many", "ranges": ["127.0.0.1"], "per_second": 1000, "sni": [NAME]}
        made = [
            str(alice("scans.create", body={**given, "ports": spans(open_)[start : start + 1000]})["id"])
            for start in range(0, COUNT, 1000)
        ]
        tracemalloc.start()
        try:
            for one in made:
                alice("scans.run", id=one)
                testing.run_all(timedelta(0), 100)
        finally:
            tracemalloc.stop()
        seen = set(Endpoint.objects.filter(gone=False).values_list("port", flat=True))
        assert seen == set(open_.ports)
    assert len(held) == COUNT // scans.BATCH
    growth = (held[-1] - held[1]) / (COUNT - 2 * scans.BATCH)
    assert growth < 2_000, held  # an endpoint that was kept would be more, by its certificates alone


def test_a_listener_that_is_slow_once_is_found(
    house: Office, alice: Caller, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(work, "SECONDS", 0.5)
    with slow_listener(tmp_path, tls.make(NAME).bundle.whole, silent=1) as port:
        scan = scanned(house, alice, ports=[str(port)], sni=[NAME])
        assert [(one["port"], one["reason"]) for one in found(alice)] == [(port, "")]
    assert Scan.objects.get(id=scan).note == ""


def test_a_listener_that_is_always_slow_is_named_and_not_called_gone(
    house: Office, alice: Caller, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pem = tls.make(NAME).bundle.whole
    with slow_listener(tmp_path, pem, silent=0) as known, slow_listener(tmp_path, pem, silent=99) as new:
        scan = scanned(house, alice, ports=[str(known)], sni=[NAME])
        before = found(alice)[0]
        monkeypatch.setattr(work, "SECONDS", 0.5)
        monkeypatch.setattr(work, "LATE_SECONDS", 1.0)
        with slow_listener(tmp_path, pem, silent=99) as other:
            Endpoint.objects.update(port=other)
            body = {"name": "late", "ranges": ["127.0.0.1"], "ports": [str(other), str(new)], "sni": [NAME]}
            alice("scans.update", id=scan, body=body)
            alice("scans.run", id=scan)
            house.desk.run()
        (one,) = found(alice)
    assert (one["port"], one["verdicts"], one["last_seen"]) == (
        other,
        before["verdicts"],
        before["last_seen"],
    )
    assert one["reason"] == f"127.0.0.1:{other} did not finish the handshake within 1 s."
    assert found(alice, verdict="GONE") == []
    shown = alice("scans.show", id=scan)
    late = ", ".join(f"127.0.0.1:{port}" for port in (other, new))
    assert shown["note"] == f"No answer in time: {late}."


@pytest.mark.parametrize("starved", [True, False])
def test_who_takes_no_connection_is_away_unless_this_process_had_no_time(
    house: Office, alice: Caller, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, starved: bool
) -> None:
    with slow_listener(tmp_path, tls.make(NAME).bundle.whole, silent=0) as port:
        scan = scanned(house, alice, ports=[str(port)], sni=[NAME])
    monkeypatch.setattr(work, "SECONDS", 0.5)
    monkeypatch.setattr(work, "LATE_SECONDS", 1.0)
    monkeypatch.setattr(work, "STARVED", -1.0 if starved else 3600.0)
    with full_listener() as full:
        Endpoint.objects.update(port=full)
        body = {"name": "full", "ranges": ["127.0.0.1"], "ports": [str(full)], "sni": [NAME]}
        alice("scans.update", id=scan, body=body)
        alice("scans.run", id=scan)
        house.desk.run()
    row = Endpoint.objects.get(port=full)
    waited = "1 s" if starved else "0.5 s"
    assert (row.gone, row.reason) == (
        not starved,
        f"No connection to 127.0.0.1:{full}: no answer within {waited}.",
    )
    assert bool(Scan.objects.get(id=scan).note) is starved


def asked(monkeypatch: pytest.MonkeyPatch, *looks: tuple[Serving, ...] | ConnectorError) -> list[float]:
    """From now on the looks of a scan get these answers in turn; answers the seconds each was given."""
    given, left = list[float](), list(looks)

    async def ask(*_: object, seconds: float, **__: object) -> tuple[Serving, ...]:
        given.append(seconds)
        answer = left.pop(0)
        if isinstance(answer, ConnectorError):
            raise answer
        return answer

    monkeypatch.setattr(serving, "ask", ask)
    return given


def away(address: str, sentence: str, **more: bool) -> Serving:
    return Serving(f"{address}:9000", failure=Verdict.UNREACHABLE, sentence=sentence, **more)


LATE = away("127.0.0.1", "It is late.", late=True)


@pytest.mark.parametrize(
    ("second", "gone", "reason"),
    [
        ((away("127.0.0.1", "No answer.", unanswered=True),), False, "No answer."),
        (ConnectorError("The resolver is away.", permanent=False), False, "It is late."),
        ((away("127.0.0.1", "It refused."),), True, "It refused."),
        ((Serving("127.0.0.1:9000", failure=Verdict.REFUSED, sentence="It closed."),), True, "It closed."),
    ],
)
def test_who_was_late_is_gone_only_by_an_answer(
    house: Office,
    alice: Caller,
    monkeypatch: pytest.MonkeyPatch,
    second: tuple[Serving, ...] | ConnectorError,
    gone: bool,
    reason: str,
) -> None:
    own = (tls.make(NAME).leaf,)
    asked(monkeypatch, (Serving("127.0.0.1:9000", own, "TLSv1.3"),))
    scan = scanned(house, alice, ports=["9000"], sni=[NAME])
    monkeypatch.setattr(work, "STARVED", 3600.0)
    asked(monkeypatch, (LATE,), second)
    alice("scans.run", id=scan)
    house.desk.run()
    row = Endpoint.objects.get()
    assert (row.gone, row.reason) == (gone, reason)
    assert ("127.0.0.1:9000" in Scan.objects.get(id=scan).note) is not gone


def test_each_address_of_a_host_is_told_by_itself(
    house: Office, alice: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = (tls.make(NAME).leaf,)
    good = [Serving(f"127.0.0.{number}:9000", own, "TLSv1.3") for number in range(1, 5)]
    asked(monkeypatch, tuple(good))
    scan = scanned(house, alice, ranges=["localhost"], ports=["9000"], sni=[NAME])
    look = (good[0], away("127.0.0.2", "It is late.", late=True), away("127.0.0.3", "It refused."))
    asked(monkeypatch, look, look)
    alice("scans.run", id=scan)
    house.desk.run()
    rows = Endpoint.objects.order_by("address").values_list("address", "gone", "reason")
    assert list(rows) == [
        ("127.0.0.1", False, ""),
        ("127.0.0.2", False, "It is late."),
        ("127.0.0.3", True, "It refused."),
        ("127.0.0.4", True, "localhost has not the address 127.0.0.4 any more."),
    ]
    assert "localhost:9000" in Scan.objects.get(id=scan).note


def test_the_second_look_at_a_page_has_its_time(
    house: Office, alice: Caller, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two late ones, one at a time: the second is not reached any more, and is not gone."""
    asked(monkeypatch, *[(Serving("127.0.0.1:9000", (tls.make(NAME).leaf,), "TLSv1.3"),)] * 2)
    scan = scanned(house, alice, ports=["9000", "9001"], sni=[NAME])
    begun: list[float] = []

    async def ask(*_: object, seconds: float, **__: object) -> tuple[Serving, ...]:
        begun.append(seconds)
        if len(begun) > 2:
            async with asyncio.timeout(20):
                await asyncio.Event().wait()
        return (LATE,)

    monkeypatch.setattr(serving, "ask", ask)
    monkeypatch.setattr(work, "LATE_AT_ONCE", 1)
    monkeypatch.setattr(work, "LATE_IN_ALL", 0.5)
    alice("scans.run", id=scan)
    house.desk.run()
    assert begun == [work.SECONDS, work.SECONDS, work.LATE_SECONDS]
    assert set(Endpoint.objects.values_list("gone", "reason")) == {(False, "It is late.")}
    assert Scan.objects.get(id=scan).note == "No answer in time: 127.0.0.1:9000, 127.0.0.1:9001."


def test_where_nothing_is_known_nobody_is_late_for_want_of_our_own_time(
    house: Office, alice: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(work, "STARVED", -1.0)
    given = asked(monkeypatch, (away("127.0.0.1", "No answer.", unanswered=True),))
    scan = scanned(house, alice, ports=["9000"], sni=[NAME])
    assert (given, Scan.objects.get(id=scan).note) == ([work.SECONDS], "")


def test_a_note_names_the_first_of_many() -> None:
    note = ""
    for start in (0, 15, 30):
        late = [
            Looked(Place("h", port, "", Protocol.TLS), (), late=frozenset({"h"}))
            for port in range(start, start + 15)
        ]
        note = actions._note(note, late)
    assert (note.count("h:"), note[-20:]) == (20, ", h:18, h:19, and more."[-20:])
    assert actions._note(note, []) == note
    assert actions._note("", []) == ""


def test_it_goes_on_where_a_kill_left_it_and_stops_when_told(
    house: Office, alice: Caller, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scans, "BATCH", 2)
    with listeners(tmp_path, [tls.make(NAME).bundle.whole], 5) as open_:
        given = {"name": "five", "ranges": ["127.0.0.1"], "ports": spans(open_), "per_second": 1000}
        made = str(alice("scans.create", body=given)["id"])
        alice("scans.run", id=made)
        assert isinstance(alice.refused("scans.run", id=made), CertdeskError)
        assert "running" in alice.refused("scans.delete", id=made).message
        assert "running" in alice.refused("scans.update", id=made, body=given).message
        testing.run_due(1)
        assert (Endpoint.objects.count(), Scan.objects.get(id=made).marker) == (2, 2)
        Job.objects.filter(kind=scans.PAGE).delete()  # as if a restored backup did not have it
        jobs.Look().load(Job(kind=jobs.LOOK, payload={}))
        house.desk.run()
        assert Endpoint.objects.count() == 5
        alice("scans.run", id=made)
        testing.run_due(1)
        assert alice("scans.cancel", id=made)["state"] == "CANCELED"
        assert "not running" in alice.refused("scans.cancel", id=made).message
        house.desk.run()
        assert Scan.objects.get(id=made).marker == 2
        alice("scans.run", id=made)  # the page of the run that was stopped still waits, and is not its
        alice("scans.cancel", id=made)
        alice("scans.run", id=made)
        testing.run_due(100, strict=True)
        assert Scan.objects.get(id=made).state == ScanState.DONE
        alice("scans.delete", id=made)
        testing.run_all(timedelta(seconds=1), strict=True)
        assert not Endpoint.objects.exists()


def test_what_a_deleted_scan_found_goes_piece_by_piece(
    house: Office, alice: Caller, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scans, "BATCH", 2)
    with listeners(tmp_path, [tls.make(NAME).bundle.whole], 5) as open_:
        scan = scanned(house, alice, ports=spans(open_))
    alice("scans.delete", id=scan)
    assert Endpoint.objects.count() == 3
    testing.run_all(timedelta(seconds=1), strict=True)
    assert not Endpoint.objects.exists()


def test_it_runs_by_itself_in_its_rhythm(house: Office, alice: Caller, tmp_path: Path) -> None:
    with listeners(tmp_path, [tls.make(NAME).bundle.whole]) as open_:
        given = {"name": "daily", "ranges": ["127.0.0.1"], "ports": spans(open_), "repeat": "DAILY"}
        made = str(alice("scans.create", body=given)["id"])
        jobs.Look().load(Job(kind=jobs.LOOK, payload={}))
        assert Scan.objects.get(id=made).state == ScanState.IDLE
        Scan.objects.filter(id=made).update(next_at=clock.now() - timedelta(seconds=1))
        jobs.Look().load(Job(kind=jobs.LOOK, payload={}))
        house.desk.run()
        scan = Scan.objects.get(id=made)
        assert (scan.state, scan.run, Endpoint.objects.count()) == (ScanState.DONE, 1, 1)
        assert scan.next_at is not None
        assert scan.next_at - clock.now() > timedelta(hours=23)
        settings.install(settings.get().model_copy(update={"allow_networks": ()}))
        Scan.objects.filter(id=made).update(next_at=clock.now() - timedelta(seconds=1))
        jobs.Look().load(Job(kind=jobs.LOOK, payload={}))
        scan.refresh_from_db()
        assert (scan.state, "may not be looked through" in scan.note) == (ScanState.FAILED, True)


def test_its_job_has_the_right_of_who_began_it(house: Office, alice: Caller) -> None:
    given = {"name": "mine", "ranges": ["127.0.0.1"], "ports": ["9000"]}
    made = str(alice("scans.create", body=given)["id"])
    alice("scans.run", id=made)
    house.people["alice"].groups.clear()
    house.desk.run(strict=False)
    scan = Scan.objects.get(id=made)
    assert scan.state == ScanState.FAILED
    assert "scm:scan:run" in scan.note


def test_a_network_that_was_closed_meanwhile_ends_the_run(house: Office, alice: Caller) -> None:
    made = str(alice("scans.create", body={"name": "mine", "ranges": ["127.0.0.1"], "ports": ["9000"]})["id"])
    alice("scans.run", id=made)
    settings.install(settings.get().model_copy(update={"allow_networks": ()}))
    house.desk.run(strict=False)
    assert "may not be looked through" in Scan.objects.get(id=made).note


def test_each_problem_is_mailed_once(house: Office, alice: Caller, tmp_path: Path) -> None:
    User.objects.filter(id=house.people["alice"].id).update(email="alice@example.net")
    with listeners(tmp_path, [tls.make(NAME).bundle.whole], 3) as open_:
        scan = scanned(house, alice, ports=spans(open_), sni=[NAME])
        mail = Message.objects.get(template="scan-found")
        assert mail.subject == "3 certificates to look at, found by office"
        assert mail.text.count(": expires at") == 3
        alice("scans.run", id=scan)
        house.desk.run()
        assert Message.objects.filter(template="scan-found").count() == 1
        Endpoint.objects.filter(port=open_.ports[0]).update(told="")
        alice("scans.run", id=scan)
        house.desk.run()
    last = Message.objects.filter(template="scan-found").order_by("-id")[0]
    assert last.subject == "1 certificate to look at, found by office"


def test_nobody_else_sees_or_touches_it(house: Office, alice: Caller, tmp_path: Path) -> None:
    bob, charlie = (Caller(principal_of(house.people[name], Via.API)) for name in ("bob", "charlie"))
    with listeners(tmp_path, [tls.make(NAME).bundle.whole]) as open_:
        scan = scanned(house, alice, ports=spans(open_))
    (one,) = found(alice)
    assert len(found(bob)) == 1
    assert found(charlie) == []
    assert charlie("scans.list")["items"] == []
    for verb in ("show", "run", "cancel", "delete"):
        assert isinstance(charlie.refused(f"scans.{verb}", id=scan), NotFound)
    body = {"mode": "UPLOAD", "name": "mine"}
    assert isinstance(charlie.refused("endpoints.adopt", id=one["id"], body=body), NotFound)
    assert isinstance(alice.refused("endpoints.adopt", id="0" * 32, body=body), NotFound)
    reader = Caller(house.desk.someone("reader", "scm:scan:list"))
    assert isinstance(reader.refused("scans.run", id=scan), Forbidden)
    assert isinstance(reader.refused("endpoints.adopt", id=one["id"], body=body), Forbidden)


def test_a_strangers_certificate_is_watched_without_its_key(
    house: Office, alice: Caller, tmp_path: Path
) -> None:
    # rule: UPL-7
    with listeners(tmp_path, [tls.make(NAME).bundle.whole], 2) as open_:
        scanned(house, alice, ports=spans(open_), sni=[NAME])
        one = found(alice)[0]
        body = {"mode": "UPLOAD", "name": "found-outside"}
        hosted = alice("endpoints.adopt", id=one["id"], body=body)["certificate_id"]
        assert house.desk.state(hosted) == "UPLOAD"
        assert Version.objects.get(certificate_id=hosted).key_id == ""
        assert "key" in alice.refused("certificates.deploy", hosted, ELB).message
        again = alice.refused("endpoints.adopt", id=one["id"], body=body)
        assert hosted in again.message
        assert {each["certificate_id"] for each in found(alice)} == {hosted}
        scanned(house, alice, ports=spans(open_), sni=[NAME])
        assert {tuple(each["verdicts"]) for each in found(alice)} == {("EXPIRING",)}


def test_what_cannot_be_watched_is_refused_as_an_upload_is(
    house: Office, alice: Caller, tmp_path: Path
) -> None:
    # rule: UPL-5
    made = tls.make(NAME)
    with listeners(tmp_path, [made.bundle.leaf + made.bundle.key]) as open_:
        scan = scanned(house, alice, ports=spans(open_), sni=[NAME])
        (one,) = found(alice, verdict="CHAIN")
        assert "comes alone" in one["chain_problem"]
        refused = alice.refused("endpoints.adopt", id=one["id"], body={"mode": "UPLOAD", "name": "alone"})
        assert refused.field == "certificate_chain"
        assert "mode" in alice.refused("endpoints.adopt", id=one["id"], body={"mode": "STEAL"}).field
        wanted = alice.refused("endpoints.adopt", id=one["id"], body={"mode": "REISSUE"})
        assert "Buy one for 1 names" in wanted.next_step
        open_.close(open_.ports[0])
        alice("scans.run", id=scan)
        house.desk.run()
        gone = alice.refused("endpoints.adopt", id=one["id"], body={"mode": "UPLOAD", "name": "alone"})
        assert "no" in gone.message.lower()


def test_a_successor_is_deployed_where_the_old_one_was(
    office: Office, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The load balancer serves what somebody else made; adopted, it serves ours (API §10 adopt)."""
    with open_balancer(office, tmp_path, monkeypatch) as balancer:
        alice = balancer.alice
        made = str(alice("scans.create", body={"name": "targets", "targets": True})["id"])
        alice("scans.run", id=made)
        office.desk.run()
        shown = {one["name"]: one for one in found(alice)}
        assert set(shown) == {name for site in balancer.sites for name in site}
        one = shown["shop.example.com"]
        assert (one["certificate_id"], one["binding_id"]) == ("", balancer.binding("shop.example.com")["id"])
        bought = office.desk.buy()
        body = {"mode": "REISSUE", "certificate_id": bought}
        assert alice.refused("endpoints.adopt", id=one["id"], body=body).field == "agree_privacy_protection"
        alice("endpoints.adopt", id=one["id"], body={**body, "agree_privacy_protection": True})
        assert drafts.read(office.desk.alice, bought)["domain"] == "shop.example.com"
        jobs.Look().load(Job(kind=jobs.LOOK, payload={}))
        assert not Job.objects.filter(kind="discovery.deploy").exists()
        office.desk.apply(bought, domain="shop.example.com")
        office.desk.publish(bought)
        office.desk.run()
        assert office.desk.state(bought) == "ISSUED"
        other = office.desk.issued("shop.example.com")
        held = deployment.deploy_to(office.desk.alice, other, [str(one["binding_id"])])
        assert held.deployment is not None
        alice("deployments.pause", id=held.deployment.id)
        with short_transaction():
            jobs.Look().load(Job(kind=jobs.LOOK, payload={}))
        office.desk.run()
        assert Endpoint.objects.filter(successor_id=bought).exists()  # its place is busy: it is waited for
        alice("deployments.cancel", id=held.deployment.id)
        with short_transaction():
            jobs.Look().load(Job(kind=jobs.LOOK, payload={}))
        office.desk.run()
        assert balancer.binding("shop.example.com")["deployment"] == "DEPLOYED"
        alice("scans.run", id=made)
        office.desk.run()
        assert {one["name"]: one["certificate_id"] for one in found(alice)}["shop.example.com"] == bought
        assert not Endpoint.objects.exclude(successor_id="").exists()
