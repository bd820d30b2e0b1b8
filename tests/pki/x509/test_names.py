"""Which domain names pass the gate, and where their proof goes."""

import ast
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import certdesk
from certdesk.foundation.common.errors import Kind
from certdesk.pki.x509.errors import BadName, shown
from certdesk.pki.x509.names import Name, authorization_domain, match, parse_name, proof_owner
from tests.support.hostile import bad_names, good_names

BAD, GOOD = bad_names(), good_names()
TEXTS = st.one_of(
    st.text(),
    st.text(alphabet="aZ0-_.*xn: @/[]%\x00é中。"),
    st.from_regex(r"\A(\*\.)?([a-z0-9-]{1,12}\.){1,4}(com|co\.uk|local|xn--p1ai)\Z"),
    st.from_regex(r"\A(www\.)?xn--[a-z0-9-]{1,20}\.com\Z"),
    st.ip_addresses().map(str),
)


def test_the_list_of_bad_names_is_long_enough() -> None:
    assert len({text for text, _ in BAD}) >= 200
    assert all(fragment for _, fragment in BAD)


@pytest.mark.parametrize(("text", "fragment"), BAD, ids=[f"{i}-{shown(t)}" for i, (t, _) in enumerate(BAD)])
def test_a_bad_name_is_refused_with_its_reason(text: str, fragment: str) -> None:
    with pytest.raises(BadName) as caught:
        parse_name(text)
    assert fragment in caught.value.message
    assert caught.value.kind is Kind.BAD_NAMES
    assert caught.value.next_step
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(("text", "canonical"), GOOD)
def test_a_good_name_is_taken_in_its_canonical_form(text: str, canonical: str) -> None:
    name = parse_name(text)
    assert name.text == str(name) == canonical
    assert name.wildcard is canonical.startswith("*.")
    assert not name.ip
    assert name.base.endswith(name.registrable)
    assert name.registrable


def test_the_refusal_names_the_name_and_offers_punycode() -> None:
    with pytest.raises(BadName) as caught:
        parse_name("*.Bücher.example.com")
    assert "'*.Bücher.example.com'" in caught.value.message
    assert "*.xn--bcher-kva.example.com" in caught.value.next_step


def test_lengths_at_their_limits() -> None:
    longest = ".".join(["a" * 60] * 4) + ".abcd.com"
    assert len(longest) == 252
    assert parse_name("a" + longest.removesuffix(".com") + ".com").text
    assert parse_name("a" * 63 + ".com").labels == ("a" * 63, "com")
    with pytest.raises(BadName, match="254 characters"):
        parse_name(".".join(["a" * 60] * 4) + ".abcdef.com")
    with pytest.raises(BadName, match="a label of 64"):
        parse_name("a" * 64 + ".com")


def test_parts_of_a_name() -> None:
    name = parse_name("*.Shop.xn--mnchen-3ya.co.uk")
    assert name.base == "shop.xn--mnchen-3ya.co.uk"
    assert name.labels == ("shop", "xn--mnchen-3ya", "co", "uk")
    assert name.registrable == "xn--mnchen-3ya.co.uk"
    assert name.unicode == "*.shop.münchen.co.uk"


def test_the_display_form_keeps_look_alikes_in_punycode() -> None:
    assert parse_name("xn--pple-43d.com").unicode == "xn--pple-43d.com"  # Cyrillic a before Latin letters
    assert Name("xn--a.com").unicode == "xn--a.com"


@pytest.mark.parametrize(
    "text",
    [
        "intranet",
        "server1.corp",
        "localhost",
        "a.test",
        "a.example",
        "a.local",
        "nas.home.arpa",
        "*.corp.lan",
    ],
)
def test_internal_names_only_where_they_are_allowed(text: str) -> None:
    assert parse_name(text, allow_internal=True).text == text
    with pytest.raises(BadName):
        parse_name(text)


@pytest.mark.parametrize(
    ("text", "fragment"),
    [
        ("a.onion", "not part of the DNS"),
        ("a.invalid", "never exists"),
        ("1.10.in-addr.arpa", "reverse zone"),
        ("com", "public suffix"),
        ("*.co.uk", "wildcard directly under"),
        ("*.local", "a whole top-level name"),
        ("*.intranet", "a whole top-level name"),
        ("a_b.local", "underscore"),
        ("10.0.0.1", "IP address"),
    ],
)
def test_some_names_are_refused_even_where_internal_ones_are_allowed(text: str, fragment: str) -> None:
    with pytest.raises(BadName, match=fragment):
        parse_name(text, allow_internal=True)


@pytest.mark.parametrize(
    ("text", "canonical"), [("1.1.1.1", "1.1.1.1"), ("2001:4860:4860:0::8888", "2001:4860:4860::8888")]
)
def test_public_addresses_only_where_they_are_allowed(text: str, canonical: str) -> None:
    name = parse_name(text, allow_ip=True)
    assert (name.text, name.ip, name.wildcard) == (canonical, True, False)
    assert name.labels == (canonical,)
    assert name.registrable == ""
    assert parse_name(canonical, allow_ip=True) == name


@pytest.mark.parametrize("text", ["10.0.0.1", "127.0.0.1", "fd00::1", "169.254.169.254"])
def test_private_addresses_need_both_permissions(text: str) -> None:
    assert parse_name(text, allow_ip=True, allow_internal=True).ip
    with pytest.raises(BadName, match="private or reserved"):
        parse_name(text, allow_ip=True)


