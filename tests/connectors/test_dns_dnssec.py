"""Signatures of really signed zones: BIND serves root, parent and children, made by dnssec-signzone."""

import asyncio
import ipaddress
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dns.message
import dns.name
import dns.rdatatype
import pytest

from certdesk.connectors.dns import ask, walk
from certdesk.connectors.dns.caa import CaaResult, check_caa
from certdesk.connectors.dns.dnssec import Trust
from certdesk.connectors.dns.proof import Seen, SeenAnswer, check_record
from certdesk.connectors.dns.roots import ROOT, Hints
from certdesk.connectors.dns.seen import DomainSeen, Signed, look_at
from tests.support.bind import NAMED, REASON, Bind, primary, validating

pytestmark = [
    pytest.mark.server,
    pytest.mark.skipif(NAMED is None or shutil.which("dnssec-signzone") is None, reason=REASON),
]
NOW = datetime(2026, 11, 25, tzinfo=UTC)
LOOPBACK = (ipaddress.ip_network("127.0.0.0/8"),)
VALUE = "0123456789abcdef" * 4
SERVER = "ns1.example.com."
HEAD = f"$TTL 60\n@ IN SOA {SERVER} hostmaster.example.com. 1 60 60 86400 5\n@ IN NS {SERVER}\n"
LINES = f'_dnsauth IN TXT "{VALUE}"\n@ IN CAA 0 issue "ca.example"\n*.wild IN TXT "{VALUE}"\n'
LINES += "www IN A 192.0.2.1\na.b IN A 192.0.2.2\nalias IN CNAME _dnsauth\n"
LINES += "old IN DNAME new.secure.example.com.\n"
CHILDREN = ("secure", "nsec3", "plain", "broken", "expired", "stripped", "keyless", "strange")


def run(folder: Path, *command: str) -> str:
    return subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout.strip()


def keys(folder: Path, zone: str) -> None:
    run(folder, "dnssec-keygen", "-a", "ECDSAP256SHA256", zone)
    run(folder, "dnssec-keygen", "-a", "ECDSAP256SHA256", "-f", "KSK", zone)


def sign(folder: Path, zone: str, *more: str) -> str:
    """The signed zone's file name; leaves `dsset-ZONE.` behind."""
    plain = "root" if zone == "." else zone
    run(folder, "dnssec-signzone", "-S", "-P", "-o", zone, "-f", f"{plain}.signed", *more, f"{plain}.zone")
    return f"{plain}.signed"


def ds(folder: Path, zone: str) -> str:
    dot = "" if zone == "." else "."
    return (folder / f"dsset-{zone}{dot}").read_text()


@dataclass(frozen=True)
class Lab:
    server: Bind
    hints: Hints

    def proof(self, owner: str) -> Seen:
        return asyncio.run(
            check_record(
                owner=owner,
                record_type="TXT",
                expected=VALUE,
                resolvers=(),
                allow_networks=LOOPBACK,
                now=NOW,
                hints=self.hints,
            )
        )

    def caa(self, name: str) -> CaaResult:
        return asyncio.run(
            check_caa(
                name,
                wildcard=False,
                issuer_domains=["ca.example"],
                resolvers=(),
                allow_networks=LOOPBACK,
                hints=self.hints,
            )
        )

    def seen(self, name: str) -> DomainSeen:
        return asyncio.run(look_at(name, allow_networks=LOOPBACK, hints=self.hints))


def stamp(moment: datetime) -> str:
    return moment.strftime("%Y%m%d%H%M%S")


def break_signature(file: Path) -> None:
    """Another value under the signature of the old one."""
    text = file.read_text()
    assert VALUE in text
    file.write_text(text.replace(VALUE, VALUE[::-1]).replace("ca.example", "ca.other"))


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """`.` and `example.com` are signed; of the children `plain` is not, others are broken in one way each."""
    folder = tmp_path_factory.mktemp("signed")
    files = {f"{child}.example.com": f"{child}.example.com.zone" for child in CHILDREN}
    past = datetime.now(UTC) - timedelta(days=3)
    more = {
        "nsec3": ("-3", "aabb"),
        "expired": ("-s", stamp(past - timedelta(days=9)), "-e", stamp(past)),
    }
    for zone in files:
        (folder / f"{zone}.zone").write_text(HEAD + LINES)
    for child in ("secure", "nsec3", "broken", "expired", "stripped", "keyless"):
        keys(folder, f"{child}.example.com")
        files[f"{child}.example.com"] = sign(folder, f"{child}.example.com", *more.get(child, ()))
    break_signature(folder / files["broken.example.com"])
    files["stripped.example.com"] = "stripped.example.com.zone"
    named = ("secure", "nsec3", "broken", "expired", "stripped")
    made = [ds(folder, f"{child}.example.com") for child in named]
    made += [f"keyless IN DS 1 13 2 {'00' * 32}\n", f"strange IN DS 1 200 2 {'00' * 32}\n"]
    above = HEAD + "ns1 IN A 127.0.0.1\n" + "".join(f"{one} IN NS ns1.example.com.\n" for one in CHILDREN)
    (folder / "example.com.zone").write_text(above + "".join(made))
    keys(folder, "example.com")
    files["example.com"] = sign(folder, "example.com")
    delegation = f"example.com. IN NS {SERVER}\n{SERVER} IN A 127.0.0.1\n"
    (folder / "root.zone").write_text(HEAD + delegation + ds(folder, "example.com"))
    keys(folder, ".")
    files["."] = sign(folder, ".")
    anchors = tuple(line.partition(" DS ")[2].strip() for line in ds(folder, ".").splitlines())
    with primary(folder, files) as server:
        yield Lab(server, Hints(("127.0.0.1",), server.port, anchors))


