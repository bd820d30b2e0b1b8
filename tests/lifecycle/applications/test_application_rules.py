"""The one check of an application: both sides of each limit."""

from dataclasses import dataclass, replace

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from certdesk.foundation.common.errors import BadParameter, CertdeskError, Forbidden, Kind
from certdesk.lifecycle.applications.contacts import same_company
from certdesk.lifecycle.applications.form import ApplicationForm, from_mapping
from certdesk.lifecycle.applications.rules import Applicant, allowed_algorithms, check_application
from certdesk.lifecycle.catalogue.queries import catalogue
from certdesk.pki.authority import subjects
from certdesk.pki.authority.errors import RequestRefused


@dataclass(frozen=True)
class Product:
    level: str = "DV"
    key_algorithms: tuple[str, ...] = ("RSA_2048", "RSA_3072", "EC_P256")
    issuer: str = "builtin"
    profile: str = "private"
    methods: tuple[str, ...] = ("DNS", "FILE")
    wildcard_in_multi: bool = False
    allow_internal: bool = False
    allow_ip: bool = False


@dataclass
class Bought:
    domain_type: str = "SINGLE_DOMAIN"
    primary_domain_type: str = ""
    single_quota: int = 0
    wildcard_quota: int = 0


GOOD = ApplicationForm(
    domain="shop.example.com",
    applicant_name="Ada Lovelace",
    applicant_phone="+44 20 7946 0000",
    applicant_email="ada@example.com",
    agree_privacy_protection=True,
)
COMPANY = {
    "company_name": "Example Trading Co.,Ltd",
    "company_province": "Guizhou",
    "company_city": "Guiyang",
    "country": "cn",
}


def check(product=None, bought=None, applicant=None, **changes):
    return check_application(
        replace(GOOD, **changes), bought or Bought(), product or Product(), applicant or Applicant()
    )


def refused(kind=CertdeskError, **arguments) -> CertdeskError:
    with pytest.raises(kind) as caught:
        check(**arguments)
    assert caught.value.message.endswith(".")
    assert caught.value.next_step
    return caught.value


def make_csr(*names: str, key=None) -> str:
    key = key or ec.generate_private_key(ec.SECP256R1())
    builder = x509.CertificateSigningRequestBuilder().subject_name(
        x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0])])
    )
    builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(n) for n in names]), False)
    return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM).decode()


def test_a_plain_application_passes_with_the_default_key():
    checked = check()
    assert checked.names.texts == ("shop.example.com",)
    assert checked.key_algorithm == "RSA_2048"
    assert checked.spki is None
    assert checked.method == "DNS"
    assert checked.ca_hash_algorithm == "DEFAULT"


def test_automatic_dns_is_kept_for_the_room_that_knows_the_connections():
    assert check(auto_dns_auth=True).auto_dns
    assert not check().auto_dns


def test_the_statement_must_be_accepted():
    assert refused(agree_privacy_protection=False).field == "agree_privacy_protection"


@pytest.mark.parametrize(
    ("strong", "algorithm", "good"),
    [
        (False, "RSA_2048", True),
        (False, "RSA_3072", True),
        (False, "EC_P256", True),
        (False, "RSA_4096", False),
        (False, "EC_P384", False),
        (True, "RSA_4096", True),
        (True, "EC_P384", True),
        (True, "RSA_2048", False),
        (True, "EC_P256", False),
        (True, "SM2", False),
    ],
)
def test_pro_types_take_the_strong_keys_and_plain_types_the_others(strong, algorithm, good):
    brand = catalogue().product("GEOTRUST", "OV_SSL_CERT_PRO" if strong else "OV_SSL_CERT", "SINGLE_DOMAIN")
    product = Product(key_algorithms=brand.key_algorithms)
    if good:
        assert check(product=product, key_algorithm=algorithm).key_algorithm == algorithm
    else:
        fault = refused(product=product, key_algorithm=algorithm)
        assert fault.field == "key_algorithm"
        assert algorithm in fault.message
        assert allowed_algorithms(product)[0] in fault.next_step


def test_a_public_profile_of_our_own_issuer_never_makes_the_key():
    assert "6.1.1.3" in refused(product=Product(profile="public")).message
    assert check(product=Product(profile="public"), domain="", csr=make_csr("shop.example.com")).csr


def test_the_names_come_from_the_csr():
    checked = check(domain="", csr=make_csr("a.example.com"))
    assert checked.names.texts == ("a.example.com",)
    assert checked.key_algorithm == "EC_P256"
    assert checked.spki


