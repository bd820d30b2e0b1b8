"""One suite for every DNS provider connector, against real servers (law 7, DOM-7).

BIND and PowerDNS are the real ones; Huawei Cloud is a strict stand-in, which its official client also drives.
"""

import asyncio
import socket
import zlib
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import dns.message
import dns.query
import dns.rdatatype
import pytest

from certdesk.connectors.dns.providers import registry
from certdesk.connectors.dns.providers.lexicon import is_installed
from certdesk.connectors.dns.providers.protocol import (
    DnsError,
    Outside,
    Provider,
    Reason,
    RecordSet,
    Zone,
)
from certdesk.connectors.dns.providers.values import txt_bytes
from certdesk.connectors.dns.providers.zones import all_zones
from tests.support import bind as bind_server
from tests.support import powerdns as powerdns_server
from tests.support.huawei_dns import ACCESS_KEY, SECRET_KEY, HuaweiDns, huawei_dns
from tests.support.needs import need

pytestmark = [pytest.mark.server]

ZONE = "example.test"
OTHER_ZONE = "deep.example.test"
KEYS = {
    "certdesk-key": "c2VjcmV0LW9mLXRoZS10c2lnLWtleS0zMi1ieXRlcyE=",
    "narrow-key": "bmFycm93LXNlY3JldC0wMTIzNDU2Nzg5",
}
VALUE, FOREIGN = "0123456789abcdef" * 4, 'v=spf1 -all; "quoted" \\ back'
_RIGHTS = 'allow-update {{ key "certdesk-key"; }}; allow-transfer {{ key "{transfer}"; }};'
KINDS = ["rfc2136-bind", "rfc2136-powerdns", "powerdns", "huawei", "lexicon-powerdns"]


@dataclass(frozen=True)
class Case:
    """A connection's kind and options, and a way to see what really stands there, not by the connector."""

    kind: str
    options: dict[str, object]
    outside: Outside
    truth: Callable[[str, str], set[str]]
    wrong_key: dict[str, object]

    def connect(self, **changed: object) -> Provider:
        return registry.connect(self.kind, {**self.options, **changed}, self.outside)

    @property
    def target(self) -> str:
        """Of a CNAME; lexicon's PowerDNS provider cannot point out of the zone."""
        return f"proof.{ZONE}" if self.kind == "lexicon" else "proof.hoster.test"

    @property
    def foreign(self) -> str:
        """Somebody's value; lexicon's PowerDNS provider cannot write quotation marks."""
        return "v=spf1 -all" if self.kind == "lexicon" else FOREIGN

    @property
    def zone(self) -> Zone:
        return next(zone for zone in asyncio.run(all_zones(self.connect())) if zone.name == ZONE)


@pytest.fixture(scope="module")
def named(tmp_path_factory: pytest.TempPathFactory) -> Iterator[bind_server.Bind]:
    need(bind_server.NAMED is not None, bind_server.REASON)
    rights = {
        ZONE: _RIGHTS.format(transfer="certdesk-key"),
        OTHER_ZONE: _RIGHTS.format(transfer="certdesk-key"),
        "narrow.test": "update-policy { grant narrow-key zonesub TXT; }; allow-transfer { none; };",
    }
    zones = {ZONE: "", OTHER_ZONE: "", "narrow.test": ""}
    with bind_server.bind(tmp_path_factory.mktemp("bind"), zones, keys=KEYS, rights=rights) as server:
        yield server


@pytest.fixture(scope="module")
def pdns(tmp_path_factory: pytest.TempPathFactory) -> Iterator[powerdns_server.PowerDnsServer]:
    need(powerdns_server.is_installed(), powerdns_server.REASON)
    folder: Path = tmp_path_factory.mktemp("pdns")
    with powerdns_server.powerdns(folder, [ZONE, OTHER_ZONE], KEYS, kind="Master") as server:
        yield server


@pytest.fixture(scope="module")
def huawei() -> Iterator[HuaweiDns]:
    with huawei_dns(ZONE, OTHER_ZONE) as server:
        yield server


def asked_of(port: int) -> Callable[[str, str], set[str]]:
    """What the server itself answers: strings joined for TXT."""

    def truth(name: str, record_type: str) -> set[str]:
        query = dns.message.make_query(name, record_type)
        answer = dns.query.tcp(query, "127.0.0.1", port=port, timeout=5)
        return {
            b"".join(one.strings).decode() if record_type == "TXT" else one.to_text().strip('"')
            for rrset in answer.answer
            if rrset.rdtype == dns.rdatatype.from_text(record_type)
            for one in rrset
        }

    return truth


