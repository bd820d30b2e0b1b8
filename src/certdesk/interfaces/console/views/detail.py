"""What the page of one certificate shows, put together from the rooms' reads."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
from django.urls import reverse
from django.utils.html import strip_tags
from django.utils.translation import gettext as _

from certdesk.foundation.audit.models import Event
from certdesk.foundation.common import clock
from certdesk.foundation.iam.principal import Principal
from certdesk.interfaces.words.say import say
from certdesk.lifecycle.applications import queries as applications
from certdesk.lifecycle.applications.models import Application
from certdesk.lifecycle.catalogue import working_days
from certdesk.lifecycle.catalogue.queries import catalogue
from certdesk.lifecycle.catalogue.queries import region as working_region
from certdesk.lifecycle.catalogue.working_days import Promise
from certdesk.lifecycle.certificates import queries, rules, uploading
from certdesk.lifecycle.certificates.editing import MIGRATE
from certdesk.lifecycle.certificates.models import Certificate, Version
from certdesk.lifecycle.certificates.states import EXPIRING, ROWS, State, Tone
from certdesk.lifecycle.deployment import queries as deployments
from certdesk.lifecycle.issuance import revoking
from certdesk.lifecycle.issuance.revocation_rules import Code
from certdesk.lifecycle.notifications import queries as notices
from certdesk.lifecycle.notifications.rules import NoticeType
from certdesk.lifecycle.validation import organization_queries
from certdesk.lifecycle.validation import queries as proofs
from certdesk.lifecycle.validation.rules import NameStatus

from .. import present
from ..forms.revoking import REASONS
from ..present import Standing
from ..templatetags.certdesk_ui import date_only, moment
from . import rows, tag_parts

EVENTS = 30
WAITING = frozenset(
    {State.CHECKING, State.CHECKING_ORG, State.ISSUING, State.CANCELCHECKING, State.UNSUBSCRIBING}
)
"""While the certificate is here, the open page asks whether it has moved on."""

ALGORITHM = {
    "RSA_2048": "RSA 2048",
    "RSA_3072": "RSA 3072",
    "RSA_4096": "RSA 4096",
    "EC_P256": "EC P-256",
    "EC_P384": "EC P-384",
}


@dataclass(frozen=True, slots=True)
class Fact:
    label: str
    value: object
    url: str = ""
    mono: bool = False


@dataclass(frozen=True, slots=True)
class Happened:
    at: datetime
    text: str
    who: str
    tone: str = "end"
    url: str = ""


@dataclass(frozen=True, slots=True)
class Switch:
    """One kind of expiry notices."""

    kind: str
    label: str
    on: bool


@dataclass(frozen=True, slots=True)
class Server:
    label: str
    text: str
    url: str


def context(principal: Principal, certificate: Certificate, now: datetime) -> dict[str, Any]:
    """Everything for `console/certificate.html`."""
    application = applications.latest(certificate.id)
    standing = standing_of(certificate, application, now)
    resource = rules.resource_of(certificate)
    buttons = present.buttons(
        rules.offers(certificate, now, in_console=True),
        rows.url_of(certificate.id),
        lambda action: principal.may(action, resource),
        certificate.name,
        small=False,
        urgent=ROWS[standing.state].tone is not Tone.WAIT,
    )
    if present.ends(standing, now) and rows.may_buy(principal):
        buttons = present.replaced(buttons, rows.successor(certificate, urgent=True, small=False))
    versions = list(queries.versions(certificate))
    return {
        "title": certificate.domain or certificate.name,
        "title_is_domain": bool(certificate.domain),
        "crumbs": [crumb(_("Certificates"), reverse("certificates")), crumb(certificate.name, "")],
        "certificate": certificate,
        "state": standing.state.value,
        "waiting": standing.state in WAITING,
        "progress": ROWS[standing.state].progress,
        "steps": present.steps(standing, failed_at(certificate)),
        "next": present.callout(standing, now, may_act=principal.may(rows.APPLY, resource)),
        "buttons": buttons,
        "private_ca_matters": certificate.source != "UPLOADED",
        "names": names(certificate, standing.state),
        "facts": facts(principal, certificate, application, versions),
        "versions": versions,
        "events": history(certificate),
        "findings": findings(certificate, now),
        "notices": switches(certificate, standing.state)
        if principal.may("scm:notification:update", resource)
        else [],
        "move": reverse("move", args=[certificate.id]) if principal.may(MIGRATE, resource) else "",
        "edit": reverse("edit", args=[certificate.id]) if principal.may("scm:cert:update", resource) else "",
        "next_check": next_check(certificate, application),
        **tag_parts.context(principal, certificate),
        "failure": certificate.last_failure if standing.state is not State.UNPASSED else "",
    }


def next_check(certificate: Certificate, application: Application | None) -> datetime | None:
    """When the names are looked at again by themselves."""
    return proofs.next_check(certificate, application) if application else None


def names(certificate: Certificate, state: State) -> list[dict[str, str]]:
    """Several names; while they are being verified each says whether it is."""
    if ";" not in certificate.sans:
        return []
    proved: dict[str, bool] = {}
    if state is State.CHECKING:
        proved = {
            one.domain: one.status is NameStatus.VERIFIED for one in proofs.info_of(certificate).domains
        }
    return [
        {
            "name": name,
            "tone": "" if name not in proved else "good" if proved[name] else "you",
            "label": "" if name not in proved else _("Verified") if proved[name] else _("Not verified yet"),
        }
        for name in certificate.sans.split(";")
    ]


def findings(certificate: Certificate, now: datetime) -> list[str]:
    """What is odd about an uploaded chain, with the certificate's place where it is not the first."""
    if certificate.source != "UPLOADED":
        return []
    return [
        say(one.sentence)
        if one.place == 1
        else _("Certificate %(place)d of the chain: %(sentence)s")
        % {"place": one.place, "sentence": say(one.sentence)}
        for one in uploading.findings_of(certificate, now)
    ]


