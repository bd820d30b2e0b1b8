"""Accounts, authorisations, keys, revocation, renewal information: each side of each rule, over the wire."""

import json
from datetime import timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from django.db import connection
from django.test.utils import CaptureQueriesContext

from certdesk.foundation.approvals.models import Rule
from certdesk.foundation.audit.models import Event
from certdesk.foundation.common import clock, settings
from certdesk.foundation.common.errors import Forbidden
from certdesk.foundation.common.sql import short_transaction
from certdesk.foundation.iam.models import Group, User
from certdesk.foundation.jobs import registry, testing
from certdesk.foundation.jobs.actions import enqueue
from certdesk.foundation.jobs.errors import UserGone
from certdesk.foundation.jobs.models import Job
from certdesk.lifecycle.campaigns import queries
from certdesk.lifecycle.campaigns.models import Campaign, Item
from certdesk.lifecycle.campaigns.rules import KEY_OF_A_CSR
from certdesk.lifecycle.certificates.models import Certificate, Version
from certdesk.lifecycle.enrolment import authorizations, credentials, finalizing, nonces, validating
from certdesk.lifecycle.enrolment.errors import AcmeError
from certdesk.lifecycle.enrolment.jobs import FORGET, SETTLE, Validate
from certdesk.lifecycle.enrolment.models import Authorization, Credential, Order, UsedNonce
from certdesk.lifecycle.issuance.issue_now import issue_now
from certdesk.lifecycle.orders.models import Order as Purchase
from certdesk.lifecycle.validation.models import Evidence
from certdesk.lifecycle.validation.perspectives import MATCH, Sight
from tests.support.acme import BASE, Acme
from tests.support.acme_house import House
from tests.support.jose import b64, csr, jwk_of, jws


def problem(answer: Any) -> str:
    return str(json.loads(answer.content)["type"]).rpartition(":")[2]


def certificate_of(acme: Acme, order_url: str) -> x509.Certificate:
    pem = acme.post(acme.read(order_url)["certificate"]).content
    found = x509.load_pem_x509_certificates(pem)
    assert len(found) >= 2
    return found[0]


def der(certificate: x509.Certificate) -> str:
    return b64(certificate.public_bytes(Encoding.DER))


@pytest.mark.parametrize(
    "make",
    [
        lambda: rsa.generate_private_key(65537, 2048),
        lambda: ec.generate_private_key(ec.SECP384R1()),
        lambda: ec.generate_private_key(ec.SECP521R1()),
        ed25519.Ed25519PrivateKey.generate,
    ],
    ids=["RS256", "ES384", "ES512", "EdDSA"],
)
def test_an_account_may_have_any_of_the_keys(house: House, make: Any) -> None:
    acme = house.client(make())
    assert acme.read(acme.kid)["status"] == "valid"


def test_an_account_is_found_again_changed_and_ended(house: House) -> None:
    acme = house.client()
    again = Acme(acme.key)
    found = again.post("/acme/new-account", {"onlyReturnExisting": True})
    assert (found.status_code, found.headers["Location"]) == (200, acme.kid)
    assert problem(Acme().post("/acme/new-account", {"onlyReturnExisting": True})) == "accountDoesNotExist"
    changed = acme.post(acme.kid, {"contact": ["mailto:grace@example.com"]})
    assert changed.json()["contact"] == ["mailto:grace@example.com"]
    order = acme.order("www.example.com")
    assert acme.read(changed.json()["orders"])["orders"] == [order.headers["Location"]]
    assert acme.post(acme.kid, {"status": "deactivated"}).json()["status"] == "deactivated"
    for refused in (acme.order("www.example.com"), acme.post(acme.kid), again.post("/acme/new-account", {})):
        assert (refused.status_code, problem(refused)) == (403, "unauthorized")
    assert Order.objects.get().state == "invalid"


