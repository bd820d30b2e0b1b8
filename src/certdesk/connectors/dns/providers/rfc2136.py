"""DNS UPDATE (RFC 2136) with TSIG: BIND, Knot, PowerDNS, NSD's primaries, Windows with a shared key.

The server adds and removes single records itself, so nobody's values get lost; prerequisites say what must
be true in the same step.
"""

import base64
import binascii
import contextlib
from typing import ClassVar, Literal

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.tsig
import dns.update
import pydantic

from certdesk.connectors.dns.lookup import parse_name, show
from certdesk.connectors.dns.providers.options import NO_SECRET, ProviderOptions, Secret, ZoneNames
from certdesk.connectors.dns.providers.paging import page_of
from certdesk.connectors.dns.providers.protocol import (
    ConnectionCheck,
    DnsError,
    Outside,
    Page,
    ProofType,
    Reason,
    RecordSet,
    Zone,
)
from certdesk.connectors.dns.providers.sets import already_there, not_alone, not_there, other_cname
from certdesk.connectors.dns.providers.values import check_writable, checked, inside, same, written
from certdesk.connectors.dns.providers.wire import Primary
from certdesk.connectors.protocol import ConnectorError

_MOST_TESTED = 20


class Rfc2136Options(ProviderOptions):
    """Server, zones and key."""

    label: ClassVar[str] = "DNS UPDATE (RFC 2136)"

    server: str = pydantic.Field(
        title="Primary server", description="Host name or IP address of the server that takes updates."
    )
    port: int = pydantic.Field(53, ge=1, le=65535, title="Port")
    zones: ZoneNames = pydantic.Field(
        title="Zones",
        examples=["example.com"],
        description="The protocol cannot list them: name each zone that may be written.",
    )
    key_name: str = pydantic.Field("", title="TSIG key name", description="As in the server's configuration.")
    key_algorithm: Literal["hmac-sha256", "hmac-sha384", "hmac-sha512", "hmac-sha224"] = pydantic.Field(
        "hmac-sha256", title="TSIG algorithm"
    )
    key_secret: Secret = pydantic.Field(
        NO_SECRET, title="TSIG secret", description="Base64, as tsig-keygen writes it."
    )
    allow_unsigned: bool = pydantic.Field(
        False,
        title="Without a key",
        description="Send updates unsigned: only where the server trusts this machine's address.",
    )

    @pydantic.model_validator(mode="after")
    def _key_or_permission(self) -> "Rfc2136Options":
        secret = self.key_secret.get_secret_value()
        if not self.key_name and not secret:
            if not self.allow_unsigned:
                raise ValueError("give a TSIG key, or allow updates without one")
            return self
        try:
            parse_name(self.key_name)
            decoded = base64.b64decode(secret, validate=True)
        except (binascii.Error, ConnectorError):
            raise ValueError("key name or secret (base64) cannot be read") from None
        if not self.key_name or len(decoded) < 8:
            raise ValueError("a TSIG key has a name and a secret of at least 8 bytes")
        return self

    def endpoint(self) -> tuple[str, int]:
        return self.server.lower(), self.port

    def key(self) -> dns.tsig.Key | None:
        if not self.key_name:
            return None
        return dns.tsig.Key(
            parse_name(self.key_name), self.key_secret.get_secret_value(), parse_name(self.key_algorithm)
        )


