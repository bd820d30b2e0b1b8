"""Certificates: list, search, show, proofs, versions, events, export, download (API §1 #1, #2, #4, §10)."""

from dataclasses import fields
from datetime import UTC, datetime
from typing import Any

import orjson

from certdesk.foundation.common import clock
from certdesk.foundation.common.errors import BadParameter
from certdesk.foundation.iam.principal import Principal
from certdesk.lifecycle.applications import queries as applications
from certdesk.lifecycle.applications.models import Application, Contact
from certdesk.lifecycle.certificates import chains, editing, endings, queries, rules, uploading
from certdesk.lifecycle.certificates.errors import NotExportable
from certdesk.lifecycle.certificates.filters import ListFilters, SearchFilters
from certdesk.lifecycle.certificates.models import Certificate, Version
from certdesk.lifecycle.certificates.states import BEING_REVOKED, State
from certdesk.lifecycle.issuance import revoking
from certdesk.lifecycle.notifications import queries as notices
from certdesk.lifecycle.renewal import queries as renewals
from certdesk.lifecycle.validation import actions as validation
from certdesk.lifecycle.validation import confirmations
from certdesk.lifecycle.validation import queries as proofs
from certdesk.pki.keystore import use as keystore
from certdesk.pki.x509 import bundles, keys
from certdesk.pki.x509.certificates import load_chain_pem, to_pem
from certdesk.pki.x509.keys import PrivateKey

from . import ca_orders, paging, shapes
from .registry import File, operation
from .schemas import DownloadQuery, Edit, InventoryFilters, ListQuery, PageQuery, ResendProofMail, SearchQuery
from .shapes import Shape

C = "/v3/scm/certificates/{certificate_id}"
GET, DOWNLOAD = "scm:cert:get", "scm:cert:download"
WIRE_FORMATS = ("%Y-%m-%d %H:%M:%S.%f", "%Y-%m-%d %H:%M:%S", "%Y-%m-%d")


@operation("certificates.list", "GET", "/v3/scm/certificates", "scm:cert:list", query=ListQuery)
def list_certificates(principal: Principal, query: ListQuery) -> Shape:
    """The compatible list: row offset, exact total up to 10,000."""
    page = queries.list_page(principal, ListFilters(**query.model_dump()), clock.now())
    return {"certificates": [shapes.list_item(row) for row in page.items], "total_count": page.total}


@operation("certificates.search", "GET", "/v3/scm/certificates/search", "scm:cert:list", query=SearchQuery)
def search(principal: Principal, query: SearchQuery) -> Shape:
    """The fast search: keyset pages, no total; `tag` is `key` or `key=value`, `owner` a user id or `me`."""
    page = queries.search_page(principal, filters_of(query), query.marker or None, clock.now())
    return {"items": shapes.inventory_items(principal, page.items), "next_marker": page.next_marker}


def filters_of(query: InventoryFilters) -> SearchFilters:
    """The query in the room's terms.

    Raises:
        BadParameter: `expires_before` is no time.
    """
    given = query.model_dump(include=_FILTERS)
    return SearchFilters(**given, expires_before=_moment(query.expires_before))


_FILTERS = {field.name for field in fields(SearchFilters)} - {"expires_before"}


def _moment(text: str) -> datetime | None:
    """A time as we write it, or a date."""
    if not text:
        return None
    for form in WIRE_FORMATS:
        try:
            return datetime.strptime(text, form).replace(tzinfo=UTC)
        except ValueError:
            continue
    raise BadParameter(
        f"expires_before {text!r} is not a time.",
        next_step="Use the form 2026-11-30 12:00:00.0 (UTC).",
        field="expires_before",
    )


@operation("certificates.show", "GET", C, GET)
def show(principal: Principal, certificate_id: str) -> Shape:
    """One certificate, its application, the records to set, and what happens next."""
    return shown(queries.fetch(principal, GET, certificate_id), clock.now())


def shown(found: Certificate, now: datetime) -> Shape:
    """§1.3 of a certificate that was fetched with the right to see it."""
    application = applications.latest(found.id) if found.state != State.UPLOAD else None
    version = queries.versions(found).filter(number=found.current_version).first()
    shape = shapes.certificate(
        found, version, application, _contact(application), records_of(found, application), now
    )
    shape |= shapes.owners(found)
    shape["notices"] = sorted(notices.switched_on(found.id))
    shape |= _renewal(found)
    shape |= ca_orders.of(found)
    if found.state == State.REVOKED or found.state in BEING_REVOKED:
        shape["revoke_reason"] = revoking.reason_of(found.id)
    if found.source == "UPLOADED":
        shape["findings"] = [shapes.finding(one) for one in uploading.findings_of(found, now)]
    return shape


def _renewal(found: Certificate) -> Shape:
    """Ours: until when it is paid for, what it renews, and what renews it."""
    renewal = next(iter(renewals.successors(found.id)), None)
    return {
        "paid_until": clock.wire(endings.paid_end(found)),
        "origin_cert_id": found.renews_id,
        "renewal_cert_id": renewal.id if renewal else "",
    }


def _contact(application: Application | None) -> Contact | None:
    return Contact.objects.filter(application=application).first() if application else None


