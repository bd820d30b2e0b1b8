"""The buttons of a certificate: which there are, and why not the others. Pure but for words."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from certdesk.interfaces.words.say import say
from certdesk.lifecycle.certificates.rules import Offer, Operation
from certdesk.lifecycle.certificates.states import ROWS

NEEDS = {
    Operation.APPLY: "scm:cert:apply",
    Operation.VERIFY: "scm:cert:verify",
    Operation.ORGANIZATION: "scm:cert:apply",
    Operation.WITHDRAW: "scm:cert:cancel",
    Operation.REOPEN: "scm:cert:apply",
    Operation.DOWNLOAD: "scm:cert:download",
    Operation.DEPLOY: "scm:cert:deploy",
    Operation.PUSH: "scm:cert:push",
    Operation.UNSUBSCRIBE: "scm:cert:unsubscribe",
    Operation.DELETE: "scm:cert:delete",
    Operation.PRIVACY: "scm:privacyProtection:delete",
    Operation.RENEW: "scm:cert:subscribe",
    Operation.REVOKE: "scm:cert:revoke",
    Operation.CONFIRM_REVOCATION: "scm:cert:revoke",
    Operation.REISSUE: "scm:cert:reissue",
    Operation.CONFIRM_REISSUE: "scm:cert:reissue",
    Operation.DECLINE_REISSUE: "scm:cert:reissue",
    Operation.ADD_DOMAINS: "scm:cert:supplement",
}
"""The IAM action behind each button; without it the button is not there (IAM-5)."""


LABELS = {
    Operation.APPLY: gettext_lazy("Apply for certificate"),
    Operation.VERIFY: gettext_lazy("Verify domain"),
    Operation.ORGANIZATION: gettext_lazy("Verify organization"),
    Operation.WITHDRAW: gettext_lazy("Withdraw application"),
    Operation.REOPEN: gettext_lazy("Modify and reapply"),
    Operation.DOWNLOAD: gettext_lazy("Download"),
    Operation.DEPLOY: gettext_lazy("Deploy"),
    Operation.PUSH: gettext_lazy("Push"),
    Operation.UNSUBSCRIBE: gettext_lazy("Unsubscribe"),
    Operation.DELETE: gettext_lazy("Delete"),
    Operation.PRIVACY: gettext_lazy("Cancel privacy authorization"),
    Operation.RENEW: gettext_lazy("Renew"),
    Operation.REVOKE: gettext_lazy("Revoke"),
    Operation.CONFIRM_REVOCATION: gettext_lazy("Confirm revocation"),
    Operation.REISSUE: gettext_lazy("Reissue"),
    Operation.CONFIRM_REISSUE: gettext_lazy("Confirm reissue"),
    Operation.DECLINE_REISSUE: gettext_lazy("Decline reissue"),
    Operation.ADD_DOMAINS: gettext_lazy("Add additional domain name"),
}


POSTED = frozenset({Operation.REOPEN})  # sent from where the button stands; the others have a page


QUIET = frozenset(
    {
        Operation.WITHDRAW,
        Operation.UNSUBSCRIBE,
        Operation.DELETE,
        Operation.REVOKE,
        Operation.PRIVACY,
        Operation.REISSUE,
        Operation.DECLINE_REISSUE,
        Operation.ADD_DOMAINS,
    }
)  # never the one button of a certificate


DOMAIN_TYPES = {
    "SINGLE_DOMAIN": gettext_lazy("Single domain"),
    "MULTI_DOMAIN": gettext_lazy("Multiple domains"),
    "WILDCARD": gettext_lazy("Wildcard"),
}


@dataclass(frozen=True, slots=True)
class Action:
    """A button; see `_components/action.html`."""

    label: str
    url: str
    operation: str = ""
    post: bool = False
    look: str = ""
    small: bool = False
    for_name: str = ""
    fields: tuple[tuple[str, str], ...] = ()
    icon: str = ""
    dialog: str = ""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why an operation is not offered."""

    operation: str
    label: str
    reason: str


@dataclass(frozen=True, slots=True)
class Buttons:
    """The one button, the rest of them, and the rules behind those that are absent."""

    first: Action | None
    rest: tuple[Action, ...]
    refusals: tuple[Refusal, ...]


def buttons(
    offers: Iterable[Offer],
    url: Callable[[Operation], str],
    may: Callable[[str], bool],
    name: str,
    *,
    small: bool,
    urgent: bool = True,
) -> Buttons:
    """The operations of a certificate as buttons; what a policy forbids does not appear at all.

    Args:
        urgent: the first one is what has to be done now, so it stands out.
    """
    actions: list[Action] = []
    first: Action | None = None
    refusals = []
    for offer in offers:
        operation = offer.operation
        if not may(NEEDS[operation]):
            continue
        label = str(LABELS[operation])
        if not offer.offered:
            why = say(offer.why_not) if offer.special else _why_not(operation)
            refusals.append(Refusal(operation.value, label, why))
            continue
        is_first = first is None and operation not in QUIET
        action = Action(
            label,
            url(operation),
            operation.value,
            operation in POSTED,
            "primary" if is_first and urgent else "",
            small,
            name,
        )
        if is_first:
            first = action
        else:
            actions.append(action)
    return Buttons(first, tuple(actions), tuple(refusals))


def replaced(found: Buttons, first: Action) -> Buttons:
    """`first` becomes the one button; the one of before stays among the others."""
    others = (replace(found.first, look=""), *found.rest) if found.first else found.rest
    return Buttons(first, others, found.refusals)


def renewal(found: Buttons, *, urgent: bool) -> Buttons | None:
    """*Renew* becomes the one button, as in the guide's figure 5-3; None where it is not offered."""
    button = next((one for one in found.rest if one.operation == Operation.RENEW.value), None)
    if button is None:
        return None
    rest = tuple(one for one in found.rest if one is not button)
    return replaced(replace(found, rest=rest), replace(button, look="primary" if urgent else ""))


def _why_not(operation: Operation) -> str:
    titles = dict.fromkeys(_(row.title) for row in ROWS.values() if operation.value in row.operations)
    return _("Possible only while the certificate is: %(states)s.") % {"states": _(", ").join(titles)}