def kept_by(state: HuaweiDns) -> Callable[[str, str], set[str]]:
    def truth(name: str, record_type: str) -> set[str]:
        rows = [row for row in state.sets.values() if (row["name"], row["type"]) == (f"{name}.", record_type)]
        texts = {value for row in rows for value in row["records"]}
        return {txt_bytes(one).decode() for one in texts} if record_type == "TXT" else texts

    return truth


def outside(*own: tuple[str, int], seconds: float = 20.0) -> Outside:
    return Outside(own_servers=frozenset(own), seconds=seconds, settle=0.01)


@pytest.fixture(params=KINDS)
def case(request: pytest.FixtureRequest) -> Case:
    get = request.getfixturevalue
    tsig = {"zones": [ZONE, OTHER_ZONE], "key_name": "certdesk-key", "key_secret": KEYS["certdesk-key"]}
    if request.param.startswith("rfc2136"):
        port = get("named" if request.param == "rfc2136-bind" else "pdns").port
        options: dict[str, object] = {"server": "127.0.0.1", "port": port, **tsig}
        wrong: dict[str, object] = {"key_secret": KEYS["narrow-key"]}
        return Case("rfc2136", options, outside(("127.0.0.1", port)), asked_of(port), wrong)
    if request.param == "huawei":
        server = get("huawei")
        options = {"access_key": ACCESS_KEY, "secret_key": SECRET_KEY, "service_url": server.url}
        own = outside(("127.0.0.1", server.port))
        return Case("huawei", options, own, kept_by(server), {"secret_key": "not-the-secret"})
    server = get("pdns")
    own = outside(("127.0.0.1", server.api_port))
    if request.param == "powerdns":
        options = {"url": server.url, "api_key": powerdns_server.API_KEY}
        return Case("powerdns", options, own, asked_of(server.port), {"api_key": "not-the-secret"})
    need(is_installed(), "dns-lexicon is not installed")
    settings = {"pdns_server": server.url, "auth_token": powerdns_server.API_KEY}
    options = {"provider": "powerdns", "zones": [ZONE, OTHER_ZONE], "settings": settings}
    wrong = {"settings": {**settings, "auth_token": "not-the-secret"}}
    return Case("lexicon", options, own, asked_of(server.port), wrong)


@pytest.fixture
def name(request: pytest.FixtureRequest) -> str:
    """A name of its own for each test: the servers are shared."""
    return f"_dnsauth.t{zlib.crc32(request.node.name.encode()):08x}.{ZONE}"


def run(*steps: Awaitable[object]) -> list[object]:
    async def together() -> list[object]:
        return list(await asyncio.gather(*steps))

    return asyncio.run(together())


def one(step: Awaitable[object]) -> object:
    return run(step)[0]


def test_the_zones_are_listed(case: Case) -> None:
    assert [zone.name for zone in asyncio.run(all_zones(case.connect()))][:2] in (
        [ZONE, OTHER_ZONE],
        [OTHER_ZONE, ZONE],
    )


def test_a_value_comes_and_goes(case: Case, name: str) -> None:
    desk, zone = case.connect(), case.zone
    assert one(desk.add_value(zone, name, "TXT", VALUE)) is True
    assert case.truth(name, "TXT") == {VALUE}
    assert one(desk.remove_value(zone, name, "TXT", VALUE)) is True
    assert case.truth(name, "TXT") == set()


def test_both_verbs_may_be_repeated(case: Case, name: str) -> None:
    desk, zone = case.connect(), case.zone
    assert one(desk.remove_value(zone, name, "TXT", VALUE)) is False
    one(desk.add_value(zone, name, "TXT", VALUE))
    assert one(desk.add_value(zone, name, "TXT", VALUE)) is False
    assert case.truth(name, "TXT") == {VALUE}
    one(desk.remove_value(zone, name, "TXT", VALUE))
    assert one(desk.remove_value(zone, name, "TXT", VALUE)) is False