@pytest.mark.parametrize(
    ("text", "fragment"),
    [
        ("[::1]", "in a form"),
        ("fe80::1%eth0", "in a form"),
        ("::ffff:10.0.0.1", "in a form"),
        ("0.0.0.0", "no single host"),
        ("224.0.0.1", "no single host"),
    ],
)
def test_addresses_that_no_certificate_holds(text: str, fragment: str) -> None:
    with pytest.raises(BadName, match=fragment):
        parse_name(text, allow_ip=True, allow_internal=True)


@given(TEXTS, st.booleans(), st.booleans())
def test_any_text_is_refused_or_stays_the_same_when_parsed_again(text: str, internal: bool, ip: bool) -> None:
    try:
        name = parse_name(text, allow_internal=internal, allow_ip=ip)
    except BadName:
        return
    assert parse_name(name.text, allow_internal=internal, allow_ip=ip) == name
    assert name.text.isascii()
    assert name.text == name.text.lower()
    assert name.ip or authorization_domain(name) == authorization_domain(
        parse_name(text, allow_internal=True)
    )


@given(TEXTS)
def test_every_proof_label_begins_with_an_underscore(text: str) -> None:
    try:
        name = parse_name(text, allow_internal=True)
        owner = proof_owner(name)
    except BadName:
        return
    assert owner == f"_dnsauth.{authorization_domain(name)}"
    assert len(owner) <= 253


def test_only_one_place_in_the_project_makes_proof_labels() -> None:
    """DigiCert 2024: a second path of a rewritten system forgot the underscore, 83,267 certificates."""
    source = Path(certdesk.__file__).parent
    makers = {
        str(path.relative_to(source))
        for path in source.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and str(node.value).startswith("_dnsauth")
        if path.name != "words.py"  # an example in the API's description
        if "lab" not in path.relative_to(source).parts  # the simulated CA shares no code with who it checks
    }
    assert makers == {"pki/x509/names.py"}


@pytest.mark.parametrize(
    ("text", "domain"),
    [
        ("example.com", "example.com"),
        ("www.example.com", "example.com"),
        ("*.example.com", "example.com"),
        ("WWW.Example.com", "example.com"),
        ("*.www.example.com", "www.example.com"),
        ("www.www.example.com", "www.example.com"),
        ("a.b.example.com", "a.b.example.com"),
        ("www2.example.com", "www2.example.com"),
        ("www.co.uk", "www.co.uk"),
        ("www.com", "www.com"),
        ("www.github.io", "www.github.io"),
        ("www.intranet", "www.intranet"),
        ("www.app.corp", "app.corp"),
    ],
)
def test_the_domain_that_is_proved(text: str, domain: str) -> None:
    name = parse_name(text, allow_internal=True)
    assert authorization_domain(name) == domain
    assert proof_owner(name) == f"_dnsauth.{domain}"


def test_an_address_is_not_proved_by_dns() -> None:
    name = parse_name("1.1.1.1", allow_ip=True)
    assert authorization_domain(name) == "1.1.1.1"
    with pytest.raises(BadName, match="cannot be proved by DNS"):
        proof_owner(name)


def test_a_name_with_no_room_for_the_label_says_so() -> None:
    longest_provable = "a." * 115 + "aa.example.com"
    assert len(proof_owner(parse_name(longest_provable))) == 253
    with pytest.raises(BadName, match="too long to be proved by DNS"):
        proof_owner(parse_name("a" + longest_provable))


@pytest.mark.parametrize(
    ("pattern", "host", "covered"),
    [
        ("example.com", "example.com", True),
        ("Example.com", "eXample.COM", True),
        ("example.com", "example.com.", True),
        ("*.example.com", "a.example.com", True),
        ("*.EXAMPLE.com", "A.example.com", True),
        ("*.example.com", "*.example.com", True),
        ("*.example.com", "xn--mnchen-3ya.example.com", True),
        ("*.example.com", "a.a.example.com", False),
        ("*.example.com", "example.com", False),
        ("*.example.com", ".example.com", False),
        ("*.example.com", "*.a.example.com", False),
        ("*.a.example.com", "*.example.com", False),
        ("example.com", "a.example.com", False),
        ("a.example.com", "*.example.com", False),
        ("*", "localhost", False),
        ("*.", "localhost", False),
        ("", "", False),
        ("example.com", "", False),
    ],
)
def test_what_a_name_in_a_certificate_covers(pattern: str, host: str, covered: bool) -> None:
    assert match(pattern, host) is covered


@given(st.sampled_from([text for text, _ in GOOD]), st.sampled_from([text for text, _ in GOOD]))
def test_a_wildcard_covers_exactly_one_label_more(first: str, second: str) -> None:
    pattern, host = parse_name(first), parse_name(second)
    one_more = not host.wildcard and host.text.partition(".")[2] == pattern.base
    expected = pattern == host or (pattern.wildcard and one_more)
    assert match(pattern.text, host.text) is expected


def test_foreign_text_is_quoted_on_one_short_line() -> None:
    assert shown("a\r\nb\x1b[0m\u202e") == "a\\r\\nb\\x1b[0m\\u202e"
    assert shown("x" * 80) == "x" * 80
    assert shown("x" * 81) == "x" * 77 + "..."
