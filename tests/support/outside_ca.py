"""A CA outside the house in this process: it keeps orders, and goes wrong in a chosen way when told to."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import ClassVar

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from certdesk.connectors.issuers import registry
from certdesk.connectors.issuers.options import IssuerOptions
from certdesk.connectors.issuers.protocol import (
    Advice,
    Capabilities,
    IssuerCheck,
    IssuerConnector,
    IssuerError,
    Order,
    OrderState,
    Reason,
    Task,
    Wanted,
)
from certdesk.foundation.common import clock, ids
from certdesk.foundation.sealing import actions as sealing
from certdesk.lifecycle.issuers import dialing
from certdesk.lifecycle.issuers.models import Issuer, Place

DAY = timedelta(days=1)
TITLE = "Outside Issuing CA"
LOST = IssuerError(Reason.TIMEOUT, "The connection broke before the answer came.")
DOWN = IssuerError(Reason.UNREACHABLE, "No connection to the CA.", sent=False)


@dataclass(frozen=True)
class Signer:
    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


@cache
def signer(title: str = TITLE) -> tuple[Signer, Signer]:
    """An intermediate and its root."""
    root_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    start = datetime(2020, 1, 1, tzinfo=UTC)
    root = _ca(f"{title} Root", root_key.public_key(), f"{title} Root", root_key, start)
    return Signer(key, _ca(title, key.public_key(), f"{title} Root", root_key, start)), Signer(root_key, root)


def _ca(
    subject: str,
    public: ec.EllipticCurvePublicKey,
    issuer: str,
    key: ec.EllipticCurvePrivateKey,
    start: datetime,
) -> x509.Certificate:
    return (
        x509.CertificateBuilder()
        .subject_name(_name(subject))
        .issuer_name(_name(issuer))
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + 20_000 * DAY)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )


@dataclass(frozen=True)
class Shape:
    """What a certificate is like; the defaults are right."""

    more_names: tuple[str, ...] = ()
    names: tuple[str, ...] | None = None
    key: ec.EllipticCurvePublicKey | None = None
    usage: tuple[x509.ObjectIdentifier, ...] = (ExtendedKeyUsageOID.SERVER_AUTH,)
    is_ca: bool = False
    begins: timedelta = -timedelta(hours=1)
    days: float = 90
    chain_of: str = TITLE
    signed_by: str = TITLE
    organization: str = ""
    country: str = ""
    serial: int = 0


def issue(csr: x509.CertificateSigningRequest, shape: Shape = Shape()) -> tuple[bytes, ...]:
    """DER of leaf and intermediate."""
    found = csr.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    names = list(found) if shape.names is None else [x509.DNSName(one) for one in shape.names]
    names += [x509.DNSName(one) for one in shape.more_names]
    start = clock.now() + shape.begins
    upper = signer(shape.signed_by)[0]
    subject = (
        [x509.NameAttribute(NameOID.ORGANIZATION_NAME, shape.organization)] if shape.organization else []
    )
    subject += [x509.NameAttribute(NameOID.COUNTRY_NAME, shape.country)] if shape.country else []
    leaf = (
        x509.CertificateBuilder()
        .subject_name(x509.Name(subject))
        .issuer_name(_name(shape.signed_by))
        .public_key(shape.key or csr.public_key())  # type: ignore[arg-type]
        .serial_number(shape.serial or x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + shape.days * DAY)
        .add_extension(x509.SubjectAlternativeName(names), critical=not subject)
        .add_extension(x509.BasicConstraints(ca=shape.is_ca, path_length=None), critical=True)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(upper.key.public_key()), critical=False
        )
    )
    if shape.usage:
        leaf = leaf.add_extension(x509.ExtendedKeyUsage(list(shape.usage)), critical=False)
    made = leaf.sign(upper.key, hashes.SHA256())
    above = signer(shape.chain_of)[0].certificate
    return made.public_bytes(Encoding.DER), above.public_bytes(Encoding.DER)


@dataclass
class Kept:
    wanted: Wanted
    handle: str
    polls: int
    state: OrderState = OrderState.WORKING
    tasks: tuple[Task, ...] = ()
    chain: tuple[bytes, ...] = ()
    words: str = ""


@dataclass
class OutsideCa:
    """See `protocol.IssuerConnector`.

    Attributes:
        slow: how many polls an order takes.
        asks: makes the tasks of an order.
        faults: (verb, when, error), taken in turn: `before` the CA hears of the call, or `after`.
        advises: what it says of when to replace a certificate, in turn; the last one stays.
        refuses: words; every order is refused with them.
    """

    slow: int = 0
    shape: Shape = Shape()
    asks: Callable[[Wanted], tuple[Task, ...]] = lambda wanted: ()
    firsts: list[bool] = field(default_factory=list)
    refuses: str = ""
    advises: list[Advice] = field(default_factory=list)
    retry_after: int | None = None
    abilities: Capabilities = field(default_factory=Capabilities)
    faults: list[tuple[str, str, Exception]] = field(default_factory=list)
    orders: dict[str, Kept] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    proceeded: list[tuple[str, ...]] = field(default_factory=list)
    revoked: list[tuple[bytes, str, int]] = field(default_factory=list)

    @property
    def capabilities(self) -> Capabilities:
        return self.abilities

    def _fault(self, verb: str, when: str) -> None:
        if self.faults and self.faults[0][:2] == (verb, when):
            raise self.faults.pop(0)[2]

    def _begin(self, verb: str) -> None:
        self.calls.append(verb)
        self._fault(verb, "before")

    def _answer(self, verb: str, kept: Kept) -> Order:
        self._fault(verb, "after")
        return Order(kept.handle, kept.state, kept.tasks, kept.words, self.retry_after, kept.chain)

    def _by_handle(self, handle: str) -> Kept:
        return next(one for one in self.orders.values() if one.handle == handle)

    async def place(self, wanted: Wanted) -> Order:
        self.firsts.append(wanted.first)
        self._begin("place")
        kept = self.orders.get(wanted.reference)
        if kept is None:
            kept = Kept(wanted, f"order-{len(self.orders) + 1}", self.slow, tasks=self.asks(wanted))
            self.orders[wanted.reference] = kept
            if self.refuses:
                kept.state, kept.words = OrderState.REFUSED, self.refuses
            elif kept.tasks:
                kept.state = OrderState.TASKS
            else:
                self._move(kept)
        return self._answer("place", kept)

    def _move(self, kept: Kept) -> None:
        if kept.state is not OrderState.WORKING:
            return
        if kept.polls <= 0:
            csr = x509.load_der_x509_csr(kept.wanted.csr)
            kept.state, kept.chain = OrderState.ISSUED, issue(csr, self.shape)
        kept.polls -= 1

    async def proceed(self, wanted: Wanted, handle: str, tasks: tuple[str, ...]) -> Order:
        self._begin("proceed")
        self.proceeded.append(tasks)
        kept = self._by_handle(handle)
        kept.tasks = tuple(replace(one, done=one.done or one.id in tasks) for one in kept.tasks)
        done = {one.name for one in kept.tasks if one.done}
        if kept.state is OrderState.TASKS and all(one.name in done for one in kept.tasks):
            kept.state = OrderState.WORKING
            self._move(kept)
        return self._answer("proceed", kept)

    async def poll(self, wanted: Wanted, handle: str) -> Order:
        self._begin("poll")
        kept = self._by_handle(handle)
        self._move(kept)
        return self._answer("poll", kept)

    async def withdraw(self, handle: str) -> Order:
        self._begin("withdraw")
        kept = self._by_handle(handle)
        if kept.state is not OrderState.ISSUED:
            kept.state, kept.words = OrderState.CANCELLED, "Cancelled as asked."
        return self._answer("withdraw", kept)

    async def revoke(self, certificate: bytes, handle: str, reason: int) -> None:
        self._begin("revoke")
        self.revoked.append((certificate, handle, reason))
        self._fault("revoke", "after")

    async def advice(self, certificate: bytes) -> Advice:
        self._begin("advice")
        return self.advises.pop(0) if len(self.advises) > 1 else self.advises[0]

    async def test(self) -> IssuerCheck:
        return IssuerCheck(True)


class NoOptions(IssuerOptions):
    label: ClassVar[str] = "A CA of tests"


def _maker(connector: IssuerConnector) -> type[IssuerConnector]:
    """A class of the connector's kind, so that it can be told what it is; called, it is this very one."""
    return type("Made", (type(connector),), {"__new__": lambda *_: connector})


