"""A remote perspective: looks at DNS records and proof files from where it runs, and says what it saw.

One file, standard library only: copy it to a machine elsewhere and run
`python3 perspective.py --key-file KEY --listen 0.0.0.0:8790 [--resolver IP:PORT] [--ports 80,443]`.
It answers signed requests alone, keeps nothing, and reaches public addresses only. It does not decide: the
desk compares. Put TLS in front where the way is not your own; the signature protects content, not privacy.
"""

import argparse
import contextlib
import hashlib
import hmac
import http.client
import ipaddress
import json
import re
import secrets
import socket
import ssl
import struct
import sys
import threading
import time
import urllib.parse
from collections.abc import Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

SKEW = 300  # seconds that the two clocks may differ
LOOK_SECONDS = 6.0
MOST_BYTES = 4096
MOST_REDIRECTS = 5
MOST_HOPS = 8
_REDIRECTS = (301, 302, 307, 308)
_DEFAULT_PORTS = {"http": 80, "https": 443}
_TYPES = {"A": 1, "CNAME": 5, "TXT": 16, "AAAA": 28}
_RCODES = {2: "SERVFAIL", 3: "NXDOMAIN", 5: "REFUSED"}
_NAME = re.compile(
    r"(?=.{1,253}\Z)([a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?\.)*[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\Z"
)

# The same list as the desk's own gate (connectors/egress.py); a test compares the two address by address.
_SPECIAL = tuple(
    ipaddress.ip_network(text)
    for text in [
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",
        "240.0.0.0/4",
        "2001::/23",
        "2001:db8::/32",
        "2002::/16",
        "3fff::/20",
    ]
)
_UNICAST_V6 = ipaddress.IPv6Network("2000::/3")


class Refused(Exception):
    """The gate of this agent; nothing was sent to the place."""


@dataclass(frozen=True)
class Config:
    """What the operator of the agent set."""

    key: bytes = field(repr=False)
    resolver: tuple[str, int]
    ports: tuple[int, ...] = (80, 443)
    allow: tuple[Network, ...] = ()


def sign(key: bytes, *parts: bytes) -> str:
    """HMAC-SHA-256, hex, over the parts, each with its length in front."""
    framed = b"".join(len(part).to_bytes(4, "big") + part for part in parts)
    return hmac.new(key, framed, hashlib.sha256).hexdigest()


# --- addresses -------------------------------------------------------------------------------------------


def is_allowed(text: str, allow: Sequence[Network]) -> bool:
    """A public unicast address, or one that the operator allows."""
    try:
        address: Address = ipaddress.ip_address(text)
    except ValueError:
        return False
    if isinstance(address, ipaddress.IPv6Address):
        if address.scope_id is not None:
            return False
        address = address.ipv4_mapped or address
    if any(address in network for network in allow):
        return True
    if isinstance(address, ipaddress.IPv6Address) and address not in _UNICAST_V6:
        return False
    return not any(address in network for network in _SPECIAL)


# --- DNS -------------------------------------------------------------------------------------------------


def question(name: str, kind: int, ident: int) -> bytes:
    """A query with recursion desired."""
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    return struct.pack("!6H", ident, 0x0100, 1, 0, 0, 0) + labels + b"\0" + struct.pack("!2H", kind, 1)


def read_name(packet: bytes, at: int) -> tuple[str, int]:
    """A name of a DNS packet and the place after it; pointers lead back only."""
    labels, end, before = [], 0, at
    while True:
        length = packet[at]
        if length >= 0xC0:
            pointer = struct.unpack_from("!H", packet, at)[0] & 0x3FFF
            end = end or at + 2
            if pointer >= before:
                raise ValueError("a name of the answer points forwards")
            at = before = pointer
        elif length:
            labels.append(packet[at + 1 : at + 1 + length].decode("latin-1"))
            at += length + 1
        else:
            return ".".join(labels).lower(), end or at + 1


