"""An incident: every certificate of a CA is replaced by one of another, a third of them by ACME clients.

10,000 certificates with `CERTDESK_SIZE=full`; CI takes 200. The simulated commercial CA runs in this process,
behind its own port; web and worker are processes. The time to 100 % is printed, and not judged here.
"""

import os
import secrets
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from certdesk.interfaces.cli.client import Client
from certdesk.interfaces.cli.installation import Installation
from certdesk.lab.ca.server import LabCa
from certdesk.lab.dns_server import LabDns
from tests.support import prepared
from tests.support.acme import Acme
from tests.support.crowd import PRODUCT, C, Crowd
from tests.support.jose import b64, csr

pytestmark = [pytest.mark.server, pytest.mark.slow]
FULL = os.environ.get("CERTDESK_SIZE") == "full"
MANY, WITHIN = (10_000, 7_200.0) if FULL else (200, 600.0)
CLIENTS = MANY // 3
NAME = "incident-shop.com"
LINES = ("GEOTRUST.DV_SSL_CERT.SINGLE_DOMAIN", "BUILTIN.DV_SSL_CERT.SINGLE_DOMAIN")
THREADS = 4
NAMES = tuple(f"p{number}.{NAME}" for number in range(100 if FULL else 10))


class Browser:
    """An HTTP client in the shape that `Acme` wants; as a proxy would, it names the host of the settings."""

    def __init__(self, base: str) -> None:
        self._http = httpx.Client(base_url=base, timeout=60, trust_env=False, headers={"Host": "localhost"})

    def head(self, path: str) -> httpx.Response:
        return self._http.head(path)

    def get(self, path: str) -> httpx.Response:
        return self._http.get(path)

    def post(self, path: str, data: bytes, content_type: str) -> httpx.Response:
        return self._http.post(path, content=data, headers={"Content-Type": content_type})

    def close(self) -> None:
        self._http.close()


@dataclass
class Held:
    """What one ACME client has: its name, certificate, and the order that renews it."""

    number: int
    name: str
    certificate: x509.Certificate
    order: str = ""
    renewed: x509.Certificate | None = None


@dataclass
class Clients:
    """ACME clients of one account each; a thread plays many of them."""

    base: str
    credential: dict[str, str]
    held: list[Held] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    def _client(self) -> tuple[Acme, Browser]:
        browser = Browser(self.base)
        acme = Acme(http=browser)  # type: ignore[arg-type]
        answer = acme.register(self.credential["kid"], self.credential["hmac_key"])
        assert answer.status_code == 201, answer.text  # type: ignore[attr-defined]
        return acme, browser

    def play(self, work: Callable[[Acme, int], None]) -> list[threading.Thread]:
        """Starts the threads; each has its share of the clients, and an account of its own."""

        def one(share: int) -> None:
            acme, _ = self._accounts[share]
            try:
                work(acme, share)
            except BaseException as error:  # noqa: BLE001 told by the test that waits for the thread
                self.failures.append(f"{type(error).__name__}: {error}")

        found = [threading.Thread(target=one, args=(share,)) for share in range(THREADS)]
        for thread in found:
            thread.start()
        return found

    def open(self) -> None:
        self._accounts = [self._client() for _ in range(THREADS)]

    def close(self) -> None:
        for _, browser in self._accounts:
            browser.close()

    def issue(self, acme: Acme, share: int) -> None:
        for number in range(share, CLIENTS, THREADS):
            name = NAMES[number % len(NAMES)]
            order = self._finalized(acme, name)
            self.held.append(Held(number, name, self._collected(acme, order)))

    def renew(self, acme: Acme, share: int) -> None:
        """Each asks whether it is time, renews, and comes back for the certificate."""
        mine = [one for one in self.held if one.number % THREADS == share]
        for one in mine:
            start, _ = self._window(acme, one.certificate)
            assert start < f"{time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime())}", start
            one.order = self._finalized(acme, one.name, cert_id(one.certificate))
        for one in mine:
            one.renewed = self._collected(acme, one.order)

    def _window(self, acme: Acme, certificate: x509.Certificate) -> tuple[str, str]:
        found = acme.http.get(f"/acme/renewal-info/{cert_id(certificate)}").json()["suggestedWindow"]
        return found["start"], found["end"]

    def _finalized(self, acme: Acme, name: str, replaces: str = "") -> str:
        placed = acme.order(name, **({"replaces": replaces} if replaces else {}))
        assert placed.status_code == 201, placed.content
        made = placed.json()
        assert made["status"] == "ready", made
        done = acme.post(made["finalize"], {"csr": b64(csr(name))})
        assert done.status_code == 200, done.content
        return str(placed.headers["Location"])

    def _collected(self, acme: Acme, order: str) -> x509.Certificate:
        began = time.monotonic()
        while (found := acme.read(order))["status"] == "processing":
            assert time.monotonic() - began < WITHIN, found
            threading.Event().wait(1.0)
        assert found["status"] == "valid", found
        return x509.load_pem_x509_certificates(acme.post(found["certificate"]).content)[0]


