"""A desk with the ACME server in front: no sockets but the lab's DNS."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from certdesk.foundation.common import clock
from certdesk.foundation.iam import actions as iam
from certdesk.foundation.iam.models import User
from certdesk.lifecycle.enrolment import credentials
from tests.support.acme import Acme
from tests.support.desk import Desk, open_desk
from tests.support.jose import b64

EVERYTHING = {"Version": "1.1", "Statement": [{"Effect": "Allow", "Action": ["*:*:*"]}]}


@dataclass
class House:
    """A desk whose Alice may everything, for clients too."""

    desk: Desk

    def credential(self, **limits: Any) -> tuple[str, str]:
        """Key id and HMAC key."""
        made, key = credentials.create(self.desk.alice, clock.now(), **limits)
        return made.id, key

    def client(self, key: Any = None, **limits: Any) -> Acme:
        """A client with an account."""
        acme = Acme() if key is None else Acme(key)
        assert acme.register(*self.credential(**limits)).status_code == 201
        return acme

    def prove(self, acme: Acme, order: dict[str, Any]) -> None:
        """Every pending name of the order by dns-01; the workers' turn is taken here."""
        for url in order["authorizations"]:
            found = acme.read(url)
            if found["status"] == "pending":
                owner, value, challenge = acme.record_of(found)
                self.desk.dns.set(owner, "TXT", [value])
                assert acme.post(challenge, {}).status_code == 200
        self.desk.run()

    def issued(self, acme: Acme, *names: str, csr: bytes) -> str:
        """URL of an order that is valid."""
        placed = acme.order(*names)
        assert placed.status_code == 201, placed.content
        self.prove(acme, placed.json())
        done = acme.post(placed.json()["finalize"], {"csr": b64(csr)})
        assert done.status_code == 200, done.content
        return str(placed.headers["Location"])


@contextmanager
def open_house() -> Iterator[House]:
    """Rights are read from the database at each request, so Alice has hers there too."""
    with open_desk() as desk:
        group = iam.create_group(desk.account, "all")
        policy = iam.create_policy(desk.account, "everything", EVERYTHING)
        iam.grant(group, policy)
        iam.add_to_group(User.objects.get(id=desk.alice.user_id), group.name)
        yield House(desk)