@pytest.mark.parametrize(
    ("child", "state", "answer", "told"),
    [
        ("secure", Signed.SECURE, SeenAnswer.MATCH, "DNSSEC: secure."),
        ("nsec3", Signed.SECURE, SeenAnswer.MATCH, "DNSSEC: secure."),
        ("plain", Signed.INSECURE, SeenAnswer.MATCH, "DNSSEC: the zone is not signed."),
        ("strange", Signed.INSECURE, SeenAnswer.MATCH, "DNSSEC: the zone is not signed."),
        ("broken", Signed.BOGUS, SeenAnswer.SERVFAIL, "does not hold"),
        ("expired", Signed.BOGUS, SeenAnswer.SERVFAIL, "does not hold"),
        ("stripped", Signed.BOGUS, SeenAnswer.SERVFAIL, "shows no keys"),
        ("keyless", Signed.BOGUS, SeenAnswer.SERVFAIL, "no key of the zone"),
    ],
)
def test_the_state_of_a_zone_decides_about_proof_and_caa(
    lab: Lab, child: str, state: Signed, answer: SeenAnswer, told: str
) -> None:
    zone = f"{child}.example.com"
    seen = lab.seen(zone)
    assert seen.signed is state, seen
    assert bool(seen.problem) is (child in ("expired", "stripped", "keyless"))
    proof = lab.proof(f"_dnsauth.{zone}")
    assert (proof.answer, told in proof.sentence) == (answer, True), proof.sentence
    caa = lab.caa(f"www.{zone}")
    assert caa.permitted is (answer is SeenAnswer.MATCH), caa.sentence
    if state is Signed.BOGUS:  # a failure is not "no CAA": asked again, never permission
        assert caa.retryable
        assert "DNSSEC" in caa.sentence


@pytest.mark.parametrize("child", ["secure", "nsec3"])
@pytest.mark.parametrize(
    ("owner", "answer"),
    [
        ("_dnsauth", SeenAnswer.MATCH),
        ("alias", SeenAnswer.MATCH),
        ("any.wild", SeenAnswer.MATCH),
        ("deep.any.wild", SeenAnswer.MATCH),
        ("www", SeenAnswer.NO_RECORD),
        ("b", SeenAnswer.NO_RECORD),
        ("a.b", SeenAnswer.NO_RECORD),
        ("absent", SeenAnswer.NXDOMAIN),
        ("zzz.absent", SeenAnswer.NXDOMAIN),
        ("0", SeenAnswer.NXDOMAIN),
        ("x.www", SeenAnswer.NXDOMAIN),
        ("x.old", SeenAnswer.NXDOMAIN),
    ],
)
def test_what_a_signed_zone_has_and_what_it_has_not(
    lab: Lab, child: str, owner: str, answer: SeenAnswer
) -> None:
    proof = lab.proof(f"{owner}.{child}.example.com")
    assert proof.answer is answer, proof.sentence


