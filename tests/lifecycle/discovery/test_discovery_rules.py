"""What a scan may cover, its places by number, and the verdicts on an endpoint; both sides of each limit."""

import ipaddress
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from certdesk.connectors.starttls import Protocol
from certdesk.foundation.common.errors import BadParameter
from certdesk.lifecycle.discovery import rules
from certdesk.lifecycle.discovery.rules import Facts, Place, Plan, Verdict, plan

NOW = datetime(2026, 11, 26, tzinfo=UTC)
GOOD = Facts(NOW + timedelta(days=31), True, True, False, False, False, False, False)
INSIDE = (ipaddress.ip_network("10.0.0.0/8"), ipaddress.ip_network("fd00::/16"))
SECOND = timedelta(seconds=1)


def made(*ranges: str, ports: tuple[str, ...] = (), sni: tuple[str, ...] = (), protocol: str = "TLS") -> Plan:
    return plan(ranges, ports, sni, protocol, INSIDE)


def refused(*ranges: str, field: str, **more: object) -> str:
    with pytest.raises(BadParameter) as caught:
        made(*ranges, **more)  # type: ignore[arg-type]
    assert caught.value.field == field
    return caught.value.message


@pytest.mark.parametrize(
    ("facts", "told"),
    [
        (GOOD, (Verdict.GOOD,)),
        (replace(GOOD, gone=True, revoked=True), (Verdict.GONE,)),
        (replace(GOOD, revoked=True, current=False), (Verdict.REVOKED,)),
        (replace(GOOD, not_after=NOW - SECOND), (Verdict.EXPIRED,)),
        (replace(GOOD, not_after=NOW), (Verdict.EXPIRING,)),
        (replace(GOOD, not_after=NOW + rules.SOON - SECOND), (Verdict.EXPIRING,)),
        (replace(GOOD, not_after=NOW + rules.SOON), (Verdict.GOOD,)),
        (replace(GOOD, mismatched=True, chain_problem=True), (Verdict.MISMATCHED, Verdict.CHAIN)),
        (replace(GOOD, current=False), (Verdict.OLD,)),
        (
            replace(GOOD, known=False, current=False, self_signed=True),
            (Verdict.SELF_SIGNED, Verdict.UNKNOWN),
        ),
    ],
)
def test_verdicts_the_gravest_first(facts: Facts, told: tuple[Verdict, ...]) -> None:
    assert rules.verdicts(facts, NOW) == told


def test_rhythms() -> None:
    assert rules.next_run("ONCE", NOW) is None
    assert rules.next_run("DAILY", NOW) == NOW + timedelta(days=1)
    assert rules.next_run("WEEKLY", NOW) == NOW + timedelta(days=7)


def test_every_place_once_and_neighbours_are_other_hosts() -> None:
    found = made(
        "10.0.0.0/30",
        "www.example.com",
        "fd00::1",
        ports=("8000-8001", "9000"),
        sni=("a.example.com", "b.example.com"),
    )
    places = list(found.places(0, 1_000))
    assert (found.hosts, found.ports, found.total, len(set(places))) == (6, 3, 36, 36)
    assert [one.host for one in places[:6]] == [
        *("10.0.0.0", "10.0.0.1", "10.0.0.2", "10.0.0.3", "www.example.com", "fd00::1")
    ]
    assert {one.port for one in places} == {8000, 8001, 9000}
    assert list(found.places(35, 10)) == [Place("fd00::1", 9000, "b.example.com", Protocol.TLS)]
    assert list(found.places(36, 10)) == []


def test_without_names_a_host_is_asked_for_its_own_and_an_address_for_none() -> None:
    named, bare = made("www.example.com", "10.0.0.1").places(0, 9)
    assert (named.name, named.port) == ("www.example.com", 443)
    assert bare.name == ""
    assert made("10.0.0.1", protocol="SMTP").place(0).port == 587
    assert list(made().places(0, 9)) == []


def test_only_what_the_operator_opened_and_a_few_public_ones() -> None:
    assert made("10.0.0.0/16", ports=("443",)).hosts == 65_536
    assert made("8.8.0.0/22").hosts == rules.MOST_PUBLIC
    assert "may not be looked through" in refused("8.8.0.0/21", field="ranges")
    for closed in ("192.168.0.0/24", "127.0.0.1", "0.0.0.0/0", "9.0.0.0/7", "fe80::1", "fd01::/16"):
        assert refused(closed, field="ranges")
    assert "no network" in refused("10.0.0.0/99", field="ranges")
    assert refused("10.1", field="ranges")
    assert refused("a b", field="ranges")


def test_ports_and_their_limits() -> None:
    assert made("10.0.0.1", ports=("1024", "65535", "443", "993 ")).ports == 4
    for port in ("0", "65536", "x", "-5", "10-5", "1-2-3", "9" * 9, ""):
        assert "no port" in refused("10.0.0.1", field="ports", ports=(port,))
    assert "may not be asked" in refused("10.0.0.1", field="ports", ports=("22",))
    assert "may not be asked" in refused("10.0.0.1", field="ports", ports=("1023-1030",))
    assert made("8.8.8.8", ports=("443",)).total == 1
    assert "may not be asked" in refused("8.8.8.8", field="ports", ports=("4000",))


def test_names_protocols_and_sizes() -> None:
    assert "no host name" in refused("10.0.0.1", field="sni", sni=("not a name",))
    assert "no host name" in refused("10.0.0.1", field="sni", sni=("10.0.0.9",))
    assert "no host name" in refused("10.0.0.1", field="sni", sni=("",))
    assert "no host name" in refused("10.0.0.1", field="sni", sni=(f"{'a' * 64}.test",))
    assert "no protocol" in refused("10.0.0.1", field="protocol", protocol="GOPHER")
    many = tuple(f"n{number}.example.com" for number in range(rules.MOST_NAMES + 1))
    assert made("10.0.0.1", sni=many[:-1]).total == rules.MOST_NAMES
    assert "names" in refused("10.0.0.1", field="sni", sni=many)
    hosts = [f"10.0.{number // 250}.{number % 250}" for number in range(rules.MOST_RANGES + 1)]
    assert made(*hosts[:-1]).hosts == rules.MOST_RANGES
    assert "ranges" in refused(*hosts, field="ranges")
    assert made("10.0.0.0/24", "10.1.0.0/28", ports=("1024-1758",)).total <= rules.MOST_PLACES
    assert "places" in refused("10.0.0.0/24", ports=("1024-1900",), field="ranges")


def test_where_a_targets_listener_is_met() -> None:
    assert rules.place_of("10.0.0.1:443", "*.example.com") == Place(
        "10.0.0.1", 443, "certdesk-check.example.com", Protocol.TLS
    )
    assert rules.place_of("[fd00::1]:8443", "") == Place("fd00::1", 8443, "", Protocol.TLS)
    assert rules.place_of("smtp://mail.example.com:25", "m") == Place(
        "mail.example.com", 25, "m", Protocol.SMTP
    )
    for odd in ("/run/socket", "host", "gopher://a:1", "a b:1", "host:x"):
        assert rules.place_of(odd, "a") is None
