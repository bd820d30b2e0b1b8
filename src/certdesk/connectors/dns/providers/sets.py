"""For providers that write whole record sets: one value beside others, without losing anybody's.

Read, change, write is not one step there. Within this process the steps of one name take turns; against
other processes and people the set is read again after a moment, and what got lost is added again.
"""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import replace
from weakref import WeakValueDictionary

from certdesk.connectors.dns.providers.protocol import (
    DnsError,
    Outside,
    ProofType,
    Reason,
    RecordSet,
    Zone,
)
from certdesk.connectors.dns.providers.values import check_writable, checked, inside, same, written

_TRIES = 5
_turns: WeakValueDictionary[tuple[int, str, str], asyncio.Lock] = WeakValueDictionary()


class WholeSets(ABC):
    """The changing verbs of `Provider` over three primitives: read, write and delete one whole set."""

    outside: Outside

    @property
    @abstractmethod
    def place(self) -> str:
        """What tells this server's zones from another's: the endpoint."""

    @abstractmethod
    async def record_set(self, zone: Zone, name: str, record_type: str) -> RecordSet | None: ...

    @abstractmethod
    async def write(self, zone: Zone, old: RecordSet | None, new: RecordSet) -> None:
        """Puts `new` in the place of `old` (None = nothing there); CONTENDED where that was not so."""

    @abstractmethod
    async def erase(self, zone: Zone, old: RecordSet) -> None:
        """Deletes the set; it is no error that it is gone."""

    async def add_record_set(self, zone: Zone, record_set: RecordSet) -> None:
        new = checked(zone, record_set)
        async with self._turn(new.name):
            if await self.record_set(zone, new.name, new.type) is not None:
                raise already_there(new.name, new.type)
            await self._check_beside(zone, new.name, new.type)
            await self.write(zone, None, new)

    async def modify_record_set(self, zone: Zone, record_set: RecordSet) -> None:
        new = checked(zone, record_set)
        async with self._turn(new.name):
            old = await self.record_set(zone, new.name, new.type)
            if old is None:
                raise not_there(new.name, new.type)
            await self.write(zone, old, new)

    async def delete_record_set(self, zone: Zone, name: str, record_type: str) -> bool:
        name, record_type = inside(zone, name), record_type.upper()
        check_writable(zone, name, record_type)
        async with self._turn(name):
            old = await self.record_set(zone, name, record_type)
            if old is None:
                return False
            await self.erase(zone, old)
            return True

    async def add_value(
        self, zone: Zone, name: str, record_type: ProofType, value: str, ttl: int = 300
    ) -> bool:
        name, text = inside(zone, name), written(record_type, value)
        check_writable(zone, name, record_type)
        for attempt in range(_TRIES):
            if not await self._add_once(zone, name, record_type, text, ttl):
                return attempt > 0
            await asyncio.sleep(self.outside.settle)
        raise _contended(name, record_type)

    async def _add_once(self, zone: Zone, name: str, record_type: ProofType, text: str, ttl: int) -> bool:
        """False when the value stands there; else it has been written, which is still to be proved."""
        async with self._turn(name):
            old = await self.record_set(zone, name, record_type)
            if old is not None and _has(old, text):
                return False
            if old is not None and old.values and record_type == "CNAME":
                raise other_cname(name, old.values[0])
            if old is None:
                await self._check_beside(zone, name, record_type)
            new = (
                replace(old, values=(*old.values, text))
                if old
                else RecordSet(name, record_type, ttl, (text,))
            )
            await self._write_unless_overtaken(zone, old, new)
            return True

    async def remove_value(self, zone: Zone, name: str, record_type: ProofType, value: str) -> bool:
        name, text = inside(zone, name), written(record_type, value)
        check_writable(zone, name, record_type)
        for attempt in range(_TRIES):
            if not await self._remove_once(zone, name, record_type, text):
                return attempt > 0
            await asyncio.sleep(self.outside.settle)
        raise _contended(name, record_type)

    async def _remove_once(self, zone: Zone, name: str, record_type: ProofType, text: str) -> bool:
        async with self._turn(name):
            old = await self.record_set(zone, name, record_type)
            if old is None or not _has(old, text):
                return False
            left = tuple(one for one in old.values if not same(record_type, one, text))
            if left:
                await self._write_unless_overtaken(zone, old, replace(old, values=left))
            else:
                await self.erase(zone, old)
            return True

    async def _write_unless_overtaken(self, zone: Zone, old: RecordSet | None, new: RecordSet) -> None:
        """Somebody was faster: not an error, the next round reads what he wrote."""
        try:
            await self.write(zone, old, new)
        except DnsError as error:
            if error.reason is not Reason.CONTENDED:
                raise

    async def _check_beside(self, zone: Zone, name: str, record_type: str) -> None:
        """A CNAME stands alone (RFC 1034 §3.6.2); servers differ in how they say so, some say nothing."""
        if record_type != "CNAME":
            cname = await self.record_set(zone, name, "CNAME")
            if cname is not None and cname.values:
                raise other_cname(name, cname.values[0])

    def _turn(self, name: str) -> asyncio.Lock:
        key = (id(asyncio.get_running_loop()), self.place, name)
        return _turns.setdefault(key, asyncio.Lock())


def _has(record_set: RecordSet, text: str) -> bool:
    return any(same(record_set.type, one, text) for one in record_set.values)


def already_there(name: str, record_type: str) -> DnsError:
    return DnsError(
        Reason.ALREADY_THERE,
        f"{name} has a {record_type} record set already.",
        "Modify it in place of adding.",
    )


def not_there(name: str, record_type: str) -> DnsError:
    return DnsError(
        Reason.NOT_THERE, f"{name} has no {record_type} record set.", "Add it in place of modifying."
    )


def other_cname(name: str, target: str) -> DnsError:
    return DnsError(
        Reason.CONFLICT,
        f"A CNAME to {target} stands at {name}: nothing else can stand beside it.",
        "Remove it, or have the record written at the name it points to.",
    )


def not_alone(name: str) -> DnsError:
    return DnsError(
        Reason.CONFLICT,
        f"Other records stand at {name}: a CNAME cannot stand beside them.",
        "Remove them, or use a TXT record.",
    )


def _contended(name: str, record_type: str) -> DnsError:
    return DnsError(
        Reason.CONTENDED,
        f"Somebody else keeps changing the {record_type} records of {name} at the same time.",
    )


def first_lines(values: Sequence[str]) -> str:
    """At most four names for a sentence."""
    return ", ".join(values[:4]) + (f" and {len(values) - 4} more" if len(values) > 4 else "")