def records_of(found: Certificate, application: Application | None) -> Any:
    """The records of the last application, fulfilled or under way; none after a withdrawal."""
    if application is None or found.state == State.PAID:
        return ()
    return proofs.info_of(found).domains


@operation("certificates.edit", "PATCH", C, editing.UPDATE, request=Edit)
def edit(principal: Principal, certificate_id: str, body: Edit) -> Shape:
    """Name and description (LST-4); `owner` (a user), `owner_group` (empty = none) by id or name."""
    now = clock.now()
    editing.edit(principal, certificate_id, now, **body.model_dump())
    return shown(queries.fetch(principal, editing.UPDATE, certificate_id), now)


@operation("certificates.domain_verification", "GET", f"{C}/domain-verification", GET)
def domain_verification(principal: Principal, certificate_id: str) -> Shape:
    """What to set up for each name, and what the checks saw."""
    return shapes.proof_info(proofs.proof_info(principal, certificate_id, GET))


@operation("certificates.verify", "POST", f"{C}/verify", "scm:cert:verify")
def verify(principal: Principal, certificate_id: str) -> Shape:
    """Checks every name now and waits for the answer, at most 10 s."""
    report = validation.check_now(principal, certificate_id)
    return shapes.verified(report.status, report.info)


@operation(
    "certificates.resend_proof_mail",
    "POST",
    f"{C}/domain-verification/resend",
    "scm:cert:verify",
    request=ResendProofMail,
    success=204,
)
def resend_proof_mail(principal: Principal, certificate_id: str, body: ResendProofMail) -> None:
    """Sends the confirmation mails of one name, or the copy of its records, again within limits (DOM-9)."""
    confirmations.resend(principal, certificate_id, body.domain, body.address, clock.now())


@operation("certificates.versions", "GET", f"{C}/versions", GET, query=PageQuery)
def versions(principal: Principal, certificate_id: str, query: PageQuery) -> Shape:
    """Every certificate that this id ever stood for, newest first (VER-1)."""
    found = queries.fetch(principal, GET, certificate_id)
    selected = queries.versions(found)
    if query.marker:
        selected = selected.filter(number__lt=paging.number(query.marker))
    page, more = paging.cut(selected, query.limit)
    items = [shapes.version(one, found.current_version) for one in page]
    return {"items": items, "next_marker": str(page[-1].number) if more else None}


@operation("certificates.events", "GET", f"{C}/events", GET, query=PageQuery)
def events(principal: Principal, certificate_id: str, query: PageQuery) -> Shape:
    """What happened to it, newest first."""
    found = queries.fetch(principal, GET, certificate_id)
    selected = queries.events(found)
    if query.marker:
        selected = selected.filter(id__lt=paging.number(query.marker))
    page, more = paging.cut(selected, query.limit)
    items = [
        {
            "id": str(one.id),
            "at": clock.wire(one.at),
            "actor": one.actor,
            "actor_name": one.actor_name,
            "via": one.via,
            "source": one.source,
            "request_id": one.request_id,
            "action": one.action,
            "details": orjson.loads(one.details or "{}"),
        }
        for one in page
    ]
    return {"items": items, "next_marker": str(page[-1].id) if more else None}


@operation("certificates.export", "POST", f"{C}/export", DOWNLOAD)
def export(principal: Principal, certificate_id: str) -> Shape:
    """Certificate, chain and, where the service made it, the private key, as PEM."""
    found, version = _exportable(principal, certificate_id)
    key = _key(principal, found, version)
    leaf, chain = to_pem(bytes(version.der)), bytes(version.chain).decode("ascii")
    return {
        "entire_certificate": leaf + chain,
        "certificate": leaf,
        "certificate_chain": chain,
        "private_key": keys.private_to_pem(key).decode("ascii") if key else "",
        "enc_certificate": "",
        "enc_private_key": "",
    }


@operation("certificates.download", "GET", f"{C}/download", DOWNLOAD, query=DownloadQuery)
def download(principal: Principal, certificate_id: str, query: DownloadQuery) -> File:
    """A zip for one kind of server, or for all of them (ISS-3)."""
    servers = [str(one) for one in bundles.ServerType]
    if query.server not in servers:
        raise BadParameter(
            f"server {query.server!r} is not known.",
            next_step=f"Use one of: {', '.join(servers)}.",
            field="server",
        )
    found, version = _exportable(principal, certificate_id)
    chain = load_chain_pem(chains.chosen(version, query.chain, clock.now()))
    key = _key(principal, found, version)
    content = bundles.bundle(query.server, bytes(version.der), chain, key, found.name, clock.now())
    return File(bundles.archive_name(found.name, query.server), "application/zip", content)


def _exportable(principal: Principal, certificate_id: str) -> tuple[Certificate, Version]:
    """DLD-1; anything else has nothing to hand out (DLD-2)."""
    found = queries.fetch(principal, DOWNLOAD, certificate_id)
    rules.check_downloadable(found, clock.now())
    version = queries.current_version(found)
    if version is None:
        raise NotExportable("This certificate has no version yet.", next_step="Wait until it is issued.")
    return found, version


def _key(principal: Principal, found: Certificate, version: Version) -> PrivateKey | None:
    if not version.key_id:
        return None
    return keystore.export(principal, version.key_id, rules.resource_of(found), right=DOWNLOAD)
