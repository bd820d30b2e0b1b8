"""Cross-certificates: who trusts the other root alone verifies, with openssl; and what is refused."""

import subprocess
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.hazmat.primitives.serialization.pkcs7 import load_der_pkcs7_certificates
from cryptography.x509 import ocsp as wire

from certdesk.foundation.audit.models import Event
from certdesk.foundation.iam.principal import system_principal
from certdesk.pki.authority import actions, constraints, crosses, issuers, lint, ocsp, queries
from certdesk.pki.authority.errors import CrossRefused, NoSuchPlace
from certdesk.pki.authority.models import Authority, Cross
from certdesk.pki.keystore import use
from certdesk.pki.keystore.errors import KeyElsewhere
from certdesk.pki.keystore.models import Held, Key
from certdesk.pki.x509.certificates import load_chain_pem, to_pem
from certdesk.pki.x509.keys import KeyAlgorithm
from tests.support.authority import NOW, pooled_key, request, signed
from tests.support.outside_root import Outside, made_ca, outside_root, pem

pytestmark = pytest.mark.usefixtures("ca")
OPERATOR = system_principal("", "cli")
NEW = "root-p256-g2"


def der(slug: str) -> bytes:
    return bytes(Authority.objects.get(slug=slug).certificate_der)


def verified(folder: Path, root: bytes, leaf: bytes, above: str) -> str:
    """What openssl says with one root alone and the certificates that a server would send."""
    (folder / "root.pem").write_text(to_pem(root))
    (folder / "above.pem").write_text(above)
    (folder / "leaf.pem").write_text(to_pem(leaf))
    how = ["-x509_strict", "-no-CApath", "-no-CAstore", "-attime", str(int(NOW.timestamp()) + 60)]
    files = ["-CAfile", "root.pem", "-untrusted", "above.pem", "leaf.pem"]
    done = subprocess.run(
        ["openssl", "verify", *how, *files], cwd=folder, capture_output=True, text=True, check=False
    )
    return done.stdout + done.stderr


def test_who_trusts_either_root_alone_verifies(tmp_path: Path) -> None:
    """A new root and its authority; the root of another chain certifies the root, and so all below it."""
    actions.create(["root-p256", "dv-p256"], NOW, OPERATOR)
    made = crosses.sign(NEW, "root-rsa2048", NOW, OPERATOR)
    leaf = signed(request(("www.example.com",)))
    assert (leaf.issuer, made.slug) == ("dv-p256-g2", f"{NEW}-x1")
    (other,) = crosses.alternates(leaf.issuer, NOW)
    assert (other.name, "Root RSA-2048" in other.root) == (made.slug, True)
    usual = leaf.chain_pem.decode()
    assert "leaf.pem: OK" in verified(tmp_path, der(NEW), leaf.der, usual)
    assert "leaf.pem: OK" in verified(tmp_path, der("root-rsa2048"), leaf.der, other.pem)
    assert "leaf.pem: OK" in verified(tmp_path, der(NEW), leaf.der, other.pem)
    assert "unable to get" in verified(tmp_path, der("root-rsa2048"), leaf.der, usual)
    assert "unable to get" in verified(tmp_path, der("root-p256"), leaf.der, other.pem)
    (event,) = Event.objects.filter(action=crosses.MADE)
    assert (event.resource, made.slug in event.details) == (f"authority:{NEW}", True)
    assert crosses.alternates(leaf.issuer, made.not_after) == ()