def read_answer(packet: bytes, ident: int) -> tuple[int, bool, list[tuple[str, int, bytes | str]]]:
    """Response code, whether it was cut short, and the answer's records: owner, type, value.

    Raises:
        ValueError: it is no answer to the question.
    """
    try:
        got, flags, questions, answers = struct.unpack_from("!4H", packet)
        if got != ident or not flags & 0x8000:
            raise ValueError("another answer")
        at = 12
        for _ in range(questions):
            at = read_name(packet, at)[1] + 4
        records: list[tuple[str, int, bytes | str]] = []
        for _ in range(answers):
            owner, at = read_name(packet, at)
            kind, _, _, size = struct.unpack_from("!2HIH", packet, at)
            at += 10
            records.append((owner, kind, _value(packet, at, size, kind)))
            at += size
    except (IndexError, struct.error):
        raise ValueError("the answer is cut") from None
    return flags & 0xF, bool(flags & 0x0200), records


def _value(packet: bytes, at: int, size: int, kind: int) -> bytes | str:
    if kind == _TYPES["CNAME"]:
        return read_name(packet, at)[0]
    data = packet[at : at + size]
    if kind != _TYPES["TXT"]:
        return data
    text = b""
    while data:
        text, data = text + data[1 : 1 + data[0]], data[1 + data[0] :]
    return text


def ask(config: Config, name: str, kind: str, until: float) -> tuple[str, list[tuple[str, int, bytes | str]]]:
    """`("", records)`, or what failed: NXDOMAIN, SERVFAIL, REFUSED, TIMEOUT. UDP, then TCP when cut."""
    ident = secrets.randbelow(65536)
    query = question(name, _TYPES[kind], ident)
    try:
        packet = _udp(config, query, ident, until)
        code, cut, records = read_answer(packet, ident)
        if cut:
            code, _, records = read_answer(_tcp(config, query, until), ident)
    except (OSError, ValueError):
        return "TIMEOUT", []
    return (_RCODES.get(code, "SERVFAIL") if code else ""), records


def _left(until: float) -> float:
    left = until - time.monotonic()
    if left <= 0:
        raise TimeoutError("the time is over")
    return left


def _udp(config: Config, query: bytes, ident: int, until: float) -> bytes:
    family = socket.AF_INET6 if ":" in config.resolver[0] else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as channel:
        channel.connect(config.resolver)
        while True:
            channel.settimeout(min(2.0, _left(until)))
            channel.send(query)
            try:
                while True:
                    packet = channel.recv(4096)
                    if packet[:2] == ident.to_bytes(2, "big"):
                        return packet
            except TimeoutError:
                continue


def _tcp(config: Config, query: bytes, until: float) -> bytes:
    with socket.create_connection(config.resolver, timeout=_left(until)) as channel:
        channel.sendall(len(query).to_bytes(2, "big") + query)
        stream = channel.makefile("rb")
        size = int.from_bytes(stream.read(2), "big")
        return stream.read(size)


def look_at_record(config: Config, name: str, kind: str, value: str) -> tuple[str, str]:
    """The record's answer, as the desk names it, and a sentence."""
    until = time.monotonic() + LOOK_SECONDS
    owner = name
    for _ in range(MOST_HOPS):
        failed, records = ask(config, owner, kind, until)
        if failed:
            return failed, f"The question for {owner} was answered with {failed}."
        found = [one for who, got, one in records if who == owner and got == _TYPES[kind]]
        if found:
            break
        alias = [str(one) for who, got, one in records if who == owner and got == _TYPES["CNAME"]]
        if not alias or kind == "CNAME":
            return "NO_RECORD", f"The name {owner} has no {kind} record."
        owner = alias[0]
    else:
        return "CNAME_LOOP", f"The name {name} leads nowhere: too many CNAME records stand in a row."
    wanted: bytes | str = value.lower().rstrip(".") if kind == "CNAME" else value.encode()
    if wanted in found:
        return "MATCH", f"The {kind} record at {owner} has the expected value."
    first = found[0] if isinstance(found[0], str) else printable(found[0])
    return "WRONG_VALUE", f'The {kind} record at {owner} has "{first}", not the expected value.'


