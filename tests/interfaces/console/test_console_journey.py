"""The chapters of the guide through the console: buy, apply, prove, verify the organization, download."""

import io
import re
import zipfile
from datetime import timedelta

import pytest
from django.test import Client

from certdesk.foundation.common import clock
from certdesk.foundation.iam.models import Account
from certdesk.lifecycle.certificates.models import Certificate
from certdesk.lifecycle.orders.models import Order
from certdesk.lifecycle.validation.organization_rules import checklist
from tests.support.desk import COMPANY
from tests.support.office import Office

DV = {
    "domain_type": "SINGLE_DOMAIN",
    "cert_type": "DV_SSL_CERT",
    "cert_brand": "GEOTRUST",
    "effective_time": "1",
    "order_number": "1",
}
PEOPLE = {
    "csr_mode": "SYSTEM",
    "key_algorithm": "EC_P256",
    "ca_hash_algorithm": "DEFAULT",
    "domain_method": "DNS",
    "applicant_name": "Ada Lovelace",
    "applicant_phone": "+44 20 7946 0000",
    "applicant_email": "ada@example.com",
    "agree_privacy_protection": "on",
}
PAY = {"payment_method": "BALANCE", "agree_privacy_protection": "on"}
HOUR = timedelta(hours=1)


def text(response: object) -> str:
    return response.content.decode()  # type: ignore[attr-defined,no-any-return]


def order(client: Client, **changes: str) -> str:
    """*Next* on the purchase page; answers the order's id."""
    response = client.post("/certificates/buy", DV | changes)
    assert response.status_code == 302, text(response)
    return str(response.headers["Location"]).rsplit("/", 1)[1]


def bought(client: Client, **changes: str) -> str:
    order_id = order(client, **changes)
    assert client.post(f"/certificates/buy/confirm/{order_id}", PAY).status_code == 302
    return Certificate.objects.get(order_id=order_id).id


def applied(client: Client, certificate_id: str, **answers: str) -> None:
    response = client.post(f"/certificates/{certificate_id}/apply", PEOPLE | answers)
    assert response.status_code == 302, text(response)
    assert response.headers["Location"] == f"/certificates/{certificate_id}/verify"


def state(certificate_id: str) -> str:
    return Certificate.objects.get(id=certificate_id).state


def test_buying_confirms_accepts_and_pays(office: Office) -> None:
    # rule: ORD-2
    # rule: ORD-3
    client = office.client()
    page = text(client.get("/certificates/buy"))
    for field in (
        "domain_type",
        "domain_numbers",
        "cert_type",
        "cert_brand",
        "effective_time",
        "order_number",
    ):
        assert f'name="{field}"' in page
    order_id = order(client, order_number="2")
    assert not Certificate.objects.exists()
    confirm = f"/certificates/buy/confirm/{order_id}"
    shown = text(client.get(confirm))
    assert "I have read and agree to the Cloud Certificate Manager Statement" in shown
    assert "¥ 1,260.00" in shown
    refused = client.post(confirm, {"payment_method": "BALANCE"})
    assert refused.status_code == 422
    assert "has not been accepted" in text(refused)
    assert Order.objects.get().statement_accepted_at is None
    assert client.post(confirm, PAY).headers["Location"] == f"/orders/{order_id}/receipt"
    receipt = text(client.get(f"/orders/{order_id}/receipt"))
    assert 'data-code="order.paid"' in receipt
    certificates = Certificate.objects.all()
    assert [(one.state, bool(re.fullmatch("scm-[0-9a-f]{6}", one.name))) for one in certificates] == [
        ("PAID", True)
    ] * 2
    assert all(one.id in receipt for one in certificates)


def test_paying_twice_pays_once(office: Office) -> None:
    # rule: ORD-4
    client = office.client()
    order_id = order(client)
    for _ in range(2):
        client.post(f"/certificates/buy/confirm/{order_id}", PAY)
    assert Certificate.objects.count() == 1
    again = client.get(f"/certificates/buy/confirm/{order_id}")
    assert again.headers["Location"] == f"/orders/{order_id}/receipt"


