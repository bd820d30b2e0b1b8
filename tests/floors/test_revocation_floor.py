"""Revocations while web and worker are killed, and a whole campaign: OCSP and CRL say so, none is lost.

`CERTDESK_SIZE=full` for the stated numbers.
"""

import os
import random
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from typing import Any

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp as forms

from certdesk.interfaces.cli.client import Client
from certdesk.interfaces.cli.installation import Installation
from certdesk.lab.dns_server import LabDns
from tests.support import prepared
from tests.support.crowd import PRODUCT, C, Crowd, NoAnswer

pytestmark = [pytest.mark.server, pytest.mark.slow]
FULL = os.environ.get("CERTDESK_SIZE") == "full"
REVOKED, KILLS = (1_000, 50) if FULL else (100, 5)
STRANGERS = 10_000 if FULL else 500
MANY, WITHIN = (10_000, 900.0) if FULL else (300, 300.0)
OCSP_WITHIN, CRL_WITHIN = 2.0, 60.0
NAME = "revoked-shop.com"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Installation, Crowd, Client]]:
    """An installation at work, a client, and a name that is proved."""
    folder = tmp_path_factory.mktemp("revoking")
    with LabDns() as dns, Installation(folder / "home", dns_resolvers=dns.server, workers="2") as made:
        made.environment.pop("COVERAGE_PROCESS_CONFIG", None)  # killed processes have nothing to tell it
        key = prepared.set_up(made)
        made.start("web", "worker")
        made.wait_ready()
        crowd = Crowd(made.url, key, dns, NAME)
        with closing(crowd.client()) as client:
            crowd.prove(client)
            yield made, crowd, client


def until(fact: Callable[[], object], seconds: float, what: Callable[[], str]) -> float:
    """Seconds until the fact held."""
    began = time.monotonic()
    while not fact():
        assert time.monotonic() - began < seconds, what()
        threading.Event().wait(0.05)
    return time.monotonic() - began


def issued(crowd: Crowd, client: Client, count: int) -> dict[str, x509.Certificate]:
    """So many certificates with EC keys that the service made, by id."""
    found: dict[str, x509.Certificate] = {}
    while len(found) < count:
        item = {**PRODUCT, "domain": NAME, "key_algorithm": "EC_P256"}
        items = [item] * min(100, count - len(found))
        for one in crowd.keyed(client, f"{C}/batch-issue", {"items": items})["items"]:
            found[one["cert_id"]] = x509.load_pem_x509_certificate(one["certificate"].encode())
    return found


class Relying:
    """A browser: asks OCSP and reads CRLs."""

    def __init__(self, home: Installation) -> None:
        self._home = home
        self._http = httpx.Client(timeout=10, trust_env=False)

    def issuer(self, slug: str = "dv-p256") -> x509.Certificate:
        content = self._http.get(f"{self._home.url}/ca/{slug}.cer").raise_for_status().content
        return x509.load_der_x509_certificate(content)

    def status(self, serial: int, issuer: x509.Certificate) -> forms.OCSPCertStatus:
        digest = issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest
        name = hashes.Hash(hashes.SHA1())  # noqa: S303 of a CertID
        name.update(issuer.subject.public_bytes())
        request = (
            forms.OCSPRequestBuilder()
            .add_certificate_by_hash(name.finalize(), digest, serial, hashes.SHA1())  # noqa: S303
            .build()
            .public_bytes(Encoding.DER)
        )
        answer = self._http.post(
            f"{self._home.url}/ocsp", content=request, headers={"Content-Type": "application/ocsp-request"}
        )
        return forms.load_der_ocsp_response(answer.content).certificate_status

    def listed(self, leaves: list[x509.Certificate]) -> set[int]:
        """Serials of these that their own CRL shows."""
        by_list: dict[str, list[int]] = {}
        for leaf in leaves:
            points = leaf.extensions.get_extension_for_class(x509.CRLDistributionPoints).value
            url = str((points[0].full_name or [])[0].value)
            by_list.setdefault("/" + url.split("/", 3)[3], []).append(leaf.serial_number)
        found: set[int] = set()
        for path, serials in by_list.items():
            answer = self._http.get(self._home.url + path)
            if answer.status_code == 200:
                on_it = {one.serial_number for one in x509.load_der_x509_crl(answer.content)}
                found |= on_it & set(serials)
        return found

    def close(self) -> None:
        self._http.close()


class Revoker:
    """Asks for one revocation after the other, and again where no answer came."""

    def __init__(self, crowd: Crowd, wanted: list[str]) -> None:
        self._crowd, self._wanted = crowd, wanted
        self.acknowledged: list[str] = []
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self._work, name="revoker")

    def _work(self) -> None:
        with closing(self._crowd.client()) as client:
            for certificate_id in self._wanted:
                self._one(client, certificate_id)

    def _one(self, client: Client, certificate_id: str) -> None:
        while not self.stop.is_set():
            with suppress(NoAnswer):
                answer = self._crowd.once(client, "GET", f"{C}/{certificate_id}")
                if answer["status"] == "ISSUED":
                    body = {"reason_code": "SUPERSEDED"}
                    self._crowd.once(client, "POST", f"{C}/{certificate_id}/revoke", body)
                self.acknowledged.append(certificate_id)
                return
            self.stop.wait(0.1)


