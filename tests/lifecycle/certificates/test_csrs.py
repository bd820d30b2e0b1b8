"""CSR management in its room: limits on both sides, keys, rights, audit, the worker that makes RSA keys."""

import re
from dataclasses import replace
from datetime import timedelta

import orjson
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from certdesk.foundation.audit.models import Event
from certdesk.foundation.common.errors import BadParameter, CertdeskError, Forbidden, WrongState
from certdesk.foundation.iam.principal import PolicyGrant
from certdesk.foundation.iam.rules import parse
from certdesk.foundation.jobs import testing as jobs
from certdesk.foundation.sealing.models import Secret
from certdesk.lifecycle.certificates import csr_rules, csrs
from certdesk.lifecycle.certificates.csr_rules import CsrFilters, CsrRequest
from certdesk.lifecycle.certificates.errors import NoCsr
from certdesk.lifecycle.certificates.models import Csr
from certdesk.pki.keystore import actions as keystore
from certdesk.pki.keystore import use
from certdesk.pki.keystore.errors import KeyNotReady
from certdesk.pki.keystore.models import Key, State
from certdesk.pki.x509 import keys
from certdesk.pki.x509.csr import parse_csr
from certdesk.pki.x509.errors import BadCsr, BadName, UploadRefused
from certdesk.pki.x509.keys import KeyAlgorithm
from tests.support.hostile import bad_names, hostile_csrs
from tests.support.inventory import NOW, new_account, person
from tests.support.requests_of import request_for, rsa_key

pytestmark = pytest.mark.django_db
ASKED = CsrRequest("front", "www.example.com", "EC_P256", "example.com;*.example.com")
COMPANY = {"country": "cn", "province": "Guizhou", "city": "Guiyang", "name": "Example Trading Co.,Ltd"}
LATER = NOW + timedelta(seconds=1)


@pytest.fixture
def house():
    return new_account()


@pytest.fixture
def alice(house):
    return person(house)


@pytest.fixture
def charlie():
    return person(new_account("elsewhere"), "charlie")


def made(principal, **more):
    return csrs.create(principal, replace(ASKED, **more), NOW)


def uploaded(principal, *names, key=None, with_key=False, name="up"):
    request = request_for(*(names or ("up.example.com",)), key=key)
    return csrs.upload(principal, name, request.pem, request.key_pem() if with_key else "", NOW)


# --- creating ------------------------------------------------------------------------------------


def test_a_created_csr_holds_what_was_asked_and_its_key_is_sealed(alice):
    found = made(alice, usage="ENTERPRISE", company=COMPANY)
    parsed = parse_csr(Csr.objects.get(id=found.id).csr)
    assert re.fullmatch(r"[0-9a-f]{32}", found.id)
    assert [one.text for one in parsed.names] == ["www.example.com", "example.com", "*.example.com"]
    assert (found.domain_name, found.sans) == ("www.example.com", "example.com;*.example.com")
    assert found.company == {**COMPANY, "country": "CN"}
    subject = x509.load_pem_x509_csr(found.csr.encode()).subject
    assert "O=Example Trading Co.\\,Ltd" in subject.rfc4514_string()
    key = Key.objects.get(id=found.key_id)
    assert (key.tenant, key.algorithm, key.spki_sha256) == (alice.account_id, "EC_P256", found.spki_sha256)
    assert bytes(key.spki) == parsed.spki
    assert Secret.objects.filter(id=key.secret_id).exists()


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": "n" * 64}, "name"),
        ({"name": "a\nb"}, "name"),
        ({"domain_name": ""}, "domain_name"),
        ({"domain_name": "*.com"}, "domain_name"),
        ({"sans": "good.example.com;exa_mple.com"}, "sans"),
        ({"sans": ";".join(f"n{number}.example.com" for number in range(250))}, "sans"),
        ({"private_key_algo": "SM2"}, "private_key_algo"),
        ({"private_key_algo": "RSA_1024"}, "private_key_algo"),
        ({"usage": "PRIVATE"}, "usage"),
        ({"usage": "ENTERPRISE", "company": {**COMPANY, "name": " "}}, "company_name"),
        ({"usage": "ENTERPRISE"}, "company_country"),
        ({"company": {**COMPANY, "country": "C1"}}, "company_country"),
        ({"company": {**COMPANY, "name": "n" * 65}}, "company_name"),
        ({"company": {**COMPANY, "city": "c" * 129}}, "company_city"),
        ({"company": {**COMPANY, "province": "a\x00b"}}, "company_province"),
    ],
)
def test_what_does_not_fit_is_refused_at_its_field(alice, change, field):
    with pytest.raises(CertdeskError) as refused:
        made(alice, **change)
    assert (refused.value.field, bool(refused.value.next_step)) == (field, True)
    assert not Csr.objects.exists()


