"""Every way by which somebody can ask for a certificate, each as its client does: one wish, one answer."""

import html
import json
import re
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx
from click.testing import CliRunner
from django.test import Client

from certdesk.client import Certdesk
from certdesk.foundation.common import clock
from certdesk.foundation.iam import actions as iam
from certdesk.foundation.iam import queries
from certdesk.interfaces.cli.remote import commands, running, table
from certdesk.lifecycle.certificates.models import Certificate
from certdesk.lifecycle.enrolment import credentials
from tests.support.acme import Acme
from tests.support.jose import b64
from tests.support.jose import csr as acme_csr
from tests.support.office import Office
from tests.support.signed import HOST, Person, send

NAME = "shop.example.com"
"""Alice has proved it in every world."""
PEOPLE = {
    "applicant_name": "Ada Lovelace",
    "applicant_phone": "+44 20 7946 0000",
    "applicant_email": "ada@example.com",
}
COMPANY = {
    "company_name": "Example Trading Co.,Ltd",
    "company_province": "Guizhou",
    "company_city": "Guiyang",
    "country": "CN",
}


@dataclass(frozen=True)
class Wish:
    """What is asked for: the same at every entrance, with a CSR, as ACME knows nothing else.

    Attributes:
        csr: PEM.
    """

    csr: str
    names: tuple[str, ...] = (NAME,)
    cert_type: str = "DV_SSL_CERT"
    brand: str = "GEOTRUST"
    agreed: bool = True

    @property
    def domain_type(self) -> str:
        if len(self.names) > 1:
            return "MULTI_DOMAIN"
        return "WILDCARD" if self.names[0].startswith("*.") else "SINGLE_DOMAIN"

    @property
    def purchase(self) -> dict[str, Any]:
        return {
            "cert_brand": self.brand,
            "cert_type": self.cert_type,
            "domain_type": self.domain_type,
            "domain_numbers": len(self.names),
            "effective_time": 1,
            "order_number": 1,
            "agree_privacy_protection": True,
            "is_auto_pay": True,
        }

    @property
    def form(self) -> dict[str, Any]:
        company = COMPANY if self.cert_type.startswith("OV") else {}
        return {
            **PEOPLE,
            **company,
            "domain": self.names[0],
            "sans": ";".join(self.names[1:]),
            "csr": self.csr,
            "domain_method": "DNS",
            "agree_privacy_protection": self.agreed,
        }


class Refused(Exception):
    """The words in which the entrance said no."""


@dataclass
class World:
    """Alice at every entrance, with a browser, an access key, and a client for each ACME credential."""

    office: Office
    browser: Client
    person: Person
    clients: dict[str, Acme] = field(default_factory=dict)

    def acme(self, wish: Wish) -> Acme:
        """The client of the credential for this brand and type; made when it is first wanted."""
        if wish.cert_type not in self.clients:
            alice = self.office.desk.alice
            made, key = credentials.create(alice, clock.now(), issuer=wish.brand, types=(wish.cert_type,))
            acme = self.clients[wish.cert_type] = Acme()
            assert acme.register(made.id, key).status_code == 201
        return self.clients[wish.cert_type]


def open_world(office: Office) -> World:
    """With a proved name, and an organisation that an officer has not looked at yet."""
    desk, alice = office.desk, office.people["alice"]
    desk.issued(NAME)
    world = World(office, office.client(), Person(alice, *iam.create_access_key(alice)))
    for cert_type in ("DV_SSL_CERT", "OV_SSL_CERT"):
        world.acme(Wish("", cert_type=cert_type))
    desk.apply(desk.buy("OV_SSL_CERT"), domain=NAME, **COMPANY)
    desk.run()
    return world


# Each asks for one certificate: Refused with the words, or nothing; what came of it stands in the inventory.


def console(world: World, wish: Wish) -> None:
    bought = _but(wish.purchase, "is_auto_pay", "agree_privacy_protection")
    if wish.domain_type != "MULTI_DOMAIN":  # the page does not ask then
        bought.pop("domain_numbers")
    order = _page(world, "/certificates/buy", bought)
    order_id = order.rsplit("/", 1)[1]
    _page(
        world,
        f"/certificates/buy/confirm/{order_id}",
        {"payment_method": "BALANCE", "agree_privacy_protection": "on"},
    )
    form = {
        **_but(wish.form, "agree_privacy_protection"),
        "csr_mode": "UPLOAD",
        "ca_hash_algorithm": "DEFAULT",
    }
    if wish.agreed:
        form["agree_privacy_protection"] = "on"
    _page(world, f"/certificates/{_of(order_id)}/apply", form)


def _page(world: World, path: str, form: Mapping[str, Any]) -> str:
    """Where the page leads on to."""
    answer = world.browser.post(path, form)
    if answer.status_code != 302:
        raise Refused(_words(answer.content.decode()))
    place = str(answer.headers["Location"])
    if "/login" in place:
        raise Refused("Sign in first.")
    return place


def _words(page: str) -> str:
    """What the page says went wrong, in its alerts and beside its fields."""
    found = re.findall(r'(?s)<[^>]*(?:class="cd-error"|role="alert").*?</div>', page)
    parts = found or re.findall(r"(?s)<main.*</main>", page)
    return html.unescape(" ".join(re.sub(r"<[^>]*>", " ", " ".join(parts)).split()))