def test_another_key_takes_the_account_over(house: House) -> None:
    acme = house.client()
    new = ec.generate_private_key(ec.SECP256R1())
    inner = {"alg": "ES256", "jwk": jwk_of(new), "url": f"{BASE}/acme/key-change"}
    said = {"account": acme.kid, "oldKey": jwk_of(acme.key)}
    assert acme.post("/acme/key-change", jws(new, inner, said)).status_code == 200
    assert problem(acme.post(acme.kid)) == "unauthorized"  # the old key is nobody's
    assert Acme(new, acme.kid).read(acme.kid)["status"] == "valid"
    other = house.client()
    said = {"account": other.kid, "oldKey": jwk_of(other.key)}
    taken = other.post("/acme/key-change", jws(new, inner, said))
    assert (taken.status_code, taken.headers["Location"]) == (409, acme.kid)


def test_a_credential_limits_names_and_number(house: House) -> None:
    acme = house.client(names=["*.shop.example.com", "example.com"], quota=1)
    for name in ("shop.example.com", "www.example.com", "xshop.example.com", "*.example.com"):
        refused = acme.order(name, "a.shop.example.com")
        assert problem(refused) == "rejectedIdentifier"
        assert [one["identifier"]["value"] for one in refused.json()["subproblems"]] == [name]
    house.issued(acme, "a.shop.example.com", csr=csr("a.shop.example.com"))
    placed = acme.order("example.com", "*.b.shop.example.com")
    house.prove(acme, placed.json())
    over = acme.post(placed.json()["finalize"], {"csr": b64(csr("example.com", "*.b.shop.example.com"))})
    assert (problem(over), Credential.objects.get().issued) == ("unauthorized", 1)
    assert acme.read(placed.headers["Location"])["status"] == "ready"  # nothing is lost: the quota may grow
    credentials.edit(house.desk.alice, Credential.objects.get().id, clock.now(), quota=2, quota_given=True)
    assert (
        acme.post(placed.json()["finalize"], {"csr": b64(csr("example.com", "*.b.shop.example.com"))}).json()[
            "status"
        ]
        == "valid"
    )


def test_a_credential_that_is_taken_back_is_of_no_use(house: House) -> None:
    acme = house.client()
    kid, key = house.credential()
    for one in Credential.objects.all():
        credentials.remove(house.desk.alice, one.id, clock.now())
    assert problem(acme.order("www.example.com")) == "unauthorized"
    assert problem(Acme().register(kid, key)) == "unauthorized"


def test_a_client_has_the_rights_that_its_user_has_now(house: House) -> None:
    acme = house.client()
    placed = acme.order("www.example.com").json()
    user = User.objects.get(id=house.desk.alice.user_id)
    user.groups.clear()
    owner, value, challenge = acme.record_of(acme.read(placed["authorizations"][0]))
    house.desk.dns.set(owner, "TXT", [value])
    acme.post(challenge, {})
    house.desk.run(strict=False)
    assert acme.read(challenge)["status"] == "invalid"
    assert (problem(acme.order("www.example.com")), Evidence.objects.count()) == ("unauthorized", 0)
    user.groups.set(Group.objects.all())
    User.objects.filter(id=user.id).update(is_active=False)
    assert problem(acme.order("www.example.com")) == "unauthorized"


def test_names_that_the_account_has_proved_need_no_new_proof(house: House) -> None:
    """Proved for an application on the console; then by one client for the others."""
    house.desk.issued("shop.example.com")
    acme = house.client()
    order = acme.order("shop.example.com").json()
    assert order["status"] == "ready"
    found = acme.read(order["authorizations"][0])
    assert (found["status"], [one["status"] for one in found["challenges"]]) == ("valid", ["valid"])
    house.issued(acme, "*.example.com", csr=csr("*.example.com"))
    assert house.client().order("www.example.com", "*.example.com").json()["status"] == "ready"
    assert house.client().order("deep.www.example.com").json()["status"] == "pending"