def test_a_csr_for_another_name_is_refused():
    fault = refused(domain="b.example.com", csr=make_csr("a.example.com"))
    assert fault.kind is Kind.BAD_CSR
    assert "a.example.com" in fault.message


def test_a_csr_with_more_names_than_bought_is_refused():
    assert refused(domain="", csr=make_csr("a.example.com", "b.example.com")).kind is Kind.BAD_NAMES


def test_the_application_may_hold_more_names_than_its_csr():
    many = Bought(domain_type="MULTI_DOMAIN", single_quota=2)
    checked = check(bought=many, domain="a.example.com", sans="b.example.com", csr=make_csr("a.example.com"))
    assert checked.names.texts == ("a.example.com", "b.example.com")


def test_a_csr_with_the_wrong_kind_of_key_is_refused():
    csr = make_csr("shop.example.com", key=ec.generate_private_key(ec.SECP384R1()))
    assert "EC P-384" in refused(csr=csr).message


def test_a_blocked_key_is_refused():
    with pytest.raises(CertdeskError) as caught:
        check_application(
            replace(GOOD, csr=make_csr("shop.example.com")),
            Bought(),
            Product(),
            Applicant(),
            blocked=lambda digest: len(digest) == 32,
        )
    assert caught.value.kind is Kind.BAD_CSR


def test_a_weak_rsa_key_is_refused():
    csr = make_csr("shop.example.com", key=rsa.generate_private_key(65537, 1024))  # noqa: S505
    assert refused(csr=csr).kind is Kind.BAD_CSR


@pytest.mark.parametrize("sans", ["b.example.com;c.example.com", "b.example.com\r\nc.example.com\n"])
def test_additional_names_are_parted_by_semicolon_or_line(sans):
    many = Bought(domain_type="MULTI_DOMAIN", single_quota=2)
    assert len(check(bought=many, sans=sans).names.names) == 3


def test_additional_names_stay_within_what_was_bought():
    many = Bought(domain_type="MULTI_DOMAIN", single_quota=1)
    assert check(bought=many, sans="b.example.com")
    assert refused(bought=many, sans="b.example.com;c.example.com").kind is Kind.BAD_NAMES


def test_wildcards_among_several_names_need_a_type_that_takes_them():
    many = Bought(domain_type="MULTI_DOMAIN", single_quota=1, wildcard_quota=1)
    sans = "b.example.com;*.example.com"
    assert check(bought=many, product=Product(wildcard_in_multi=True), sans=sans)
    assert refused(bought=many, sans=sans).kind is Kind.BAD_NAMES


def test_no_name_at_all_is_refused():
    assert refused(domain=" ").field == "domain"


@pytest.mark.parametrize("missing", ["company_name", "company_province", "company_city", "country"])
@pytest.mark.parametrize("level", ["OV", "EV"])
def test_the_company_is_mandatory_for_ov_and_ev_only(level, missing):
    product = Product(level=level)
    assert check(product=product, **COMPANY).company["country"] == "CN"
    assert refused(product=product, **(COMPANY | {missing: " "})).field == missing
    assert check().company == {}


def test_a_public_ev_certificate_needs_a_true_registration_number():
    product = Product(level="EV", profile="public")
    csr = make_csr("shop.example.com")
    assert refused(product=product, csr=csr, **COMPANY).field == "registration_number"
    assert check(product=product, csr=csr, registration_number="91520900MA6J", **COMPANY)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("company_name", "E" * 64),
        ("company_name", "Example\nLtd"),
        ("company_city", "x\x00"),
        ("country", "CHN"),
        ("country", "C1"),
        ("country", "UK"),
        ("country", "ZZ"),
        ("country", "XX"),
        ("jurisdiction_country", "UK"),
        ("company_name", "Example\u2028Ltd"),
        ("registration_number", "HRB_1"),
        ("registration_number", "京A1"),
        ("business_category", "Sole Trader"),
    ],
)
def test_bad_company_fields_are_refused(field, value):
    assert refused(product=Product(level="OV"), **(COMPANY | {field: value})).field == field


@pytest.mark.parametrize("space", ["\u3000", "\u00a0", "\u2009"])
def test_other_spaces_become_plain_ones(space):
    # rule: APP-15
    name = f"{space}例子{space}有限公司 "
    found = check(product=Product(level="OV"), **(COMPANY | {"company_name": name})).company
    assert found["name"] == "例子 有限公司"