def cert_id(certificate: x509.Certificate) -> str:
    key = certificate.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value.key_identifier
    serial = certificate.serial_number
    return f"{b64(key or b'')}.{b64(serial.to_bytes((serial.bit_length() + 8) // 8, 'big'))}"


@dataclass
class Scene:
    made: Installation
    crowd: Crowd
    client: Client
    ca: LabCa


@pytest.fixture
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    folder = tmp_path_factory.mktemp("incident")
    with (
        LabDns() as dns,
        LabCa(resolver=dns.server) as ca,
        Installation(
            folder / "home",
            dns_resolvers=dns.server,
            allow_networks="127.0.0.0/8",
            external_url="http://localhost",
        ) as made,
    ):
        made.environment.pop("COVERAGE_PROCESS_CONFIG", None)
        key = prepared.set_up(made)
        made.start("web", "worker")
        made.wait_ready()
        crowd = Crowd(made.url, key, dns, NAME)
        with closing(crowd.client()) as client:
            zone = {"server": dns.address, "port": dns.port, "zones": [NAME], "allow_unsigned": True}
            body = {"provider": "rfc2136", "label": "lab", "options": zone}
            connection = client.post("/v3/scm/dns-connections", body)["id"]
            client.post(f"/v3/scm/dns-connections/{connection}/test")
            options = {"server_url": ca.url, "api_key": ca.key, "dcv_method": "dns-txt"}
            issuer = {"kind": "certcentral", "slug": "lab", "profile": "private", "options": options}
            client.post("/v3/scm/issuers", issuer)
            yield Scene(made, crowd, client, ca)


def until(fact: Callable[[], object], seconds: float, what: Callable[[], str]) -> float:
    began = time.monotonic()
    while not fact():
        assert time.monotonic() - began < seconds, what()
        threading.Event().wait(0.2)
    return time.monotonic() - began


