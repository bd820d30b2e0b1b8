"""The names of an account, what the DNS says of them now, and the pre-flight: against real BINDs."""

from collections.abc import Iterator
from contextlib import ExitStack
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import dns.query
import dns.tsigkeyring
import dns.update
import pytest

from certdesk.foundation.common import settings
from certdesk.foundation.iam import queries as iam
from certdesk.foundation.iam.principal import Via
from certdesk.foundation.jobs import testing
from certdesk.lifecycle.catalogue.queries import SHIPPED
from certdesk.lifecycle.catalogue.rules import Catalogue
from certdesk.lifecycle.validation import automatic_wait
from tests.support.automatic import KEYS, RIGHTS, asked_bind, options
from tests.support.bind import NAMED, REASON, Bind, bind
from tests.support.office import Office
from tests.support.rulebook import Caller

pytestmark = [pytest.mark.server, pytest.mark.skipif(NAMED is None, reason=REASON)]

ZONES = {
    "example.com": '@ IN CAA 0 issue "other-ca.example"\n_dnsauth.shop IN CNAME away.example.net.',
    "free.example.org": '@ IN CAA 0 issue "ca.example"',
}


@pytest.fixture
def server(office: Office, tmp_path: Path) -> Iterator[Bind]:
    with asked_bind(tmp_path, ZONES) as made:
        yield made


@pytest.fixture
def strict(server: Bind, tmp_path: Path) -> None:
    """A catalogue whose issuer asks CAA."""
    text = SHIPPED.read_text(encoding="utf-8")
    wanted = '[issuers.builtin]\ntitle = "Built-in private CA"\n'
    marked = text.replace(wanted, wanted + 'caa_domains = ["ca.example"]\n')
    assert marked != text
    (tmp_path / "c.toml").write_text(marked)
    settings.install(settings.get().model_copy(update={"catalogue": tmp_path / "c.toml"}))


def caller(office: Office, name: str) -> Caller:
    return Caller(iam.principal_of(office.people[name], Via.API))


def asked(alice: Caller, *domains: str, **more: Any) -> dict[str, list[str]]:
    """Codes by name; those of the order as a whole under the empty name."""
    report = alice("domains.preflight", body={"domains": list(domains), **more})
    found = {one["domain"]: [problem["code"] for problem in one["problems"]] for one in report["domains"]}
    return {**found, "": [problem["code"] for problem in report["problems"]]}


def test_a_name_from_needed_to_proved(office: Office) -> None:
    # rule: DOM-13
    alice, bob, charlie = (caller(office, name) for name in ("alice", "bob", "charlie"))
    certificate_id = alice.buy()
    alice.apply(certificate_id, "www.example.com")
    one = alice("domains.list")["items"][0]
    assert (one["domain"], one["status"], one["needed_by"]) == ("www.example.com", "NEEDED", [certificate_id])
    assert one["proofs"] == []
    office.desk.publish(certificate_id)
    office.desk.run()
    assert alice.status(certificate_id) == "ISSUED"
    items = {one["domain"]: one for one in bob("domains.list")["items"]}
    assert list(items) == ["example.com", "www.example.com"]  # what was proved, and what stands in it
    one = items["www.example.com"]
    assert (one["status"], one["authorization_domain"]) == ("PROVED", "example.com")
    assert one["proofs"][0]["br_method"] == "3.2.2.4.7"
    assert one["reuse_until"][0]["until"] > one["proofs"][0]["at"]
    assert charlie("domains.list")["items"] == []
    first = alice("domains.list", query={"limit": 10, "marker": "example.com"})
    assert [one["domain"] for one in first["items"]] == ["www.example.com"]


def test_what_the_dns_says_now(office: Office, server: Bind) -> None:
    alice = caller(office, "alice")
    assert alice.refused("domains.show", name="www.example.com").kind == "not_found"
    alice.apply(alice.buy(), "www.example.com")
    one = alice("domains.show", name="www.example.com")
    assert one["caa"] == {
        "owner": "example.com",
        "records": ['0 issue "other-ca.example"'],
        "problem": "",
    }
    assert (one["zone"], one["name_servers"]) == ("example.com", ["ns1.example.com"])
    assert one["dnssec"]["state"] == "UNSIGNED"
    assert one["status"] == "NEEDED"