def test_two_values_stand_at_one_name_and_the_foreign_one_stays(case: Case, name: str) -> None:
    desk, zone = case.connect(), case.zone
    one(desk.add_value(zone, name, "TXT", case.foreign, 777))
    one(desk.add_value(zone, name, "TXT", VALUE, 300))
    assert case.truth(name, "TXT") == {case.foreign, VALUE}
    found = one(desk.record_set(zone, name, "TXT"))
    assert isinstance(found, RecordSet)
    assert found.ttl == 777  # one TTL a set: that of what stood there first
    one(desk.remove_value(zone, name, "TXT", VALUE))
    assert case.truth(name, "TXT") == {case.foreign}
    one(desk.remove_value(zone, name, "TXT", "something else"))
    assert case.truth(name, "TXT") == {case.foreign}


def test_a_leftover_of_an_earlier_application_stays_until_it_is_named(case: Case, name: str) -> None:
    desk, zone = case.connect(), case.zone
    one(desk.add_value(zone, name, "TXT", "leftover"))
    one(desk.add_value(zone, name, "TXT", VALUE))
    one(desk.remove_value(zone, name, "TXT", VALUE))
    assert case.truth(name, "TXT") == {"leftover"}
    assert one(desk.remove_value(zone, name, "TXT", "leftover")) is True
    assert case.truth(name, "TXT") == set()


def test_values_added_at_the_same_time_all_stand_there(case: Case, name: str) -> None:
    zone, values = case.zone, [f"{VALUE}-{number}" for number in range(4)]
    run(*(case.connect().add_value(zone, name, "TXT", value) for value in values))
    assert case.truth(name, "TXT") == set(values)
    run(*(case.connect().remove_value(zone, name, "TXT", value) for value in values[1:]))
    assert case.truth(name, "TXT") == {values[0]}


def test_a_long_text_is_cut_into_strings(case: Case, name: str) -> None:
    # lexicon's PowerDNS provider passes a text on uncut: one string is all it can
    long = "x" * (255 if case.kind == "lexicon" else 300)
    one(case.connect().add_value(case.zone, name, "TXT", long))
    assert case.truth(name, "TXT") == {long}
    assert one(case.connect().add_value(case.zone, name, "TXT", long)) is False
    assert one(case.connect().remove_value(case.zone, name, "TXT", long)) is True


def test_a_cname_comes_stands_alone_and_goes(case: Case, name: str) -> None:
    desk, zone = case.connect(), case.zone
    assert one(desk.add_value(zone, name, "CNAME", case.target)) is True
    assert case.truth(name, "CNAME") == {f"{case.target}."}
    assert one(desk.add_value(zone, name, "CNAME", f"{case.target.title()}.")) is False
    for record_type, value in (("CNAME", "other.hoster.test"), ("TXT", VALUE)):
        with pytest.raises(DnsError) as caught:
            one(desk.add_value(zone, name, record_type, value))  # type: ignore[arg-type]
        assert caught.value.reason is Reason.CONFLICT
        assert caught.value.permanent
        assert caught.value.next_step
    assert one(desk.remove_value(zone, name, "CNAME", "other.hoster.test")) is False
    assert one(desk.remove_value(zone, name, "CNAME", case.target)) is True
    assert case.truth(name, "CNAME") == set()


def test_a_cname_is_refused_beside_other_records(case: Case, name: str) -> None:
    desk, zone = case.connect(), case.zone
    one(desk.add_value(zone, name, "TXT", VALUE))
    with pytest.raises(DnsError) as caught:
        one(desk.add_value(zone, name, "CNAME", case.target))
    assert caught.value.reason is Reason.CONFLICT
    assert case.truth(name, "TXT") == {VALUE}
    assert case.truth(name, "CNAME") == set()


def test_record_sets_are_added_modified_listed_and_deleted(case: Case, name: str) -> None:
    desk, zone = case.connect(), case.zone
    name = name.removeprefix("_dnsauth.")  # BIND takes MX records at host names only
    first = RecordSet(name, "MX", 600, ("10 mail.hoster.test.", "20 mail2.hoster.test."))
    with pytest.raises(DnsError, match="has no MX"):
        one(desk.modify_record_set(zone, first))
    one(desk.add_record_set(zone, first))
    with pytest.raises(DnsError) as caught:
        one(desk.add_record_set(zone, first))
    assert caught.value.reason is Reason.ALREADY_THERE
    listed = [
        found for page in pages(desk, zone) for found in page if (found.name, found.type) == (name, "MX")
    ]
    assert [(found.ttl, set(found.values)) for found in listed] == [(600, set(first.values))]
    one(desk.modify_record_set(zone, replace(first, ttl=900, values=("5 mail3.hoster.test.",))))
    assert case.truth(name, "MX") == {"5 mail3.hoster.test."}
    found = one(desk.record_set(zone, name, "MX"))
    assert isinstance(found, RecordSet)
    assert (found.ttl, found.values) == (900, ("5 mail3.hoster.test.",))
    assert one(desk.delete_record_set(zone, name, "MX")) is True
    assert one(desk.delete_record_set(zone, name, "MX")) is False
    assert case.truth(name, "MX") == set()


