"""Rules of who is told beside applicant and contact: of all certificates, a project's, or one (NTF-6)."""

from dataclasses import dataclass

from certdesk.foundation.audit import actions as audit
from certdesk.foundation.common import clock, ids, mail_address, phone
from certdesk.foundation.common.errors import BadParameter, CertdeskError, Conflict, Kind, NotFound
from certdesk.foundation.common.sql import short_transaction
from certdesk.foundation.iam.models import EnterpriseProject
from certdesk.foundation.iam.principal import Principal, Resource
from certdesk.lifecycle.certificates import queries as certificates

from .channels import CREATE, DELETE, GET, LIST, UPDATE
from .models import Channel, Rule, Scope, Whom
from .recipients import SMS

MOST = 500
LATEST = 60
"""Days: what nobody acknowledged for longer has come to its next stage long ago."""
ROLES = frozenset({Whom.APPLICANT, Whom.CONTACT, Whom.ADMINISTRATORS})


@dataclass(frozen=True, slots=True)
class Wish:
    """A rule as it is asked for."""

    scope: Scope
    scope_id: str
    whom: Whom
    recipient: str = ""
    locale: str = "en"
    after_days: int = 0


def resource_of(account_id: str, rule_id: str = "") -> Resource:
    return Resource("notification", rule_id, account_id)


def listed(principal: Principal) -> list[Rule]:
    """The account's rules that the principal may see, oldest first."""
    found = Rule.objects.filter(account_id=principal.account_id).order_by("created_at", "id")
    return [one for one in found if principal.may(LIST, resource_of(one.account_id, one.id))]


def of_certificate(certificate_id: str) -> list[Rule]:
    """Rules of this certificate alone; the caller fetched it."""
    found = Rule.objects.filter(scope=Scope.CERTIFICATE, scope_id=certificate_id)
    return list(found.order_by("created_at", "id"))


def fetch(principal: Principal, action: str, rule_id: str) -> Rule:
    """The rule, if the principal may do `action` with it (law 5).

    Raises:
        NotFound: missing or of another account; one text for both.
        Forbidden: no policy allows the action.
    """
    found = Rule.objects.filter(id=rule_id).first()
    if found is None or not principal.owns(found.account_id):
        raise NotFound("There is no such rule of notices.", next_step="Look for it in the list of rules.")
    principal.require(action, resource_of(found.account_id, found.id))
    return found


def add(principal: Principal, wish: Wish) -> Rule:
    """Adds somebody.

    Raises:
        Forbidden: no `scm:notification:create`.
        NotFound, NoCertificate: the project, certificate or channel is none of the account.
        BadParameter: what was given does not fit. Conflict: that rule stands already.
    """
    principal.require(CREATE, resource_of(principal.account_id))
    wish = _checked(principal, wish)
    made = Rule(
        id=ids.hex32(),
        account_id=principal.account_id,
        scope=wish.scope,
        scope_id=wish.scope_id,
        whom=wish.whom,
        recipient=wish.recipient,
        locale=wish.locale,
        after_days=wish.after_days,
        created_by=principal.user_id,
        created_at=clock.now(),
    )
    with short_transaction():
        _refuse_many(principal.account_id)
        _refuse_twin(made)
        made.save(force_insert=True)
        _note(principal, CREATE, made)
    return made


def change(principal: Principal, rule_id: str, wish: Wish) -> Rule:
    """Another rule in its place.

    Raises:
        As `fetch` with `scm:notification:update`, and as `add`.
    """
    rule = fetch(principal, UPDATE, rule_id)
    wish = _checked(principal, wish)
    with short_transaction():
        rule.scope, rule.scope_id, rule.whom = wish.scope, wish.scope_id, wish.whom
        rule.recipient, rule.locale, rule.after_days = wish.recipient, wish.locale, wish.after_days
        _refuse_twin(rule)
        rule.save(force_update=True)
        _note(principal, UPDATE, rule)
    return rule


