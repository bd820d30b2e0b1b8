"""The official SDK, unchanged, drives tags and CSR management against a real server (API §8.7)."""

from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from huaweicloudsdkcore.exceptions.exceptions import ClientRequestException
from huaweicloudsdkscm.v3 import (
    ApplyCertificateRequest,
    ApplyCertificateRequestBody,
    BatchCreateOrDeleteTagsRequest,
    BatchCreateOrDeleteTagsRequestBody,
    CreateCertificateTagRequest,
    CreateCertificateTagRequestBody,
    CreateCsrRequest,
    CreateCsrRequestBody,
    DeleteCsrRequest,
    ExportCertificateRequest,
    ListAllTagsRequest,
    ListCertificatesByTagRequest,
    ListCertificatesByTagRequestBody,
    ListCsrRequest,
    ListTagsByCertificateRequest,
    ScmClient,
    ScsMatch,
    ScsResourceTag,
    ScsTag,
    ShowCertificateRequest,
    ShowCsrPrivateKeyRequest,
    ShowCsrRequest,
    UpdateCsrRequest,
    UpdateCSRRequestBody,
    UploadCsrRequest,
    UploadCsrRequestBody,
)
from pytest_django.live_server_helper import LiveServer

from certdesk.foundation.jobs import testing as jobs
from certdesk.lab.dns_server import LabDns
from tests.interfaces.api.test_official_sdk import alice, buy, client, dns  # noqa: F401 the fixtures
from tests.support.requests_of import request_for
from tests.support.signed import Person, account, person

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.server]
NAME = "www.sdk-example.com"


def create(scm: ScmClient, **more: object) -> str:
    body = CreateCsrRequestBody(
        **{"name": "sdk", "domain_name": NAME, "private_key_algo": "EC_P256", "usage": "PERSONAL", **more}
    )
    return str(scm.create_csr(CreateCsrRequest(body=body)).id)


def tags_of(scm: ScmClient, certificate_id: str) -> list[tuple[str, str]]:
    answer = scm.list_tags_by_certificate(ListTagsByCertificateRequest(resource_id=certificate_id))
    return [(one.key, one.value) for one in answer.tags]


# rule: APP-2
def test_a_csr_from_its_making_to_the_certificate_with_its_key(
    live_server: LiveServer,
    alice: Person,  # noqa: F811
    dns: LabDns,  # noqa: F811
) -> None:
    scm = client(live_server, alice)
    csr_id = create(scm)
    shown = scm.show_csr(ShowCsrRequest(id=csr_id))
    assert (shown.domain_name, shown.private_key_algo, shown.usage) == (NAME, "EC_P256", "PERSONAL")
    request = x509.load_pem_x509_csr(shown.csr.encode())
    assert request.is_signature_valid
    key = load_pem_private_key(
        scm.show_csr_private_key(ShowCsrPrivateKeyRequest(id=csr_id)).private_key.encode(), None
    )
    assert key.public_key() == request.public_key()

    certificate_id = buy(scm)
    body = ApplyCertificateRequestBody(
        domain=NAME,
        csr=shown.csr,  # the SDK has no field for an id: the text of a stored CSR is enough
        applicant_name="Alice Example",
        applicant_phone="13800138000",
        applicant_email="alice@example.com",
        agree_privacy_protection=True,
        domain_method="DNS",
    )
    scm.apply_certificate(ApplyCertificateRequest(certificate_id=certificate_id, body=body))
    record = scm.show_certificate(ShowCertificateRequest(certificate_id=certificate_id)).authentification[0]
    dns.set(record.record_name, record.record_type, [record.record_value.strip('"')])
    jobs.run_all(timedelta(minutes=1))

    scm.delete_csr(DeleteCsrRequest(id=csr_id))  # the certificate keeps a key of its own
    exported = scm.export_certificate(ExportCertificateRequest(certificate_id=certificate_id))
    leaf = x509.load_pem_x509_certificate(exported.certificate.encode())
    held = load_pem_private_key(exported.private_key.encode(), None)
    assert leaf.public_key() == held.public_key() == key.public_key()
    with pytest.raises(ClientRequestException) as refused:
        scm.show_csr(ShowCsrRequest(id=csr_id))
    assert (refused.value.status_code, refused.value.error_code) == (400, "SCM.0707")


