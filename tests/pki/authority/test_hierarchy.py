"""The hierarchy of the built-in CA."""

import re
from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.x509.oid import NameOID

from certdesk.foundation.common import settings
from certdesk.pki.authority import actions, hierarchy, issuers
from certdesk.pki.authority.errors import AuthorityMissing
from certdesk.pki.authority.models import Authority
from certdesk.pki.keystore.models import Key
from certdesk.pki.x509 import keys
from tests.support.authority import NOW, pooled_key

BRANDS = ("DigiCert", "GeoTrust", "GlobalSign", "CFCA", "TrustAsia", "vTrus", "Huawei")


def certificate_of(slug: str) -> x509.Certificate:
    return x509.load_der_x509_certificate(bytes(Authority.objects.get(slug=slug).certificate_der))


@pytest.mark.usefixtures("ca")
def test_one_intermediate_for_each_level_and_chain_under_a_root_of_its_algorithm() -> None:
    # rule: CAT-4
    assert set(Authority.objects.values_list("slug", flat=True)) == {
        *(f"{level}-{chain}" for level in ("root", "dv", "ov", "ev") for chain in ("p256", "rsa2048")),
        *(f"{level}-{chain}" for level in ("root", "ov", "ev") for chain in ("p384", "rsa4096")),
    }
    for row in Authority.objects.select_related("parent", "key"):
        certificate = x509.load_der_x509_certificate(bytes(row.certificate_der))
        parent = certificate_of(row.parent.slug if row.parent else row.slug)
        certificate.verify_directly_issued_by(parent)
        assert keys.algorithm_of(certificate.public_key()) == row.algorithm  # type: ignore[arg-type]
        assert row.parent is None or row.parent.algorithm == row.algorithm
        assert bytes(row.key.spki) == keys.spki_der(certificate.public_key())  # type: ignore[arg-type]


@pytest.mark.usefixtures("ca")
def test_no_name_carries_a_brand_and_the_installation_is_in_each() -> None:
    names = [certificate_of(row.slug).subject for row in Authority.objects.all()]
    assert len({name.rfc4514_string() for name in names}) == len(names)
    for name in names:
        text = name.rfc4514_string()
        assert not any(brand.lower() in text.lower() for brand in BRANDS)
        organization = name.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)[0].value
        assert re.fullmatch(r"Certdesk Private CA [0-9A-F]{8}", str(organization))


@pytest.mark.usefixtures("ca")
def test_making_it_again_makes_nothing_and_what_is_missing_is_added() -> None:
    assert actions.bootstrap(NOW, pooled_key) == 0
    before = certificate_of("dv-p256")
    Authority.objects.filter(slug="ev-p384").delete()
    assert actions.bootstrap(NOW, pooled_key) == 1
    assert certificate_of("dv-p256") == before
    same = hierarchy.installation_of(bytes(Authority.objects.get(slug="ev-p384").certificate_der))
    assert same == hierarchy.installation_of(bytes(Authority.objects.get(slug="dv-p256").certificate_der))


@pytest.mark.usefixtures("ca")
def test_the_roots_come_as_pem_and_authority_keys_are_the_houses_own() -> None:
    roots = x509.load_pem_x509_certificates(actions.roots_pem().encode())
    assert len(roots) == 4
    assert all(root.issuer == root.subject for root in roots)
    assert set(Key.objects.values_list("tenant", "purpose").distinct()) == {("system", "authority")}


@pytest.mark.usefixtures("ca")
def test_an_issuer_is_loaded_once_a_process() -> None:
    assert issuers.find("dv-p256") is issuers.find("dv-p256")
    assert "PrivateKey" not in repr(issuers.find("dv-p256"))
    assert "function" not in repr(issuers.find("dv-p256"))


@pytest.mark.usefixtures("ca")
@pytest.mark.parametrize(("lab", "days"), [(False, 1), (True, 3 * 365)])
def test_in_a_laboratory_it_begins_long_ago(lab: bool, days: int) -> None:
    # rule: TIM-2
    settings.install(settings.get().model_copy(update={"lab": lab}))
    Authority.objects.filter(slug="ev-p384").delete()
    actions.bootstrap(NOW, pooled_key)
    assert certificate_of("ev-p384").not_valid_before_utc == NOW - timedelta(days=days)


@pytest.mark.django_db
def test_before_it_is_made_nothing_is_issued() -> None:
    issuers.forget()
    assert actions.roots_pem() == ""
    with pytest.raises(AuthorityMissing):
        issuers.find("dv-p256")