def test_the_limits_themselves_fit(alice):
    names = ";".join(f"n{number}.example.com" for number in range(249))
    company = {**COMPANY, "name": "n" * 64, "city": "c" * 128, "province": "p" * 128}
    found = made(alice, name="n" * 63, sans=names, company=company, usage="")
    assert (len(found.names), found.usage) == (250, "PERSONAL")
    assert len(parse_csr(found.csr).names) == 250
    twice = made(alice, sans="EXAMPLE.com\nwww.example.com, example.com")
    assert twice.sans == "example.com"


@pytest.mark.parametrize("name", [name for name, _why in bad_names() if name == name.strip(" \t")])
def test_bad_names_are_refused_here_too(name):
    with pytest.raises((BadName, BadParameter)):
        csr_rules.check_request(replace(ASKED, domain_name=name), allow_internal=False)


@pytest.mark.parametrize("algorithm", ["RSA_2048", "RSA_3072", "RSA_4096"])
def test_an_rsa_key_is_taken_from_the_pool(alice, algorithm, monkeypatch):
    monkeypatch.setattr(keys, "generate", None)  # nothing is made in the request
    size = int(algorithm[4:])
    ready = keystore.store_in_pool(rsa_key(size))
    found = made(alice, private_key_algo=algorithm)
    assert (found.key_id, found.being_made) == (ready.id, False)
    assert parse_csr(found.csr).public_key.key_size == size


def test_without_a_ready_key_a_worker_makes_it(alice, charlie):
    found = made(alice, private_key_algo="RSA_2048")
    assert (found.csr, found.key_id, found.being_made) == ("", "", True)
    with pytest.raises(KeyNotReady) as refused:
        csrs.private_key(alice, found.id)
    assert refused.value.retry_after == 3
    assert csrs.usable(alice) == []
    jobs.run_all(timedelta(0))
    found = csrs.fetch(alice, csrs.GET, found.id)
    assert parse_csr(found.csr).public_key.key_size == 2048
    assert csrs.private_key(alice, found.id).key_size == 2048
    assert csrs.usable(alice) == [found]


def test_the_worker_takes_what_has_become_ready_and_leaves_what_is_gone(alice):
    first, second = (made(alice, private_key_algo="RSA_2048") for _ in range(2))
    ready = keystore.store_in_pool(rsa_key())
    csrs.delete(alice, second.id)
    jobs.run_all(timedelta(0))
    assert Csr.objects.get(id=first.id).key_id == ready.id
    csrs.settle_key(first.id, rsa_key())  # another worker was quicker
    csrs.settle_key(second.id, rsa_key())
    assert Csr.objects.get(id=first.id).key_id == ready.id


# --- uploading -----------------------------------------------------------------------------------


@pytest.mark.parametrize("with_key", [True, False])
@pytest.mark.parametrize("key", [ec.generate_private_key(ec.SECP384R1()), rsa_key()])
def test_an_upload_with_and_without_its_key(alice, key, with_key):
    found = uploaded(alice, "up.example.com", "b.example.com", key=key, with_key=with_key)
    assert (found.domain_name, found.sans, found.usage) == ("up.example.com", "b.example.com", "")
    assert found.private_key_algo == keys.algorithm_of(key.public_key())
    assert (bool(found.key_id), found.made_here) == (with_key, False)
    if with_key:
        assert keys.spki_der(csrs.private_key(alice, found.id).public_key()) == keys.spki_der(
            key.public_key()
        )
    else:
        with pytest.raises(WrongState):
            csrs.private_key(alice, found.id)