def switches(certificate: Certificate, state: State) -> list[Switch]:
    """The expiry notices of a certificate in force; nothing to switch for the others."""
    if state not in EXPIRING:
        return []
    on = notices.switched_on(certificate.id)
    words = {
        NoticeType.EXPIRING: _("Before it expires"),
        NoticeType.EXPIRED: _("When it has expired"),
    }
    return [Switch(kind.value, label, kind in on) for kind, label in words.items()]


def crumb(label: str, url: str) -> dict[str, str]:
    return {"label": label, "url": url}


def crumbs(certificate: Certificate) -> dict[str, Any]:
    """For the pages under a certificate."""
    return {
        "certificate": certificate,
        "crumbs": [
            crumb(_("Certificates"), reverse("certificates")),
            crumb(certificate.name, reverse("certificate", args=[certificate.id])),
        ],
        "back": reverse("certificate", args=[certificate.id]),
    }


def standing_of(certificate: Certificate, application: Application | None, now: datetime) -> Standing:
    open_now = application if certificate.state != State.PAID else None
    return Standing(
        state=rules.state_of(certificate, now),
        since=certificate.state_since,
        level=certificate.level,
        approval=rows.approval(certificate.type),
        method=application.domain_method if application else "DNS",
        failure=failure_of(certificate),
        created_at=certificate.created_at,
        applied_at=open_now.created_at if open_now else None,
        not_before=certificate.not_before,
        not_after=certificate.not_after,
        promise=promise(certificate),
    )


def failure_of(certificate: Certificate) -> str:
    """Why the last step failed, in the reader's language; an officer's own words stay as they are."""
    text = certificate.last_failure
    return text if failed_at(certificate) == "organization" else say(text)


def promise(certificate: Certificate) -> Promise | None:
    """The approval period of table 3-6 in working days, while the organization is checked (ISS-5)."""
    kind = catalogue().types.get(certificate.type)
    if certificate.state != State.CHECKING_ORG or kind is None or kind.approval_days is None:
        return None
    region = working_region(certificate.brand)
    return working_days.promise(kind.approval_days, certificate.state_since, clock.now(), region)


def failed_at(certificate: Certificate) -> str:
    """Where an application that was refused had come to, by who refused it."""
    if certificate.state != State.UNPASSED:
        return ""
    last = queries.events(certificate).filter(action__startswith="certificate.").first()
    rejected = last is not None and last.action == "certificate.organization_rejected"
    return "organization" if rejected else "issue"


