"""The official SDK, unchanged, drives the main job against a real server (API §8.7)."""

from datetime import timedelta

import pytest
from cryptography import x509
from huaweicloudsdkcore.auth.credentials import GlobalCredentials
from huaweicloudsdkcore.exceptions.exceptions import ClientRequestException
from huaweicloudsdkcore.region.region import Region
from huaweicloudsdkscm.v3 import (
    ApplyCertificateRequest,
    ApplyCertificateRequestBody,
    CancelCertificateRequestRequest,
    DeleteCertificateRequest,
    DisableNotificationRequest,
    EnableNotificationRequest,
    ExportCertificateRequest,
    ImportCertificateRequest,
    ImportCertificateRequestBody,
    ListCertificatesRequest,
    NoticeRequestBody,
    PurchaseCertificateRequestBody,
    ScmClient,
    ShowCertificateRequest,
    SubscribeCertificateRequest,
    UnsubscribeCertificateRequest,
)
from pytest_django.live_server_helper import LiveServer

from certdesk.foundation.common import clock
from certdesk.foundation.common import settings as house
from certdesk.foundation.iam.principal import system_principal
from certdesk.foundation.jobs import testing as jobs
from certdesk.lab.dns_server import LabDns
from certdesk.lifecycle.orders import actions as orders
from tests.support.authority import start_ca
from tests.support.signed import Person, account, person
from tests.support.uploads import World, key_of, key_pem, pem

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.server]
NAME = "www.sdk-example.com"


@pytest.fixture
def alice() -> Person:
    start_ca(clock.now())
    owner = account()
    house_principal = system_principal(owner.id)
    orders.credit(owner.id, "CNY", 100_000_00, "top-up", clock.now(), house_principal)
    return person(owner, "alice", "users")


@pytest.fixture
def dns() -> object:
    before = house.get()
    with LabDns() as server:
        house.install(before.model_copy(update={"dns_resolvers": (server.server,)}))
        yield server
    house.install(before)


def client(live_server: LiveServer, someone: Person) -> ScmClient:
    credentials = GlobalCredentials(someone.access_key, someone.secret_key)
    return ScmClient.new_builder().with_credentials(credentials).with_endpoint(live_server.url).build()


def buy(scm: ScmClient, **more: object) -> str:
    body = PurchaseCertificateRequestBody(
        cert_brand="GEOTRUST",
        cert_type="DV_SSL_CERT",
        domain_type="SINGLE_DOMAIN",
        effective_time=1,
        domain_numbers=1,
        order_number=1,
        agree_privacy_protection=True,
        is_auto_pay=True,
        **more,
    )
    answer = scm.subscribe_certificate(SubscribeCertificateRequest(body=body))
    assert answer.order_id
    return str(answer.cert[0].cert_id)


def apply(scm: ScmClient, certificate_id: str) -> None:
    body = ApplyCertificateRequestBody(
        domain=NAME,
        applicant_name="Alice Example",
        applicant_phone="13800138000",
        applicant_email="alice@example.com",
        agree_privacy_protection=True,
        domain_method="DNS",
        key_algorithm="EC_P256",
        auto_dns_auth=False,
    )
    request = ApplyCertificateRequest(certificate_id=certificate_id, body=body)
    assert scm.apply_certificate(request).request_info == "success"


def status(scm: ScmClient, certificate_id: str) -> str:
    return str(scm.show_certificate(ShowCertificateRequest(certificate_id=certificate_id)).status)


