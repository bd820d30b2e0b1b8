"""The egress gate against real servers on loopback; a canary counts what must never be reached."""

import asyncio
import contextlib
import ipaddress
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path

import pytest

from certdesk.connectors.http import Fetched, Sent, fetch
from certdesk.connectors.protocol import ConnectorError, EgressRefused, NotConnected

LOOPBACK = (ipaddress.ip_network("127.0.0.0/8"),)
Answer = Callable[[str], bytes | None]


class Server:
    """Answers each request path with the bytes that `answer` gives; None = never."""

    def __init__(self, answer: Answer) -> None:
        self.answer, self.hits, self.hosts, self.port = answer, 0, [""], 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            self.hits += 1
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            self.hosts.append(head.partition("Host: ")[2].partition("\r\n")[0])
            answer = self.answer(head.split(" ")[1])
            if answer is None:
                await asyncio.Event().wait()
            writer.write(answer or b"")
            await writer.drain()


@contextlib.asynccontextmanager
async def serving(
    answer: Answer, tls: ssl.SSLContext | None = None, address: str = "127.0.0.1", port: int = 0
) -> AsyncIterator[Server]:
    server = Server(answer)
    async with listening(server.serve, tls, address, port) as server.port:
        yield server


Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@contextlib.asynccontextmanager
async def listening(
    serve: Serve, tls: ssl.SSLContext | None = None, address: str = "127.0.0.1", port: int = 0
) -> AsyncIterator[int]:
    """The port; at the end every connection is gone too."""
    tasks: set[asyncio.Task[None]] = set()

    async def one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            await serve(reader, writer)
        except asyncio.CancelledError:
            pass
        finally:
            writer.transport.abort()

    listener = await asyncio.start_server(one, address, port, ssl=tls)
    try:
        yield listener.sockets[0].getsockname()[1]
    finally:
        listener.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for _ in range(3):
            await asyncio.sleep(0)


def ok(body: bytes = b"value", extra: str = "") -> bytes:
    return f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n{extra}\r\n".encode() + body


def redirect(to: str, status: int = 302) -> bytes:
    return f"HTTP/1.1 {status} Moved\r\nLocation: {to}\r\nContent-Length: 0\r\n\r\n".encode()


async def get(
    url: str,
    *,
    ports: Sequence[int],
    networks: Sequence[ipaddress.IPv4Network] = LOOPBACK,
    resolver: Callable[[str], Awaitable[Sequence[str]]] | None = None,
    max_redirects: int = 5,
    total_timeout: float = 5.0,
    verify_tls: bool = True,
    sent: Sent | None = None,
) -> Fetched:
    return await fetch(
        url,
        ports=ports,
        allow_networks=networks,
        max_bytes=8192,
        total_timeout=total_timeout,
        max_redirects=max_redirects,
        resolver=resolver,
        verify_tls=verify_tls,
        sent=sent,
    )


def names(**known: str) -> Callable[[str], Awaitable[Sequence[str]]]:
    async def resolve(host: str) -> Sequence[str]:
        return [known[host.replace(".", "_")]]

    return resolve


def test_a_page_is_fetched_from_the_address_that_was_resolved() -> None:
    async def scene() -> None:
        async with serving(lambda path: ok(path.encode(), "X-A: b\r\n")) as server:
            url = f"http://shop.example.com:{server.port}/a?b=c#d"
            got = await get(url, ports=[server.port], resolver=names(shop_example_com="127.0.0.1"))
            assert (got.status, got.body, got.address, got.header("X-A")) == (
                200,
                b"/a?b=c",
                "127.0.0.1",
                "b",
            )
            assert server.hosts[-1] == f"shop.example.com:{server.port}"

    asyncio.run(scene())


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_redirects_are_followed_and_told(status: int) -> None:
    async def scene() -> None:
        async with serving(lambda path: ok() if path == "/b" else redirect("/b", status)) as server:
            got = await get(f"http://127.0.0.1:{server.port}/a", ports=[server.port])
            assert got.body == b"value"
            assert got.redirects == (f"http://127.0.0.1:{server.port}/a",)
            assert got.url.endswith("/b")

    asyncio.run(scene())


@pytest.mark.parametrize("status", [300, 303, 304, 305])
def test_other_redirects_are_answers(status: int) -> None:
    async def scene() -> None:
        async with serving(lambda _: redirect("/b", status)) as server:
            got = await get(f"http://127.0.0.1:{server.port}/", ports=[server.port])
            assert got.status == status

    asyncio.run(scene())