@dataclass
class Front:
    """Which configured issuers there are, and in which order a product goes to them."""

    product: str = "GEOTRUST.DV_SSL_CERT.SINGLE_DOMAIN"

    def add(self, slug: str, connector: IssuerConnector, kind: str = "") -> None:
        """`connector` under this slug; or an issuer of a kind that the product has."""
        if not kind:
            kind = slug
            registry.KINDS[slug] = registry.Kind(slug, NoOptions, _maker(connector))
        now = clock.real_now()
        made = Issuer(
            id=ids.hex32(), account_id="", slug=slug, title=slug.title(), kind=kind, profile="public"
        )
        made.secret_id = sealing.seal("", dialing.purpose(made.id), b"{}")
        made.capabilities = dialing.stored(connector.capabilities)
        made.created_at = made.updated_at = now
        made.save(force_insert=True)

    def remove(self, slug: str) -> None:
        Issuer.objects.filter(slug=slug).delete()

    def order(self, *slugs: str) -> None:
        Place.objects.filter(product_id=self.product).delete()
        for position, slug in enumerate(slugs):
            Place.objects.create(product_id=self.product, position=position, slug=slug)


@contextmanager
def front(**connectors: IssuerConnector) -> Iterator[Front]:
    """Configures these for the length of a test, in this order, for the usual product."""
    before = dict(registry.KINDS)
    made = Front()
    for slug, connector in connectors.items():
        made.add(slug, connector)
    made.order(*connectors)
    try:
        yield made
    finally:
        registry.KINDS.clear()
        registry.KINDS.update(before)