# --- files -----------------------------------------------------------------------------------------------


def addresses(config: Config, host: str, until: float) -> list[str]:
    """Where a host of a URL may be connected to: resolved once; an address must stand in plain spelling.

    Raises:
        Refused: none of its addresses is allowed, or it has none.
    """
    try:
        found = [str(ipaddress.ip_address(host))]
    except ValueError:
        if not _NAME.match(host) or re.match(r"(0x[0-9a-f]*|[0-9]+)\Z", host.rpartition(".")[2]):
            raise Refused(f"{host[:100]} is not a host name.") from None
        found = []
        for kind, family in (("A", socket.AF_INET), ("AAAA", socket.AF_INET6)):
            _, records = ask(config, host, kind, until)
            found += [
                socket.inet_ntop(family, one)
                for _, got, one in records
                if got == _TYPES[kind] and isinstance(one, bytes)
            ]
    allowed = [one for one in found if is_allowed(one, config.allow)]
    if not allowed:
        raise Refused(f"{host} leads to {', '.join(found[:4]) or 'no address'}: not allowed from here.")
    return allowed[:4]


def fetch(config: Config, url: str, until: float) -> tuple[int, str, bytes]:
    """Status, Location and at most `MOST_BYTES` + 1 bytes of the body of one URL; follows nothing.

    Raises:
        Refused: scheme, port, host or address is not allowed.
        OSError, http.client.HTTPException, ValueError: no answer, or a broken one.
    """
    if not url.isascii() or not url.isprintable() or " " in url or "\\" in url:
        raise Refused(f"The URL {url[:100]!r} has characters that no URL may have.")
    try:
        parts = urllib.parse.urlsplit(url)
        port = parts.port or _DEFAULT_PORTS.get(parts.scheme, 0)
    except ValueError:
        raise Refused(f"{url[:100]} is not a URL.") from None
    if parts.scheme not in _DEFAULT_PORTS or "@" in parts.netloc or not parts.hostname:
        raise Refused(f"{url[:100]} is no plain http or https URL.")
    if port not in config.ports:
        raise Refused(f"Port {port} of {url[:100]} is not allowed.")
    host = parts.hostname.removesuffix(".").lower()
    channels = [_connect(addresses(config, host, until), port, until)]
    deadline = threading.Timer(_left(until), lambda: _shut(channels[-1]))  # what drips in slowly ends there
    deadline.start()
    with contextlib.ExitStack() as stack:
        stack.callback(lambda: channels[-1].close())
        stack.callback(deadline.cancel)
        if parts.scheme == "https":
            context = _unverified()
            channels.append(
                context.wrap_socket(channels[0], server_hostname=host, do_handshake_on_connect=False)
            )
            channels[-1].do_handshake()  # type: ignore[attr-defined]
        connection = http.client.HTTPConnection(host, port, timeout=_left(until))
        connection.sock = channels[-1]
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        shown = f"[{host}]" if ":" in host else host
        usual = port == _DEFAULT_PORTS[parts.scheme]
        connection.putrequest("GET", path, skip_host=True, skip_accept_encoding=True)
        connection.putheader("Host", shown if usual else f"{shown}:{port}")
        connection.putheader("User-Agent", "certdesk")
        connection.putheader("Connection", "close")
        connection.endheaders()
        answer = connection.getresponse()
        return answer.status, answer.getheader("Location") or "", answer.read(MOST_BYTES + 1)


def _connect(found: Sequence[str], port: int, until: float) -> socket.socket:
    problem: OSError = ConnectionError("no address")
    for address in found:
        try:
            channel = socket.create_connection((address, port), timeout=_left(until))
        except OSError as error:
            problem = error
            continue
        if ipaddress.ip_address(channel.getpeername()[0]) == ipaddress.ip_address(address):
            return channel
        channel.close()
        raise Refused(f"connected to another address in place of {address}.")
    raise problem


def _shut(channel: socket.socket) -> None:
    with contextlib.suppress(OSError):
        channel.shutdown(socket.SHUT_RDWR)


