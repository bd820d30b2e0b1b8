"""Servers that answer wrongly: what the connectors of RFC 2136 and PowerDNS believe, and what they say."""

import asyncio
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rrset
import dns.tsig
import pytest

from certdesk.connectors.dns.providers import registry
from certdesk.connectors.dns.providers.protocol import DnsError, Outside, Provider, Reason, Zone

ZONE, NAME = Zone("example.test"), "_dnsauth.example.test"
SECRET = "c2VjcmV0LW9mLXRoZS10c2lnLWtleS0zMi1ieXRlcyE="
KEY = dns.tsig.Key(dns.name.from_text("k"), SECRET)
Reply = Callable[[dns.message.Message], bytes]
Step = Callable[[Provider], Any]


def respond(query: dns.message.Message, rcode: dns.rcode.Rcode = dns.rcode.NOERROR, key: Any = KEY) -> bytes:
    answer = dns.message.make_response(query)
    answer.tsig = None
    answer.set_rcode(rcode)
    if key is not None:
        answer.use_tsig(key)
        answer.request_mac = query.mac
    return answer.to_wire()


def bad_time(query: dns.message.Message) -> bytes:
    answer = dns.message.make_response(query, tsig_error=dns.rcode.BADTIME)
    answer.set_rcode(dns.rcode.NOTAUTH)
    return answer.to_wire()


def endless_zone(query: dns.message.Message) -> bytes:
    answer = dns.message.make_response(query)
    soa = dns.rrset.from_text("example.test.", 60, "IN", "SOA", "ns. h. 1 1 1 1 1")
    answer.answer = [soa, dns.rrset.from_text(f"{NAME}.", 60, "IN", "TXT", *[f'"{n}"' for n in range(400)])]
    return answer.to_wire()


