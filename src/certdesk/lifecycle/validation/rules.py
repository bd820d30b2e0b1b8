"""What is asked, when it is asked again, and what counts as proved. Pure."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from certdesk.pki.x509.names import Name, authorization_domain, proof_owner

CAA_LIFE = timedelta(hours=8)  # Baseline Requirements 3.2.2.8
VALUE_LIFE = timedelta(days=30)  # DOM-11; Baseline Requirements 3.2.2.4.7
FIRST_DELAY = timedelta(seconds=30)
LONGEST_DELAY = timedelta(minutes=30)
BR_METHOD = {"DNS": "3.2.2.4.7", "FILE": "3.2.2.4.18", "EMAIL": "3.2.2.4.4"}
HEX_LENGTH = 64  # 256 random bits; DOM-2 asks for 128 or more
_LABEL = 32  # half of it: 64 characters are no legal label (DOM-16)


class NameStatus(StrEnum):
    """How one name stands (API §10, C/verify)."""

    PENDING = "PENDING"  # not looked at yet
    VERIFIED = "VERIFIED"
    FAILED = "FAILED"  # the last look did not find the record


@dataclass(frozen=True, slots=True)
class Wanted:
    """One record to ask for and the names that it proves (DOM-15)."""

    authorization_domain: str
    record_name: str
    names: tuple[str, ...]


def plan(names: Sequence[Name]) -> tuple[Wanted, ...]:
    """One record for each authorisation domain, in the order of the names (DOM-3, DOM-14, DOM-15)."""
    groups: dict[str, list[str]] = {}
    owners: dict[str, str] = {}
    for name in names:
        domain = authorization_domain(name)
        groups.setdefault(domain, []).append(name.text)
        owners[domain] = proof_owner(name)
    return tuple(Wanted(domain, owners[domain], tuple(group)) for domain, group in groups.items())


def record_value(record_type: str, zone: str, random_hex: Callable[[int], str]) -> str:
    """A fresh value (DOM-2, DOM-16).

    Args:
        zone: under which CNAME targets stand.
        random_hex: `secrets.token_hex`.
    """
    value = random_hex(HEX_LENGTH // 2)
    return f"{value[:_LABEL]}.{value[_LABEL:]}.{zone}" if record_type == "CNAME" else value


def value_is_old(made_at: datetime, now: datetime) -> bool:
    """A value may be used up to and with the second 30 days after it was made."""
    return now - made_at > VALUE_LIFE


def caa_is_fresh(asked_at: datetime | None, now: datetime) -> bool:
    """Whether it may still be issued on an answer of that moment; never when it lies in the future."""
    return asked_at is not None and timedelta(0) <= now - asked_at <= CAA_LIFE


def next_delay(checks_made: int, chance: float) -> timedelta:
    """The wait after a look that found nothing: 30 s, doubling to 30 min, a tenth spread.

    Args:
        checks_made: looks so far, the last one included; 1 or more.
        chance: a random number of [0, 1).
    """
    whole: timedelta = min(LONGEST_DELAY, FIRST_DELAY * 2 ** min(max(checks_made, 1) - 1, 10))
    return whole * (0.9 + chance / 10)


def name_status(*, proved: bool, last_answer: str) -> NameStatus:
    if proved:
        return NameStatus.VERIFIED
    return NameStatus.FAILED if last_answer else NameStatus.PENDING


def commands(record_type: str, record_name: str) -> tuple[str, ...]:
    """The check commands of table 3-4, for Windows and for others (DOM-5)."""
    if not record_name:
        return ()
    return (f"nslookup -q={record_type} {record_name}", f"dig +short {record_type} {record_name}")


def reuse_since(reuse_days: int, now: datetime) -> datetime:
    """The earliest moment of evidence that may be used again; "N days" include second N × 86,400 (TIM-1)."""
    return now - timedelta(days=reuse_days)