def remove(principal: Principal, rule_id: str) -> None:
    """Raises: as `fetch` with `scm:notification:delete`."""
    rule = fetch(principal, DELETE, rule_id)
    with short_transaction():
        Rule.objects.filter(id=rule.id).delete()
        _note(principal, DELETE, rule)


def _checked(principal: Principal, wish: Wish) -> Wish:
    _check_scope(principal, wish)
    if not 0 <= wish.after_days <= LATEST:
        raise BadParameter(
            f"Days without acknowledgement are 0 to {LATEST}.", next_step="Correct them.", field="after_days"
        )
    if wish.whom in (Whom.APPLICANT, Whom.CONTACT) and not wish.after_days:
        raise BadParameter(
            "Applicant and contact are told at once anyway.",
            next_step="Choose somebody else, or after how many days without acknowledgement.",
            field="whom",
        )
    recipient = _recipient(principal, wish)
    return Wish(wish.scope, wish.scope_id, wish.whom, recipient, wish.locale, wish.after_days)


def _check_scope(principal: Principal, wish: Wish) -> None:
    if wish.scope is Scope.CERTIFICATE:
        certificates.fetch(principal, "scm:cert:get", wish.scope_id)
    elif wish.scope is Scope.PROJECT:
        known = EnterpriseProject.objects.filter(account_id=principal.account_id, id=wish.scope_id)
        if wish.scope_id != "0" and not known.exists():
            raise BadParameter(
                "There is no such enterprise project.", next_step="Choose one of the list.", field="scope_id"
            )
    elif wish.scope_id:
        raise BadParameter(
            "A rule for all certificates names none.", next_step="Leave it empty.", field="scope_id"
        )


def _recipient(principal: Principal, wish: Wish) -> str:
    if wish.whom in ROLES:
        return ""
    if wish.whom is Whom.EMAIL:
        return mail_address.check(wish.recipient.strip(), whose="recipient", field="recipient")
    if wish.whom is Whom.PHONE:
        return _number(principal.account_id, wish.recipient)
    found = Channel.objects.filter(id=wish.recipient, account_id=principal.account_id).first()
    if found is None or found.kind == SMS:
        raise BadParameter(
            "There is no such chat or webhook channel.",
            next_step="Choose one of the list; an SMS gateway needs a phone number.",
            field="recipient",
        )
    principal.require(GET, resource_of(found.account_id, found.id))
    return found.id


def _number(account_id: str, text: str) -> str:
    number = phone.international(text)
    if not number:
        raise BadParameter(
            "The phone number needs its country.",
            next_step="Write it like +86 138 0013 8000.",
            field="recipient",
        )
    if not Channel.objects.filter(account_id=account_id, kind=SMS).exists():
        raise CertdeskError(
            "The account has no SMS gateway.",
            next_step="Connect one under Notifications first.",
            kind=Kind.WRONG_STATE,
            field="recipient",
        )
    return number


def _refuse_many(account_id: str) -> None:
    if Rule.objects.filter(account_id=account_id).count() >= MOST:
        raise CertdeskError(
            f"The account has {MOST} rules of notices already.",
            next_step="Remove one that is not needed any more.",
            kind=Kind.QUOTA,
            code="SCM.9011",
        )


def _refuse_twin(rule: Rule) -> None:
    same = Rule.objects.filter(
        account_id=rule.account_id,
        scope=rule.scope,
        scope_id=rule.scope_id,
        whom=rule.whom,
        recipient=rule.recipient,
    )
    if same.exclude(id=rule.id).exists():
        raise Conflict("This rule stands already.", next_step="Change that one.", field="recipient")


def _note(principal: Principal, action: str, rule: Rule) -> None:
    """Whom it names is not written: an address in the trail could never be forgotten."""
    audit.record(
        principal,
        action,
        resource=f"noticeRule:{rule.id}",
        account_id=rule.account_id,
        details={
            "scope": f"{rule.scope} {rule.scope_id}".strip(),
            "whom": rule.whom,
            "after_days": rule.after_days,
        },
    )