def test_too_small_a_balance_leaves_the_order_unpaid(office: Office) -> None:
    # rule: ORD-7
    client = office.client()
    order_id = order(client, cert_type="EV_SSL_CERT", order_number="100", cert_brand="SYMANTEC")
    order_id = (
        order(client, cert_type="EV_SSL_CERT_PRO", order_number="100", cert_brand="SYMANTEC") or order_id
    )
    client.post(f"/certificates/buy/confirm/{order_id}", PAY)
    second = order(client, cert_type="EV_SSL_CERT_PRO", order_number="100", cert_brand="SYMANTEC")
    refused = client.post(f"/certificates/buy/confirm/{second}", PAY)
    assert "balance is too small" in text(refused)
    assert "balance is too small" in text(client.get(f"/orders/{second}"))


def test_an_unpaid_order_is_cancelled(office: Office) -> None:
    client = office.client()
    order_id = order(client)
    assert 'data-operation="cancel-order"' in text(client.get(f"/orders/{order_id}"))
    client.post(f"/orders/{order_id}/cancel")
    page = text(client.get(f"/orders/{order_id}"))
    assert 'data-code="order.cancelled"' in page
    assert 'data-status="CANCELLED"' in page
    client.post(f"/orders/{order_id}/cancel")
    assert 'role="alert"' in text(client.get(f"/orders/{order_id}"))
    assert client.get(f"/certificates/buy/confirm/{order_id}").headers["Location"] == f"/orders/{order_id}"


def test_orders_are_listed_with_amounts(office: Office) -> None:
    # rule: ORD-6
    client = office.client()
    bought(client)
    unpaid = order(client)
    page = text(client.get("/orders"))
    for words in ("¥ 630.00", "Paid", "Pending payment", "Cash", unpaid):
        assert words in page
    assert unpaid not in text(client.get("/orders?status=PAID"))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"domain_type": "MULTI_DOMAIN", "domain_numbers": "251"}, "250"),
        ({"domain_type": "MULTI_DOMAIN", "domain_numbers": ""}, "2 to 250"),
        (
            {"domain_type": "MULTI_DOMAIN", "domain_numbers": "5", "wildcard_domain_number": "1"},
            "OV or OV Pro",
        ),
        ({"domain_type": "WILDCARD", "cert_type": "EV_SSL_CERT"}, "no EV of GeoTrust"),
        ({"order_number": "101"}, "100"),
    ],
)
def test_a_refused_purchase_keeps_what_was_chosen(
    office: Office, changes: dict[str, str], words: str
) -> None:
    response = office.client().post("/certificates/buy", DV | changes)
    page = text(response)
    assert response.status_code == 422
    assert 'role="alert"' in page
    assert words in page
    chosen = changes.get("domain_type", DV["domain_type"])
    assert re.search(rf'value="{chosen}"[^>]* checked', page)


def test_special_enterprises_buy_no_organization_certificates(office: Office) -> None:
    # rule: ORD-5
    Account.objects.filter(id=office.desk.account.id).update(special_enterprise=True)
    response = office.client().post("/certificates/buy", DV | {"cert_type": "OV_SSL_CERT"})
    assert response.status_code == 422
    assert "special enterprise" in text(response)


def test_the_price_follows_the_choice(office: Office) -> None:
    # rule: CAT-8
    client = office.client()
    assert "¥ 630.00" in text(client.get("/certificates/buy/price", DV))
    more = DV | {"domain_type": "MULTI_DOMAIN", "domain_numbers": "10", "order_number": "3"}
    assert "¥" in text(client.get("/certificates/buy/price", more))
    assert "Free of charge" in text(client.get("/certificates/buy/price", DV | {"cert_type": "FREE"}))
    assert "quantities" in text(client.get("/certificates/buy/price", DV | {"order_number": ""}))
    assert "whole number" in text(client.get("/certificates/buy/price", DV | {"order_number": "x"}))
    wrong = DV | {"cert_type": "EV_SSL_CERT", "domain_type": "WILDCARD"}
    assert "cd-error" in text(client.get("/certificates/buy/price", wrong))


def test_types_are_explained(office: Office) -> None:
    # rule: CAT-5
    for path in ("/prices", "/certificates/buy"):
        page = text(office.client().get(path))
        for words in ("Highest", "7 to 10 working days", "3 to 5 working days", "organization identity"):
            assert words in page


