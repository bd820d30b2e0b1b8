"""What the DNS connectors decide without a server: options, forms, zones, values, merging, the way out."""

import asyncio
import json
import socket
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from certdesk.connectors.dns.providers import gate, lexicon, registry, values
from certdesk.connectors.dns.providers.lexicon import Lexicon, LexiconOptions
from certdesk.connectors.dns.providers.options import FormField, form
from certdesk.connectors.dns.providers.paging import page_of
from certdesk.connectors.dns.providers.powerdns import PowerDns, PowerDnsOptions
from certdesk.connectors.dns.providers.protocol import (
    ConnectionCheck,
    DnsError,
    Outside,
    Page,
    Reason,
    RecordSet,
    Zone,
)
from certdesk.connectors.dns.providers.sets import WholeSets
from certdesk.connectors.dns.providers.zones import all_zones, longest
from certdesk.connectors.protocol import ConnectorError
from tests.support.needs import need

ZONE = Zone("example.test")
SECRET = "c2VjcmV0LW9mLXRoZS10c2lnLWtleS0zMi1ieXRlcyE="
GOOD: dict[str, dict[str, Any]] = {
    "rfc2136": {
        "server": "ns1.example.test",
        "zones": ["Example.test."],
        "key_name": "k",
        "key_secret": SECRET,
    },
    "powerdns": {"url": "https://ns1.example.test:8081/api/v1/", "api_key": SECRET},
    "huawei": {"access_key": "AK", "secret_key": SECRET},
    "lexicon": {"provider": "cloudflare", "zones": ["example.test"], "settings": {"auth_token": SECRET}},
}


@pytest.mark.parametrize("kind", GOOD)
def test_options_are_sealed_whole_and_shown_without_secrets(kind: str) -> None:
    options = registry.read_options(kind, GOOD[kind])
    assert SECRET in json.dumps(options.stored())
    for shown in (json.dumps(options.shown()), repr(options), str(options)):
        assert SECRET not in shown
    assert registry.read_options(kind, options.shown(), options.stored()) == options
    assert registry.kind_of(kind).label


@pytest.mark.parametrize("kind", GOOD)
def test_a_form_draws_itself_from_the_options(kind: str) -> None:
    fields = form(registry.kind_of(kind).options)
    assert all(field.label and field.label != field.name for field in fields)
    secrets = [field.name for field in fields if field.kind in ("secret", "secrets")]
    assert (
        secrets
        == {
            "rfc2136": ["key_secret"],
            "powerdns": ["api_key"],
            "huawei": ["secret_key"],
            "lexicon": ["settings"],
        }[kind]
    )
    assert all(not field.default for field in fields if field.kind in ("secret", "secrets"))


def test_the_kinds_of_fields() -> None:
    fields = {field.name: field for field in form(registry.kind_of("rfc2136").options)}
    assert {name: field.kind for name, field in fields.items()} == {
        "server": "text",
        "port": "number",
        "zones": "list",
        "key_name": "text",
        "key_algorithm": "choice",
        "key_secret": "secret",
        "allow_unsigned": "flag",
    }
    assert fields["key_algorithm"].choices[0] == fields["key_algorithm"].default == "hmac-sha256"
    assert isinstance(fields["port"], FormField)


