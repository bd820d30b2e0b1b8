"""The lab DNS server by outside eyes: dnspython, dig, nsupdate, HTTP control, records file, signals."""

import json
import shutil
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import dns.flags
import dns.message
import dns.opcode
import dns.query
import dns.rcode
import dns.rdatatype
import pytest

from certdesk.lab.dns_server import LabDns
from tests.support.needs import need

OWNER = "_dnsauth.example.com"


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[LabDns]:
    with LabDns(records=tmp_path / "records", control_port=0) as server:
        yield server


def ask(lab: LabDns, name: str, rdtype: str = "TXT", *, tcp: bool = False) -> dns.message.Message:
    query = dns.message.make_query(name, rdtype)
    exchange = dns.query.tcp if tcp else dns.query.udp
    return exchange(query, lab.address, port=lab.port, timeout=3)


def texts(message: dns.message.Message) -> list[str]:
    return sorted(record.to_text() for rrset in message.answer for record in rrset)


@pytest.mark.parametrize("tcp", [False, True])
def test_records_are_answered_with_authority(lab: LabDns, tcp: bool) -> None:
    lab.set(OWNER, "TXT", ["one", "two"], ttl=77)
    answer = ask(lab, OWNER.upper(), tcp=tcp)
    assert texts(answer) == ['"one"', '"two"']
    assert answer.flags & dns.flags.AA
    assert answer.answer[0].ttl == 77
    assert lab.remove(OWNER, "TXT")
    assert not lab.remove(OWNER, "TXT")
    assert ask(lab, OWNER, tcp=tcp).rcode() == dns.rcode.NXDOMAIN


def test_nxdomain_and_nodata(lab: LabDns) -> None:
    lab.set("a.b.example.com", "TXT", ["x"])
    for name, rcode in [
        ("nobody.example.com", dns.rcode.NXDOMAIN),
        ("c.b.example.com", dns.rcode.NXDOMAIN),
        ("b.example.com", dns.rcode.NOERROR),
        ("example.com", dns.rcode.NOERROR),
        ("com", dns.rcode.NOERROR),
        ("a.b.example.com", dns.rcode.NOERROR),
    ]:
        answer = ask(lab, name, "AAAA")
        assert (name, answer.rcode(), answer.answer) == (name, rcode, [])
        assert answer.authority[0].rdtype == dns.rdatatype.SOA


def test_zones_are_made_up_at_the_registrable_domain(lab: LabDns) -> None:
    lab.set("_dnsauth.shop.example.co.uk", "TXT", ["x"])
    assert ask(lab, "x.shop.example.co.uk").authority[0].name.to_text() == "example.co.uk."
    assert texts(ask(lab, "example.co.uk", "NS")) == ["ns1.example.co.uk."]
    assert texts(ask(lab, "ns1.example.co.uk", "A")) == ["127.0.0.1"]
    assert ask(lab, "ns1.example.co.uk", "AAAA").rcode() == dns.rcode.NOERROR
    assert "ns1.example.co.uk." in texts(ask(lab, "example.co.uk", "SOA"))[0]


def test_cnames_wildcards_and_any(lab: LabDns) -> None:
    lab.set("a.example.com", "CNAME", ["b.other.net."])
    lab.set("b.other.net", "TXT", ["x"])
    lab.set("*.w.example.com", "TXT", ["w"])
    lab.set("here.w.example.com", "A", ["192.0.2.1"])
    assert texts(ask(lab, "a.example.com")) == ['"x"', "b.other.net."]
    assert texts(ask(lab, "a.example.com", "CNAME")) == ["b.other.net."]
    assert texts(ask(lab, "any.w.example.com")) == ['"w"']
    assert texts(ask(lab, "here.w.example.com")) == []
    lab.set("b.other.net", "A", ["192.0.2.1"])
    assert texts(ask(lab, "b.other.net", "ANY")) == ['"x"', "192.0.2.1"]


