"""Rates of requests by access key and by address, counted in a small file that all web processes map.

No database, no lock, no growth: a table of fixed size, a few places for each key. Of more keys than places
the one forgotten is that whose bucket is the fullest. A restart finds the table as it was. Two processes
that count the same key in the same microsecond count once; each node of several counts for itself.
"""

import hashlib
import mmap
import os
import time
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv6Address, ip_address
from pathlib import Path
from struct import Struct

import structlog

from certdesk.foundation.common import settings
from certdesk.foundation.common.errors import CertdeskError, Kind

from . import rate_rules
from .rate_rules import SECOND, Rate

FILE = "rates"
SETS = 16_384
WAYS = 4
_SET = Struct(f"<{'QQ' * WAYS}")  # a key's digest and when its bucket is full again, for each way
_WAY = Struct("<QQ")
_log = structlog.get_logger(__name__)


class TooFast(CertdeskError):
    """Slow down; `retry_after` says how long, whole seconds."""

    kind = Kind.TOO_MANY


class Table:
    """One file of 1 MiB; in memory alone, for this process, where the file cannot be had."""

    def __init__(self, path: Path | None) -> None:
        self._map = _opened(path) if path else mmap.mmap(-1, SETS * _SET.size)

    def take(self, key: str, now: int, rate: Rate) -> int:
        """How long a request of `key` has to wait, microseconds; 0 when it may pass."""
        start, mark = _place(key)
        held = _SET.unpack_from(self._map, start)
        marks, moments = held[::2], held[1::2]
        known = mark in marks
        way = marks.index(mark) if known else moments.index(min(moments))
        full_at = moments[way] if known else 0
        full_at, wait = rate_rules.take(full_at, now, rate)
        _WAY.pack_into(self._map, start + _WAY.size * way, mark, full_at)
        return wait


def _opened(path: Path) -> mmap.mmap:
    """The file's blocks are taken at once: a full disk is an error here and now, not a signal later."""
    size = SETS * _SET.size
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            os.posix_fallocate(handle, 0, size)
            return mmap.mmap(handle, size)
        finally:
            os.close(handle)
    except OSError as error:
        _log.warning("rates are counted in each process by itself", file=str(path), reason=str(error))
        return mmap.mmap(-1, size)


@lru_cache(maxsize=8192)
def _place(key: str) -> tuple[int, int]:
    """Where the key's set stands, and its mark, which is never 0."""
    digest = int.from_bytes(hashlib.blake2b(key.encode("utf-8", "replace"), digest_size=16).digest(), "big")
    return (digest >> 64) % SETS * _SET.size, digest % 2**64 or 1


@lru_cache(maxsize=8192)
def network(address: str) -> str:
    """Whose address it is: of IPv6 the first 64 bits, which one customer has to himself."""
    try:
        found = ip_address(address)
    except ValueError:
        return address
    if not isinstance(found, IPv6Address):
        return str(found)
    if found.ipv4_mapped:
        return str(found.ipv4_mapped)
    return f"{IPv6Address(int(found) >> 64 << 64)}/64"


@dataclass(frozen=True, slots=True)
class _Rates:
    """What these settings say; None = no limit."""

    of: settings.Settings
    table: Table
    key: Rate | None
    address: Rate | None
    sign_in: Rate | None


_rates: _Rates | None = None


def _now_in_force() -> _Rates:
    """Made once for the settings of a process."""
    global _rates
    found, held = settings.get(), _rates
    if held is None or held.of is not found:
        _rates = held = _Rates(
            found,
            _table(found.data / FILE),
            _rate(found.rate_key, 5),
            _rate(found.rate_address, 5),
            _rate(found.rate_sign_in, 10),
        )
    return held


@lru_cache(maxsize=4)
def _table(path: Path) -> Table:
    return Table(path)


def _rate(per_second: int, seconds: int) -> Rate | None:
    return rate_rules.rate(per_second, per_second * seconds) if per_second else None


def check_key(key: str) -> None:
    """One request of an access key, or of a user's token.

    Raises:
        TooFast: more than `rate_key` a second, after a burst of five seconds' worth.
    """
    rates = _now_in_force()
    _check(rates.table, f"key:{key}", rates.key, "with this access key")


def check_address(address: str) -> None:
    """One request from an address.

    Raises:
        TooFast: more than `rate_address` a second, after a burst of five seconds' worth.
    """
    rates = _now_in_force()
    _check(rates.table, network(address), rates.address, "from this address")


def check_unsigned(address: str) -> None:
    """One request that nobody signed and that costs something: signing in, tokens, links of mails.

    Raises:
        TooFast: more than `rate_sign_in` a second, after a burst of ten seconds' worth.
    """
    rates = _now_in_force()
    _check(rates.table, f"sign-in:{network(address)}", rates.sign_in, "to sign in from this address")


_LOOKS = rate_rules.rate(1, 20)


def check_look(user_id: str) -> None:
    """One look at a server elsewhere, which a user asks for by hand.

    Raises:
        TooFast: more than one a second, after twenty at once.
    """
    _check(_now_in_force().table, f"look:{user_id}", _LOOKS, "to look at servers")


def _check(table: Table, key: str, rate: Rate | None, what: str) -> None:
    wait = table.take(key, time.time_ns() // 1000, rate) if rate else 0
    if wait:
        seconds = -(-wait // SECOND)
        raise TooFast(
            f"Too many requests {what}.",
            next_step=f"Wait {seconds} s, and send fewer at once.",
            retry_after=seconds,
        )
