"""The shipped catalogue, prices, dated policy, and what a wrong file is told."""

from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from certdesk.foundation.common import settings
from certdesk.foundation.common.errors import BadParameter
from certdesk.lifecycle.catalogue import queries, rules
from certdesk.lifecycle.catalogue.errors import CatalogueRefused, NoPrice, NoSuchProduct, NotForSale
from certdesk.lifecycle.catalogue.queries import SHIPPED, catalogue, load
from certdesk.lifecycle.catalogue.rules import Dated, DomainType, Quantities

BRANDS = {
    "SYMANTEC": "DigiCert",
    "GEOTRUST": "GeoTrust",
    "GLOBALSIGN": "GlobalSign",
    "CFCA": "CFCA",
    "TRUSTASIA": "TrustAsia",
    "VTRUS": "vTrus",
}
TYPES = {
    "DV_SSL_CERT_BASIC": ("DV", False, "Medium", "minutes"),
    "DV_SSL_CERT": ("DV", False, "Medium", "minutes"),
    "OV_SSL_CERT": ("OV", False, "High", "3 to 5 working days"),
    "OV_SSL_CERT_PRO": ("OV", True, "High", "3 to 5 working days"),
    "EV_SSL_CERT": ("EV", False, "Highest", "7 to 10 working days"),
    "EV_SSL_CERT_PRO": ("EV", True, "Highest", "7 to 10 working days"),
}
TEXT = SHIPPED.read_text(encoding="utf-8")
BOOK = load(SHIPPED)
PAID = [product for product in BOOK.products if not product.free]


@pytest.fixture
def refusal(tmp_path):
    """The sentence for the shipped file with one text replaced."""

    def refuse(old, new):
        assert old in TEXT
        path = tmp_path / "catalogue.toml"
        path.write_text(TEXT.replace(old, new, 1), encoding="utf-8")
        with pytest.raises(CatalogueRefused) as refused:
            load(path)
        return refused.value.message, path.read_text(encoding="utf-8").splitlines()

    return refuse


def test_the_brands_of_the_guide_are_all_served_by_the_built_in_ca():
    assert {code: brand.title for code, brand in BOOK.brands.items()} == BRANDS
    assert {brand.issuer for brand in BOOK.brands.values()} == {"builtin"}
    assert {(line.available, line.profile) for line in BOOK.products} == {(True, "private")}


def test_every_brand_sells_every_type_for_one_year_at_a_price_above_zero():
    offered = {(line.brand, line.type, line.domain_type) for line in PAID}
    expected = {
        (brand, kind, domain_type)
        for brand in BRANDS
        for kind, (level, *_) in TYPES.items()
        for domain_type in DomainType
        if not (level == "EV" and domain_type is DomainType.WILDCARD)
    }
    assert offered == expected
    for line in PAID:
        assert line.validity_months == (12,)
        for prices in (line.plain_price, line.wildcard_price):
            assert not prices or set(prices) == {"CNY", "USD"}
            assert all(type(minor) is int and minor > 0 for minor in prices.values())


@pytest.mark.parametrize("code", TYPES)
def test_each_type_tells_scenario_verification_security_and_approval_period(code):
    kind = BOOK.types[code]
    assert (kind.level, kind.strong, kind.security, BOOK.approval_period(code)) == TYPES[code]
    assert kind.scenario
    assert ("organization" in kind.verification) is (kind.level != "DV")


def test_pro_types_use_stronger_keys_than_their_plain_types():
    for line in BOOK.products:
        expected = {"RSA_4096", "EC_P384"} if line.strong else {"RSA_2048", "RSA_3072", "EC_P256"}
        assert set(line.key_algorithms) == expected


def test_wildcards_among_several_names_are_for_ov_and_ov_pro():
    for line in BOOK.products:
        allowed = line.level == "OV" and line.domain_type is DomainType.MULTI
        assert line.wildcard_in_multi is allowed
        assert line.names == ((2, 250) if line.domain_type is DomainType.MULTI else (1, 1))


