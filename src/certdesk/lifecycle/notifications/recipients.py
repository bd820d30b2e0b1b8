"""Who is told about a certificate, and by which way (NTF-6): roles, and what rules add."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

from certdesk.foundation.common import phone
from certdesk.foundation.iam.models import User
from certdesk.lifecycle.applications import queries as applications

from .models import Channel, Rule, Scope, Whom
from .queries import Candidate

SMS = "sms"


@dataclass(frozen=True, slots=True)
class To:
    """One recipient by one way; `channel_id` empty = mail."""

    whom: Whom
    recipient: str
    locale: str
    channel_id: str = ""

    @property
    def digest(self) -> str:
        """The same for the same address in any case: two roles of one person get one message."""
        return hashlib.sha256(self.recipient.lower().encode()).hexdigest()[:32]


@dataclass(frozen=True, slots=True)
class Audience:
    """What an account has set up, read once a page."""

    rules: tuple[Rule, ...]
    sms: str
    channels: frozenset[str]


def audience(account_id: str) -> Audience:
    found = list(Channel.objects.filter(account_id=account_id).order_by("created_at", "id"))
    gateway = next((one.id for one in found if one.kind == SMS), "")
    rules = Rule.objects.filter(account_id=account_id).order_by("created_at", "id")
    return Audience(tuple(rules), gateway, frozenset(one.id for one in found))


def of(one: Candidate, known: Audience, *, after_days: int = 0) -> list[To]:
    """Everybody who is told, each once a way.

    Args:
        after_days: 0 = who is told with the stage; else those of the rules with that many days.
    """
    found: dict[tuple[str, str], To] = {}
    if not after_days:
        for whom in (Whom.APPLICANT, Whom.CONTACT):
            _enter(found, _role(one, known, whom))
    for rule in known.rules:
        if rule.after_days == after_days and _covers(rule, one):
            _enter(found, _named(one, known, rule))
    return list(found.values())


def _enter(found: dict[tuple[str, str], To], more: Iterator[To]) -> None:
    for to in more:
        found.setdefault((to.channel_id, to.digest), to)


def _covers(rule: Rule, one: Candidate) -> bool:
    wanted = {Scope.ACCOUNT: "", Scope.PROJECT: one.project_id, Scope.CERTIFICATE: one.id}
    return rule.scope_id == wanted[Scope(rule.scope)]


def _named(one: Candidate, known: Audience, rule: Rule) -> Iterator[To]:
    whom = Whom(rule.whom)
    if whom is Whom.EMAIL:
        yield To(whom, rule.recipient, rule.locale)
    elif whom is Whom.PHONE and known.sms:
        yield To(whom, rule.recipient, rule.locale, known.sms)
    elif whom is Whom.CHANNEL and rule.recipient in known.channels:
        yield To(whom, rule.recipient, rule.locale, rule.recipient)
    elif whom in (Whom.APPLICANT, Whom.CONTACT, Whom.ADMINISTRATORS):
        yield from _role(one, known, whom)


def _role(one: Candidate, known: Audience, whom: Whom) -> Iterator[To]:
    for mail, number, locale in people(one, whom):
        if mail:
            yield To(whom, mail, locale)
        if known.sms and number:
            yield To(whom, number, locale, known.sms)


def people(one: Candidate, whom: Whom) -> list[tuple[str, str, str]]:
    """(mail, phone in international form, language) of a role's people; "" for what is not known."""
    if whom is Whom.APPLICANT:
        return _applicant(one)
    if whom is Whom.CONTACT:
        contact = _contact(one)
        return [_of_user(contact)] if contact else []
    users = User.objects.filter(account_id=one.account_id, is_active=True, groups__name="admins")
    return [_of_user(user) for user in users.distinct().order_by("created_at", "id")]


def _of_user(user: User) -> tuple[str, str, str]:
    return user.email, phone.international(user.phone), user.language


def _applicant(one: Candidate) -> list[tuple[str, str, str]]:
    """Of what was uploaded there is none; one whose authorization was cancelled is not known any more."""
    application = None if one.source == "UPLOADED" else applications.latest(one.id)
    found = applications.applicant(application.id) if application else None
    if found is None:
        return []
    contact = _contact(one)
    return [(found[0], phone.international(found[1]), contact.language if contact else "en")]


def _contact(one: Candidate) -> User | None:
    """The user who owns the certificate; when he is gone, the account's first one with an address."""
    users = User.objects.filter(account_id=one.account_id, is_active=True).exclude(email="")
    return users.filter(id=one.owner_id).first() or users.order_by("created_at", "id").first()