class Rfc2136:
    """`Provider` over DNS UPDATE."""

    def __init__(self, options: Rfc2136Options, outside: Outside) -> None:
        self._zones = tuple(Zone(name) for name in options.zones)
        self._primary = Primary(options.server, options.port, options.key(), outside)

    async def zones(self, marker: str | None = None) -> Page[Zone]:
        return page_of(self._zones, marker)

    async def record_sets(self, zone: Zone, marker: str | None = None) -> Page[RecordSet]:
        """By zone transfer, which the server must allow; each page is a transfer of its own."""
        found: dict[tuple[dns.name.Name, int], tuple[int, list[str]]] = {}
        async for rrset in self._primary.transfer(parse_name(zone.name)):
            _, values = found.setdefault((rrset.name, rrset.rdtype), (rrset.ttl, []))
            values += [record.to_text() for record in rrset]
        sets = [
            RecordSet(
                show(name).lower(),
                dns.rdatatype.to_text(dns.rdatatype.RdataType.make(rdtype)),
                ttl,
                tuple(values),
            )
            for (name, rdtype), (ttl, values) in sorted(found.items())
        ]
        return page_of(tuple(sets), marker)

    async def record_set(self, zone: Zone, name: str, record_type: str) -> RecordSet | None:
        name = inside(zone, name)
        question = dns.message.make_query(parse_name(name), record_type)
        question.flags &= ~dns.flags.RD
        answer = await self._primary.exchange(question)
        if answer.rcode() not in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN):
            raise self._failed(zone, answer, "The question for the record")
        for rrset in answer.answer:
            if rrset.name == parse_name(name) and rrset.rdtype == dns.rdatatype.from_text(record_type):
                return RecordSet(name, record_type, rrset.ttl, tuple(one.to_text() for one in rrset))
        return None

    async def add_record_set(self, zone: Zone, record_set: RecordSet) -> None:
        new = checked(zone, record_set)
        update = self._alone(zone, new.name, new.type)
        if new.type != "CNAME":
            update.absent(parse_name(new.name), new.type)
        _add(update, new)
        if await self._send(zone, update) is not dns.rcode.NOERROR:
            if await self.record_set(zone, new.name, new.type) is not None:
                raise already_there(new.name, new.type)
            raise await self._not_beside(zone, new.name)

    async def modify_record_set(self, zone: Zone, record_set: RecordSet) -> None:
        new = checked(zone, record_set)
        update = dns.update.UpdateMessage(parse_name(zone.name))
        update.present(parse_name(new.name), new.type)
        update.delete(parse_name(new.name), new.type)
        _add(update, new)
        if await self._send(zone, update) is not dns.rcode.NOERROR:
            raise not_there(new.name, new.type)

    async def delete_record_set(self, zone: Zone, name: str, record_type: str) -> bool:
        name, record_type = inside(zone, name), record_type.upper()
        check_writable(zone, name, record_type)
        update = dns.update.UpdateMessage(parse_name(zone.name))
        update.present(parse_name(name), record_type)
        update.delete(parse_name(name), record_type)
        return await self._send(zone, update) is dns.rcode.NOERROR

    async def add_value(
        self, zone: Zone, name: str, record_type: ProofType, value: str, ttl: int = 300
    ) -> bool:
        name, text = inside(zone, name), written(record_type, value)
        check_writable(zone, name, record_type)
        old = await self.record_set(zone, name, record_type)
        update = self._alone(zone, name, record_type)
        # One TTL a set (RFC 2181 §5.2): another one would change that of the values that stand there.
        update.add(parse_name(name), old.ttl if old else ttl, record_type, text)
        done = await self._send(zone, update) is dns.rcode.NOERROR
        had = _has(old, text)
        if not done and not (record_type == "CNAME" and had):
            raise await self._not_beside(zone, name)
        return not had

    async def remove_value(self, zone: Zone, name: str, record_type: ProofType, value: str) -> bool:
        name, text = inside(zone, name), written(record_type, value)
        check_writable(zone, name, record_type)
        old = await self.record_set(zone, name, record_type)
        # Spelled as the server has it: it compares the strings of a TXT record, not what they mean joined.
        stored = [one for one in old.values if same(record_type, one, text)] if old else []
        update = dns.update.UpdateMessage(parse_name(zone.name))
        for one in stored or [text]:
            update.delete(parse_name(name), record_type, one)
        await self._send(zone, update)
        return bool(stored)

    async def test(self) -> ConnectionCheck:
        """Asks each zone's SOA, and sends an update that holds a condition and no change."""
        fine: list[str] = []
        try:
            for zone in self._zones[:_MOST_TESTED]:
                await self._test(zone)
                fine.append(zone.name)
        except DnsError as error:
            return ConnectionCheck(False, tuple(fine), error.message, error.next_step)
        return ConnectionCheck(True, tuple(fine), notes=await self._listing_note())

    async def _test(self, zone: Zone) -> None:
        if await self.record_set(zone, zone.name, "SOA") is None:
            raise DnsError(
                Reason.NO_ZONE, f"{self._primary} does not hold the zone {zone.name}.", "Correct the zones."
            )
        update = dns.update.UpdateMessage(parse_name(zone.name))
        update.present(parse_name(zone.name), "SOA")
        await self._send(zone, update)

    async def _listing_note(self) -> tuple[str, ...]:
        try:
            records = self._primary.transfer(parse_name(self._zones[0].name))
            async with contextlib.aclosing(records):
                await anext(records)
        except DnsError as error:
            return (error.message,)
        return ()

    def _alone(self, zone: Zone, name: str, record_type: str) -> dns.update.UpdateMessage:
        """An update that fails where a CNAME and others would meet; servers ignore such adds in silence."""
        update = dns.update.UpdateMessage(parse_name(zone.name))
        if record_type == "CNAME":
            update.absent(parse_name(name))
        else:
            update.absent(parse_name(name), "CNAME")
        return update

    async def _not_beside(self, zone: Zone, name: str) -> DnsError:
        cname = await self.record_set(zone, name, "CNAME")
        return other_cname(name, cname.values[0]) if cname else not_alone(name)

    async def _send(self, zone: Zone, update: dns.update.UpdateMessage) -> dns.rcode.Rcode:
        """NOERROR, or the rcode of the condition that was not met."""
        answer = await self._primary.exchange(update)
        code = answer.rcode()
        if code in (dns.rcode.NOERROR, dns.rcode.YXRRSET, dns.rcode.NXRRSET, dns.rcode.YXDOMAIN):
            return code
        raise self._failed(zone, answer, "The update")

    def _failed(self, zone: Zone, answer: dns.message.Message, what: str) -> DnsError:
        code = answer.rcode()
        reason, next_step = _FAILED.get(code, (Reason.BAD_ANSWER, "Check that the server takes DNS updates."))
        told = dns.rcode.to_text(code)
        return DnsError(
            reason, f"{what} in the zone {zone.name} failed: {told} from {self._primary}.", next_step
        )


_FAILED = {
    dns.rcode.REFUSED: (
        Reason.REFUSED,
        "Allow the key to change this record (BIND: allow-update or update-policy).",
    ),
    dns.rcode.NOTAUTH: (Reason.NO_ZONE, "Name the zone's primary server, and check the key."),
    dns.rcode.NOTZONE: (Reason.NO_ZONE, "Name the zone that holds the record."),
    dns.rcode.SERVFAIL: (Reason.BUSY, "If it stays so, look into the server's log."),
}


def _add(update: dns.update.UpdateMessage, record_set: RecordSet) -> None:
    for value in record_set.values:
        update.add(parse_name(record_set.name), record_set.ttl, record_set.type, value)


def _has(record_set: RecordSet | None, text: str) -> bool:
    return record_set is not None and any(same(record_set.type, one, text) for one in record_set.values)
