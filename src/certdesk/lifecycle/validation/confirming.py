"""A mailbox of the domain answers (DOM-9): by the button behind the mail's link, or by a reply.

Nobody is signed in here: the value of the mail is what speaks, once, for 30 days.
"""

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from certdesk.foundation.audit import actions as audit
from certdesk.foundation.common.sql import short_transaction
from certdesk.foundation.iam.principal import system_principal
from certdesk.foundation.outbox import actions as outbox
from certdesk.lifecycle.applications import queries as applications
from certdesk.lifecycle.applications.models import ApplicationState
from certdesk.lifecycle.applications.purposes import is_proving
from certdesk.lifecycle.catalogue.queries import catalogue
from certdesk.lifecycle.catalogue.rules import Product
from certdesk.lifecycle.certificates.errors import StateChanged
from certdesk.lifecycle.certificates.models import Certificate

from . import actions, proofs, queries, rules
from .models import Challenge, ConfirmationMail

ACTION = "domain.confirmed"


class Standing(StrEnum):
    """How a mail's value stands now."""

    GOOD = "GOOD"
    USED = "USED"  # this value, or another mailbox of the same domain, has confirmed
    OLD = "OLD"  # over 30 days
    OVER = "OVER"  # the application was withdrawn or refused
    ENDED = "ENDED"  # the method itself proves nothing any more
    UNKNOWN = "UNKNOWN"


@dataclass(frozen=True, slots=True)
class Asked:
    """What a mail asks its reader to confirm; all empty when the value is unknown."""

    standing: Standing
    domain: str = ""
    names: tuple[str, ...] = ()
    company: str = ""
    address: str = ""
    certificate_id: str = ""
    until: datetime | None = None


def inspect(token: str, now: datetime) -> Asked:
    """What the page behind the link shows. Changes nothing."""
    mail = _find(token)
    return _asked(mail, now) if mail else Asked(Standing.UNKNOWN)


def confirm(token: str, now: datetime, *, source: str = "") -> Asked:
    """Proves the domain of the mail; answers how the value stood before.

    Args:
        source: the network address that pressed the button.
    """
    mail = _find(token)
    if mail is None:
        return Asked(Standing.UNKNOWN)
    return _take(mail, now, how="by the link of the mail", source=source)


def reply(token: str, in_reply_to: str, sender: str, now: datetime) -> Asked:
    """The same by answering the mail: only from the address that was asked, and to that very message."""
    mail = _find(token)
    if mail is None or sender.strip().lower() != mail.address:
        return Asked(Standing.UNKNOWN)
    if in_reply_to.strip() != queries.message_id_of(mail.message_id) or not in_reply_to.strip():
        return Asked(Standing.UNKNOWN)
    if _is_public(mail.challenge):
        return Asked(Standing.UNKNOWN)
    return _take(mail, now, how="by a reply to the mail", source="")


def _find(token: str) -> ConfirmationMail | None:
    return (
        ConfirmationMail.objects.filter(token_hash=rules.token_hash(token))
        .select_related("challenge__application__certificate")
        .first()
    )


def _asked(mail: ConfirmationMail, now: datetime) -> Asked:
    challenge = mail.challenge
    application = challenge.application
    names = tuple(challenge.proofs.order_by("position").values_list("name", flat=True))
    company = application.company if application else {}
    return Asked(
        _standing(mail, challenge, now),
        challenge.authorization_domain,
        names or (challenge.authorization_domain,),
        str(company.get("name", "")),
        mail.address,
        challenge.certificate_id,
        mail.made_at + rules.VALUE_LIFE,
    )


def _standing(mail: ConfirmationMail, challenge: Challenge, now: datetime) -> Standing:
    application = challenge.application
    if challenge.verified_at is not None or mail.used_at is not None:
        return Standing.USED
    if application and (
        application.state != ApplicationState.OPEN
        or not is_proving(application.purpose, application.certificate.state)
    ):
        return Standing.OVER
    if rules.value_is_old(mail.made_at, now):
        return Standing.OLD
    book, products = catalogue(), _products(challenge)
    if all(challenge.method in book.ended_methods(one, now.date()) for one in products):
        return Standing.ENDED
    return Standing.GOOD


def _products(challenge: Challenge) -> Sequence[Product]:
    """What the proof is for: the product applied for, or whatever can be bought (a proof ahead of orders)."""
    if challenge.application:
        return (applications.product_of(challenge.application.certificate),)
    return [one for one in catalogue().products if one.available]


def _is_public(challenge: Challenge) -> bool:
    return any(one.profile == "public" for one in _products(challenge))


def _take(mail: ConfirmationMail, now: datetime, *, how: str, source: str) -> Asked:
    with short_transaction():
        held = _hold(mail.challenge)
        current = _reread(mail.id)
        asked = _asked(current, now)
        if not held or asked.standing is not Standing.GOOD:
            return asked
        account_id, application = current.challenge.account_id, current.challenge.application
        ConfirmationMail.objects.filter(id=current.id).update(used_at=now)
        seen = f"{current.address} confirmed {asked.domain} {how}" + (f" (from {source})." if source else ".")
        proofs.prove(current.challenge, current.address, seen, now)
        proofs.log(current.challenge, current.address, seen, now)
        _forget(current.challenge)
        resource = f"cert:{asked.certificate_id}" if application else f"domain:{asked.domain}"
        audit.record(
            system_principal(account_id, ACTION),
            ACTION,
            resource=resource,
            account_id=account_id,
            details={"domain": asked.domain, "address": current.address, "source": source},
        )
        if application:
            certificate = Certificate.objects.get(id=asked.certificate_id)
            with contextlib.suppress(StateChanged):  # moved in this moment: whoever moved it carries it on
                actions.advance(certificate, application, now)
    return asked


def _hold(challenge: Challenge) -> bool:
    """Takes the turn: of the open application, or of the account's own challenge."""
    if challenge.application_id is not None:
        return proofs.lock(challenge.application_id) is not None
    return proofs.lock_ahead(challenge.id) is not None


def _reread(mail_id: int) -> ConfirmationMail:
    """As it is now that the application is held."""
    return ConfirmationMail.objects.select_related("challenge__application__certificate").get(id=mail_id)


def _forget(challenge: Challenge) -> None:
    """The other mailboxes need not answer any more, and nobody needs the values."""
    for message_id in challenge.mails.values_list("message_id", flat=True):
        outbox.forget_secret(message_id)
