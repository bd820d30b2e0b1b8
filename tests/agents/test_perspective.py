"""The remote perspective: what it sees, whom it believes, and the desk that asks it."""

import asyncio
import ipaddress
import json
import random
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from certdesk.agents import perspective as agent
from certdesk.connectors import egress
from certdesk.connectors import perspective as desk
from certdesk.connectors.protocol import ConnectorError
from certdesk.lab.dns_server import LabDns

KEY = b"0123456789abcdef0123456789abcdef"
OWNER, VALUE = "_dnsauth.example.com", "0123456789abcdef" * 4
LOOK = {"method": "DNS", "name": OWNER, "type": "TXT", "path": "/x", "value": VALUE}


@contextmanager
def running(dns: LabDns, key: bytes = KEY) -> Iterator[str]:
    host, _, port = dns.server.rpartition(":")
    with agent.Agent(agent.Config(key, (host, int(port))), ("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize(
    ("kind", "records", "answer"),
    [
        ("TXT", [(OWNER, "TXT", VALUE)], "MATCH"),
        ("TXT", [(OWNER, "CNAME", "p.example.net."), ("p.example.net", "TXT", VALUE)], "MATCH"),
        ("TXT", [(OWNER, "TXT", "other")], "WRONG_VALUE"),
        ("TXT", [(OWNER, "A", "192.0.2.1")], "NO_RECORD"),
        ("TXT", [], "NXDOMAIN"),
        ("TXT", [(OWNER, "CNAME", "a.example.net."), ("a.example.net", "CNAME", OWNER + ".")], "CNAME_LOOP"),
        ("CNAME", [(OWNER, "CNAME", f"{VALUE[:32]}.{VALUE[32:]}.dcv.example.")], "MATCH"),
    ],
)
def test_records_are_seen_as_the_desk_names_them(
    kind: str, records: list[tuple[str, str, str]], answer: str
) -> None:
    with LabDns() as dns, running(dns) as url:
        for owner, rtype, value in records:
            dns.set(owner, rtype, [value])
        value = VALUE if kind == "TXT" else f"{VALUE[:32]}.{VALUE[32:]}.dcv.example"
        seen = asyncio.run(desk.ask(url, KEY, {**LOOK, "type": kind, "value": value}))
    assert seen.answer == answer, seen.sentence
    assert seen.sentence


@pytest.mark.parametrize("fault", ["SERVFAIL", "REFUSED", "TRUNCATE"])
def test_a_server_in_trouble(fault: str) -> None:
    with LabDns() as dns, running(dns) as url:
        dns.set(OWNER, "TXT", [VALUE])
        dns.misbehave(OWNER, fault)
        seen = asyncio.run(desk.ask(url, KEY, LOOK))
    assert seen.answer == ("MATCH" if fault == "TRUNCATE" else fault)


def test_only_the_desk_with_the_key_is_answered_and_believed() -> None:
    with LabDns() as dns, running(dns) as url:
        with pytest.raises(ConnectorError, match="403"):
            asyncio.run(desk.ask(url, b"x" * 32, LOOK))
        with pytest.raises(ConnectorError, match="400"):
            asyncio.run(desk.ask(url, KEY, {**LOOK, "method": "EMAIL"}))
        with pytest.raises(ConnectorError, match="400"):
            asyncio.run(desk.ask(url, KEY, {**LOOK, "name": "a b"}))


def test_times_nonces_and_signatures() -> None:
    config, seen, now = agent.Config(KEY, ("127.0.0.1", 53)), agent.Seen(), 1_800_000_000.0

    def headers(moment: str, nonce: str, body: bytes = b"{}") -> dict[str, str]:
        signature = desk.sign(KEY, b"ask", moment.encode(), nonce.encode(), body)
        return {
            "x-certdesk-time": moment,
            "x-certdesk-nonce": nonce,
            "x-certdesk-signature": signature,
        }

    good = headers("1800000000", "a")
    assert agent.accept(config, seen, good, b"{}", now)
    assert not agent.accept(config, seen, good, b"{}", now)  # a second time
    assert not agent.accept(config, seen, headers("1800000000", "b"), b"{ }", now)
    assert not agent.accept(config, seen, headers("1799999000", "c"), b"{}", now)
    assert not agent.accept(config, seen, headers("soon", "d"), b"{}", now)
    assert not agent.accept(config, seen, {}, b"{}", now)
    assert desk.sign(KEY, b"a", b"bc") == agent.sign(KEY, b"a", b"bc") != agent.sign(KEY, b"ab", b"c")


def test_an_answer_that_somebody_else_made_is_not_believed() -> None:
    got = json.dumps({"answer": "MATCH", "seen": "yes"}).encode()
    from certdesk.connectors.http import Fetched

    for signature in ("", "0" * 64, desk.sign(KEY, b"answer", b"another", got)):
        forged = Fetched(200, (("x-certdesk-signature", signature),), got, "http://a", "127.0.0.1", ())
        with pytest.raises(ConnectorError, match="not signed"):
            desk._read(forged, KEY, "asked")
    for body in (b"no json", b"[]", b"{}"):
        signature = desk.sign(KEY, b"answer", b"asked", body)
        odd = Fetched(200, (("x-certdesk-signature", signature),), body, "http://a", "127.0.0.1", ())
        with pytest.raises(ConnectorError, match="cannot be read"):
            desk._read(odd, KEY, "asked")


@pytest.mark.parametrize(
    "packet",
    [
        b"",
        b"\0" * 11,
        b"\0\1\x80\0\0\1\0\0",
        b"\0\1\x80\0\0\0\0\1\xc0\x0c",
        b"\0\1\x80\0\0\0\0\1\0\0\0\0\xc0\xff",
    ],
)
def test_broken_answers_of_a_dns_server(packet: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        agent.read_answer(packet, 1)


def test_the_file_runs_alone_and_its_key_is_private(tmp_path: Path) -> None:
    source = Path(agent.__file__).read_bytes()
    alone, key = tmp_path / "perspective.py", tmp_path / "key"
    alone.write_bytes(source)
    key.write_bytes(KEY)
    command = [sys.executable, "-I", str(alone), "--key-file", str(key), "--listen", "127.0.0.1:0"]
    key.chmod(0o644)
    refused = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    assert (refused.returncode, "chmod 600" in refused.stderr) == (1, True)
    key.chmod(0o600)
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline().startswith("perspective: listening on 127.0.0.1:")
        finally:
            process.terminate()


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("1.2.3.4", ("1.2.3.4", 53)),
        ("1.2.3.4:5", ("1.2.3.4", 5)),
        ("[::1]:5", ("::1", 5)),
        ("::1", ("::1", 53)),
    ],
)
def test_addresses_of_servers(text: str, read: tuple[str, int]) -> None:
    assert agent.host_port(text, 53) == read