@pytest.mark.parametrize("child", ["secure", "nsec3"])
def test_an_answer_without_its_proof_is_no_answer(
    lab: Lab, child: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody on the way takes out signatures, or all that says that a record is absent."""
    zone = f"{child}.example.com"

    def without(*types: str) -> None:
        def strip(message: dns.message.Message) -> None:
            gone = {dns.rdatatype.from_text(one) for one in types}
            for section in (message.answer, message.authority):
                if not any(one.rdtype == dns.rdatatype.DNSKEY for one in section):
                    section[:] = [one for one in section if one.rdtype not in gone]

        real = walk.judge

        def judge(message: dns.message.Message, *more: Any) -> None:
            strip(message)
            real(message, *more)

        monkeypatch.setattr(walk, "judge", judge)

    assert lab.caa(f"www.{zone}").permitted
    without("NSEC", "NSEC3")
    refused = lab.caa(f"www.{zone}")  # nothing says that www has none: the climb does not go on
    assert (refused.permitted, refused.retryable) == (False, True)
    assert lab.proof(f"any.wild.{zone}").answer is SeenAnswer.SERVFAIL
    monkeypatch.undo()
    without("RRSIG")
    assert lab.proof(f"_dnsauth.{zone}").answer is SeenAnswer.SERVFAIL
    monkeypatch.undo()
    assert lab.proof(f"_dnsauth.{zone}").answer is SeenAnswer.MATCH


def test_without_an_anchor_nobody_checks(lab: Lab) -> None:
    unanchored = replace(lab, hints=Hints(lab.hints.addresses, lab.hints.port))
    assert unanchored.seen("secure.example.com").signed is Signed.SIGNED
    assert unanchored.seen("plain.example.com").signed is Signed.UNSIGNED
    assert unanchored.proof("_dnsauth.expired.example.com").answer is SeenAnswer.MATCH
    assert len(ROOT.anchors) == 2  # the product's own walk has the root's keys


def test_a_wrong_anchor_makes_everything_bogus(lab: Lab) -> None:
    wrong = replace(lab, hints=replace(lab.hints, anchors=ROOT.anchors))
    assert wrong.seen("secure.example.com").signed is Signed.BOGUS
    assert wrong.seen("plain.example.com").signed is Signed.BOGUS


def test_a_validating_resolver_says_the_same(lab: Lab, tmp_path: Path) -> None:
    """Where the operator has set resolvers, theirs is the validation: AD, or a failure."""
    with validating(tmp_path, lab.hints) as resolver:
        states = {
            child: asyncio.run(look_at(f"{child}.example.com", resolvers=[resolver.server])).signed
            for child in ("secure", "plain", "expired")
        }
        caa = asyncio.run(
            check_caa(
                "expired.example.com",
                wildcard=False,
                issuer_domains=["ca.example"],
                resolvers=[resolver.server],
                allow_networks=(),
            )
        )
    assert states == {"secure": Signed.SECURE, "plain": Signed.UNSIGNED, "expired": Signed.BOGUS}
    assert (caa.permitted, caa.retryable) == (False, True)


def test_an_attack_on_who_validates_ends(lab: Lab) -> None:
    """Questions are counted; without an answer about the signatures there is none about the record."""
    path = walk.Walk(LOOPBACK, replace(lab.hints, anchors=(*lab.hints.anchors, ROOT.anchors[0])))  # no cache
    name = dns.name.from_text("_dnsauth.secure.example.com")
    seen = set()
    for questions in range(20):
        for kept in (path._keys, path._zones, path._top_keys, path._top_level):
            kept.clear()
        for one in asyncio.run(path.ask_all(name, dns.rdatatype.TXT, ask.Budget(9, questions))):
            seen.add(one.status)
            assert (one.status is ask.Status.OK) is (one.trust is Trust.SECURE)
    assert seen >= {ask.Status.TIMEOUT, ask.Status.OK}
    path._keys.clear()
    path._top_keys.clear()
    assert asyncio.run(path.trust(name.parent(), ask.Budget(9, 0)))[0] is Trust.UNCHECKED
    assert asyncio.run(path.ask_all(name, dns.rdatatype.TXT, ask.Budget(9)))[0].trust is Trust.SECURE


# rule: DOM-4
# rule: DOM-12
def test_the_product_proves_issues_and_shows_by_it(
    db: None, lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.support.office import open_office  # models load only after Django is set up

    for look in (check_record, check_caa, look_at):
        monkeypatch.setitem(look.__kwdefaults__, "hints", lab.hints)  # type: ignore[attr-defined]
    with open_office() as office:
        _work(office, monkeypatch, tmp_path, lab)


def _work(office: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, lab: Lab) -> None:
    from certdesk.foundation.common import settings
    from certdesk.lifecycle.catalogue.queries import SHIPPED
    from certdesk.lifecycle.validation import proofs
    from certdesk.lifecycle.validation.models import Evidence

    text = SHIPPED.read_text(encoding="utf-8")
    wanted = '[issuers.builtin]\ntitle = "Built-in private CA"\n'
    (tmp_path / "c.toml").write_text(text.replace(wanted, wanted + 'caa_domains = ["ca.example"]\n'))
    walking = {"dns_resolvers": (), "allow_networks": LOOPBACK, "catalogue": tmp_path / "c.toml"}
    settings.install(settings.get().model_copy(update=walking))
    monkeypatch.setattr(proofs, "fresh_value", lambda _: VALUE)
    ids = {}
    for child in ("secure", "plain", "broken", "expired"):
        ids[child] = office.desk.buy()
        office.desk.apply(ids[child], domain=f"{child}.example.com")
    office.desk.run(strict=False)
    states = {child: office.desk.state(one) for child, one in ids.items()}
    assert states == {"secure": "ISSUED", "plain": "ISSUED", "broken": "CHECKING", "expired": "CHECKING"}
    told = {one.authorization_domain.partition(".")[0]: one.seen for one in Evidence.objects.all()}
    assert told["secure"].endswith("DNSSEC: secure.")
    assert told["plain"].endswith("DNSSEC: the zone is not signed.")
    client = office.client()
    page = client.get(f"/certificates/{ids['broken']}/verify").content.decode()
    assert "DNSSEC" in page
    shown_as = {"secure": "SECURE", "plain": "INSECURE", "broken": "BOGUS", "expired": "BOGUS"}
    for child, state in shown_as.items():
        shown = client.get(f"/domains/{child}.example.com/dns").content.decode()
        assert f'data-dnssec="{state}"' in shown, child
