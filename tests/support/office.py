"""Two accounts with real users and groups, the built-in CA and a lab DNS server: for tests of the console.

Alice and Bob may do everything of the group `users`, Rita reads, Otto and Olga are RA officers, Nils has no
group at all; Charlie is Alice's like in another account. All have the same password.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from django.test import Client

from certdesk.foundation.common import clock, settings
from certdesk.foundation.iam import actions as iam
from certdesk.foundation.iam import queries
from certdesk.foundation.iam.models import User
from certdesk.foundation.iam.principal import Via, system_principal
from certdesk.lab.dns_server import LabDns
from certdesk.lifecycle.orders import actions as orders
from tests.support.authority import start_ca
from tests.support.desk import Desk

PASSWORD = "correct horse battery"
GROUPS = {
    "alice": ["users"],
    "bob": ["users"],
    "rita": ["readers"],
    "otto": ["officers"],
    "olga": ["officers"],
    "nils": [],
}


@dataclass
class Office:
    """Everything of `Desk`, and the users who sign in."""

    desk: Desk
    people: dict[str, User]

    def client(self, name: str = "alice", language: str = "en") -> Client:
        """A browser in which `name` is signed in."""
        client = Client(headers={"accept-language": language})
        client.force_login(self.people[name], backend="certdesk.interfaces.console.accounts.Backend")
        just_now(client)
        return client


def just_now(client: Client, *, mfa: bool = False, seconds_ago: float = 0) -> None:
    """The session as if its user had signed in by the password, so many seconds ago."""
    session = client.session
    at = clock.real_now().timestamp() - seconds_ago
    session["signed_in"] = {"method": "password", "mfa": mfa, "at": at, "enrol": False}
    session.save()


@contextmanager
def open_office(cash: int = 100_000_000) -> Iterator[Office]:
    """`cash`: balance of Alice's account, fen."""
    before, now = settings.get(), clock.now()
    start_ca(now)
    house, other = iam.create_account("house"), iam.create_account("other")
    people = {name: iam.create_user(house, name, PASSWORD, groups) for name, groups in GROUPS.items()}
    people["charlie"] = iam.create_user(other, "charlie", PASSWORD, ["users"])
    if cash:
        orders.credit(house.id, "CNY", cash, "start", now, system_principal("", "cli"))
    with LabDns() as dns:
        settings.install(before.model_copy(update={"dns_resolvers": (dns.server,)}))
        try:
            alice = queries.principal_of(people["alice"], Via.CONSOLE)
            yield Office(Desk(house, alice, dns), people)
        finally:
            settings.install(before)
