"""CSR management in the console, and the choice of a stored CSR in an application."""

import pytest
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from certdesk.lifecycle.applications.models import Application
from certdesk.lifecycle.certificates.models import Csr
from certdesk.pki.keystore.models import Key, State
from certdesk.pki.x509.csr import parse_csr
from tests.support.desk import FORM
from tests.support.office import Office
from tests.support.requests_of import request_for

NAME = "www.example.com"
NEW = {
    "name": "Shop front",
    "domain_name": NAME,
    "sans": "example.com\r\napi.example.com",
    "private_key_algo": "EC_P256",
    "usage": "PERSONAL",
}
COMPANY = {
    "company_name": "Example Trading Co.,Ltd",
    "company_country": "CN",
    "company_province": "Guizhou",
    "company_city": "Guiyang",
}


def text(response: object) -> str:
    return response.content.decode()  # type: ignore[attr-defined,no-any-return]


def made(office: Office, **more: str) -> Csr:
    response = office.client().post("/csrs/create", {**NEW, **more})
    assert response.status_code == 302, text(response)
    return Csr.objects.order_by("-created_at", "-id")[0]


def test_the_empty_page_names_what_can_be_done(office: Office) -> None:
    page = text(office.client().get("/csrs"))
    assert "No CSRs yet" in page
    assert 'data-operation="create-csr"' in page
    assert 'data-operation="upload-csr"' in page
    assert 'href="/csrs"' in page  # in the menu
    reader = text(office.client("rita").get("/csrs"))
    assert "No CSRs yet" in reader
    assert 'data-operation="create-csr"' not in reader
    assert office.client("nils").get("/csrs").status_code == 403


@pytest.mark.parametrize("language", ["en", "zh-hans"])
def test_made_shown_found_renamed_handed_out_deleted(office: Office, language: str) -> None:
    alice, bob, charlie = office.client(), office.client("bob", language), office.client("charlie")
    found = made(office)
    page = text(bob.get(f"/csrs/{found.id}"))
    for words in (found.csr.splitlines()[1], "api.example.com", "EC P-256", 'data-operation="export-key"'):
        assert words in page
    assert "PRIVATE KEY" not in page
    assert text(bob.get("/csrs?content=front&algorithm=EC_P256")).count("data-csr-id") == 1
    assert "data-csr-id" not in text(bob.get("/csrs?algorithm=EC_P384"))
    assert "data-csr-id" not in text(charlie.get("/csrs"))

    file = bob.get(f"/csrs/{found.id}/csr")
    assert parse_csr(text(file)).names[0].text == NAME
    key = bob.post(f"/csrs/{found.id}/private-key")
    assert key.headers["Content-Disposition"] == f'attachment; filename="{found.id}.key"'
    assert key.headers["Cache-Control"] == "no-store"
    held = load_pem_private_key(key.content, None)
    assert held.public_key() == parse_csr(found.csr).public_key
    assert bob.get(f"/csrs/{found.id}/private-key").status_code == 405

    assert bob.get(f"/csrs/{found.id}/edit").status_code == 200
    assert bob.post(f"/csrs/{found.id}/edit", {"name": "back"}).status_code == 302
    assert bob.post(f"/csrs/{found.id}/edit", {"name": "b\x07"}).status_code == 422
    assert "back" in text(alice.get("/csrs"))

    asked = text(bob.get(f"/csrs/{found.id}/delete"))
    assert "cd-losses" in asked
    for path in ("", "/edit", "/delete", "/csr", "/status"):
        assert charlie.get(f"/csrs/{found.id}{path}").status_code == 404
    for path in ("/private-key", "/delete", "/edit"):
        assert charlie.post(f"/csrs/{found.id}{path}", {"name": "x"}).status_code == 404
    assert bob.post(f"/csrs/{found.id}/delete").status_code == 302
    assert not Csr.objects.exists()
    assert Key.objects.get(id=found.key_id).state == State.DESTROYED
    assert bob.get(f"/csrs/{found.id}").status_code == 404


def test_who_only_reads_is_offered_no_change(office: Office) -> None:
    found = made(office)
    rita = office.client("rita")
    page = text(rita.get(f"/csrs/{found.id}"))
    for operation in ("export-key", "rename-csr", "delete-csr"):
        assert f'data-operation="{operation}"' not in page
    assert rita.post(f"/csrs/{found.id}/private-key").status_code == 403
    assert rita.post(f"/csrs/{found.id}/delete").status_code == 403
    assert rita.get("/csrs/create").status_code == 403


def test_a_company_stands_in_the_csr_of_an_enterprise_alone(office: Office) -> None:
    alice = office.client()
    missing = alice.post("/csrs/create", {**NEW, "usage": "ENTERPRISE"})
    assert missing.status_code == 422
    assert text(missing).count("This field is required.") == 4
    assert made(office, usage="ENTERPRISE", **COMPANY).company["name"] == COMPANY["company_name"]
    assert made(office, **COMPANY).company["name"] == ""


def test_a_refused_name_stands_at_its_field(office: Office) -> None:
    response = office.client().post("/csrs/create", {**NEW, "domain_name": "exa_mple.com"})
    assert response.status_code == 422
    assert 'id="id_domain_name_error"' in text(response)
    assert "api.example.com" in text(response)  # what was typed is kept