FORBIDDEN = [
    "http://127.0.0.1:{port}/",
    "http://localhost:{port}/",
    "http://[::1]:{port}/",
    "http://[::ffff:127.0.0.1]:{port}/",
    "http://[::ffff:7f00:1]:{port}/",
    "http://0.0.0.0:{port}/",
    "http://0x7f.1:{port}/",
    "http://0x7f000001:{port}/",
    "http://2130706433:{port}/",
    "http://127.1:{port}/",
    "http://0177.0.0.1:{port}/",
    "http://127.0.0.1.:{port}/",
    "http://169.254.169.254:{port}/",
    "http://[fd00::1]:{port}/",
    "http://100.64.0.1:{port}/",
    "http://a@127.0.0.1:{port}/",
    "http://shop.example.com@127.0.0.1:{port}/",
    "http://127.0.0.1:{port}\\@shop.example.com/",
    "http://inside.example.com:{port}/",
    "file:///etc/passwd",
    "gopher://127.0.0.1:{port}/",
    "ftp://127.0.0.1:{port}/",
    "http://shop.example.com:1/",
    "//127.0.0.1:{port}/",
    "http:///x",
    "http://shop.example.com:99999/",
    "http://１２７.0.0.1:{port}/",
]


async def _inside(host: str) -> Sequence[str]:
    return {"public.example.com": ["127.0.0.2"]}.get(host, ["127.0.0.1", "::1", "10.0.0.1"])


@pytest.mark.parametrize("url", FORBIDDEN)
def test_forbidden_places_are_not_reached_at_first(url: str) -> None:
    async def scene() -> None:
        async with serving(lambda _: ok()) as canary:
            with pytest.raises(EgressRefused):
                await get(url.format(port=canary.port), ports=[canary.port], networks=(), resolver=_inside)
            assert canary.hits == 0

    asyncio.run(scene())


@pytest.mark.parametrize("status", [301, 302, 307, 308])
@pytest.mark.parametrize("url", FORBIDDEN)
@pytest.mark.allow_hosts(["127.0.0.0/8", "::1"])
def test_forbidden_places_are_not_reached_by_redirect(url: str, status: int) -> None:
    """The first server is at 127.0.0.2, which is allowed; 127.0.0.1 with the canary is not."""

    async def scene() -> None:
        async with serving(lambda _: ok()) as canary:
            start = f"http://public.example.com:{canary.port}/"
            only = (ipaddress.ip_network("127.0.0.2/32"),)
            target = redirect(url.format(port=canary.port).encode("utf-8").decode("latin-1"), status)
            async with serving(lambda _: target, address="127.0.0.2", port=canary.port) as first:
                with contextlib.suppress(EgressRefused):
                    await get(start, ports=[canary.port], networks=only, resolver=_inside)
                    pytest.fail("an answer came")
                assert first.hits >= 1
            assert canary.hits == 0

    asyncio.run(scene())


def test_a_name_is_resolved_once_a_request() -> None:
    """DNS rebinding: the second answer would be the inner address, but nobody asks a second time."""
    asked: list[str] = []

    async def rebinding(host: str) -> Sequence[str]:
        asked.append(host)
        return ["127.0.0.1"] if len(asked) == 1 else ["10.0.0.1"]

    async def scene() -> None:
        async with serving(lambda _: ok()) as server:
            url = f"http://shop.example.com:{server.port}/"
            assert (await get(url, ports=[server.port], resolver=rebinding)).status == 200
            assert asked == ["shop.example.com"]

    asyncio.run(scene())


