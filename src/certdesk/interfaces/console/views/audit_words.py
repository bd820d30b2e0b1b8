"""What happened, in plain words: known events by name, other actions as thing and verb."""

import re
from collections.abc import Mapping

from django.utils.translation import gettext as _

from .event_words import event_words

_CAPITAL = re.compile("([A-Z])")
REFUSED = (
    "certificate.issuer_refused",
    "certificate.organization_rejected",
    "certificate.unsubscription_refused",
    "certificate.withdrawal_refused",
    "certificate.addition_refused",
    "authority.lint_failed",
    "authority.key_lost",
)
"""Events that tell of a refusal or failure; all others tell of what was done."""


def words(action: str) -> str:
    """`Private key handed out`; the action itself where nobody has words for it."""
    known = event_words() | dict(_events())
    if action in known:
        return str(known[action])
    service, _colon, rest = action.partition(":")
    thing, _colon, verb = rest.partition(":")
    if service and thing and verb:
        done = _verb(verb)
        return _("%(thing)s: %(done)s") % {"thing": _things().get(thing, thing), "done": done}
    event = action.removeprefix("certificate.").replace("_", " ")
    return _("Certificate: %(event)s") % {"event": event} if event != action else action


def kind(name: str) -> str:
    """What a resource is; empty where its id says enough."""
    things = _things()
    plural = {"user": "users", "group": "groups", "policy": "roles", "access-key": "credentials"}
    plural |= {"account": "accounts", "project": "enterpriseProjects"}
    return str(things.get(plural.get(name, name), ""))


def _verb(verb: str) -> str:
    done = _verbs()
    longest = max((one for one in done if verb == one or verb.startswith(one)), key=len, default="")
    return str(done[longest]) if longest else _CAPITAL.sub(r" \1", verb).lower()


def _events() -> Mapping[str, str]:
    return {
        "audit.exported": _("Audit log exported"),
        "account.credited": _("Balance topped up"),
        "certificate.revoke": _("Revocation requested"),
        "certificate.revoked": _("Revoked"),
        "certificate.reissue": _("Reissue requested"),
        "reissue.confirmed": _("Reissue confirmed"),
        "certificate.rollover_begun": _("Rollover begun"),
        "certificate.rollover_failed": _("Rollover refused"),
        "issuer.test_order": _("Test order placed at an issuer"),
        "authority.created": _("Authority of the private CA made"),
        "authority.ceremony_asked": _("Ceremony of an offline root asked for"),
        "authority.ceremony_taken": _("Outcome of a ceremony of an offline root taken in"),
        "authority.cross_signed": _("Authority certified by another root of the private CA"),
        "authority.cross_asked": _("CSR for a cross-certificate made"),
        "authority.cross_taken": _("Cross-certificate of a CA outside taken in"),
        "authority.key_lost": _("Key of the private CA lost: the token does not show it"),
        "authority.key_back": _("Key of the private CA is back"),
        "acme.account_bound": _("ACME client registered"),
        "acme.account_deactivated": _("ACME client ended"),
        "acme.account_rekeyed": _("ACME client has another key"),
        "acme.authorization_deactivated": _("Authorization given up by an ACME client"),
        "acme.name_proved": _("Domain name proved by an ACME client"),
        "acme.order_finalized": _("Certificate asked for by an ACME client"),
        "acme.version_revoked": _("Replaced version revoked over ACME"),
        "certificate.delete": _("Certificate deleted"),
        "certdesk:account:credit": _("Balance topped up"),
        "certdesk:account:setFlags": _("Account settings changed"),
        "certdesk:price:set": _("Price changed"),
        "certdesk:voucher:grant": _("Voucher granted"),
        "domain.confirmed": _("Domain name confirmed by mail"),
        "domain.proved": _("Domain name proved"),
        "eps:resources:migrate": _("Moved to another enterprise project"),
        "iam:groups:addUser": _("User put into a group"),
        "iam:groups:removeUser": _("User taken out of a group"),
        "iam:groups:attachPolicy": _("Policy attached to a group"),
        "iam:groups:detachPolicy": _("Policy detached from a group"),
        "iam:sessions:delete": _("Sessions ended"),
        "iam:tokens:create": _("Token issued for a password"),
        "iam:users:changePassword": _("Password changed"),
        "iam:users:handOver": _("Work handed over to a team mate"),
        "iam:users:invite": _("User invited by mail"),
        "iam:users:redeemLink": _("Mailed sign-in link used"),
        "iam:users:updateProfile": _("Own profile changed"),
        "jobs.retry": _("Background job started again"),
        "notices.acknowledged": _("Expiry notice acknowledged"),
        "order.cancelled": _("Order cancelled"),
        "order.paid": _("Order paid"),
        "order.refunded": _("Order refunded"),
        "scm:cert:subscribe": _("Certificate ordered"),
        "scm:cert:upload": _("Certificate uploaded"),
        "scm:csr:downloadPrivateKey": _("Private key of a CSR handed out"),
        "validation.automatic": _("DNS record of a proof set or removed by itself"),
    }


