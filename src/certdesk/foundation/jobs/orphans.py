"""Workers of this machine that died: their jobs need not wait until the lease runs out.

A worker's name says where it runs: host and its boot (two hosts may have one name), process-id namespace (a
container has its own), process id and the time when that process started, which tells a later process with
the same id apart. What runs elsewhere, a container that was made anew included, waits for the lease.
"""

import os
import socket
from pathlib import Path
from secrets import token_hex

from certdesk.foundation.common import clock, sql

from . import queries

_PROC = Path("/proc")


def name() -> str:
    """A name for a worker of this process; at most 80 characters."""
    pid = os.getpid()
    return f"{_here()}/{pid}-{_started(pid) or 0}/{token_hex(4)}"


def _here() -> str:
    """This host, its boot and its process-id namespace; where there is no /proc, these count as 0."""
    try:
        namespace = (_PROC / "self/ns/pid").readlink().name.strip("pid:[]")
    except OSError:
        namespace = "0"
    try:
        boot = (_PROC / "sys/kernel/random/boot_id").read_text(encoding="ascii")[:8]
    except OSError:
        boot = "0"
    return f"{socket.gethostname()[:24]}.{boot}/{namespace}"


def _started(pid: int) -> int | None:
    """When the process started, in ticks since the boot; None when it is gone or only its status is left."""
    try:
        fields = (_PROC / str(pid) / "stat").read_text(encoding="ascii").rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in "ZX" else int(fields[19])


def is_dead(worker: str) -> bool:
    """Whether that worker ran here and its process is no more. False when it cannot be known."""
    where, _, rest = worker.rpartition("/")[0].rpartition("/")
    pid, _, started = rest.partition("-")
    if where != _here() or not (pid.isdigit() and started.isdigit()) or started == "0":
        return False
    return _started(int(pid)) != int(started)


def free() -> int:
    """Lets the leases of dead workers of this machine run out now; answers how many jobs that frees.

    The fence turns a worker away that was taken for dead and lives.
    """
    dead = [worker for worker in queries.running_workers() if is_dead(worker)]
    if not dead:
        return 0
    with sql.short_transaction():
        return queries.let_run_out(dead, clock.real_now())