def test_http_first_and_a_token_in_each_challenge(house: House) -> None:
    acme = house.client()
    order = acme.order("www.example.com", "*.example.com").json()
    plain, wild = sorted(
        (acme.read(url) for url in order["authorizations"]), key=lambda one: "wildcard" in one
    )
    assert [one["type"] for one in plain["challenges"]] == ["http-01", "dns-01", "tls-alpn-01"]
    assert [one["type"] for one in wild["challenges"]] == ["dns-01"]
    assert (wild["identifier"]["value"], wild["wildcard"]) == ("example.com", True)
    assert all(len(one["token"]) >= 22 for each in (plain, wild) for one in each["challenges"])


def test_a_wrong_record_ends_the_authorization_after_some_looks(house: House) -> None:
    acme = house.client()
    placed = acme.order("www.example.com")
    owner, value, challenge = acme.record_of(acme.read(placed.json()["authorizations"][0]))
    house.desk.dns.set(owner, "TXT", [value[::-1]])
    assert acme.post(challenge, {}).json()["status"] == "processing"
    assert acme.post(challenge, {}).json()["status"] == "processing"  # twice is no error
    house.desk.run(timedelta(minutes=2))
    found = acme.read(challenge)
    assert (found["status"], found["error"]["type"].rpartition(":")[2]) == ("invalid", "unauthorized")
    assert acme.read(placed.headers["Location"])["status"] == "invalid"
    assert problem(acme.post(challenge, {})) if acme.post(challenge, {}).status_code >= 400 else True
    missing = acme.order("none.example.com").json()
    *_, challenge = acme.record_of(acme.read(missing["authorizations"][0]))
    acme.post(challenge, {})
    house.desk.run(timedelta(minutes=2))
    assert acme.read(challenge)["error"]["type"].endswith((":dns", ":unauthorized"))


def test_an_authorization_ahead_and_its_end(house: House) -> None:
    acme = house.client()
    wanted = {"identifier": {"type": "dns", "value": "ahead.example.com"}}
    made = acme.post("/acme/new-authz", wanted)
    assert (made.status_code, made.json()["status"]) == (201, "pending")
    house.prove(acme, {"authorizations": [made.headers["Location"]]})
    order = acme.order("ahead.example.com").json()
    assert order["authorizations"] == [made.headers["Location"]]
    ended = acme.post(made.headers["Location"], {"status": "deactivated"})
    assert ended.json()["status"] == "deactivated"
    assert problem(acme.post(made.headers["Location"], {"status": "deactivated"})) == "malformed"


def test_revocation_by_account_by_holder_and_by_key(house: House) -> None:
    # rule: REV-4
    acme, key = house.client(), ec.generate_private_key(ec.SECP256R1())
    first = certificate_of(acme, house.issued(acme, "a.example.com", csr=csr("a.example.com")))
    second = certificate_of(acme, house.issued(acme, "b.example.com", csr=csr("b.example.com")))
    third = certificate_of(acme, house.issued(acme, "c.example.com", csr=csr("c.example.com", key=key)))
    stranger = house.client()
    for one in (first, second, third):
        assert problem(stranger.post("/acme/revoke-cert", {"certificate": der(one)})) == "unauthorized"
    assert acme.post("/acme/revoke-cert", {"certificate": der(first), "reason": 4}).status_code == 200
    assert problem(acme.post("/acme/revoke-cert", {"certificate": der(first)})) == "alreadyRevoked"
    assert stranger.order("b.example.com").json()["status"] == "ready"  # now it holds the authorisation
    assert stranger.post("/acme/revoke-cert", {"certificate": der(second)}).status_code == 200
    assert problem(Acme().post("/acme/revoke-cert", {"certificate": der(third)})) == "unauthorized"
    assert Acme(key).post("/acme/revoke-cert", {"certificate": der(third), "reason": 1}).status_code == 200
    house.desk.run()
    assert set(Certificate.objects.values_list("state", flat=True)) == {"REVOKED"}
    assert problem(Acme(key).post("/acme/revoke-cert", {"certificate": der(third)})) == "alreadyRevoked"
    assert Version.objects.filter(revoked_at=None).count() == 0


