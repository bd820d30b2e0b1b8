"""What a CA outside wants to see: written by automatic DNS, answered by our own pages, taken away again."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import dns.message
import dns.query
import pytest
from django.test import Client

from certdesk.connectors.issuers.protocol import Task, Wanted
from certdesk.foundation.common import settings
from certdesk.foundation.iam import queries as iam
from certdesk.foundation.iam.principal import Via
from certdesk.foundation.jobs import actions as jobs
from certdesk.foundation.jobs import testing
from certdesk.interfaces.operations import index, registry
from certdesk.lifecycle.issuance.models import OutsideOrder, ServedProof
from certdesk.lifecycle.validation import automatic_jobs
from certdesk.lifecycle.validation.models import AutomaticRecord
from tests.support.automatic import asked_bind, options
from tests.support.bind import Bind
from tests.support.office import Office, open_office
from tests.support.outside_ca import OutsideCa, front

assert index
NAME = "www.example.com"
OWNER = f"_acme-challenge.{NAME}"
SOON = timedelta(minutes=10)


def both_ways(wanted: Wanted) -> tuple[Task, ...]:
    name = wanted.names[0]
    return (
        Task("d", name, "dns-01", f"_acme-challenge.{name}", "value-of-the-ca", "TXT"),
        Task("h", name, "http-01", f"http://{name}/.well-known/acme-challenge/token", "token.thumb"),
    )


@pytest.fixture
def office(db: None) -> Iterator[Office]:
    with open_office() as made:
        yield made


@pytest.fixture
def server(office: Office, tmp_path: Path) -> Iterator[Bind]:
    with asked_bind(tmp_path, {"example.com": ""}) as made:
        yield made


def texts(server: Bind) -> list[str]:
    """What the server itself says, asked apart from the code under test."""
    answer = dns.query.udp(dns.message.make_query(OWNER, "TXT"), "127.0.0.1", 5, server.port)
    return [b"".join(one.strings).decode() for rrset in answer.answer for one in rrset]


def work() -> None:
    testing.run_all(SOON, 300, strict=True)


def applied(office: Office, *, automatic: bool) -> str:
    """Alice's application; its names are proved by what the test sets."""
    desk = office.desk
    certificate_id = desk.buy()
    form = {"auto_dns_auth": True} if automatic else {}
    desk.apply(certificate_id, domain=NAME, **form)
    return certificate_id


# rule: DOM-7
def test_automatic_dns_writes_the_record_of_the_ca_and_takes_it_away(office: Office, server: Bind) -> None:
    alice = iam.principal_of(office.people["alice"], Via.API)
    body = {"provider": "rfc2136", "options": options(server, "example.com")}
    registry.call("dns_connections.create", alice, body=body)
    ca = OutsideCa(asks=both_ways, slow=1)
    with front(away=ca):
        certificate_id = applied(office, automatic=True)
        seen: list[list[str]] = []
        moved = ca.proceed

        async def proceed(*given: object) -> object:
            seen.append(texts(server))
            return await moved(*given)  # type: ignore[arg-type]

        ca.proceed = proceed  # type: ignore[method-assign, assignment]
        work()
        assert office.desk.state(certificate_id) == "ISSUED"
        assert seen == [["value-of-the-ca"]]
        assert ca.proceeded == [("d",)]
        jobs.enqueue(automatic_jobs.SWEEP)
        work()
    assert texts(server) == []
    assert set(AutomaticRecord.objects.values_list("state", flat=True)) == {"REMOVED"}


def one_value(wanted: Wanted) -> tuple[Task, ...]:
    """The same value at each name, as some CAs want it."""
    return tuple(Task(one, one, "dns-01", f"_dnsauth.{one}", "value-of-all", "TXT") for one in wanted.names)