@pytest.mark.parametrize(
    ("kind", "changed", "words"),
    [
        ("rfc2136", {"zones": []}, "zones"),
        ("rfc2136", {"zones": ["a..b"]}, "zones"),
        ("rfc2136", {"zones": ["*.example.test"]}, "not a zone"),
        ("rfc2136", {"port": 0}, "port"),
        ("rfc2136", {"key_secret": "not base64 \n"}, "key_secret"),
        ("rfc2136", {"key_secret": "notbase64!"}, "cannot be read"),
        ("rfc2136", {"key_secret": "c2hvcnQ="}, "at least 8 bytes"),
        ("rfc2136", {"key_name": "", "key_secret": ""}, "TSIG key"),
        ("rfc2136", {"key_algorithm": "hmac-md5"}, "key_algorithm"),
        ("powerdns", {"url": "ftp://x"}, "https"),
        ("powerdns", {"url": "https://user:pass@x"}, "without user name"),
        ("powerdns", {"url": "https://x:99999"}, "not a URL"),
        ("powerdns", {"api_key": "line\r\nX-Other: 1"}, "printable ASCII"),
        ("huawei", {"region": "a/b"}, "region"),
        ("huawei", {"surprise": 1}, "surprise"),
        ("lexicon", {"provider": "localzone"}, "not offered"),
        ("lexicon", {"provider": "../x"}, "provider"),
    ],
)
def test_wrong_options_name_the_field_and_never_a_secret(
    kind: str, changed: dict[str, Any], words: str
) -> None:
    with pytest.raises(DnsError, match=words) as caught:
        registry.read_options(kind, {**GOOD[kind], **changed})
    assert caught.value.reason is Reason.OPTIONS
    for name in {"key_secret", "api_key"} & changed.keys():
        assert not changed[name] or changed[name] not in str(caught.value)


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(DnsError, match="no kind of DNS connection"):
        registry.read_options("route66", {})


def test_the_endpoint_is_what_an_operator_allows_with_his_connection() -> None:
    found = {kind: registry.read_options(kind, options).endpoint() for kind, options in GOOD.items()}
    assert found == {
        "rfc2136": ("ns1.example.test", 53),
        "powerdns": ("ns1.example.test", 8081),
        "huawei": ("dns.cn-north-4.myhuaweicloud.com", 443),
        "lexicon": None,
    }


@pytest.mark.parametrize(
    ("name", "zone"),
    [
        ("www.deep.example.test", "deep.example.test"),
        ("deep.example.test", "deep.example.test"),
        ("undeep.example.test", "example.test"),
        ("example.test", "example.test"),
        ("WWW.Example.Test.", "example.test"),
        ("notexample.test", None),
        ("test", None),
    ],
)
def test_the_longest_zone_wins(name: str, zone: str | None) -> None:
    found = longest([ZONE, Zone("deep.example.test"), Zone("other.test")], name)
    assert (found.name if found else None) == zone


@given(st.text(st.characters(min_codepoint=1, max_codepoint=0x2FFF), min_size=1, max_size=600))
def test_every_text_survives_its_zone_file_form(text: str) -> None:
    assert values.txt_bytes(values.written("TXT", text)) == text.encode()


@pytest.mark.parametrize(
    ("record_type", "one", "other", "same"),
    [
        ("TXT", '"ab"', '"a" "b"', True),
        ("TXT", '"ab"', '"AB"', False),
        ("CNAME", "A.example.test.", "a.EXAMPLE.test", True),
        ("A", "192.0.2.1", "192.0.2.2", False),
        ("LUA", "own words", "own words", True),
    ],
)
def test_values_are_compared_by_meaning(record_type: str, one: str, other: str, same: bool) -> None:
    assert values.same(record_type, one, other) is same


@pytest.mark.parametrize(("record_type", "value"), [("TXT", ""), ("TXT", "x" * 5000), ("CNAME", "a..b")])
def test_no_value_at_all(record_type: str, value: str) -> None:
    with pytest.raises(DnsError, match="not one of type"):
        values.written(record_type, value)


@pytest.mark.parametrize("marker", ["x", "-1", "9" * 12, "٣"])
def test_a_marker_that_no_list_gave(marker: str) -> None:
    with pytest.raises(DnsError, match="marker"):
        page_of((1, 2), marker)


def test_pages_follow_each_other() -> None:
    first = page_of(tuple(range(5)), None, 3)
    assert first == Page((0, 1, 2), "3")
    assert page_of(tuple(range(5)), first.next_marker, 3) == Page((3, 4), None)


