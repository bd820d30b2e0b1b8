"""One suite for every channel connector, against a real server on loopback (law 7)."""

import asyncio
import hashlib
import hmac
import ipaddress
import socket
from collections.abc import Iterator
from dataclasses import replace

import pytest

from certdesk.connectors import guarded
from certdesk.connectors.channels import registry
from certdesk.connectors.channels.protocol import ChannelError, Notice, Outside, Reason
from certdesk.connectors.protocol import ConnectorError
from tests.support.sink import Sink, sink

NOTICE = Notice(
    "delivery-1", "It ends", "It ends in 7 days.", "+442079460000", {"link": "https://desk.example/c/1"}
)
LOOPBACK = (ipaddress.ip_network("127.0.0.0/8"),)
SECRET = "very-secret-token"
KINDS = {
    "chat": ("json", "/room/very-secret-token"),
    "sms": ("json", "/very-secret-token/{phone}"),
    "webhook": ("http", "/very-secret-token"),
}


@pytest.fixture(scope="module")
def server() -> Iterator[Sink]:
    with sink() as made:
        yield made


@pytest.fixture(params=sorted(KINDS))
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def outside(server: Sink, **more: object) -> Outside:
    return replace(Outside(LOOPBACK, frozenset({server.port}), 15.0), **more)  # type: ignore[arg-type]


def options(kind: str, server: Sink, port: int = 0) -> dict[str, object]:
    scheme, path = KINDS[kind]
    return {"url": f"{scheme}://127.0.0.1:{port or server.port}{path}"}


def send(kind: str, given: dict[str, object], way: Outside, notice: Notice = NOTICE) -> str:
    async def once() -> str:
        channel = registry.connect(kind, given, way)
        await channel.check()
        return await channel.send(notice)

    return asyncio.run(once())


def refused(kind: str, given: dict[str, object], way: Outside, notice: Notice = NOTICE) -> ChannelError:
    with pytest.raises(ChannelError) as caught:
        send(kind, given, way, notice)
    assert SECRET not in str(caught.value) + caught.value.next_step
    assert caught.value.next_step
    return caught.value


def test_a_notice_arrives(kind: str, server: Sink) -> None:
    # rule: NTF-1
    server.status = 200
    assert send(kind, options(kind, server), outside(server)) == "HTTP 200"
    got = server.arrived[-1]
    assert "It ends" in got.body.decode()
    if kind == "sms":
        assert "442079460000" in got.path
        assert "https://desk.example/c/1" in got.body.decode()
    else:
        assert "It ends in 7 days." in got.body.decode()


@pytest.mark.parametrize(
    ("status", "reason", "permanent"),
    [(503, Reason.BUSY, False), (429, Reason.BUSY, False), (403, Reason.WRONG_KEY, True)],
)
def test_what_an_answer_means(kind: str, server: Sink, status: int, reason: Reason, permanent: bool) -> None:
    # rule: NTF-3
    server.status = status
    error = refused(kind, options(kind, server), outside(server))
    assert (error.reason, error.permanent) == (reason, permanent)
    assert f"HTTP {status}" in error.message


def test_nothing_leaves_that_the_operator_did_not_allow(kind: str, server: Sink) -> None:
    before = len(server.arrived)
    for way in (outside(server, allow_networks=()), outside(server, ports=frozenset({443}))):
        assert refused(kind, options(kind, server), way).reason is Reason.EGRESS
    assert len(server.arrived) == before


def test_nobody_there_is_tried_again(kind: str, server: Sink) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    error = refused(kind, options(kind, server, port), outside(server, ports=frozenset({port})))
    assert (error.reason, error.permanent) == (Reason.UNREACHABLE, False)


def test_a_webhook_is_signed_over_time_and_body(server: Sink) -> None:
    server.status = 204
    given = {**options("webhook", server), "key": "shared"}
    assert send("webhook", given, outside(server)) == "HTTP 204"
    got = server.arrived[-1]
    stamped = got.headers["x-certdesk-timestamp"].encode() + b"." + got.body
    expected = hmac.new(b"shared", stamped, hashlib.sha256).hexdigest()
    assert got.headers["x-certdesk-signature"] == f"v1={expected}"
    assert got.headers["x-certdesk-delivery"] == "delivery-1"
    assert got.json == {
        "link": "https://desk.example/c/1",
        "subject": "It ends",
        "text": "It ends in 7 days.",
    }