def test_applying_asks_what_the_type_needs(office: Office) -> None:
    # rule: APP-4
    # rule: APP-9
    client = office.client()
    page = text(client.get(f"/certificates/{bought(client)}/apply"))
    for words in (
        "System-generated CSR (recommended)",
        "Might not suit browsers of earlier versions.",
        "advised for DigiCert OV",
        "punycode",
        "I have read, understood, and agree",
        "Names cannot be changed once submitted",
    ):
        assert words in page
    assert 'name="company_name"' not in page
    assert 'name="sans"' not in page
    organization = text(client.get(f"/certificates/{bought(client, cert_type='OV_SSL_CERT')}/apply"))
    assert 'name="company_name"' in organization
    multi = bought(client, domain_type="MULTI_DOMAIN", domain_numbers="3")
    assert 'name="sans"' in text(client.get(f"/certificates/{multi}/apply"))


@pytest.mark.parametrize(
    ("answers", "field", "words"),
    [
        ({"domain": "例子.example.com"}, "domain", "xn--fsqu00a.example.com"),
        ({"domain": "bad_name.example.com"}, "domain", "underscore"),
        ({"domain": "192.0.2.1"}, "domain", "IP address"),
        ({"domain": "co.uk"}, "domain", "public suffix"),
        ({"applicant_phone": "call me"}, "applicant_phone", "is not a phone number"),
        ({"applicant_email": ""}, "applicant_email", "required"),
        ({"contact_name": "Only A Name"}, "contact_phone", "is missing"),
        ({"agree_privacy_protection": ""}, "agree_privacy_protection", "Accept the statement"),
        ({"csr_mode": "UPLOAD", "csr": "-----BEGIN NONSENSE-----"}, "csr", "CSR"),
    ],
)
def test_a_refused_application_keeps_what_was_typed(
    office: Office, answers: dict[str, str], field: str, words: str
) -> None:
    # rule: APP-6
    # rule: APP-7
    client = office.client()
    certificate_id = bought(client)
    given = PEOPLE | {"domain": "www.example.com"} | answers
    response = client.post(f"/certificates/{certificate_id}/apply", given)
    page = text(response)
    assert response.status_code == 422
    assert 'role="alert"' in page
    place = page[page.index(f'id="id_{field}_error"') :]
    assert words in place[: place.index("</div>")]
    assert given["applicant_name"] in page
    assert given["domain"] in page
    assert state(certificate_id) == "PAID"


def test_a_dv_certificate_all_the_way(office: Office) -> None:
    # rule: DOM-1
    # rule: DOM-2
    # rule: DOM-5
    # rule: DOM-6
    # rule: DOM-17
    # rule: ISS-3
    client = office.client()
    certificate_id = bought(client)
    applied(client, certificate_id, domain="www.example.com")
    page = text(client.get(f"/certificates/{certificate_id}/verify"))
    for words in (
        "_dnsauth.example.com",
        "TXT",
        "300",
        "Alias",
        "Line",
        "nslookup -q=TXT _dnsauth.example.com",
        "dig +short TXT _dnsauth.example.com",
        "only after the certificate is issued",
        "data-copy=",
    ):
        assert words in page
    assert re.search(r"&quot;[0-9a-f]{64}&quot;", page)
    seen = client.post(f"/certificates/{certificate_id}/verify", headers={"HX-Request": "true"})
    assert "does not exist: NXDOMAIN" in text(seen)
    office.desk.publish(certificate_id)
    done = client.post(f"/certificates/{certificate_id}/verify", headers={"HX-Request": "true"})
    assert done.headers["HX-Redirect"] == f"/certificates/{certificate_id}"
    assert 'data-code="domain.verified"' in text(client.get(f"/certificates/{certificate_id}"))
    office.desk.run(HOUR)
    shown = text(client.get(f"/certificates/{certificate_id}"))
    assert 'data-status="ISSUED"' in shown
    assert 'data-operation="download"' in shown
    assert "your private CA" in shown
    for server, file in (("nginx", ".crt"), ("tomcat", ".jks"), ("iis", ".pfx"), ("all", ".pfx")):
        archive = client.get(f"/certificates/{certificate_id}/download?server={server}")
        names = zipfile.ZipFile(io.BytesIO(archive.content)).namelist()
        assert any(name.endswith(file) for name in names), names
        assert archive.headers["Content-Disposition"].startswith("attachment")
    assert client.get(f"/certificates/{certificate_id}/download?server=vax").status_code == 400


