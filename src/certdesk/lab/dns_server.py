"""A small authoritative DNS server for tests, the tour and users' own trials: loopback only, UDP and TCP.

Without declared zones it answers for every name, so that it can also stand where a resolver is asked
(`CERTDESK_DNS_RESOLVERS`). Records come from calls, a file that is read again on change, RFC 2136 updates
(`nsupdate`) and a small HTTP control port.
"""

import asyncio
import contextlib
import ipaddress
import sys
from collections import deque
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Self, cast

import dns.exception
import dns.message
import dns.name
import dns.opcode
import dns.rcode
import dns.rdatatype
import dns.update

from certdesk.lab import dns_answer, dns_update
from certdesk.lab.background import LoopThread, wait_for_stop
from certdesk.lab.dns_control import ControlServer
from certdesk.lab.dns_file import RecordsFile
from certdesk.lab.dns_misbehaviour import Fault, Misbehaviour, spoil
from certdesk.lab.dns_records import Records, to_name

_LARGEST_DATAGRAM = 1232
_QUESTIONS_KEPT = 10_000


class LabDns:
    """`with LabDns() as dns: dns.set("_dnsauth.example.com", "TXT", ["value"])`.

    Args:
        address: a loopback address.
        port: 0 = any free one, for UDP and TCP alike; then read `port`.
        zones: what to be authoritative for; none = every name. NS records below an apex are delegations.
        chase: follow CNAMEs through all own zones; false = inside one zone, as BIND does.
        records: a file in zone-file lines (`owner ttl type value`), read again whenever it changes.
        control_port: also serve the HTTP control port there; 0 = any free one.

    Raises:
        ValueError: the address is not a loopback one.
        OSError: the port is taken.
    """

    def __init__(
        self,
        address: str = "127.0.0.1",
        port: int = 0,
        *,
        zones: Iterable[str] = (),
        chase: bool = True,
        records: Path | None = None,
        control_port: int | None = None,
    ) -> None:
        if not ipaddress.ip_address(address).is_loopback:
            raise ValueError(f"The lab DNS server listens on loopback only, not on {address}.")
        self.address, self.port = address, port
        self.records = Records(zones, address)
        self.questions: deque[tuple[str, str, str]] = deque(maxlen=_QUESTIONS_KEPT)
        """(name, type, `udp` or `tcp`) of the latest questions, oldest first."""
        self.control_port = control_port
        self._chase = chase
        self._file = RecordsFile(records, self.records) if records is not None else None
        self._faults: dict[dns.name.Name | None, Misbehaviour] = {}

    @property
    def server(self) -> str:
        """`ip:port`, as `CERTDESK_DNS_RESOLVERS` wants it."""
        return f"[{self.address}]:{self.port}" if ":" in self.address else f"{self.address}:{self.port}"

    def __enter__(self) -> Self:
        self._background = LoopThread("lab-dns").start()
        try:
            self._background.call(self._listen())
        except BaseException:
            self._background.stop()
            raise
        self._control: ControlServer | None = None
        if self.control_port is not None:
            self._control = ControlServer(self.address, self.control_port, self)
            self.control_port = self._control.port
        return self

    def __exit__(self, *_: object) -> None:
        if self._control is not None:
            self._control.stop()
        self._background.call(self._close())
        self._background.stop()

    def set(self, owner: str, rdtype: str, values: Sequence[str], ttl: int = 300) -> None:
        """Replace a record set; a TXT value without quotation marks is taken as it stands."""
        self.records.set(owner, rdtype, values, ttl)

    def remove(self, owner: str, rdtype: str | None = None) -> bool:
        """Delete a record set, or all of the owner's; true when something was there."""
        return self.records.remove(owner, rdtype)

    def add_zone(self, zone: str) -> None:
        """Be authoritative for one zone more; from now on only for declared zones."""
        self.records.add_zone(zone)

    def misbehave(self, owner: str, fault: str | Fault, seconds: float = 1.0) -> None:
        """Questions for `owner` (`*` = all) meet this fault until `behave`; `seconds` is for SLOW."""
        self._faults[_fault_key(owner)] = Misbehaviour(Fault(fault), seconds)

    def behave(self, owner: str | None = None) -> None:
        """End the faults of one owner, or all."""
        if owner is None:
            self._faults.clear()
        else:
            self._faults.pop(_fault_key(owner), None)

    async def _listen(self) -> None:
        loop = asyncio.get_running_loop()
        for attempt in range(20):
            tcp = await asyncio.start_server(self._serve_tcp, self.address, self.port)
            port = int(tcp.sockets[0].getsockname()[1])
            try:
                self._udp, _ = await loop.create_datagram_endpoint(
                    lambda: _Datagrams(self), local_addr=(self.address, port)
                )
            except OSError:
                tcp.close()
                if self.port or attempt == 19:  # an asked port is not exchanged for another
                    raise
                continue
            self._tcp, self.port = tcp, port
            return

    async def _close(self) -> None:
        self._udp.close()
        self._tcp.close()
        await asyncio.sleep(0)

    async def _serve_tcp(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, OSError, asyncio.CancelledError):
            while True:
                length = int.from_bytes(await reader.readexactly(2))
                for wire in await self._respond(await reader.readexactly(length), udp=False) or [b""]:
                    if not wire:
                        return writer.close()
                    writer.write(len(wire).to_bytes(2) + wire)
                await writer.drain()
        writer.close()

    async def _respond(self, wire: bytes, *, udp: bool) -> list[bytes]:
        """What to send back: mostly one message; none when silence is the answer."""
        try:
            query = dns.message.from_wire(wire)
        except (dns.exception.DNSException, ValueError):
            return []
        if self._file is not None:
            self._file.refresh()
        bad = self._fault(query)
        if bad is not None and bad.fault is Fault.SLOW:
            await asyncio.sleep(bad.seconds)
        right = self._answer(query, udp=udp)
        if bad is not None:
            return spoil(query, right, bad, udp=udp)
        return [_fitting(query, right) if udp else right.to_wire(max_size=65535)]

    def _answer(self, query: dns.message.Message, *, udp: bool) -> dns.message.Message:
        if isinstance(query, dns.update.UpdateMessage):
            return dns_update.update(query, self.records)
        for question in query.question:
            shown = question.name.to_text(omit_final_dot=True)
            self.questions.append((shown, dns.rdatatype.to_text(question.rdtype), "udp" if udp else "tcp"))
        return dns_answer.answer(query, self.records, chase=self._chase)

    def _fault(self, query: dns.message.Message) -> Misbehaviour | None:
        name = query.question[0].name if query.question and query.opcode() == dns.opcode.QUERY else None
        return (self._faults.get(name) if name is not None else None) or self._faults.get(None)


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, server: LabDns) -> None:
        self._server = server
        self._tasks: set[asyncio.Task[None]] = set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        task = asyncio.get_running_loop().create_task(self._reply(data, addr))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _reply(self, data: bytes, addr: tuple[str, int]) -> None:
        for wire in await self._server._respond(data, udp=True):
            self._transport.sendto(wire, addr)


def _fault_key(owner: str) -> dns.name.Name | None:
    return None if owner == "*" else to_name(owner)


def _fitting(query: dns.message.Message, right: dns.message.Message) -> bytes:
    """The answer if it fits the asker's datagram, else a cut one (RFC 2181 §9)."""
    limit = min(max(query.payload, 512), _LARGEST_DATAGRAM) if query.edns >= 0 else 512
    try:
        return right.to_wire(max_size=limit)
    except dns.exception.TooBig:
        return right.to_wire(max_size=limit, prefer_truncation=True)


def run_dns(port: int, control_port: int | None = None, records: Path | None = None) -> None:
    """Serve until SIGINT or SIGTERM; says on standard output where. For `certdesk lab dns`."""
    with LabDns(port=port, records=records, control_port=control_port) as server:

        def announce() -> None:
            lines = [f"Lab DNS server on {server.server} (UDP and TCP): every name, records by nsupdate"]
            if records is not None:
                lines.append(f"Records file: {records} (read again when it changes)")
            if server.control_port is not None:
                lines.append(f"Control: http://{server.address}:{server.control_port}/records")
            sys.stdout.write("\n".join(lines) + "\n")
            sys.stdout.flush()

        wait_for_stop(announce)