def facts(
    principal: Principal, certificate: Certificate, application: Application | None, versions: list[Version]
) -> list[Fact]:
    """The card at the side; empty ones are left out by the template."""
    book = catalogue()
    current = next((one for one in versions if one.number == certificate.current_version), None)
    product = None if certificate.source == "UPLOADED" else applications.product_of(certificate)
    may_orders = principal.may("bss:order:view")
    return [
        Fact(_("Certificate name"), certificate.name),
        Fact(_("Description"), certificate.description),
        Fact(
            _("Type"),
            rows.kind(
                certificate.brand,
                certificate.type,
                certificate.domain_type,
                certificate.source,
                certificate.free,
            ),
        ),
        Fact(
            _("Issued by"),
            _("your private CA")
            if product and product.profile == "private"
            else (book.brands[certificate.brand].issuer_title if certificate.brand in book.brands else ""),
        ),
        Fact(_("Names bought"), "" if certificate.source == "UPLOADED" else quota(certificate)),
        leaned_fact(application),
        Fact(_("Key"), key_text(application, current)),
        Fact(_("Valid from"), moment(certificate.not_before) if certificate.not_before else ""),
        Fact(_("Expires"), moment(certificate.not_after) if certificate.not_after else ""),
        Fact(_("Reason of the revocation"), revoked_for(certificate)),
        Fact(_("Still served at"), still_served(certificate)),
        Fact(_("Period"), "" if certificate.not_after else period(certificate)),
        Fact(_("Serial number"), current.serial if current else "", mono=True),
        Fact(_("SHA-256 fingerprint"), current.fingerprint_sha256 if current else "", mono=True),
        Fact(
            _("Order"),
            certificate.order_id,
            reverse("order", args=[certificate.order_id]) if certificate.order_id and may_orders else "",
            mono=True,
        ),
        Fact(
            _("Project"),
            _("default") if certificate.enterprise_project_id == "0" else certificate.enterprise_project_id,
        ),
        Fact(_("Certificate ID"), certificate.id, mono=True),
    ]


def revoked_for(certificate: Certificate) -> str:
    """In the requester's words, else in those of the form."""
    if certificate.state not in (State.REVOKED, State.REVOKING):
        return ""
    reason = revoking.reason_of(certificate.id)
    return str(REASONS[Code(reason)]) if reason in list(Code) else reason


def still_served(certificate: Certificate) -> str:
    """REV-10: where a revoked one was seen when last looked."""
    return "; ".join(deployments.serving(certificate.id)) if certificate.state == State.REVOKED else ""


def leaned_fact(application: Application | None) -> Fact:
    """ORG-4: which approval made a new check of the organization needless."""
    found = organization_queries.leaned(application.id) if application else None
    if found is None:
        return Fact("", "")
    text = _("known since the check of %(date)s by %(officers)s") % {
        "date": date_only(found.approved_at),
        "officers": _(", ").join(found.officers),
    }
    return Fact(_("Organization"), strip_tags(text), reverse("certificate", args=[found.certificate_id]))


def quota(certificate: Certificate) -> str:
    if certificate.domain_type != "MULTI_DOMAIN":
        return "1"
    wildcards = certificate.wildcard_quota + (certificate.primary_domain_type == "WILDCARD_DOMAIN")
    if not wildcards:
        return str(certificate.domain_quota)
    return _("%(count)d in all, %(wildcard)d of them wildcard") % {
        "count": certificate.domain_quota,
        "wildcard": wildcards,
    }


def period(certificate: Certificate) -> str:
    return _("%(months)d months from issuance") % {"months": certificate.validity_months}


def key_text(application: Application | None, version: Version | None) -> str:
    """`EC P-256, made here`, `EC P-256, of a stored CSR` or `RSA 2048, yours …`."""
    algorithm = version.key_algorithm if version else application.key_algorithm if application else ""
    if not algorithm:
        return ""
    word = ALGORITHM.get(algorithm, algorithm)
    if version and version.cause == "UPLOAD":
        return _("%(key)s, uploaded") % {"key": word}
    if application is not None and application.csr_mode == "STORED":
        return _("%(key)s, of a stored CSR") % {"key": word}
    ours = bool(version.key_id) if version else application is not None and application.csr_mode == "SYSTEM"
    return (_("%(key)s, made here") if ours else _("%(key)s, yours (the key was never here)")) % {"key": word}


def key_held(certificate: Certificate) -> bool:
    version = queries.versions(certificate).filter(number=certificate.current_version).first()
    return version is not None and bool(version.key_id)