def test_declared_zones_refuse_others_and_delegate() -> None:
    with LabDns(zones=["com"], chase=False) as lab:
        lab.set("example.com", "NS", ["ns.example.com."])
        lab.set("ns.example.com", "A", ["127.0.0.9"])
        lab.set("a.com", "CNAME", ["x.net."])
        assert ask(lab, "example.net").rcode() == dns.rcode.REFUSED
        answer = ask(lab, "www.example.com")
        assert not answer.flags & dns.flags.AA
        assert answer.authority[0].name.to_text() == "example.com."
        assert answer.additional[0][0].to_text() == "127.0.0.9"
        assert texts(ask(lab, "a.com")) == ["x.net."]


def test_only_loopback_and_only_the_port_that_was_asked() -> None:
    with pytest.raises(ValueError, match="loopback"):
        LabDns("0.0.0.0")
    with LabDns() as lab, pytest.raises(OSError, match="in use"), LabDns(port=lab.port):
        pass


def test_nonsense_is_passed_over(lab: LabDns) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.sendto(b"\x00", (lab.address, lab.port))
    assert ask(lab, OWNER).rcode() == dns.rcode.NXDOMAIN
    query = dns.message.make_query("example.com", "TXT")
    query.set_opcode(dns.opcode.STATUS)
    assert dns.query.udp(query, lab.address, port=lab.port, timeout=3).rcode() == dns.rcode.NOTIMP


