"""A whole desk with running remote perspectives: web, worker and `certdesk perspective` as processes."""

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest

from certdesk.interfaces.cli.client import Client
from certdesk.interfaces.cli.installation import Installation
from certdesk.lab.dns_server import LabDns
from tests.support import prepared

pytestmark = [pytest.mark.server, pytest.mark.slow]

PLACES = ("east", "north", "west")
PERSON = {"applicant_name": "Ada Lovelace", "applicant_phone": "+44 20 7946 0000"}
WITHIN = 60.0


class Files(BaseHTTPRequestHandler):
    """One web server of many names: the proof file's content by host."""

    def do_GET(self) -> None:
        content = self.server.contents.get(self.headers["Host"].partition(":")[0])  # type: ignore[attr-defined]
        self.send_response(200 if content else 404)
        self.end_headers()
        self.wfile.write((content or "").encode())

    def log_message(self, *_: object) -> None:
        """Silent."""


@contextmanager
def files(address: str, port: int = 0) -> Iterator[ThreadingHTTPServer]:
    with ThreadingHTTPServer((address, port), Files) as server:
        server.contents = {}  # type: ignore[attr-defined]
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def agent(key: Path, dns: LabDns, port: int) -> Iterator["tuple[str, subprocess.Popen[str]]"]:
    """`certdesk perspective` behind a resolver of its own; its URL and its process."""
    command = [sys.executable, "-m", "certdesk", "perspective", "--key-file", str(key), "--listen"]
    command += ["127.0.0.1:0", "--resolver", dns.server, "--ports", str(port), "--allow", "127.0.0.0/8"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            said = process.stdout.readline().split()
            assert said[:3] == ["perspective:", "listening", "on"], said
            yield f"http://{said[3]}", process
        finally:
            process.send_signal(signal.SIGCONT)
            process.terminate()


@dataclass
class World:
    """The desk, what it sees by its own resolver, and what each remote place sees by its."""

    home: Installation
    client: Client
    own: LabDns
    seen_by: Mapping[str, LabDns]
    processes: "Mapping[str, subprocess.Popen[str]]"
    good: ThreadingHTTPServer
    bad: ThreadingHTTPServer

    def apply(self, name: str, method: str = "DNS") -> tuple[str, dict[str, Any]]:
        """A paid DV certificate that waits for its proof, and what is asked."""
        buy = {"cert_brand": "GEOTRUST", "cert_type": "DV_SSL_CERT", "domain_type": "SINGLE_DOMAIN"}
        more = {"domain_numbers": 1, "order_number": 1, "agree_privacy_protection": True, "is_auto_pay": True}
        bought = self.client.post("/v3/scm/certificates/buy", {**buy, **more, "effective_time": 1})
        certificate_id = str(bought["cert"][0]["cert_id"])
        form = {**PERSON, "applicant_email": "ada@example.com", "domain": name, "domain_method": method}
        form |= {"agree_privacy_protection": True, "key_algorithm": "EC_P256"}
        self.client.post(f"/v3/scm/certificates/{certificate_id}/apply", form)
        return certificate_id, self.info(certificate_id)

    def info(self, certificate_id: str) -> dict[str, Any]:
        path = f"/v3/scm/certificates/{certificate_id}/domain-verification"
        found: dict[str, Any] = self.client.get(path)["domains"][0]
        return found

    def answers(self, certificate_id: str) -> dict[str, str]:
        """What each place answered last."""
        found: dict[str, str] = {}
        for check in self.info(certificate_id)["checks"]:
            found.setdefault(check["perspective"], check["answer"])
        return found

    def publish(self, asked: dict[str, Any], *but: str) -> None:
        """The record for everybody but those, who see the value of before."""
        for place, dns in (("local", self.own), *self.seen_by.items()):
            value = "an old value" if place in but else asked["record_value"]
            dns.set(asked["record_name"], asked["record_type"], [value])

    def serve(self, asked: dict[str, Any], *but: str) -> None:
        """The file for everybody but those, who are led to another web server."""
        self.good.contents[asked["domain"]] = asked["file_content"]  # type: ignore[attr-defined]
        self.bad.contents[asked["domain"]] = "an old value"  # type: ignore[attr-defined]
        for place, dns in (("local", self.own), *self.seen_by.items()):
            dns.set(asked["domain"], "A", ["127.0.0.2" if place in but else "127.0.0.1"])

    def status(self, certificate_id: str) -> str:
        return str(self.client.get(f"/v3/scm/certificates/{certificate_id}")["status"])


def wait_for(what: Callable[[], bool], told: Callable[[], object]) -> None:
    """Until another process has done it."""
    until = time.monotonic() + WITHIN
    pause = threading.Event()
    while not what():
        assert time.monotonic() < until, told()
        pause.wait(0.1)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    key = tmp_path / "key"
    key.write_text("0123456789abcdef" * 4, encoding="ascii")
    key.chmod(0o600)
    with ExitStack() as stack:
        own = stack.enter_context(LabDns())
        seen_by = {place: stack.enter_context(LabDns()) for place in PLACES}
        good = stack.enter_context(files("127.0.0.1"))
        port = int(good.server_address[1])
        bad = stack.enter_context(files("127.0.0.2", port))
        agents = {place: stack.enter_context(agent(key, dns, port)) for place, dns in seen_by.items()}
        settings = {
            "dns_resolvers": own.server,
            "perspectives": ",".join(f"{place}={url}" for place, (url, _) in agents.items()),
            "perspective_key_file": str(key),
            "validation_http_ports": str(port),
            "allow_networks": "127.0.0.0/8",
        }
        home = stack.enter_context(Installation(tmp_path / "home", workers="1", **settings))
        access = prepared.set_up(home)
        home.start("web")
        home.wait_ready()
        client = Client(home.url, access["access_key"], access["secret_key"])
        processes = {place: process for place, (_, process) in agents.items()}
        stack.callback(client.close)
        yield World(home, client, own, seen_by, processes, good, bad)


# rule: DOM-4
# rule: DOM-8
# rule: DOM-11
def test_the_worker_counts_what_enough_places_saw(world: World) -> None:
    """Everything is there before the worker starts, so that its first look decides."""
    wanted: dict[str, tuple[str, tuple[str, ...], bool]] = {
        "all.example.com": ("DNS", (), True),
        "most.example.com": ("DNS", ("west",), True),
        "split.example.com": ("DNS", ("north", "west"), False),
        "file.example.com": ("FILE", ("east",), True),
        "elsewhere.example.com": ("FILE", ("east", "north"), False),
    }
    ids: dict[str, str] = {}
    for name, (method, but, _) in wanted.items():
        ids[name], asked = world.apply(name, method)
        (world.publish if method == "DNS" else world.serve)(asked, *but)
    world.home.start("worker")
    for name, (_, but, proved) in wanted.items():
        certificate_id = ids[name]
        if proved:
            wait_for(lambda one=certificate_id: world.status(one) == "ISSUED", world.home.log_end)  # type: ignore[misc]
        else:
            wait_for(lambda one=certificate_id: bool(world.answers(one)), world.home.log_end)  # type: ignore[misc]
            assert world.status(certificate_id) == "CHECKING"
        answers = world.answers(certificate_id)
        assert answers["quorum"] == ("MATCH" if proved else "NO_QUORUM")
        expected = {place: "WRONG_VALUE" if place in but else "MATCH" for place in ("local", *PLACES)}
        assert {place: answers[place] for place in expected} == expected
    shown = world.client.get("/v3/scm/domains/most.example.com")["proofs"][0]
    assert shown["perspective"] == "local,east,north"
    _in_the_console(world, ids)
    _down_and_slow(world)


def _in_the_console(world: World, ids: dict[str, str]) -> None:
    """The domains page names every place that saw it, the verify page what each place saw."""
    password = (world.home.folder / "password").read_text(encoding="ascii").strip()
    with httpx.Client(base_url=world.home.url, trust_env=False, follow_redirects=True) as browser:
        token = browser.get("/login").text.split('name="csrfmiddlewaretoken" value="')[1].split('"')[0]
        browser.post("/login", data={"login": "admin", "password": password, "csrfmiddlewaretoken": token})
        assert "local,east,north,west" in browser.get("/domains/all.example.com").text
        page = browser.get(f"/certificates/{ids['split.example.com']}/verify").text
        for place in PLACES:
            assert f"seen from {place}" in page
        assert "1 of 3 remote places saw the same; at most 1 may disagree." in page
        assert "an old value" in page


def _down_and_slow(world: World) -> None:
    """Places that are down or slow have not seen it."""
    certificate_id, asked = world.apply("down.example.com")
    world.publish(asked)
    world.processes["west"].send_signal(signal.SIGSTOP)  # takes the connection, never answers
    world.processes["east"].terminate()
    world.processes["east"].wait(10)
    report = world.client.post(f"/v3/scm/certificates/{certificate_id}/verify")
    assert report["status"] == "CHECKING"
    answers = world.answers(certificate_id)
    assert (answers["local"], answers["north"], answers["quorum"]) == ("MATCH", "MATCH", "NO_QUORUM")
    assert answers["east"] == "ERROR"
    assert answers["west"] in ("ERROR", "TIMEOUT")  # its own limit or that of *Verify*, a moment apart
    told = {one["perspective"]: one["seen"] for one in world.info(certificate_id)["checks"]}
    assert told["east"] != told["west"]
    world.processes["west"].send_signal(signal.SIGCONT)  # one that is down is allowed among three
    again = world.client.post(f"/v3/scm/certificates/{certificate_id}/verify")
    assert again["status"] in ("ISSUING", "ISSUED")
    proof = world.client.get("/v3/scm/domains/down.example.com")["proofs"][0]
    assert proof["perspective"] == "local,north,west"
