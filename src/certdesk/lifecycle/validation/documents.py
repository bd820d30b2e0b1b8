"""Documents that an applicant shows for the check of his organisation: add, read, remove.

The content is personal data at its worst (licences, passports), so it is sealed, leaves only as a file to
save, and goes with the end of the application (`clear`).
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from certdesk.foundation.audit import actions as audit
from certdesk.foundation.common.errors import BadParameter, CertdeskError, Kind, NotFound, WrongState
from certdesk.foundation.common.sql import short_transaction
from certdesk.foundation.iam.principal import Principal
from certdesk.foundation.sealing import actions as sealing
from certdesk.lifecycle.applications.models import ApplicationState
from certdesk.lifecycle.certificates import queries as certificates

from . import document_rules, organization_queries
from .models import OrganizationDocument, OrganizationDocumentPart

ADD, READ = "scm:cert:apply", "scm:organization:get"
PURPOSE = "organization-document"


@dataclass(frozen=True, slots=True)
class Content:
    """A document with its bytes, which stay out of `repr`."""

    name: str
    content: bytes

    def __repr__(self) -> str:
        return f"Content({len(self.content)} bytes)"


def add(
    principal: Principal, certificate_id: str, name: str, content: bytes, now: datetime
) -> OrganizationDocument:
    """Seals a document for the officers, while the organisation waits for a decision.

    Raises:
        NotFound, Forbidden: no such certificate, or no `scm:cert:apply` on it.
        BadParameter: not PDF, PNG or JPEG; too large; too many; or there already.
        WrongState: the organisation is not waiting for a decision.
    """
    certificate = certificates.fetch(principal, ADD, certificate_id)
    kind = document_rules.kind_of(content)
    digest = hashlib.sha256(content).hexdigest()
    with short_transaction():
        verification = organization_queries.lock_pending(certificate.id)
        there = verification.documents.filter(removed_at=None)
        document_rules.check_count(there.count())
        if there.filter(sha256=digest).exists():
            raise BadParameter(
                "This document is there already.", next_step="Choose another one.", field="document"
            )
        document = OrganizationDocument.objects.create(
            verification=verification,
            account_id=certificate.account_id,
            name=document_rules.clean_name(name, kind),
            kind=kind,
            size=len(content),
            sha256=digest,
            uploaded_by=principal.user_id,
            uploaded_key=principal.access_key,
            uploaded_at=now,
        )
        OrganizationDocumentPart.objects.bulk_create(
            OrganizationDocumentPart(
                document=document,
                position=position,
                secret_id=sealing.seal(certificate.account_id, PURPOSE, piece),
            )
            for position, piece in enumerate(document_rules.pieces(content))
        )
        _record(principal, "organization.document_added", document)
    return document


def read(principal: Principal, certificate_id: str, document_id: int) -> Content:
    """The document, opened; that it was read is written down.

    Raises:
        NotFound, Forbidden: no such document of this certificate, or no `scm:organization:get` on it.
        CertdeskError: its parts are not those that were stored.
    """
    certificate = certificates.fetch(principal, READ, certificate_id)
    with short_transaction():
        document = _find(certificate.id, document_id)
        parts = document.parts.order_by("position").values_list("secret_id", flat=True)
        content = b"".join(sealing.unseal(one, document.account_id, PURPOSE) for one in parts)
        if hashlib.sha256(content).hexdigest() != document.sha256:
            raise CertdeskError(
                "The document is damaged: it is not what was uploaded.",
                next_step="Ask the applicant to upload it again.",
                kind=Kind.UNAVAILABLE,
            )
        _record(principal, "organization.document_read", document)
    return Content(document.name, content)


def remove(principal: Principal, certificate_id: str, document_id: int, now: datetime) -> None:
    """Takes a document back, as long as no officer has decided anything with it.

    Raises:
        NotFound, Forbidden: no such document of this certificate, or no `scm:cert:apply` on it.
        WrongState: an officer has decided, or the organisation is not waiting any more.
    """
    certificate = certificates.fetch(principal, ADD, certificate_id)
    with short_transaction():
        verification = organization_queries.lock_pending(certificate.id)
        document = _find(certificate.id, document_id)
        if verification.decisions.exists():
            raise WrongState(
                "An officer has decided with this document before him, so it stays until the end.",
                next_step="It goes by itself when the application ends.",
            )
        clear([document], now)
        _record(principal, "organization.document_removed", document)


def due(limit: int) -> list[OrganizationDocument]:
    """Documents whose application has ended, whichever way."""
    return list(
        OrganizationDocument.objects.filter(removed_at=None)
        .exclude(verification__application__state=ApplicationState.OPEN)
        .order_by("id")[:limit]
    )


def clear(documents: Iterable[OrganizationDocument], now: datetime) -> None:
    """Destroys content and name; kind, size and digest stay, to say what an officer had before him."""
    for document in documents:
        for secret in document.parts.values_list("secret_id", flat=True):
            sealing.destroy(secret)
        document.parts.all().delete()
        document.name, document.removed_at = "", now
        document.save(update_fields=["name", "removed_at"])


def _find(certificate_id: str, document_id: int) -> OrganizationDocument:
    found = (
        OrganizationDocument.objects.filter(
            id=document_id, verification__certificate_id=certificate_id, removed_at=None
        )
        .select_related("verification")
        .first()
    )
    if found is None:
        raise NotFound(
            f"The certificate {certificate_id} has no document {document_id}.",
            next_step="It may have gone with the end of its application.",
        )
    return found


def _record(principal: Principal, action: str, document: OrganizationDocument) -> None:
    audit.record(
        principal,
        action,
        resource=f"cert:{document.verification.certificate_id}",
        account_id=document.account_id,
        details={
            "document": document.id,
            "kind": document.kind,
            "size": document.size,
            "sha256": document.sha256,
        },
    )