def test_an_upload_is_refused(alice):
    request, other = request_for("up.example.com"), request_for("up.example.com")
    for text, key, error, field, code in (
        (request.pem, other.key_pem(), UploadRefused, "private_key", "SCM.0014"),
        (request.pem, "no key", UploadRefused, "private_key", "SCM.0114"),
        ("no csr", "", BadCsr, "csr", ""),
        (request.pem + request.key_pem(), "", BadCsr, "csr", ""),
        (request_for("up.internal").pem, "", BadCsr, "csr", ""),
        (request_for("up.example.com", key=rsa_key(2560)).pem, "", BadCsr, "csr", ""),
    ):
        with pytest.raises(error) as refused:
            csrs.upload(alice, "up", text, key, NOW)
        assert (refused.value.field, refused.value.code) == (field, code)
    assert not Csr.objects.exists()
    assert not Key.objects.exists()


@pytest.mark.parametrize("case", hostile_csrs(), ids=lambda case: case.name)
def test_hostile_csrs_meet_the_one_gate(alice, case):
    if case.expect == "refused" or len(case.pem) > csr_rules.CSR_LIMIT:
        with pytest.raises(BadCsr):
            csrs.upload(alice, "hostile", case.pem, "", NOW)
        assert not Csr.objects.exists()
    else:
        found = csrs.upload(alice, "hostile", case.pem, "", NOW)
        assert found.domain_name == "good.example.com"


# rule: APP-12
def test_a_blocked_key_is_refused(alice):
    request = request_for("up.example.com")
    keystore.block(keys.spki_sha256(request.key.public_key()), "test", NOW)
    with pytest.raises(BadCsr, match="compromised"):
        csrs.upload(alice, "up", request.pem, request.key_pem(), NOW)


def test_the_length_of_an_uploaded_csr(alice):
    text = request_for("up.example.com").pem
    padded = text + "\n" * (csr_rules.CSR_LIMIT - len(text))
    assert csrs.upload(alice, "up", padded, "", NOW).csr == text
    with pytest.raises(BadCsr, match="2556 characters"):
        csrs.upload(alice, "up", padded + "\n", "", NOW)


# --- list, rename, delete, export ----------------------------------------------------------------


def test_the_list_is_newest_first_and_filtered(alice, charlie):
    first = made(alice, name="Shop_front")
    second = csrs.create(alice, replace(ASKED, name="mail", private_key_algo="EC_P384"), LATER)
    third = uploaded(alice, name="SHOP back")
    everything, total = csrs.listed(alice, CsrFilters())
    assert (everything[0].id, total) == (second.id, 3)
    for filters, ids in (
        (CsrFilters(name="shop"), {first.id, third.id}),
        (CsrFilters(name="shop_"), {first.id}),
        (CsrFilters(private_key_algo="EC_P384"), {second.id}),
        (CsrFilters(private_key_algo="SM2"), set()),
        (CsrFilters(offset=3), set()),
    ):
        assert {one.id for one in csrs.listed(alice, filters)[0]} == ids
    assert csrs.listed(charlie, CsrFilters()) == ([], 0)
    assert csrs.usable(charlie) == []


@pytest.mark.parametrize(
    ("filters", "field"),
    [
        ({"limit": 11}, "limit"),
        ({"offset": -1}, "offset"),
        ({"offset": 2**31}, "offset"),
        ({"private_key_algo": "RSA"}, "private_key_algo"),
    ],
)
def test_a_query_outside_its_limits(alice, filters, field):
    with pytest.raises(BadParameter) as refused:
        csrs.listed(alice, CsrFilters(**filters))
    assert refused.value.field == field


def test_a_policy_for_one_csr_shows_that_one(house, alice):
    one, other = made(alice), made(alice)
    document = {
        "Version": "1.1",
        "Statement": [
            {"Effect": "Allow", "Action": ["scm:csr:*"], "Resource": [f"scm:*:*:csr:{one.id}"]},
        ],
    }
    bob = replace(
        person(house, "bob"), grants=(PolicyGrant("one", parse(document)),), _relevant={}, _decided={}
    )
    found, total = csrs.listed(bob, CsrFilters())
    assert ([each.id for each in found], total) == ([one.id], 1)
    assert csrs.fetch(bob, csrs.GET, one.id).id == one.id
    with pytest.raises(Forbidden):
        csrs.fetch(bob, csrs.GET, other.id)