def _unverified() -> ssl.SSLContext:
    """The name is being proved: it may have no good certificate yet."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def look_at_file(config: Config, name: str, path: str, value: str) -> tuple[str, str]:
    """The file's answer, as the desk names it, and a sentence; any port that shows the value is enough."""
    until = time.monotonic() + LOOK_SECONDS
    seen: list[tuple[str, str]] = []
    for port in config.ports:
        for scheme in {80: ("http",), 443: ("https",)}.get(port, ("http", "https")):
            usual = port in (80, 443)
            seen.append(_file(config, f"{scheme}://{name}{'' if usual else f':{port}'}{path}", value, until))
            if seen[-1][0] == "MATCH":
                return seen[-1]
    order = ("WRONG_VALUE", "NO_FILE", "REFUSED", "NO_ANSWER")
    return min(seen, key=lambda one: order.index(one[0]), default=("NO_ANSWER", "There is no port to ask."))


def _file(config: Config, url: str, value: str, until: float) -> tuple[str, str]:
    try:
        for _ in range(MOST_REDIRECTS + 1):
            status, location, body = fetch(config, url, until)
            if status not in _REDIRECTS or not location:
                break
            url = urllib.parse.urljoin(url, location)
        else:
            return "REFUSED", f"More than {MOST_REDIRECTS} redirects stand in a row."
    except Refused as refused:
        return "REFUSED", str(refused)
    except (OSError, http.client.HTTPException, ValueError) as error:
        return "NO_ANSWER", f"{url[:200]} gave no answer: {error}."
    if not 200 <= status < 300:
        return "NO_FILE", f"{url[:200]} answered status {status}."
    if len(body) <= MOST_BYTES and body.removeprefix(b"\xef\xbb\xbf").strip() == value.encode():
        return "MATCH", f"{url[:200]} has the expected value."
    return "WRONG_VALUE", f'{url[:200]} has other text, beginning "{printable(body[:60])}".'


def printable(data: bytes) -> str:
    return "".join(chr(one) if 0x20 <= one <= 0x7E else f"\\{one:03d}" for one in data[:100])


# --- the server ------------------------------------------------------------------------------------------


def answer(config: Config, asked: dict[str, str]) -> dict[str, str]:
    """What was asked for, looked at.

    Raises:
        ValueError: the request does not make sense.
    """
    name, value = str(asked.get("name", "")).lower(), str(asked.get("value", ""))
    if not _NAME.match(name) or not 16 <= len(value) <= 300:
        raise ValueError("name or value")
    if asked.get("method") == "DNS" and asked.get("type") in ("TXT", "CNAME"):
        result, seen = look_at_record(config, name, asked["type"], value)
    elif asked.get("method") == "FILE" and re.fullmatch(r"(/[A-Za-z0-9._-]+){1,4}", str(asked.get("path"))):
        result, seen = look_at_file(config, name, asked["path"], value)
    else:
        raise ValueError("method, type or path")
    return {"answer": result, "seen": seen}


class Seen:
    """Nonces of the last minutes: a request is answered once."""

    def __init__(self) -> None:
        self._times: dict[str, float] = {}
        self._lock = threading.Lock()

    def is_new(self, nonce: str, now: float) -> bool:
        with self._lock:
            self._times = {one: at for one, at in self._times.items() if now - at < 2 * SKEW}
            if nonce in self._times or len(self._times) > 100_000:
                return False
            self._times[nonce] = now
            return True


def accept(config: Config, seen: Seen, headers: dict[str, str], body: bytes, now: float) -> str:
    """The signature of a good request; empty for any other."""
    moment, nonce = headers.get("x-certdesk-time", ""), headers.get("x-certdesk-nonce", "")
    given = headers.get("x-certdesk-signature", "")
    expected = sign(config.key, b"ask", moment.encode(), nonce.encode(), body)
    if not hmac.compare_digest(expected.encode(), given.encode()):
        return ""
    if not moment.isdecimal() or abs(now - int(moment)) > SKEW or not seen.is_new(nonce, now):
        return ""
    return given