# rule: APP-1
# rule: WDR-2
# rule: ISS-1
def test_buy_apply_withdraw_apply_prove_issue_export(
    live_server: LiveServer, alice: Person, dns: LabDns
) -> None:
    scm = client(live_server, alice)
    certificate_id = buy(scm)
    assert len(certificate_id) == 16
    assert status(scm, certificate_id) == "PAID"

    apply(scm, certificate_id)
    assert status(scm, certificate_id) == "CHECKING"
    cancelled = scm.cancel_certificate_request(CancelCertificateRequestRequest(certificate_id=certificate_id))
    assert (cancelled.cert_id, cancelled.message) == (certificate_id, "success")
    jobs.run_due()
    assert status(scm, certificate_id) == "PAID"

    apply(scm, certificate_id)
    shown = scm.show_certificate(ShowCertificateRequest(certificate_id=certificate_id))
    assert shown.domain == NAME
    assert shown.application_info.applicant_email == "alice@example.com"
    record = shown.authentification[0]
    assert record.record_type == "TXT"
    assert record.domain == NAME
    dns.set(record.record_name, record.record_type, [record.record_value.strip('"')])
    jobs.run_all(timedelta(minutes=1))
    assert status(scm, certificate_id) == "ISSUED"

    listed = scm.list_certificates(
        ListCertificatesRequest(limit=10, offset=0, status="ISSUED", content="sdk-ex")
    )
    assert listed.total_count == 1
    assert (listed.certificates[0].id, listed.certificates[0].deploy_support) == (certificate_id, True)
    exported = scm.export_certificate(ExportCertificateRequest(certificate_id=certificate_id))
    leaf = x509.load_pem_x509_certificate(exported.certificate.encode())
    assert leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value.get_values_for_type(
        x509.DNSName
    ) == [NAME]
    assert exported.entire_certificate == exported.certificate + exported.certificate_chain
    assert "PRIVATE KEY" in exported.private_key


# rule: DLD-2
def test_refusals_arrive_as_the_sdk_knows_them(live_server: LiveServer, alice: Person) -> None:
    scm = client(live_server, alice)
    certificate_id = buy(scm)
    with pytest.raises(ClientRequestException) as refused:
        scm.export_certificate(ExportCertificateRequest(certificate_id=certificate_id))
    assert (refused.value.status_code, refused.value.error_code) == (404, "SCM.0010")
    assert refused.value.request_id
    with pytest.raises(ClientRequestException) as refused:
        scm.show_certificate(ShowCertificateRequest(certificate_id="scs0000000000000"))
    assert (refused.value.status_code, refused.value.error_code) == (404, "SCM.0020")
    with pytest.raises(ClientRequestException) as refused:
        scm.cancel_certificate_request(CancelCertificateRequestRequest(certificate_id=certificate_id))
    assert (refused.value.status_code, refused.value.error_code) == (400, "SCM.0010")
    with pytest.raises(ClientRequestException) as refused:
        scm.delete_certificate(DeleteCertificateRequest(certificate_id=certificate_id))
    assert (refused.value.status_code, refused.value.error_code) == (400, "SCM.0010")
    stranger = client(live_server, person(account(), "charlie", "admins"))
    for call, request in (
        (stranger.show_certificate, ShowCertificateRequest(certificate_id=certificate_id)),
        (stranger.export_certificate, ExportCertificateRequest(certificate_id=certificate_id)),
        (stranger.cancel_certificate_request, CancelCertificateRequestRequest(certificate_id=certificate_id)),
    ):
        with pytest.raises(ClientRequestException) as refused:
            call(request)
        assert refused.value.status_code == 404
    with pytest.raises(ClientRequestException) as refused:
        client(live_server, Person(alice.user, alice.access_key, "x" * 40)).list_certificates(
            ListCertificatesRequest()
        )
    assert (refused.value.status_code, refused.value.error_code) == (401, "APIGW.0301")


def test_the_sdk_finds_the_account_by_itself(live_server: LiveServer, alice: Person) -> None:
    credentials = GlobalCredentials(alice.access_key, alice.secret_key).with_iam_endpoint(live_server.url)
    scm = (
        ScmClient.new_builder()
        .with_credentials(credentials)
        .with_region(Region("cn-north-4", live_server.url))
        .build()
    )
    assert scm.list_certificates(ListCertificatesRequest(content="中 文+/*~")).total_count == 0
    assert credentials.domain_id == alice.account.id


def gone(scm: ScmClient, certificate_id: str) -> None:
    with pytest.raises(ClientRequestException) as refused:
        scm.show_certificate(ShowCertificateRequest(certificate_id=certificate_id))
    assert (refused.value.status_code, refused.value.error_code) == (404, "SCM.0020")