@pytest.mark.usefixtures("strict")
def test_caa_forbids(office: Office) -> None:
    # rule: DOM-12
    alice = caller(office, "alice")
    found = asked(alice, "www.example.com", "a.free.example.org", brand="GEOTRUST", cert_type="OV_SSL_CERT")
    assert found["www.example.com"] == ["CAA_FORBIDS"]
    assert found["a.free.example.org"] == []


def test_names_that_no_ca_takes(office: Office, server: Bind) -> None:
    # rule: APP-7
    alice = caller(office, "alice")
    names = ("*.co.uk", "intranet.local", "192.0.2.1", "a_b.example.com", "www.free.example.org")
    found = asked(alice, *names, brand="GEOTRUST", cert_type="OV_SSL_CERT")
    assert [found[name] for name in names] == [["BAD_NAME"]] * 4 + [[]]
    report = alice("domains.preflight", body={"domains": ["*.co.uk"]})
    assert report["ok"] is False
    assert report["domains"][0]["problems"][0]["fix"]


def test_a_method_whose_time_is_over(office: Office, server: Bind, monkeypatch: pytest.MonkeyPatch) -> None:
    # rule: APP-13
    alice = caller(office, "alice")
    order = {"brand": "GEOTRUST", "cert_type": "OV_SSL_CERT", "method": "EMAIL"}
    assert asked(alice, "free.example.org", **order)[""] == []
    monkeypatch.setattr(Catalogue, "ended_methods", lambda *_: {"EMAIL": date(2026, 1, 1)})
    assert asked(alice, "free.example.org", **order)[""] == ["METHOD"]


def test_what_the_product_does_not_take(office: Office, server: Bind) -> None:
    # rule: APP-13
    # rule: CAT-3
    # rule: FRE-1
    alice = caller(office, "alice")
    wild = ("free.example.org", "*.free.example.org")
    assert asked(alice, *wild, brand="GEOTRUST")[""] == ["WILDCARD_IN_MULTI"]
    assert asked(alice, *wild, brand="GEOTRUST", cert_type="OV_SSL_CERT")[""] == []
    assert asked(alice, "free.example.org", brand="GEOTRUST", method="EMAIL")[""] == ["METHOD"]
    ov = {"brand": "GEOTRUST", "cert_type": "OV_SSL_CERT"}
    assert asked(alice, *wild, method="FILE", **ov)[""] == ["METHOD"]
    assert asked(alice, "free.example.org", method="FILE", **ov)[""] == []
    assert asked(alice, "free.example.org", method="EMAIL", **ov)[""] == []
    assert asked(alice, "free.example.org", method="PIGEON", **ov)[""] == ["METHOD"]
    assert "METHOD" in asked(alice, "free.example.org", method="FILE", auto_dns_auth=True, **ov)[""]
    assert asked(alice, "free.example.org", brand="NOBODY")[""] == ["NOT_FOR_SALE"]
    free = {"brand": "SYMANTEC", "cert_type": "DV_SSL_CERT_BASIC", "free": True}
    assert asked(alice, "free.example.org", **free)[""] == []
    for _ in range(20):
        alice.buy(cert_brand="SYMANTEC", cert_type="DV_SSL_CERT_BASIC", free=True)
    assert asked(alice, "free.example.org", **free)[""] == ["QUOTA"]


