"""Many small TLS servers in one process: what a scan finds."""

import asyncio
import socket
import ssl
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from itertools import count
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
def listeners(folder: Path, pems: Sequence[str], number: int = 1) -> Iterator[Listeners]:
    """`number` servers on 127.0.0.1, which serve these certificates in turn."""
    contexts = []
    for place, pem in enumerate(pems):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        file = folder / f"listener-{place}.pem"
        file.write_text(pem, encoding="ascii")
        context.load_cert_chain(file)
        contexts.append(context)
    loop = LoopThread("listeners").start()

    made = Listeners([], loop, {})

    async def start() -> None:
        for one in range(number):
            context = contexts[one % len(contexts)]
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

        loop.call(end(), timeout=300)
        loop.stop()


@contextmanager
def slow_listener(folder: Path, pem: str, silent: int) -> Iterator[int]:
    """Its port: the first `silent` clients get a connection and not a word, the others a certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    file = folder / "slow.pem"
    file.write_text(pem, encoding="ascii")
    context.load_cert_chain(file)
    with socket.create_server(("127.0.0.1", 0)) as listener, ExitStack() as held:

        def serve() -> None:
            for number in count():
                try:
                    client, _ = listener.accept()
                except OSError:
                    return
                held.enter_context(client)
                client.settimeout(30)
                if number >= silent:
                    with suppress(OSError):
                        held.enter_context(context.wrap_socket(client, server_side=True))

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield int(listener.getsockname()[1])
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


@contextmanager
def full_listener() -> Iterator[int]:
    """Its port: nobody takes connections there, and the kernel holds no more of them."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener, ExitStack() as held:
        for _ in range(3):
            client = held.enter_context(socket.socket())
            client.setblocking(False)
            client.connect_ex(listener.getsockname())
        yield int(listener.getsockname()[1])