def test_one_free_certificate_by_dns_for_three_months():
    (free,) = [line for line in BOOK.products if line.free]
    assert (free.brand, free.type, free.domain_type) == ("SYMANTEC", "DV_SSL_CERT_BASIC", "SINGLE_DOMAIN")
    assert (free.validity_months, free.methods, free.free_quota, free.reissue_days) == ((3,), ("DNS",), 20, 0)
    assert BOOK.price(free, Quantities(1), "CNY").minor == 0
    assert BOOK.product("SYMANTEC", "DV_SSL_CERT_BASIC", "SINGLE_DOMAIN", free=True) is free
    assert not BOOK.product("SYMANTEC", "DV_SSL_CERT_BASIC", "SINGLE_DOMAIN").free


def test_windows_methods_and_extras_are_those_of_the_guide():
    for line in PAID:
        assert line.reissue_days == (5 if line.brand == "GLOBALSIGN" else 25)
        assert set(line.methods) == ({"DNS", "FILE"} if line.level == "DV" else {"DNS", "FILE", "EMAIL"})
        assert (line.record_type, line.www_and_apex, line.allow_internal) == ("TXT", False, False)
        assert line.organization_reuse_months == (13 if line.brand in ("SYMANTEC", "GEOTRUST") else 0)
        assert line.needs_organization is (line.level != "DV")


def test_ids_of_products_differ():
    assert len({line.id for line in BOOK.products}) == len(BOOK.products)
    assert BOOK.product("CFCA", "OV_SSL_CERT", "WILDCARD").id == "CFCA.OV_SSL_CERT.WILDCARD"


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        (("LETSENCRYPT", "DV_SSL_CERT", "SINGLE_DOMAIN"), "cert_brand"),
        (("CFCA", "DV", "SINGLE_DOMAIN"), "cert_type"),
        (("CFCA", "DV_SSL_CERT", "SINGLE"), "domain_type"),
        (("CFCA", "EV_SSL_CERT", "WILDCARD"), "domain_type"),
    ],
)
def test_what_is_not_in_the_catalogue_is_named(asked, field):
    with pytest.raises(NoSuchProduct) as refused:
        BOOK.product(*asked)
    assert refused.value.field == field


def test_there_is_no_free_certificate_of_other_brands():
    with pytest.raises(NoSuchProduct, match="no free DV"):
        BOOK.product("CFCA", "DV_SSL_CERT_BASIC", "SINGLE_DOMAIN", free=True)


def test_a_price_is_made_of_lines_of_each_kind_of_name():
    product = BOOK.product("GEOTRUST", "OV_SSL_CERT", "MULTI_DOMAIN")
    price = BOOK.price(product, Quantities(plain=3, wildcard=2, years=1, certificates=2), "CNY")
    assert [(line.kind, line.unit, line.names, line.minor) for line in price.lines] == [
        ("plain", 145600, 3, 873600),
        ("wildcard", 546000, 2, 2184000),
    ]
    assert (price.minor, price.text, price.currency) == (3057600, "30576.00", "CNY")


def test_a_currency_without_prices_is_refused():
    with pytest.raises(NoPrice, match="EUR") as refused:
        BOOK.price(PAID[0], Quantities(1), "EUR")
    assert "CNY, USD" in refused.value.next_step


@given(
    st.sampled_from(PAID),
    st.integers(1, 250),
    st.integers(1, 3),
    st.integers(1, 100),
    st.sampled_from(["CNY", "USD"]),
)
def test_prices_are_exact(product, names, years, certificates, currency):
    kind = "wildcard" if product.domain_type is DomainType.WILDCARD else "plain"
    unit = (product.wildcard_price if kind == "wildcard" else product.plain_price)[currency]
    price = BOOK.price(
        product, Quantities(**{"plain": 0, kind: names}, years=years, certificates=certificates), currency
    )
    assert Decimal(price.text) == Decimal(unit) / 100 * names * years * certificates


@pytest.mark.parametrize(
    ("day", "days", "reuse"),
    [
        (date(2019, 1, 1), 397, 398),
        (date(2026, 3, 14), 397, 398),
        (date(2026, 3, 15), 199, 200),
        (date(2027, 3, 14), 199, 200),
        (date(2027, 3, 15), 99, 100),
        (date(2029, 3, 14), 99, 100),
        (date(2029, 3, 15), 46, 10),
    ],
)
def test_public_limits_change_on_their_day(day, days, reuse):
    assert BOOK.max_validity_days("public", day) == days
    assert BOOK.reuse_days(replace(PAID[0], profile="public"), day) == reuse