def edges(network: agent.Network) -> list[str]:
    """First and last address of a network, and those just outside."""
    first, last = int(network.network_address), int(network.broadcast_address)
    most = 2**network.max_prefixlen - 1
    make = type(network.network_address)
    return [str(make(one)) for one in (first - 1, first, last, last + 1) if 0 <= one <= most]


def test_the_agent_refuses_what_the_gate_of_the_desk_refuses() -> None:
    """Two lists, since the agent is one file: the same networks, and the same answer at every edge."""
    assert set(agent._SPECIAL) == {*egress._SPECIAL_V4, *egress._SPECIAL_V6}
    assert agent._UNICAST_V6 == egress._UNICAST_V6
    draw = random.Random(7)
    asked = [one for network in (*agent._SPECIAL, agent._UNICAST_V6) for one in edges(network)]
    asked += [str(ipaddress.IPv4Address(draw.getrandbits(32))) for _ in range(2000)]
    asked += [str(ipaddress.IPv6Address(draw.getrandbits(128))) for _ in range(1000)]
    asked += [f"::ffff:{one}" for one in asked if "." in one]
    asked += ["::", "::1", "fe80::1%eth0", "64:ff9b::1", "fc00::1", "no address", "1.2.3", "010.0.0.1"]
    own = (ipaddress.ip_network("10.0.0.0/8"), ipaddress.ip_network("fd00::/8"))
    for allow in ((), own):
        for address in asked:
            try:
                gate = egress.is_allowed(address, allow)
            except ConnectorError:
                gate = False
            assert agent.is_allowed(address, allow) is gate, (address, allow)
