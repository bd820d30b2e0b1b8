"""A host with an agent and the desk that it asks, over TLS as between two machines."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from certdesk.foundation.common import clock
from certdesk.foundation.iam.principal import Via
from certdesk.foundation.iam.queries import principal_of
from certdesk.interfaces.public import agents
from certdesk.pki.authority import listener
from tests.support.hosts import NAME, Host, TlsFront, a_host
from tests.support.office import Office, open_office
from tests.support.rulebook import Caller


@dataclass
class World:
    office: Office
    front: TlsFront
    host: Host
    alice: Caller

    def code(self) -> str:
        return str(self.alice("agents.enrolment_code")["code"])

    def enrol(self, code: str = "", *more: str) -> tuple[int, str]:
        given = ["enrol", "--server", self.front.url, "--code", code or self.code()]
        return self.host.run(*given, *(more or ("--pin", f"sha256:{agents.pin()}")))

    def turn(self) -> tuple[int, str]:
        return self.host.run("run", "--once")

    def show(self) -> Any:
        (line,) = self.alice("agents.list", query={"limit": 50})["items"]
        return self.alice("agents.show", id=line["id"])

    def place(self) -> Any:
        (found,) = self.show()["places"]
        return found

    def issue(self, csr: str, name: str = NAME) -> str:
        """A certificate for a key of the host, by the one pipeline."""
        certificate_id = self.office.desk.buy()
        self.office.desk.apply(certificate_id, domain=name, csr=csr)
        self.office.desk.publish(certificate_id)
        self.office.desk.run()
        assert self.office.desk.state(certificate_id) == "ISSUED"
        return certificate_id

    def fingerprint(self, certificate_id: str) -> str:
        return str(self.alice.show(certificate_id)["fingerprint"]).lower().replace(":", "")


@contextmanager
def open_world(desk: str, folder: Path) -> Iterator[World]:
    """`desk`: http address of the desk that a TLS front stands before."""
    with open_office() as office, a_host(folder / "host") as host:
        chain, key = listener.issue(["127.0.0.1"], clock.real_now(), b"word")
        (folder / "chain.pem").write_bytes(chain)
        (folder / "key.pem").write_bytes(key)
        front = TlsFront(folder / "chain.pem", folder / "key.pem", "word", int(desk.rpartition(":")[2]))
        try:
            yield World(office, front, host, Caller(principal_of(office.people["alice"], Via.API)))
        finally:
            front.close()
