"""Documents for the check of an organisation: what is taken, who opens them, when they go."""

from dataclasses import replace
from datetime import timedelta
from io import BytesIO

import pytest

from certdesk.foundation.audit.models import Event
from certdesk.foundation.common import clock
from certdesk.foundation.common.errors import CertdeskError, Forbidden, NotFound, WrongState
from certdesk.foundation.sealing.models import Secret
from certdesk.lifecycle.validation import documents
from certdesk.lifecycle.validation.models import (
    OrganizationDocument,
)
from tests.support.desk import Desk
from tests.support.office import Office
from tests.support.organization import DECIDE, DOCUMENTS, JPEG, PDF, PNG, waiting, yes
from tests.support.rulebook import Caller


def test_documents_are_known_by_their_bytes_sealed_and_saved_only(desk: Desk, alice: Caller) -> None:
    # rule: ORG-1
    # rule: ORG-2
    certificate_id = waiting(desk, alice)
    before = Secret.objects.count()
    big = PDF + b"q" * (600 * 1024)
    made = alice(DOCUMENTS, certificate_id, {"name": "..\\C:/a\r\nb/licence <1>.HTML", "content": big})
    assert made["name"] == "licence _1_.HTML.pdf"
    parts = Secret.objects.count() - before
    assert parts == 3
    assert not any(b"%PDF" in bytes(one.ciphertext) for one in Secret.objects.all())
    assert max(len(one.ciphertext) for one in Secret.objects.all()) < 257 * 1024
    assert alice(DOCUMENTS, certificate_id, {"name": "a.exe", "content": PNG})["name"] == "a.exe.png"
    assert alice(DOCUMENTS, certificate_id, {"name": "", "content": JPEG})["name"] == "document.jpg"
    for content in (b"", b"<html>%PDF-", b"GIF89a", b"PK\x03\x04", b" %PDF-1.7", PDF):
        if content == PDF:
            alice(DOCUMENTS, certificate_id, {"name": "once.pdf", "content": content})
        alice.refused(DOCUMENTS, certificate_id, {"name": "x.pdf", "content": content})
    most = 5 * 1024 * 1024
    alice.refused(DOCUMENTS, certificate_id, {"name": "x.pdf", "content": PDF.ljust(most + 1, b"x")})
    alice(DOCUMENTS, certificate_id, {"name": "x.pdf", "content": PDF.ljust(most, b"x")})
    for number in range(5):
        alice(DOCUMENTS, certificate_id, {"name": f"{number}.pdf", "content": PDF + bytes([number])})
    assert (
        "10 documents"
        in alice.refused(DOCUMENTS, certificate_id, {"name": "x", "content": PNG + b"1"}).message
    )
    olga = Caller(desk.someone("olga", "scm:organization:*"))
    shown = olga("organization.show", certificate_id)["documents"]
    assert len(shown) == 10
    for reader in (olga, alice, Caller(desk.someone("bob"))):
        file = reader("organization.document", certificate_id, document_id=str(shown[0]["id"]))
        assert (file.content, file.content_type) == (big, "application/octet-stream")
    assert Event.objects.filter(action="organization.document_read").count() == 3
    rita = Caller(desk.someone("rita", "scm:cert:*"))
    assert isinstance(
        rita.refused("organization.document", certificate_id, document_id=str(shown[0]["id"])), Forbidden
    )
    charlie = Caller(replace(desk.alice, account_id="f" * 32))
    for name, more in (
        (DOCUMENTS, {"body": {"name": "a", "content": PDF}}),
        ("organization.document", {"document_id": str(shown[0]["id"])}),
        ("organization.remove_document", {"document_id": str(shown[0]["id"])}),
    ):
        assert isinstance(charlie.refused(name, certificate_id, **more), NotFound)
    other = waiting(desk, alice)
    for wrong in ("0", "x", str(shown[0]["id"])):
        assert isinstance(alice.refused("organization.document", other, document_id=wrong), NotFound)


def test_a_damaged_document_is_not_handed_out(desk: Desk, alice: Caller) -> None:
    certificate_id = waiting(desk, alice)
    made = alice(DOCUMENTS, certificate_id, {"name": "a.pdf", "content": PDF})
    OrganizationDocument.objects.update(sha256="0" * 64)
    fault = alice.refused("organization.document", certificate_id, document_id=str(made["id"]))
    assert "damaged" in fault.message


