"""The DNS check against the lab server standing where a resolver is asked."""

import asyncio
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import pairwise

import pytest

from certdesk.connectors.dns.proof import RecordType, Seen, SeenAnswer, check_record
from certdesk.connectors.protocol import ConnectorError
from certdesk.lab.dns_server import LabDns

NOW = datetime(2026, 11, 23, tzinfo=UTC)
OWNER = "_dnsauth.example.com"
VALUE = "0123456789abcdef" * 4
OLD = "fedcba9876543210" * 4
TARGET = "0123456789abcdef0123456789abcdef.0123456789abcdef0123456789abcdef.dcv.certdesk.test"


@pytest.fixture
def dns() -> Iterator[LabDns]:
    with LabDns() as server:
        yield server


def check(*servers: LabDns, owner: str = OWNER, record_type: RecordType = "TXT", expected: str = "") -> Seen:
    return asyncio.run(
        check_record(
            owner=owner,
            record_type=record_type,
            expected=expected or (VALUE if record_type == "TXT" else TARGET),
            resolvers=tuple(server.server for server in servers),
            allow_networks=(),
            now=NOW,
        )
    )


def test_a_record_that_is_there_matches(dns: LabDns) -> None:
    dns.set(OWNER, "TXT", [VALUE], ttl=300)
    seen = check(dns)
    assert (seen.answer, seen.values, seen.ttl, seen.cause, seen.at) == (
        SeenAnswer.MATCH,
        (VALUE,),
        300,
        "",
        NOW,
    )
    assert OWNER in seen.sentence
    assert dns.server in seen.sentence


def test_any_value_among_many_and_joined_strings_match(dns: LabDns) -> None:
    # rule: DOM-4
    dns.set(OWNER, "TXT", ["v=spf1 -all", OLD, f'"{VALUE[:30]}" "{VALUE[30:]}"'])
    assert check(dns).answer is SeenAnswer.MATCH


def test_a_large_record_set_comes_over_tcp(dns: LabDns) -> None:
    dns.set(OWNER, "TXT", [f"{number:03d}" + "x" * 200 for number in range(40)] + [VALUE])
    seen = check(dns)
    assert seen.answer is SeenAnswer.MATCH
    assert (OWNER, "TXT", "tcp") in dns.questions
    assert len(seen.values) == 20


def test_txt_follows_cnames(dns: LabDns) -> None:
    dns.set(OWNER, "CNAME", ["a.other.net."])
    dns.set("a.other.net", "CNAME", ["b.third.org."])
    dns.set("b.third.org", "TXT", [VALUE])
    assert check(dns).answer is SeenAnswer.MATCH


def test_eight_hops_are_followed_and_nine_are_too_many(dns: LabDns) -> None:
    def chain(hops: int) -> None:
        names = [OWNER, *(f"n{number}.hop.net" for number in range(1, hops + 1))]
        for here, there in pairwise(names):
            dns.set(here, "CNAME", [there + "."])
        dns.set(names[-1], "TXT", [VALUE])

    chain(8)
    assert check(dns).answer is SeenAnswer.MATCH
    dns.remove("n8.hop.net")
    chain(9)
    seen = check(dns)
    assert seen.answer is SeenAnswer.CNAME_LOOP
    assert "more than 8" in seen.sentence


def test_a_cname_loop_is_named(dns: LabDns) -> None:
    dns.set(OWNER, "CNAME", ["loop.example.com."])
    dns.set("loop.example.com", "CNAME", [OWNER + "."])
    seen = check(dns)
    assert seen.answer is SeenAnswer.CNAME_LOOP
    assert "circle" in seen.sentence
    assert "CNAME" in seen.cause


@pytest.mark.parametrize(
    ("fault", "answer"),
    [
        ("SERVFAIL", SeenAnswer.SERVFAIL),
        ("NOTIMP", SeenAnswer.SERVFAIL),
        ("LAME", SeenAnswer.SERVFAIL),
        ("TRUNCATE_ALWAYS", SeenAnswer.SERVFAIL),
        ("REFUSED", SeenAnswer.REFUSED),
    ],
)
def test_failures_of_the_server_are_named(dns: LabDns, fault: str, answer: SeenAnswer) -> None:
    dns.set(OWNER, "TXT", [VALUE])
    dns.misbehave(OWNER, fault)
    seen = check(dns)
    assert seen.answer is answer
    assert answer in seen.sentence
    assert seen.cause


