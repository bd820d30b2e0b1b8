"""Reads of proofs and of organisation verification."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypedDict

from django.db.models import Max, Min, Q, QuerySet

from certdesk.foundation.common import clock, sql
from certdesk.foundation.common.errors import WrongState
from certdesk.foundation.iam.principal import Principal
from certdesk.foundation.outbox import queries as outbox
from certdesk.lifecycle.applications import queries as applications
from certdesk.lifecycle.applications.models import Application
from certdesk.lifecycle.applications.purposes import is_proving
from certdesk.lifecycle.certificates import queries as certificates
from certdesk.lifecycle.certificates.models import Certificate
from certdesk.pki.x509.names import parse_name

from . import automatic, rules
from .automatic import Step
from .models import Challenge, Check, ConfirmationMail, Evidence, NameProof

CHECKS_SHOWN = 10  # a challenge, on the average


@dataclass(frozen=True, slots=True)
class Reusable:
    """Evidence that counts now, id and time of the youngest: by whole domain, and by exact name."""

    domains: Mapping[str, tuple[int, datetime]]
    names: Mapping[str, tuple[int, datetime]]

    def of(self, name: str, domain: str) -> tuple[int, datetime] | None:
        """What covers `name`, whose proof as a whole would stand at `domain`."""
        found = [one for one in (self.domains.get(domain), self.names.get(name)) if one]
        return max(found, key=lambda one: (one[1], one[0]), default=None)


def reusable(
    account_id: str,
    wanted: Sequence[rules.Wanted],
    since: datetime,
    now: datetime,
    *,
    ended: Collection[str] = (),
) -> Reusable:
    """What the account has proved of the names that are wanted (DOM-13).

    Evidence that proves one exact name only (`name` is filled) is for no other name: neither for a parent
    nor for a wildcard.

    Args:
        ended: methods whose time is over: what was proved by them counts no more.
    """
    keys = {one.covered_by for one in wanted}.union(*(one.names for one in wanted))
    if not keys:
        return Reusable({}, {})
    marks = ",".join(["%s"] * len(keys))
    found = sql.rows(
        "SELECT authorization_domain, name, method, id, at FROM validation_evidence"
        f" WHERE account_id = %s AND authorization_domain IN ({marks}) AND at >= %s AND at <= %s"
        " AND void_at IS NULL ORDER BY at, id",
        [account_id, *sorted(keys), clock.to_micros(since), clock.to_micros(now)],
    )
    domains: dict[str, tuple[int, datetime]] = {}
    names: dict[str, tuple[int, datetime]] = {}
    for domain, name, method, evidence, at in found:
        if method not in ended:
            place = names if name else domains
            place[str(name or domain)] = (int(evidence), clock.from_micros(at))
    return Reusable(domains, names)


@dataclass(frozen=True, slots=True)
class Proved:
    """A name and the evidence that covers it now."""

    name: str
    evidence_id: int
    evidence_at: datetime
    method: str


def proved(application_id: int) -> list[Proved]:
    """The names whose evidence stands, in their order; a name without it is simply not here.

    Reused evidence stood when the application was opened. It stays good for that application if the one
    it was gathered under is withdrawn later: void is for those opened afterwards (WDR-5), and the proof
    of control itself is as true as before (Baseline Requirements 4.2.1).
    """
    stands = Q(evidence__void_at__isnull=True) | Q(reused=True)
    found = (
        NameProof.objects.filter(stands, application_id=application_id, evidence__isnull=False)
        .order_by("position")
        .values_list("name", "evidence_id", "evidence__at", "evidence__method")
    )
    return [Proved(name, one, at, method) for name, one, at, method in found if one is not None]


def proved_at(application_ids: Sequence[int]) -> dict[int, list[datetime]]:
    """When the evidence of each name in `proved` was gathered, of many applications in one statement."""
    stands = Q(evidence__void_at__isnull=True) | Q(reused=True)
    rows = NameProof.objects.filter(stands, application_id__in=application_ids, evidence__isnull=False)
    found: dict[int, list[datetime]] = {}
    for application_id, at in rows.values_list("application_id", "evidence__at"):
        found.setdefault(application_id, []).append(at)
    return found


def domains_proved(application_id: int) -> frozenset[str]:
    """The authorisation domains that the names of an application were proved by, as a whole and not only as
    one exact name."""
    stands = Q(evidence__void_at__isnull=True) | Q(reused=True)
    found = NameProof.objects.filter(stands, application_id=application_id, evidence__name="")
    return frozenset(found.values_list("evidence__authorization_domain", flat=True))


def all_proved(application: Application) -> bool:
    """Whether every single name of the application has its own evidence."""
    names = application.names.split(";")
    return [one.name for one in proved(application.id)] == names


def registrable(domain: str) -> str:
    """The registrable domain of an authorisation domain; empty for internal names."""
    return parse_name(domain, allow_internal=True).registrable


def mailboxes(domain: str) -> tuple[str, ...]:
    """Every address that may confirm a domain (DOM-9)."""
    return rules.mailboxes(domain, registrable(domain))


def last_mail(challenge_id: int, address: str) -> ConfirmationMail | None:
    """The newest mail of a challenge to one mailbox."""
    return ConfirmationMail.objects.filter(challenge_id=challenge_id, address=address).order_by("-id").first()


def message_id_of(message_id: int) -> str:
    """The Message-ID under which a mail of the outbox went out."""
    return outbox.message_ids([message_id]).get(message_id, "")


@dataclass(frozen=True, slots=True)
class MailLine:
    """One mailbox that was asked: what became of the mail, and whether its value is still good."""

    address: str
    state: str
    answer: str
    sent_at: datetime | None
    times_sent: int
    expires_at: datetime
    used_at: datetime | None
    message_id: int
    wait_seconds: int


@dataclass(frozen=True, slots=True)
class CheckLine:
    at: datetime
    perspective: str
    answer: str
    seen: str
    cause: str


@dataclass(frozen=True, slots=True)
class NameInfo:
    """One name: how it stands and what to set up for it (API §10, C/domain-verification)."""

    domain: str
    authorization_domain: str
    status: rules.NameStatus
    reused: bool
    checked_at: datetime | None
    seen: str
    cause: str
    checks: tuple[CheckLine, ...]
    verified_at: datetime | None
    method: str = "DNS"
    record_name: str = ""
    record_type: str = ""
    record_value: str = ""
    commands: tuple[str, ...] = ()
    file_url: str = ""
    file_content: str = ""
    mails: tuple[MailLine, ...] = ()
    mailboxes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ProofInfo:
    """Every name of the last application of a certificate.

    `next_check_at` is when the workers look by themselves again; None where nothing is looked at.
    """

    certificate_id: str
    state: str
    method: str
    auto_dns: bool
    value_expires_at: datetime | None
    domains: tuple[NameInfo, ...]
    steps: tuple[Step, ...] = ()
    next_check_at: datetime | None = None


def proof_info(principal: Principal, certificate_id: str, action: str = "scm:cert:get") -> ProofInfo:
    """How the names stand.

    Raises:
        NotFound, Forbidden: from `certificates.fetch`.
        WrongState: nothing was applied for yet.
    """
    certificate = certificates.fetch(principal, action, certificate_id)
    return info_of(certificate)


def info_of(certificate: Certificate) -> ProofInfo:
    """As `proof_info`, for a certificate that was fetched before."""
    application = applications.latest(certificate.id)
    if application is None:
        raise WrongState(
            "Nothing was applied for yet, so there is no domain name to verify.",
            next_step="Submit the application first.",
        )
    asked = Challenge.objects.filter(application=application)
    checks = _checks(asked)
    mails = _mails(asked) if application.domain_method == "EMAIL" else {}
    proofs = list(
        NameProof.objects.filter(application=application)
        .select_related("challenge", "evidence")
        .order_by("position")
    )
    made = [one.challenge.value_made_at for one in proofs if one.challenge and not one.challenge.verified_at]
    return ProofInfo(
        certificate_id=certificate.id,
        state=certificate.state,
        method=application.domain_method,
        auto_dns=application.auto_dns,
        value_expires_at=min(made) + rules.VALUE_LIFE if made else None,
        domains=tuple(_name_info(proof, checks, mails) for proof in proofs),
        steps=automatic.steps(application.id) if application.auto_dns else (),
        next_check_at=next_check(certificate, application),
    )


def next_check(certificate: Certificate, application: Application) -> datetime | None:
    """When the workers look again, in business time and never before now; None where they do not."""
    proving = is_proving(application.purpose, certificate.state)
    if not proving or application.domain_method == "EMAIL":
        return None
    waiting = Challenge.objects.filter(application=application, verified_at__isnull=True)
    first = waiting.filter(next_check_at__isnull=False).aggregate(Min("next_check_at"))["next_check_at__min"]
    now, real = clock.now(), clock.real_now()
    ahead: timedelta = first - real if first else timedelta(0)
    return now + max(ahead, timedelta(0)) if first else None


def ahead_info(challenge: Challenge, name: str, proof: Evidence | None) -> NameInfo:
    """How a proof ahead of any order stands; `proof` is the evidence that counts now, if any does."""
    asked = Challenge.objects.filter(id=challenge.id)
    looked = _checks(asked).get(challenge.id, ())
    lines = tuple(one for one in looked if one.at >= challenge.value_made_at)  # those for the present value
    shown = _shown(challenge, challenge.authorization_domain)
    last = lines[0] if lines else None
    return NameInfo(
        domain=name,
        authorization_domain=challenge.authorization_domain,
        status=rules.name_status(proved=proof is not None, last_answer=last.answer if last else ""),
        reused=False,
        checked_at=last.at if last else None,
        seen=last.seen if last else "",
        cause=last.cause if last else "",
        checks=lines,
        verified_at=proof.at if proof else None,
        mails=_mails(asked).get(challenge.id, ()),
        **shown,
    )


def _mails(asked: QuerySet[Challenge]) -> dict[int, tuple[MailLine, ...]]:
    """The newest mail to each mailbox of each challenge, in the order in which they were written to first."""
    found: dict[tuple[int, str], ConfirmationMail] = {}
    for mail in ConfirmationMail.objects.filter(challenge__in=asked).order_by("id"):
        found[mail.challenge_id, mail.address] = mail
    fates = outbox.fates([mail.message_id for mail in found.values()])
    lines: dict[int, list[MailLine]] = {}
    for mail in found.values():
        lines.setdefault(mail.challenge_id, []).append(_mail_line(mail, fates.get(mail.message_id)))
    return {challenge: tuple(some) for challenge, some in lines.items()}


def _mail_line(mail: ConfirmationMail, fate: outbox.Fate | None) -> MailLine:
    wait = rules.resend_wait(mail.times_sent, mail.last_sent_at, clock.real_now())
    return MailLine(
        address=mail.address,
        state=fate.state if fate else "",
        answer=fate.answer if fate else "",
        sent_at=fate.sent_at if fate else None,
        times_sent=mail.times_sent,
        expires_at=mail.made_at + rules.VALUE_LIFE,
        used_at=mail.used_at,
        message_id=mail.message_id,
        wait_seconds=int(wait.total_seconds()),
    )


def _checks(asked: QuerySet[Challenge]) -> dict[int, tuple[CheckLine, ...]]:
    """The last looks of each challenge, the newest first."""
    count = asked.count()
    newest = Check.objects.filter(challenge__in=asked).order_by("-id")
    latest = (
        Check.objects.filter(challenge__in=asked)
        .values("challenge_id")
        .annotate(last=Max("id"))
        .values_list("last", flat=True)
    )
    lines: dict[int, list[CheckLine]] = {}
    seen: set[int] = set()
    for check in [*newest[: CHECKS_SHOWN * count], *Check.objects.filter(id__in=list(latest))]:
        if check.id not in seen:
            seen.add(check.id)
            line = CheckLine(check.at, check.perspective, check.answer, check.seen, check.cause)
            lines.setdefault(check.challenge_id, []).append(line)
    return {challenge: tuple(found) for challenge, found in lines.items()}


def _name_info(
    proof: NameProof,
    checks: dict[int, tuple[CheckLine, ...]],
    mails: dict[int, tuple[MailLine, ...]],
) -> NameInfo:
    challenge, evidence = proof.challenge, proof.evidence
    lines = checks.get(challenge.id, ()) if challenge else ()
    last = lines[0] if lines else None
    good = evidence is not None and (evidence.void_at is None or proof.reused)
    domain = challenge.authorization_domain if challenge else ""
    if not challenge and evidence is not None:
        domain = evidence.authorization_domain
    return NameInfo(
        domain=proof.name,
        authorization_domain=domain,
        status=rules.name_status(proved=good, last_answer=last.answer if last else ""),
        reused=proof.reused,
        checked_at=last.at if last else evidence.at if evidence else None,
        seen=last.seen if last else evidence.seen if evidence else "",
        cause=last.cause if last else "",
        checks=lines,
        verified_at=evidence.at if evidence is not None and good else None,
        mails=mails.get(challenge.id, ()) if challenge else (),
        **(_shown(challenge, domain) if challenge else _unasked(evidence)),
    )


class _Shown(TypedDict, total=False):
    method: str
    record_name: str
    record_type: str
    record_value: str
    commands: tuple[str, ...]
    file_url: str
    file_content: str
    mailboxes: tuple[str, ...]


def _unasked(evidence: Evidence | None) -> _Shown:
    """An earlier proof counts: there is nothing to set up."""
    return _Shown(method=evidence.method if evidence else "")


def _shown(challenge: Challenge, domain: str) -> _Shown:
    """What is to be put where."""
    method = challenge.method
    return _Shown(
        method=method,
        record_name=challenge.record_name,
        record_type=challenge.record_type,
        record_value=challenge.value if method == "DNS" else "",
        commands=rules.commands(challenge.record_type, challenge.record_name),
        file_url=rules.file_url(domain) if method == "FILE" else "",
        file_content=challenge.value if method == "FILE" else "",
        mailboxes=mailboxes(domain) if method == "EMAIL" else (),
    )
