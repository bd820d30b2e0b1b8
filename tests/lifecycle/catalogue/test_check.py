"""`catalogue check`: every finding with its line and key, not the first alone."""

from datetime import UTC, datetime

import pytest

from certdesk.lifecycle.catalogue.check import NOTE, PROBLEM, examine
from certdesk.lifecycle.catalogue.price_rules import EXPANSION, Change
from certdesk.lifecycle.catalogue.queries import SHIPPED

TEXT = SHIPPED.read_text(encoding="utf-8")
WHEN = datetime(2027, 1, 1, tzinfo=UTC)


@pytest.fixture
def check(tmp_path):
    def examined(*replacements, more="", changes=()):
        text = TEXT
        for old, new in replacements:
            assert old in text
            text = text.replace(old, new, 1)
        path = tmp_path / "catalogue.toml"
        path.write_text(text + more, encoding="utf-8")
        findings, book = examine(path, changes)
        return findings, book, path.read_text(encoding="utf-8").splitlines()

    return examined


def test_the_shipped_file_has_no_findings():
    findings, book = examine(SHIPPED)
    assert findings == []
    assert book is not None


def test_two_mistakes_of_the_shape_are_both_named_with_their_lines(check):
    findings, book, lines = check(
        ("reissue_days = 5\n", "reissue_days = 500\n"),
        ('single = { CNY = "900.00"', "single = { CNY = 900.00"),
    )
    assert book is None
    assert [(one.level, one.key) for one in findings] == [
        (PROBLEM, "brands.GLOBALSIGN.reissue_days"),
        (PROBLEM, "products.2.single.CNY"),
    ]
    assert lines[findings[0].line - 1] == "reissue_days = 500"
    assert "900.00, USD" in lines[findings[1].line - 1]
    assert findings[0].text.startswith(f"problem: line {findings[0].line}, brands.GLOBALSIGN.reissue_days: ")
    assert "quotation marks" in findings[1].text
    assert "Value error" not in findings[1].text


def test_everything_that_does_not_fit_together_is_named(check):
    head = '[[products]]\nbrand = "GEOTRUST"\ntype = "DV_SSL_CERT"\n'
    findings, book, _ = check(
        ('profile = "private"', 'profile = "home"'),
        ('title = "vTrus"\nissuer = "builtin"', 'title = "vTrus"\nissuer = "acme"'),
        ("max_names = 250", "max_names = 1"),
        ("approval_days = [3, 5]", "approval_days = [5, 3]"),
        ("{ since = 2027-03-15, days = 100 }", "{ since = 2026-03-15, days = 100 }"),
        ('brand = "CFCA"', 'brand = "NOBODY"'),
        ('type = "EV_SSL_CERT"', 'type = "XV"'),
        (head, f'{head}issuer = "gone"\n'),
        ('price = { CNY = "480.00", USD = "69.00" }', 'price = { CNY = "480.00" }'),
    )
    assert book is None
    sentences = [one.sentence for one in findings]
    for part in (
        "profile 'home' is not defined",
        "issuer 'acme' is not defined",
        "in order",
        "least comes first",
        "two lines have the same date",
        "brand 'NOBODY' is not defined",
        "type 'XV' is not defined",
        "issuer 'gone' is not defined",
        "exactly these currencies",
    ):
        assert any(part in sentence for sentence in sentences), part
    assert all(one.level == PROBLEM and one.line for one in findings)


def test_a_product_given_twice_is_named_at_the_second(check):
    more = (
        '\n[[products]]\nbrand = "GEOTRUST"\ntype = "DV_SSL_CERT"\nsingle = { CNY = "1.00", USD = "1.00" }\n'
    )
    findings, _, lines = check(more=more)
    (twice,) = findings
    assert "given twice" in twice.sentence
    assert twice.line > len(lines) - 6


def test_what_works_but_does_nothing_is_a_note(check):
    findings, book, _ = check(
        ('title = "CFCA"\nissuer = "builtin"', 'title = "CFCA"\nreason = "The contract ended."'),
        ('methods = ["DNS"]', 'methods = ["DNS", "EMAIL"]'),
        (
            'multi = { CNY = "320.00", USD = "46.00" }',
            'multi = { CNY = "320.00", USD = "46.00" }\nmulti_wildcard = { CNY = "9.00", USD = "9.00" }',
        ),
        ('methods = ["DNS", "FILE"]', 'methods = ["DNS", "FILE", "EMAIL"]'),
        more=(
            '\n[issuers.spare]\ntitle = "Spare"\nprofile = "public"\n'
            '\n[brands.NEW]\ntitle = "New"\nissuer = "builtin"\nreissue_days = 1\n'
        ),
    )
    assert book is not None
    assert {one.level for one in findings} == {NOTE}
    sentences = " | ".join(one.sentence for one in findings)
    for part in (
        "CFCA cannot be bought: The contract ended",
        "EMAIL is refused for DV",
        "holds no wildcard names among several",
        "no brand or product uses this issuer",
        "nothing of this brand is in the list of products",
    ):
        assert part in sentences


def test_the_operators_prices_are_shown_and_those_of_nothing_are_named(check):
    changes = [
        Change("GEOTRUST.DV_SSL_CERT.SINGLE_DOMAIN", "plain", "CNY", 59_900, WHEN),
        Change(EXPANSION, "plain", "USD", None, WHEN),
        Change("GONE.DV_SSL_CERT.SINGLE_DOMAIN", "plain", "EUR", 100, WHEN),
    ]
    findings, _, _ = check(changes=changes)
    texts = [one.text for one in findings]
    assert texts == [
        "note: GEOTRUST.DV_SSL_CERT.SINGLE_DOMAIN: price changed by the operator: plain 599.00 CNY"
        " from 2027-01-01 00:00:00 UTC",
        "note: EXPANSION: price changed by the operator: plain the file's price again USD"
        " from 2027-01-01 00:00:00 UTC",
        "note: GONE.DV_SSL_CERT.SINGLE_DOMAIN: price changed by the operator: plain 1.00 EUR"
        " from 2027-01-01 00:00:00 UTC; no product of this file",
    ]


def test_a_file_that_cannot_be_read_is_one_finding(tmp_path):
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    (tmp_path / "text").write_text("[a\nb = 1\n")
    for name, words in (("none", "cannot be read"), ("binary", "cannot be read"), ("text", "line 1")):
        (finding,), book = examine(tmp_path / name)
        assert book is None
        assert words in finding.sentence
        assert finding.text.startswith("problem: ")
