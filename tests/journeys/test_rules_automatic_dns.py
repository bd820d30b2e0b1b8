"""DOM-7 and guide §3.2.2 step 3 with a real BIND: connected, written, seen, issued, removed."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import dns.message
import dns.query
import dns.rdatatype
import pytest

from certdesk.foundation.common import clock, settings
from certdesk.foundation.iam import queries as iam
from certdesk.foundation.iam.principal import Via
from certdesk.foundation.jobs import actions as jobs
from certdesk.foundation.jobs import testing
from certdesk.lifecycle.validation import automatic_jobs, automatic_work, automatic_write
from certdesk.lifecycle.validation.models import AutomaticRecord, AutomaticStep, Challenge, DnsConnection
from tests.support import powerdns
from tests.support.automatic import asked_bind, options
from tests.support.bind import NAMED, REASON, Bind
from tests.support.office import Office
from tests.support.rulebook import Caller

pytestmark = [pytest.mark.server, pytest.mark.skipif(NAMED is None, reason=REASON)]

OWNER = "_dnsauth.example.com"
SOON = timedelta(minutes=10)


@pytest.fixture
def server(office: Office, tmp_path: Path) -> Iterator[Bind]:
    zones = {
        "example.com": f'{OWNER}. 300 IN TXT "somebody else\'s"\n'
        "_dnsauth.shop IN CNAME shop.proofs.example.net.",
        "proofs.example.net": "",
    }
    with asked_bind(tmp_path, zones) as made:
        yield made


def caller(office: Office, name: str) -> Caller:
    return Caller(iam.principal_of(office.people[name], Via.API))


def connected(alice: Caller, server: Bind, *zones: str, **more: Any) -> str:
    given = options(server, *zones) | more
    return str(alice("dns_connections.create", body={"provider": "rfc2136", "options": given})["id"])


def applied(alice: Caller, domain: str = "www.example.com") -> str:
    certificate_id = alice.buy()
    alice.apply(certificate_id, domain, auto_dns_auth=True)
    return certificate_id


def texts(server: Bind, owner: str = OWNER) -> list[str]:
    """What the server itself says, asked apart from the code under test."""
    answer = dns.query.udp(dns.message.make_query(owner, "TXT"), "127.0.0.1", 5, server.port)
    return sorted(
        b"".join(one.strings).decode()
        for rrset in answer.answer
        if rrset.rdtype == dns.rdatatype.TXT
        for one in rrset
    )


def work(sweep: bool = True) -> None:
    """All that is due within ten minutes, and a round of the sweeper."""
    testing.run_all(SOON, 200, strict=True)
    if sweep:
        jobs.enqueue(automatic_jobs.SWEEP)
        testing.run_all(SOON, 200, strict=True)


def story(alice: Caller, certificate_id: str) -> list[tuple[str, bool]]:
    found = alice("certificates.domain_verification", certificate_id)["automatic"]
    return [(one["step"], one["ok"]) for one in found]


def test_the_whole_way_by_itself(office: Office, server: Bind) -> None:
    # rule: DOM-7
    # rule: DOM-6
    # rule: ORD-1
    alice = caller(office, "alice")
    connection = connected(alice, server, "example.com")
    assert alice("dns_connections.test", id=connection)["ok"]
    certificate_id = applied(alice)
    assert texts(server) == ["somebody else's"]  # nothing is written by the request itself
    work(sweep=False)
    assert alice.status(certificate_id) == "ISSUED"
    value = alice.proof(certificate_id)[0]["record_value"]
    assert texts(server) == sorted(["somebody else's", value])  # beside others, and until issuance
    work()
    assert texts(server) == ["somebody else's"]
    assert story(alice, certificate_id) == [("FIND", True), ("WRITE", True), ("WAIT", True), ("REMOVE", True)]
    assert AutomaticRecord.objects.get().state == "REMOVED"


@pytest.mark.skipif(not powerdns.is_installed(), reason=powerdns.REASON)
def test_the_whole_way_over_the_api_of_powerdns(office: Office, tmp_path: Path) -> None:
    # rule: DOM-7
    alice, before = caller(office, "alice"), settings.get()
    with powerdns.powerdns(tmp_path, ["example.com"], {}) as server:
        at = f"127.0.0.1:{server.port}"
        # the operator's own server, named by address and port: no network is opened for it
        ours = {"dns_resolvers": (at,), "dns_servers": (f"127.0.0.1:{server.api_port}",)}
        given = {"url": server.url, "api_key": powerdns.API_KEY}
        body = {"provider": "powerdns", "label": "Our PowerDNS", "options": given}
        connection = alice("dns_connections.create", body=body)["id"]
        refused = alice("dns_connections.test", id=connection)
        assert not refused["ok"]
        assert powerdns.API_KEY not in repr(refused)
        settings.install(before.model_copy(update=ours))
        tested = alice("dns_connections.test", id=connection)
        assert (tested["ok"], tested["zones"]) == (True, ["example.com"])
        certificate_id = applied(alice)
        work(sweep=False)
        assert alice.status(certificate_id) == "ISSUED"
        there = Bind(server.port)
        assert len(texts(there)) == 1
        work()
        assert texts(there) == []


def test_a_delegated_proof_name_is_written_where_it_leads(office: Office, server: Bind) -> None:
    # rule: DOM-7
    alice = caller(office, "alice")
    connected(alice, server, "proofs.example.net")
    certificate_id = applied(alice, "shop.example.com")
    work(sweep=False)
    assert alice.status(certificate_id) == "ISSUED"
    assert len(texts(server, "shop.proofs.example.net")) == 1
    work()
    assert texts(server, "shop.proofs.example.net") == []


def test_a_withdrawn_application_leaves_no_record(office: Office, server: Bind) -> None:
    # rule: DOM-7
    alice = caller(office, "alice")
    connected(alice, server, "example.com")
    certificate_id = applied(alice)
    while not AutomaticRecord.objects.filter(state="THERE").exists():
        assert testing.run_all(SOON, 1, strict=True)
    assert len(texts(server)) == 2
    alice("certificates.cancel", certificate_id)
    work()
    assert alice.status(certificate_id) == "PAID"
    assert texts(server) == ["somebody else's"]


def test_a_kill_between_write_and_note_leaves_no_record(office: Office, server: Bind) -> None:
    # rule: DOM-7
    alice = caller(office, "alice")
    connected(alice, server, "example.com")
    certificate_id = applied(alice)
    while not AutomaticRecord.objects.exists():
        assert testing.run_all(SOON, 1, strict=True)
    record = AutomaticRecord.objects.get()
    change = automatic_work.change_of(record)
    assert change is not None
    asyncio.run(automatic_write._add(change))  # written, and the worker dies before it can say so
    assert len(texts(server)) == 2
    alice("certificates.cancel", certificate_id)
    work()
    assert texts(server) == ["somebody else's"]


def test_a_connection_that_fails_leaves_the_manual_way_open(office: Office, server: Bind) -> None:
    # rule: DOM-7
    alice = caller(office, "alice")
    wrong = "d3Jvbmctc2VjcmV0LXdyb25nLXNlY3JldC0wMDAwMDA="
    connection = connected(alice, server, "example.com", key_secret=wrong)
    tested = alice("dns_connections.test", id=connection)
    assert not tested["ok"]
    assert tested["problem"]
    certificate_id = applied(alice)
    testing.run_all(timedelta(seconds=5), 50, strict=True)
    last = alice("certificates.domain_verification", certificate_id)["automatic"][-1]
    assert (last["step"], last["ok"]) == ("WRITE", False)
    assert "yourself" in last["next_step"]
    assert alice.status(certificate_id) == "CHECKING"
    alice("dns_connections.update", body={"options": options(server, "example.com")}, id=connection)
    work()
    assert alice.status(certificate_id) == "ISSUED"  # put right: it went on by itself
    work()
    assert texts(server) == ["somebody else's"]


def test_without_a_zone_the_reason_is_told(office: Office, server: Bind) -> None:
    # rule: DOM-7
    alice = caller(office, "alice")
    connected(alice, server, "proofs.example.net")
    certificate_id = applied(alice)
    testing.run_all(timedelta(0), 50, strict=True)
    last = alice("certificates.domain_verification", certificate_id)["automatic"][-1]
    assert (last["step"], last["ok"]) == ("FIND", False)
    assert OWNER in last["sentence"]


def test_what_automatic_needs(office: Office, server: Bind) -> None:
    # rule: ORD-1
    # rule: DOM-7
    alice = caller(office, "alice")
    certificate_id = alice.buy()
    fault = alice.not_applied(certificate_id, auto_dns_auth=True)
    assert (fault.field, fault.kind) == ("auto_dns_auth", "wrong_state")
    connected(alice, server, "example.com")
    bob = caller(office, "bob").principal
    grants = tuple(one for one in bob.grants if one.policy != "DNS Administrator")
    poor = Caller(replace(bob, grants=grants))
    fault = poor.not_applied(certificate_id, auto_dns_auth=True)
    assert fault.details["action"] == "dns:recordset:create"


def test_a_right_lost_before_the_write_stops_it(office: Office, server: Bind) -> None:
    # rule: ORD-1
    alice = caller(office, "alice")
    connected(alice, server, "example.com")
    certificate_id = applied(alice)
    office.people["alice"].groups.clear()
    testing.run_all(timedelta(seconds=5), 50, strict=True)
    assert texts(server) == ["somebody else's"]
    assert "dns:recordset:create" in AutomaticStep.objects.get(domain="").sentence
    assert certificate_id


def test_record_sets_over_the_connection(office: Office, server: Bind) -> None:
    # rule: DOM-17
    alice = caller(office, "alice")
    where = {"id": connected(alice, server, "example.com"), "zone": "example.com"}
    zones = alice("dns_connections.zones", id=where["id"])["items"]
    assert [one["name"] for one in zones] == ["example.com."]
    new = {"name": "note.example.com.", "type": "TXT", "ttl": 300, "records": ['"one"']}
    made = alice("recordsets.create", body=new, **where)["id"]
    assert texts(server, "note.example.com") == ["one"]
    refused = alice.refused("recordsets.create", body=new, **where)
    assert refused.kind == "conflict"
    alice("recordsets.update", body={"ttl": 60, "records": ['"two"', '"three"']}, recordset_id=made, **where)
    assert texts(server, "note.example.com") == ["three", "two"]
    assert alice("recordsets.show", recordset_id=made, **where)["ttl"] == 60
    listed = alice("recordsets.list", **where)["items"]
    assert "TXT@note.example.com" in [one["id"] for one in listed]
    alice("recordsets.delete", recordset_id=made, **where)
    assert texts(server, "note.example.com") == []
    assert alice.refused("recordsets.delete", recordset_id=made, **where).kind == "not_found"
    elsewhere = {"id": where["id"], "zone": "example.org"}
    assert alice.refused("recordsets.list", **elsewhere).kind == "not_found"


def test_a_stranger_never_and_a_secret_never(office: Office, server: Bind) -> None:
    # rule: IAM-5
    alice, charlie, rita = (caller(office, name) for name in ("alice", "charlie", "rita"))
    connection = connected(alice, server, "example.com")
    shown = alice("dns_connections.show", id=connection)
    assert shown["options"]["key_secret"] == "***"
    assert "c2VjcmV0" not in repr(list(DnsConnection.objects.values()))
    where = {"id": connection, "zone": "example.com"}
    record_set = {"name": "a.example.com", "type": "A", "records": ["192.0.2.1"]}
    for person, kind in ((charlie, "not_found"), (rita, "forbidden")):
        assert person.refused("dns_connections.show", id=connection).kind == kind
        assert person.refused("dns_connections.test", id=connection).kind == kind
        assert person.refused("dns_connections.zones", id=connection).kind == kind
        assert person.refused("dns_connections.update", body={"label": "mine"}, id=connection).kind == kind
        assert person.refused("dns_connections.delete", id=connection).kind == kind
        assert person.refused("recordsets.create", body=record_set, **where).kind == kind
        assert person.refused("recordsets.list", **where).kind == kind
    assert charlie("dns_connections.list")["items"] == []
    assert charlie("domains.list")["items"] == []
    moved = options(server, "example.com") | {"server": "192.0.2.53", "key_secret": "***"}
    assert "again" in alice.refused("dns_connections.update", body={"options": moved}, id=connection).message
    bob = caller(office, "bob")
    assert [one["id"] for one in bob("dns_connections.list")["items"]] == [connection]
    bob("dns_connections.delete", id=connection)
    assert alice.refused("dns_connections.show", id=connection).kind == "not_found"


def test_a_connection_in_use_is_kept(office: Office, server: Bind) -> None:
    alice = caller(office, "alice")
    connection = connected(alice, server, "example.com")
    applied(alice)
    while not AutomaticRecord.objects.filter(state="THERE").exists():
        assert testing.run_all(SOON, 1, strict=True)
    assert alice.refused("dns_connections.delete", id=connection).kind == "wrong_state"
    alice("dns_connections.delete", id=connection, query={"force": True})
    assert AutomaticRecord.objects.get().state == "REMOVED"
    work()


def test_a_renewed_value_is_written_and_the_old_one_goes(office: Office, server: Bind) -> None:
    # rule: DOM-11
    alice = caller(office, "alice")
    connected(alice, server, "example.com")
    applied(alice)
    while not AutomaticRecord.objects.filter(state="THERE").exists():
        assert testing.run_all(SOON, 1, strict=True)
    old = AutomaticRecord.objects.get().value
    Challenge.objects.update(value="f" * 64, value_made_at=clock.now())
    jobs.enqueue(automatic_jobs.SWEEP)
    for _ in range(60):
        if "f" * 64 in texts(server) and old not in texts(server):
            break
        assert testing.run_all(SOON, 1, strict=True)
    assert texts(server) == sorted(["f" * 64, "somebody else's"])