def pages(desk: Provider, zone: Zone) -> Iterator[tuple[RecordSet, ...]]:
    marker: str | None = None
    while True:
        page = asyncio.run(desk.record_sets(zone, marker))
        yield page.items
        marker = page.next_marker
        if marker is None:
            return


@pytest.mark.parametrize(
    "wrong",
    [
        RecordSet("www.elsewhere.test", "A", 300, ("192.0.2.1",)),
        RecordSet(f"www.{ZONE}", "A", 300, ("no address",)),
        RecordSet(f"www.{ZONE}", "A", 0, ("192.0.2.1",)),
        RecordSet(f"www.{ZONE}", "A", 300, ()),
        RecordSet(f"www.{ZONE}", "CNAME", 300, ("a.example.", "b.example.")),
        RecordSet(ZONE, "SOA", 300, ("ns h 1 1 1 1 1",)),
        RecordSet(ZONE, "NS", 300, ("ns.elsewhere.test.",)),
    ],
)
def test_records_that_are_not_valid_are_refused_before_anything_is_sent(case: Case, wrong: RecordSet) -> None:
    with pytest.raises(DnsError) as caught:
        one(case.connect().add_record_set(Zone(ZONE, "0" * 32), wrong))
    assert caught.value.reason in (Reason.OPTIONS, Reason.NO_ZONE)


def test_the_connection_test_changes_nothing(case: Case) -> None:
    before = list(pages(case.connect(), case.zone))
    tested = asyncio.run(case.connect().test())
    assert tested.ok, tested
    assert ZONE in tested.zones
    assert list(pages(case.connect(), case.zone)) == before


def test_a_wrong_key_is_a_permanent_refusal_with_a_next_step(case: Case, name: str) -> None:
    desk = case.connect(**case.wrong_key)
    with pytest.raises(DnsError) as caught:
        one(desk.add_value(Zone(ZONE, "0" * 31 + "1"), name, "TXT", VALUE))
    assert (caught.value.reason, caught.value.permanent) == (Reason.WRONG_KEY, True)
    assert caught.value.next_step
    tested = asyncio.run(desk.test())
    assert not tested.ok
    assert tested.problem
    assert tested.next_step
    for secret in (KEYS["narrow-key"], "not-the-secret"):
        assert secret not in f"{caught.value} {tested} {desk!r}"


def test_a_zone_that_the_server_does_not_have(case: Case) -> None:
    elsewhere = Zone("elsewhere.test", "elsewhere.test." if case.kind == "powerdns" else "f" * 32)
    with pytest.raises(DnsError) as caught:
        one(case.connect().add_value(elsewhere, "_dnsauth.elsewhere.test", "TXT", VALUE))
    assert caught.value.permanent
    assert caught.value.reason in (Reason.NO_ZONE, Reason.REFUSED)
    assert caught.value.next_step


def test_a_server_that_is_not_there_may_come_back(case: Case, name: str) -> None:
    with bind_server.free_port() as port:
        nobody = elsewhere(case, port)
    with pytest.raises(DnsError) as caught:
        one(nobody.add_value(Zone(ZONE, "0" * 32), name, "TXT", VALUE))
    assert (caught.value.reason, caught.value.permanent) == (Reason.UNREACHABLE, False)


