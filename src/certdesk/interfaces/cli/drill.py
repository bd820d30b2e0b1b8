"""A rehearsal on the host: which certificates, what stands in the way, how long the real one would take."""

import os
import time
from pathlib import Path
from typing import Annotated

import typer

from . import start
from .output import Json, show

COMMITS = 3
"""Of a revocation: its step, the claim of its job, its job."""
SYNCS = 20


def drill(
    account: Annotated[str, typer.Option(help="Name of the account; every one without it.")] = "",
    issuer: Annotated[str, typer.Option(help="As versions show it, e.g. builtin:dv-p256.")] = "",
    key: Annotated[str, typer.Option(help="SHA-256 of the public key (SPKI), hex.")] = "",
    name: Annotated[str, typer.Option(help="A domain name; it and everything under it.")] = "",
    per_minute: Annotated[int, typer.Option(help="The pace to reckon with.")] = 900,
    sample: Annotated[int, typer.Option(help="How many are rehearsed and measured.")] = 50,
    as_json: Json = False,
) -> None:
    """Rehearse a campaign of revocations: nothing is changed, nobody is told, its time is measured."""
    start.django()
    from certdesk.foundation.common import settings
    from certdesk.lifecycle.campaigns import drilling, rules

    rules.check_pace(per_minute, 0)
    query = rules.query_of({"issuer": issuer, "key": key, "name": name})
    found = drilling.drill(query, account, sample)
    commit = _commit(settings.get().data)
    each = found.each + commit * COMMITS
    takes = max(60 * found.able / per_minute, found.able * each)
    show(
        {
            "certificates": found.certificates,
            "could_be_revoked": found.able,
            "left_out": found.left_out,
            "owners": found.owners,
            "places": found.places,
            "rehearsed": found.rehearsed,
            "work_milliseconds_each": round(found.each * 1000, 2),
            "commit_milliseconds_each": round(commit * COMMITS * 1000, 2),
            "look_up_seconds": round(found.seconds, 2),
            "would_take_seconds": round(takes),
        },
        as_json,
    )


def _commit(folder: Path) -> float:
    """Seconds that the disk of the data folder takes to make a write last."""
    path = folder / f".drill-{os.getpid()}"
    began = time.perf_counter()
    try:
        with path.open("wb", buffering=0) as file:
            for _ in range(SYNCS):
                file.write(b"x" * 4096)
                os.fsync(file.fileno())
    finally:
        path.unlink(missing_ok=True)
    return (time.perf_counter() - began) / SYNCS
