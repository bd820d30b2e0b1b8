"""A slow client's body: others run while it comes, except inside a transaction."""

import threading
from typing import Any

import pytest

from certdesk.config import reading
from certdesk.foundation.common import sql
from certdesk.foundation.common.baton import baton

LONG = str(2 * 1024 * 1024)


class Client:
    """Sends its bytes only after another thread has had the baton; `held` says how it was read."""

    def __init__(self) -> None:
        self.held: list[bool] = []
        self.others_ran = threading.Event()

    def read(self, size: int = -1, /) -> bytes:
        self.held.append(baton.held)
        threading.Thread(target=self._other, daemon=True).start()
        return b"x" if self.others_ran.wait(10) else b""

    readline = read

    def _other(self) -> None:
        with baton:
            self.others_ran.set()


class Quick(Client):
    """Waits for nobody."""

    def read(self, size: int = -1, /) -> bytes:
        self.held.append(baton.held)
        return b"x" * size

    readline = read


def prepared(client: Client, **environ: str) -> Any:
    found: dict[str, Any] = {"wsgi.input": client, **environ}
    reading.prepare(found)
    return found["wsgi.input"]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("name", ["read", "readline"])
@pytest.mark.parametrize("environ", [{"CONTENT_LENGTH": LONG}, {"HTTP_TRANSFER_ENCODING": "chunked"}])
def test_others_run_while_a_long_body_comes(environ: dict[str, str], name: str) -> None:
    source = prepared(Client(), **environ)
    with baton:
        assert getattr(source, name)(1) == b"x"
        assert baton.held


@pytest.mark.django_db(transaction=True)
def test_the_baton_is_kept_inside_a_transaction() -> None:
    client = Quick()
    source = prepared(client, CONTENT_LENGTH=LONG)
    with baton, sql.short_transaction():
        assert source.read(2) == b"xx"
    assert client.held == [True]


def test_a_short_body_is_there_before_the_baton_is_taken() -> None:
    client = Quick()
    assert prepared(client, CONTENT_LENGTH="3").read() == b"xxx"
    assert client.held == [False]