def test_without_htmx_verify_tells_what_happened(office: Office) -> None:
    client = office.client()
    certificate_id = bought(client)
    applied(client, certificate_id, domain="plain.example.com")
    assert client.post(f"/certificates/{certificate_id}/verify").status_code == 302
    assert "NXDOMAIN" in text(client.get(f"/certificates/{certificate_id}/verify"))
    office.desk.publish(certificate_id)
    client.post(f"/certificates/{certificate_id}/verify")
    assert client.get(f"/certificates/{certificate_id}/verify/live?state=CHECKING").status_code == 302
    fragment = client.get(
        f"/certificates/{certificate_id}/verify/live?state=CHECKING", headers={"HX-Request": "true"}
    )
    assert fragment.headers["HX-Redirect"] == f"/certificates/{certificate_id}"
    late = client.post(f"/certificates/{bought(client)}/verify")
    assert late.status_code == 302


def test_nothing_to_download_before_issuance(office: Office) -> None:
    # rule: DLD-2
    client = office.client()
    certificate_id = bought(client)
    response = client.get(f"/certificates/{certificate_id}/download")
    assert response.status_code == 404
    assert "nothing to download" in text(response)


def test_an_organization_is_verified_at_the_desk(office: Office) -> None:
    # rule: ORG-1
    # rule: ORG-2
    # rule: ORG-3
    # rule: ISS-5
    # rule: DOM-18
    client, otto = office.client(), office.client("otto")
    certificate_id = bought(client, cert_type="OV_SSL_CERT")
    applied(client, certificate_id, domain="corp.example.com", **COMPANY)
    assert "2 to 3 working days" in text(client.get(f"/certificates/{certificate_id}/verify"))
    office.desk.publish(certificate_id)
    client.post(f"/certificates/{certificate_id}/verify")
    page = text(client.get(f"/certificates/{certificate_id}"))
    assert 'data-status="CHECKING_ORG"' in page
    assert "3 to 5 working days" in page
    assert "Waiting for" in page
    method = f"/certificates/{certificate_id}/organization"
    assert 'value="PHONE"' in text(client.get(method))
    client.post(method, {"method": "DOCUMENTS"})
    client.post(method, {"method": "PIGEON"})
    assert client.get("/organization-verifications").status_code == 200
    assert COMPANY["company_name"] in text(otto.get("/organization-verifications"))
    desk = f"/organization-verifications/{certificate_id}"
    assert "Documents" in text(otto.get(desk))
    own = text(client.get(desk))
    assert "You applied for this certificate" in own
    assert 'data-operation="approve"' not in own
    assert client.post(desk, {"decision": "approve"}).status_code == 403
    incomplete = otto.post(desk, {"decision": "approve", "checked": ["exists"], "reason": "kept words"})
    assert incomplete.status_code == 422
    assert "Not everything was checked" in text(incomplete)
    assert "kept words" in text(incomplete)
    assert re.search(r'value="exists"[^>]* checked', text(incomplete))
    assert otto.post(desk, {"decision": "perhaps"}).status_code == 422
    everything = [item.id for item in checklist("OV")]
    done = otto.post(desk, {"decision": "approve", "checked": everything})
    assert done.headers["Location"] == "/organization-verifications"
    assert 'data-code="organization.approved"' in text(otto.get("/organization-verifications"))
    office.desk.run(HOUR)
    assert state(certificate_id) == "ISSUED"


def test_ev_needs_two_officers(office: Office) -> None:
    # rule: ORG-2
    client = office.client()
    certificate_id = bought(client, cert_type="EV_SSL_CERT")
    applied(client, certificate_id, domain="ev.example.com", **COMPANY)
    office.desk.publish(certificate_id)
    client.post(f"/certificates/{certificate_id}/verify")
    everything = {"decision": "approve", "checked": [item.id for item in checklist("EV")]}
    desk = f"/organization-verifications/{certificate_id}"
    otto = office.client("otto")
    otto.post(desk, everything)
    assert 'data-code="organization.recorded"' in text(otto.get("/organization-verifications"))
    assert "decided about this organization already" in text(otto.get(desk))
    assert otto.post(desk, everything).status_code == 422
    assert state(certificate_id) == "CHECKING_ORG"
    office.client("olga").post(desk, everything)
    assert state(certificate_id) == "ISSUING"


