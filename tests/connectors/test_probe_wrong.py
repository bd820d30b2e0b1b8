"""Thirty and more servers that do not serve what they should: each has the right verdict in the right words.

All of them are small servers of this process; each stands for a thing that was met in the field.
"""

import asyncio
import datetime
import ipaddress
import socket
import ssl
import threading
import warnings
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from certdesk.connectors import probe
from certdesk.connectors.probe import Expected, Seen, Verdict
from certdesk.lab.background import LoopThread
from certdesk.pki.x509.certificates import facts
from tests.support import tls

LOOPBACK = (ipaddress.ip_network("127.0.0.0/8"), ipaddress.ip_network("::1/128"))
NAME = "www.example.test"
OTHER = "unheard.example.test"
Handle = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def _dn(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


@dataclass
class Pair:
    """One certificate with its key, as PEM."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey

    @property
    def pem(self) -> str:
        return self.certificate.public_bytes(Encoding.PEM).decode()

    @property
    def key_pem(self) -> str:
        return self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()

    @property
    def sha256(self) -> str:
        return facts(self.certificate.public_bytes(Encoding.DER)).sha256


def pair(
    subject: str,
    above: Pair | None = None,
    *,
    days: int = 30,
    bits: int = 0,
    key: ec.EllipticCurvePrivateKey | None = None,
) -> Pair:
    """Signed by itself without one above; `days` below 0 = ended so long ago; `bits` = RSA."""
    own = key or (rsa.generate_private_key(65537, bits) if bits else ec.generate_private_key(ec.SECP256R1()))
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(_dn(subject))
        .issuer_name(above.certificate.subject if above else _dn(subject))
        .public_key(own.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=60))
        .not_valid_after(now + datetime.timedelta(days=days))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(subject)]), critical=False)
        .sign(above.key if above else own, hashes.SHA256())
    )
    return Pair(made, own)


class Stage:
    """Servers on one loop; `at` keeps what each test asks for."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.folder, self.stack = folder, stack
        self.loop = LoopThread("staged").start()
        stack.callback(self.loop.stop)
        self.number = 0

    def context(self, *pems: str) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        for pem in pems:
            self.number += 1
            file = self.folder / f"{self.number}.pem"
            file.write_text(pem, encoding="ascii")
            context.load_cert_chain(file)
        return context

    def listen(
        self, handle: Handle, context: ssl.SSLContext | None = None, host: str = "127.0.0.1", port: int = 0
    ) -> int:
        async def start() -> asyncio.Server:
            return await asyncio.start_server(_quiet(handle), host, port, ssl=context)

        server = self.loop.call(start())
        self.stack.callback(self.loop.loop.call_soon_threadsafe, server.close)
        return int(server.sockets[0].getsockname()[1])

    def plainly(self, context: ssl.SSLContext) -> int:
        """A server of OpenSSL's own manners: its alerts go out (asyncio's closes without a word)."""
        door = socket.create_server(("127.0.0.1", 0))
        worker = threading.Thread(target=_accept, args=(door, context))
        worker.start()
        self.stack.callback(worker.join)
        self.stack.callback(door.shutdown, socket.SHUT_RDWR)
        return int(door.getsockname()[1])

    def serve(self, *pems: str, host: str = "127.0.0.1", port: int = 0) -> int:
        return self.listen(_read, self.context(*pems), host, port)


def _accept(door: socket.socket, context: ssl.SSLContext) -> None:
    with door:
        while True:
            try:
                plain, _ = door.accept()
            except OSError:
                return  # the test is over
            with plain, suppress(OSError), context.wrap_socket(plain, server_side=True) as spoken:
                spoken.recv(1)


async def _read(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()


def _quiet(handle: Handle) -> Handle:
    async def run(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await handle(reader, writer)
        except OSError:
            pass  # the client has seen enough
        finally:
            writer.transport.abort()

    return run


def saying(words: bytes, *, first: bool = False, then: str = "close") -> Handle:
    """Answers the first bytes that come with these; `first` speaks without waiting."""

    async def run(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not first:
            await reader.read(4096)
        writer.write(words)
        await writer.drain()
        if then == "hang":
            await reader.read()

    return run


def dripping(context: ssl.SSLContext, pause: float) -> Handle:
    """A relay to a real server that lets 200 bytes pass at a time."""

    async def run(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server = await asyncio.start_server(_quiet(_read), "127.0.0.1", 0, ssl=context)
        behind, out = await asyncio.open_connection(*server.sockets[0].getsockname()[:2])
        try:
            out.write(await reader.read(4096))
            while piece := await behind.read(200):
                writer.write(piece)
                await writer.drain()
                await asyncio.sleep(pause)
        finally:
            out.transport.abort()
            server.close()

    return run


def cut(context: ssl.SSLContext, after: int) -> Handle:
    """A relay that resets the connection after so many bytes of the server's."""

    async def run(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server = await asyncio.start_server(_quiet(_read), "127.0.0.1", 0, ssl=context)
        behind, out = await asyncio.open_connection(*server.sockets[0].getsockname()[:2])
        try:
            out.write(await reader.read(4096))
            writer.write(await behind.readexactly(after))
            await writer.drain()
        finally:
            out.transport.abort()
            server.close()

    return run


def starting(talk: Sequence[tuple[bytes, int]], context: ssl.SSLContext) -> Handle:
    """Plain words (each with how many bytes are heard after it), then TLS."""

    async def run(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for words, heard in talk:
            writer.write(words)
            await writer.drain()
            if heard:
                await reader.readexactly(heard)
        await writer.start_tls(context)
        await reader.read()

    return run


SMTP = ((b"220 mail\r\n", 22), (b"250 STARTTLS\r\n", 10), (b"220 go\r\n", 0))
IMAP = ((b"* OK mail\r\n", 12), (b"a OK go\r\n", 0))
POP3 = ((b"+OK mail\r\n", 6), (b"+OK go\r\n", 0))
POSTGRESQL = ((b"", 8), (b"S", 0))
LDAP = ((b"", 31), (bytes.fromhex("300c02010178070a010004000400"), 0))


def tls12(*messages: bytes) -> bytes:
    """A flight of TLS 1.2 up to a certificate that is garbage: written by hand, no library makes it."""
    random = bytes(32)
    extensions = bytes.fromhex("ff01000100")
    hello = b"\x03\x03" + random + b"\x00" + b"\xc0\x2b" + b"\x00" + len(extensions).to_bytes(2) + extensions
    body = b"\x02" + len(hello).to_bytes(3) + hello + b"".join(messages)
    return b"\x16\x03\x03" + len(body).to_bytes(2) + body


def certificate_message(der: bytes) -> bytes:
    one = len(der).to_bytes(3) + der
    listed = len(one).to_bytes(3) + one
    return b"\x0b" + len(listed).to_bytes(3) + listed


@dataclass
class Case:
    """One look: what is asked, and what must come of it."""

    verdict: Verdict
    words: str
    port: int
    expected: Expected
    name: str = NAME
    host: str = "127.0.0.1"
    seconds: float = 60.0
    of: int = 0
    more: dict[str, object] = field(default_factory=dict)


@contextmanager
def full_backlog() -> Iterator[int]:
    """A listener whose queue is full: the kernel drops what comes, as a firewall does."""
    with ExitStack() as stack:
        door = stack.enter_context(socket.socket())
        door.bind(("127.0.0.1", 0))
        door.listen(0)
        for _ in range(4):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(door.getsockname())
        yield int(door.getsockname()[1])


def _closed_port() -> int:
    with socket.socket() as once:
        once.bind(("127.0.0.1", 0))
        return int(once.getsockname()[1])


@pytest.fixture(scope="module")
def cases(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Case]]:
    with ExitStack() as stack:
        stage = Stage(tmp_path_factory.mktemp("staged"), stack)
        yield {
            **_certificates(stage),
            **_addresses(stage),
            **_kinds_of_key(stage),
            **_handshakes(stage, stack),
        }


def _certificates(stage: Stage) -> dict[str, Case]:
    """Another certificate than the expected one, or the expected one served wrongly."""
    new, old, ours, foreign = (tls.make(NAME) for _ in range(4))
    want = Expected(new.sha256, old.sha256, frozenset({ours.sha256}), new.chain)
    expired, own = pair(NAME, pair("Some CA"), days=-5), pair(NAME)
    top = pair("Upper CA")
    middle = pair("Lower CA", top)
    leaf = pair(NAME, middle)
    chain = frozenset({middle.sha256, top.sha256})
    wide = tls.make("*.example.test")
    huge = new.bundle.whole + "".join(tls.make(NAME).bundle.chain for _ in range(3)) * 120
    told = Verdict.UNKNOWN, "does not know (serial "
    return {
        "previous": Case(Verdict.PREVIOUS, "still the previous", stage.serve(old.bundle.whole), want),
        "another of ours": Case(Verdict.OURS, "another certificate", stage.serve(ours.bundle.whole), want),
        "unknown": Case(*told, stage.serve(foreign.bundle.whole), want),
        "expired": Case(
            Verdict.UNKNOWN,
            f"valid until {expired.certificate.not_valid_after_utc:%Y-%m-%d %H:%M:%S} UTC",
            stage.serve(expired.pem + expired.key_pem),
            want,
        ),
        "signed by itself": Case(
            Verdict.UNKNOWN, "signed by itself", stage.serve(own.pem + own.key_pem), want
        ),
        "no intermediate": Case(
            Verdict.WRONG_CHAIN,
            "1 of the certificates above it are not sent",
            stage.serve(new.bundle.leaf + new.bundle.key),
            want,
        ),
        "another's intermediate": Case(
            Verdict.WRONG_CHAIN,
            "are not sent",
            stage.serve(new.bundle.leaf + foreign.bundle.chain + new.bundle.key),
            want,
        ),
        "wrong order": Case(
            Verdict.WRONG_CHAIN,
            "wrong order",
            stage.serve(leaf.pem + top.pem + middle.pem + leaf.key_pem),
            Expected(leaf.sha256, chain=chain),
        ),
        "right order": Case(
            Verdict.NEW,
            "the new certificate.",
            stage.serve(leaf.pem + middle.pem + top.pem + leaf.key_pem),
            Expected(leaf.sha256, chain=chain),
        ),
        "another name": Case(
            Verdict.NAME_MISMATCH,
            "does not cover",
            stage.serve(new.bundle.whole),
            Expected(new.sha256),
            "shop.example.test",
        ),
        "wildcard one level off": Case(
            Verdict.NAME_MISMATCH,
            "does not cover",
            stage.serve(wide.bundle.whole),
            Expected(wide.sha256),
            "a.b.example.test",
        ),
        "huge chain": Case(Verdict.REFUSED, "more certificates than clients take", stage.serve(huge), want),
    }


def _addresses(stage: Stage) -> dict[str, Case]:
    """Right at one address, wrong at another."""
    new, old = tls.make(NAME), tls.make(NAME)
    want = Expected(new.sha256, old.sha256)

    async def both(_: str) -> Sequence[str]:
        return ["127.0.0.1", "::1"]

    async def two(_: str) -> Sequence[str]:
        return ["::1", "127.0.0.1"]

    first = stage.serve(new.bundle.whole)
    stage.serve(old.bundle.whole, host="::1", port=first)
    second = stage.serve(old.bundle.whole)
    stage.serve(new.bundle.whole, host="::1", port=second)
    third = stage.serve(new.bundle.whole)
    still = "still the previous"
    return {
        "only IPv6 wrong": Case(
            Verdict.PREVIOUS, still, first, want, host=OTHER, of=1, more={"resolver": both}
        ),
        "second address wrong": Case(
            Verdict.PREVIOUS, still, second, want, host=OTHER, of=1, more={"resolver": two}
        ),
        "second address dead": Case(
            Verdict.UNREACHABLE, "No connection", third, want, host=OTHER, of=1, more={"resolver": both}
        ),
    }


def _kinds_of_key(stage: Stage) -> dict[str, Case]:
    """RSA and EC certificates at one door: right for the clients of one kind alone."""
    rsa_new, rsa_old = tls.make(NAME, key="RSA"), tls.make(NAME, key="RSA")
    ec_new, ec_old = tls.make(NAME), tls.make(NAME)
    still = "previous"
    return {
        "RSA right, EC previous": Case(
            Verdict.PREVIOUS,
            still,
            stage.serve(rsa_new.bundle.whole, ec_old.bundle.whole),
            Expected(rsa_new.sha256, ec_old.sha256, key="RSA"),
        ),
        "EC right, RSA previous": Case(
            Verdict.PREVIOUS,
            still,
            stage.serve(rsa_old.bundle.whole, ec_new.bundle.whole),
            Expected(ec_new.sha256, rsa_old.sha256, key="EC"),
        ),
        "RSA right, EC not of this deployment": Case(
            Verdict.NEW,
            "the new certificate.",
            stage.serve(rsa_new.bundle.whole, ec_old.bundle.whole),
            Expected(rsa_new.sha256, rsa_old.sha256, key="RSA"),
        ),
        "neither right": Case(
            Verdict.UNKNOWN,
            "does not know",
            stage.serve(rsa_old.bundle.whole, ec_old.bundle.whole),
            Expected(rsa_new.sha256, key="RSA"),
        ),
    }


def _handshakes(stage: Stage, stack: ExitStack) -> dict[str, Case]:
    """Servers that show no certificate, or not as clients can take it."""
    new = tls.make(NAME)
    want, whole = Expected(new.sha256, chain=new.chain), new.bundle.whole
    quick = 0.4

    def old_only() -> ssl.SSLContext:
        context = stage.context(whole)
        context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # that it is old is the point
            context.maximum_version = ssl.TLSVersion.TLSv1_1
        context.set_ciphers("ALL:@SECLEVEL=0")
        return context

    def knows_no_name(alert: ssl.AlertDescription) -> ssl.SSLContext:
        context = stage.context(whole)
        context.sni_callback = lambda *_: alert
        return context

    def wants_client(version: ssl.TLSVersion) -> ssl.SSLContext:
        context = stage.context(whole)
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(cadata=new.bundle.chain)
        context.maximum_version = version
        return context

    short = pair(NAME, bits=1024)
    weak = stage.context()
    weak.set_ciphers("ALL:@SECLEVEL=0")
    file = stage.folder / "short.pem"
    file.write_text(short.pem + short.key_pem, encoding="ascii")
    weak.load_cert_chain(file)
    no_start = [
        ("smtp", saying(b"220 mail\r\n250 mail\r\n502 no such thing\r\n", first=True, then="hang"), "502"),
        ("imap", saying(b"* OK mail\r\na NO never\r\n", first=True, then="hang"), "a NO never"),
        ("pop3", saying(b"-ERR busy\r\n", first=True, then="hang"), "-ERR busy"),
        ("postgresql", saying(b"N"), "N"),
        ("ldap", saying(bytes.fromhex("300c02010178070a013504000400")), "020101"),
    ]
    starts = [("smtp", SMTP), ("imap", IMAP), ("pop3", POP3), ("postgresql", POSTGRESQL), ("ldap", LDAP)]
    other = tls.make(NAME)
    refused = Verdict.REFUSED
    garbage = tls12(certificate_message(b"\x30\x03garbage"))
    return {
        "TLS 1.1 at best": Case(
            refused, "at best, which clients refuse", stage.listen(_read, old_only()), want
        ),
        "key too short": Case(Verdict.UNKNOWN, "signed by itself", stage.listen(_read, weak), want),
        "does not know the name": Case(
            refused,
            "does not know this name",
            stage.plainly(knows_no_name(ssl.AlertDescription.ALERT_DESCRIPTION_UNRECOGNIZED_NAME)),
            want,
        ),
        "ends with an alert": Case(
            refused,
            "has no certificate or cipher",
            stage.plainly(knows_no_name(ssl.AlertDescription.ALERT_DESCRIPTION_HANDSHAKE_FAILURE)),
            want,
        ),
        "HTTP without TLS": Case(
            refused, "does not speak TLS here", stage.listen(saying(b"HTTP/1.1 400 Bad\r\n\r\n")), want
        ),
        "SSH": Case(
            refused, "does not speak TLS here", stage.listen(saying(b"SSH-2.0-a\r\n", first=True)), want
        ),
        "closes at once": Case(refused, "closed the connection", stage.listen(saying(b"", first=True)), want),
        "closes after the hello": Case(refused, "closed the connection", stage.listen(saying(b"")), want),
        "resets in the middle": Case(
            refused, "closed the connection", stage.listen(cut(stage.context(whole), 300)), want
        ),
        "garbage for a certificate": Case(
            refused, "cannot be read", stage.listen(saying(garbage, then="hang")), want
        ),
        "hangs after the hello": Case(
            Verdict.UNREACHABLE,
            f"within {quick:g} s",
            stage.listen(saying(garbage[:20], then="hang")),
            want,
            seconds=quick,
        ),
        "too slow": Case(
            Verdict.UNREACHABLE,
            f"within {quick:g} s",
            stage.listen(dripping(stage.context(whole), 30)),
            want,
            seconds=quick,
        ),
        "slow, but in time": Case(
            Verdict.NEW, "the new certificate.", stage.listen(dripping(stage.context(whole), 0.001)), want
        ),
        "black hole": Case(
            Verdict.UNREACHABLE,
            f"within {quick:g} s",
            stack.enter_context(full_backlog()),
            want,
            seconds=quick,
        ),
        "closed port": Case(Verdict.UNREACHABLE, "No connection", _closed_port(), want),
        "wants a client's certificate (1.2)": Case(
            Verdict.NEW,
            "the new certificate.",
            stage.plainly(wants_client(ssl.TLSVersion.TLSv1_2)),
            want,
        ),
        "wants a client's certificate (1.3)": Case(
            Verdict.NEW,
            "the new certificate.",
            stage.plainly(wants_client(ssl.TLSVersion.TLSv1_3)),
            want,
        ),
        **{
            f"no STARTTLS ({word})": Case(
                refused, f"does not change to TLS: it answered '{told}"[:55], stage.listen(handle), want,
                host=f"{word}://127.0.0.1",
            )
            for word, handle, told in no_start
        },
        **{
            f"{verdict.lower()} after STARTTLS ({word})": Case(
                verdict,
                "the new certificate." if made is new else "does not know",
                stage.listen(starting(talk, stage.context(made.bundle.whole))),
                want,
                host=f"{word}://127.0.0.1",
            )
            for word, talk in starts
            for made, verdict in ((new, Verdict.NEW), (other, Verdict.UNKNOWN))
        },
        "no such protocol": Case(
            Verdict.UNREACHABLE, "is no protocol", 443, want, host="gopher://127.0.0.1"
        ),
    }  # fmt: skip


async def _asked(case: Case) -> tuple[Seen, ...]:
    return await probe.look(
        case.host,
        case.port,
        case.name,
        case.expected,
        allow_networks=LOOPBACK,
        seconds=case.seconds,
        **case.more,  # type: ignore[arg-type]
    )


# rule: DEP-6
def test_each_wrong_server_has_the_right_verdict_in_the_right_words(cases: dict[str, Case]) -> None:
    async def every() -> list[tuple[Seen, ...]]:
        return await asyncio.gather(*(_asked(case) for case in cases.values()))

    found = dict(zip(cases, asyncio.run(every()), strict=True))
    wrong = {}
    for label, case in cases.items():
        seen = found[label][case.of]
        if seen.verdict is not case.verdict or case.words not in seen.sentence:
            wrong[label] = (case.verdict.value, case.words, seen.verdict.value, seen.sentence)
    assert not wrong
    assert sum(case.verdict is not Verdict.NEW for case in cases.values()) >= 30


def test_where_one_address_is_wrong_the_others_are_told_as_they_are(cases: dict[str, Case]) -> None:
    for label in ("only IPv6 wrong", "second address wrong", "second address dead"):
        right = asyncio.run(_asked(cases[label]))[0]
        assert right.verdict is Verdict.NEW


def test_a_name_that_nobody_can_be_asked_for_is_refused_in_words(cases: dict[str, Case]) -> None:
    case = cases["unknown"]
    (seen,) = asyncio.run(
        probe.look("127.0.0.1", case.port, f"{'a' * 80}.test", case.expected, allow_networks=LOOPBACK)
    )
    assert (seen.verdict, "asked for this name" in seen.sentence) == (Verdict.REFUSED, True)
