"""The WSGI application that granian runs: a process a core; of its threads one runs at a time."""

import os
import threading
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "certdesk.config.django")

from django.core import signals
from django.core.handlers.wsgi import WSGIRequest
from django.core.wsgi import get_wsgi_application
from django.db import DEFAULT_DB_ALIAS, close_old_connections, connections, reset_queries
from django.http import FileResponse, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

from certdesk.foundation.common import settings
from certdesk.foundation.common.baton import baton

from . import reading
from .affinity import settle

_django = get_wsgi_application()

from certdesk.interfaces.acme import gate as acme  # noqa: E402  # Django is set up now
from certdesk.interfaces.api import dispatch  # noqa: E402
from certdesk.interfaces.console.middleware import HEADERS, edge  # noqa: E402
from certdesk.interfaces.public import at_once  # noqa: E402


def _nobody(request: HttpRequest) -> HttpResponseBase:
    raise RuntimeError(f"the edge answers {request.path_info} itself")


_edge = edge(_nobody)
_always = list(HEADERS.items())
_files = at_once.Files()
_connection = connections[DEFAULT_DB_ALIAS]
_connection.inc_thread_sharing()
# They look after every connection before and after each request; here is one, and once is enough.
signals.request_started.disconnect(reset_queries)
signals.request_started.disconnect(close_old_connections)
signals.request_finished.disconnect(close_old_connections)
_seen = threading.local()
_settle = lru_cache(maxsize=1)(settle)


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Django, for the thread whose turn it is; a thread that steps aside has no transaction open.

    All threads use one connection: with one each, SQLite would find its pages changed by another at every
    turn and read them anew. So the answer is complete, and closed, before the next thread runs; one that
    is made in pieces runs again for each of them. A file is read whole: it waits for nothing.
    """
    reading.prepare(environ)
    ready = at_once.ocsp_answer(environ, _always) or _files.find(environ)
    if ready is not None:
        return ready.send(start_response)
    with baton:
        _settle(settings.get().data)
        _share_connection()
        _look_after_connection()
        path = environ["PATH_INFO"]
        if acme.is_acme(path) or dispatch.is_api(path):
            return _straight(environ, start_response)
        response = _django(environ, start_response)
        if getattr(response, "streaming", False) and not isinstance(response, FileResponse):
            return _Pieces(response)
        try:
            body = b"".join(response)
            _files.keep(environ, response.status_code, response.items(), body)
            return [body]
        finally:
            response.close()


def _straight(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """What the edge answers itself. Django's handler around it, with its signals and prefixes, is for pages
    alone."""
    response = _edge(WSGIRequest(environ))
    start_response(f"{response.status_code} {response.reason_phrase}", list(response.items()))
    return [response.content] if isinstance(response, HttpResponse) else _Pieces(response)


def _share_connection() -> None:
    if not hasattr(_seen, "connection"):
        connections[DEFAULT_DB_ALIAS] = _seen.connection = _connection


_look_after_connection = _connection.close_if_unusable_or_obsolete


class _Pieces:
    """An answer made piece by piece, each under the baton; the server may ask from another thread."""

    def __init__(self, response: Any) -> None:
        self._response = response
        self._pieces = iter(response)

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        piece = b""
        while not piece:
            with baton:
                _share_connection()
                piece = next(self._pieces)
        return piece

    def close(self) -> None:
        with baton:
            _share_connection()
            self._response.close()