def test_a_rejected_application_is_modified(office: Office) -> None:
    # rule: REO-1
    client, otto = office.client(), office.client("otto")
    certificate_id = bought(client, cert_type="OV_SSL_CERT")
    applied(client, certificate_id, domain="again.example.com", **COMPANY)
    office.desk.publish(certificate_id)
    client.post(f"/certificates/{certificate_id}/verify")
    desk = f"/organization-verifications/{certificate_id}"
    assert "needs a reason" in text(otto.post(desk, {"decision": "reject", "reason": " "}))
    otto.post(desk, {"decision": "reject", "reason": "The register says Example Holdings."})
    page = text(client.get(f"/certificates/{certificate_id}"))
    assert 'data-status="UNPASSED"' in page
    assert "The register says Example Holdings." in page
    assert 'data-operation="reopen"' in page
    response = client.post(f"/certificates/{certificate_id}/reopen")
    assert response.headers["Location"] == f"/certificates/{certificate_id}/apply"
    form = text(client.get(f"/certificates/{certificate_id}/apply"))
    for words in ("again.example.com", COMPANY["company_name"], "ada@example.com", "The register says"):
        assert words in form
    assert Order.objects.count() == 1
    client.post(f"/certificates/{certificate_id}/reopen")
    assert 'role="alert"' in text(client.get(f"/certificates/{certificate_id}"))


def test_an_application_is_withdrawn(office: Office) -> None:
    # rule: WDR-1
    # rule: WDR-2
    client = office.client()
    certificate_id = bought(client)
    applied(client, certificate_id, domain="wiki.example.com")
    page = f"/certificates/{certificate_id}/withdraw"
    assert "verified once more" in text(client.get(page))
    client.post(page)
    shown = text(client.get(f"/certificates/{certificate_id}"))
    assert "Request for canceling the application submitted successfully." in shown
    assert 'data-status="CANCELCHECKING"' in shown
    office.desk.run(HOUR)
    assert state(certificate_id) == "PAID"
    assert client.get(page).headers["Location"] == f"/certificates/{certificate_id}"
    client.post(page)
    assert 'role="alert"' in text(client.get(f"/certificates/{certificate_id}"))


def test_applying_twice_is_refused_in_words(office: Office) -> None:
    # rule: APP-1
    client = office.client()
    certificate_id = bought(client)
    applied(client, certificate_id, domain="once.example.com")
    assert (
        client.get(f"/certificates/{certificate_id}/apply").headers["Location"]
        == f"/certificates/{certificate_id}"
    )
    assert "does not allow: apply" in text(client.get(f"/certificates/{certificate_id}"))


def test_messages_show_their_delivery(office: Office) -> None:
    # rule: NTF-3
    client = office.client()
    certificate_id = bought(client)
    applied(client, certificate_id, domain="mail.example.com")
    office.desk.run()
    page = text(client.get("/outbox"))
    assert "ada@example.com" in page
    assert "Kept here only" in page
    found = re.search(r"/outbox/\d+", page)
    assert found
    assert "_dnsauth.mail.example.com" in text(client.get(found[0]))
    assert "No message in this state" in text(client.get("/outbox?state=FAILED"))
    assert client.get("/outbox/999999").status_code == 404
    assert office.client("charlie").get(found[0]).status_code == 404


def test_history_names_who_did_what(office: Office) -> None:
    client = office.client()
    certificate_id = bought(client)
    applied(client, certificate_id, domain="history.example.com")
    page = text(client.get(f"/certificates/{certificate_id}"))
    assert "Application submitted" in page
    assert "by alice" in page
    assert clock.now().strftime("%Y") in page


def test_the_forms_of_another_site_are_refused(office: Office) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(office.people["alice"], backend="certdesk.interfaces.console.accounts.Backend")
    response = client.post("/certificates/buy", DV)
    assert response.status_code == 403
    assert "too old to be sent" in text(response)


