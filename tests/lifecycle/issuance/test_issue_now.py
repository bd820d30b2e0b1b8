"""Issue now and its batch: what is proved is answered at once, the rest goes the slow way."""

import hashlib
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from django.db import connection

from certdesk.foundation.common import clock, settings
from certdesk.foundation.common.errors import BadParameter, CertdeskError, Conflict, Forbidden
from certdesk.lifecycle.applications.form import ApplicationForm
from certdesk.lifecycle.applications.models import Application
from certdesk.lifecycle.catalogue.queries import catalogue
from certdesk.lifecycle.certificates.models import Certificate, Version
from certdesk.lifecycle.issuance import actions, instant_plan, instant_write, issuers
from certdesk.lifecycle.issuance.actions import IssueRequest
from certdesk.lifecycle.issuance.models import Placement
from certdesk.lifecycle.issuance.reconcile import reconcile
from certdesk.lifecycle.issuers.models import Place
from certdesk.lifecycle.orders.models import Balance, Order
from certdesk.pki.authority import lint
from certdesk.pki.authority.issue import Prepared
from certdesk.pki.authority.models import Intent
from certdesk.pki.authority.types import Signed
from certdesk.pki.keystore import actions as keystore
from certdesk.pki.keystore.errors import TokenUnavailable
from certdesk.pki.keystore.models import Key
from certdesk.pki.x509.errors import WeakKey
from certdesk.pki.x509.keys import KeyAlgorithm
from tests.support.authority import pooled_key
from tests.support.desk import COMPANY, Desk

from .test_main_path import approve, csr_for

FORM = ApplicationForm(domain="www.example.com", key_algorithm="EC_P256", agree_privacy_protection=True)


def request(cert_type: str = "DV_SSL_CERT", **form: object) -> IssueRequest:
    return IssueRequest("GEOTRUST", cert_type, replace(FORM, **form))


def issue(desk: Desk, *requests: IssueRequest) -> list[actions.IssueResult]:
    return actions.issue_batch(desk.alice, list(requests) or [request()], clock.now())


def test_proved_names_are_issued_in_the_request(desk: Desk) -> None:
    desk.issued("www.example.com")
    result = issue(desk)[0]
    assert result.issued
    certificate = x509.load_pem_x509_certificate(result.certificate.encode())
    assert f"{certificate.serial_number:032x}" == result.serial
    assert result.certificate_chain.startswith("-----BEGIN CERTIFICATE-----")
    row = desk.certificate(result.certificate_id)
    assert (row.state, row.current_version, row.domain) == ("ISSUED", 1, "www.example.com")
    version = Version.objects.get(certificate=row)
    assert Key.objects.get(id=version.key_id).tenant == desk.account.id
    assert Application.objects.get(certificate=row).state == "FULFILLED"
    assert Placement.objects.get(certificate=row).state == "FULFILLED"
    assert Order.objects.get(id=result.order_id).state == "PAID"
    assert not Placement.objects.filter(state="PLACED").exists()
    assert not Intent.objects.filter(state="INTENDED").exists()


def test_an_uploaded_csr_is_certified(desk: Desk) -> None:
    desk.issued("www.example.com")
    csr, spki = csr_for("www.example.com")
    result = issue(desk, request(csr=csr, domain="www.example.com", key_algorithm=""))[0]
    assert result.issued
    assert bytes(Application.objects.get(certificate_id=result.certificate_id).spki or b"") == spki
    named_by_csr = issue(desk, request(csr=csr_for("www.example.com")[0], domain="", key_algorithm=""))[0]
    assert named_by_csr.issued


def test_wildcard_and_multi_domain_are_recognised_by_their_names(desk: Desk) -> None:
    desk.issued("www.example.com", "a.example.com")
    wildcard, multi = issue(desk, request(domain="*.example.com"), request(sans="a.example.com"))
    kinds = [desk.certificate(one.certificate_id).domain_type for one in (wildcard, multi)]
    assert kinds == ["WILDCARD", "MULTI_DOMAIN"]
    assert desk.certificate(multi.certificate_id).domain_quota == 2