@pytest.mark.parametrize("end", ["approve", "reject", "withdraw"])
def test_documents_go_with_the_end_of_the_application(desk: Desk, alice: Caller, end: str) -> None:
    # rule: ORG-2
    certificate_id = waiting(desk, alice)
    kept = Secret.objects.count()
    taken = alice(DOCUMENTS, certificate_id, {"name": "wrong.pdf", "content": PDF + b"w"})["id"]
    alice("organization.remove_document", certificate_id, document_id=str(taken))
    made = alice(DOCUMENTS, certificate_id, {"name": "licence.pdf", "content": PDF})["id"]
    olga = Caller(desk.someone("olga"))
    if end == "withdraw":
        alice("certificates.cancel", certificate_id)
    elif end == "approve":
        olga(DECIDE, certificate_id, yes())
        assert not documents.due(10)  # the application is still open: the CA may ask back
    else:
        olga(DECIDE, certificate_id, {"decision": "reject", "reason": "No."})
    desk.run(timedelta(hours=1))
    row = OrganizationDocument.objects.get(id=made)
    if end == "approve":
        assert desk.state(certificate_id) == "ISSUED"
        assert [one.id for one in documents.due(10)] == [made]
        documents.clear(documents.due(10), clock.now())
        row.refresh_from_db()
    assert (row.name, row.parts.count(), row.size) == ("", 0, len(PDF))
    assert row.removed_at
    assert Secret.objects.filter(purpose=documents.PURPOSE).count() == 0
    assert kept
    assert isinstance(alice.refused("organization.document", certificate_id, document_id=str(made)), NotFound)
    assert isinstance(
        alice.refused(DOCUMENTS, certificate_id, {"name": "a", "content": PDF}), WrongState | CertdeskError
    )


def test_a_document_that_an_officer_decided_with_stays(desk: Desk, alice: Caller) -> None:
    certificate_id = waiting(desk, alice, cert_type="EV_SSL_CERT")
    made = alice(DOCUMENTS, certificate_id, {"name": "a.pdf", "content": PDF})["id"]
    Caller(desk.someone("olga"))(DECIDE, certificate_id, yes("EV"))
    fault = alice.refused("organization.remove_document", certificate_id, document_id=str(made))
    assert isinstance(fault, WrongState)


def test_upload_over_the_wire_stays_in_memory_and_is_limited(office: Office) -> None:
    # rule: ORG-1
    desk = office.desk
    certificate_id = waiting(desk, Caller(desk.alice))
    client = office.client()
    page = f"/certificates/{certificate_id}/organization"
    where = f"{page}/documents"

    def upload(name: str, content: bytes) -> str:
        file = BytesIO(content)
        file.name = name
        assert client.post(where, {"document": file}).status_code == 302
        return client.get(page).content.decode()

    assert 'data-code="document.added"' in upload("licence.pdf", PDF.ljust(3 * 1024 * 1024, b"x"))
    assert "neither PDF" in upload("x.pdf", b"<script>alert(1)</script>")
    assert "larger than 5 MiB" in upload("x.pdf", PDF.ljust(6 * 1024 * 1024, b"x"))
    assert client.post(where, {}).status_code == 302
    document = OrganizationDocument.objects.get()
    saved = office.client("otto").get(f"{where}/{document.id}")
    assert saved.headers["Content-Type"] == "application/octet-stream"
    assert saved.headers["Content-Disposition"].startswith("attachment;")
    assert saved.headers["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in saved.headers["Content-Security-Policy"]
    assert office.client("charlie").get(f"{where}/{document.id}").status_code == 404
    assert office.client("nils").get(f"{where}/{document.id}").status_code == 403
    assert office.client("charlie").post(f"{where}/{document.id}/remove").status_code == 404
    assert client.post(f"{where}/{document.id}/remove").status_code == 302
    assert not OrganizationDocument.objects.filter(removed_at=None).exists()
    assert client.get(f"{where}/{document.id}").status_code == 404