def test_where_two_must_agree_a_client_does_not_revoke_alone(house: House) -> None:
    acme, key = house.client(), ec.generate_private_key(ec.SECP256R1())
    held = certificate_of(acme, house.issued(acme, "a.example.com", csr=csr("a.example.com", key=key)))
    Rule.objects.create(account_id=house.desk.account.id, operation="revoke", approvals=1, hours=24)
    assert problem(acme.post("/acme/revoke-cert", {"certificate": der(held)})) == "unauthorized"
    assert (
        Acme(key).post("/acme/revoke-cert", {"certificate": der(held)}).status_code == 200
    )  # who has the key


def test_a_version_that_was_replaced_can_be_revoked_too(house: House) -> None:
    acme, key = house.client(), ec.generate_private_key(ec.SECP256R1())
    held = certificate_of(acme, house.issued(acme, "a.example.com", csr=csr("a.example.com", key=key)))
    Certificate.objects.update(current_version=2)
    assert acme.post("/acme/revoke-cert", {"certificate": der(held)}).status_code == 200
    assert problem(Acme(key).post("/acme/revoke-cert", {"certificate": der(held)})) == "alreadyRevoked"
    Version.objects.update(revoked_at=None)
    assert Acme(key).post("/acme/revoke-cert", {"certificate": der(held)}).status_code == 200


def cert_id(certificate: x509.Certificate) -> str:
    held = certificate.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value.key_identifier
    serial = certificate.serial_number
    return f"{b64(held)}.{b64(serial.to_bytes((serial.bit_length() + 8) // 8, 'big'))}"


def incident(house: House, certificate: Certificate) -> Campaign:
    """A campaign that has this certificate on its list."""
    alice, now = house.desk.alice, clock.now()
    columns: dict[str, Any] = {"query": {}, "per_minute": 0, "round": 1, "action": "REPLACE"}
    made = Campaign.objects.create(
        id="c" * 32, account_id=alice.account_id, name="incident", state="READY",
        created_by=alice.user_id, created_at=now,
        **columns,
    )  # fmt: skip
    Item.objects.create(
        campaign=made, round=1, certificate=certificate, owner_id=alice.user_id, domain="a.example.com",
        issuer="builtin", serial="1", version=1, places=0, state="WAITING",
    )  # fmt: skip
    return made


def window(acme: Acme, certificate: x509.Certificate) -> tuple[str, str]:
    answer = acme.http.get(f"/acme/renewal-info/{cert_id(certificate)}")
    assert answer.status_code == 200, answer.content
    assert int(answer.headers["Retry-After"]) > 0
    found = answer.json()["suggestedWindow"]
    return found["start"], found["end"]


def test_renewal_information_and_what_an_order_replaces(house: House) -> None:
    acme = house.client()
    url = house.issued(acme, "a.example.com", csr=csr("a.example.com"))
    held = certificate_of(acme, url)
    start, end = window(acme, held)
    life = held.not_valid_after_utc - held.not_valid_before_utc
    assert start[:10] == f"{held.not_valid_before_utc + life * 2 / 3:%Y-%m-%d}"
    now = f"{clock.now():%Y-%m-%dT%H:%M:%SZ}"
    assert now < start < end
    renewed = acme.order("a.example.com", replaces=cert_id(held))
    assert renewed.json()["replaces"] == cert_id(held)
    assert problem(acme.order("a.example.com", replaces=cert_id(held))) == "alreadyReplaced"
    assert problem(acme.order("b.example.com", replaces=cert_id(held))) == "malformed"
    campaign = incident(house, Certificate.objects.get())
    assert window(acme, held)[0] > now  # a list that was looked up only
    Campaign.objects.update(state="RUNNING")
    start, end = window(acme, held)
    assert start < end < now
    account_id = Certificate.objects.get().account_id
    with CaptureQueriesContext(connection) as asked:  # whatever the number of campaigns that ever ran
        assert queries.wants_replaced(account_id, Certificate.objects.get().id, 1)
    assert len([one for one in asked if "campaigns_" in one["sql"]]) == 1
    Item.objects.update(version=7)  # of another version of it
    assert window(acme, held)[0] > now
    Item.objects.update(version=1, state="CANNOT", why="Not yours.")
    assert window(acme, held)[0] > now
    Item.objects.update(why=KEY_OF_A_CSR)
    assert window(acme, held)[0] < now
    Campaign.objects.filter(id=campaign.id).update(action="DRILL")
    assert window(acme, held)[0] > now
    unknown = f"{cert_id(held).partition('.')[0]}.{b64(bytes(16)[:15] + b'7')}"
    assert acme.http.get(f"/acme/renewal-info/{unknown}").status_code == 404