def test_unproved_names_go_the_slow_way(desk: Desk) -> None:
    result = issue(desk)[0]
    assert (result.status, result.serial) == ("CHECKING", "")
    desk.publish(result.certificate_id)
    desk.run()
    assert desk.state(result.certificate_id) == "ISSUED"


def test_too_small_a_balance_leaves_the_order_unpaid(desk: Desk) -> None:
    desk.issued("www.example.com")
    Balance.objects.update(cash=0)
    result = issue(desk)[0]
    assert (result.certificate_id, result.status) == ("", "UNPAID")
    assert result.reason
    assert Order.objects.get(id=result.order_id).state == "UNPAID"
    assert Certificate.objects.count() == 1


def test_a_batch_keeps_its_order_and_mixes_quick_and_slow(desk: Desk) -> None:
    desk.issued("www.example.com")
    results = issue(desk, request(), request(domain="new.example.com"), request(domain="example.com"))
    assert [one.status for one in results] == ["ISSUED", "CHECKING", "ISSUED"]
    domains = [desk.certificate(one.certificate_id).domain for one in results]
    assert domains == ["www.example.com", "new.example.com", "example.com"]


def test_one_bad_item_refuses_the_batch_before_anything_is_bought(desk: Desk) -> None:
    orders = Order.objects.count()
    with pytest.raises(CertdeskError, match="Item 2"):
        issue(desk, request(), request(domain="exa_mple.com"))
    assert Order.objects.count() == orders


@pytest.mark.parametrize("count", [0, 101])
def test_a_batch_has_1_to_100_items(desk: Desk, count: int) -> None:
    with pytest.raises(BadParameter):
        actions.issue_batch(desk.alice, [request()] * count, clock.now())


def test_a_hundred_items_share_two_transactions(desk: Desk) -> None:
    desk.issued("www.example.com")
    results = issue(desk, *[request()] * 100)
    assert all(one.issued for one in results)
    assert len({one.serial for one in results}) == 100


def test_the_statement_must_be_accepted(desk: Desk) -> None:
    with pytest.raises(BadParameter):
        issue(desk, request(agree_privacy_protection=False))


def test_issuing_takes_the_right_to_apply(desk: Desk) -> None:
    buyer = desk.someone("bob", "scm:cert:subscribe", "bss:order:pay")
    with pytest.raises(Forbidden):
        actions.issue_now(buyer, request(), clock.now())
    applicant = desk.someone("bob", "scm:cert:apply")
    with pytest.raises(Forbidden):
        actions.issue_now(applicant, request(), clock.now())


def test_an_rsa_key_comes_from_the_pool_or_from_a_worker(desk: Desk) -> None:
    desk.issued("www.example.com")
    Key.objects.filter(state="POOL").delete()
    keystore.store_in_pool(pooled_key(KeyAlgorithm.RSA_2048, 7))
    first, second = issue(desk, request(key_algorithm="RSA_2048"), request(key_algorithm="RSA_2048"))
    assert (first.status, second.status) == ("ISSUED", "CHECKING")
    desk.run()
    assert desk.state(second.certificate_id) == "ISSUED"


def test_a_key_of_the_wrong_strength_is_refused(desk: Desk) -> None:
    with pytest.raises(BadParameter):
        issue(desk, request(key_algorithm="EC_P384"))


def test_ov_waits_for_an_officer_with_the_company_of_the_last_application(desk: Desk) -> None:
    with pytest.raises(BadParameter) as caught:
        issue(desk, request("OV_SSL_CERT"))
    assert caught.value.field == "company_name"
    desk.apply(desk.buy("OV_SSL_CERT"), domain="www.example.com", **COMPANY)
    result = issue(desk, request("OV_SSL_CERT", domain="other.example.com"))[0]
    desk.publish(result.certificate_id)
    desk.run()
    assert desk.state(result.certificate_id) == "CHECKING_ORG"
    approve(desk, result.certificate_id, "olga")
    desk.run()
    assert desk.state(result.certificate_id) == "ISSUED"


