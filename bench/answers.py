"""G5 and the served half of G11: OCSP answers, kept ones and ones signed on demand, and a stored CRL.

Requests are POSTed over loopback; rates are a CPU second of the server's processes. Peers answer the same
number of different requests (`peers.py`).
"""

import json
import shutil
import subprocess
import sys
import tempfile
import time
from base64 import b64decode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from bench import load, peers, processes
from bench.report import Report, Row
from certdesk.interfaces.cli.installation import Installation, free_port

WORK = Path(__file__).with_name("answers_work.py")
SERIALS = 512
CLIENTS = 8


def measure(report: Report, seconds: float, rows: int, *, with_peers: bool) -> None:
    """Starts an installation with one web process and no worker."""
    with (
        tempfile.TemporaryDirectory(dir=Path.cwd(), prefix=".bench-") as folder,
        Installation(Path(folder), workers="1", rate_address="0") as home,
    ):
        home.set_up()
        entries = max(1, min(rows // 16, 100_000))
        made = json.loads(_work(home, str(SERIALS), str(entries)))
        home.start("web")
        home.wait_ready()
        kept = _ocsp(home.port, "/ocsp", home.processes["web"].pid, made["kept"], seconds)
        fresh = _ocsp(home.port, "/ocsp", home.processes["web"].pid, made["fresh"], seconds)
        report.add(Row("G5 OCSP, kept answers", kept, "/s core", "2,000", kept / 2000, floor=1))
        report.add(Row("G5 OCSP, signed on demand", fresh, "/s core"))
        _peers(report, Path(folder), kept, fresh, seconds, with_peers=with_peers)
        _crl(report, home, Path(folder), made["crl"], entries, seconds)


def _work(home: Installation, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, str(WORK), *arguments], env=home.environment, capture_output=True, text=True
    )
    if done.returncode:
        raise RuntimeError(done.stderr[-2000:])
    return done.stdout.splitlines()[-1]


def post(path: str, body: bytes) -> bytes:
    head = f"POST {path} HTTP/1.1\r\nHost: bench\r\nContent-Type: application/ocsp-request\r\n"
    return head.encode() + f"Content-Length: {len(body)}\r\n\r\n".encode() + body


def _ocsp(port: int, path: str, pid: int, requests: list[str], seconds: float) -> float:
    """Answers a CPU second. What came back is looked at once."""
    bodies = [b64decode(one) for one in requests]
    kind = {"Content-Type": "application/ocsp-request"}
    answer = httpx.post(f"http://127.0.0.1:{port}{path}", content=bodies[0], headers=kind)
    peers.check_answer(answer.content)
    return rate(port, pid, lambda turn: post(path, bodies[turn % len(bodies)]), seconds)


def rate(port: int, pid: int, request: Callable[[int], bytes], seconds: float) -> float:
    load.run(port, CLIENTS, max(1.0, seconds / 4), request)  # warm: every answer was made once
    before = processes.cpu_seconds(pid)
    seen = load.run(port, CLIENTS, seconds, request)
    if seen.good < len(seen.latencies):
        raise RuntimeError(f"answers other than 200: {seen.statuses}")
    return seen.good / max(processes.cpu_seconds(pid) - before, 0.01)


def _peers(
    report: Report, folder: Path, kept: float, fresh: float, seconds: float, *, with_peers: bool
) -> None:
    """Each peer that installs; what does not is named in the figures."""
    for peer, ours, goal, floor in (
        (peers.Cfssl(), kept, 0.8, 0.0),
        (peers.OpenBao(), fresh, 1.2, 0.0),
        (peers.DjangoCa(), fresh, 12.0, 0.0),
    ):
        missing = peer.missing(install=with_peers)
        if missing:
            report.absent(peer.name, missing)
            continue
        with peer.serving(folder / peer.name, SERIALS) as (port, path, pid, requests):
            theirs = _ocsp(port, path, pid, requests, seconds)
        report.add(Row(f"peer {peer.name} OCSP", theirs, "/s core"))
        what = "kept" if ours == kept else "signed"
        report.add(Row(f"G5 OCSP, {what}", ours, "/s core", peer.name, ours / theirs, goal, floor))


def _crl(report: Report, home: Installation, folder: Path, name: str, entries: int, seconds: float) -> None:
    request = f"GET /crl/{name}.crl HTTP/1.1\r\nHost: bench\r\n\r\n".encode()
    content = httpx.get(f"{home.url}/crl/{name}.crl").content
    ours = rate(home.port, home.processes["web"].pid, lambda _: request, seconds)
    report.add(Row(f"G11 stored CRL of {entries} entries, served", ours, "/s core"))
    if not shutil.which("nginx", path="/usr/sbin:/usr/bin"):
        report.absent("nginx", "not installed; apt-get install nginx-light")
        return
    with _static(folder, content) as (port, pid):
        static = rate(port, pid, lambda _: b"GET /crl HTTP/1.1\r\nHost: bench\r\n\r\n", seconds)
    report.add(Row("nginx, the same bytes as a file", static, "/s core"))
    report.add(Row("G11 served against static", ours, "/s core", "nginx", ours / static, goal=0.8))


@contextmanager
def _static(folder: Path, content: bytes) -> Iterator[tuple[int, int]]:
    """nginx with one worker, on loopback."""
    port, root = free_port(), folder / "static"
    root.mkdir()
    (root / "crl").write_bytes(content)
    config = folder / "nginx.conf"
    config.write_text(
        f"user root; daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/nginx.log;"
        " events {} http { access_log off; keepalive_requests 1000000; sendfile on;"
        f" server {{ listen 127.0.0.1:{port}; root {root}; }} }}",
        encoding="ascii",
    )
    process = subprocess.Popen(
        [shutil.which("nginx", path="/usr/sbin:/usr/bin") or "nginx", "-c", str(config)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        until = time.monotonic() + 10
        while time.monotonic() < until and not _listens(port):
            time.sleep(0.05)
        yield port, process.pid
    finally:
        process.terminate()
        process.wait(10)


def _listens(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/crl", timeout=1).status_code == 200
    except httpx.HTTPError:
        return False