class Agent(ThreadingHTTPServer):
    """`Agent(config, ("127.0.0.1", 0))`; then `serve_forever`."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, config: Config, address: tuple[str, int]) -> None:
        self.config, self.seen = config, Seen()
        if ":" in address[0]:
            self.address_family = socket.AF_INET6
        super().__init__(address, _Handler)


class _Handler(BaseHTTPRequestHandler):
    server: Agent
    timeout = 15

    def do_POST(self) -> None:
        size = self.headers.get("Content-Length", "")
        if self.path != "/look" or not size.isdecimal() or int(size) > 4096:
            return self._send(404, b"{}", "")
        body = self.rfile.read(int(size))
        headers = {key.lower(): value for key, value in self.headers.items()}
        asked = accept(self.server.config, self.server.seen, headers, body, time.time())
        if not asked:
            return self._send(403, b'{"error": "signature, time or nonce"}', "")
        try:
            found = json.dumps(answer(self.server.config, json.loads(body))).encode()
        except (ValueError, TypeError, AttributeError) as error:
            return self._send(400, json.dumps({"error": str(error)[:100]}).encode(), asked)
        return self._send(200, found, asked)

    def _send(self, status: int, body: bytes, asked: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        if asked:
            signature = sign(self.server.config.key, b"answer", asked.encode(), body)
            self.send_header("X-Certdesk-Signature", signature)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Silent: what it looks at is the desk's to log."""


def read_key(path: Path) -> bytes:
    """The shared secret: at least 32 characters, in a file that only its owner may read.

    Raises:
        SystemExit: it is not so.
    """
    try:
        if path.stat().st_mode & 0o077:
            raise SystemExit(f"perspective: {path} may be read by others; run: chmod 600 {path}")
        key = path.read_bytes().strip()
    except OSError as error:
        raise SystemExit(f"perspective: {path} cannot be read: {error.strerror}.") from None
    if len(key) < 32:
        raise SystemExit(
            f"perspective: {path} holds fewer than 32 characters; make one with: openssl rand -hex 32"
        )
    return key


def system_resolver() -> str:
    """The first name server of /etc/resolv.conf."""
    try:
        for line in Path("/etc/resolv.conf").read_text(encoding="ascii", errors="replace").splitlines():
            if line.split()[:1] == ["nameserver"] and len(line.split()) > 1:
                return line.split()[1].partition("%")[0]
    except OSError:
        pass
    return "127.0.0.1"


def host_port(text: str, default: int) -> tuple[str, int]:
    """`1.2.3.4`, `1.2.3.4:53`, `[::1]:53` or `::1`."""
    bare = text.strip("[]")
    if bare.count(":") > 1 and not text.startswith("["):
        return bare, default
    host, _, port = text.rpartition(":") if ":" in text else (text, "", "")
    return host.strip("[]"), int(port or default)


def run(arguments: Sequence[str]) -> None:
    """Serves until Ctrl-C or SIGTERM."""
    parser = argparse.ArgumentParser(prog="perspective", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--key-file", type=Path, required=True, help="the secret shared with the desk")
    parser.add_argument("--listen", default="127.0.0.1:8790", help="host:port")
    parser.add_argument("--resolver", default="", help="recursive DNS server; default: the system's first")
    parser.add_argument("--ports", default="80,443", help="ports of the file method")
    parser.add_argument("--allow", action="append", default=[], help="CIDR to reach beside public addresses")
    given = parser.parse_args(list(arguments))
    config = Config(
        read_key(given.key_file),
        host_port(given.resolver or system_resolver(), 53),
        tuple(int(one) for one in given.ports.split(",")),
        tuple(ipaddress.ip_network(one) for one in given.allow),
    )
    with Agent(config, host_port(given.listen, 8790)) as agent:
        host, port = agent.server_address[:2]
        sys.stdout.write(f"perspective: listening on {host!s}:{port}\n")
        sys.stdout.flush()
        with contextlib.suppress(KeyboardInterrupt):
            agent.serve_forever()


if __name__ == "__main__":
    run(sys.argv[1:])