def test_each_right_is_its_own(house, alice, charlie):
    found = made(alice)
    calls = {
        "scm:csr:get": lambda who: csrs.fetch(who, csrs.GET, found.id),
        "scm:csr:update": lambda who: csrs.rename(who, found.id, "x", NOW),
        "scm:csr:downloadPrivateKey": lambda who: csrs.private_key(who, found.id),
        "scm:csr:create": made,
        "scm:csr:upload": uploaded,
        "scm:csr:delete": lambda who: csrs.delete(who, found.id),
    }
    for action, call in calls.items():
        others = person(house, "rita", *(set(calls) - {action}))
        with pytest.raises(Forbidden) as refused:
            call(others)
        assert refused.value.details["action"] == action
        if action not in ("scm:csr:create", "scm:csr:upload"):
            with pytest.raises(NoCsr) as missing:
                call(charlie)
            assert missing.value.code == "SCM.0707"
    for action, call in calls.items():
        call(person(house, "bob", action))


def test_everything_is_audited_by_name_and_without_secrets(alice):
    found = made(alice)
    pem = keys.private_to_pem(csrs.private_key(alice, found.id)).decode()
    csrs.rename(alice, found.id, " back ", LATER)
    csrs.rename(alice, found.id, "back", LATER)  # no change, no row
    csrs.delete(alice, found.id)
    rows = Event.objects.filter(resource=f"csr:{found.id}").order_by("id")
    assert [(row.action, orjson.loads(row.details)) for row in rows] == [
        ("scm:csr:create", {"name": "front", "algorithm": "EC_P256"}),
        (
            "keystore.export",
            {
                "name": "front",
                "key": found.key_id,
                "right": "scm:csr:downloadPrivateKey",
                "owner": alice.account_id,
            },
        ),
        ("scm:csr:update", {"name": "front", "was": "front", "is": "back"}),
        ("scm:csr:delete", {"name": "back", "key_destroyed": True}),
    ]
    body = "".join(pem.splitlines()[1:-1])
    assert not any(body[:40] in row.details for row in rows)
    assert rows[1].actor == f"user:{alice.user_id}"


def test_a_rename_moves_the_time_of_change_alone(alice):
    found = csrs.rename(alice, made(alice).id, "new", LATER)
    kept = Csr.objects.get(id=found.id)
    assert (kept.name, kept.created_at, kept.updated_at) == ("new", NOW, LATER)


def test_deleting_destroys_the_key_and_only_once(alice):
    found, plain = made(alice), uploaded(alice)
    secret = Key.objects.get(id=found.key_id).secret_id
    csrs.delete(alice, found.id)
    csrs.delete(alice, plain.id)
    assert Key.objects.get(id=found.key_id).state == State.DESTROYED
    assert not Secret.objects.filter(id=secret).exists()
    with pytest.raises(NoCsr):
        csrs.delete(alice, found.id)


def test_a_copy_of_a_key_outlives_the_first_row(alice):
    found = made(alice)
    copied = keystore.copy(found.key_id, alice.account_id)
    csrs.delete(alice, found.id)
    assert (
        keys.spki_sha256(use.private_key(copied.id, alice.account_id).public_key()).hex() == found.spki_sha256
    )
    for key_id, tenant in ((found.key_id, alice.account_id), (copied.id, "another")):
        with pytest.raises(CertdeskError, match="no such private key"):
            keystore.copy(key_id, tenant)


def test_a_stored_csr_is_known_by_its_text(house, alice, charlie):
    found = made(alice)
    parsed = parse_csr(found.csr)
    assert csrs.holding(alice, parsed).id == found.id
    assert csrs.holding(charlie, parsed) is None
    assert csrs.holding(person(house, "rita", "scm:cert:*"), parsed) is None
    key = csrs.private_key(alice, found.id)
    assert csrs.holding(alice, parse_csr(request_for("www.example.com", key=key).pem)) is None
    assert csrs.holding(alice, parse_csr(uploaded(alice).csr)) is None


def test_an_uploaded_key_comes_out_as_it_went_in(alice):
    request = request_for("up.example.com", key=rsa.generate_private_key(65537, 2048))
    found = csrs.upload(alice, "up", request.pem, request.key_pem(), NOW)
    text = keys.private_to_pem(csrs.private_key(alice, found.id))
    assert load_pem_private_key(text, None).private_numbers() == request.key.private_numbers()
    assert KeyAlgorithm(found.private_key_algo) is KeyAlgorithm.RSA_2048