def test_an_order_replaces_what_its_own_account_ordered_alone(house: House) -> None:
    """RFC 9773 §5: the same account, and a name in common."""
    kid, mac_key = house.credential()
    acme, other = Acme(), Acme()
    for one in (acme, other):  # of one credential
        assert one.register(kid, mac_key).status_code == 201
    held = certificate_of(acme, house.issued(acme, "a.example.com", csr=csr("a.example.com")))
    refused = other.order("a.example.com", replaces=cert_id(held))
    assert (problem(refused), "leave it out" in str(json.loads(refused.content))) == ("malformed", True)
    key, _, serial = cert_id(held).partition(".")
    number = held.serial_number.to_bytes(20, "big")
    assert b64(number) != serial
    written = acme.order("a.example.com", "b.example.com", replaces=f"{key}.{b64(number)}")
    assert written.json()["replaces"] == cert_id(held)  # however its zeros are written, it is one certificate
    assert problem(acme.order("a.example.com", replaces=cert_id(held))) == "alreadyReplaced"


def test_addresses_in_the_private_profile(house: House) -> None:
    """RFC 8738: no record can prove one."""
    acme = house.client()
    placed = acme.order("127.0.0.1", "a.example.com")
    found = [acme.read(url) for url in placed.json()["authorizations"]]
    (address,) = [one for one in found if one["identifier"]["type"] == "ip"]
    assert [one["type"] for one in address["challenges"]] == ["http-01", "tls-alpn-01"]
    now = clock.now()
    for name in ("127.0.0.1", "a.example.com"):
        Evidence.objects.create(
            account_id=house.desk.account.id, authorization_domain=name, name=name, method="HTTP",
            br_method="3.2.2.5.6", seen="seen", at=now, application_id=0,
        )  # fmt: skip
    ready = acme.order("127.0.0.1", "a.example.com")
    assert ready.json()["status"] == "ready"
    done = acme.post(ready.json()["finalize"], {"csr": b64(csr("a.example.com", "127.0.0.1"))})
    assert done.json()["status"] == "valid", done.content
    held = certificate_of(acme, ready.headers["Location"])
    names = held.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert [str(one) for one in names.get_values_for_type(x509.IPAddress)] == ["127.0.0.1"]


def test_a_brand_is_paid_from_the_balance_by_profile(house: House) -> None:
    acme = house.client(issuer="GEOTRUST", types=["DV_SSL_CERT"])
    assert problem(acme.order("www.example.com", profile="OV_SSL_CERT")) == "invalidProfile"
    house.issued(acme, "www.example.com", csr=csr("www.example.com"))
    paid = Purchase.objects.get()
    assert (Certificate.objects.get().brand, paid.amount > 0, paid.cash) == ("GEOTRUST", True, paid.amount)
    free = house.client()
    house.issued(free, "free.example.com", csr=csr("free.example.com"))
    assert Purchase.objects.order_by("-created_at").first().amount == 0  # type: ignore[union-attr]
    assert problem(acme.order("a.example.com", "*.example.com")) == "rejectedIdentifier"  # CAT-3


def test_without_money_the_order_ends_and_says_why(house: House) -> None:
    from certdesk.lifecycle.orders.models import Balance

    acme = house.client(issuer="GEOTRUST", types=["DV_SSL_CERT"], quota=1)
    placed = acme.order("www.example.com", profile="DV_SSL_CERT")
    house.prove(acme, placed.json())
    Balance.objects.update(cash=0)
    done = acme.post(placed.json()["finalize"], {"csr": b64(csr("www.example.com"))})
    assert done.json()["status"] == "invalid"
    assert "balance" in done.json()["error"]["detail"]
    assert Credential.objects.get().issued == 0
    assert not Event.objects.filter(action=finalizing.FINALIZED).exists()
    unpaid = Purchase.objects.get()
    assert (unpaid.state, "balance" in unpaid.unpaid_reason) == ("CANCELLED", True)
    house.desk.run(finalizing.PATIENCE + timedelta(seconds=1))
    assert Credential.objects.get().issued == 0