def test_the_catalogue_may_shorten_certificates_and_never_lengthen_them():
    for days, expected in ((90, 90), (300, 199)):
        own = replace(BOOK.profiles["public"], validity=(Dated(date(2000, 1, 1), days),))
        book = replace(BOOK, profiles={**BOOK.profiles, "public": own})
        assert book.max_validity_days("public", date(2026, 11, 23)) == expected


def test_private_limits_hold_a_year_and_what_a_renewal_carries_over():
    assert BOOK.max_validity_days("private", date(2035, 1, 1)) >= 366 + 30
    assert BOOK.reuse_days(PAID[0], date(2026, 11, 23)) == 398


def test_a_brand_without_an_issuer_is_listed_with_the_reason_and_not_sold(tmp_path):
    path = tmp_path / "catalogue.toml"
    cfca = '[brands.CFCA]\ntitle = "CFCA"\nissuer = "builtin"'
    plain = TEXT.replace(cfca, '[brands.CFCA]\ntitle = "CFCA"')
    path.write_text(
        plain.replace(
            'title = "vTrus"\nissuer = "builtin"', 'title = "vTrus"\nreason = "The contract ended."'
        )
    )
    book = load(path)
    product = book.product("CFCA", "DV_SSL_CERT", "SINGLE_DOMAIN")
    assert (product.available, product.reason) == (False, "no issuer is configured for CFCA.")
    assert book.brands["VTRUS"].reason == "The contract ended."
    with pytest.raises(NotForSale, match="no issuer is configured") as refused:
        rules.check_for_sale(product)
    assert isinstance(refused.value, NotForSale)
    assert refused.value.field == "cert_brand"
    rules.check_for_sale(book.product("SYMANTEC", "DV_SSL_CERT", "SINGLE_DOMAIN"))


def test_a_product_may_differ_from_its_brand_and_type(tmp_path):
    path = tmp_path / "catalogue.toml"
    head = '[[products]]\nbrand = "CFCA"\ntype = "DV_SSL_CERT"\n'
    more = (
        'issuer = ""\nmethods = ["DNS"]\nkey_algorithms = ["EC_P256"]\nrecord_type = "CNAME"\n'
        "reissue_days = 3\nvalidity_months = [12, 24]\nallow_internal = true\n"
    )
    assert head in TEXT
    path.write_text(TEXT.replace(head, head + more))
    product = load(path).product("CFCA", "DV_SSL_CERT", "SINGLE_DOMAIN")
    assert (product.available, product.methods, product.key_algorithms) == (False, ("DNS",), ("EC_P256",))
    assert (product.record_type, product.reissue_days, product.validity_months) == ("CNAME", 3, (12, 24))
    assert product.allow_internal


FIRST_PRICE = 'single = { CNY = "400.00", USD = "57.00" }'


@pytest.mark.parametrize(
    ("old", "new", "key", "sentence"),
    [
        (FIRST_PRICE, 'single = { CNY = 400.00, USD = "57.00" }', "products.1.single.CNY", "quotation marks"),
        (FIRST_PRICE, 'single = { CNY = "0.00", USD = "57.00" }', "products.1.single.CNY", "above 0"),
        (FIRST_PRICE, 'single = { CNY = "-1", USD = "57.00" }', "products.1.single.CNY", "above 0"),
        (FIRST_PRICE, 'single = { CNY = "NaN", USD = "57.00" }', "products.1.single.CNY", "above 0"),
        (FIRST_PRICE, 'single = { CNY = "cheap", USD = "57.00" }', "products.1.single.CNY", "not an amount"),
        (FIRST_PRICE, 'single = { CNY = "0.001", USD = "57.00" }', "products.1.single", "more than 2 digits"),
        (FIRST_PRICE, 'single = { CNY = "400.00" }', "products.1.single", "CNY, USD"),
        (FIRST_PRICE, 'singel = { CNY = "400.00" }', "products.1.singel", "Extra inputs"),
        ("free_quota = 20", "free_quota = 0", "products.0.free", "free_quota"),
        ("free_quota = 20", f"free_quota = 20\n{FIRST_PRICE}", "products.0.free", "has no price"),
        ('brand = "SYMANTEC"', 'brand = "SYMANTIC"', "products.0.brand", "'SYMANTIC' is not defined"),
        ('type = "DV_SSL_CERT_BASIC"', 'type = "DV_SSL"', "products.0.type", "'DV_SSL' is not defined"),
        ("validity_months = [3]", "validity_months = [0]", "products.0.validity_months.0", "greater than"),
        ('profile = "private"', 'profile = "home"', "issuers.builtin.profile", "'home' is not defined"),
        ('issuer = "builtin"', 'issuer = "acme"', "brands.SYMANTEC.issuer", "'acme' is not defined"),
        ("reissue_days = 5", "reissue_days = -5", "brands.GLOBALSIGN.reissue_days", "greater than"),
        ('level = "EV"', 'level = "XV"', "types.EV_SSL_CERT.level", "'DV', 'OV' or 'EV'"),
        ("max_names = 250", "max_names = 1", "domain_types.MULTI_DOMAIN", "in order"),
        (
            "since = 2027-03-15, days = 100",
            "since = 2027-03-15",
            "profiles.public.reuse.2.days",
            "required",
        ),
    ],
)
def test_a_mistake_is_named_with_its_line_and_key(refusal, old, new, key, sentence):
    message, lines = refusal(old, new)
    assert sentence in message
    assert f"key {key}" in message
    number = int(message.split(", line ")[1].split(",")[0])
    near = {place + 1 for place, line in enumerate(lines) if new.splitlines()[-1].split(",")[0] in line}
    assert any(number - 1 <= place <= number + 8 for place in near), (number, near)


