"""Which names together fit what was bought."""

from typing import Any

import pytest

from certdesk.foundation.common.errors import Kind
from certdesk.pki.x509.errors import BadName, NamesDoNotFit
from certdesk.pki.x509.name_sets import NAMES_LIMIT, DomainType, fit
from certdesk.pki.x509.names import parse_name

MIXED: dict[str, Any] = {
    "single_quota": 2,
    "wildcard_quota": 1,
    "primary_wildcard_allowed": True,
    "wildcards_allowed": True,
}


@pytest.mark.parametrize(
    ("domain_type", "primary", "additional", "options", "expected"),
    [
        ("SINGLE_DOMAIN", "WWW.example.com", [], {}, ("www.example.com",)),
        ("WILDCARD", "*.example.com", [], {}, ("*.example.com",)),
        ("MULTI_DOMAIN", "a.com", ["b.com"], {"single_quota": 1}, ("a.com", "b.com")),
        ("MULTI_DOMAIN", "a.com", ["b.com"], {"single_quota": 9}, ("a.com", "b.com")),
        (
            "MULTI_DOMAIN",
            "*.a.com",
            ["b.com", "*.c.com", "d.com"],
            MIXED,
            ("*.a.com", "b.com", "*.c.com", "d.com"),
        ),
        ("MULTI_DOMAIN", "a.com", ["*.a.com"], MIXED, ("a.com", "*.a.com")),
        ("SINGLE_DOMAIN", "srv.corp", [], {"allow_internal": True}, ("srv.corp",)),
        ("SINGLE_DOMAIN", "1.1.1.1", [], {"allow_ip": True}, ("1.1.1.1",)),
    ],
)
def test_names_that_fit(
    domain_type: str, primary: str, additional: list[str], options: dict[str, Any], expected: tuple[str, ...]
) -> None:
    names = fit(domain_type, primary, additional, **options)
    assert names.texts == expected
    assert names.primary.text == expected[0]


@pytest.mark.parametrize(
    ("domain_type", "primary", "additional", "options", "fragment"),
    [
        ("SINGLE_DOMAIN", "*.a.com", [], {}, "holds one plain name"),
        ("SINGLE_DOMAIN", "a.com", ["b.com"], {}, "exactly one name, and 2"),
        ("WILDCARD", "a.com", [], {}, "holds one wildcard name"),
        ("WILDCARD", "*.a.com", ["a.com"], {}, "exactly one name, and 2"),
        ("MULTI_DOMAIN", "a.com", [], {"single_quota": 1}, "at least one additional name"),
        (
            "MULTI_DOMAIN",
            "a.com",
            ["b.com", "c.com"],
            {"single_quota": 1},
            "2 additional plain names were given, and 1",
        ),
        ("MULTI_DOMAIN", "a.com", ["*.b.com"], {"single_quota": 5}, "takes no wildcard among several"),
        ("MULTI_DOMAIN", "*.a.com", ["b.com"], MIXED | {"wildcards_allowed": False}, "takes no wildcard"),
        (
            "MULTI_DOMAIN",
            "*.a.com",
            ["b.com"],
            MIXED | {"primary_wildcard_allowed": False},
            "bought as a plain name",
        ),
        (
            "MULTI_DOMAIN",
            "a.com",
            ["*.b.com", "*.c.com"],
            MIXED,
            "2 additional wildcard names were given, and 1",
        ),
        (
            "MULTI_DOMAIN",
            "a.com",
            ["b.com", "c.com", "d.com"],
            MIXED,
            "3 additional plain names were given, and 2",
        ),
        ("MULTI_DOMAIN", "a.com", ["A.com"], MIXED, "given twice"),
        ("MULTI_DOMAIN", "a.com", ["b.com", "B.COM"], MIXED, "given twice"),
    ],
)
def test_names_that_do_not_fit(
    domain_type: str, primary: str, additional: list[str], options: dict[str, Any], fragment: str
) -> None:
    with pytest.raises(NamesDoNotFit) as caught:
        fit(domain_type, primary, additional, **options)
    assert fragment in caught.value.message
    assert caught.value.kind is Kind.BAD_NAMES
    assert caught.value.next_step
    assert caught.value.field in ("domain", "sans")


def test_each_name_passes_the_gate_for_names() -> None:
    with pytest.raises(BadName, match="underscore") as caught:
        fit(DomainType.MULTI_DOMAIN, "a.com", ["b_c.com"], **MIXED)
    assert caught.value.field == "sans"
    with pytest.raises(BadName, match="public suffix") as caught:
        fit(DomainType.SINGLE_DOMAIN, "co.uk")
    assert caught.value.field == "domain"


def test_parsed_names_are_taken_too() -> None:
    names = fit(DomainType.MULTI_DOMAIN, parse_name("a.com"), [parse_name("b.com")], single_quota=1)
    assert names.names == (parse_name("a.com"), parse_name("b.com"))


def test_a_certificate_holds_at_most_250_names() -> None:
    additional = [f"n{number}.example.com" for number in range(NAMES_LIMIT - 1)]
    names = fit(DomainType.MULTI_DOMAIN, "example.com", additional, single_quota=NAMES_LIMIT)
    assert len(names.texts) == 250
    with pytest.raises(NamesDoNotFit, match="251 names were given"):
        fit(DomainType.MULTI_DOMAIN, "example.com", [*additional, "x.com"], single_quota=NAMES_LIMIT)
