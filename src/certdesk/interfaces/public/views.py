"""Faces that ask nobody who he is: health, heartbeat and figures.

Health answers say counts only, never names.
"""

import orjson
from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from certdesk.foundation.common import clock, sql
from certdesk.foundation.sealing import kek
from certdesk.foundation.sealing.errors import KekRefused
from certdesk.interfaces.operations import openapi

from . import figures

JSON = "application/json"


def _json(answer: object, status: int = 200) -> HttpResponse:
    response = HttpResponse(orjson.dumps(answer), status=status, content_type=JSON)
    response.headers["Cache-Control"] = "no-store"
    return response


@require_safe
def healthz(request: HttpRequest) -> HttpResponse:
    """This process answers."""
    return _json({"status": "ok"})


@require_safe
def readyz(request: HttpRequest) -> HttpResponse:
    """This process can work: the database answers and the KEK file can be used."""
    problems = []
    try:
        sql.row("SELECT 1 FROM iam_account LIMIT 1")
    except DatabaseError:
        problems.append("database")
    try:
        kek.load()
    except KekRefused:
        problems.append("kek")
    return _json({"status": "failed" if problems else "ok", "failed": problems}, 503 if problems else 200)


@require_safe
def heartbeat(request: HttpRequest) -> HttpResponse:
    """For an outside watcher: how late scheduler, workers and sealer are; 503 when one is too late.

    A desk that is dead sends no notices: whoever polls this hears of its silence (NTF-1).
    """
    beat = figures.beat(clock.real_now())
    seconds = {f"{name}_late_s": round(getattr(beat, name), 1) for name in figures.LATE}
    return _json({**seconds, "late": list(beat.late)}, 503 if beat.late else 200)


@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """Counts in the Prometheus text format, read from the database: the same on every node."""
    return HttpResponse(figures.text(clock.real_now()), content_type="text/plain; version=0.0.4")


@require_safe
def openapi_file(request: HttpRequest) -> HttpResponse:
    """The API's description, made from the registry."""
    return _json(openapi.document())