@pytest.mark.parametrize("fault", ["TIMEOUT", "GARBAGE"])
def test_silence_is_a_timeout_within_the_question_s_three_seconds(dns: LabDns, fault: str) -> None:
    dns.set(OWNER, "TXT", [VALUE])
    dns.misbehave(OWNER, fault)
    began = time.monotonic()
    seen = check(dns)
    assert seen.answer is SeenAnswer.TIMEOUT
    assert 2.9 < time.monotonic() - began < 5.9  # a second question would make it six
    assert "cannot be reached" in seen.cause


@pytest.mark.parametrize("fault", ["TRUNCATE", "FORGED_FIRST", "FORMERR", "DROP_FIRST"])
def test_faults_that_a_good_asker_survives(dns: LabDns, fault: str) -> None:
    dns.set(OWNER, "TXT", [VALUE])
    dns.misbehave(OWNER, fault)
    assert check(dns).answer is SeenAnswer.MATCH


def test_nxdomain_and_no_record_are_told_apart(dns: LabDns) -> None:
    assert check(dns).answer is SeenAnswer.NXDOMAIN
    dns.set(OWNER, "A", ["192.0.2.1"])
    seen = check(dns)
    assert seen.answer is SeenAnswer.NO_RECORD
    assert seen.ttl == 5


def test_the_cause_names_the_platform_the_zone_is_on(dns: LabDns) -> None:
    dns.set("example.com", "NS", ["ns1.registrar.net."])
    seen = check(dns)
    assert "ns1.registrar.net" in seen.cause
    assert "another DNS platform" in seen.cause


@pytest.mark.parametrize(
    ("value", "cause"),
    [
        (f'"\\"{VALUE}\\""', "quotation marks"),
        (VALUE[:32] + " " + VALUE[32:], "spaces"),
        (VALUE.upper(), "capital"),
        (VALUE + ".", "dot"),
        (f"_dnsauth TXT {VALUE}", "more text"),
        (VALUE[:40], "cut"),
        (OLD, "earlier application"),
        ("v=spf1 -all", "another value"),
    ],
)
def test_the_cause_of_a_wrong_value(dns: LabDns, value: str, cause: str) -> None:
    dns.set(OWNER, "TXT", [value], ttl=777)
    seen = check(dns)
    assert seen.answer is SeenAnswer.WRONG_VALUE
    assert cause in seen.cause
    assert len(seen.values) == 1


def test_the_ttl_that_is_left_is_in_the_cause_of_an_old_record(dns: LabDns) -> None:
    dns.set(OWNER, "TXT", [OLD], ttl=777)
    assert "777 s" in check(dns).cause


@pytest.mark.parametrize(
    ("place", "cause"),
    [
        ("_dnsauth.example.com.example.com", "enter _dnsauth as host record"),
        ("example.com", "must stand at _dnsauth.example.com"),
        ("_dnsauth.www.example.com", "must stand at _dnsauth.example.com"),
        ("dnsauth.example.com", "must stand at _dnsauth.example.com"),
    ],
)
@pytest.mark.parametrize("record_type", ["TXT", "CNAME"])
def test_a_record_at_the_wrong_owner_is_found(
    dns: LabDns, place: str, cause: str, record_type: RecordType
) -> None:
    dns.set(place, record_type, [VALUE if record_type == "TXT" else TARGET + "."])
    seen = check(dns, record_type=record_type)
    assert seen.answer in (SeenAnswer.NXDOMAIN, SeenAnswer.NO_RECORD)
    assert place in seen.cause
    assert cause in seen.cause