def version_3(world: World, wish: Wish) -> None:
    bought = _api(world, "/v3/scm/certificates/buy", wish.purchase)
    _unpaid(bought)
    _api(world, f"/v3/scm/certificates/{bought['cert'][0]['cert_id']}/apply", wish.form)


def version_2(world: World, wish: Wish) -> None:
    base = f"/v2/{world.person.account.id}/scm/cert"
    order_id = _api(world, f"{base}/purchase", {**_but(wish.purchase, "is_auto_pay"), "purchase_period": 1})[
        "order_id"
    ]
    _api(world, f"/v3/scm/orders/{order_id}/pay", {})
    _api(world, f"{base}/{_of(order_id)}/complete", wish.form)


def issue(world: World, wish: Wish) -> None:
    _unpaid(_api(world, "/v3/scm/certificates/issue", _at_once(wish)))


def batch(world: World, wish: Wish) -> None:
    answer = _api(world, "/v3/scm/certificates/batch-issue", {"items": [_at_once(wish)]})
    _unpaid(answer["items"][0])


def _at_once(wish: Wish) -> dict[str, Any]:
    bought = {name: wish.purchase[name] for name in ("cert_brand", "cert_type", "effective_time")}
    return {**wish.form, **bought}


def _api(world: World, path: str, body: object) -> Any:
    answer = world.person.post(path, body)
    if answer.status >= 300:
        raise Refused(answer.text)
    return answer.json


def _unpaid(answer: Mapping[str, Any]) -> None:
    """No money is no error of the API: the order stands there unpaid (ORD-7)."""
    if answer.get("unpaid_reason"):
        raise Refused(str(answer["unpaid_reason"]))


def cli(world: World, wish: Wish) -> None:
    """Buying and applying, one command each."""
    bought = _command(world, "orders", "buy", wish.purchase)
    _unpaid(bought)
    _command(world, "certificates", "apply", wish.form, bought["cert"][0]["cert_id"])


def cli_at_once(world: World, wish: Wish) -> None:
    _unpaid(_command(world, "certificates", "issue", _at_once(wish)))


def _command(world: World, chapter: str, verb: str, options: Mapping[str, Any], *ids: str) -> Any:
    """The command as it is typed; what it sends goes through this process's door."""
    typed: list[str] = list(ids)
    for name, value in options.items():
        option = name.replace("_", "-")
        if isinstance(value, bool):
            typed.append(f"--{'' if value else 'no-'}{option}")
        elif value != "":
            typed += [f"--{option}", str(value)]
    before = running.client
    running.client = lambda _: _client(world)  # where a profile would lead
    try:
        done = CliRunner().invoke(commands.command_of(table.of_chapter(chapter)[verb]), [*typed, "--json"])
    finally:
        running.client = before
    if done.exit_code == 1:
        raise Refused(done.stderr)
    assert done.exit_code == 0, (shlex.join(typed), done.output, done.exception)
    return json.loads(done.stdout)


def _client(world: World) -> Certdesk:
    def pass_on(request: httpx.Request) -> httpx.Response:
        target = request.url.raw_path.decode()
        answer = send(world.person.http, request.method, target, request.content, dict(request.headers))
        return httpx.Response(
            answer.status, content=answer.response.content, headers=dict(answer.response.headers)
        )

    made = Certdesk(f"http://{HOST}", world.person.access_key, world.person.secret_key)
    made.transport._http = httpx.Client(transport=httpx.MockTransport(pass_on))
    return made


def acme(world: World, wish: Wish) -> None:
    """Order, proofs that are known already, CSR."""
    client = world.acme(wish)
    placed = client.order(*wish.names)
    _problem(placed)
    der = acme_csr(*wish.names) if not wish.csr else _der(wish.csr)
    _problem(client.post(placed.json()["finalize"], {"csr": b64(der)}))
    world.office.desk.run(strict=False)
    shown = client.read(placed.headers["Location"])
    if shown["status"] == "invalid":
        raise Refused(shown["error"]["detail"])


def _der(text: str) -> bytes:
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import Encoding

    return x509.load_pem_x509_csr(text.encode()).public_bytes(Encoding.DER)


def _problem(answer: Any) -> None:
    if answer.status_code >= 300:
        document = answer.json()
        parts = [document["detail"], *(one["detail"] for one in document.get("subproblems", ()))]
        raise Refused(" ".join(parts))
    error = answer.json().get("error")
    if error:
        raise Refused(error["detail"])


def _but(given: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in given.items() if name not in names}


def _of(order_id: str) -> str:
    return str(Certificate.objects.get(order_id=order_id).id)


ENTRANCES: Mapping[str, Callable[[World, Wish], None]] = {
    "console": console,
    "API version 3": version_3,
    "API version 2": version_2,
    "issue at once": issue,
    "batch": batch,
    "command line": cli,
    "command line at once": cli_at_once,
    "ACME": acme,
}
AT_ONCE = ("issue at once", "batch", "command line at once", "ACME")
"""One request buys and applies: what is refused was not bought either."""


def ask(world: World, entrance: str, wish: Wish) -> str:
    """The refusal's words, at once or by the workers; empty where nobody refused anything."""
    known = set(Certificate.objects.values_list("id", flat=True))
    queries.forget_keys()  # a process knows a key's rights for a moment
    try:
        ENTRANCES[entrance](world, wish)
    except Refused as refused:
        return str(refused) or "Refused."
    world.office.desk.run(strict=False)
    (made,) = Certificate.objects.exclude(id__in=known)
    return str(made.last_failure)
