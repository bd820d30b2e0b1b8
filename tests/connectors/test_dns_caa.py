"""CAA by zone cases on the lab server (RFC 8659, RFC 8657)."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from certdesk.connectors.dns import caa
from certdesk.connectors.dns.caa import CaaResult, check_caa, parse_issue
from certdesk.lab.dns_server import LabDns

OURS = "ca.example.net"
ACCOUNT = "https://ca.example.net/account/7"
ISSUE = f'0 issue "{OURS}"'
OTHER = '0 issue "other.example"'


@dataclass(frozen=True)
class Case:
    """What stands in the zone, what is asked and what must come out."""

    title: str
    records: dict[str, list[str]]
    permitted: bool
    name: str = "www.shop.example.com"
    wildcard: bool = False
    aliases: dict[str, str] = field(default_factory=dict)
    faults: dict[str, str] = field(default_factory=dict)
    accounts: tuple[str, ...] = ()
    methods: tuple[str, ...] = ()
    names: str = ""  # must stand in the deciding record
    retryable: bool = False


def at(owner: str, *values: str) -> dict[str, list[str]]:
    return {owner: list(values)}


TOP, SHOP, WWW = "example.com", "shop.example.com", "www.shop.example.com"
PIN = f"{OURS}; accounturi={ACCOUNT}"
CASES = [
    Case("no records anywhere", {}, True),
    Case("ours at the name", at(WWW, ISSUE), True, names=OURS),
    Case("ours two levels up", at(TOP, ISSUE), True),
    Case("another two levels up", at(TOP, OTHER), False, names="other.example"),
    Case("another at the top-level domain", at("com", OTHER), False, names="com CAA"),
    Case("the nearest set counts", at(SHOP, ISSUE) | at(TOP, OTHER), True),
    Case("the nearest set counts, refusing", at(SHOP, OTHER) | at(TOP, ISSUE), False),
    Case("a sister name does not count", at("mail.example.com", OTHER), True),
    Case("a name below does not count", at("a." + WWW, OTHER), True),
    Case("one of several permits", at(TOP, OTHER, ISSUE), True, names=OURS),
    Case("nobody", at(TOP, '0 issue ";"'), False, names='issue ";"'),
    Case("nobody, empty", at(TOP, '0 issue ""'), False),
    Case("nobody and ours: ours permits", at(TOP, '0 issue ";"', ISSUE), True),
    Case("only iodef does not restrict", at(TOP, '0 iodef "mailto:a@example.com"'), True),
    Case("critical iodef is known", at(TOP, '128 iodef "mailto:a@example.com"'), True),
    Case("iodef near hides issue above", at(SHOP, '0 iodef "mailto:a@b.example"') | at(TOP, OTHER), True),
    Case("issuewild does not bind a plain name", at(TOP, '0 issuewild ";"'), True),
    Case("issuewild binds a wildcard", at(TOP, ISSUE, '0 issuewild ";"'), False, wildcard=True),
    Case("issuewild permits over issue", at(TOP, OTHER, f'0 issuewild "{OURS}"'), True, wildcard=True),
    Case("issue binds a wildcard without issuewild", at(TOP, OTHER), False, wildcard=True),
    Case("issue permits a wildcard without issuewild", at(TOP, ISSUE), True, wildcard=True),
    Case("issuewild of ours does not help a plain name", at(TOP, OTHER, f'0 issuewild "{OURS}"'), False),
    Case("a wildcard's star is left off", at(WWW, OTHER), False, name="*." + WWW, wildcard=True),
    Case("an unknown critical tag refuses", at(TOP, ISSUE, '128 tbs "x"'), False, names="tbs"),
    Case("an unknown tag that is not critical", at(TOP, ISSUE, '0 tbs "x"'), True),
    Case("other flag bits mean nothing", at(TOP, ISSUE, '127 tbs "x"'), True),
    Case("an unknown tag alone does not restrict", at(TOP, '0 tbs "x"'), True),
    Case("critical issue of ours", at(TOP, f'128 issue "{OURS}"'), True),
    Case("tag in capitals", at(TOP, '0 ISSUE "other.example"'), False),
    Case("issuer in capitals", at(TOP, f'0 issue "{OURS.upper()}"'), True),
    Case("white space around the issuer", at(TOP, f'0 issue "  {OURS}  ; "'), True),
    Case("a longer name is not ours", at(TOP, f'0 issue "{OURS}.evil.example"'), False),
    Case("a parent of ours is not ours", at(TOP, '0 issue "example.net"'), False),
    Case("broken parameters name nobody", at(TOP, f'0 issue "{OURS}; what is this"'), False),
    Case("an issuer that is no name", at(TOP, f'0 issue "{OURS} other.example"'), False),
    Case("an unknown parameter is passed over", at(TOP, f'0 issue "{OURS}; policy=ev"'), True),
    Case("accounturi of ours", at(TOP, f'0 issue "{PIN}"'), True, accounts=(ACCOUNT,)),
    Case("accounturi of another", at(TOP, f'0 issue "{PIN}0"'), False, accounts=(ACCOUNT,)),
    Case("accounturi and we have none", at(TOP, f'0 issue "{PIN}"'), False),
    Case("accounturi twice", at(TOP, f'0 issue "{PIN}; accounturi={ACCOUNT}"'), False, accounts=(ACCOUNT,)),
    Case(
        "a method of ours",
        at(TOP, f'0 issue "{OURS}; validationmethods=a,dns-01"'),
        True,
        methods=("dns-01",),
    ),
    Case(
        "another method", at(TOP, f'0 issue "{OURS}; validationmethods=http-01"'), False, methods=("dns-01",)
    ),
    Case("a method and none named", at(TOP, f'0 issue "{OURS}; validationmethods=dns-01"'), False),
    Case(
        "a long value is read whole",
        at(TOP, f'0 issue "{OURS}; a={"x" * 300}; accounturi={ACCOUNT}0"'),
        False,
    ),
    Case("an alias's target counts", at("t.hoster.net", OTHER), False, aliases={WWW: "t.hoster.net"}),
    Case(
        "an alias without records: the climb is by name",
        at(SHOP, OTHER),
        False,
        aliases={WWW: "t.hoster.net"},
    ),
    Case("no climb at the alias's target", at("hoster.net", OTHER), True, aliases={WWW: "t.hoster.net"}),
    Case("an alias of a parent", at("t.hoster.net", OTHER), False, aliases={SHOP: "t.hoster.net"}),
    Case("a CNAME loop refuses", {}, False, aliases={WWW: SHOP, SHOP: WWW}, retryable=True),
    Case("SERVFAIL at the name", at(TOP, ISSUE), False, faults={WWW: "SERVFAIL"}, retryable=True),
    Case("SERVFAIL at a parent", {}, False, faults={TOP: "SERVFAIL"}, retryable=True),
    Case("SERVFAIL above the records", at(SHOP, ISSUE), True, faults={TOP: "SERVFAIL"}),
    Case("REFUSED", {}, False, faults={SHOP: "REFUSED"}, retryable=True),
    Case("silence", {}, False, faults={SHOP: "TIMEOUT"}, retryable=True),
    Case("a lame server", {}, False, faults={SHOP: "LAME"}, retryable=True),
    Case("a cut answer comes whole over TCP", at(WWW, OTHER), False, faults={WWW: "TRUNCATE"}),
    Case("a wildcard record in the zone", at("*.example.com", OTHER), False, name="a.example.com"),
]


DEEP = f"{'a.' * 100}example.com"
CASES += [
    Case("another at the top of a very deep name", at(TOP, OTHER), False, name=DEEP, names="other.example"),
    Case("ours at the top of a very deep name", at(TOP, ISSUE), True, name=DEEP, names=OURS),
]


@pytest.fixture
def dns() -> Iterator[LabDns]:
    with LabDns() as server:
        yield server


def ask(case: Case, *servers: LabDns) -> CaaResult:
    return asyncio.run(
        check_caa(
            case.name,
            wildcard=case.wildcard,
            issuer_domains=[OURS],
            resolvers=tuple(server.server for server in servers),
            allow_networks=(),
            account_uris=case.accounts,
            validation_methods=case.methods,
        )
    )


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.title)
def test_zone_case(dns: LabDns, case: Case) -> None:
    # rule: DOM-12
    for owner, values in case.records.items():
        dns.set(owner, "CAA", values)
    for owner, target in case.aliases.items():
        dns.set(owner, "CNAME", [target + "."])
    for owner, fault in case.faults.items():
        dns.misbehave(owner, fault)
    result = ask(case, dns)
    assert (result.permitted, result.retryable) == (case.permitted, case.retryable), result
    assert case.names in result.record
    assert result.looked_at[0] == case.name.removeprefix("*.")
    if not result.permitted and not result.retryable:
        assert result.record.partition(" CAA ")[2] in result.sentence


def test_each_server_must_permit() -> None:
    with LabDns() as one, LabDns() as two:
        one.set(TOP, "CAA", [ISSUE])
        two.set(TOP, "CAA", [OTHER])
        assert not ask(CASES[0], one, two).permitted
        two.set(TOP, "CAA", [ISSUE])
        assert ask(CASES[0], one, two).permitted
        two.misbehave("*", "SERVFAIL")
        assert ask(CASES[0], one, two).permitted


def test_a_climb_that_runs_out_of_questions_permits_nothing(
    dns: LabDns, monkeypatch: pytest.MonkeyPatch
) -> None:
    # rule: DOM-12
    monkeypatch.setattr(caa, "_QUESTIONS", 40)
    result = ask(Case("", {}, False, name=DEEP), dns)
    assert (result.permitted, result.retryable) == (False, True), result


def test_the_climb_is_told(dns: LabDns) -> None:
    assert ask(CASES[0], dns).looked_at == (WWW, SHOP, TOP, "com")


@pytest.mark.parametrize(
    ("value", "issuer", "parameters"),
    [
        ("ca.example", "ca.example", ()),
        (" ca.example ;", "ca.example", ()),
        ("ca.example; A=1;b = 2", "ca.example", (("a", "1"), ("b", "2"))),
        ("ca.example; a=", "ca.example", (("a", ""),)),
        (";", "", ()),
        ("; a=1", "", (("a", "1"),)),
        ("ca.example; a=1;", "", ()),
        ("-ca.example", "", ()),
        ("ca..example", "", ()),
        ("ca.example\n", "", ()),
    ],
)
def test_the_grammar_of_issue(value: str, issuer: str, parameters: tuple[tuple[str, str], ...]) -> None:
    parsed = parse_issue(value)
    assert (parsed.issuer, parsed.parameters) == (issuer, parameters)
