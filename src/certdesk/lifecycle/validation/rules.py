"""What is asked, when it is asked again, and what counts as proved. Pure."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from certdesk.pki.x509.names import Name, authorization_domain, proof_owner

CAA_LIFE = timedelta(hours=8)  # Baseline Requirements 3.2.2.8
VALUE_LIFE = timedelta(days=30)  # DOM-11; Baseline Requirements 3.2.2.4.7
RENEW_AFTER = timedelta(days=1)  # a younger proof is not asked for again
FIRST_DELAY = timedelta(seconds=30)
LONGEST_DELAY = timedelta(minutes=30)
BR_METHOD = {"DNS": "3.2.2.4.7", "FILE": "3.2.2.4.18", "EMAIL": "3.2.2.4.4"}
FILE_PATH = "/.well-known/pki-validation/fileauth.txt"
FILE_NAME = "fileauth.txt"
MAILBOXES = ("admin", "administrator", "webmaster", "hostmaster", "postmaster")  # RFC 2142; BR 3.2.2.4.4
MANY_DOMAINS = 10
TOKEN_BYTES = 32  # 256 random bits; the Baseline Requirements ask for 112
DOMAIN_LINK = "d-"  # first letters of a confirmation's value: which door of the house it opens
MOST_MAILS = 10  # to one address with one value
RESEND_PAUSE = timedelta(minutes=10)
HEX_LENGTH = 64  # 256 random bits; DOM-2 asks for 128 or more
_LABEL = 32  # half of it: 64 characters are no legal label (DOM-16)


class NameStatus(StrEnum):
    """How one name stands (API §10, C/verify)."""

    PENDING = "PENDING"  # not looked at yet
    VERIFIED = "VERIFIED"
    FAILED = "FAILED"  # the last look did not find the record


@dataclass(frozen=True, slots=True)
class Wanted:
    """One record, file or mail to ask for and the names that it proves (DOM-15).

    `covered_by` is the domain whose whole proof would serve these names too: of a file's exact name
    `www.example.com` that is `example.com`.
    """

    authorization_domain: str
    record_name: str
    names: tuple[str, ...]
    covered_by: str


def plan(names: Sequence[Name], method: str = "DNS") -> tuple[Wanted, ...]:
    """One proof for each authorisation domain, in the order of the names (DOM-3, DOM-14, DOM-15).

    A file proves the exact name alone, so that each name has its own (DOM-8).
    """
    if method == "FILE":
        return tuple(Wanted(name.text, "", (name.text,), authorization_domain(name)) for name in names)
    groups: dict[str, list[str]] = {}
    owners: dict[str, str] = {}
    for name in names:
        domain = authorization_domain(name)
        groups.setdefault(domain, []).append(name.text)
        owners[domain] = proof_owner(name) if method == "DNS" else ""
    return tuple(Wanted(domain, owners[domain], tuple(group), domain) for domain, group in groups.items())


def file_url(name: str) -> str:
    """Where the file of that exact name is looked for first (DOM-8)."""
    return f"http://{name}{FILE_PATH}"


def mail_levels(domain: str, registrable: str) -> tuple[str, ...]:
    """The domain, then each parent up to and with the registrable one (DOM-9).

    Args:
        registrable: of `domain`; empty for names that have none, whose parents are nobody's to ask.
    """
    found = [domain]
    while registrable and found[-1] != registrable and found[-1].endswith(f".{registrable}"):
        found.append(found[-1].partition(".")[2])
    return tuple(found)


def mailboxes(domain: str, registrable: str) -> tuple[str, ...]:
    """Every address that may confirm `domain`, the domain's own first."""
    return tuple(f"{who}@{place}" for place in mail_levels(domain, registrable) for who in MAILBOXES)


def first_mailboxes(domain: str, registrable: str, domains: int) -> tuple[str, ...]:
    """Those that are written to by themselves: at the domain and at the registrable one.

    An application for many domains writes to one mailbox for each: the rest is the applicant's choice.
    """
    if domains > MANY_DOMAINS:
        return (f"{MAILBOXES[0]}@{registrable or domain}",)
    places = dict.fromkeys((domain, registrable or domain))
    return tuple(f"{who}@{place}" for place in places for who in MAILBOXES)


def resend_wait(times_sent: int, last_sent_at: datetime, now: datetime) -> timedelta:
    """How long a mailbox must be left alone: the first re-send is free, then ten minutes, ten mails in all.

    Returns:
        Zero when it may be sent now.
    """
    if times_sent <= 1:
        return timedelta(0)
    if times_sent >= MOST_MAILS:
        return VALUE_LIFE
    return max(timedelta(0), last_sent_at + RESEND_PAUSE - now)


def token_hash(token: str) -> str:
    """How a confirmation's value is kept: the value itself stands in the mail alone."""
    return hashlib.sha256(token.encode()).hexdigest()


def allowed_to_disagree(remotes: int) -> int:
    """Baseline Requirements 3.2.2.9: of 2 to 5 remote perspectives one, of 6 or more two. A single one must
    agree."""
    if remotes < 2:
        return 0
    return 1 if remotes <= 5 else 2


def corroborated(primary: bool, remotes: Sequence[bool]) -> bool:
    """Whether it counts: this place saw it and enough of the others did."""
    return primary and sum(not saw for saw in remotes) <= allowed_to_disagree(len(remotes))


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
