"""One pipeline, many entrances: whatever is refused is refused everywhere, in the same words, with the same
traces; whatever is issued is proved, linted, recorded and paid for alike, whoever asked and however.

A table of policies, each switched on around one wish; every entrance makes that wish.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding

from certdesk.foundation.audit.models import Event
from certdesk.foundation.common import clock, settings
from certdesk.foundation.iam import actions as iam
from certdesk.foundation.iam import queries
from certdesk.foundation.iam.models import Account, User
from certdesk.foundation.iam.principal import Via
from certdesk.foundation.jobs import testing
from certdesk.lifecycle.campaigns import rules
from certdesk.lifecycle.catalogue.queries import SHIPPED
from certdesk.lifecycle.certificates.models import Certificate, Version
from certdesk.lifecycle.issuance.models import Placement
from certdesk.lifecycle.orders.models import Balance
from certdesk.lifecycle.validation.models import Evidence
from certdesk.pki.authority import lint, shapes
from certdesk.pki.authority.models import Intent, Shape
from certdesk.pki.keystore import actions as keystore
from certdesk.pki.x509 import keys
from tests.support.entrances import AT_ONCE, ENTRANCES, NAME, Wish, World, ask, open_world
from tests.support.office import Office
from tests.support.rulebook import Caller

Around = Callable[[World], AbstractContextManager[None]]
KEY, BLOCKED = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
WEAK = rsa.generate_private_key(65537, 1024)  # noqa: S505 weak on purpose
PRICE = 630_00
ISSUED = "certificate.issue"
SOON = timedelta(seconds=5)


def csr(*names: str, key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey = KEY) -> str:
    held = [x509.DNSName(one) for one in names]
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    builder = builder.add_extension(x509.SubjectAlternativeName(held), critical=False)
    return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM).decode()


def broken(text: str) -> str:
    """The same CSR with one bit of its signature turned over."""
    der = bytearray(x509.load_pem_x509_csr(text.encode()).public_bytes(Encoding.DER))
    der[-1] ^= 1
    return x509.load_der_x509_csr(bytes(der)).public_bytes(Encoding.PEM).decode()


GOOD = Wish(csr(NAME))
ORGANIZATION = replace(GOOD, cert_type="OV_SSL_CERT")


def named(*names: str) -> Wish:
    return replace(GOOD, names=names, csr=csr(*names))


@contextmanager
def as_it_is(world: World) -> Iterator[None]:
    yield


@contextmanager
def denied(world: World) -> Iterator[None]:
    """A Deny for this name alone, beside all that Alice may (IAM-4)."""
    user = world.person.user
    document = {
        "Version": "1.1",
        "Statement": [
            {
                "Effect": "Deny",
                "Action": ["scm:cert:apply"],
                "Condition": {"StringEquals": {"scm:DomainName": [NAME]}},
            }
        ],
    }
    group = iam.create_group(user.account, "barred")
    iam.grant(group, iam.create_policy(user.account, "barred", document))
    iam.add_to_group(user, group.name)
    yield
    group.delete()


@contextmanager
def without_rights(world: World) -> Iterator[None]:
    user = world.person.user
    groups = list(user.groups.all())
    user.groups.clear()
    yield
    user.groups.set(groups)


@contextmanager
def switched_off(world: World) -> Iterator[None]:
    mine = User.objects.filter(id=world.person.user.id)
    mine.update(is_active=False)
    yield
    mine.update(is_active=True)


def flagged(**flags: bool) -> Around:
    @contextmanager
    def around(world: World) -> Iterator[None]:
        mine = Account.objects.filter(id=world.person.account.id)
        mine.update(**flags)
        yield
        mine.update(**{name: not value for name, value in flags.items()})

    return around


@contextmanager
def penniless(world: World) -> Iterator[None]:
    mine = Balance.objects.filter(account_id=world.person.account.id)
    before = mine.get().cash
    mine.update(cash=0)
    yield
    mine.update(cash=before)


@contextmanager
def compromised(world: World) -> Iterator[None]:
    keystore.block(keys.spki_sha256(BLOCKED.public_key()), "keyCompromise", clock.now())
    yield


@contextmanager
def lint_finds(world: World) -> Iterator[None]:
    """The linter finds something in a shape that nobody has proved yet."""
    real = lint.whole
    Shape.objects.all().delete()
    shapes.forget()
    with pytest.MonkeyPatch.context() as patched:
        finding = lint.Finding("ERROR", "test.never_allowed")
        patched.setattr(lint, "whole", lambda der, kind: (*real(der, kind), finding))
        yield
    shapes.forget()


@contextmanager
def forbidden_by_caa(world: World) -> Iterator[None]:
    """The CA asks for CAA, and the domain lets another one issue."""
    before, text = settings.get(), SHIPPED.read_text(encoding="utf-8")
    mark = '[issuers.builtin]\ntitle = "Built-in private CA"\n'
    file = Path(before.data) / "asks-caa.toml"
    file.write_text(text.replace(mark, mark + 'caa_domains = ["ca.desk.example"]\n'), encoding="utf-8")
    settings.install(before.model_copy(update={"catalogue": file}))
    world.office.desk.dns.set(NAME, "CAA", ['0 issue "other.example"'])
    yield
    settings.install(before)


@dataclass(frozen=True)
class Policy:
    """Attributes:
    says: a part of the refusal, at every entrance alike.
    at: where something else is said: entrance -> that.
    but: entrances that do not know it, each with the reason.
    bought: whether those who buy first and apply afterwards have bought by then.
    late: the workers refuse it, after the purchase at every entrance.
    """

    name: str
    wish: Wish
    around: Around
    says: str
    at: dict[str, str]
    but: dict[str, str]
    bought: bool = True
    late: bool = False


def policy(
    name: str,
    says: str,
    around: Around = as_it_is,
    wish: Wish = GOOD,
    *,
    at: dict[str, str] | None = None,
    but: dict[str, str] | None = None,
    bought: bool = True,
    late: bool = False,
) -> Policy:
    return Policy(name, wish, around, says, at or {}, but or {}, bought, late)


POLICIES = (
    policy("a Deny for the name", "scm:cert:apply", denied),
    policy("no rights", "scm:cert:", without_rights, bought=False),
    policy(
        "a user who is switched off",
        "verify aksk signature fail",  # nobody learns that there is such a key
        switched_off,
        bought=False,
        at={"console": "Sign in first.", "ACME": "is gone or switched off"},
    ),
    policy("an account without real name", "real-name", flagged(real_name_verified=False)),
    policy(
        "a special enterprise",
        "special enterprise",
        flagged(special_enterprise=True),
        ORGANIZATION,
        bought=False,
    ),
    policy("no money", "balance is too small", penniless, bought=False),
    policy("an underscore", "underscore", wish=named("a_b.example.com")),
    policy("a public suffix", "public suffix", wish=named("co.uk")),
    policy("an internal name", "is under .local", wish=named("intranet.local")),
    policy("a wildcard below a public suffix", "public suffix", wish=named("*.co.uk")),
    policy("a wildcard among several names", "wildcard", wish=named(NAME, f"*.{NAME}")),
    policy("a weak key", "has 1024 bits", wish=replace(GOOD, csr=csr(NAME, key=WEAK))),
    policy(
        "a key that the type does not take",
        "P-521",
        wish=replace(GOOD, csr=csr(NAME, key=ec.generate_private_key(ec.SECP521R1()))),
    ),
    policy("a compromised key", "compromised", compromised, replace(GOOD, csr=csr(NAME, key=BLOCKED))),
    policy("a CSR whose signature is wrong", "signature", wish=replace(GOOD, csr=broken(GOOD.csr))),
    policy(
        "a CSR for another name",
        "The CSR asks for other.example.com, which is not",
        wish=replace(GOOD, csr=csr("other.example.com")),
    ),
    policy("a finding of the linter", "test.never_allowed", lint_finds),
    policy("CAA for another CA", "other.example", forbidden_by_caa, late=True),
    policy(
        "a statement that was not accepted",
        "not accepted",
        wish=replace(GOOD, agreed=False),
        at={"console": "Accept the statement"},
        but={"ACME": "whoever made the credential accepted it"},
    ),
)


@dataclass(frozen=True)
class Traces:
    """What is left of a wish in the tables."""

    versions: int
    signatures: int
    fulfilled: int
    issued: int
    told: int

    @classmethod
    def now(cls) -> "Traces":
        return cls(
            Version.objects.count(),
            Intent.objects.count(),
            Placement.objects.filter(state="FULFILLED").count(),
            Certificate.objects.filter(state="ISSUED").count(),
            Event.objects.filter(action=ISSUED).count(),
        )


@pytest.fixture
def world(office: Office) -> World:
    return open_world(office)


@pytest.mark.parametrize("entrance", ENTRANCES)
def test_every_policy_holds_at_every_entrance(world: World, entrance: str) -> None:
    # rule: IAM-4
    # rule: APP-7
    # rule: APP-12
    # rule: APP-14
    # rule: DOM-12
    # rule: ORD-7
    faults = [
        f"{one.name}: {fault}"
        for one in POLICIES
        if entrance not in one.but
        for fault in faults_of(world, entrance, one)
    ]
    assert not faults, "\n".join(faults)


def faults_of(world: World, entrance: str, one: Policy) -> Iterator[str]:
    before, bought, cash = Traces.now(), Certificate.objects.count(), cash_of(world)
    with one.around(world):
        said = ask(world, entrance, one.wish)
    wanted = one.at.get(entrance, one.says)
    if not said:
        yield "nobody refused it"
    elif wanted not in said:
        yield f"refused in other words: {said[:300]}"
    if Traces.now() != before:
        yield f"{before} became {Traces.now()}"
    free_of_charge = not one.late and (entrance in AT_ONCE or not one.bought)
    if free_of_charge and (Certificate.objects.count(), cash_of(world)) != (bought, cash):
        yield "something was bought all the same"


def cash_of(world: World) -> int:
    return int(Balance.objects.get(account_id=world.person.account.id).cash)


@pytest.mark.parametrize("entrance", ENTRANCES)
def test_what_is_issued_leaves_the_same_traces_from_every_entrance(world: World, entrance: str) -> None:
    # rule: ISS-1
    # rule: VER-1
    known, cash = set(Certificate.objects.values_list("id", flat=True)), cash_of(world)
    assert ask(world, entrance, GOOD) == ""
    (made,) = Certificate.objects.exclude(id__in=known)
    assert (made.state, made.brand, made.domain, made.current_version) == ("ISSUED", "GEOTRUST", NAME, 1)
    assert made.owner_id == world.person.user.id
    assert cash - cash_of(world) == PRICE
    version = Version.objects.get(certificate_id=made.id)
    assert (version.cause, version.names, version.key_id) == ("ISSUE", NAME, "")
    assert version.spki_sha256 == keys.spki_sha256(KEY.public_key()).hex()
    intent = Intent.objects.get(serial=version.serial)
    assert (intent.state, intent.profile) == ("SIGNED", "private")
    assert Shape.objects.filter(digest=intent.shape).exists()
    proof = json.loads(intent.authorization_proof)
    assert (proof["account"], proof["names"]) == (world.person.account.id, [NAME])
    assert len(proof["evidence"]) == 1
    assert steps_of(made) == ["apply", "domains proved (domain only)", "issue"]
    paid = Event.objects.filter(resource=f"order:{made.order_id}", details__contains=made.id)
    assert {one.actor for one in paid} == {f"user:{world.person.user.id}"}


def steps_of(made: Certificate) -> list[str]:
    """The steps that the audit tells of; those of one request stand in one row."""
    rows = Event.objects.filter(resource=f"cert:{made.id}", details__contains='"events"').order_by("id")
    return [step for row in rows for step in json.loads(row.details)["events"]]


@pytest.mark.parametrize("entrance", ENTRANCES)
def test_nothing_is_signed_before_its_proof_and_its_officer(world: World, entrance: str) -> None:
    # rule: DOM-1
    # rule: ORG-2
    for wish, state in ((named("nobody.example.org"), "CHECKING"), (ORGANIZATION, "CHECKING_ORG")):
        before, known = Traces.now(), set(Certificate.objects.values_list("id", flat=True))
        said = ask(world, entrance, wish)
        made = Certificate.objects.exclude(id__in=known)
        if entrance == "ACME" and state == "CHECKING":  # the proof comes before the purchase there
            assert "pending" in said
            assert not made
        else:
            assert (said, [one.state for one in made]) == ("", [state])
        assert Traces.now() == before


@contextmanager
def unproved(world: World) -> Iterator[None]:
    """What was proved counts no more."""
    Evidence.objects.update(void_at=clock.now())
    yield


def by_reissue(alice: Caller, certificate_id: str) -> None:
    alice("certificates.reissue", certificate_id, {"agree_privacy_protection": True, "domain_method": "DNS"})
    alice("certificates.confirm_reissue", certificate_id)


def by_campaign(alice: Caller, certificate_id: str) -> None:
    query = {"name": alice.show(certificate_id)["domain"]}
    body = {"name": "New keys", "query": query, "action": "REPLACE"}
    made = str(alice("campaigns.create", body=body)["id"])
    alice("campaigns.preview", id=made)
    testing.run_all(SOON, 100)
    alice("campaigns.start", id=made)


@pytest.mark.parametrize("ask_for", [by_reissue, by_campaign])
def test_a_further_version_passes_the_same_gates(
    world: World, ask_for: Callable[[Caller, str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    # rule: REI-8
    # rule: REN-9
    # rule: DOM-12
    monkeypatch.setattr(rules, "budget", lambda *_: 100)  # a campaign's pace has tests of its own
    desk, alice = world.office.desk, Caller(queries.principal_of(world.person.user, Via.API))
    gates = ((lint_finds, "test.never_allowed"), (forbidden_by_caa, "other.example"), (unproved, ""))
    for around, says in gates:
        certificate_id = desk.issued(f"{around.__name__.replace('_', '-')}.{NAME}")
        with around(world):
            before = Traces.now()
            ask_for(alice, certificate_id)
            if says:
                desk.publish(certificate_id)
            testing.run_all(SOON, 40, strict=False)  # a campaign that waits looks again and again
        held = desk.certificate(certificate_id)
        assert held.current_version == 1
        assert says in held.last_failure
        assert bool(held.last_failure) is bool(says)
        after = Traces.now()
        assert (after.versions, after.signatures) == (before.versions, before.signatures)
    certificate_id = desk.issued("other.example.com")
    ask_for(alice, certificate_id)
    desk.publish(certificate_id)
    testing.run_all(SOON, 40)
    assert desk.certificate(certificate_id).current_version == 2