def test_a_server_that_keeps_silent_costs_bounded_time(case: Case, name: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:  # the kernel takes the connection, nobody answers
        desk = elsewhere(replace(case, outside=replace(case.outside, seconds=1.5)), silent.getsockname()[1])
        with pytest.raises(DnsError) as caught:
            one(asyncio.wait_for(desk.add_value(Zone(ZONE, "0" * 32), name, "TXT", VALUE), 10))
    assert (caught.value.reason, caught.value.permanent) == (Reason.TIMEOUT, False)


def test_an_address_that_is_not_allowed_is_never_asked(case: Case, name: str) -> None:
    desk = replace(case, outside=replace(case.outside, own_servers=frozenset())).connect()
    with pytest.raises(DnsError) as caught:
        one(desk.add_value(Zone(ZONE, "0" * 32), name, "TXT", VALUE))
    assert (caught.value.reason, caught.value.permanent) == (Reason.EGRESS, True)


def elsewhere(case: Case, port: int) -> Provider:
    """The same connection with the server at another port."""
    url = f"http://127.0.0.1:{port}"
    changed: dict[str, dict[str, object]] = {
        "rfc2136": {"port": port},
        "powerdns": {"url": url},
        "huawei": {"service_url": url},
        "lexicon": {"settings": {"pdns_server": url, "auth_token": "x"}},
    }
    moved = replace(case.outside, own_servers=frozenset({("127.0.0.1", port)}))
    return replace(case, outside=moved).connect(**changed[case.kind])


def test_lexicon_leaves_no_cname_that_was_not_asked_for(
    pdns: powerdns_server.PowerDnsServer, name: str
) -> None:
    """Its PowerDNS provider appends the zone to every target outside of it."""
    need(is_installed(), "dns-lexicon is not installed")
    settings = {"pdns_server": pdns.url, "auth_token": powerdns_server.API_KEY}
    options = {"provider": "powerdns", "zones": [ZONE], "settings": settings}
    desk = registry.connect("lexicon", options, outside(("127.0.0.1", pdns.api_port)))
    with pytest.raises(DnsError) as caught:
        one(desk.add_value(Zone(ZONE), name, "CNAME", "proof.hoster.test"))
    assert (caught.value.reason, caught.value.permanent) == (Reason.BAD_ANSWER, True)
    assert asked_of(pdns.port)(name, "CNAME") == set()


def narrow(named: bind_server.Bind, **changed: object) -> Provider:
    options = {
        "server": "127.0.0.1",
        "port": named.port,
        "zones": ["narrow.test"],
        "key_name": "narrow-key",
        "key_secret": KEYS["narrow-key"],
    }
    return registry.connect("rfc2136", {**options, **changed}, outside(("127.0.0.1", named.port)))


def test_a_key_that_may_set_txt_only_is_enough_for_a_proof(named: bind_server.Bind) -> None:
    zone, name = Zone("narrow.test"), "_dnsauth.narrow.test"
    assert one(narrow(named).add_value(zone, name, "TXT", VALUE)) is True
    assert asked_of(named.port)(name, "TXT") == {VALUE}
    assert one(narrow(named).remove_value(zone, name, "TXT", VALUE)) is True


def test_bind_refuses_what_the_key_may_not_do(named: bind_server.Bind) -> None:
    for step in (
        narrow(named).add_value(Zone("narrow.test"), "www.narrow.test", "CNAME", "x.hoster.test"),
        narrow(named).record_sets(Zone("narrow.test")),
    ):
        with pytest.raises(DnsError, match=r"REFUSED|NOTAUTH") as caught:
            one(step)
        assert (caught.value.reason, caught.value.permanent) == (Reason.REFUSED, True)
        assert caught.value.next_step


def test_a_zone_that_cannot_be_listed_is_a_note_not_a_problem(named: bind_server.Bind) -> None:
    tested = asyncio.run(narrow(named).test())
    assert tested.ok, tested
    assert "did not hand out" in tested.notes[0]


def test_bind_does_not_know_the_key(named: bind_server.Bind) -> None:
    with pytest.raises(DnsError, match="does not know the key") as caught:
        one(narrow(named, key_name="nobody").add_value(Zone("narrow.test"), "a.narrow.test", "TXT", VALUE))
    assert caught.value.reason is Reason.WRONG_KEY


def test_unsigned_updates_need_a_permission(named: bind_server.Bind) -> None:
    without: dict[str, object] = {"key_name": "", "key_secret": ""}
    with pytest.raises(DnsError, match="give a TSIG key"):
        narrow(named, **without)
    desk = narrow(named, **without, allow_unsigned=True)
    with pytest.raises(DnsError, match="REFUSED"):
        one(desk.add_value(Zone("narrow.test"), "a.narrow.test", "TXT", VALUE))