class Shelf(WholeSets):
    """Record sets in memory, with somebody else at the same shelf."""

    def __init__(self, between: Callable[["Shelf"], None] = lambda shelf: None) -> None:
        self.outside, self.kept, self.between = Outside(settle=0), {}, between  # type: ignore[var-annotated]

    @property
    def place(self) -> str:
        return "shelf"

    async def zones(self, marker: str | None = None) -> Page[Zone]:
        return page_of((ZONE,), marker)

    async def record_set(self, zone: Zone, name: str, record_type: str) -> RecordSet | None:
        return self.kept.get((name, record_type))

    async def write(self, zone: Zone, old: RecordSet | None, new: RecordSet) -> None:
        self.kept[new.name, new.type] = new
        self.between(self)

    async def erase(self, zone: Zone, old: RecordSet) -> None:
        del self.kept[old.name, old.type]


OWNER = "_dnsauth.example.test"


def test_what_somebody_else_overwrites_is_added_again() -> None:
    turns = iter((["foreign"], ["foreign", "second"]))

    def overwrite(shelf: Shelf) -> None:
        for texts in turns:
            quoted = tuple(f'"{text}"' for text in texts)
            shelf.kept[OWNER, "TXT"] = RecordSet(OWNER, "TXT", 60, quoted)
            return

    shelf = Shelf(overwrite)
    assert asyncio.run(shelf.add_value(ZONE, OWNER, "TXT", "ours")) is True
    assert shelf.kept[OWNER, "TXT"].values == ('"foreign"', '"second"', '"ours"')


def test_it_is_not_tried_for_ever() -> None:
    def overwrite(shelf: Shelf) -> None:
        shelf.kept[OWNER, "TXT"] = RecordSet(OWNER, "TXT", 60, ('"foreign"',))

    with pytest.raises(DnsError, match="keeps changing") as caught:
        asyncio.run(Shelf(overwrite).add_value(ZONE, OWNER, "TXT", "ours"))
    assert (caught.value.reason, caught.value.permanent) == (Reason.CONTENDED, False)


def test_what_somebody_else_puts_back_is_removed_again() -> None:
    both = RecordSet(OWNER, "TXT", 60, ('"foreign"', '"ours"'))

    def put_back(shelf: Shelf) -> None:
        shelf.kept[OWNER, "TXT"] = both

    shelf = Shelf(put_back)
    shelf.kept[OWNER, "TXT"] = both
    with pytest.raises(DnsError, match="keeps changing"):
        asyncio.run(shelf.remove_value(ZONE, OWNER, "TXT", "ours"))
    shelf.between = lambda _: None
    assert asyncio.run(shelf.remove_value(ZONE, OWNER, "TXT", "ours")) is True
    assert shelf.kept[OWNER, "TXT"].values == ('"foreign"',)


def test_all_zones_of_a_connection() -> None:
    assert asyncio.run(all_zones(Shelf())) == (ZONE,)  # type: ignore[arg-type]


def reach(outside: Outside, host: str, port: int = 443) -> list[str]:
    return asyncio.run(gate.addresses(outside, host, port))


def names(**known: list[str]) -> Outside:
    async def resolve(host: str) -> list[str]:
        if host == "broken.test":
            raise ConnectorError("no name server", permanent=False)
        return known.get(host.replace(".", "_"), [])

    return Outside(resolver=resolve)


def test_only_allowed_addresses_and_ports_are_reached() -> None:
    outside = names(ns_test=["10.0.0.1", "8.8.8.8"], inner_test=["10.0.0.1"])
    assert reach(outside, "ns.test") == ["8.8.8.8"]
    for host, port in (("inner.test", 443), ("127.0.0.1", 53), ("ns.test", 25), ("0x7f.1", 53)):
        with pytest.raises(DnsError) as caught:
            reach(outside, host, port)
        assert caught.value.reason is Reason.EGRESS
    own = replace(outside, own_servers=frozenset({("inner.test", 5353)}))
    assert reach(own, "inner.test", 5353) == ["10.0.0.1"]
    with pytest.raises(DnsError):
        reach(own, "inner.test", 443)


