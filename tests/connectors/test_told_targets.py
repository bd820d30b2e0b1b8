"""Targets that are spoken to: Caddy itself by its admin API, a webhook and a command with small receivers."""

import asyncio
import hashlib
import hmac
import ipaddress
import json
import sys
import threading
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from certdesk.connectors import probe, serving
from certdesk.connectors.probe import Expected, Verdict
from certdesk.connectors.serving import Serving
from certdesk.connectors.targets import registry
from certdesk.connectors.targets.options import Outside
from certdesk.connectors.targets.protocol import Reason, Target, TargetError
from certdesk.connectors.targets.told import RESOURCE
from certdesk.connectors.targets.webhook import target as webhook
from tests.support import tls
from tests.support.needs import need
from tests.support.placed import NAME, RealCaddy, Rereading, free_port, together

LOOPBACK = (ipaddress.ip_network("127.0.0.0/8"),)
SIGNING = "shared-with-the-receiver"


def run(work: Awaitable[Any]) -> Any:
    async def inside() -> Any:
        return await work

    return asyncio.run(inside())


def refused(work: Awaitable[object]) -> TargetError:
    with pytest.raises(TargetError) as error:
        run(work)
    return error.value


def serves(port: int, made: tls.Made) -> bool:
    expected = Expected(made.sha256, chain=made.chain)
    (seen,) = run(probe.look("127.0.0.1", port, NAME, expected, allow_networks=LOOPBACK))
    return bool(seen.verdict is Verdict.NEW)


@pytest.fixture(scope="module")
def caddy() -> Iterator[RealCaddy]:
    need(Path("/usr/bin/caddy").exists(), "caddy is not installed")
    with RealCaddy() as server:
        yield server


def of_caddy(server: RealCaddy, **options: Any) -> Target:
    outside = Outside(seconds=20, allow_networks=LOOPBACK)
    return registry.connect("caddy", {**server.options, **options}, outside)


# rule: DEP-6
@pytest.mark.server
def test_caddy_takes_keeps_and_gives_back(caddy: RealCaddy) -> None:
    target, made = of_caddy(caddy), tls.make(NAME, "two.example.test")
    other, mine = run(target.resources())
    assert (other.id, mine.id, mine.names) == ("load_pem/0", "tag:site", (NAME,))
    assert serves(caddy.port, caddy.first)
    before = run(target.snapshot("tag:site"))
    assert (before.fingerprint_sha256, "KEY" in repr(before)) == (caddy.first.sha256, False)
    for _ in range(2):
        run(target.install("tag:site", made.bundle))
        run(target.keep("tag:site", made.bundle))
    assert serves(caddy.port, made)
    caddy.stop()
    caddy.start()
    assert serves(caddy.port, made)
    assert run(target.resources())[1].fingerprint_sha1 == made.bundle.fingerprint_sha1
    for _ in range(2):
        run(target.restore("tag:site", before))
    assert serves(caddy.port, caddy.first)
    assert run(target.resources()) == (other, mine)


@pytest.mark.server
def test_caddy_keeps_the_old_one_when_the_new_one_is_no_good(caddy: RealCaddy) -> None:
    target, made = of_caddy(caddy), tls.make(NAME)
    before = run(target.snapshot("tag:site"))
    wrong = json.loads(before.content) | {"key": tls.make(NAME).bundle.key}
    error = refused(target.restore("tag:site", type(before)(json.dumps(wrong).encode())))
    assert (error.reason, "private key" in error.message) in [(Reason.REFUSED, True), (Reason.BUSY, True)]
    assert "BEGIN" not in error.message
    assert serves(caddy.port, caddy.first)
    assert refused(target.install("tag:none", made.bundle)).reason is Reason.NOT_THERE
    assert refused(target.push("scs16", made.bundle)).reason is Reason.OPTIONS


@pytest.mark.server
def test_caddy_loses_nobodys_change(caddy: RealCaddy) -> None:
    target = of_caddy(caddy)
    entries, etag = run(target._entries())  # type: ignore[attr-defined]
    assert (len(entries), bool(etag)) == (2, True)

    async def stale() -> tuple[list[dict[str, Any]], str]:
        return entries, etag[:-2] + ('0"' if etag[-2] != "0" else '1"')

    target._entries = stale  # type: ignore[attr-defined]
    error = refused(target.install("tag:site", tls.make(NAME).bundle))
    assert (error.reason, error.permanent) == (Reason.BUSY, False)
    assert serves(caddy.port, caddy.first)