def test_the_same_value_is_written_at_each_name_of_the_order(office: Office, server: Bind) -> None:
    alice = iam.principal_of(office.people["alice"], Via.API)
    body = {"provider": "rfc2136", "options": options(server, "example.com")}
    registry.call("dns_connections.create", alice, body=body)
    with front(away=OutsideCa(asks=one_value)) as issuers:
        issuers.product = "GEOTRUST.DV_SSL_CERT.MULTI_DOMAIN"
        issuers.order("away")
        certificate_id = office.desk.buy(domain_type="MULTI_DOMAIN", names=2)
        office.desk.apply(certificate_id, domain=NAME, sans="api.example.com", auto_dns_auth=True)
        work()
        assert office.desk.state(certificate_id) == "ISSUED"
    written = AutomaticRecord.objects.filter(value="value-of-all").values_list("name", flat=True)
    assert sorted(written) == ["_dnsauth.api.example.com", f"_dnsauth.{NAME}"]


def test_a_manual_application_is_told_what_to_set_and_our_pages_answer_http(office: Office) -> None:
    desk = office.desk
    settings.install(settings.get().model_copy(update={"allowed_hosts": ("*",)}))
    ca = OutsideCa(asks=both_ways)
    with front(away=ca):
        certificate_id = applied(office, automatic=False)
        desk.publish(certificate_id)
        testing.run_all(timedelta(minutes=1), 100, strict=True)
        assert desk.state(certificate_id) == "ISSUING"
        path = "/.well-known/acme-challenge/token"
        answer = Client(headers={"host": NAME}).get(path)
        assert (answer.status_code, answer.content) == (200, b"token.thumb")
        assert Client(headers={"host": "other.example.com"}).get(path).status_code == 404
        assert Client(headers={"host": NAME}).get(f"{path}x").status_code == 404
        shown = office.client("alice").get(f"/certificates/{certificate_id}").content.decode()
        assert OWNER in shown
        assert "value-of-the-ca" in shown
        assert "What happens next: set up what the CA wants to see." in shown
        assert 'data-operation="ca-answer"' not in shown
        assert not AutomaticRecord.objects.exists()
        desk.dns.set(OWNER, "TXT", ["value-of-the-ca"])
        work()
        assert desk.state(certificate_id) == "ISSUED"
        assert Client(headers={"host": NAME}).get(path).status_code == 404
        assert OutsideOrder.objects.get().tasks == []


def test_a_file_at_another_place_than_ours_is_set_up_by_hand(office: Office) -> None:
    def file(wanted: Wanted) -> tuple[Task, ...]:
        where = f"http://{wanted.names[0]}/.well-known/pki-validation/fileauth.txt"
        return (Task("f", wanted.names[0], "http-01", where, "value-of-the-ca"),)

    with front(away=OutsideCa(asks=file)):
        certificate_id = applied(office, automatic=False)
        office.desk.publish(certificate_id)
        testing.run_all(timedelta(minutes=1), 100, strict=True)
        (task,) = OutsideOrder.objects.get().tasks
        assert task["by"] == "hand"
        assert not ServedProof.objects.exists()


# rule: DOM-7
def test_a_zone_that_is_connected_later_gets_the_record_of_the_ca(office: Office, tmp_path: Path) -> None:
    alice = iam.principal_of(office.people["alice"], Via.API)
    asked = settings.get().dns_resolvers  # our own proof is seen where the test has set it
    with asked_bind(tmp_path, {"example.com": "", "example.org": ""}) as server:
        settings.install(settings.get().model_copy(update={"dns_resolvers": asked}))

        def connect(zone: str) -> None:
            body = {"provider": "rfc2136", "options": options(server, zone)}
            registry.call("dns_connections.create", alice, body=body)

        connect("example.org")
        with front(away=OutsideCa(asks=both_ways)):
            certificate_id = applied(office, automatic=True)
            office.desk.publish(certificate_id)
            testing.run_all(timedelta(minutes=1), 100, strict=True)
            assert office.desk.state(certificate_id) == "ISSUING"
            assert texts(server) == []
            connect("example.com")
            work()
            assert AutomaticRecord.objects.filter(value="value-of-the-ca").exists()