@pytest.mark.parametrize("proved", [True, False])
def test_a_blocked_key_is_refused_before_anything_is_bought(desk: Desk, tmp_path: Path, proved: bool) -> None:
    # rule: APP-12
    if proved:
        desk.issued("www.example.com")
    csr, spki = csr_for("www.example.com")
    listed = tmp_path / "weak.txt"
    listed.write_text(hashlib.sha256(spki).hexdigest(), encoding="utf-8")
    settings.install(settings.get().model_copy(update={"weak_keys": listed}))
    orders = Order.objects.count()
    with pytest.raises(WeakKey):
        issue(desk, request(csr=csr, key_algorithm=""))
    with pytest.raises(WeakKey):
        desk.apply(desk.buy(), domain="www.example.com", csr=csr)
    assert Order.objects.count() == orders + 1


@pytest.mark.django_db(transaction=True)
def test_a_new_shape_of_a_pooled_key_is_linted_before_the_transaction(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.issued("www.example.com")
    keystore.store_in_pool(pooled_key(KeyAlgorithm.RSA_3072, 7))
    inside: list[bool] = []
    real = lint.whole

    def whole(der: bytes, kind: str) -> tuple[lint.Finding, ...]:
        inside.append(connection.in_atomic_block)
        return real(der, kind)

    monkeypatch.setattr(lint, "whole", whole)
    assert issue(desk, request(key_algorithm="RSA_3072"))[0].issued
    assert inside == [False]


def test_evidence_that_is_voided_at_that_moment_issues_nothing(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    # rule: WDR-5
    from certdesk.lifecycle.validation.models import Evidence

    desk.issued("www.example.com")
    real = instant_write.with_proofs

    def read_then_withdrawn(*args: object) -> object:
        found = real(*args)  # type: ignore[arg-type]
        Evidence.objects.update(void_at=clock.now())
        return found

    monkeypatch.setattr(instant_write, "with_proofs", read_then_withdrawn)
    with pytest.raises(Conflict):
        issue(desk)
    assert (Certificate.objects.count(), Version.objects.count()) == (1, 1)
    assert issue(desk)[0].status == "CHECKING"


def test_what_cannot_be_signed_at_this_moment_is_issued_later_and_the_rest_now(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.issued("www.example.com")
    collect, away = issuers.BuiltIn.collect, ["the first"]

    def collected(self: issuers.BuiltIn, prepared: Prepared) -> Signed:
        if away:
            raise TokenUnavailable("The token is away.", next_step=away.pop())
        return collect(self, prepared)

    monkeypatch.setattr(issuers.BuiltIn, "collect", collected)
    later, now = issue(desk, request(), request())
    assert (later.status, now.status) == ("ISSUING", "ISSUED")
    assert Order.objects.get(id=later.order_id).state == "PAID"
    reconcile(stale_seconds=0)
    desk.run(timedelta(minutes=1))
    assert desk.state(later.certificate_id) == "ISSUED"


def test_where_a_token_signs_a_worker_waits_for_it(desk: Desk) -> None:
    desk.issued("www.example.com")
    before = settings.get()
    token = {"pkcs11_module": Path("/nowhere.so"), "pkcs11_pin_file": Path("/nowhere")}
    settings.install(before.model_copy(update=token))
    (result,) = issue(desk)
    settings.install(before)
    assert result.status == "CHECKING"
    desk.run()
    assert desk.state(result.certificate_id) == "ISSUED"


def test_evidence_of_another_account_is_nobodys_proof(desk: Desk) -> None:
    from certdesk.lifecycle.validation.models import Evidence

    desk.issued("www.example.com")
    Evidence.objects.update(account_id="f" * 32)
    assert issue(desk)[0].status == "CHECKING"


def test_a_product_that_was_moved_from_a_ca_outside_to_the_house_is_issued_at_once(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.issued("www.example.com")
    book, product_id = catalogue(), "GEOTRUST.DV_SSL_CERT.SINGLE_DOMAIN"
    lines = tuple(replace(one, issuer="away") if one.id == product_id else one for one in book.products)
    monkeypatch.setattr(instant_plan, "catalogue", lambda: replace(book, products=lines))
    Place.objects.create(product_id=product_id, position=0, slug="builtin")
    assert issue(desk)[0].issued