@pytest.mark.server
def test_the_test_of_caddy(caddy: RealCaddy) -> None:
    found = run(of_caddy(caddy).test())
    assert (found.ok, len(found.resources), "--resume" in found.notes[0]) == (True, 2, True)
    assert "tcp_migrate_req" in found.notes[1]
    assert (
        "CERTDESK_ALLOW_NETWORKS" in run(registry.connect("caddy", caddy.options, Outside()).test()).next_step
    )
    assert not run(of_caddy(caddy, url=f"http://127.0.0.1:{free_port()}").test()).ok


@pytest.mark.parametrize(
    ("status", "body", "told"),
    [
        (400, b'{"error":"invalid traversal path"}', "no certificate that was loaded as PEM"),
        (200, b"null", "no certificate that was loaded as PEM"),
        (200, b'[{"certificate": "no PEM"}]', "no certificate that was loaded as PEM"),
        (200, b'{"a": 1}', "did not answer as its kind of target does"),
        (200, b"[1]", "did not answer as its kind of target does"),
        (500, b"", "answered 500"),
    ],
)
def test_a_caddy_that_answers_otherwise(status: int, body: bytes, told: str) -> None:
    with answering(status, body) as url:
        options = {"url": url, "listeners": ["127.0.0.1:1"]}
        target = registry.connect("caddy", options, Outside(seconds=20, allow_networks=LOOPBACK))
        assert told in run(target.test()).problem


def test_a_caddy_that_does_not_show_keys_or_repeats_them() -> None:
    bundle = tls.make(NAME).bundle
    entry = {"certificate": bundle.leaf, "tags": ["site"]}
    outside = Outside(seconds=20, allow_networks=LOOPBACK)
    for broken in ("", '{"error": "bad: BEGIN PRIVATE KEY"}', "no JSON"):
        with answering(200, json.dumps([entry]).encode(), 400, broken.encode()) as url:
            target = registry.connect("caddy", {"url": url, "listeners": ["127.0.0.1:1"]}, outside)
            assert refused(target.snapshot("tag:site")).reason is Reason.NO_WAY_BACK
            error = refused(target.install("tag:site", bundle))
        assert (error.reason, "PRIVATE" in error.message) == (Reason.REFUSED, False)
    assert registry.read_options("caddy", {"listeners": ["a:1"]}).endpoint() == ("127.0.0.1", 2019)