def test_the_records_file_is_read_again_on_change(
    lab: LabDns, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "records"
    lab.set("kept.example.com", "TXT", ["kept"])
    assert texts(ask(lab, OWNER)) == []
    file.write_text(f'{OWNER}. 60 IN TXT "one"\n{OWNER} TXT two\nexample.com CAA 0 issue ";"\n')
    assert texts(ask(lab, OWNER)) == ['"one"', '"two"']
    assert texts(ask(lab, "example.com", "CAA")) == ['0 issue ";"']
    file.write_text("what is this\n")
    assert texts(ask(lab, OWNER)) == ['"one"', '"two"']
    assert "stay as they were" in capfd.readouterr().err
    file.unlink()
    assert texts(ask(lab, OWNER)) == []
    assert texts(ask(lab, "kept.example.com")) == ['"kept"']


def control(lab: LabDns, method: str, path: str, body: object = None) -> object:
    request = urllib.request.Request(
        f"http://127.0.0.1:{lab.control_port}{path}",
        json.dumps(body).encode() if body else None,
        method=method,
    )
    with urllib.request.urlopen(request, timeout=3) as answer:  # noqa: S310 - http, written above
        return json.loads(answer.read())


def test_http_control(lab: LabDns) -> None:
    control(lab, "PUT", "/records", {"owner": OWNER, "type": "TXT", "values": ["v"], "ttl": 5})
    assert texts(ask(lab, OWNER)) == ['"v"']
    assert control(lab, "GET", "/records") == [
        {"owner": OWNER + ".", "type": "TXT", "ttl": 5, "values": ['"v"']}
    ]
    assert control(lab, "GET", "/questions") == [[OWNER, "TXT", "udp"]]
    control(lab, "PUT", "/faults", {"owner": OWNER, "fault": "REFUSED"})
    assert ask(lab, OWNER).rcode() == dns.rcode.REFUSED
    control(lab, "DELETE", "/faults", {"owner": OWNER})
    control(lab, "DELETE", "/records", {"owner": OWNER, "type": "TXT"})
    assert ask(lab, OWNER).rcode() == dns.rcode.NXDOMAIN
    for method, path, body, status in [
        ("GET", "/x", None, 404),
        ("PUT", "/x", None, 404),
        ("PUT", "/records", {"owner": OWNER}, 400),
        ("PUT", "/faults", {"owner": OWNER, "fault": "NONE"}, 400),
    ]:
        with pytest.raises(urllib.error.HTTPError) as caught:
            control(lab, method, path, body)
        assert caught.value.code == status
        caught.value.close()


def test_faults_end(lab: LabDns) -> None:
    lab.misbehave("*", "SLOW", seconds=0.05)
    lab.misbehave(OWNER, "SERVFAIL")
    assert ask(lab, OWNER).rcode() == dns.rcode.SERVFAIL
    assert ask(lab, "other.example.com").rcode() == dns.rcode.NXDOMAIN
    lab.behave(OWNER)
    assert ask(lab, OWNER).rcode() == dns.rcode.NXDOMAIN
    lab.misbehave(OWNER, "SERVFAIL")
    lab.behave()
    assert ask(lab, OWNER).rcode() == dns.rcode.NXDOMAIN


def tool(name: str) -> str:
    found = shutil.which(name)
    need(found is not None, f"{name} (dnsutils) is not installed")
    return str(found)


@pytest.mark.server
def test_dig_reads_it(lab: LabDns) -> None:
    lab.set(OWNER, "TXT", ["x" * 255, "y" * 2000])
    ordered = [tool("dig"), "@127.0.0.1", "-p", str(lab.port), "+tries=1", "+time=3", OWNER, "TXT"]
    whole = subprocess.run([*ordered], capture_output=True, text=True, timeout=20, check=True).stdout
    assert "status: NOERROR" in whole
    assert "flags: qr aa" in whole
    assert "(TCP)" in whole
    short = subprocess.run(
        [*ordered, "+short"], capture_output=True, text=True, timeout=20, check=True
    ).stdout
    assert '"' + "x" * 200 + '" "' + "x" * 55 + '"' in short


@pytest.mark.server
def test_nsupdate_adds_and_removes(lab: LabDns) -> None:
    def update(*lines: str) -> subprocess.CompletedProcess[str]:
        script = "\n".join([f"server 127.0.0.1 {lab.port}", *lines, "send", ""])
        return subprocess.run(
            [tool("nsupdate"), "-t", "5"],
            input=script,
            capture_output=True,
            text=True,
            timeout=20,
            check=False,
        )

    added = update(f"update add {OWNER} 60 TXT one", f'update add {OWNER} 60 TXT "two"')
    assert (added.returncode, added.stderr) == (0, "")
    assert texts(ask(lab, OWNER)) == ['"one"', '"two"']
    assert update(f"update delete {OWNER} TXT one").returncode == 0
    assert texts(ask(lab, OWNER)) == ['"two"']
    refused = update(f"prereq nxdomain {OWNER}", f"update add {OWNER} 60 TXT three")
    assert "YXDOMAIN" in refused.stderr
    refused = update(f"prereq yxrrset {OWNER} A", f"update add {OWNER} 60 TXT three")
    assert "NXRRSET" in refused.stderr
    assert (
        update("zone example.com", f"prereq yxrrset {OWNER} TXT two", f"update delete {OWNER}").returncode
        == 0
    )
    assert ask(lab, OWNER).rcode() == dns.rcode.NXDOMAIN
    assert "NOTZONE" in update("zone example.com", "update add x.example.net 60 TXT three").stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_run_dns_serves_until_it_is_told_to_stop(tmp_path: Path, number: int) -> None:
    (tmp_path / "records").write_text(f'{OWNER} 60 TXT "from file"\n')
    code = (
        "import sys; from pathlib import Path; from certdesk.lab.dns_server import run_dns;"
        "run_dns(0, 0, Path(sys.argv[1]))"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path / "records")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    first = process.stdout.readline()
    port = int(first.partition("127.0.0.1:")[2].split(" ")[0])
    query = dns.message.make_query(OWNER, "TXT")
    assert texts(dns.query.udp(query, "127.0.0.1", port=port, timeout=3)) == ['"from file"']
    process.send_signal(number)
    lines = process.stdout.read()
    _, err = process.communicate(timeout=10)
    assert (process.returncode, err) == (0, "")
    assert "Control: http://127.0.0.1:" in lines