def test_a_record_of_the_wrong_type_is_found(dns: LabDns) -> None:
    dns.set(OWNER, "TXT", [TARGET])
    seen = check(dns, record_type="CNAME")
    assert seen.answer is SeenAnswer.NO_RECORD
    assert "must be CNAME" in seen.cause
    dns.remove(OWNER)
    dns.set(OWNER, "CNAME", [TARGET + "."])
    assert "must be TXT" in check(dns, expected=TARGET).cause


def test_a_cname_s_target_is_compared_and_not_chased(dns: LabDns) -> None:
    # rule: DOM-16
    dns.set(OWNER, "CNAME", [TARGET.upper() + "."])
    assert check(dns, record_type="CNAME").answer is SeenAnswer.MATCH
    assert {kind for _, kind, _ in dns.questions} == {"CNAME"}
    dns.set(OWNER, "CNAME", ["shop.hoster.net."])
    dns.set("shop.hoster.net", "CNAME", [TARGET + "."])
    seen = check(dns, record_type="CNAME")
    assert (seen.answer, seen.values) == (SeenAnswer.WRONG_VALUE, ("shop.hoster.net",))
    assert "foreign CNAME" in seen.cause


@pytest.mark.parametrize("value", [None, "other"])
def test_a_foreign_cname_under_a_txt_is_named(dns: LabDns, value: str | None) -> None:
    dns.set(OWNER, "CNAME", ["shop.hoster.net."])
    if value:
        dns.set("shop.hoster.net", "TXT", [value])
    seen = check(dns)
    assert seen.answer is (SeenAnswer.WRONG_VALUE if value else SeenAnswer.NXDOMAIN)
    assert "foreign CNAME" in seen.cause
    assert "shop.hoster.net" in seen.cause


def test_one_server_without_the_record_makes_it_no_record() -> None:
    with LabDns() as one, LabDns() as two:
        one.set(OWNER, "TXT", [VALUE])
        for old in (None, OLD):
            if old:
                two.set(OWNER, "TXT", [old])
            seen = check(one, two)
            assert seen.answer is SeenAnswer.NO_RECORD
            assert f"Server {two.server} does not have it yet" in seen.cause
            assert [server.answer is SeenAnswer.MATCH for server in seen.servers] == [True, False]
        two.misbehave("*", "SERVFAIL")
        assert check(one, two).answer is SeenAnswer.MATCH


def test_values_are_bounded_and_printable(dns: LabDns) -> None:
    dns.set(OWNER, "TXT", ['"\\000\\027[31m<script>\\255"', "y" * 900])
    seen = check(dns)
    assert "\\000\\027[31m<script>\\255" in seen.values
    assert all(len(value) <= 255 and value.isprintable() and value.isascii() for value in seen.values)


@pytest.mark.parametrize("owner", ["a..b", "x" * 64 + ".com", "ü.com", ".".join(["a" * 60] * 5)])
def test_an_owner_that_is_no_name_is_a_permanent_error(dns: LabDns, owner: str) -> None:
    with pytest.raises(ConnectorError) as caught:
        check(dns, owner=owner)
    assert caught.value.permanent


def test_64_checks_in_flight_and_none_late_because_of_silent_ones(dns: LabDns) -> None:
    """Every second of 128 checks meets silence; the others are done long before the silent ones time out."""
    for number in range(128):
        dns.set(f"_dnsauth.n{number}.example.com", "TXT", [VALUE])
        if number % 2:
            dns.misbehave(f"_dnsauth.n{number}.example.com", "TIMEOUT")

    async def timed(number: int) -> tuple[int, Seen, float]:
        began = time.monotonic()
        seen = await check_record(
            owner=f"_dnsauth.n{number}.example.com",
            record_type="TXT",
            expected=VALUE,
            resolvers=(dns.server,),
            allow_networks=(),
            now=NOW,
        )
        return number, seen, time.monotonic() - began

    async def everything() -> list[tuple[int, Seen, float]]:
        return await asyncio.gather(*map(timed, range(128)))

    for number, seen, seconds in asyncio.run(everything()):
        assert seen.answer is (SeenAnswer.TIMEOUT if number % 2 else SeenAnswer.MATCH)
        assert seconds < (6.0 if number % 2 else 2.9)