def ask(reply: Reply, step: Step, **changed: Any) -> Any:
    """One step of a connection whose server answers every TCP question with `reply`."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        wire = await reader.readexactly(int.from_bytes(await reader.readexactly(2)))
        answer = reply(dns.message.from_wire(wire, keyring=KEY))
        writer.write(len(answer).to_bytes(2) + answer)
        await writer.drain()
        writer.close()

    async def scene() -> Any:
        async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            outside = Outside(own_servers=frozenset({("127.0.0.1", port)}), seconds=5, max_bytes=3000)
            options = {
                "server": "127.0.0.1",
                "port": port,
                "zones": ["example.test"],
                "key_name": "k",
                "key_secret": SECRET,
            }
            result = await step(registry.connect("rfc2136", options, replace(outside, **changed)))
            await asyncio.sleep(0)
            return result

    return asyncio.run(scene())


def add(desk: Provider) -> Any:
    return desk.add_value(ZONE, NAME, "TXT", "value")


@pytest.mark.parametrize(
    ("reply", "reason", "words"),
    [
        (lambda query: respond(query, key=None), Reason.UNSIGNED, "without a signature"),
        (
            lambda query: respond(query, key=other_key()),
            Reason.BAD_ANSWER,
            "not signed with",
        ),
        (lambda query: respond(query, dns.rcode.NOTAUTH, None), Reason.WRONG_KEY, "did not accept the key k"),
        (lambda query: respond(query, dns.rcode.NOTAUTH), Reason.NO_ZONE, "NOTAUTH"),
        (lambda query: respond(query, dns.rcode.REFUSED, None), Reason.REFUSED, "REFUSED"),
        (lambda query: respond(query, dns.rcode.SERVFAIL), Reason.BUSY, "SERVFAIL"),
        (lambda query: respond(query, dns.rcode.NOTIMP), Reason.BAD_ANSWER, "NOTIMP"),
        (bad_time, Reason.WRONG_KEY, "clock differs"),
        (lambda query: b"no DNS message", Reason.BAD_ANSWER, "cannot be read"),
        (lambda query: b"", Reason.BAD_ANSWER, "cannot be read"),
        (lambda query: bytes(2) + respond(query)[2:], Reason.BAD_ANSWER, "cannot be read|not signed"),
    ],
)
def test_what_is_believed_of_a_name_server(reply: Reply, reason: Reason, words: str) -> None:
    with pytest.raises(DnsError, match=words) as caught:
        ask(reply, add)
    assert caught.value.reason is reason
    assert caught.value.next_step
    assert SECRET not in str(caught.value)


def other_key() -> dns.tsig.Key:
    return dns.tsig.Key(dns.name.from_text("k"), "b3RoZXJzZWNyZXQ=")


def test_a_zone_without_an_end_is_cut_off() -> None:
    with pytest.raises(DnsError) as caught:
        ask(endless_zone, lambda desk: desk.record_sets(ZONE))
    assert caught.value.reason is Reason.LIMIT


def test_a_server_that_does_not_hold_the_zone() -> None:
    check = ask(respond, lambda desk: desk.test())
    assert (check.ok, "does not hold the zone example.test" in check.problem) == (False, True)


def http(status: int, body: bytes, headers: str = "") -> bytes:
    return f"HTTP/1.1 {status} X\r\nContent-Length: {len(body)}\r\n{headers}\r\n".encode() + body


def powerdns(answer: Callable[[str], bytes], step: Step) -> Any:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = int([*head.lower().split(b"content-length: "), b"0"][1].split(b"\r\n")[0])
        await reader.readexactly(length)
        writer.write(answer(head.decode().split(" HTTP")[0]))
        await writer.drain()
        writer.close()

    async def scene() -> Any:
        async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            own = frozenset({("127.0.0.1", port)})
            options = {"url": f"http://127.0.0.1:{port}", "api_key": "the-key-of-the-api"}
            result = await step(registry.connect("powerdns", options, Outside(own_servers=own, settle=0)))
            await asyncio.sleep(0)
            return result

    return asyncio.run(scene())


@pytest.mark.parametrize(
    ("answer", "reason", "words"),
    [
        (http(200, b"<html>"), Reason.BAD_ANSWER, "no JSON"),
        (http(200, b'{"rrsets": [{}]}'), Reason.BAD_ANSWER, "as PowerDNS does"),
        (http(200, b"[]"), Reason.BAD_ANSWER, "as PowerDNS does"),
        (http(503, b"", "Retry-After: 7\r\n"), Reason.BUSY, "503"),
        (http(400, b"plain words"), Reason.REFUSED, "answered 400"),
        (
            http(422, json.dumps({"error": "Not as expected\x1b"}).encode()),
            Reason.REFUSED,
            r"expected\\027",
        ),
        (http(301, b"", "Location: http://127.0.0.1/\r\n"), Reason.EGRESS, "redirects"),
    ],
)
def test_what_is_believed_of_an_api(answer: bytes, reason: Reason, words: str) -> None:
    with pytest.raises(DnsError, match=words) as caught:
        powerdns(lambda asked: answer, add)
    assert caught.value.reason is reason
    assert caught.value.next_step
    assert caught.value.retry_after == (7 if reason is Reason.BUSY else None)


@pytest.mark.parametrize(
    ("zones", "words"),
    [
        ([{"name": "x.test."}], "as PowerDNS does"),
        ([{"name": "c.test.", "id": "c.test.", "kind": "Slave"}], "no zone"),
    ],
)
def test_an_api_without_zones_to_write(zones: list[Any], words: str) -> None:
    check = powerdns(lambda asked: http(200, json.dumps(zones).encode()), lambda desk: desk.test())
    assert (check.ok, words in check.problem) == (False, True), check


def test_values_that_are_switched_off_at_powerdns_stay_so() -> None:
    """They are no values, and still somebody's."""
    off = {"content": '"off"', "disabled": True}
    rrset = {"name": f"{NAME}.", "type": "TXT", "ttl": 60, "records": [off]}
    sent: list[str] = []

    def answer(asked: str) -> bytes:
        sent.append(asked)
        if asked.startswith("PATCH"):
            rrset["records"] = [off, {"content": '"value"', "disabled": False}]
            return http(204, b"")
        return http(200, json.dumps({"kind": "Native", "rrsets": [rrset]}).encode())

    assert powerdns(answer, add) is True
    assert powerdns(answer, lambda desk: desk.record_set(ZONE, NAME, "TXT")).values == ('"value"',)
    assert powerdns(answer, lambda desk: desk.delete_record_set(ZONE, NAME, "TXT")) is True