@contextmanager
def answering(status: int, body: bytes, change: int = 200, words: bytes = b"") -> Iterator[str]:
    """A server with one answer to GET, and one to PATCH; its address."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.answer(status, body)

        def do_PATCH(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.answer(change, words)

        def answer(self, code: int, text: bytes) -> None:
            self.send_response(code)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_: object) -> None: ...

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class Receiver:
    """Takes deliveries by HTTP; `statuses` are its next answers, then 204."""

    def __init__(self, take: Callable[[dict[str, Any]], None]) -> None:
        self.got: list[tuple[dict[str, str], bytes]] = []
        self.statuses: list[int] = []
        self.body = b""
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                outer.got.append(({key.lower(): value for key, value in self.headers.items()}, body))
                status = outer.statuses.pop(0) if outer.statuses else 204
                if status < 300:
                    take(json.loads(body))
                self.send_response(status)
                self.send_header("Content-Length", str(len(outer.body)))
                self.end_headers()
                self.wfile.write(outer.body)

            def log_message(self, *_: object) -> None: ...

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook/t0ken-in-the-path"
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05})
        self.thread.start()

    def close(self) -> None:
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Rereading]:
    """What the receivers keep up: a small server that reads its file anew."""
    server = Rereading("pem", bytes, {})
    server.file.write_bytes(together(server.first.bundle))
    with server:
        yield server


@pytest.fixture
def receiver(site: Rereading) -> Iterator[Receiver]:
    def take(message: dict[str, Any]) -> None:
        if message["event"] == "install":
            key = message.get("key") or KEYS[message["fingerprint_sha1"]]
            site.file.write_text(f"{key}{message['certificate']}{message['chain']}", encoding="ascii")

    made = Receiver(take)
    yield made
    made.close()


KEYS: dict[str, str] = {}
"""Keys that the receiver holds already, by the fingerprint of their certificates."""


def hook(receiver: Receiver, site: Rereading, **options: Any) -> Target:
    given = {"url": receiver.url, "signing_key": SIGNING, "listeners": site.options["listeners"], **options}
    return registry.connect("webhook", given, Outside(seconds=20, allow_networks=LOOPBACK))


def test_a_webhook_is_signed_and_what_it_serves_is_seen(receiver: Receiver, site: Rereading) -> None:
    target, made = hook(receiver, site), tls.make(NAME)
    KEYS[made.bundle.fingerprint_sha1] = made.bundle.key
    KEYS[site.first.bundle.fingerprint_sha1] = site.first.bundle.key
    (found,) = run(target.resources())
    assert (found.id, found.names) == (RESOURCE, (NAME,))
    assert found.fingerprint_sha1 == site.first.bundle.fingerprint_sha1
    before = run(target.snapshot_of(RESOURCE, site.first.bundle))  # type: ignore[attr-defined]
    run(target.install(RESOURCE, made.bundle))
    run(target.keep(RESOURCE, made.bundle))
    assert serves(site.port, made)
    headers, body = receiver.got[0]
    wanted = hmac.new(
        SIGNING.encode(), headers["x-certdesk-timestamp"].encode() + b"." + body, hashlib.sha256
    )
    assert headers["x-certdesk-signature"] == f"v1={wanted.hexdigest()}"
    message = json.loads(body)
    assert message["delivery"] == headers["x-certdesk-delivery"]
    assert (message["event"], message["names"], "key" in message) == ("install", [NAME], False)
    run(target.restore(RESOURCE, before))
    assert serves(site.port, site.first)


def test_a_delivery_is_repeated_with_its_id(
    receiver: Receiver, site: Rereading, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhook, "PAUSES", (0.0, 0.0))
    target, made = hook(receiver, site), tls.make(NAME)
    KEYS[made.bundle.fingerprint_sha1] = made.bundle.key
    receiver.statuses = [503, 429]
    run(target.install(RESOURCE, made.bundle))
    assert len({headers["x-certdesk-delivery"] for headers, _ in receiver.got}) == 1
    assert len(receiver.got) == 3
    receiver.statuses = [500, 502, 503]
    error = refused(target.install(RESOURCE, made.bundle))
    assert (error.reason, error.permanent, len(receiver.got)) == (Reason.BUSY, False, 6)
    receiver.statuses = [403]
    assert refused(target.install(RESOURCE, made.bundle)).reason is Reason.REFUSED
    assert len(receiver.got) == 7  # what stays is not repeated


def test_the_address_of_a_webhook_is_not_told(receiver: Receiver, site: Rereading) -> None:
    target = hook(receiver, site)
    receiver.close()
    error = refused(target.install(RESOURCE, site.first.bundle))
    assert (error.reason, "t0ken" in error.message, "127.0.0.1" in error.message) == (
        Reason.UNREACHABLE,
        False,
        True,
    )


def test_what_cannot_be_put_back_is_replaced_only_where_that_is_allowed(
    receiver: Receiver, site: Rereading
) -> None:
    target, other = hook(receiver, site), tls.make(NAME)
    assert refused(target.snapshot(RESOURCE)).reason is Reason.NO_WAY_BACK
    assert refused(target.snapshot_of(RESOURCE, other.bundle)).reason is Reason.NO_WAY_BACK  # type: ignore[attr-defined]
    allowed = hook(receiver, site, without_way_back=True)
    begun = run(allowed.snapshot(RESOURCE))
    assert (begun.fingerprint_sha256, begun.names) == (site.first.sha256, (NAME,))
    assert refused(allowed.restore(RESOURCE, begun)).reason is Reason.NO_WAY_BACK
    assert refused(target.install("other", other.bundle)).reason is Reason.NOT_THERE
    assert refused(target.push("scs16", other.bundle)).reason is Reason.OPTIONS
    assert receiver.got == []


def test_a_served_certificate_that_cannot_be_read_is_told(
    receiver: Receiver, site: Rereading, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def ask(*_: object, **__: object) -> tuple[Serving, ...]:
        return (Serving("127.0.0.1:1", (b"\x30\x00",)),)

    monkeypatch.setattr(serving, "ask", ask)
    error = refused(hook(receiver, site).resources())
    assert (error.reason, "127.0.0.1:1 serves cannot be read" in error.message) == (Reason.BAD_ANSWER, True)


def test_a_listener_that_is_closed_is_another_matter_than_one_without_an_address() -> None:
    async def none(_: str) -> Sequence[str]:
        return ()

    options = {"url": "https://x/", "listeners": ["www.example.test:443"]}
    lost = refused(registry.connect("webhook", options, Outside(resolver=none)).resources())
    assert (lost.reason, lost.permanent, lost.field) == (Reason.UNREACHABLE, False, "listeners")
    options["listeners"] = ["127.0.0.1:443"]
    assert refused(registry.connect("webhook", options, Outside()).resources()).reason is Reason.NOT_ALLOWED


def test_the_test_of_a_webhook(receiver: Receiver, site: Rereading) -> None:
    assert run(hook(receiver, site).test()).ok
    assert json.loads(receiver.got[0][1])["event"] == "test"
    receiver.statuses = [404]
    assert run(hook(receiver, site).test()).problem.startswith("The delivery (test) failed: 127.0.0.1")
    closed = f"127.0.0.1:{free_port()}"
    assert "No connection" in run(hook(receiver, site, listeners=[closed]).test()).problem
    public = run(hook(receiver, site, listeners=["10.0.0.5:443"]).test())
    assert "CERTDESK_ALLOW_NETWORKS" in public.next_step


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"url": "ftp://x"}, "https"),
        ({"url": "https://user:pw@x/"}, "https"),
        ({"url": "http://x/", "send_key": True, "signing_key": SIGNING}, "https alone"),
        ({"url": "https://x/", "send_key": True}, "only signed"),
        ({"names": ["no name!"]}, "names"),
    ],
)
def test_options_of_a_webhook_that_do_not_fit(options: dict[str, object], told: str) -> None:
    with pytest.raises(TargetError, match=told):
        registry.connect("webhook", {"url": "https://x/", "listeners": ["a:1"], **options}, Outside())


def test_options_of_a_webhook_that_fit() -> None:
    given = {"url": "https://h.test:8443/x", "signing_key": SIGNING, "send_key": True, "listeners": ["a:1"]}
    options = registry.read_options("webhook", given)
    assert options.endpoint() == ("h.test", 8443)
    assert (options.shown()["url"], options.shown()["signing_key"]) == ("***", "***")


SCRIPT = (
    f"#!{sys.executable} -E"
    + """