def test_every_certificate_of_a_ca_is_replaced_by_another(scene: Scene) -> None:
    # rule: REV-6
    made, client = scene.made, scene.client
    ours = issued(scene, MANY - CLIENTS)
    clients = Clients(made.url, made.run("acme-credential", "create", "--user", "admin"))
    clients.open()
    for thread in clients.play(clients.issue):
        thread.join()
    assert not clients.failures, clients.failures[:3]
    client.send("PUT", f"/v3/scm/products/{LINES[0]}/issuers", ["builtin", "lab"]).raise_for_status()
    client.send("PUT", f"/v3/scm/products/{LINES[1]}/issuers", ["lab"]).raise_for_status()
    body = {
        "name": "the CA is left",
        "query": {"issuer": "builtin"},
        "action": "REPLACE_AND_REVOKE",
        "issuer": "lab",
        "reason_code": "SUPERSEDED",
        "per_minute": 3000,
    }
    path = f"/v3/scm/campaigns/{client.post('/v3/scm/campaigns', body)['id']}"
    client.post(f"{path}/preview")
    until(lambda: client.get(path)["state"] == "READY", 300, made.log_end)
    began = time.monotonic()
    started = client.post(f"{path}/start")
    assert (started["total"], started["acme_clients"]["total"]) == (MANY, CLIENTS)
    threads = clients.play(clients.renew)
    marks = dict.fromkeys((50, 90, 99), 0.0)
    while (told := client.get(path))["state"] == "RUNNING":
        assert time.monotonic() - began < WITHIN, told
        assert not clients.failures, clients.failures[:3]
        for part, at in marks.items():
            if not at and told["counts"]["done"] >= told["total"] * part / 100:
                marks[part] = time.monotonic() - began
        threading.Event().wait(0.5)
    took = time.monotonic() - began
    for thread in threads:
        thread.join()
    assert not clients.failures, clients.failures[:3]
    assert (told["state"], told["counts"]["failed"], told["counts"]["done"]) == ("DONE", 0, MANY)
    verify(scene, clients, path, ours)
    clients.close()
    told_marks = ", ".join(f"{part} % {at:.0f} s" for part, at in marks.items())
    print(f"\n{MANY} replaced, {CLIENTS} by ACME clients: {told_marks}, 100 % {took:.0f} s")  # noqa: T201


def issued(scene: Scene, count: int) -> set[str]:
    """So many certificates of the built-in CA with keys that the service made."""
    client, found = scene.client, set(batch(scene, NAMES))  # these prove their names
    until(
        lambda: all(client.get(f"{C}/{one}")["status"] == "ISSUED" for one in found),
        120,
        scene.made.log_end,
    )
    while len(found) < count:
        few = min(100, count - len(found))
        found |= set(batch(scene, [NAMES[number % len(NAMES)] for number in range(few)]))
    return found


def batch(scene: Scene, names: Sequence[str]) -> list[str]:
    item = {**PRODUCT, "key_algorithm": "EC_P256", "auto_dns_auth": True}
    items = [{**item, "domain": name} for name in names]
    answer = scene.crowd.keyed(scene.client, f"{C}/batch-issue", {"items": items})
    return [one["cert_id"] for one in answer["items"]]


def verify(scene: Scene, clients: Clients, path: str, ours: set[str]) -> None:
    """What the service and its clients hold now leads to the new CA's root, each for its own name."""
    roots = x509.load_pem_x509_certificates(httpx.get(f"{scene.ca.url}/lab/root.pem").content)
    assert roots
    marker, seen = "", 0
    while True:
        query = f"?limit=50{f'&marker={marker}' if marker else ''}"
        page = scene.client.get(f"{path}/report{query}")
        for one in page["items"]:
            assert one["state"] == "DONE", one
            assert one["new_issuer"].startswith("lab:"), one
            assert one["revoked_at"], one
        seen += len(page["items"])
        marker = page["next_marker"]
        if not marker:
            break
    assert seen == MANY
    with scene.ca.office.lock:
        theirs = {
            made.certificate.public_bytes(Encoding.DER)
            for order in scene.ca.office.orders.values()
            for made in order.certificates
        }
    assert len(theirs) == MANY
    for held in clients.held:
        assert held.renewed is not None
        assert held.renewed.public_bytes(Encoding.DER) in theirs
        names = held.renewed.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        assert names.get_values_for_type(x509.DNSName) == [held.name]
    for certificate_id in secrets.SystemRandom().sample(sorted(ours), 20):
        answer = scene.client.post(f"{C}/{certificate_id}/export")
        leaf = x509.load_pem_x509_certificate(answer["certificate"].encode())
        assert leaf.public_bytes(Encoding.DER) in theirs
