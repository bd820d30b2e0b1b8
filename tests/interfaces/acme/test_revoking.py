"""Revocation by the certificate's own key, whatever else is under way."""

from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec

from certdesk.foundation.common import clock
from certdesk.lifecycle.certificates.models import Certificate, Version
from certdesk.lifecycle.issuance import revoking
from certdesk.lifecycle.issuance.models import RevocationRequest
from certdesk.lifecycle.issuance.revoking import Wish
from certdesk.pki.keystore.models import BlockedKey
from certdesk.pki.x509 import pem
from tests.support.acme import Acme
from tests.support.acme_house import House
from tests.support.jose import b64, csr

from .test_protocol import problem


def by_key(key: Any, certificate_id: str, reason: int = 0) -> Any:
    held = bytes(Version.objects.get(certificate_id=certificate_id, number=1).der)
    return Acme(key).post("/acme/revoke-cert", {"certificate": b64(held), "reason": reason})


def issued(house: House, key: Any, name: str = "www.example.com") -> str:
    """Bought, and certified for a CSR with that key."""
    return house.desk.issued(name, csr=pem.write_block("CERTIFICATE REQUEST", csr(name, key=key)))


def test_the_key_confirms_a_revocation_that_waits_for_the_mail(house: House) -> None:
    # rule: REV-9
    key = ec.generate_private_key(ec.SECP256R1())
    held = issued(house, key)
    Certificate.objects.update(level="OV")
    revoking.request(house.desk.alice, held, Wish(), clock.now())
    house.desk.run()
    assert house.desk.state(held) == "REVOKING"
    assert by_key(key, held).status_code == 200
    house.desk.run()
    assert house.desk.state(held) == "REVOKED"
    assert problem(by_key(key, held)) == "alreadyRevoked"


def test_a_key_that_says_it_is_compromised_is_blocked_and_ends_everywhere(house: House) -> None:
    # rule: REV-6
    key = ec.generate_private_key(ec.SECP256R1())
    held, other = issued(house, key), issued(house, key, "other.example.com")
    assert by_key(key, held, 1).status_code == 200
    house.desk.run()
    assert (house.desk.state(held), house.desk.state(other)) == ("REVOKED", "REVOKED")
    assert (
        BlockedKey.objects.get().spki_sha256 == Version.objects.filter(certificate_id=held).get().spki_sha256
    )
    acme = house.client()
    order = acme.order("www.example.com").json()
    refused = acme.post(order["finalize"], {"csr": b64(csr("www.example.com", key=key))})
    assert refused.status_code >= 400


def test_it_is_blocked_too_where_a_revocation_is_open_for_another_reason(house: House) -> None:
    # rule: REV-6
    key = ec.generate_private_key(ec.SECP256R1())
    held = issued(house, key)
    Certificate.objects.update(level="OV")
    revoking.request(house.desk.alice, held, Wish("SUPERSEDED"), clock.now())
    assert by_key(key, held, 1).status_code == 200
    house.desk.run()
    assert house.desk.state(held) == "REVOKED"
    assert RevocationRequest.objects.get().reason == 1
    assert BlockedKey.objects.count() == 1


def test_the_key_of_a_version_that_was_replaced_is_blocked_too(house: House) -> None:
    # rule: REV-6
    key = ec.generate_private_key(ec.SECP256R1())
    held, other = issued(house, key), issued(house, key, "other.example.com")
    Certificate.objects.filter(id=held).update(current_version=2)
    assert by_key(key, held, 1).status_code == 200
    house.desk.run()
    assert house.desk.state(other) == "REVOKED"
    assert BlockedKey.objects.count() == 1