def restart(home: Installation, names: tuple[str, ...]) -> None:
    before = home.log.read_bytes().count(b"worker started")
    home.start(*names)
    home.wait_ready()
    if "worker" in names:
        until(lambda: home.log.read_bytes().count(b"worker started") > before, 60, home.log_end)


# rule: REV-4
def test_every_revocation_reaches_ocsp_and_crl_through_kills(
    home: tuple[Installation, Crowd, Client],
) -> None:
    made, crowd, client = home
    dice = random.Random(secrets.randbits(32))
    leaves = issued(crowd, client, REVOKED)
    relying = Relying(made)
    issuer = relying.issuer()
    revoker = Revoker(crowd, list(leaves))
    revoker.thread.start()
    for _ in range(KILLS):
        revoker.stop.wait(dice.uniform(0.05, 1.0))
        victims = dice.choice([("web",), ("worker",), ("web", "worker")])
        made.kill(*victims)
        restart(made, victims)
    slowest = 0.0
    for certificate_id, leaf in leaves.items():
        until(lambda one=certificate_id: one in revoker.acknowledged, 300, made.log_end)  # type: ignore[misc]

        def told(one: str = certificate_id) -> bool:
            return bool(client.get(f"{C}/{one}")["status"] == "REVOKED")

        until(told, 60, made.log_end)
        said = until(
            lambda serial=leaf.serial_number: (  # type: ignore[misc]
                relying.status(serial, issuer) is forms.OCSPCertStatus.REVOKED
            ),
            OCSP_WITHIN,
            lambda one=certificate_id: f"{one} is revoked, and OCSP does not say so",  # type: ignore[misc]
        )
        slowest = max(slowest, said)
    revoker.thread.join(60)
    wanted = {leaf.serial_number for leaf in leaves.values()}
    listed = until(
        lambda: relying.listed(list(leaves.values())) == wanted,
        CRL_WITHIN,
        lambda: f"{len(wanted - relying.listed(list(leaves.values())))} are on no CRL",
    )
    print(f"\n{REVOKED} revoked, {KILLS} kills; OCSP at most {slowest:.1f} s, CRLs {listed:.1f} s later")  # noqa: T201
    assert not crowd.log.refused, crowd.log.refused[:3]
    assert made.run("audit", "verify")["problems"] == []
    relying.close()


def test_no_serial_that_was_never_issued_is_good(home: tuple[Installation, Crowd, Client]) -> None:
    # rule: REV-4
    relying = Relying(home[0])
    issuer = relying.issuer()
    said = {relying.status(secrets.randbits(127) + 1, issuer) for _ in range(STRANGERS)}
    assert said == {forms.OCSPCertStatus.UNKNOWN}
    relying.close()


def test_a_campaign_over_many_is_done_in_time(home: tuple[Installation, Crowd, Client]) -> None:
    # rule: REV-6
    made, crowd, client = home
    leaves = issued(crowd, client, MANY)
    body = {
        "name": "all of them",
        "query": {"name": NAME, "issuer": "builtin"},
        "action": "REPLACE_AND_REVOKE",
        "reason_code": "SUPERSEDED",
        "per_minute": 3000,
    }
    beside = next(iter(issued(crowd, client, 1)))
    began = time.monotonic()
    path = f"/v3/scm/campaigns/{client.post('/v3/scm/campaigns', body)['id']}"
    client.post(f"{path}/preview")

    def state() -> dict[str, Any]:
        return client.get(path)

    until(lambda: state()["state"] == "READY", 120, made.log_end)
    assert client.post(f"{path}/start")["total"] >= MANY
    slowest = 0.0
    while (told := state())["state"] == "RUNNING":
        assert time.monotonic() - began < WITHIN, told
        asked = time.monotonic()
        answer = client.send("PATCH", f"{C}/{beside}", {"description": secrets.token_hex(4)})
        slowest = max(slowest, time.monotonic() - asked)
        assert answer.status_code == 200, answer.text
        threading.Event().wait(0.2)
    took = time.monotonic() - began
    assert (told["state"], told["counts"]["failed"], told["counts"]["done"]) == ("DONE", 0, told["total"])
    relying = Relying(made)
    wanted = {leaf.serial_number for leaf in leaves.values()}
    until(lambda: relying.listed(list(leaves.values())) == wanted, CRL_WITHIN, made.log_end)
    relying.close()
    print(f"\n{told['total']} by one campaign in {took:.0f} s; slowest write beside it {slowest:.2f} s")  # noqa: T201
    assert took < WITHIN
