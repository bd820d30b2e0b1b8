"""CAT and ORD: what the purchase promises, seen where the names are entered and the certificate is used."""

import subprocess
from pathlib import Path

import pytest

from certdesk.foundation.common import settings
from certdesk.lifecycle.catalogue.queries import SHIPPED
from certdesk.pki.authority import actions as authority
from tests.support.desk import Desk
from tests.support.rulebook import BUY, COMPANY, Caller, san

MULTI = {"domain_type": "MULTI_DOMAIN"}
OV = {"cert_type": "OV_SSL_CERT"}


def issue(desk: Desk, alice: Caller, certificate_id: str, domain: str, **form: object) -> None:
    alice.apply(certificate_id, domain, **form)
    desk.publish(certificate_id)
    desk.run()
    if alice.status(certificate_id) == "CHECKING_ORG":
        Caller(desk.someone("olga")).approve(certificate_id)
        desk.run()
    assert alice.status(certificate_id) == "ISSUED"


def covers(alice: Caller, certificate_id: str, folder: Path, name: str) -> bool:
    """What an outside verifier says of the certificate for a host name."""
    exported = alice("certificates.export", certificate_id)
    for file, text in (
        ("leaf", exported["certificate"]),
        ("chain", exported["certificate_chain"]),
        ("root", authority.roots_pem()),
    ):
        (folder / file).write_text(text)
    command = [
        "openssl",
        "verify",
        "-CAfile",
        "root",
        "-untrusted",
        "chain",
        "-verify_hostname",
        name,
        "leaf",
    ]
    return subprocess.run([*command, "leaf"], cwd=folder, capture_output=True, check=False).returncode == 0


@pytest.mark.parametrize(
    "bad", ["*.*.example.com", "a.*.example.com", "www*.example.com", "*", "*.", "www.example.com"]
)
def test_a_wildcard_is_one_star_as_the_leftmost_label(desk: Desk, alice: Caller, bad: str) -> None:
    # rule: CAT-1
    certificate_id = alice.buy(domain_type="WILDCARD")
    assert alice.not_applied(certificate_id, bad).field == "domain"
    alice.not_applied(certificate_id, "*.example.com", sans="*.example.org")
    alice.apply(certificate_id, "*.example.com")


def test_a_wildcard_covers_one_label(desk: Desk, alice: Caller, tmp_path: Path) -> None:
    # rule: CAT-1
    certificate_id = alice.buy(domain_type="WILDCARD")
    issue(desk, alice, certificate_id, "*.example.com")
    assert san(alice.leaf(certificate_id)) == ["*.example.com"]
    assert covers(alice, certificate_id, tmp_path, "a.example.com")
    for name in ("a.a.example.com", "example.com", "a.example.org"):
        assert not covers(alice, certificate_id, tmp_path, name)


@pytest.mark.parametrize("cert_type", ["OV_SSL_CERT", "OV_SSL_CERT_PRO", "DV_SSL_CERT", "EV_SSL_CERT"])
def test_a_wildcard_among_several_names_reaches_ov_certificates_only(
    desk: Desk, alice: Caller, cert_type: str
) -> None:
    # rule: CAT-3
    key = {"key_algorithm": "EC_P384"} if cert_type.endswith("PRO") else {}
    wanted = {**MULTI, "cert_type": cert_type, "domain_numbers": 3}
    if cert_type.startswith("OV"):
        certificate_id = alice.buy(**wanted, wildcard_domain_number=1)
        issue(desk, alice, certificate_id, "www.example.com", sans="*.example.com", **COMPANY, **key)
        assert san(alice.leaf(certificate_id)) == ["www.example.com", "*.example.com"]
    else:
        certificate_id = alice.buy(**wanted)
        alice.not_applied(certificate_id, "www.example.com", sans="*.example.com", **COMPANY)
        alice.apply(certificate_id, "www.example.com", sans="a.example.com", **COMPANY)


