"""Name constraints: what may stand in them, what they hold, and that openssl and this CA judge alike."""

import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography import x509

from certdesk.foundation.audit.models import Event
from certdesk.foundation.common import sql
from certdesk.foundation.iam.principal import system_principal
from certdesk.foundation.jobs import testing
from certdesk.foundation.jobs.actions import enqueue
from certdesk.pki.authority import actions, constraints, issue, issuers, jobs, lint, listener, subjects, tbs
from certdesk.pki.authority.constraints import Bounds
from certdesk.pki.authority.errors import BadBounds, NameOutside
from certdesk.pki.authority.models import Authority, Intent, Shape
from certdesk.pki.authority.types import Signed
from certdesk.pki.authority.verify import verify_issued
from certdesk.pki.x509.certificates import to_pem
from certdesk.pki.x509.names import parse_name
from tests.support.authority import NOW, pooled_key, request, signed

OPERATOR = system_principal("", "cli")
OFFICE = constraints.bounds(["Example.com", "10.0.0.0/8"], ["secret.example.com", "10.9.0.0/16"])


@pytest.mark.parametrize(
    ("permitted", "excluded", "why"),
    [
        (["*.example.com"], [], "is a wildcard"),
        ([], [".example.com"], "empty label"),
        (["10.0.0.1/8"], [], "10.0.0.1/8 is no network"),
        (["example.com", "EXAMPLE.com"], [], "example.com was given twice"),
        (["example.com"], ["example.com"], "example.com was given twice"),
        (["a.example.com"], ["example.com"], "lies within what is excluded"),
        (["10.1.0.0/16"], ["10.0.0.0/8"], "lies within what is excluded"),
        (["10.0.0.0/8"], ["10.0.0.0/9", "10.128.0.0/9"], "lies within what is excluded"),
        (["fe80::1%eth0"], [], "fe80::1%eth0 is no network"),
        (["::ffff:10.0.0.0/104"], [], "an IPv4 network in the form of IPv6"),
        (["10.0.0.0/255.0.255.0"], [], "10.0.0.0/255.0.255.0 is no network"),
    ],
)
def test_what_is_no_name_and_no_network_is_refused(
    permitted: list[str], excluded: list[str], why: str
) -> None:
    with pytest.raises(BadBounds, match=why):
        constraints.bounds(permitted, excluded)


@pytest.mark.parametrize(
    ("held", "inside", "outside"),
    [
        (
            OFFICE,
            ["example.com", "a.b.example.com", "*.example.org.example.com", "10.255.255.255"],
            ["example.org", "notexample.com", "com", "11.0.0.0", "::1", "10.9.0.1"],
        ),
        (OFFICE, ["*.a.example.com"], ["*.example.com", "secret.example.com", "*.x.secret.example.com"]),
        (constraints.bounds([], ["example.com"]), ["example.org", "10.0.0.1"], ["*.example.com"]),
        (constraints.bounds(["example.com"], []), ["example.com"], ["10.0.0.1", "::1"]),
        (constraints.bounds(["fd00::/8"], []), ["fd00::1"], ["fe80::1", "10.0.0.1", "example.com"]),
        (constraints.bounds(["10.0.0.1"], []), ["10.0.0.1"], ["10.0.0.2"]),
        (constraints.bounds(["10.0.0.0/255.0.0.0"], []), ["10.9.0.1"], ["11.0.0.1"]),
        (constraints.NONE, ["example.org", "10.0.0.1"], []),
    ],
)
def test_both_sides_of_each_bound_and_the_extension_says_the_same(
    held: Bounds, inside: list[str], outside: list[str]
) -> None:
    read = held and _read_back(held)
    for bounds in (held, read):
        for text in inside:
            constraints.refuse_outside("dv", bounds, [_name(text)])
        for text in outside:
            with pytest.raises(NameOutside, match="dv"):
                constraints.refuse_outside("dv", bounds, [_name(text)])
    assert read.told == held.told


def _name(text: str) -> object:
    return parse_name(text, allow_internal=True, allow_ip=True, allow_suffix=True)


def _read_back(held: Bounds) -> Bounds:
    extension = constraints.extension(held)
    return Bounds(
        *(
            tuple(str(one.value) for one in subtrees or ())
            for subtrees in (extension.permitted_subtrees, extension.excluded_subtrees)
        )
    )


@pytest.fixture
def bound(ca: None) -> Callable[[Bounds], str]:
    """Puts an authority with bounds at `dv-p256`; answers its slug."""

    def make(bounds: Bounds) -> str:
        return actions.create(["dv-p256"], NOW, OPERATOR, pooled_key_of_its_own, bounds)[0].slug

    return make


def pooled_key_of_its_own(algorithm: object) -> object:
    return pooled_key(algorithm, 7)  # type: ignore[arg-type]