def test_what_the_authority_would_refuse_is_refused_at_once(monkeypatch):
    def refused_later(level, subject):
        raise RequestRefused("The subject is odd.", next_step="Correct it.", field="locality")

    monkeypatch.setattr(subjects, "refuse_subject", refused_later)
    assert refused(product=Product(level="OV"), **COMPANY).field == "company_city"


def test_63_characters_of_company_pass():
    assert check(product=Product(level="OV"), **(COMPANY | {"company_name": "E" * 63}))


@pytest.mark.parametrize(
    ("name", "good"),
    [
        ("abcd", True),
        ("abc", False),
        ("李雷", True),  # 6 bytes
        ("李", False),
        ("a" * 100, True),
        ("a" * 101, False),
        ("A_b-c, d.", True),
        ("Bobby; drop", False),
        ("Ada\nBcc: x", False),
        ("", False),
    ],
)
def test_the_applicant_name_has_4_to_100_bytes_of_letters(name, good):
    if good:
        assert check(applicant_name=name)
    else:
        assert refused(applicant_name=name).field == "applicant_name"


@pytest.mark.parametrize("phone", ["", "12", "call me", "+" + "1" * 40, "1\n2345678"])
def test_bad_phone_numbers_are_refused(phone):
    assert refused(applicant_phone=phone).field == "applicant_phone"


@pytest.mark.parametrize(
    "email",
    ["", "ada", "ada@localhost", "a@b@example.com", "a\r\nBcc: b@example.com", "x" * 65 + "@example.com"],
)
def test_bad_addresses_are_refused(email):
    assert refused(applicant_email=email).field == "applicant_email"


def test_the_technical_contact_is_whole_or_absent():
    contact = {
        "contact_name": "Alan Turing",
        "contact_phone": "02079460001",
        "contact_email": "alan@example.com",
    }
    assert check(**contact).contact["contact_name"] == "Alan Turing"
    for missing in contact:
        assert refused(**(contact | {missing: ""})).field == missing


def test_contact_details_stand_in_no_representation():
    assert "ada@example.com" not in repr(GOOD)
    assert "7946" not in repr(GOOD)


def test_email_verification_is_refused_for_dv():
    assert refused(BadParameter, domain_method="EMAIL").field == "domain_method"


def test_a_wildcard_anywhere_removes_the_file_method():
    wildcard = Bought(domain_type="WILDCARD")
    assert (
        "wildcard"
        in refused(BadParameter, bought=wildcard, domain="*.example.com", domain_method="FILE").message
    )


def test_file_and_email_are_taken_where_the_rule_allows_them():
    assert check(domain_method="file").method == "FILE"
    offers = Product(level="OV", methods=("DNS", "FILE", "EMAIL"))
    assert check(product=offers, domain_method="email", **COMPANY).method == "EMAIL"


def test_a_product_offers_its_own_methods_only():
    refused(BadParameter, product=Product(methods=("DNS",)), domain_method="FILE")
    refused(BadParameter, domain_method="CARRIER PIGEON")


def test_a_name_too_long_for_its_record_is_refused_at_once():
    long = ".".join(["a" * 60] * 4) + ".com"
    assert len(long) <= 253
    assert "too long" in refused(domain=long).message


def test_an_account_without_real_name_authentication_cannot_apply():
    refused(Forbidden, applicant=Applicant(real_name_verified=False))


def test_a_special_enterprise_cannot_apply_for_ov():
    special = Applicant(special_enterprise=True)
    assert check(applicant=special)
    refused(Forbidden, applicant=special, product=Product(level="OV"), **COMPANY)


@pytest.mark.parametrize(
    ("value", "good"), [("", True), ("DEFAULT", True), ("SHA-256", True), ("MD5", False)]
)
def test_the_root_hash_algorithm_is_default_or_sha_256(value, good):
    if good:
        assert check(ca_hash_algorithm=value).ca_hash_algorithm in ("DEFAULT", "SHA-256")
    else:
        assert refused(ca_hash_algorithm=value).field == "ca_hash_algorithm"


def test_a_body_with_nulls_and_unknown_keys_is_a_form():
    form = from_mapping({"domain": "a.example.com", "sans": None, "future_field": 1})
    assert form == ApplicationForm(domain="a.example.com")


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("Example Ltd", " Example Ltd ", True),
        ("Cafe\u0301 Ltd", "Caf\u00e9 Ltd", True),
        ("Example Ltd", "Example LTD", False),
    ],
)
def test_company_names_are_compared_exactly_after_trimming_and_nfc(one, other, same):
    assert same_company({"name": one}, {"name": other}) is same