def test_a_cname_in_the_way_and_no_connection(office: Office, server: Bind) -> None:
    # rule: DOM-16
    alice = caller(office, "alice")
    assert asked(alice, "shop.example.com")["shop.example.com"] == ["CNAME_IN_THE_WAY"]
    automatic = asked(alice, "www.free.example.org", auto_dns_auth=True)
    assert automatic[""] == ["NO_CONNECTION"]
    alice("dns_connections.create", body={"provider": "rfc2136", "options": options(server, "example.com")})
    assert asked(alice, "www.free.example.org", auto_dns_auth=True)["www.free.example.org"] == [
        "NO_CONNECTION"
    ]
    assert asked(alice, "www.example.com", auto_dns_auth=True) == {"www.example.com": [], "": []}


def test_name_servers_elsewhere_than_the_connection(office: Office, server: Bind, tmp_path: Path) -> None:
    # rule: DOM-4
    alice = caller(office, "alice")
    (tmp_path / "other").mkdir()
    with ExitStack() as stack:
        other = stack.enter_context(
            bind(tmp_path / "other", {"free.example.org": ""}, keys=KEYS, rights={"free.example.org": RIGHTS})
        )
        # The same zone on a platform that nobody asks; its own NS records name its own servers.
        connection = alice(
            "dns_connections.create",
            body={"provider": "rfc2136", "options": options(other, "free.example.org")},
        )["id"]
        assert asked(alice, "www.free.example.org")["www.free.example.org"] == []
        where = {"id": connection, "zone": "free.example.org"}
        assert alice.refused("recordsets.delete", recordset_id="NS@free.example.org", **where).message
        _rename_servers(other)
        found = alice("domains.preflight", body={"domains": ["www.free.example.org"], "auto_dns_auth": True})
    problem = found["domains"][0]["problems"][0]
    assert (problem["code"], problem["blocking"]) == ("NS_ELSEWHERE", True)
    assert "ns9.platform.example" in problem["sentence"]
    assert found["ok"] is False


def test_automatic_dns_on_a_platform_that_nobody_asks(
    office: Office, server: Bind, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # rule: DOM-4
    # rule: DOM-7
    monkeypatch.setattr(automatic_wait, "WAIT_SECONDS", 0.0)
    alice = caller(office, "alice")
    (tmp_path / "other").mkdir()
    rights = {"free.example.org": RIGHTS}
    with bind(tmp_path / "other", {"free.example.org": ""}, keys=KEYS, rights=rights) as other:
        _rename_servers(other)
        given = options(other, "free.example.org")
        alice("dns_connections.create", body={"provider": "rfc2136", "options": given})
        certificate_id = alice.buy()
        alice.apply(certificate_id, "www.free.example.org", auto_dns_auth=True)
        for _ in range(40):
            story = alice("certificates.domain_verification", certificate_id)["automatic"]
            if any("seen by nobody" in one["sentence"] for one in story):
                break
            assert testing.run_all(timedelta(minutes=2), 1, strict=True)
        assert "ns9.platform.example" in story[-1]["sentence"]
        assert "registrar" in story[-1]["next_step"]
        assert alice.status(certificate_id) == "CHECKING"
        alice("certificates.cancel", certificate_id)
        testing.run_all(timedelta(minutes=2), 50)


def _rename_servers(server: Bind) -> None:
    update = dns.update.UpdateMessage(
        "free.example.org", keyring=dns.tsigkeyring.from_text({"certdesk": KEYS["certdesk"]})
    )
    update.add("free.example.org.", 60, "NS", "ns9.platform.example.")
    dns.query.tcp(update, "127.0.0.1", 5, server.port)
    update = dns.update.UpdateMessage(
        "free.example.org", keyring=dns.tsigkeyring.from_text({"certdesk": KEYS["certdesk"]})
    )
    update.delete("free.example.org.", "NS", "ns1.free.example.org.")
    dns.query.tcp(update, "127.0.0.1", 5, server.port)


def test_a_stranger_and_a_reader(office: Office, server: Bind) -> None:
    # rule: IAM-5
    rita, nils = caller(office, "rita"), caller(office, "nils")
    assert rita("domains.list")["items"] == []
    assert rita.refused("domains.preflight", body={"domains": ["a.example.com"]}).kind == "forbidden"
    assert nils.refused("domains.list").kind == "forbidden"
