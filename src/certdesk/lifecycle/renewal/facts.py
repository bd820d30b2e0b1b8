"""What the calendar and the blockers look at: few statements for a whole page, however many its rows."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from certdesk.foundation.common import clock, sql
from certdesk.foundation.common.errors import CertdeskError
from certdesk.foundation.iam.principal import Principal
from certdesk.foundation.jobs import rights
from certdesk.foundation.jobs.errors import UserGone
from certdesk.lifecycle.applications.models import Application, ApplicationState, Contact
from certdesk.lifecycle.catalogue import prices
from certdesk.lifecycle.catalogue.queries import catalogue
from certdesk.lifecycle.catalogue.rules import Product, Quantities
from certdesk.lifecycle.certificates.models import Certificate
from certdesk.lifecycle.deployment.models import Binding
from certdesk.lifecycle.enrolment import succession
from certdesk.lifecycle.issuance import advice
from certdesk.lifecycle.issuers import queries as issuers
from certdesk.lifecycle.orders import queries as orders
from certdesk.lifecycle.validation import automatic
from certdesk.lifecycle.validation import queries as validation
from certdesk.lifecycle.validation.models import DnsConnection

from .models import AutoRenewal, Renewal
from .schedule import Kind, Window

_HELD = (
    "SELECT c.id FROM certificates_certificate c JOIN certificates_version v ON v.certificate_id = c.id"
    " AND v.number = c.current_version JOIN keystore_key k ON k.id = v.key_id AND k.tenant = c.account_id"
    " WHERE k.state = 'ASSIGNED' AND v.key_id <> '' AND c.id IN ({marks})"
)


@dataclass(slots=True)
class Facts:
    """By certificate id, but for `contacts` and `proved` (application) and what begins with `_` (account).

    Attributes:
        open: renewals under way; bought: those that have a renewal by purchase, whatever became of it.
        held: the service has the private key; placed: it is served somewhere that the service knows.
        advice: when the CA wants its current version replaced, where it says so.
        left: the CA hurries, and it is an ACME client's: that one is told by our own renewal information, and
            renews by itself (RFC 9773).
        proved: when the evidence of each proved name was gathered.
    """

    open: dict[str, list[Renewal]] = field(default_factory=dict)
    bought: set[str] = field(default_factory=set)
    switches: dict[str, AutoRenewal] = field(default_factory=dict)
    applications: dict[str, Application] = field(default_factory=dict)
    contacts: set[int] = field(default_factory=set)
    proved: dict[int, list[datetime]] = field(default_factory=dict)
    advice: dict[str, Window] = field(default_factory=dict)
    left: frozenset[str] = frozenset()
    held: set[str] = field(default_factory=set)
    placed: set[str] = field(default_factory=set)
    _zones: dict[str, dict[str, DnsConnection]] = field(default_factory=dict)
    _money: dict[str, tuple[str, int]] = field(default_factory=dict)
    _offered: dict[str, Product] = field(default_factory=dict)
    _products: dict[str, Product] = field(default_factory=dict)
    _people: dict[tuple[str, str], Principal | None] = field(default_factory=dict)

    def zones(self, account_id: str) -> dict[str, DnsConnection]:
        """Asked once an account."""
        if account_id not in self._zones:
            self._zones[account_id] = automatic.zones_of(account_id)
        return self._zones[account_id]

    def offered(self, product: Product) -> Product:
        """As it can be bought today; asked once a product."""
        if product.id not in self._offered:
            self._offered[product.id] = issuers.offered(product)
        return self._offered[product.id]

    def affordable(self, account_id: str, product: Product, quantities: Quantities) -> bool:
        """Whether the cash of the account pays so many names of the product today."""
        if account_id not in self._money:
            currency = orders.account_facts(account_id).currency
            self._money[account_id] = (currency, orders.cash(account_id, currency))
        currency, cash = self._money[account_id]
        try:
            if product.id not in self._products:
                self._products[product.id] = prices.current(product, clock.now())
            return cash >= catalogue().price(self._products[product.id], quantities, currency).minor
        except CertdeskError:
            return False

    def person(self, user_id: str, account_id: str) -> Principal | None:
        """The user with the rights of this moment; None when he is gone or switched off."""
        asked = (user_id, account_id)
        if asked not in self._people:
            try:
                self._people[asked] = rights.principal_of_user(user_id, account_id)
            except UserGone:
                self._people[asked] = None
        return self._people[asked]


def of(certificates: Sequence[Certificate]) -> Facts:
    """Reads them; the caller may see these certificates."""
    ids = [one.id for one in certificates]
    found = Facts()
    if not ids:
        return found
    for renewal in Renewal.objects.filter(certificate_id__in=ids).order_by("next_at", "id"):
        if renewal.state == "OPEN":
            found.open.setdefault(renewal.certificate_id, []).append(renewal)
        if renewal.kind == Kind.BUY:
            found.bought.add(renewal.certificate_id)
    found.switches = AutoRenewal.objects.in_bulk(ids)
    fulfilled = Application.objects.filter(certificate_id__in=ids, state=ApplicationState.FULFILLED)
    found.applications = {one.certificate_id: one for one in fulfilled.order_by("id")}  # the newest stays
    behind = [one.id for one in found.applications.values()]
    contacts = Contact.objects.filter(application_id__in=behind).values_list("application_id", flat=True)
    found.contacts = set(contacts)
    found.proved = validation.proved_at(behind)
    found.advice = {one: Window(*told) for one, told in advice.windows(ids).items()}
    found.left = succession.of_clients([one for one, told in found.advice.items() if told.hurried])
    found.held = {str(row[0]) for row in sql.rows(_HELD.format(marks=sql.marks(ids)), ids)}
    placed = Binding.objects.filter(certificate_id__in=ids, gone=False)
    accounts = {one.id: one.account_id for one in certificates}
    rows = placed.values_list("certificate_id", "account_id").distinct()
    found.placed = {one for one, account in rows if accounts[one] == account}
    return found