def _things() -> Mapping[str, str]:
    return {
        "accounts": _("Account"),
        "acmeCredential": _("ACME credential"),
        "agent": _("Agent"),
        "approval": _("Approval"),
        "balance": _("Balance"),
        "binding": _("Binding"),
        "campaign": _("Campaign"),
        "cert": _("Certificate"),
        "certProduct": _("Product"),
        "company": _("Company"),
        "contact": _("Contact"),
        "credentials": _("Access key"),
        "csr": _("CSR"),
        "channel": _("Notification channel"),
        "dnsConnection": _("DNS connection"),
        "domain": _("Domain"),
        "enterpriseProjects": _("Enterprise project"),
        "groups": _("Group"),
        "issuer": _("Issuer"),
        "mailServer": _("Mail server"),
        "message": _("Message"),
        "notification": _("Notifications"),
        "noticeHours": _("Hours of notices"),
        "noticeRule": _("Rule of notices"),
        "order": _("Order"),
        "organization": _("Organization check"),
        "coupon": _("Coupon"),
        "voucher": _("Voucher"),
        "agencies": _("Agency"),
        "privacyProtection": _("Privacy authorization"),
        "recordset": _("DNS record"),
        "roles": _("Policy"),
        "scan": _("Scan"),
        "securitytokens": _("Temporary access key"),
        "target": _("Target"),
        "users": _("User"),
    }


def _verbs() -> Mapping[str, str]:
    return {
        "acknowledge": _("acknowledged"),
        "add": _("added"),
        "adopt": _("taken over"),
        "approve": _("approved"),
        "assume": _("assumed"),
        "attach": _("attached"),
        "confirm": _("confirmed"),
        "decline": _("declined"),
        "detach": _("detached"),
        "discover": _("searched"),
        "grant": _("granted"),
        "pause": _("paused"),
        "preview": _("previewed"),
        "renew": _("renewal ordered"),
        "retry": _("tried again"),
        "rollBack": _("rolled back"),
        "rotate": _("rotated"),
        "save": _("saved"),
        "invite": _("invited"),
        "apply": _("applied for"),
        "autoRenew": _("auto-renewal changed"),
        "batch": _("changed"),
        "cancel": _("cancelled"),
        "complete": _("completed"),
        "create": _("created"),
        "decide": _("decided"),
        "delete": _("deleted"),
        "deploy": _("deployed"),
        "disable": _("switched off"),
        "download": _("downloaded"),
        "edit": _("changed"),
        "enable": _("switched on"),
        "export": _("exported"),
        "migrate": _("moved"),
        "pay": _("paid"),
        "prove": _("proof started"),
        "purchase": _("ordered"),
        "push": _("pushed"),
        "reissue": _("reissue requested"),
        "remove": _("removed"),
        "resend": _("sent again"),
        "reset": _("reset"),
        "revoke": _("revocation requested"),
        "run": _("run"),
        "set": _("set"),
        "start": _("started"),
        "supplement": _("names added"),
        "test": _("tested"),
        "unsubscribe": _("unsubscription requested"),
        "update": _("changed"),
        "upload": _("uploaded"),
        "verify": _("verification started"),
    }


def doors() -> Mapping[str, str]:
    """How somebody came in."""
    return {
        "console": _("Console"),
        "api": _("API"),
        "cli": _("Command line"),
        "job": _("Background job"),
        "acme": _("ACME"),
        "link": _("Mailed link"),
        "system": _("The service itself"),
    }


def chapters() -> Mapping[str, tuple[str, tuple[str, ...]]]:
    """What the list can be narrowed to: key -> words, actions."""
    return {
        "certificates": (_("Certificates"), ("certificate.*", "scm:cert:*")),
        "keys": (_("Private keys handed out"), ("keystore.*", "scm:csr:downloadPrivateKey")),
        "domains": (_("Domains and DNS"), ("domain.*", "validation.*", "scm:domain:*", "scm:dns*", "dns:*")),
        "organizations": (_("Organization checks"), ("organization.*", "scm:organization:*")),
        "money": (_("Orders and money"), ("order.*", "account.*", "bss:*", "certdesk:*")),
        "people": (_("People and permissions"), ("iam:*", "eps:*")),
        "csrs": (_("CSRs"), ("scm:csr:*",)),
        "audit": (_("The audit log itself"), ("audit.*",)),
    }
