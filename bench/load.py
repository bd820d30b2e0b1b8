"""A small closed-loop load generator on asyncio streams: N clients, one request in flight each."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Load:
    """What a run of load saw. Latencies in seconds, sorted; statuses counted."""

    seconds: float
    latencies: list[float]
    statuses: dict[int, int]

    @property
    def good(self) -> int:
        return self.statuses.get(200, 0)

    def quantile(self, share: float) -> float:
        return self.latencies[min(len(self.latencies) - 1, int(len(self.latencies) * share))]


Request = Callable[[int], bytes]


def run(port: int, clients: int, seconds: float, request: Request) -> Load:
    """Sends `request(n)` (whole HTTP/1.1 requests, keep-alive) for `seconds` from `clients` connections."""
    return asyncio.run(_run(port, clients, seconds, request))


async def _run(port: int, clients: int, seconds: float, request: Request) -> Load:
    latencies: list[float] = []
    statuses: dict[int, int] = {}
    began = time.perf_counter()
    until = began + seconds
    await asyncio.gather(
        *(_client(port, number, until, request, latencies, statuses) for number in range(clients))
    )
    return Load(time.perf_counter() - began, sorted(latencies), statuses)


async def _client(
    port: int, number: int, until: float, request: Request, latencies: list[float], statuses: dict[int, int]
) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    turn = number
    try:
        while time.perf_counter() < until:
            began = time.perf_counter()
            writer.write(request(turn))
            status = await _answer(reader)
            latencies.append(time.perf_counter() - began)
            statuses[status] = statuses.get(status, 0) + 1
            turn += 1009
    finally:
        writer.close()


async def _answer(reader: asyncio.StreamReader) -> int:
    """The status; the body is read whole, whether its length is announced or it comes in chunks."""
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    status = int(head.split(b" ", 2)[1][:3])
    if b"transfer-encoding: chunked" in head:
        while size := int(await reader.readuntil(b"\r\n"), 16):
            await reader.readexactly(size + 2)
        await reader.readexactly(2)
    elif b"content-length:" in head:
        await reader.readexactly(int(head.split(b"content-length:")[1].split(b"\r\n")[0]))
    return status