def test_a_free_certificate_costs_nothing(office: Office) -> None:
    # rule: FRE-1
    client = office.client()
    certificate_id = bought(client, cert_type="FREE", cert_brand="GEOTRUST")
    certificate = Certificate.objects.get(id=certificate_id)
    assert (certificate.free, certificate.validity_months, certificate.brand) == (True, 3, "SYMANTEC")
    assert "DigiCert · DV (Basic) · Single domain · free" in text(client.get("/certificates"))
    assert "¥ 0.00" in text(client.get(f"/orders/{certificate.order_id}"))
    refused = client.post("/certificates/buy", DV | {"cert_type": "FREE", "order_number": "2"})
    assert "exactly 1" in text(refused)


def test_an_uploaded_csr_brings_names_and_keeps_its_key(office: Office) -> None:
    # rule: APP-2
    # rule: APP-12
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import Encoding

    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    names = x509.SubjectAlternativeName([x509.DNSName("own-key.example.com")])
    request = builder.add_extension(names, critical=False).sign(
        ec.generate_private_key(ec.SECP256R1()), hashes.SHA256()
    )
    client = office.client()
    certificate_id = bought(client)
    applied(client, certificate_id, csr_mode="UPLOAD", csr=request.public_bytes(Encoding.PEM).decode())
    office.desk.publish(certificate_id)
    client.post(f"/certificates/{certificate_id}/verify")
    office.desk.run(HOUR)
    page = text(client.get(f"/certificates/{certificate_id}"))
    assert "own-key.example.com" in page
    assert "EC P-256, yours" in page
    assert "it was made with your CSR" in text(client.get(f"/certificates/{certificate_id}/download"))
    archive = client.get(f"/certificates/{certificate_id}/download?server=other")
    assert b"PRIVATE KEY" not in archive.content
    assert not [
        name for name in zipfile.ZipFile(io.BytesIO(archive.content)).namelist() if name.endswith(".key")
    ]


def test_what_the_ca_has_approved_is_not_withdrawn(office: Office) -> None:
    # rule: WDR-3
    client = office.client()
    certificate_id = bought(client)
    applied(client, certificate_id, domain="late.example.com")
    office.desk.publish(certificate_id)
    client.post(f"/certificates/{certificate_id}/verify")
    assert 'data-operation="withdraw"' not in text(client.get(f"/certificates/{certificate_id}"))
    client.post(f"/certificates/{certificate_id}/withdraw")
    assert "has approved the application already" in text(client.get(f"/certificates/{certificate_id}"))
    assert state(certificate_id) == "ISSUING"


def test_nothing_to_verify_before_the_application(office: Office) -> None:
    client = office.client()
    certificate_id = bought(client)
    response = client.get(f"/certificates/{certificate_id}/verify")
    assert response.headers["Location"] == f"/certificates/{certificate_id}"
    assert "Nothing was applied for yet" in text(client.get(f"/certificates/{certificate_id}"))


def test_several_names_share_a_record_and_show_their_own_status(office: Office) -> None:
    # rule: DOM-1
    # rule: DOM-15
    client = office.client()
    certificate_id = bought(client, domain_type="MULTI_DOMAIN", domain_numbers="3")
    names = {"domain": "example.com", "sans": "www.example.com\nother.example.net"}
    applied(client, certificate_id, **names)
    page = text(client.get(f"/certificates/{certificate_id}/verify"))
    assert page.count('class="cd-proof"') == 2
    office.desk.publish(certificate_id, leave_out=("example.net", "other.example.net"))
    seen = text(client.post(f"/certificates/{certificate_id}/verify", headers={"HX-Request": "true"}))
    assert "2 of 3 domain names are verified." in seen
    assert 'data-status="VERIFIED"' in seen
    assert 'data-status="FAILED"' in seen


def test_orders_and_receipts_of_several_certificates_lead_to_the_list(office: Office) -> None:
    client = office.client()
    order_id = order(client, order_number="3")
    assert client.get(f"/orders/{order_id}/receipt").headers["Location"] == f"/orders/{order_id}"
    client.post(f"/certificates/buy/confirm/{order_id}", PAY)
    assert "/certificates?status=PAID" in text(client.get(f"/orders/{order_id}/receipt"))
    assert 'data-operation="pay"' not in text(client.get(f"/orders/{order_id}"))


