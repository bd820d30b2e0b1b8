"""A cross-certificate from outside binds an authority at least as much as the authority's own certificate."""

from collections.abc import Callable, Sequence
from ipaddress import ip_network

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID, ExtensionOID

from certdesk.foundation.iam.principal import system_principal
from certdesk.pki.authority import actions, constraints, crosses, der
from certdesk.pki.authority.errors import CrossRefused
from certdesk.pki.authority.models import Authority, Cross
from tests.support.authority import NOW, pooled_key
from tests.support.outside_root import Outside, made_ca, outside_root, pem

OPERATOR = system_principal("", "cli")
SLUG = "dv-p256-g2"
PURPOSE = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
OFFICE = constraints.bounds(["example.com", "10.0.0.0/8"], ["secret.example.com", "10.9.0.0/16"])
NOT_CRITICAL, WIDER_NAMES = "not critical", "allow names that the authority's own certificate does not"
NOT_ALIKE, WIDER_PURPOSE = "not all clients read alike", "extended key usage allows more"

Take = Callable[..., Cross]


@pytest.fixture
def take(ca: None) -> Take:
    """Brings a cross-certificate for an authority that is bound to `OFFICE`."""
    actions.create(["dv-p256"], NOW, OPERATOR, lambda kind: pooled_key(kind, 7), OFFICE)
    own = x509.load_der_x509_certificate(bytes(Authority.objects.get(slug=SLUG).certificate_der))
    outside = outside_root()

    def brought(
        more: Sequence[tuple[x509.ExtensionType, bool]], *, path_length: int | None = 0, by: Outside = outside
    ) -> Cross:
        Cross.objects.all().delete()
        key_id = own.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
        certificate = made_ca(
            own.subject,
            own.public_key(),
            by.root.subject,
            by.key,
            path_length=path_length,
            key_id=key_id,
            more=more,
        )
        return crosses.take(SLUG, pem(certificate, by.root), NOW, OPERATOR)

    return brought


def subtrees(*texts: str) -> list[x509.GeneralName]:
    return [x509.IPAddress(ip_network(one)) if "/" in one else x509.DNSName(one) for one in texts]


def names(permitted: Sequence[str], excluded: Sequence[str]) -> x509.NameConstraints:
    return x509.NameConstraints(subtrees(*permitted) or None, subtrees(*excluded) or None)


PERMITTED = ("example.com", "10.0.0.0/8")
EXCLUDED = ("secret.example.com", "10.9.0.0/16", "::/0")


@pytest.mark.parametrize(
    "given",
    [
        constraints.extension(OFFICE),
        names(("EXAMPLE.com", "10.0.0.0/8"), EXCLUDED),
        names(("www.example.com", "10.1.0.0/16"), ("::/0",)),  # nothing of what is excluded lies in these
        names(("www.example.com",), ("0.0.0.0/0", "::/0")),
        names(PERMITTED, ("example.com", "10.0.0.0/9", "::/0")),
        names(("example.com", "10.0.0.0/8", "example.org"), (*EXCLUDED, "org")),  # nothing is left of .org
        x509.NameConstraints(
            [*subtrees(*PERMITTED), x509.RFC822Name("example.com")],
            [*subtrees(*EXCLUDED), x509.UniformResourceIdentifier(".example.org")],
        ),
    ],
)
def test_bounds_that_are_the_same_or_narrower_are_taken(given: x509.NameConstraints, take: Take) -> None:
    assert take([(given, True), (PURPOSE, False)]).slug == f"{SLUG}-x1"


