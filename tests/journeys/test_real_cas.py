"""The whole path with CAs outside that are servers of their own: the simulated commercial CA, and Pebble."""

import ipaddress
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509

from certdesk.connectors.issuers.protocol import Task
from certdesk.foundation.common import settings
from certdesk.foundation.iam import queries as iam
from certdesk.foundation.iam.principal import Via
from certdesk.foundation.jobs import testing
from certdesk.interfaces.operations import index, registry
from certdesk.lab.ca.server import LabCa
from certdesk.lifecycle.certificates.models import Version
from certdesk.lifecycle.issuance.models import OutsideOrder
from tests.support import pebble
from tests.support.office import Office, open_office
from tests.support.pebble import Pebble

assert index
pytestmark = pytest.mark.server
NAME = "www.example.com"
PRODUCT = "GEOTRUST.DV_SSL_CERT.SINGLE_DOMAIN"
SOON = timedelta(minutes=10)


@dataclass
class House:
    """An office whose operator sets up CAs."""

    office: Office
    lab: LabCa
    pebble: Pebble
    stop_lab: Callable[[], None]

    def call(self, operation: str, body: object = None, **given: str) -> Any:
        alice = iam.principal_of(self.office.people["alice"], Via.API)
        return registry.call(operation, alice, body=body, **given)[1]

    def set_up(self, slug: str) -> str:
        options: dict[str, dict[str, object]] = {
            "certcentral": {"server_url": self.lab.url, "api_key": self.lab.key},
            "acme": {
                "directory_url": self.pebble.directory,
                "ca": self.pebble.identity.pem,
                "methods": ["dns-01"],
                "terms_agreed": True,
            },
        }
        body = {"kind": slug, "slug": slug, "profile": "private", "title": slug, "options": options[slug]}
        made = str(self.call("issuers.create", body)["id"])
        assert self.call("issuers.test", id=made)["ok"]
        return made

    def order(self, *issuers: str) -> str:
        """A certificate whose name is proved to us, on its way to the first CA."""
        self.call("issuers.of_product", list(issuers), product_id=PRODUCT)
        desk = self.office.desk
        certificate_id = desk.buy()
        desk.apply(certificate_id, domain=NAME)
        desk.publish(certificate_id)
        testing.run_all(timedelta(seconds=30), 100, strict=True)
        return certificate_id

    def set_records(self, certificate_id: str) -> None:
        """What the page tells the applicant to do."""
        tasks = self.call("certificates.show", certificate_id=certificate_id)["ca_order"]["tasks"]
        assert [task["name"] for task in tasks] == [NAME], str(
            self.call("certificates.show", certificate_id=certificate_id)["ca_order"]
        )
        for task in tasks:
            self.office.desk.dns.set(task["where"], task["record_type"], [task["value"]])
            self.pebble.set_up(Task("", NAME, task["method"], task["where"], task["value"]))

    def issued(self, certificate_id: str) -> Version:
        testing.run_all(SOON, 300, strict=True)
        shown = self.call("certificates.show", certificate_id=certificate_id)
        assert shown["status"] == "ISSUED", str(shown["ca_order"])
        return Version.objects.get(certificate_id=certificate_id)


@pytest.fixture
def house(db: None, tmp_path: Path) -> Iterator[House]:
    with ExitStack() as stack:
        office = stack.enter_context(open_office())
        before = settings.get()
        stack.callback(settings.install, before)
        networks = {"allow_networks": (ipaddress.ip_network("127.0.0.0/8"),)}
        settings.install(before.model_copy(update=networks))
        of_lab = stack.enter_context(ExitStack())
        lab = of_lab.enter_context(LabCa(resolver=before.dns_resolvers[0]))
        yield House(office, lab, stack.enter_context(pebble.running(tmp_path / "pebble")), of_lab.close)


# rule: CAT-6, ISS-1
@pytest.mark.parametrize("slug", ["certcentral", "acme"])
def test_a_ca_outside_is_ordered_from_proved_to_collected_from_and_revoked_at(
    house: House, slug: str
) -> None:
    certificate_id = house.order(house.set_up(slug))
    house.set_records(certificate_id)
    version = house.issued(certificate_id)
    assert version.issuer.startswith(f"{slug}:")
    found = x509.load_der_x509_certificate(version.der)
    names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert NAME in names.get_values_for_type(x509.DNSName)
    house.call("certificates.revoke", {"reason": "superseded"}, certificate_id=certificate_id)
    testing.run_all(SOON, 300, strict=True)
    assert house.office.desk.state(certificate_id) == "REVOKED"


# rule: ISS-4
def test_a_certificate_for_another_key_never_counts_and_is_revoked_at_the_ca(
    house: House,
) -> None:
    certificate_id = house.order(house.set_up("certcentral"))
    house.lab.misbehave("issue", "WRONG_KEY")
    house.set_records(certificate_id)
    testing.run_all(SOON, 300, strict=True)
    shown = house.call("certificates.show", certificate_id=certificate_id)
    assert shown["status"] == "UNPASSED"
    assert not Version.objects.exists()
    order = OutsideOrder.objects.get()
    assert "It is for another key than the one that was ordered." in order.problem
    assert "It is for another key" in house.office.desk.certificate(certificate_id).last_failure
    assert len(x509.load_der_x509_crl(house.lab.office.crl())) == 1


def test_where_the_first_ca_is_not_there_the_second_issues_and_it_is_said_why(house: House) -> None:
    first, second = house.set_up("certcentral"), house.set_up("acme")
    house.stop_lab()
    certificate_id = house.order(first, second)
    testing.run_all(timedelta(minutes=3), 300, strict=True)
    house.set_records(certificate_id)
    assert house.issued(certificate_id).issuer.startswith("acme:")
    assert OutsideOrder.objects.exclude(handle="").get().issuer == "acme"
    reasons = house.call("certificates.show", certificate_id=certificate_id)["ca_order"]["reasons"]
    assert [(one["issuer"], one["taken"]) for one in reasons] == [("certcentral", False), ("acme", True)]
    assert "no connection" in reasons[0]["reason"]
