"""Reading request bodies: a slow client keeps its own thread waiting and nobody else's."""

from contextlib import AbstractContextManager, nullcontext
from io import BytesIO
from typing import Any, Protocol

from certdesk.foundation.common import sql
from certdesk.foundation.common.baton import baton

_AHEAD = 1024 * 1024  # bytes of a body; what is longer is read by whoever knows its limit


class Source(Protocol):
    def read(self, size: int = -1, /) -> bytes: ...
    def readline(self, size: int = -1, /) -> bytes: ...


def prepare(environ: dict[str, Any]) -> None:
    """Reads a short body at once, before the baton is taken; a longer one, or one of unknown length, lets
    others run whenever it waits for its client."""
    length = environ.get("CONTENT_LENGTH") or ""
    if length.isdecimal() and len(length) < 8 and 0 < int(length) <= _AHEAD:
        environ["wsgi.input"] = BytesIO(environ["wsgi.input"].read(int(length)))
    else:
        environ["wsgi.input"] = Aside(environ["wsgi.input"])


class Aside:
    """A body that is read without the baton, except inside a transaction."""

    def __init__(self, source: Source) -> None:
        self._source = source

    def read(self, size: int = -1, /) -> bytes:
        with _others_run():
            return self._source.read(size)

    def readline(self, size: int = -1, /) -> bytes:
        with _others_run():
            return self._source.readline(size)


def _others_run() -> AbstractContextManager[None]:
    return nullcontext() if sql.in_transaction() else baton.aside()