def test_an_authority_keeps_its_level_and_its_bounds_and_ocsp_knows_the_certificate() -> None:
    bounds = constraints.bounds(["example.com"], [])
    actions.create(["dv-p256"], NOW, OPERATOR, lambda one: pooled_key(one, 5), bounds)
    before = issuers.find("dv-p256-g2")
    made = crosses.sign("dv-p256-g2", "root-p384", NOW, OPERATOR)
    cross = x509.load_der_x509_certificate(bytes(made.certificate_der))
    assert constraints.of(cross) == constraints.of(before.certificate)
    assert lint.whole(bytes(made.certificate_der), "CA") == ()
    for slug, kind in (("ov-p256", "CROSS"), ("root-p256", "CROSS_ROOT")):
        unbound = crosses.sign(slug, "root-p384", NOW, OPERATOR)
        assert lint.whole(bytes(unbound.certificate_der), kind) == ()
    root = x509.load_der_x509_certificate(der("root-p384"))
    asked = wire.OCSPRequestBuilder().add_certificate(cross, root, hashes.SHA1()).build()  # noqa: S303
    ocsp.forget()
    answer = wire.load_der_ocsp_response(ocsp.answer(asked.public_bytes(Encoding.DER), NOW).der)
    assert answer.certificate_status is wire.OCSPCertStatus.GOOD
    leaf = x509.load_der_x509_certificate(signed(request(("www.example.com",))).der)
    pointers = leaf.extensions.get_extension_for_class(x509.AuthorityInformationAccess).value
    assert [one.access_location.value for one in pointers][1:] == [
        f"http://pki.example.com/ca/dv-p256-g2.{ending}" for ending in ("cer", "p7c")
    ]
    bundle = load_der_pkcs7_certificates(crosses.bundle("dv-p256-g2", NOW) or b"")
    assert {one.issuer for one in bundle} == {before.certificate.issuer, root.subject}
    assert (crosses.bundle("nobody", NOW), queries.cross("nobody")) == (None, None)
    assert queries.cross(made.slug) == made.certificate_der
    assert len(crosses.alternates("dv-p256-g2", NOW)) == 2


@pytest.mark.parametrize(
    ("slug", "by", "why"),
    [
        ("dv-p256", "root-p256", "not another root"),
        ("root-p256", "root-p256", "not another root"),
        ("dv-p256", "ov-rsa2048", "not another root"),
    ],
)
def test_only_another_root_that_is_in_force_certifies(slug: str, by: str, why: str) -> None:
    with pytest.raises(CrossRefused, match=why):
        crosses.sign(slug, by, NOW, OPERATOR)


def test_it_is_made_once_and_not_for_what_is_retired_nor_by_a_key_that_is_elsewhere() -> None:
    crosses.sign("dv-p256", "root-p384", NOW, OPERATOR)
    with pytest.raises(CrossRefused, match="has one of Certdesk"):
        crosses.sign("dv-p256", "root-p384", NOW, OPERATOR)
    Authority.objects.filter(slug="ev-p256").update(retired_at=NOW)
    with pytest.raises(CrossRefused, match="retired"):
        crosses.sign("ev-p256", "root-p384", NOW, OPERATOR)
    Key.objects.filter(authority__slug="root-rsa4096").update(held=Held.ELSEWHERE)
    use.forget_loaded()
    with pytest.raises(KeyElsewhere):
        crosses.sign("dv-p256", "root-rsa4096", NOW, OPERATOR)
    with pytest.raises(NoSuchPlace):
        crosses.sign("nobody", "root-p384", NOW, OPERATOR)
    assert crosses.alternates("nobody", NOW) == ()


def test_nothing_is_signed_of_what_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A root's signature under a certificate that is on no record could not be taken back."""
    crosses.sign("dv-p256", "root-p384", NOW, OPERATOR)
    end = Authority.objects.get(slug="ev-p256").not_after
    touched = []
    monkeypatch.setattr(crosses.crossing, "certify", lambda *_: touched.append(1))
    with pytest.raises(CrossRefused, match="has one of Certdesk"):
        crosses.sign("dv-p256", "root-p384", NOW, OPERATOR)
    with pytest.raises(CrossRefused, match="expired"):
        crosses.sign("ev-p256", "root-p384", end, OPERATOR)
    assert touched == []


def test_another_process_that_was_first_is_not_overwritten(monkeypatch: pytest.MonkeyPatch) -> None:
    """It signs the same while this one signs."""
    certify = crosses.crossing.certify

    def overtaken(*arguments: Any) -> bytes:
        monkeypatch.setattr(crosses.crossing, "certify", certify)
        crosses.sign("dv-p256", "root-p384", NOW, OPERATOR)
        return certify(*arguments)

    monkeypatch.setattr(crosses.crossing, "certify", overtaken)
    with pytest.raises(CrossRefused, match="has one of Certdesk"):
        crosses.sign("dv-p256", "root-p384", NOW, OPERATOR)
    assert Cross.objects.count() == 1


@pytest.fixture
def outside() -> Outside:
    return outside_root()


