"""An application with a CSR of CSR management: the certificate's key is the stored one."""

from dataclasses import replace

import pytest
from cryptography import x509

from certdesk.foundation.common import clock
from certdesk.foundation.common.errors import BadParameter, Forbidden
from certdesk.lifecycle.applications import queries as applications
from certdesk.lifecycle.applications import stored
from certdesk.lifecycle.applications.models import Application
from certdesk.lifecycle.applications.rules import Checked, check_application, refuse_made_here
from certdesk.lifecycle.catalogue.queries import catalogue
from certdesk.lifecycle.catalogue.rules import Product
from certdesk.lifecycle.certificates import csrs
from certdesk.lifecycle.certificates.csr_rules import CsrRequest
from certdesk.lifecycle.certificates.errors import NoCsr
from certdesk.lifecycle.certificates.models import Csr, Version
from certdesk.lifecycle.issuance import actions
from certdesk.lifecycle.issuance.submission import applicant_of
from certdesk.pki.keystore import use
from certdesk.pki.keystore.errors import KeyMissing, KeyNotReady
from certdesk.pki.keystore.models import Key, State
from certdesk.pki.x509 import keys
from certdesk.pki.x509.errors import BadCsr
from tests.support.desk import FORM, Desk
from tests.support.requests_of import Made, request_for

from .test_issue_now import issue, request

NAME = "www.example.com"


def made(desk: Desk, *sans: str, algorithm: str = "EC_P256") -> Csr:
    return csrs.create(desk.alice, CsrRequest("mine", NAME, algorithm, ";".join(sans)), clock.now())


def uploaded(desk: Desk, request: Made, *, with_key: bool) -> Csr:
    return csrs.upload(desk.alice, "up", request.pem, request.key_pem() if with_key else "", clock.now())


def held(desk: Desk, certificate_id: str) -> tuple[Version, bytes]:
    """The current version, and the SPKI of the key that is kept for it."""
    version = Version.objects.get(certificate_id=certificate_id)
    leaf = x509.load_der_x509_certificate(bytes(version.der))
    key = use.private_key(version.key_id, desk.account.id)
    assert keys.spki_der(leaf.public_key()) == keys.spki_der(key.public_key())
    return version, keys.spki_der(key.public_key())


def product() -> Product:
    return catalogue().product("GEOTRUST", "DV_SSL_CERT", "SINGLE_DOMAIN")


def checked_for(desk: Desk, chosen: Csr) -> Checked:
    certificate, applicant = desk.certificate(desk.buy()), applicant_of(desk.account.id)
    return check_application(replace(FORM, csr=chosen.csr), certificate, product(), applicant)


# rule: APP-2
@pytest.mark.parametrize("by_text", [False, True])
def test_the_certificate_has_the_key_of_the_csr(desk: Desk, by_text: bool) -> None:
    chosen = made(desk)
    form = {"csr": chosen.csr} if by_text else {"csr_id": chosen.id}
    certificate_id = desk.issued(NAME, **form)
    version, spki = held(desk, certificate_id)
    assert spki == bytes(Key.objects.get(id=chosen.key_id).spki)
    assert version.key_id != chosen.key_id
    application = Application.objects.get(certificate_id=certificate_id)
    assert (application.csr_mode, application.csr_id, application.csr) == ("STORED", chosen.id, chosen.csr)
    csrs.delete(desk.alice, chosen.id)
    assert Key.objects.get(id=chosen.key_id).state == State.DESTROYED
    assert held(desk, certificate_id)[1] == spki


def test_one_csr_serves_two_certificates(desk: Desk) -> None:
    chosen = made(desk)
    versions = [held(desk, desk.issued(NAME, csr_id=chosen.id)) for _ in range(2)]
    assert versions[0][1] == versions[1][1]
    assert len({version.key_id for version, _ in versions}) == 2


