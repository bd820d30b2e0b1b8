"""HTTP as bytes: what no client library would send. And which process of a server holds a connection."""

import http.client
import socket
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

Pairs = Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Reply:
    """`status` 0: the server closed the connection without an answer."""

    status: int
    headers: dict[str, str]
    body: bytes
    seconds: float


class Line:
    """One connection to a server on loopback."""

    def __init__(self, port: int, timeout: float = 10.0) -> None:
        self.port = port
        self.socket = socket.create_connection(("127.0.0.1", port), timeout)

    def __enter__(self) -> "Line":
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def send(self, message: bytes, method: str = "GET") -> Reply:
        """Sends the bytes; waits for one answer."""
        began = time.monotonic()
        try:
            with suppress(BrokenPipeError, ConnectionResetError):  # it may answer before it has read all
                self.socket.sendall(message)
            answer = http.client.HTTPResponse(self.socket, method=method)
            answer.begin()
            body = answer.read()
        except (http.client.HTTPException, ConnectionError):
            return Reply(0, {}, b"", time.monotonic() - began)
        headers = {name.lower(): value for name, value in answer.getheaders()}
        return Reply(answer.status, headers, body, time.monotonic() - began)


def message(method: str, target: str, headers: Pairs, body: bytes = b"", *, length: bool = True) -> bytes:
    """A request as it stands on the wire; headers in this order, however often."""
    lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in headers)]
    if length and body:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode("utf-8", "surrogateescape") + body


def once(port: int, data: bytes, method: str = "GET", timeout: float = 10.0) -> Reply:
    """On a fresh connection."""
    with Line(port, timeout) as line:
        return line.send(data, method)


def holder(line: Line, root: int) -> int:
    """The process below `root` that holds the other end of the connection; 0 while none has accepted it."""
    ours = line.socket.getsockname()[1]
    inode = next(
        (
            fields[9]
            for fields in map(str.split, Path("/proc/net/tcp").read_text().splitlines()[1:])
            if _port(fields[1]) == line.port and _port(fields[2]) == ours
        ),
        "",
    )
    for pid in family(root):
        with suppress(OSError):
            held = {str(one.readlink()) for one in Path(f"/proc/{pid}/fd").iterdir()}
            if f"socket:[{inode}]" in held:
                return pid
    return 0


def family(root: int) -> list[int]:
    """A process and all below it."""
    found = [root]
    for pid in found:
        with suppress(OSError):
            for task in Path(f"/proc/{pid}/task").iterdir():
                found.extend(map(int, (task / "children").read_text().split()))
    return found


def resident(pids: Iterable[int]) -> int:
    """Bytes of memory of the processes that are their own, not shared with the one they were forked from."""
    total = 0
    for pid in pids:
        with suppress(OSError):
            for text in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
                if text.startswith(("Private_Clean", "Private_Dirty")):
                    total += int(text.split()[1]) * 1024
    return total


def _port(address: str) -> int:
    return int(address.rpartition(":")[2], 16)
