"""Attacks on sign-in at a running server, from several addresses at once: the attacker is stopped, and who
is attacked still gets in from elsewhere, at the console and for a token."""

import json
import re
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

import pytest

from certdesk.foundation.iam import throttle_rules as rules
from certdesk.interfaces.cli.installation import Installation
from tests.support import prepared
from tests.support.rawhttp import Line, Reply, message

pytestmark = [pytest.mark.server, pytest.mark.slow]
HOME, ELSEWHERE = "127.0.0.1", "127.0.0.50"
TOKENS = "/v3/auth/tokens"


@dataclass
class Door:
    """The two ways in by password, asked from any address of this machine."""

    home: Installation
    password: str

    def send(self, source: str, method: str, path: str, body: bytes, *more: tuple[str, str]) -> Reply:
        with Line(self.home.port) as line:
            line.socket.close()
            line.socket = socket.create_connection(
                ("127.0.0.1", self.home.port), 10, source_address=(source, 0)
            )
            host = ("Host", f"127.0.0.1:{self.home.port}")
            return line.send(message(method, path, (host, *more), body), method)

    def token(self, source: str, name: str, password: str, account: str = "default") -> int:
        user = {"name": name, "password": password, "domain": {"name": account}}
        body = {"auth": {"identity": {"methods": ["password"], "password": {"user": user}}}}
        kind = ("Content-Type", "application/json")
        return self.send(source, "POST", TOKENS, json.dumps(body).encode(), kind).status

    def console(self, source: str, login: str, password: str) -> bool:
        """Whether the console's form lets one in."""
        token = "c" * 32
        form = {"login": login, "password": password, "csrfmiddlewaretoken": token}
        kind = ("Content-Type", "application/x-www-form-urlencoded")
        answer = self.send(
            source, "POST", "/login", urlencode(form).encode(), kind, ("Cookie", f"csrftoken={token}")
        )
        assert answer.status < 500, answer.body
        return answer.status == 302 and "sessionid" in answer.headers.get("set-cookie", "")


@pytest.fixture
def door(tmp_path: Path) -> Iterator[Door]:
    """A fresh server for each attack: what it remembers of one must not help with the next."""
    with Installation(tmp_path / "home", workers="2") as home:
        prepared.set_up(home)
        home.start("web")
        home.wait_ready()
        yield Door(home, (home.folder / "password").read_text(encoding="ascii").strip())


def together(times: int, attempt: object) -> list[object]:
    with ThreadPoolExecutor(8) as pool:
        return list(pool.map(attempt, range(times)))  # type: ignore[arg-type]


# rule: IAM-5
def test_failures_from_one_address_stop_there_and_nowhere_else(door: Door) -> None:
    """Both doors count together, in both processes."""
    assert door.console(HOME, "admin", door.password)
    tried = together(3 * rules.MOST_HERE, lambda n: door.token(ELSEWHERE, "admin", f"wrong {n}"))
    assert set(tried) <= {401, 429}
    assert 429 in tried
    assert not door.console(ELSEWHERE, "admin", door.password), (
        "the attacker's address is stopped, right or not"
    )
    assert door.token(ELSEWHERE, "admin", door.password) == 429
    assert door.console(HOME, "admin", door.password)
    assert door.token(HOME, "admin", door.password) == 201


def test_many_names_from_one_address_stop_it_for_new_names_alone(door: Door) -> None:
    assert door.token(ELSEWHERE, "officer", door.password) == 201  # known there
    tried = together(rules.MOST_OF_ADDRESS + 15, lambda n: door.token(ELSEWHERE, f"nobody{n}", "wrong"))
    assert set(tried) <= {401, 429}
    assert 429 in tried
    assert door.token(ELSEWHERE, "admin", door.password) == 429
    assert door.token(ELSEWHERE, "officer", door.password) == 201
    assert door.token(HOME, "admin", door.password) == 201


def test_one_name_from_many_addresses_is_open_where_it_is_known(door: Door) -> None:
    assert door.console(HOME, "admin", door.password)
    many = [f"127.0.1.{number}" for number in range(1, 251)]
    tried = together(rules.MOST_OF_NAME + 20, lambda n: door.token(many[n], "admin", "wrong"))
    assert set(tried) <= {401, 429}
    assert 429 in tried
    assert door.token("127.0.2.1", "admin", door.password) == 429
    assert door.console(HOME, "admin", door.password)
    assert door.token(HOME, "admin", door.password) == 201
    assert door.token("127.0.2.1", "officer", door.password) == 201, "nobody else is held up"


def test_the_answer_does_not_tell_whether_there_is_such_a_name(door: Door) -> None:
    answers = []
    for name, account in (("admin", "default"), ("nobody", "default"), ("admin", "nowhere")):
        user = {"name": name, "password": "wrong", "domain": {"name": account}}
        body = {"auth": {"identity": {"methods": ["password"], "password": {"user": user}}}}
        answer = door.send(
            HOME, "POST", TOKENS, json.dumps(body).encode(), ("Content-Type", "application/json")
        )
        answers.append((answer.status, re.sub(rb"\b[0-9a-f]{32}\b", b"", answer.body)))
    assert len(set(answers)) == 1, answers


def test_wrong_signatures_with_somebodys_key_do_not_switch_it_off(door: Door) -> None:
    key = door.home.access_key("officer")
    from certdesk.foundation.common import clock, sdk_signature

    def ask(source: str, secret: str) -> int:
        signed = sdk_signature.sign(
            "GET", f"{door.home.url}/v3/auth/domains", key["access_key"], secret, now=clock.real_now()
        )
        return door.send(source, "GET", "/v3/auth/domains", b"", *list(signed.items())[1:]).status

    assert set(together(200, lambda n: ask(ELSEWHERE, f"{n:040d}"))) == {401}
    assert ask(HOME, key["secret_key"]) == 200
    assert ask(ELSEWHERE, key["secret_key"]) == 200
