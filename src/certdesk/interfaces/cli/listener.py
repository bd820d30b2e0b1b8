"""One listener: granian, WSGI, a process a core; of its threads one runs at a time (`common.baton`)."""

import os
import tempfile
from pathlib import Path
from typing import Any

from granian.constants import Interfaces, SSLProtocols
from granian.http import HTTP1Settings
from granian.log import LogLevels
from granian.server import MPServer

from certdesk.foundation.common.settings import Settings

from . import listener_certificate


def serve(settings: Settings, scheme: str) -> None:
    """Blocks until SIGTERM; requests that were accepted are finished."""
    if scheme == "http":
        _server(settings, scheme).serve()
        return
    key = _in_memory(listener_certificate.plain_key(settings))
    try:
        _server(
            settings,
            scheme,
            ssl_cert=listener_certificate.files(settings).certificate,
            ssl_key=key,
            ssl_protocol_min=SSLProtocols.tls12,
        ).serve()
    finally:
        key.unlink(missing_ok=True)


def _server(settings: Settings, scheme: str, **tls: Any) -> MPServer:
    host, _, port = str(getattr(settings, scheme)).rpartition(":")
    return MPServer(
        "certdesk.config.wsgi:application",
        address=host.strip("[]"),
        port=int(port),
        interface=Interfaces.WSGI,
        workers=_workers(settings, scheme),
        blocking_threads=16,
        backpressure=64,
        respawn_failed_workers=True,
        respawn_interval=0.5,
        workers_kill_timeout=8,
        http1_settings=HTTP1Settings(header_read_timeout=15_000),
        log_level=LogLevels.error,
        **tls,
    )


def _workers(settings: Settings, scheme: str) -> int:
    """A process a core behind HTTP; one behind HTTPS unless it is the only listener."""
    if scheme == "https" and settings.http:
        return 1
    return settings.workers or os.cpu_count() or 1


def _in_memory(content: bytes) -> Path:
    """A file that granian can read and no disk holds; the caller removes it.

    Granian's own reader of encrypted keys does not know the usual PBES2 form.
    """
    memory = Path("/dev/shm")  # noqa: S108  # tmpfs; mkstemp makes the file ours alone, mode 0600
    handle, name = tempfile.mkstemp(prefix="certdesk-", dir=memory if memory.is_dir() else None)
    with os.fdopen(handle, "wb") as file:
        file.write(content)
    return Path(name)