@pytest.mark.parametrize("host", ["broken.test", "empty.test"])
def test_a_name_without_an_address_may_get_one(host: str) -> None:
    with pytest.raises(DnsError, match="has no address") as caught:
        reach(names(), host)
    assert not caught.value.permanent


def test_an_answer_that_is_too_long_is_a_limit() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n" + b"x" * 5000)
        await writer.drain()
        writer.close()

    async def ask() -> ConnectionCheck:
        async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            options = PowerDnsOptions.model_validate({"url": f"http://127.0.0.1:{port}", "api_key": "k"})
            own = frozenset({options.endpoint()})
            return await PowerDns(options, Outside(own_servers=own, max_bytes=1000)).test()

    tested = asyncio.run(ask())
    assert not tested.ok
    assert "more than 1000 bytes" in tested.problem


def test_lexicon_that_is_not_installed_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lexicon, "is_installed", lambda: False)
    with pytest.raises(DnsError, match="not installed") as caught:
        registry.connect("lexicon", GOOD["lexicon"], Outside())
    assert (caught.value.reason, "certdesk[dns]" in caught.value.next_step) == (Reason.NOT_INSTALLED, True)


def a_lexicon(provider: str, settings: dict[str, str], outside: Outside | None = None) -> Lexicon:
    need(lexicon.is_installed(), "dns-lexicon is not installed")
    given = {"provider": provider, "zones": ["example.test"], "settings": settings}
    return Lexicon(LexiconOptions.model_validate(given), outside or Outside())


@pytest.mark.parametrize(
    ("provider", "settings", "reason", "words"),
    [
        ("powerdns", {}, Reason.BAD_ANSWER, "failed"),
        ("nosuchprovider", {}, Reason.NOT_INSTALLED, "ModuleNotFoundError"),
        (
            "powerdns",
            {"pdns_server": "http://127.0.0.1:9", "auth_token": "x"},
            Reason.EGRESS,
            "127.0.0.1 port 9",
        ),
        (
            "powerdns",
            {"pdns_server": "http://127.0.0.1:80", "auth_token": "x"},
            Reason.EGRESS,
            "127.0.0.1 port 80",
        ),
        (
            "googleclouddns",
            {"auth_service_account_info": "file::/etc/passwd"},
            Reason.EGRESS,
            "a file of this machine",
        ),
    ],
)
def test_what_lexicon_may_not_do(provider: str, settings: dict[str, str], reason: Reason, words: str) -> None:
    with pytest.raises(DnsError, match=words) as caught:
        asyncio.run(a_lexicon(provider, settings).record_set(ZONE, OWNER, "TXT"))
    assert (caught.value.reason, caught.value.permanent) == (reason, True)
    assert caught.value.next_step


def test_a_lexicon_that_hangs_is_ended() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        place = ("127.0.0.1", silent.getsockname()[1])
        outside = Outside(own_servers=frozenset({place}), seconds=1.5)
        settings = {"pdns_server": f"http://127.0.0.1:{place[1]}", "auth_token": "x"}
        tested = asyncio.run(a_lexicon("powerdns", settings, outside).test())
    assert (tested.ok, "did not finish within" in tested.problem) == (False, True)


@pytest.mark.parametrize(
    ("kinds", "status", "reason"),
    [
        (["HTTPError"], 401, Reason.WRONG_KEY),
        (["HTTPError"], 404, Reason.NO_ZONE),
        (["HTTPError"], 429, Reason.BUSY),
        (["HTTPError"], 502, Reason.BUSY),
        (["HTTPError"], 418, Reason.REFUSED),
        (["AuthenticationError"], 0, Reason.WRONG_KEY),
        (["ReadTimeout"], 0, Reason.TIMEOUT),
        (["ConnectionError"], 0, Reason.UNREACHABLE),
        (["KeyError"], 0, Reason.BAD_ANSWER),
    ],
)
def test_what_lexicons_failures_mean(kinds: list[str], status: int, reason: Reason) -> None:
    assert a_lexicon("cloudflare", {})._problem(kinds, status, "").reason is reason
