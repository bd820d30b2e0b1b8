"""Many small TLS servers in one process: what a scan finds."""

import asyncio
import ssl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from certdesk.lab.background import LoopThread


@dataclass
class Listeners:
    """`ports` of all of them; `close(port)` ends one."""

    ports: list[int]
    loop: LoopThread
    servers: dict[int, asyncio.Server]

    def close(self, port: int) -> None:
        async def end() -> None:
            self.servers[port].close()

        self.loop.call(end())


async def _read(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        await reader.read()
    except OSError:
        pass  # the client has seen enough
    finally:
        writer.transport.abort()


@contextmanager
def listeners(folder: Path, pems: Sequence[str], count: int = 1) -> Iterator[Listeners]:
    """`count` servers on 127.0.0.1, which serve these certificates in turn."""
    contexts = []
    for number, pem in enumerate(pems):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        file = folder / f"listener-{number}.pem"
        file.write_text(pem, encoding="ascii")
        context.load_cert_chain(file)
        contexts.append(context)
    loop = LoopThread("listeners").start()

    made = Listeners([], loop, {})

    async def start() -> None:
        for number in range(count):
            context = contexts[number % len(contexts)]
            server = await asyncio.start_server(_read, "127.0.0.1", 0, ssl=context)
            made.ports.append(int(server.sockets[0].getsockname()[1]))
            made.servers[made.ports[-1]] = server

    try:
        loop.call(start(), timeout=300)
        yield made
    finally:

        async def end() -> None:
            for server in made.servers.values():
                server.close()

        loop.call(end())
        loop.stop()