def verified(folder: Path, authority: str, leaf: bytes) -> str:
    """What `openssl verify` says of a leaf, DER, under an authority and its root."""
    row = Authority.objects.select_related("parent").get(slug=authority)
    (folder / "root.pem").write_text(to_pem(bytes(row.parent.certificate_der)))
    (folder / "ca.pem").write_text(to_pem(bytes(row.certificate_der)))
    (folder / "leaf.pem").write_text(to_pem(leaf))
    how = ["-CAfile", "root.pem", "-untrusted", "ca.pem", "-attime", str(int(NOW.timestamp()) + 60)]
    done = subprocess.run(
        ["openssl", "verify", "-x509_strict", *how, "leaf.pem"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout + done.stderr


def forced(slug: str, name: str) -> Signed:
    """A leaf signed and recorded through the lower doors, past every check of the names."""
    issuer, wanted = issuers.find(slug), request((name,))
    good = issue.prepare(request(("www.example.com",)), NOW)
    serial = int(good.serial, 16)
    content = tbs.build(
        issuer, serial, wanted.not_before, wanted.not_after, subjects.encode(()), wanted.spki, [_name(name)]
    )
    with sql.short_transaction():
        issue.intend([replace(good, tbs=content, proof=wanted.authorization)])
    made = Signed(
        serial=good.serial,
        der=issuer.assemble(content, issuer.sign(content)),
        chain_pem=issuer.chain_pem,
        issuer=slug,
        not_before=good.not_before,
        not_after=good.not_after,
        reference=good.reference,
        lint_due=True,
    )
    with sql.short_transaction():
        issue.record([made])
    return made


def test_openssl_believes_what_is_inside_and_nothing_that_is_forced_past_the_check(
    bound: Callable[[Bounds], str], tmp_path: Path
) -> None:
    slug = bound(OFFICE)
    good = signed(request(("www.example.com", "*.dev.example.com")))
    assert good.issuer == slug
    assert "leaf.pem: OK" in verified(tmp_path, slug, good.der)
    inside = signed(replace(request(("10.1.2.3",)), allow_internal=True, allow_ip=True))
    assert "leaf.pem: OK" in verified(tmp_path, slug, inside.der)
    before = Intent.objects.count()
    for name, why in (("www.example.org", "only example.com, 10"), ("a.secret.example.com", "never")):
        with pytest.raises(NameOutside, match=why):
            issue.prepare(request((name,)), NOW)
    assert Intent.objects.count() == before
    assert "permitted subtree violation" in verified(tmp_path, slug, forced(slug, "www.example.org").der)
    bad = forced(slug, "a.secret.example.com")
    assert "excluded subtree violation" in verified(tmp_path, slug, bad.der)
    report = verify_issued()
    assert [one.what for one in report.problems if one.serial == bad.serial and "never" in one.what]
    assert {one.serial for one in report.problems} == {bad.serial, _serial("www.example.org")}


def _serial(name: str) -> str:
    (row,) = (one for one in Intent.objects.all() if name.encode() in bytes(one.tbs))
    return row.serial


def test_addresses_alone_are_certified_without_a_common_name(
    bound: Callable[[Bounds], str], tmp_path: Path
) -> None:
    """openssl reads a common name that is an address as a DNS name, of which none is permitted."""
    slug = bound(constraints.bounds(["10.0.0.0/8"], []))
    made = signed(replace(request(("10.1.2.3",)), allow_internal=True, allow_ip=True))
    assert not list(x509.load_der_x509_certificate(made.der).subject)
    assert "leaf.pem: OK" in verified(tmp_path, slug, made.der)
    with pytest.raises(NameOutside):
        issue.prepare(request(("www.example.com",)), NOW)


def test_the_authority_passes_the_linter_and_says_its_bounds_to_every_client(
    bound: Callable[[Bounds], str],
) -> None:
    row = Authority.objects.get(slug=bound(OFFICE))
    certificate = x509.load_der_x509_certificate(bytes(row.certificate_der))
    extension = certificate.extensions.get_extension_for_class(x509.NameConstraints)
    assert extension.critical
    assert constraints.of(certificate).permitted == ("example.com", "10.0.0.0/8")
    assert constraints.of(certificate).excluded == ("secret.example.com", "10.9.0.0/16", "::/0")
    assert lint.whole(bytes(row.certificate_der), "CA") == ()
    (event,) = Event.objects.filter(action=actions.CREATED)
    assert '"permitted": "example.com 10.0.0.0/8"' in event.details.replace('":"', '": "')


def test_the_lint_of_what_was_issued_knows_the_bounds(bound: Callable[[Bounds], str]) -> None:
    slug = bound(OFFICE)
    made = forced(slug, "www.example.org")
    testing.run_due(strict=True)
    (event,) = Event.objects.filter(action=jobs.LINT_FAILED, resource=f"issued:{made.serial}")
    assert lint.OUTSIDE in event.details
    assert lint.outside(signed(request(("www.example.com",))).der, OFFICE) == ()


def test_shapes_are_proved_ahead_only_where_the_sample_may_be_certified(
    bound: Callable[[Bounds], str],
) -> None:
    bound(constraints.bounds(["example.org"], []))
    enqueue(jobs.PROVE)
    testing.run_due(strict=True)
    assert not Shape.objects.filter(description__contains="dv-p256").exists()
    assert Shape.objects.filter(description__contains="dv-rsa2048").exists()


@pytest.mark.usefixtures("ca")
def test_a_root_alone_takes_no_bounds_and_one_among_others_has_none() -> None:
    with pytest.raises(BadBounds, match="only roots"):
        actions.create(["root-p256"], NOW, OPERATOR, pooled_key_of_its_own, OFFICE)
    made = actions.create(["root-p256", "dv-p256"], NOW, OPERATOR, bounds=OFFICE)
    held = [constraints.of(x509.load_der_x509_certificate(bytes(one.certificate_der))) for one in made]
    assert [bool(one) for one in held] == [False, True]


@pytest.mark.usefixtures("ca")
def test_the_place_that_is_checked_for_the_own_https_is_the_one_that_signs_it() -> None:
    listener.issue(["localhost"], NOW, b"word")
    assert Intent.objects.get().authority_id == listener.PLACE


def test_the_hosts_of_the_listener_that_would_be_lost_are_told() -> None:
    hosts = ["desk.example.com", "localhost", "127.0.0.1", "::1"]
    assert listener.outside(constraints.NONE, hosts) == []
    assert listener.outside(OFFICE, hosts) == ["localhost", "127.0.0.1", "::1"]
    wide = constraints.bounds(["example.com", "localhost", "127.0.0.1", "::1"], [])
    assert listener.outside(wide, hosts) == []