def test_pages_of_the_list(office: Office) -> None:
    for number in range(21):
        made(office, name=f"number {number}")
    alice = office.client()
    first = text(alice.get("/csrs"))
    assert first.count("data-csr-id") == 20
    assert "offset=20" in first
    second = text(alice.get("/csrs?offset=20"))
    assert second.count("data-csr-id") == 1
    assert 'rel="prev"' in second
    for wrong in ("offset=x", "offset=-1", f"offset={'9' * 30}", "algorithm=SM2", "content=%25"):
        assert alice.get(f"/csrs?{wrong}").status_code == 200


def test_an_upload_never_sends_the_key_back(office: Office) -> None:
    alice, request = office.client(), request_for("up.example.com")
    line = request.key_pem().splitlines()[1]
    refused = alice.post("/csrs/upload", {"name": "up", "csr": "nonsense", "private_key": request.key_pem()})
    assert refused.status_code == 422
    assert line not in text(refused)
    assert "paste it once more" in text(refused)
    good = {"name": "up", "csr": request.pem, "private_key": request.key_pem()}
    assert alice.post("/csrs/upload", good).status_code == 302
    found = Csr.objects.get()
    assert (found.csr, bool(found.key_id)) == (request.pem, True)
    assert "Uploaded" in text(alice.get("/csrs"))
    assert alice.post("/csrs/upload", {"name": "bare", "csr": request.pem}).status_code == 302
    bare = Csr.objects.get(name="bare")
    page = text(alice.get(f"/csrs/{bare.id}"))
    assert "Not here" in page
    assert 'data-operation="export-key"' not in page
    assert alice.post(f"/csrs/{bare.id}/private-key").status_code == 400


def test_the_page_waits_for_a_key_that_is_being_made(office: Office) -> None:
    alice, found = office.client(), made(office, private_key_algo="RSA_2048")
    page = text(alice.get(f"/csrs/{found.id}"))
    assert "is being made" in page
    assert f'hx-get="/csrs/{found.id}/status"' in page
    assert "Being made" in text(alice.get("/csrs"))
    assert alice.get(f"/csrs/{found.id}/csr").status_code == 503
    assert "HX-Refresh" not in alice.get(f"/csrs/{found.id}/status").headers
    office.desk.run()
    assert alice.get(f"/csrs/{found.id}/status").headers["HX-Refresh"] == "true"
    assert "BEGIN CERTIFICATE REQUEST" in text(alice.get(f"/csrs/{found.id}"))


def people() -> dict[str, str]:
    return {
        "applicant_name": FORM.applicant_name,
        "applicant_phone": FORM.applicant_phone,
        "applicant_email": FORM.applicant_email,
        "agree_privacy_protection": "on",
        "domain_method": "DNS",
        "ca_hash_algorithm": "DEFAULT",
    }


# rule: APP-2
def test_an_application_with_an_existing_csr(office: Office) -> None:
    alice, desk = office.client(), office.desk
    certificate_id = desk.buy()
    page = f"/certificates/{certificate_id}/apply"
    assert 'value="STORED"' not in text(alice.get(page))
    found = made(office, sans="")
    other = made(office, sans="", private_key_algo="EC_P384")  # not for this type
    form = text(alice.get(page))
    assert 'value="STORED"' in form
    assert f'value="{found.id}"' in form
    assert other.id not in form
    without = alice.post(page, {**people(), "csr_mode": "STORED"})
    assert without.status_code == 422
    assert 'id="id_csr_id_error"' in text(without)
    sent = {**people(), "csr_mode": "STORED", "csr_id": found.id, "csr": "leftover"}
    assert alice.post(page, sent).status_code == 302
    application = Application.objects.get()
    assert (application.csr_mode, application.names, application.csr_id) == ("STORED", NAME, found.id)
    desk.publish(certificate_id)
    desk.run()
    assert desk.state(certificate_id) == "ISSUED"
    assert "of a stored CSR" in text(alice.get(f"/certificates/{certificate_id}"))
    archive = alice.get(f"/certificates/{certificate_id}/download?server=nginx")
    assert b".key" in archive.content


def test_other_modes_take_no_stored_csr(office: Office) -> None:
    alice, certificate_id, found = office.client(), office.desk.buy(), made(office, sans="")
    sent = {**people(), "csr_mode": "SYSTEM", "csr_id": found.id, "domain": NAME, "key_algorithm": "EC_P256"}
    assert alice.post(f"/certificates/{certificate_id}/apply", sent).status_code == 302
    assert Application.objects.get().csr_mode == "SYSTEM"


# rule: REO-1
def test_applying_again_starts_with_the_same_choice(office: Office) -> None:
    alice, certificate_id, found = office.client(), office.desk.buy(), made(office, sans="")
    sent = {**people(), "csr_mode": "STORED", "csr_id": found.id, "domain": ""}
    alice.post(f"/certificates/{certificate_id}/apply", sent)
    alice.post(f"/certificates/{certificate_id}/withdraw")
    office.desk.run()
    form = text(alice.get(f"/certificates/{certificate_id}/apply"))
    assert f'<option value="{found.id}" selected>' in form
    assert "BEGIN CERTIFICATE REQUEST-----\n" not in form
