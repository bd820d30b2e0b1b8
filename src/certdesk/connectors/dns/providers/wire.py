"""DNS messages over TCP, signed with TSIG (RFC 8945), in and out: an exchange and a zone transfer."""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Any

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.query
import dns.rcode
import dns.rdatatype
import dns.rrset
import dns.tsig

from certdesk.connectors.dns.providers import gate
from certdesk.connectors.dns.providers.protocol import DnsError, Outside, Reason

_CHECK_KEY = "Compare the key's name, algorithm and secret with the server's configuration."


@dataclass(frozen=True, slots=True)
class Primary:
    """The server, and the key that signs; no key = unsigned, which the options must have allowed."""

    host: str
    port: int
    key: dns.tsig.Key | None
    outside: Outside

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"

    async def exchange(self, question: dns.message.Message) -> dns.message.Message:
        """The server's answer with its rcode, whose signature has been checked.

        Raises:
            DnsError: also WRONG_KEY, and UNSIGNED for a good answer without a signature.
        """
        async with gate.stream(self.outside, self.host, self.port) as (reader, writer):
            await self._send(question, writer)
            answer = self._read(await _frame(reader), question, None, multi=False)
        self._check_signed(answer)
        return answer

    async def transfer(self, zone: dns.name.Name) -> AsyncGenerator[dns.rrset.RRset, None]:
        """The zone's records by AXFR (RFC 5936), one record a set, the closing SOA left out.

        Raises:
            DnsError: also REFUSED, and LIMIT over `max_bytes`.
        """
        question = dns.message.make_query(zone, dns.rdatatype.AXFR)
        question.flags &= ~dns.flags.RD
        context, taken, soa = None, 0, 0
        async with gate.stream(self.outside, self.host, self.port) as (reader, writer):
            await self._send(question, writer)
            while soa < 2:
                wire = await _frame(reader)
                taken += len(wire)
                if taken > self.outside.max_bytes:
                    raise DnsError(Reason.LIMIT, f"The zone {zone} is too large to be listed here.")
                answer = self._read(wire, question, context, multi=True)
                context = answer.tsig_ctx
                self._check_listed(answer, zone)
                for rrset in answer.answer:
                    soa += rrset.rdtype == dns.rdatatype.SOA
                    if soa < 2:
                        yield rrset
        self._check_signed(answer)  # RFC 8945 §5.3.1: the last message of a transfer is signed

    async def _send(self, question: dns.message.Message, writer: asyncio.StreamWriter) -> None:
        if self.key is not None:
            question.use_tsig(self.key)
        writer.write(question.to_wire(prepend_length=True))
        await writer.drain()

    def _read(
        self, wire: bytes, question: dns.message.Message, context: Any, multi: bool
    ) -> dns.message.Message:
        try:
            answer = self._parsed(wire, question, context, multi)
        except dns.tsig.PeerBadTime:
            raise self._wrong_key("its clock differs from ours", "Set both clocks (NTP).") from None
        except dns.tsig.PeerBadKey:
            raise self._wrong_key("it does not know the key by this name and algorithm") from None
        except dns.tsig.PeerError:
            raise self._wrong_key("the signature is wrong: the secret is another one") from None
        except (dns.tsig.BadSignature, dns.tsig.BadTime, dns.message.UnknownTSIGKey):
            raise DnsError(
                Reason.BAD_ANSWER, f"The answer of {self} is not signed with our key.", _CHECK_KEY
            ) from None
        except (dns.exception.DNSException, ValueError):
            raise self._unreadable() from None
        if answer.id != question.id or not answer.flags & dns.flags.QR:
            raise self._unreadable()
        return answer

    def _parsed(
        self, wire: bytes, question: dns.message.Message, context: Any, multi: bool
    ) -> dns.message.Message:
        try:
            return dns.message.from_wire(
                wire,
                keyring=self.key or {},
                request_mac=question.mac,
                xfr=multi,
                one_rr_per_rrset=multi,
                tsig_ctx=context,
                multi=multi,
            )
        except dns.exception.FormError:
            unsigned = dns.message.from_wire(wire)  # one without a signature; judged by `_check_signed`
            if unsigned.had_tsig:
                raise
            return unsigned

    def _check_signed(self, answer: dns.message.Message) -> None:
        """A refusal may come unsigned, it does no harm; anything else that is not signed is not believed."""
        if self.key is None or answer.had_tsig:
            return
        if answer.rcode() == dns.rcode.NOTAUTH:  # PowerDNS says no more than that
            raise self._wrong_key("it does not take its name, algorithm or secret")
        if answer.rcode() in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN):
            raise DnsError(
                Reason.UNSIGNED, f"{self} answered a signed question without a signature.", _CHECK_KEY
            )

    def _check_listed(self, answer: dns.message.Message, zone: dns.name.Name) -> None:
        if answer.rcode() != dns.rcode.NOERROR or not answer.answer:
            told = dns.rcode.to_text(answer.rcode())
            raise DnsError(
                Reason.REFUSED,
                f"{self} did not hand out the zone {zone.to_text(True)}: {told}.",
                "Allow the key to transfer the zone (BIND: allow-transfer); records can be set without it.",
            )

    def _wrong_key(self, why: str, next_step: str = _CHECK_KEY) -> DnsError:
        name = self.key.name.to_text(True) if self.key else "none"
        return DnsError(Reason.WRONG_KEY, f"{self} did not accept the key {name}: {why}.", next_step)

    def _unreadable(self) -> DnsError:
        return DnsError(Reason.BAD_ANSWER, f"The answer of {self} cannot be read.", "Check host and port.")


async def _frame(reader: asyncio.StreamReader) -> bytes:
    return await reader.readexactly(int.from_bytes(await reader.readexactly(2)))
