"""The console's pages of reissuing and of added names."""

import re
from datetime import timedelta

import pytest

from certdesk.foundation.jobs import testing
from certdesk.lifecycle.certificates.models import Certificate
from tests.support.office import Office

pytestmark = pytest.mark.django_db
FORM = {
    "csr_mode": "SYSTEM",
    "domain": "new.example.org",
    "key_algorithm": "EC_P256",
    "ca_hash_algorithm": "DEFAULT",
    "domain_method": "DNS",
    "applicant_name": "Ada Lovelace",
    "applicant_phone": "+44 20 7946 0000",
    "applicant_email": "ada@example.com",
    "agree_privacy_protection": "on",
}


def page(office: Office, path: str, who: str = "alice", language: str = "en") -> str:
    return office.client(who, language).get(path, follow=True).content.decode()


def post(office: Office, path: str, who: str = "alice", **form: str) -> tuple[int, str]:
    answer = office.client(who).post(path, form, follow=True)
    return answer.status_code, answer.content.decode()


def state_of(certificate_id: str) -> str:
    return str(Certificate.objects.get(id=certificate_id).state)


def test_a_reissue_says_what_it_costs_and_waits_for_its_confirmation(office: Office) -> None:
    # rule: REI-4
    # rule: REI-5
    certificate_id = office.desk.issued("www.example.com")
    own = f"/certificates/{certificate_id}"
    assert 'data-operation="reissue"' in page(office, own)
    shown = page(office, f"{own}/reissue")
    assert "Once confirmed, the present certificate is revoked" in shown
    assert 'value="www.example.com"' in shown
    assert "possible until" in shown
    status, again = post(office, f"{own}/reissue", **(FORM | {"domain": "*.example.org"}))
    assert (status, "is a wildcard" in again, state_of(certificate_id)) == (422, True, "ISSUED")
    _, told = post(office, f"{own}/reissue", **FORM)
    assert "Confirm it by the link in the mail" in told
    listed = page(office, "/certificates")
    assert 'data-operation="confirm-reissue"' in listed
    waiting = page(office, f"{own}/reissue")
    assert "new.example.org" in waiting
    for operation in ("confirm-reissue", "decline-reissue"):
        assert re.search(rf'data-operation="{operation}"', waiting)
    _, told = post(office, f"{own}/reissue/decline")
    assert (state_of(certificate_id), "stays as it is" in told) == ("ISSUED", True)
    post(office, f"{own}/reissue", **FORM)
    _, told = post(office, f"{own}/reissue/confirm")
    assert (state_of(certificate_id), "Verify the domain name now" in told) == ("CHECKING", True)
    assert "Nothing waits for a decision" in page(office, f"{own}/reissue/confirm")
    office.desk.publish(certificate_id)
    testing.run_due(strict=True)
    testing.run_due(strict=True)
    _, told = post(office, f"{own}/reissue/decline")
    assert 'role="alert"' in told


def test_where_it_is_not_possible_the_button_is_absent_and_the_reason_beside_it(office: Office) -> None:
    # rule: REI-6
    certificate_id = office.desk.issued("www.example.com", "a.example.com")
    own = f"/certificates/{certificate_id}"
    shown = page(office, own)
    assert 'data-operation="reissue"' not in re.sub(r"<[^>]*cd-refus[^>]*>", "", shown)
    assert "names are added to it instead" in shown  # beside the absent button
    assert 'role="alert"' in page(office, f"{own}/reissue")
    assert "All domain names that were bought" in shown
    assert 'role="alert"' in page(office, f"{own}/add-domains")


def test_names_are_added_verified_and_withdrawn(office: Office) -> None:
    # rule: ADD-2
    # rule: ADD-5
    certificate_id = office.desk.issued("www.example.com", "a.example.com")
    Certificate.objects.filter(id=certificate_id).update(single_quota=3)
    own = f"/certificates/{certificate_id}"
    assert 'data-operation="add-domains"' in page(office, own)
    shown = page(office, f"{own}/add-domains")
    assert "Still free: 2 plain and 0 wildcard names." in shown
    assert 'value="ada@example.com"' in shown
    form = {"add_sans": "a.example.com", "email": "grace@example.org"}
    status, again = post(office, f"{own}/add-domains", **form)
    assert (status, "is in the certificate already" in again) == (422, True)
    status, again = post(office, f"{own}/add-domains", **(form | {"add_sans": "not_a_name"}))
    assert (status, state_of(certificate_id)) == (422, "ISSUED")
    _, told = post(office, f"{own}/add-domains", **(form | {"add_sans": "b.example.org"}))
    assert "Verify the new domain names now" in told
    assert "_dnsauth.b.example.org" in told
    shown = page(office, own)
    assert "New: Not verified yet" in shown
    assert 'data-operation="withdraw"' in shown
    assert "The certificate is issued as before" in page(office, f"{own}/withdraw")
    office.desk.publish(certificate_id)
    _, told = post(office, f"{own}/verify")
    assert "All domain names are verified." in told
    testing.run_all(timedelta(0), 20)
    assert state_of(certificate_id) == "ISSUED"
    assert "b.example.org" in page(office, own, language="zh-hans")


def test_who_may_not_sees_no_button_and_gets_no_page(office: Office) -> None:
    certificate_id = office.desk.issued("www.example.com")
    own = f"/certificates/{certificate_id}"
    shown = page(office, own, "rita")
    assert 'data-operation="reissue"' not in shown
    for who, status in (("rita", 403), ("charlie", 404)):
        for path in ("reissue", "reissue/confirm", "reissue/decline", "add-domains"):
            assert office.client(who).get(f"{own}/{path}").status_code == status
            assert office.client(who).post(f"{own}/{path}", {}).status_code == status


def test_the_link_that_is_unknown_is_not_found(office: Office) -> None:
    answer = office.client("alice").get("/confirm/reissue-nothing")
    assert (answer.status_code, 'data-standing="UNKNOWN"' in answer.content.decode()) == (404, True)