@pytest.mark.parametrize(
    "given",
    [
        names(("com", "10.0.0.0/8"), EXCLUDED),
        names(("example.com", "notexample.com", "10.0.0.0/8"), EXCLUDED),
        names(("example.com", "10.0.0.0/7"), EXCLUDED),
        names(("", "10.0.0.0/8"), EXCLUDED),
        names(("example.com", "10.0.0.0/8", "fd00::/8"), EXCLUDED[:2]),
        names(PERMITTED, EXCLUDED[:2]),  # IPv6 is free
        names(PERMITTED, ("10.9.0.0/16", "::/0")),
        names(PERMITTED, ("a.secret.example.com", "10.9.0.0/16", "::/0")),
        names(PERMITTED, (".secret.example.com", "10.9.0.0/16", "::/0")),  # the name itself may be free
        names(PERMITTED, ("secret.example.com", "10.9.0.0/17", "::/0")),
        names(("example.com",), ("secret.example.com", "::/0")),  # IPv4 is free
        names(("10.0.0.0/8",), EXCLUDED[1:]),  # DNS is free
        names((), EXCLUDED),
        names(PERMITTED, ()),
        x509.NameConstraints([x509.RFC822Name("example.com")], subtrees(*EXCLUDED)),
        x509.NameConstraints(  # a name that reads as a network shuts out no address
            subtrees("example.com"),
            [*subtrees("secret.example.com"), x509.DNSName("0.0.0.0"), *subtrees("::/0")],
        ),
    ],
)
def test_wider_bounds_are_refused(given: x509.NameConstraints, take: Take) -> None:
    with pytest.raises(CrossRefused, match=WIDER_NAMES):
        take([(given, True), (PURPOSE, False)])


def test_bounds_that_are_missing_or_may_be_overlooked_are_refused(take: Take) -> None:
    with pytest.raises(CrossRefused, match="has no name constraints") as refused:
        take([(PURPOSE, False)])
    assert "cross-request" in str(refused.value.next_step)
    with pytest.raises(CrossRefused, match=NOT_CRITICAL):
        take([(constraints.extension(OFFICE), False), (PURPOSE, False)])


@pytest.mark.parametrize(
    "written",
    [
        der.tlv(0x82, b"secret.example.com") + der.tlv(0x80, b"\x03"),  # minimum: three labels more
        der.tlv(0x82, b"secret.example.com") + der.tlv(0x81, b"\x00"),  # maximum: no label more
        der.tlv(0x82, b"x\x00.example.com"),
    ],
)
def test_what_clients_read_in_different_ways_is_refused(written: bytes, take: Take) -> None:
    """RFC 5280 §4.2.1.10: `minimum` is zero and `maximum` absent; our library passes over either."""
    permitted = b"".join(map(subtree, PERMITTED))
    excluded = der.sequence(written) + b"".join(map(subtree, EXCLUDED))
    content = der.sequence(der.tlv(0xA0, permitted), der.tlv(0xA1, excluded))
    odd = x509.UnrecognizedExtension(ExtensionOID.NAME_CONSTRAINTS, content)
    with pytest.raises(CrossRefused, match=NOT_ALIKE):
        take([(odd, True), (PURPOSE, False)])


def subtree(text: str) -> bytes:
    """GeneralSubtree, DER."""
    if "/" not in text:
        return der.sequence(der.tlv(0x82, text.encode()))
    network = ip_network(text)
    return der.sequence(der.tlv(0x87, network.network_address.packed + network.netmask.packed))


@pytest.mark.parametrize("path_length", [None, 1])
def test_it_lets_no_authority_follow_that_the_own_certificate_does_not(
    path_length: int | None, take: Take
) -> None:
    with pytest.raises(CrossRefused, match="more authorities follow"):
        take([(constraints.extension(OFFICE), True), (PURPOSE, False)], path_length=path_length)


@pytest.mark.parametrize(
    "purposes",
    [
        [],
        [x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH])],
        [x509.ExtendedKeyUsage([ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE])],
    ],
)
def test_it_serves_no_other_purpose(purposes: Sequence[x509.ExtensionType], take: Take) -> None:
    with pytest.raises(CrossRefused, match=WIDER_PURPOSE):
        take([(constraints.extension(OFFICE), True), *((one, False) for one in purposes)])


@pytest.mark.usefixtures("ca")
def test_the_request_asks_for_all_that_binds_the_authority() -> None:
    actions.create(["dv-p256"], NOW, OPERATOR, lambda kind: pooled_key(kind, 7), OFFICE)
    own = x509.load_der_x509_certificate(bytes(Authority.objects.get(slug=SLUG).certificate_der))
    asked = x509.load_pem_x509_csr(crosses.ask(SLUG, OPERATOR).encode())
    kinds = (x509.BasicConstraints, x509.ExtendedKeyUsage, x509.KeyUsage, x509.NameConstraints)
    for kind in kinds:
        wanted = asked.extensions.get_extension_for_class(kind)
        assert wanted == own.extensions.get_extension_for_class(kind)