def downloads(certificate: Certificate) -> list[Server]:
    """One archive per server type (ISS-3)."""
    base = reverse("download", args=[certificate.id])
    words = {
        "nginx": ("Nginx", _("PEM: certificate with chain, and key")),
        "apache": ("Apache", _("PEM: certificate, chain, and key")),
        "tomcat": ("Tomcat", _("PFX and JKS stores with their password")),
        "iis": ("IIS", _("PFX store with its password")),
        "other": (_("Other"), _("PEM files one by one")),
        "all": (_("All of them"), _("one archive with a folder for each")),
    }
    return [Server(label, text, f"{base}?server={name}") for name, (label, text) in words.items()]


def history(certificate: Certificate) -> list[Happened]:
    """The last events, newest first; the purchase, which stands on the order, closes the list."""
    found = list(queries.events(certificate)[:EVENTS])
    events = [happened(one) for one in found]
    told = certificate.source == "UPLOADED" or any(one.action == "certificate.bought" for one in found)
    if len(events) < EVENTS and not told:
        events.append(Happened(certificate.created_at, _("Bought"), ""))
    return events


def happened(event: Event) -> Happened:
    """An audit event in words (§5.11)."""
    details = orjson.loads(event.details or "{}")
    words = event_words().get(event.action, event.action)
    note = str(details.get("note", ""))
    who = event.actor_name or (_("the service") if not event.actor.startswith("user:") else event.actor)
    if not event.actor.startswith("user:"):
        who = _("the applicant, by the mailed link") if event.actor.startswith("link:") else _("the service")
    text = f"{words}: {note}" if note else words
    return Happened(event.at, text, who, TONES.get(event.action, "end"))


TONES = {
    "certificate.issue": "good",
    "certificate.uploaded": "good",
    "certificate.unsubscription_refused": "bad",
    "certificate.organization_rejected": "bad",
    "certificate.issuer_refused": "bad",
    "certificate.withdrawal_refused": "bad",
    "certificate.apply": "wait",
    "certificate.domains_proved": "good",
    "certificate.revoke": "wait",
    "certificate.lapse": "bad",
    "certificate.key_compromised": "bad",
    "certificate.organization_approved": "good",
}


def event_words() -> dict[str, str]:
    return {
        "certificate.bought": _("Bought"),
        "certificate.uploaded": _("Uploaded"),
        "certificate.unsubscribe": _("Unsubscription requested"),
        "certificate.unsubscription_refused": _("Unsubscription ended"),
        "scm:notification:update": _("Expiry notices switched"),
        "keystore.export": _("Private key handed out"),
        "certificate.apply": _("Application submitted"),
        "certificate.domains_proved": _("Domain names verified"),
        "certificate.organization_approved": _("Organization approved"),
        "certificate.organization_rejected": _("Organization rejected"),
        "certificate.issue": _("Issued"),
        "certificate.issuer_refused": _("Refused by the CA"),
        "certificate.reopen": _("Reopened to modify and reapply"),
        "certificate.withdraw": _("Withdrawal of the application requested"),
        "certificate.withdrawal_done": _("Application withdrawn"),
        "certificate.withdrawal_refused": _("Withdrawal failed"),
        "certificate.revoke": _("Revocation requested"),
        "certificate.revocation_confirmed": _("Revocation confirmed"),
        "certificate.revoked": _("Revoked"),
        "certificate.lapse": _("Request lapsed"),
        "certificate.key_compromised": _("Its private key is known to others"),
        "scm:cert:verify": _("Verification started by hand"),
        "scm:cert:update": _("Name or description changed"),
        "scm:cert:download": _("Downloaded"),
        "application.saved": _("Application saved without submitting it"),
        "scm:privacyProtection:delete": _("Privacy authorization canceled: contact and organization deleted"),
        "scm:cert:createTag": _("Tags set"),
        "scm:cert:batchTags": _("Tags changed"),
        "organization.reused": _("Organization known already: no new check"),
        "organization.document_added": _("Document for the organization check uploaded"),
        "organization.document_read": _("Document of the organization check opened"),
        "organization.document_removed": _("Document of the organization check deleted"),
        "organization.document_cleared": _("Document deleted with the end of the application"),
        "scm:organization:decide": _("Decision of an RA officer"),
        "organization.method": _("Way of organization verification chosen"),
    }