ENDLESS = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
BROKEN = {
    "too long by length": ok(b"x" * 10_000_000),
    "too long by chunks": ENDLESS + b"2000\r\n" + b"x" * 8192 + b"\r\n" + b"1\r\nx\r\n",
    "cut": b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc",
    "no HTTP": b"SSH-2.0-OpenSSH\r\n\r\n",
    "nothing": b"",
    "endless header": b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000,
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_and_oversized_answers_are_errors(name: str) -> None:
    async def scene() -> None:
        async with serving(lambda _: BROKEN[name]) as server:
            with pytest.raises(ConnectorError) as caught:
                await get(f"http://127.0.0.1:{server.port}/", ports=[server.port])
            assert caught.value.permanent is name.startswith("too long")

    asyncio.run(scene())


@pytest.mark.parametrize("silent", ["at once", "after the header", "inside the body"])
def test_the_deadline_is_for_everything(silent: str) -> None:
    begun = {"at once": None, "after the header": ENDLESS, "inside the body": ENDLESS + b"5\r\nabcde\r\n"}[
        silent
    ]

    async def stall(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(begun or b"")
        await asyncio.Event().wait()

    async def scene() -> None:
        async with listening(stall) as port:
            began = time.monotonic()
            with pytest.raises(ConnectorError) as caught:
                await get(f"http://127.0.0.1:{port}/", ports=[port], total_timeout=0.3)
            assert not caught.value.permanent
            assert time.monotonic() - began < 10

    asyncio.run(scene())


def test_where_the_time_runs_out_before_a_server_is_met_nothing_was_sent() -> None:
    async def endless(host: str) -> Sequence[str]:
        await asyncio.Event().wait()
        return []

    async def scene() -> None:
        with pytest.raises(NotConnected, match="did not answer completely") as caught:
            await get("http://slow.example.test/", ports=[80], total_timeout=0.1, resolver=endless)
        assert not caught.value.sent
        assert isinstance(caught.value.__context__, TimeoutError)
        async with serving(lambda path: None) as server:
            with pytest.raises(ConnectorError) as late:
                await get(f"http://127.0.0.1:{server.port}/", ports=[server.port], total_timeout=0.1)
        assert late.value.sent

    asyncio.run(scene())


def test_redirects_are_counted() -> None:
    async def scene() -> None:
        async with serving(lambda _: redirect("/again")) as server:
            with pytest.raises(EgressRefused):
                await get(f"http://127.0.0.1:{server.port}/", ports=[server.port], max_redirects=5)
            assert server.hits == 6

    asyncio.run(scene())


def test_nobody_listens_and_no_address_can_be_tried_again() -> None:
    async def nothing(_: str) -> Sequence[str]:
        return []

    for resolver in (nothing, names(shop_example_com="127.0.0.1")):
        with pytest.raises(ConnectorError) as caught:
            asyncio.run(get("http://shop.example.com:1/", ports=[1], resolver=resolver))
        assert not caught.value.permanent


def test_this_machines_cas_are_not_read_for_each_call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []

    async def scene() -> None:
        async with serving(lambda _: ok(), _self_signed(tmp_path)) as server:
            url, resolver = f"https://shop.example.com:{server.port}/", names(shop_example_com="127.0.0.1")
            with pytest.raises(ConnectorError):
                await get(url, ports=[server.port], resolver=resolver)  # whoever came first has read them
            monkeypatch.setattr(ssl.SSLContext, "load_default_certs", lambda *_: read.append("again"))
            with pytest.raises(ConnectorError):
                await get(url, ports=[server.port], resolver=resolver)
            await get(url, ports=[server.port], resolver=resolver, verify_tls=False)

    asyncio.run(scene())
    assert read == []


def test_tls_is_verified_unless_the_caller_checks_domains(tmp_path: Path) -> None:
    async def scene() -> None:
        async with serving(lambda _: ok(), _self_signed(tmp_path)) as server:
            url = f"https://shop.example.com:{server.port}/"
            resolver = names(shop_example_com="127.0.0.1")
            with pytest.raises(ConnectorError):
                await get(url, ports=[server.port], resolver=resolver)
            got = await get(url, ports=[server.port], resolver=resolver, verify_tls=False)
            assert got.body == b"value"

    asyncio.run(scene())


def _self_signed(folder: Path) -> ssl.SSLContext:
    from datetime import UTC, datetime, timedelta

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "nobody")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), 7, now, now + timedelta(days=1))
    ).sign(key, hashes.SHA256())
    file = folder / "server.pem"
    file.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    return context


def test_a_request_of_ones_own_is_sent_whole() -> None:
    async def scene() -> None:
        seen: list[bytes] = []

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            seen.append(await reader.readuntil(b"\r\n\r\n"))
            seen.append(await reader.readexactly(4))
            writer.write(ok())
            await writer.drain()

        async with listening(serve) as port:
            sent = Sent("PATCH", {"X-API-Key": "the-key"}, b"body")
            await get(f"http://127.0.0.1:{port}/zones", ports=[port], max_redirects=0, sent=sent)
        assert seen[0].startswith(b"PATCH /zones HTTP/1.1\r\n")
        assert b"X-API-Key: the-key\r\n" in seen[0]
        assert b"Content-Length: 4\r\n" in seen[0]
        assert seen[1] == b"body"
        assert "the-key" not in repr(sent)

    asyncio.run(scene())


def test_a_request_of_ones_own_follows_no_redirect() -> None:
    """Whoever answers a redirect would otherwise be handed the credentials' next use."""

    async def scene() -> None:
        async with serving(lambda _: redirect("/elsewhere")) as server:
            url = f"http://127.0.0.1:{server.port}/"
            with pytest.raises(EgressRefused):
                await get(url, ports=[server.port], max_redirects=0, sent=Sent())
            assert server.hits == 1
            with pytest.raises(ValueError, match="follows no redirects"):
                await get(url, ports=[server.port], max_redirects=1, sent=Sent())

    asyncio.run(scene())


def test_a_header_that_cannot_be_sent_is_not_shown() -> None:
    async def scene() -> None:
        async with serving(lambda _: ok()) as server:
            sent = Sent("GET", {"X-API-Key": "secret\r\nX-Other: 1"})
            with pytest.raises(ConnectorError, match="header is not valid") as caught:
                await get(f"http://127.0.0.1:{server.port}/", ports=[server.port], max_redirects=0, sent=sent)
            assert "secret" not in str(caught.value)

    asyncio.run(scene())