def test_a_broken_answer_is_tried_again() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        listener.settimeout(0.0)  # accepts by backlog, never answers
        way = Outside(LOOPBACK, frozenset({port}), 0.3)
        for kind in ("webhook", "chat"):
            error = refused(kind, options(kind, Sink(port)), way)
            assert error.reason in (Reason.UNREACHABLE, Reason.TIMEOUT)
            assert not error.permanent


def test_a_webhook_that_answers_too_much(server: Sink) -> None:
    server.status = 200
    error = refused("webhook", options("webhook", server), outside(server, max_bytes=1))
    assert (error.reason, error.permanent) == (Reason.REFUSED, True)
    odd = refused("webhook", {"url": "https://a.example/\u007f"}, Outside())
    assert odd.reason is Reason.OPTIONS


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ({"kinds": ["KeyError"]}, Reason.REFUSED),
        ({"result": {"ok": False, "statuses": [200], "broken": "", "refused": ""}}, Reason.REFUSED),
        ({"result": {"ok": False, "statuses": [], "broken": "Timeout", "refused": ""}}, Reason.UNREACHABLE),
        (ValueError(), Reason.UNREACHABLE),
        (TimeoutError(), Reason.TIMEOUT),
    ],
)
def test_what_the_process_of_apprise_may_end_with(
    monkeypatch: pytest.MonkeyPatch, answer: object, reason: Reason
) -> None:
    async def ask(*_given: object) -> object:
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(guarded, "ask", ask)
    assert refused("chat", {"url": "json://127.0.0.1/"}, Outside()).reason is reason


def test_taken_without_a_request_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    async def ask(*_given: object) -> object:
        return {"result": {"ok": True, "statuses": [], "broken": "", "refused": ""}}

    monkeypatch.setattr(guarded, "ask", ask)
    assert send("chat", {"url": "json://127.0.0.1/"}, Outside()) == "Taken."


@pytest.mark.parametrize(
    ("kind", "given", "told"),
    [
        ("pigeon", {}, "no kind of channel"),
        ("chat", {}, "url"),
        ("chat", {"url": "slack://x"}, "does not understand"),
        ("chat", {"url": "no url"}, "url"),
        ("chat", {"url": "mailto://a:b@example.com"}, "not offered here"),
        ("chat", {"url": "syslog://localhost"}, "not offered here"),
        ("sms", {"url": "json://127.0.0.1/"}, "{phone}"),
        ("sms", {"url": "json://127.0.0.1/{phone}/{phone}"}, "{phone}"),
        ("webhook", {"url": "ftp://127.0.0.1/"}, "https://"),
        ("webhook", {"url": "https://a:b@127.0.0.1/"}, "user name"),
        ("webhook", {"url": "https://127.0.0.1:x/"}, "https://"),
        ("webhook", {"url": "https://a.example/", "extra": 1}, "extra"),
    ],
)
def test_options_that_cannot_work(kind: str, given: dict[str, object], told: str) -> None:
    error = refused(kind, given, Outside())
    assert (error.reason, error.permanent) == (Reason.OPTIONS, True)
    assert told in error.message


def test_an_sms_needs_a_number(server: Sink) -> None:
    error = refused("sms", options("sms", server), outside(server), replace(NOTICE, to=""))
    assert error.reason is Reason.OPTIONS


def test_secrets_stay_inside() -> None:
    given = {"url": f"https://hooks.example/{SECRET}", "key": SECRET}
    read = registry.read_options("webhook", given)
    assert read.shown() == {"url": "***", "key": "***"}
    assert SECRET not in repr(read)
    kept = registry.read_options("webhook", {"url": "***", "key": "***"}, read.stored())
    assert kept.stored() == given
    assert registry.kind_of("sms").label == "SMS gateway"
    assert issubclass(ChannelError, ConnectorError)