import json, os, pathlib, sys
event, names = os.environ["CERTDESK_EVENT"], os.environ["CERTDESK_NAMES"]
pathlib.Path(sys.argv[1], "events").open("a").write(event + " " + names + "\\n")
if event == "install" and len(sys.argv) > 2:
    folder = pathlib.Path(sys.argv[2].removeprefix("--from="))
    assert folder.stat().st_mode & 0o77 == 0 and str(folder) == os.environ["CERTDESK_FOLDER"]
    assert all(one.stat().st_mode & 0o77 == 0 for one in folder.iterdir())
    text = (folder / "key.pem").read_text() + (folder / "fullchain.pem").read_text()
    assert json.loads((folder / "message.json").read_text())["fingerprint_sha1"]
elif event == "install":
    found = json.load(sys.stdin)
    text = found["key"] + found["certificate"] + found["chain"]
if event == "install":
    if pathlib.Path(sys.argv[1], "fail").exists():
        sys.exit("no: " + text)
    pathlib.Path(sys.argv[1], "server").write_text(text)
"""
)


def program(folder: Path, site: Rereading, handover: str) -> Target:
    script = folder / "bin" / "install"
    script.parent.mkdir(exist_ok=True)
    script.write_text(SCRIPT, encoding="ascii")
    script.chmod(0o700)
    more = ["--from={folder}"] if handover == "files" else []
    options = {
        "command": [str(script), str(site.file.parent), *more],
        "handover": handover,
        "listeners": site.options["listeners"],
        "names": ["*.example.test", NAME],
    }
    outside = Outside(programs=(script.parent,), seconds=30, allow_networks=LOOPBACK)
    return registry.connect("command", options, outside)


@pytest.mark.parametrize("handover", ["files", "stdin"])
def test_a_command_gets_the_certificate_and_leaves_nothing_behind(
    site: Rereading, tmp_path: Path, handover: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    private = tmp_path / "private"
    private.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(private))
    target, made = program(tmp_path, site, handover), tls.make(NAME)
    assert run(target.test()).ok
    before = run(target.snapshot_of(RESOURCE, site.first.bundle))  # type: ignore[attr-defined]
    run(target.install(RESOURCE, made.bundle))
    assert serves(site.port, made)
    run(target.restore(RESOURCE, before))
    assert serves(site.port, site.first)
    events = (site.file.parent / "events").read_text(encoding="ascii").splitlines()
    assert events == [f"test *.example.test {NAME}", f"install {NAME}", f"install {NAME}"]
    assert list(private.glob("certdesk-command*")) == []


def test_a_command_that_fails_tells_no_key(site: Rereading, tmp_path: Path) -> None:
    target, made = program(tmp_path, site, "stdin"), tls.make(NAME)
    (site.file.parent / "fail").touch()
    error = refused(target.install(RESOURCE, made.bundle))
    assert error.reason is Reason.REFUSED
    assert "its output repeats a secret and is not shown" in error.message
    assert made.bundle.key.split()[4] not in error.message
    assert serves(site.port, site.first)


def test_the_test_of_a_command_names_what_may_not_run(site: Rereading, tmp_path: Path) -> None:
    options = {"command": ["/usr/bin/true"], "listeners": site.options["listeners"]}
    target = registry.connect("command", options, Outside(allow_networks=LOOPBACK))
    told = run(target.test())
    assert (told.ok, "CERTDESK_TARGET_PROGRAMS" in told.next_step) == (False, True)