def test_a_name_and_its_wildcard_are_bought_and_issued_together(desk: Desk, alice: Caller) -> None:
    # rule: CAT-9
    names = {"domain_numbers": 2, "single_domain_number": 0, "wildcard_domain_number": 1}
    certificate_id = alice.buy(**MULTI, **OV, **names)
    issue(desk, alice, certificate_id, "example.com", sans="*.example.com", **COMPANY)
    assert san(alice.leaf(certificate_id)) == ["example.com", "*.example.com"]
    again = alice(
        "certificates.issue",
        body={
            "cert_brand": "GEOTRUST",
            **OV,
            "domain": "example.com",
            "sans": "*.example.com",
            "agree_privacy_protection": True,
            **COMPANY,
        },
    )
    assert again["status"] in ("ISSUED", "CHECKING")  # bought: no word of numbers that it does not carry


def test_an_application_stays_within_each_kind_that_was_bought(desk: Desk, alice: Caller) -> None:
    # rule: CAT-9
    kinds = {"domain_numbers": 4, "single_domain_number": 1, "wildcard_domain_number": 2}
    certificate_id = alice.buy(**MULTI, **OV, **kinds)
    for primary, more in (
        ("a.example.com", "b.example.com;c.example.com"),  # two plain, one bought
        ("a.example.com", "*.a.com;*.b.com;*.c.com"),  # three wildcards, two bought
        ("*.example.com", "b.example.com"),  # the primary was bought plain
    ):
        alice.not_applied(certificate_id, primary, sans=more, **COMPANY)
    alice.apply(certificate_id, "a.example.com", sans="b.example.com;*.a.com;*.b.com", **COMPANY)
    wild = alice.buy(**MULTI, **OV, **kinds, primary_domain_type="WILDCARD_DOMAIN")
    alice.apply(wild, "*.example.com", sans="b.example.com;*.a.com;*.b.com", **COMPANY)


def test_www_and_apex_for_one_name_is_a_brands_data(desk: Desk, alice: Caller, tmp_path: Path) -> None:
    # rule: CAT-10
    page = alice("catalogue.products", query={"limit": 50})
    more = alice("catalogue.products", query={"limit": 50, "marker": page["next_marker"]})
    assert not any(one.get("www_and_apex") for one in page["items"] + more["items"])
    certificate_id = alice.buy()
    issue(desk, alice, certificate_id, "www.example.com")
    assert san(alice.leaf(certificate_id)) == ["www.example.com"]


def test_internal_names_need_a_product_that_allows_them(desk: Desk, alice: Caller, tmp_path: Path) -> None:
    # rule: APP-7
    # rule: CAT-6
    certificate_id = alice.buy()
    for name in ("intranet", "db.internal", "10.0.0.1"):
        alice.not_applied(certificate_id, name)
    text = SHIPPED.read_text(encoding="utf-8")
    text += (
        '\n[brands.HOUSE]\ntitle = "House"\nissuer = "builtin"\nreissue_days = 25\n'
        '\n[[products]]\nbrand = "HOUSE"\ntype = "DV_SSL_CERT"\nallow_internal = true\n'
        'single = { CNY = "1.00", USD = "1.00" }\n'
    )
    (tmp_path / "c.toml").write_text(text, encoding="utf-8")
    settings.install(settings.get().model_copy(update={"catalogue": tmp_path / "c.toml"}))
    alice.not_applied(certificate_id, "db.internal")
    for name in ("intranet", "db.internal"):
        alice.apply(alice.buy(cert_brand="HOUSE"), name)
    alice.not_applied(alice.buy(cert_brand="HOUSE"), "bad_name.internal")


@pytest.mark.parametrize("count", [1, 3])
def test_n_ordered_are_n_certificates(desk: Desk, alice: Caller, count: int) -> None:
    # rule: ORD-3
    answer = alice("orders.buy", body={**BUY, "order_number": count})
    ids = [one["cert_id"] for one in answer["cert"]]
    assert len(set(ids)) == count
    for certificate_id in ids:
        shown = alice.show(certificate_id)
        assert (shown["status"], shown["progress"], shown["order_id"]) == ("PAID", 0, answer["order_id"])