@pytest.mark.parametrize("with_key", [True, False])
def test_an_uploaded_csr_with_and_without_its_key(desk: Desk, with_key: bool) -> None:
    chosen = uploaded(desk, request_for(NAME), with_key=with_key)
    certificate_id = desk.issued(NAME, csr_id=chosen.id)
    application = Application.objects.get(certificate_id=certificate_id)
    assert application.csr_id == chosen.id
    assert application.csr_mode == ("STORED" if with_key else "UPLOAD")
    assert bool(Version.objects.get(certificate_id=certificate_id).key_id) is with_key


def test_issue_now_takes_it_too(desk: Desk) -> None:
    desk.issued(NAME)
    chosen = made(desk)
    for form in ({"csr_id": chosen.id, "domain": ""}, {"csr": chosen.csr, "domain": ""}):
        result = issue(desk, request(**form))[0]
        assert result.issued
        version, spki = held(desk, result.certificate_id)
        assert spki == bytes(Key.objects.get(id=chosen.key_id).spki)
        assert version.key_id != chosen.key_id


def test_the_names_of_the_csr_must_be_applied_for(desk: Desk) -> None:
    chosen = made(desk, "b.example.com")
    certificate_id = desk.buy(domain_type="MULTI_DOMAIN", names=3)
    with pytest.raises(BadCsr, match=r"b\.example\.com"):
        desk.apply(certificate_id, csr_id=chosen.id, domain=NAME, sans="c.example.com")
    desk.apply(certificate_id, csr_id=chosen.id, domain=NAME, sans="c.example.com;b.example.com")


def test_what_cannot_be_chosen(desk: Desk) -> None:
    certificate_id, chosen = desk.buy(), made(desk)
    for form, error in (
        ({"csr_id": "0" * 32}, NoCsr),
        ({"csr_id": chosen.id, "csr": chosen.csr}, BadParameter),
        ({"csr_id": made(desk, algorithm="RSA_2048").id}, KeyNotReady),
        ({"csr_id": made(desk, algorithm="EC_P384").id}, BadCsr),  # not for this type (CAT-4)
    ):
        with pytest.raises(error):
            desk.apply(certificate_id, **form)
    assert desk.state(certificate_id) == "PAID"


def test_without_the_right_to_see_it_nobody_takes_it(desk: Desk) -> None:
    chosen, certificate_id = made(desk), desk.buy()
    bob = desk.someone("bob", "scm:cert:*")
    with pytest.raises(Forbidden) as refused:
        actions.apply(bob, certificate_id, replace(FORM, csr_id=chosen.id), clock.now())
    assert refused.value.details["action"] == "scm:csr:get"
    actions.apply(bob, certificate_id, replace(FORM, csr=chosen.csr), clock.now())
    application = Application.objects.get(certificate_id=certificate_id)
    assert (application.csr_mode, application.key_id) == ("UPLOAD", "")


def test_a_key_that_the_public_ca_made_is_no_subscribers_key(desk: Desk) -> None:
    """Baseline Requirements 6.1.1.3; a key that was uploaded is the subscriber's own."""
    private = product()
    public = replace(private, profile="public", issuer="builtin")
    mine, theirs = made(desk), uploaded(desk, request_for(NAME), with_key=True)
    checked = checked_for(desk, mine)
    with pytest.raises(BadParameter, match="may not make the key"):
        stored.attached(desk.alice, checked, public, mine)
    assert stored.attached(desk.alice, checked, public, theirs).key_id == theirs.key_id
    assert stored.attached(desk.alice, checked, private, mine).key_id == mine.key_id
    refuse_made_here(private)


def test_a_csr_deleted_at_the_last_moment(desk: Desk) -> None:
    chosen = made(desk)
    checked = stored.attached(desk.alice, checked_for(desk, chosen), product(), chosen)
    csrs.delete(desk.alice, chosen.id)
    with pytest.raises(KeyMissing):
        stored.take_key(desk.account.id, checked)


# rule: REO-1
def test_the_choice_is_kept_for_the_next_application(desk: Desk) -> None:
    chosen, certificate_id = made(desk), desk.buy()
    desk.apply(certificate_id, csr_id=chosen.id)
    answers = applications.last_details(desk.alice, certificate_id).values
    assert (answers["csr_id"], answers["csr"]) == (chosen.id, chosen.csr)