def test_an_order_that_was_given_up_buys_nothing_afterwards(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process was only slow: what a worker has given back is not bought all the same."""
    acme = house.client(quota=1)
    placed = acme.order("www.example.com")
    house.prove(acme, placed.json())

    def slow(*given: Any, **more: Any) -> Any:
        with short_transaction():
            finalizing.give_up(clock.real_now() + finalizing.PATIENCE + timedelta(seconds=1))
        return issue_now(*given, **more)

    monkeypatch.setattr(finalizing, "issue_now", slow)
    done = acme.post(placed.json()["finalize"], {"csr": b64(csr("www.example.com"))})
    assert done.status_code == 409
    assert acme.read(placed.headers["Location"])["status"] == "invalid"
    assert (Certificate.objects.count(), Purchase.objects.count(), Credential.objects.get().issued) == (
        0,
        0,
        0,
    )


def test_what_takes_get_takes_head_and_nothing_else(db: None) -> None:
    browser = Acme().http
    got, head = browser.get("/acme/directory"), browser.head("/acme/directory")
    assert (head.status_code, head.headers["Content-Type"]) == (200, got.headers["Content-Type"])
    assert (browser.get("/acme/new-nonce").status_code, browser.head("/acme/new-nonce").status_code) == (
        204,
        200,
    )
    for path, allowed in (("/acme/directory", "GET, HEAD"), ("/acme/new-order", "POST")):
        refused = browser.delete(path)
        assert (refused.status_code, refused.headers["Allow"]) == (405, allowed)
    assert browser.head("/acme/new-order").status_code == 405


def test_nonces_are_good_once_after_a_restart_and_for_a_day(db: None) -> None:
    now = clock.real_now()
    made = nonces.make(now)
    assert nonces.is_ours(made, now + nonces.LIFE)
    assert not nonces.is_ours(made, now + nonces.LIFE + timedelta(seconds=1))
    assert nonces.is_ours(made, now - nonces.AHEAD)
    assert not nonces.is_ours(made, now - nonces.AHEAD - timedelta(seconds=1))
    assert (nonces.use(made, now), nonces.use(made, now)) == (True, False)
    for wrong in (made[:-1], made + "A", "ä" * 54, made[:-2] + ("AA" if made[-2:] != "AA" else "BB")):
        assert not nonces.is_ours(wrong, now)
    assert nonces.forget(now + nonces.LIFE) == 0
    assert nonces.forget(now + nonces.LIFE + nonces.AHEAD + timedelta(seconds=1)) == 1
    assert UsedNonce.objects.count() == 0


def test_an_order_whose_process_ended_gives_its_place_back(house: House) -> None:
    acme = house.client(quota=5)
    placed = acme.order("www.example.com")
    house.prove(acme, placed.json())
    order = Order.objects.get()
    finalizing._begin(order.account, order)
    assert acme.read(placed.headers["Location"])["status"] == "processing"
    taken = acme.post(placed.json()["finalize"], {"csr": b64(csr("www.example.com"))})
    assert problem(taken) == "orderNotReady"
    assert Credential.objects.get().issued == 1
    since = Order.objects.get().taken_at
    assert since is not None
    for waited, state in ((timedelta(0), "processing"), (timedelta(seconds=1), "invalid")):
        with short_transaction():
            finalizing.give_up(since + finalizing.PATIENCE + waited)
        assert acme.read(placed.headers["Location"])["status"] == state
    assert acme.read(placed.headers["Location"])["error"]["type"].endswith(":serverInternal")
    assert Credential.objects.get().issued == 0


def test_a_worker_looks_for_orders_whose_process_ended(house: House) -> None:
    acme = house.client(quota=5)
    placed = acme.order("www.example.com")
    house.prove(acme, placed.json())
    order = Order.objects.get()
    finalizing._begin(order.account, order)
    Order.objects.update(taken_at=clock.real_now() - finalizing.PATIENCE - timedelta(seconds=1))
    assert SETTLE in registry.periods
    enqueue(SETTLE)
    house.desk.run()
    assert acme.read(placed.headers["Location"])["status"] == "invalid"
    assert Credential.objects.get().issued == 0


def test_an_order_that_waits_for_its_issuer_follows_the_certificate(house: House) -> None:
    acme = house.client()
    url = house.issued(acme, "www.example.com", csr=csr("www.example.com"))
    Order.objects.update(state="processing")
    assert acme.read(url)["status"] == "valid"
    Order.objects.update(state="processing")
    Version.objects.all().delete()
    assert acme.post(url).headers["Retry-After"] == "2"
    Certificate.objects.update(state="UNPASSED", last_failure="Refused for a reason.")
    assert acme.read(url)["error"]["detail"] == "Refused for a reason."


def test_orders_and_authorizations_end_in_time(house: House) -> None:
    acme = house.client()
    placed = acme.order("www.example.com")
    Order.objects.update(expires_at=clock.now())
    assert acme.read(placed.headers["Location"])["status"] == "invalid"


def test_a_fault_of_the_server_is_a_bland_problem(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    acme = house.client()
    monkeypatch.setattr("certdesk.lifecycle.enrolment.orders.place", lambda *_: 1 / 0)
    answer = acme.order("www.example.com")
    assert (answer.status_code, problem(answer)) == (500, "serverInternal")
    assert b"division" not in answer.content
    for host in ("a b", "[1:2]"):
        assert acme.http.get("/acme/directory", headers={"host": host}).json()["type"].endswith(":malformed")


def test_what_was_signed_for_another_host_is_not_taken_from_whoever_passes_it_on(house: House) -> None:
    """RFC 8555 §6.4: the Host that a stranger writes makes his address no address of ours."""
    acme = house.client()
    path = "/acme/new-order"

    def passed_on(host: str) -> Any:
        base = f"http://{host}"
        header = acme.header(path, url=base + path, kid=acme.kid.replace(BASE, base))
        wanted = {"identifiers": [{"type": "dns", "value": "www.example.com"}]}
        body = json.dumps(jws(acme.key, header, wanted))
        return acme.http.post(path, body, content_type="application/jose+json", headers={"host": host})

    def links(host: str) -> str:
        return str(acme.http.get("/acme/directory", headers={"host": host}).json()["newOrder"])

    before = settings.get()
    try:
        settings.install(before.model_copy(update={"external_url": "https://desk.example.net"}))
        assert problem(passed_on("relay.example.org")) == "unauthorized"
        assert links("relay.example.org") == links("desk.example.net") == f"https://desk.example.net{path}"
        for ours in ("127.0.0.1:8080", "localhost:18080", "[::1]:8443", "desk.example.net:8443"):
            assert passed_on(ours).status_code == 201, ours
            assert links(ours) == f"http://{ours}{path}"
        everywhere = {"external_url": "", "http": "0.0.0.0:8080"}  # it was told no name
        settings.install(before.model_copy(update=everywhere))
        assert passed_on("desk.intranet:8080").status_code == 201
    finally:
        settings.install(before)


def test_a_credential_that_was_narrowed_finalizes_no_older_order(house: House) -> None:
    acme = house.client()
    placed = acme.order("www.example.com", "b.example.org")
    house.prove(acme, placed.json())
    assert acme.read(placed.headers["Location"])["status"] == "ready"
    wanted = {"csr": b64(csr("www.example.com", "b.example.org"))}
    held = Credential.objects.get().id
    credentials.edit(house.desk.alice, held, clock.now(), names=["*.example.com"])
    refused = acme.post(placed.json()["finalize"], wanted)
    assert problem(refused) == "rejectedIdentifier"
    assert "b.example.org" in str(json.loads(refused.content))
    assert Certificate.objects.count() == 0
    credentials.edit(house.desk.alice, held, clock.now(), names=["*.example.com", "b.example.org"])
    assert acme.post(placed.json()["finalize"], wanted).json()["status"] == "valid"


def test_an_order_that_failed_or_lapsed_does_not_bar_the_next_replacement(house: House) -> None:
    """RFC 9773 §5."""
    acme = house.client()
    held = certificate_of(acme, house.issued(acme, "a.example.com", csr=csr("a.example.com")))
    failed = acme.order("a.example.com", "b.example.com", replaces=cert_id(held))
    (url,) = [one for one in failed.json()["authorizations"] if acme.read(one)["status"] == "pending"]
    acme.post(url, {"status": "deactivated"})
    assert acme.read(failed.headers["Location"])["status"] == "invalid"
    lapsed = acme.order("a.example.com", replaces=cert_id(held))
    assert lapsed.status_code == 201
    assert problem(acme.order("a.example.com", replaces=cert_id(held))) == "alreadyReplaced"
    Order.objects.filter(id=lapsed.headers["Location"].rpartition("/")[2]).update(expires_at=clock.now())
    assert acme.order("a.example.com", replaces=cert_id(held)).status_code == 201


def test_a_deactivated_authorization_stays_so_whatever_a_look_finds(house: House) -> None:
    acme = house.client()
    url = acme.order("a.example.com").json()["authorizations"][0]
    owner, value, challenge = acme.record_of(acme.read(url))
    house.desk.dns.set(owner, "TXT", [value])
    acme.post(challenge, {})
    with short_transaction():
        looked = validating.open_challenge(challenge.rpartition("/")[2], clock.now())
        assert looked is not None
        assert acme.post(url, {"status": "deactivated"}).status_code == 200
        validating.store(looked, [Sight(validating.look_of(looked), "here", MATCH, value, "")], clock.now())
    assert acme.read(url)["status"] == "deactivated"
    assert Evidence.objects.count() == 0
    (told,) = Event.objects.filter(action=authorizations.DEACTIVATED)
    assert (told.actor, told.resource) == (house.desk.alice.actor, "domain:a.example.com")
    stale = Authorization.objects.get()
    stale.state = "valid"
    with pytest.raises(AcmeError, match="over already"):
        authorizations.deactivate(stale, clock.now())
    assert Event.objects.filter(action=authorizations.DEACTIVATED).count() == 1


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (UserGone(), "unauthorized"),
        (Forbidden("scm:cert:apply"), "unauthorized"),
        (OSError(), "serverInternal"),
    ],
)
def test_a_look_that_failed_says_whose_fault_it_was(house: House, error: Exception, said: str) -> None:
    acme = house.client()
    url = acme.order("a.example.com").json()["authorizations"][0]
    challenge = acme.record_of(acme.read(url))[2]
    acme.post(challenge, {})
    with short_transaction():
        Validate().failed(Job.objects.get(kind=authorizations.VALIDATE), error)
    told = acme.read(challenge)
    assert (told["status"], told["error"]["type"].rpartition(":")[2]) == ("invalid", said)
    assert acme.read(url)["status"] == "invalid"


def test_however_many_nonces_were_used_the_old_ones_go_a_hundred_at_a_time(
    db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    long_ago = clock.real_now() - nonces.LIFE - nonces.AHEAD - timedelta(minutes=1)
    UsedNonce.objects.bulk_create(UsedNonce(digest=f"{one:043}", at=long_ago) for one in range(250))
    fresh = UsedNonce.objects.create(digest="f" * 43, at=clock.real_now())
    steps: list[int] = []
    forget = nonces.forget
    monkeypatch.setattr(nonces, "forget", lambda now: steps.append(forget(now)) or steps[-1])
    enqueue(FORGET, dedupe_key=FORGET)
    testing.run_all(timedelta(seconds=1))
    assert steps == [100, 100, 50]
    assert list(UsedNonce.objects.all()) == [fresh]
