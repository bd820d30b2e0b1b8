"""What every request is held against first: rates, lengths of address and headers, size of the body."""

import time
from collections.abc import Iterator
from ipaddress import ip_network
from pathlib import Path
from types import SimpleNamespace

import pytest
from django.test import Client

from certdesk.foundation.common import settings
from certdesk.foundation.common.errors import BadParameter
from certdesk.foundation.iam import rates
from certdesk.interfaces.api import bodies, limits
from tests.support.signed import Person, account, person

pytestmark = pytest.mark.django_db
DOMAINS = "/v3/auth/domains"
TOKENS = "/v3/auth/tokens"


@pytest.fixture
def alice() -> Person:
    return person(account(), "alice", "admins")


@pytest.fixture
def slow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """One a second, and no second passes; the bursts are five and ten."""
    now = time.time_ns()
    monkeypatch.setattr(rates, "time", SimpleNamespace(time_ns=lambda: now))
    before = settings.get()
    update = {"data": tmp_path, "kek_file": before.kek_path, "rate_key": 1}
    update |= {"rate_address": 4, "rate_sign_in": 1, "trusted_proxies": (ip_network("10.0.0.0/8"),)}
    settings.install(before.model_copy(update=update))
    yield
    settings.install(before)


@pytest.mark.usefixtures("slow")
def test_a_key_that_is_too_fast_gets_429_and_when_to_come_back(alice: Person) -> None:
    answers = [alice.get(DOMAINS, REMOTE_ADDR="192.0.2.1") for _ in range(9)]
    refused = answers[-1]
    assert [one.status for one in answers[:5]] == [200] * 5
    assert (refused.status, refused.code) == (429, "SCM.9429")
    assert refused.response["Retry-After"].isdigit()
    assert "with this access key" in refused.text
    bob = person(alice.account, "bob", "admins")
    assert bob.get(DOMAINS, REMOTE_ADDR="192.0.2.2").status == 200


@pytest.mark.usefixtures("slow")
def test_an_address_that_is_too_fast_is_refused_before_anything_is_read() -> None:
    client = Client()
    statuses = [client.get(DOMAINS, REMOTE_ADDR="192.0.2.3").status_code for _ in range(30)]
    assert (statuses[0], statuses[-1]) == (401, 429)
    page = client.get("/login", REMOTE_ADDR="192.0.2.3", headers={"accept-language": "zh-hans"})
    assert (page.status_code, page.headers["Content-Type"]) == (429, "text/plain; charset=utf-8")
    assert "请等待" in page.content.decode()
    assert page.headers["Retry-After"].isdigit()
    assert page.headers["X-Request-Id"]
    assert client.get("/login", REMOTE_ADDR="192.0.2.4").status_code == 200
    assert client.get("/healthz", REMOTE_ADDR="192.0.2.3").status_code == 200  # watchers are not counted


@pytest.mark.usefixtures("slow")
def test_behind_a_trusted_proxy_the_client_is_counted() -> None:
    client = Client()

    def ask(address: str, proxy: str = "10.0.0.1") -> int:
        return client.get(DOMAINS, REMOTE_ADDR=proxy, headers={"x-forwarded-for": address}).status_code

    assert [ask("2001:db8::1") for _ in range(30)][-1] == 429
    assert ask("2001:db8::2") == 429  # the same /64
    assert ask("2001:db8:0:1::2") == 401
    assert [ask(f"198.51.100.{number}", "192.0.2.9") for number in range(30)][-1] == 429  # not believed


@pytest.mark.usefixtures("slow")
def test_what_nobody_signs_is_counted_more_strictly() -> None:
    client = Client()
    statuses = [
        client.post("/login", {"login": "a", "password": "b"}, REMOTE_ADDR="192.0.2.5").status_code
        for _ in range(60)
    ]
    assert 429 in statuses
    assert statuses[0] != 429
    answer = client.post(TOKENS, b"{}", content_type="application/json", REMOTE_ADDR="192.0.2.5")
    assert answer.status_code == 429


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/" + "x" * (limits.MAX_PATH - 1), 404),
        ("/" + "x" * limits.MAX_PATH, 414),
        ("/login?x=" + "x" * (limits.MAX_QUERY - 2), 200),
        ("/login?x=" + "x" * (limits.MAX_QUERY - 1), 414),
        (f"{DOMAINS}?x=" + "x" * limits.MAX_QUERY, 414),
    ],
)
def test_addresses_end_somewhere(path: str, status: int) -> None:
    answer = Client().get(path)
    assert answer.status_code == status
    if status == 414:
        assert "characters" in answer.content.decode()


@pytest.mark.parametrize(
    ("more", "refused"),
    [
        ({f"x-header-{number}": "x" for number in range(90)}, False),
        ({f"x-header-{number}": "x" for number in range(101)}, True),
        ({"x-header": "x" * 32_000}, False),
        ({"x-header": "x" * (32 * 1024 + 1)}, True),
    ],
)
def test_headers_end_somewhere(more: dict[str, str], refused: bool) -> None:
    for path in (DOMAINS, "/login"):
        answer = Client().get(path, headers=more)
        assert (answer.status_code == 431) is refused
        if refused:
            assert "headers" in answer.content.decode()


def test_a_body_with_too_much_in_it_is_not_parsed() -> None:
    assert len(bodies.json(b"[" + b"1," * (bodies.MAX_ITEMS - 1) + b"1]")) == bodies.MAX_ITEMS
    for body in (b"1," * (bodies.MAX_ITEMS + 1), b":" * (2 * bodies.MAX_ITEMS + 1)):  # not even JSON
        with pytest.raises(BadParameter, match="50000 fields and items"):
            bodies.json(body)


def test_a_body_nested_too_deeply_says_so() -> None:
    bodies.json(b"[" * bodies.MAX_DEPTH + b"]" * bodies.MAX_DEPTH)
    for depth in (bodies.MAX_DEPTH + 1, 100_000):
        with pytest.raises(BadParameter):
            bodies.json(b"[" * depth + b"]" * depth)