def test_a_mistake_on_one_line_is_told_on_that_very_line(refusal):
    message, lines = refusal("reissue_days = 5", "reissue_days = 500")
    number = int(message.split(", line ")[1].split(",")[0])
    assert lines[number - 1] == "reissue_days = 500"


def test_a_product_given_twice_is_refused(refusal):
    head = '[[products]]\nbrand = "GEOTRUST"\ntype = "DV_SSL_CERT"\n'
    message, _ = refusal(head, f"{head}{FIRST_PRICE}\n\n{head}")
    assert "GEOTRUST.DV_SSL_CERT.SINGLE_DOMAIN is given twice" in message


def test_a_product_with_an_issuer_that_is_not_there_is_refused(refusal):
    head = '[[products]]\nbrand = "GEOTRUST"\ntype = "DV_SSL_CERT"\n'
    message, _ = refusal(head, f'{head}issuer = "acme"\n')
    assert "issuer 'acme' is not defined" in message


def test_what_is_no_toml_is_refused_with_the_line(refusal):
    message, lines = refusal('brand = "SYMANTEC"', "brand = SYMANTEC")
    wrong = lines.index("brand = SYMANTEC") + 1
    assert f"line {wrong}" in message


def test_a_file_that_cannot_be_read_is_refused(tmp_path):
    binary = tmp_path / "binary.toml"
    binary.write_bytes(b"\xff\xfe")
    for path in (tmp_path / "missing.toml", binary):
        with pytest.raises(CatalogueRefused, match="cannot be read"):
            load(path)


def test_the_file_of_the_settings_is_read_once(tmp_path, monkeypatch):
    path = tmp_path / "mine.toml"
    path.write_text(TEXT.replace('title = "DigiCert"', 'title = "DigiCert of mine"'), encoding="utf-8")
    mine = settings.get().model_copy(update={"catalogue": path})
    assert catalogue() is catalogue()
    monkeypatch.setattr(settings, "_installed", mine)
    assert catalogue().brands["SYMANTEC"].title == "DigiCert of mine"
    path.unlink()
    assert catalogue().brands["SYMANTEC"].title == "DigiCert of mine"


def test_lines_are_found_for_keys_without_a_table_of_their_own():
    assert queries.line_of("a = 1\nb = 2\n", ("b",)) == 2
    assert queries.line_of("a = 1\n", ("products", 7, "brand")) == 1
    assert queries.line_of("[x]\n[y]\na = 1\n", ("x", "a")) == 1


def test_refusals_of_buyers_are_bad_parameters():
    for refusal in (NoSuchProduct, NotForSale, NoPrice):
        assert refusal.kind == BadParameter.kind


def test_what_acme_clients_get_free_of_charge_is_for_them_alone():
    free, paid = BOOK.enrolment[0], PAID[0]
    BOOK.check_buyer(free, by_acme=True)
    BOOK.check_buyer(paid, by_acme=False)
    with pytest.raises(NotForSale, match="ACME clients alone"):
        BOOK.check_buyer(free, by_acme=False)
