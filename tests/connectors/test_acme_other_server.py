"""The ACME client against another server than Pebble, of other people: acme2certifier, which advises (ARI).

It answers what RFC 9773 calls renewalInfo, and takes `replaces` in an order without heeding it.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest
from cryptography import x509

from certdesk.connectors.issuers.protocol import Advises, IssuerError, OrderState
from certdesk.lab.dns_server import LabDns
from tests.support import acme2certifier, tls
from tests.support.acme2certifier import Server
from tests.support.issuer_kinds import acme, acme_options, ended, run, tasks_by, wanted

pytestmark = pytest.mark.server


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with LabDns() as dns, acme2certifier.running(tmp_path_factory.mktemp("server"), dns) as made:
        yield made


@pytest.fixture
def options(server: Server) -> dict[str, Any]:
    assert server.identity is not None
    return acme_options(server.directory, server.identity.pem, email="ada@example.com")


def issued(server: Server, connector: Any, order: Any) -> Any:
    placed = run(connector.place(order))
    found = tasks_by(placed, "dns-01")
    for one in found:
        server.set_up(one)
    proceeded = run(connector.proceed(order, placed.handle, tuple(one.id for one in found)))
    done = run(ended(connector, order, proceeded))
    assert done.state is OrderState.ISSUED, done
    return done


def test_what_it_advises_is_found_by_our_name_of_the_certificate(
    server: Server, options: dict[str, Any]
) -> None:
    connector = acme(options)
    assert run(connector.test()).ok  # it reads from the directory that this server advises
    first = issued(server, connector, wanted("first", "ari.example.test"))
    window = server.advice(first.chain[0])["suggestedWindow"]
    begin, end = (datetime.fromisoformat(window[one].replace("Z", "+00:00")) for one in ("start", "end"))
    leaf = x509.load_der_x509_certificate(first.chain[0])
    assert leaf.not_valid_before_utc < begin < end <= leaf.not_valid_after_utc
    assert isinstance(connector, Advises)
    told = run(connector.advice(first.chain[0]))
    assert (told.start, told.end) == (begin, end)
    with pytest.raises(IssuerError) as refused:  # it never issued this one
        run(connector.advice(tls.make("ari.example.test").leaf))
    assert refused.value.message
    more: dict[str, Any] = {"replaces": first.chain[0], "predecessor": first.handle}
    for reference in ("second", "third"):  # whatever it thinks of a second successor, the certificate comes
        issued(server, connector, wanted(reference, "ari.example.test", **more))


def test_a_wildcard_and_its_name_are_proved_at_one_place(server: Server, options: dict[str, Any]) -> None:
    connector = acme(options)
    order = wanted("wild", "wild.example.test", "*.wild.example.test")
    placed = run(connector.place(order))
    found = tasks_by(placed, "dns-01")
    server.dns.set(found[0].where, "TXT", [one.value for one in found])
    proceeded = run(connector.proceed(order, placed.handle, tuple(one.id for one in found)))
    assert run(ended(connector, order, proceeded)).state is OrderState.ISSUED