def test_an_order_says_how_its_certificates_stand(office: Office) -> None:
    client = office.client()
    certificate_id = bought(client)
    order_id = Certificate.objects.get(id=certificate_id).order_id
    page = text(client.get(f"/orders/{order_id}"))
    assert "1 certificate is ready to be applied for" in page
    assert f'href="/certificates/{certificate_id}/apply"' in page
    applied(client, certificate_id, domain="www.shop.example.com")
    page = text(client.get(f"/orders/{order_id}"))
    assert 'data-operation="apply"' not in page
    assert 'data-status="CHECKING"' in page
    assert "www.shop.example.com" in page


def test_the_verify_page_is_sent_again_only_when_it_changed(office: Office) -> None:
    client = office.client()
    certificate_id = bought(client)
    applied(client, certificate_id, domain="www.shop.example.com")
    page = text(client.get(f"/certificates/{certificate_id}/verify"))
    found = re.search(r"verify/live\?state=CHECKING&amp;seen=([0-9a-f]+)", page)
    assert found is not None
    live = f"/certificates/{certificate_id}/verify/live?state=CHECKING&seen={found[1]}"
    assert client.get(live).status_code == 204
    client.post(f"/certificates/{certificate_id}/verify")
    assert client.get(live).status_code == 200


def test_a_wrong_record_is_to_be_corrected_and_all_can_be_copied_at_once(office: Office) -> None:
    # rule: DOM-11
    client = office.client()
    certificate_id = bought(client, domain_type="MULTI_DOMAIN", domain_numbers="2")
    applied(client, certificate_id, domain="a.example.org", sans="b.example.net")
    verify = f"/certificates/{certificate_id}/verify"
    assert "_dnsauth.b.example.net. 300 IN TXT &quot;" in text(client.get(verify))
    for name in ("a.example.org", "b.example.net"):
        office.desk.dns.set(f"_dnsauth.{name}", "TXT", ["something else"])
    seen = text(client.post(verify, headers={"HX-Request": "true"}))
    assert "correct the DNS record" in seen
    assert "Another value found" in seen


def test_verified_names_stand_apart_and_on_the_certificate(office: Office) -> None:
    client = office.client()
    certificate_id = bought(client, domain_type="MULTI_DOMAIN", domain_numbers="2")
    applied(client, certificate_id, domain="a.example.org", sans="b.example.net")
    office.desk.publish(certificate_id, leave_out=("example.net", "b.example.net"))
    page = text(client.post(f"/certificates/{certificate_id}/verify", headers={"HX-Request": "true"}))
    assert "add this DNS record" in page
    assert page.index("b.example.net") < page.index("Verified names")
    shown = text(client.get(f"/certificates/{certificate_id}"))
    assert "Verified" in shown
    assert "Not verified yet" in shown


def test_the_orders_show_the_balance_and_what_is_missing(office: Office) -> None:
    # rule: ORD-7
    client = office.client()
    order_id = order(client, cert_type="EV_SSL_CERT_PRO", order_number="100", cert_brand="SYMANTEC")
    for path in ("/orders", f"/orders/{order_id}", f"/certificates/buy/confirm/{order_id}"):
        assert "balance is too small" not in text(client.get(path))
    second = order(client, cert_type="EV_SSL_CERT_PRO", order_number="100", cert_brand="SYMANTEC")
    client.post(f"/certificates/buy/confirm/{order_id}", PAY)
    for path in ("/orders", f"/orders/{second}", f"/certificates/buy/confirm/{second}"):
        assert "Ask your operator to credit the account" in text(client.get(path))
    client.post(f"/orders/{second}/cancel")
    assert "The buyer cancelled it" in text(client.get(f"/orders/{second}"))
    assert "Balance: ¥" in text(client.get("/orders"))


def test_the_price_names_the_quantity_that_cannot_be(office: Office) -> None:
    wrong = DV | {"domain_type": "MULTI_DOMAIN", "domain_numbers": "251"}
    page = text(office.client().get("/certificates/buy/price", wrong))
    assert "Domain quantity" in page
    assert "250" in page