# rule: UPL-1
# rule: UPL-7
# rule: DEL-1
def test_import_show_export_delete(live_server: LiveServer, alice: Person) -> None:
    scm, world = client(live_server, alice), World(clock.now())

    def upload(**changes: object) -> str:
        body = ImportCertificateRequestBody(**world.body(**changes))
        return str(scm.import_certificate(ImportCertificateRequest(body=body)).certificate_id)

    certificate_id = upload(enterprise_project_id="0", duplicate_check=True)
    assert len(certificate_id) == 16
    assert status(scm, certificate_id) == "UPLOAD"
    exported = scm.export_certificate(ExportCertificateRequest(certificate_id=certificate_id))
    assert exported.certificate == pem(world.usual)
    assert exported.private_key == key_pem(world.leaf_key)
    for changes, code in (
        ({"duplicate_check": True}, "SCM.9062"),
        ({"certificate": "x"}, "SCM.0053"),
        ({"certificate_chain": ""}, "SCM.0013"),
        ({"certificate_chain": pem(world.root)}, "SCM.0079"),
        ({"private_key": "x"}, "SCM.0114"),
        ({"private_key": key_pem(key_of(9))}, "SCM.0014"),
        ({"private_key": key_pem(world.leaf_key, b"secret")}, "SCM.0012"),
        ({"certificate": pem(world.leaf(()))}, "SCM.0009"),
        ({"name": "ab"}, "SCM.0005"),
    ):
        with pytest.raises(ClientRequestException) as refused:
            upload(**changes)
        assert (refused.value.status_code, refused.value.error_code) == (400, code)
    stranger = client(live_server, person(account(), "charlie", "admins"))
    for call, request in (
        (stranger.delete_certificate, DeleteCertificateRequest(certificate_id=certificate_id)),
        (stranger.unsubscribe_certificate, UnsubscribeCertificateRequest(cert_id=certificate_id)),
    ):
        with pytest.raises(ClientRequestException) as refused:
            call(request)
        assert refused.value.status_code == 404
    assert scm.delete_certificate(DeleteCertificateRequest(certificate_id=certificate_id)) is not None
    gone(scm, certificate_id)


# rule: UNS-2
# rule: UNS-6
def test_unsubscribe_answers_success_and_then_404(live_server: LiveServer, alice: Person) -> None:
    scm = client(live_server, alice)
    certificate_id = buy(scm)
    answer = scm.unsubscribe_certificate(UnsubscribeCertificateRequest(cert_id=certificate_id))
    assert answer.unsubscribe_results == "SUCCESS"
    jobs.run_due()
    gone(scm, certificate_id)


# rule: NTF-1
def test_the_notices_of_a_certificate_off_and_on(live_server: LiveServer, alice: Person) -> None:
    scm = client(live_server, alice)
    certificate_id = buy(scm)
    body = [NoticeRequestBody(resource_id=certificate_id, notice_type=["CERT_EXPIRING"])]
    scm.disable_notification(DisableNotificationRequest(body=body))
    shown = alice.get(f"/v3/scm/certificates/{certificate_id}").json
    assert shown["notices"] == ["CERT_EXPIRED"]
    scm.enable_notification(EnableNotificationRequest(body=body))
    shown = alice.get(f"/v3/scm/certificates/{certificate_id}").json
    assert shown["notices"] == ["CERT_EXPIRED", "CERT_EXPIRING"]
    missing = [NoticeRequestBody(resource_id="scs0000000000000", notice_type=["CERT_EXPIRED"])]
    with pytest.raises(ClientRequestException) as refused:
        scm.disable_notification(DisableNotificationRequest(body=missing))
    assert refused.value.status_code == 404


# rule: IAM-8
def test_temporary_keys_with_a_security_token(live_server: LiveServer, alice: Person) -> None:
    identity = {"methods": ["token"], "token": {"duration_seconds": 900}}
    made = alice.post("/v3.0/OS-CREDENTIAL/securitytokens", {"auth": {"identity": identity}})
    given = made.json["credential"]
    for token, works in ((given["securitytoken"], True), (given["securitytoken"][1:], False)):
        credentials = GlobalCredentials(given["access"], given["secret"]).with_security_token(token)
        scm = ScmClient.new_builder().with_credentials(credentials).with_endpoint(live_server.url).build()
        if works:
            assert scm.list_certificates(ListCertificatesRequest(limit=10, offset=0)).total_count == 0
        else:
            with pytest.raises(ClientRequestException) as refused:
                scm.list_certificates(ListCertificatesRequest(limit=10, offset=0))
            assert refused.value.status_code == 401