def test_csrs_are_listed_renamed_and_uploaded(live_server: LiveServer, alice: Person) -> None:  # noqa: F811
    scm = client(live_server, alice)
    ids = [create(scm, name=f"number {number}") for number in range(11)]
    first = scm.list_csr(ListCsrRequest(limit=10))
    second = scm.list_csr(ListCsrRequest(limit=10, offset=10))
    assert (first.total, second.total) == (11, 11)
    assert [one.id for one in [*first.csr_list, *second.csr_list]] == ids[::-1]
    made = request_for("up.sdk-example.com")
    uploaded = scm.upload_csr(
        UploadCsrRequest(body=UploadCsrRequestBody(name="up", csr=made.pem, private_key=made.key_pem()))
    )
    renamed = scm.update_csr(UpdateCsrRequest(id=uploaded.id, body=UpdateCSRRequestBody(name="up again")))
    assert (renamed.name, renamed.csr, renamed.domain_name) == ("up again", made.pem, "up.sdk-example.com")
    assert renamed.create_time == uploaded.create_time
    found = scm.list_csr(ListCsrRequest(name="again", private_key_algo="EC_P256"))
    assert [one.id for one in found.csr_list] == [uploaded.id]
    assert scm.list_csr(ListCsrRequest(private_key_algo="SM2")).total == 0
    assert scm.show_csr_private_key(ShowCsrPrivateKeyRequest(id=uploaded.id)).private_key == made.key_pem()


def test_tags_are_set_searched_and_removed(live_server: LiveServer, alice: Person) -> None:  # noqa: F811
    scm = client(live_server, alice)
    tagged = buy(scm, tags=[ScsResourceTag("env", "prod")])
    plain = buy(scm)
    body = CreateCertificateTagRequestBody(tag=ScsResourceTag("team", "web"))
    assert scm.create_certificate_tag(CreateCertificateTagRequest(resource_id=tagged, body=body)).desc
    assert tags_of(scm, tagged) == [("env", "prod"), ("team", "web")]
    assert [(one.key, one._values) for one in scm.list_all_tags(ListAllTagsRequest()).tags] == [
        ("env", ["prod"]),
        ("team", ["web"]),
    ]

    def search(**asked: object) -> tuple[int, list[str]]:
        request = ListCertificatesByTagRequest(
            resource_instances="resource_instances",
            body=ListCertificatesByTagRequestBody(**{"action": "filter", "limit": 50, **asked}),
        )
        answer = scm.list_certificates_by_tag(request)
        return answer.total_count, [one.resource_id for one in answer.resources or []]

    assert search(tags=[ScsTag("env", ["prod", "test"]), ScsTag("team", [])]) == (1, [tagged])
    assert search(not_tags=[ScsTag("env", [])]) == (1, [plain])
    assert search(without_any_tag=True) == (1, [plain])
    assert search(action="count") == (2, [])
    name = scm.show_certificate(ShowCertificateRequest(certificate_id=plain)).name
    assert search(matches=[ScsMatch("resource_name", name)]) == (1, [plain])

    gone = BatchCreateOrDeleteTagsRequestBody(action="delete", tags=[ScsResourceTag("env", "prod")])
    assert scm.batch_create_or_delete_tags(BatchCreateOrDeleteTagsRequest(tagged, gone)).desc
    assert tags_of(scm, tagged) == [("team", "web")]


def test_charlie_reaches_neither_tag_nor_csr(live_server: LiveServer, alice: Person) -> None:  # noqa: F811
    scm = client(live_server, alice)
    certificate_id, csr_id = buy(scm, tags=[ScsResourceTag("env", "prod")]), create(scm)
    charlie = client(live_server, person(account(), "charlie", "admins"))
    tag = CreateCertificateTagRequestBody(tag=ScsResourceTag("mine", "now"))
    gone = BatchCreateOrDeleteTagsRequestBody(action="delete", tags=[ScsResourceTag("env")])
    for call, request, refusal in (
        (charlie.list_tags_by_certificate, ListTagsByCertificateRequest(certificate_id), (404, "SCM.0020")),
        (charlie.create_certificate_tag, CreateCertificateTagRequest(certificate_id, tag), (404, "SCM.0020")),
        (
            charlie.batch_create_or_delete_tags,
            BatchCreateOrDeleteTagsRequest(certificate_id, gone),
            (404, "SCM.0020"),
        ),
        (charlie.show_csr, ShowCsrRequest(csr_id), (400, "SCM.0707")),
        (charlie.update_csr, UpdateCsrRequest(csr_id, UpdateCSRRequestBody("x")), (400, "SCM.0707")),
        (charlie.delete_csr, DeleteCsrRequest(csr_id), (400, "SCM.0707")),
        (charlie.show_csr_private_key, ShowCsrPrivateKeyRequest(csr_id), (400, "SCM.0707")),
    ):
        with pytest.raises(ClientRequestException) as refused:
            call(request)
        assert (refused.value.status_code, refused.value.error_code) == refusal
    assert charlie.list_all_tags(ListAllTagsRequest()).tags == []
    assert charlie.list_csr(ListCsrRequest()).total == 0
    assert tags_of(scm, certificate_id) == [("env", "prod")]
