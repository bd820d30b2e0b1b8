"""`up`, `web` and `worker`: the processes of an installation."""

import ctypes
import gc
import resource
import socket
import sys
import time
from functools import partial
from typing import TYPE_CHECKING

import typer

from . import perspective, setup, start
from .supervisor import Child, Supervisor

if TYPE_CHECKING:
    from certdesk.foundation.common.settings import Settings

_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_ARENA_MAX = -1, -2, -8  # malloc.h
_FILES = 8192


def up() -> None:
    """Set up what is missing, then run web and worker until Ctrl-C."""
    began = time.monotonic()
    settings = start.django()
    perspective.refuse_for_public(settings)
    _refuse_taken(settings)
    setup.prepare(settings)
    users = setup.first_users()
    from . import listener_certificate  # reads the settings' class

    listener_certificate.ensure(settings)
    typer.echo(_greeting(settings, users, began))
    children = [*_web_children(settings), Child("worker", _work)]
    if settings.mail_listener:
        children.append(Child("mail-listener", partial(perspective.listen_for_mail, settings)))
    raise typer.Exit(_run(children))


def web() -> None:
    """Run the HTTP and HTTPS listeners."""
    settings = start.django()
    _refuse_unfinished()
    _refuse_taken(settings)
    from . import listener_certificate  # reads the settings' class

    listener_certificate.ensure(settings)
    raise typer.Exit(_run(_web_children(settings)))


def worker() -> None:
    """Run the jobs until SIGTERM; what is unfinished after 10 s is handed back."""
    start.django()
    _refuse_unfinished()
    _raise_file_limit()
    _work()


def _refuse_unfinished() -> None:
    from certdesk.foundation.backup import unfinished

    unfinished.refuse()


def _work() -> None:
    from certdesk.foundation.jobs import worker as jobs

    jobs.main()


def _refuse_taken(settings: "Settings") -> None:
    """Ends with a plain sentence when a port is taken: granian would share it with whoever has it."""
    for name in ("http", "https"):
        host, _, port = str(getattr(settings, name)).rpartition(":")
        if not port:
            continue
        try:
            family = socket.AF_INET6 if ":" in host else socket.AF_INET
            with socket.socket(family, socket.SOCK_STREAM) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind((host.strip("[]"), int(port)))
                probe.listen(1)
        except OSError as error:
            typer.echo(
                f"certdesk: {host}:{port} cannot be listened on: {error.strerror}."
                f" Stop what runs there, or set CERTDESK_{name.upper()}.",
                err=True,
            )
            raise typer.Exit(1) from None


def _run(children: list[Child]) -> int:
    """Imports what the children need once, then forks them; no connection survives the fork.

    What was imported stays for good: the collector leaves it alone, and looks less often at the rest.
    """
    from django.db import connections

    import certdesk.config.wsgi  # noqa: F401  # what the listeners run
    from certdesk.foundation.jobs import registry

    _raise_file_limit()
    registry.discover()
    connections.close_all()
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)
    _keep_memory()
    sys.stdout.flush()
    return Supervisor(children).run()


def _keep_memory() -> None:
    """One pool of memory for all threads, of which one runs at a time, and no giving back what the next
    request needs again: the system's part of a request was a tenth of it. glibc; elsewhere nothing."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        for option, value in ((_M_ARENA_MAX, 1), (_M_TRIM_THRESHOLD, 64 << 20), (_M_TOP_PAD, 1 << 20)):
            mallopt(option, value)


def _raise_file_limit() -> None:
    """A look at 256 names asks up to 8 servers each at once, a socket a question; 1024 is the usual start."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _FILES if hard == resource.RLIM_INFINITY else min(_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _web_children(settings: "Settings") -> list[Child]:
    from . import listener  # granian, which other commands need not load

    names = [name for name in ("http", "https") if getattr(settings, name)]
    return [Child(name, partial(listener.serve, settings, name)) for name in names]


def _greeting(settings: "Settings", users: list[setup.FirstUser], began: float) -> str:
    lines = [f"Certdesk is starting ({time.monotonic() - began:.1f} s of set-up)."]
    if settings.http:
        lines.append(f"  Console and API   http://{settings.http}")
    if settings.https:
        lines.append(f"                    https://{settings.https}  (certificate from its own CA)")
    lines.append(f"  Data              {settings.data.resolve()}")
    lines.append(
        f"  Key-encryption    {settings.kek_path.resolve()}  (keep it apart from backups of the data)"
    )
    for user in users:
        lines.append(f"  One-time password of {user.name:<8} {user.password}")
    if users:
        lines.append("  The passwords are shown this once; each must be changed at the first sign-in.")
    lines.append("Ctrl-C stops it.")
    return "\n".join(lines)