def test_a_root_outside_certifies_by_csr_and_its_clients_verify(outside: Outside, tmp_path: Path) -> None:
    asked = x509.load_pem_x509_csr(crosses.ask("root-p256", OPERATOR).encode())
    assert asked.is_signature_valid
    own = x509.load_der_x509_certificate(der("root-p256"))
    assert (asked.subject, asked.public_key()) == (own.subject, own.public_key())
    key_id = asked.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    cross = made_ca(
        asked.subject,
        asked.public_key(),
        outside.between.subject,
        outside.between_key,
        path_length=1,
        key_id=key_id,
    )
    given = pem(cross, outside.between, outside.root)
    taken = crosses.take("root-p256", given, NOW, OPERATOR)
    assert (taken.root, taken.issuer, taken.slug) == ("Old Root", None, "root-p256-x1")
    leaf = signed(request(("www.example.com",)))
    (other,) = crosses.alternates(leaf.issuer, NOW)
    assert len(load_chain_pem(other.pem)) == 3
    root = outside.root.public_bytes(Encoding.DER)
    assert "leaf.pem: OK" in verified(tmp_path, root, leaf.der, other.pem)
    assert "unable to get" in verified(tmp_path, root, leaf.der, leaf.chain_pem.decode())
    events = Event.objects.filter(action__startswith="authority.cross").order_by("id")
    assert [one.action for one in events] == [crosses.ASKED, crosses.TAKEN]
    with pytest.raises(CrossRefused, match="has one of Old Root already"):
        crosses.take("root-p256", given, NOW, OPERATOR)


def test_a_chain_is_offered_until_the_first_of_it_expires(outside: Outside) -> None:
    own = x509.load_der_x509_certificate(der("root-p256"))
    key_id = own.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    issuer, key = outside.between.subject, outside.between_key
    cross = made_ca(own.subject, own.public_key(), issuer, key, key_id=key_id)
    between = made_ca(issuer, key.public_key(), outside.root.subject, outside.key, days=50)
    crosses.take("root-p256", pem(cross, between, outside.root), NOW, OPERATOR)
    end = NOW + timedelta(days=50)
    assert len(crosses.alternates("dv-p256", end - timedelta(seconds=1))) == 1
    assert crosses.alternates("dv-p256", end) == ()


def refusals(outside: Outside) -> Sequence[tuple[str, str]]:
    """What was brought for `root-p256`, and why it is not taken."""
    own = x509.load_der_x509_certificate(der("root-p256"))
    key_id = own.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    subject, key, top = own.subject, own.public_key(), outside.root
    other = pooled_key(KeyAlgorithm.EC_P256, 9).public_key()
    good = made_ca(subject, key, top.subject, outside.key, key_id=key_id)
    bad = [
        (pem(good), "up to the root"),
        (pem(good, outside.between), "up to the root"),
        (pem(good, *[outside.between] * 5, top), "up to the root"),
        (pem(own, own), "does not name this authority under another issuer"),
        (pem(outside.between, top), "does not name this authority"),
        (pem(good, outside.between, top), "certificate 1 was not signed by the next one"),
    ]
    more = {
        "for another key": {"public_key": other},
        "another subject key identifier": {"key_id": x509.SubjectKeyIdentifier(b"other")},
        "certificate 1 is not one of an authority": {"ca": False},
        "certificate 1 allows no such chain": {"path_length": 0},
        "certificate 1 is not valid now": {"days": -100},
    }
    for why, change in more.items():
        wanted = {"public_key": key, "key_id": key_id, **change}
        public_key = wanted.pop("public_key")
        bad.append((pem(made_ca(subject, public_key, top.subject, outside.key, **wanted), top), why))
    return bad


def ours(outside: Outside) -> Sequence[tuple[str, str]]:
    """What was brought for `dv-p256` that its clients have already."""
    own, root, other = (
        x509.load_der_x509_certificate(der(slug)) for slug in ("dv-p256", "root-p256", "root-p384")
    )
    key_id = root.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    above = made_ca(root.subject, root.public_key(), outside.root.subject, outside.key, key_id=key_id)
    by_other = x509.load_der_x509_certificate(
        crosses.crossing.certify(own, issuers.holder("root-p384"), NOW, "http://pki.example.com")
    )
    return [
        (pem(own, root), "under another issuer"),
        (pem(own, above, outside.root), "under another issuer"),
        (pem(by_other, other), "no root outside but one of this installation"),
    ]


def test_what_helps_no_client_is_not_taken(outside: Outside) -> None:
    cases = [("root-p256", *case) for case in refusals(outside)]
    cases += [("dv-p256", *case) for case in ours(outside)]
    for slug, given, why in cases:
        with pytest.raises(CrossRefused, match=why):
            crosses.take(slug, given, NOW, OPERATOR)
    assert not Cross.objects.exists()
