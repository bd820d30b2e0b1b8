"""One thing of every kind, for each of two accounts: what the ids of the matrix belong to."""

import re
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from certdesk.foundation.approvals import actions as approvals
from certdesk.foundation.approvals.actions import Wanted
from certdesk.foundation.approvals.rules import RuleLine
from certdesk.foundation.audit.models import Event
from certdesk.foundation.common import clock, settings
from certdesk.foundation.iam import actions as iam
from certdesk.foundation.iam import queries
from certdesk.foundation.iam.models import Account, EnterpriseProject, Group
from certdesk.foundation.iam.principal import Via, system_principal
from certdesk.foundation.outbox.models import Message
from certdesk.interfaces.operations import two_person_targets
from certdesk.interfaces.operations.registry import Operation
from certdesk.lab.elb import LabElb
from certdesk.lifecycle.applications.models import BookCompany, BookContact
from certdesk.lifecycle.catalogue.queries import catalogue
from certdesk.lifecycle.orders import actions as orders
from certdesk.lifecycle.validation import actions as validation
from certdesk.lifecycle.validation import documents
from tests.support import scripted_issuer
from tests.support.authority import start_ca
from tests.support.automatic import asked_bind, options
from tests.support.bind import Bind
from tests.support.desk import COMPANY, Desk
from tests.support.organization import PDF
from tests.support.signed import Person, account, person

from . import balancers, found

C = "/v3/scm/certificates"
EVERYTHING = {"Version": "1.1", "Statement": [{"Effect": "Allow", "Action": ["*:*:*"]}]}
CASH = 10_000_000_00
_PARAMETER = re.compile(r"([^/{}]*)/\{([a-z_]+)\}")


@dataclass
class Side:
    """One account: its people, and one thing of each kind (`ids`)."""

    account: Account
    bind: Bind
    people: dict[str, Person]
    operator: Person
    elb: LabElb
    ids: dict[str, str] = field(default_factory=dict)

    @property
    def alice(self) -> Person:
        return self.people["alice"]

    @property
    def zone(self) -> str:
        return f"{self.account.name}.example.com"

    @property
    def desk(self) -> Desk:
        principal = queries.principal_of(self.alice.user, Via.API)
        return Desk(self.account, principal, self.bind)  # type: ignore[arg-type]  # only `publish` asks it

    def name(self, label: str) -> str:
        return f"{label}.{self.zone}"

    def post(self, path: str, body: object = None, method: str = "POST") -> dict[str, object]:
        """A request of Alice's that must succeed."""
        answer = self.alice.send(method, path, body)
        assert answer.status < 300, (path, answer.status, answer.json)
        return dict(answer.json or {})

    def issued(self, label: str = "shop") -> str:
        """A certificate in Issued, its key with us; by an earlier proof of its name."""
        made = self.post(
            f"{C}/issue",
            {
                "cert_brand": "GEOTRUST",
                "cert_type": "DV_SSL_CERT",
                "agree_privacy_protection": True,
                "domain": self.name(label),
                "key_algorithm": "EC_P256",
            },
        )
        return str(made["cert_id"])

    def checking(self, label: str = "checked", **form: object) -> str:
        """A certificate whose name waits for its proof."""
        certificate_id = self.desk.buy()
        self.desk.apply(certificate_id, domain=self.name(label), **form)
        return certificate_id

    def applied_and_issued(self) -> str:
        """An issued certificate for which personal data is kept."""
        certificate_id = self.checking("shop")  # proved before
        validation.check_now(self.desk.alice, certificate_id)
        self.desk.run(strict=False)
        return certificate_id

    def waiting(self) -> str:
        """An OV certificate whose organization waits for an officer."""
        certificate_id = self.desk.buy("OV_SSL_CERT")
        self.desk.apply(certificate_id, domain=self.name("shop"), **COMPANY)
        validation.check_now(self.desk.alice, certificate_id)
        return certificate_id

    def unpaid(self) -> str:
        body = {
            "cert_brand": "GEOTRUST",
            "cert_type": "DV_SSL_CERT",
            "domain_type": "SINGLE_DOMAIN",
            "domain_numbers": 1,
            "agree_privacy_protection": True,
            "is_auto_pay": False,
        }
        return str(self.post(f"{C}/buy", body)["order_id"])

    def prove(self, label: str) -> None:
        """Puts the record of a name ahead of any order, so that certificates of it are issued at once."""
        path = f"/v3/scm/domains/{self.name(label)}/prove"
        asked = self.post(path, {})
        write(self, str(asked["record_name"]), str(asked["record_type"]), str(asked["record_value"]))
        assert self.post(path, {})["status"] == "VERIFIED"


def write(side: Side, name: str, kind: str, value: str) -> None:
    records = {
        "name": name,
        "type": kind,
        "ttl": 300,
        "records": [value if kind != "TXT" else f'"{value.strip(chr(34))}"'],
    }
    side.post(f"/v3/scm/dns-connections/{side.ids['dns-connections']}/zones/{side.zone}/recordsets", records)


def _user(side: Side) -> str:
    made = side.post("/v3/users", {"name": "dora", "email": f"dora@{side.zone}"})
    return str(made["id"])


def _group(side: Side) -> str:
    made = str(side.post("/v3/groups", {"name": "platform"})["id"])
    side.post(f"/v3/groups/{made}/users/{side.ids['users']}", method="PUT")
    return made


def _policy(side: Side) -> str:
    body = {"display_name": "lists only", "policy": EVERYTHING}
    return str(side.post("/v3.0/OS-ROLE/roles", body)["id"])


def _connection(side: Side) -> str:
    given = {"provider": "rfc2136", "label": "lab", "options": options(side.bind, side.zone)}
    made = str(side.post("/v3/scm/dns-connections", given)["id"])
    side.post(f"/v3/scm/dns-connections/{made}/test")
    return made


def record_set(side: Side) -> str:
    path = f"/v3/scm/dns-connections/{side.ids['dns-connections']}/zones/{side.zone}/recordsets"
    made = side.post(
        path, {"name": side.name(f"r{secrets.token_hex(4)}"), "type": "TXT", "records": ['"one"']}
    )
    return str(made["id"])


def _document(side: Side) -> str:
    side.ids["waiting"] = side.waiting()
    made = documents.add(side.desk.alice, side.ids["waiting"], "licence.pdf", PDF, clock.now())
    return str(made.id)


def _contact(side: Side) -> str:
    return str(BookContact.objects.filter(account_id=side.account.id).order_by("id")[0].id)


def _company(side: Side) -> str:
    return str(BookCompany.objects.filter(account_id=side.account.id).order_by("id")[0].id)


def _csr(side: Side) -> str:
    body = {"name": "stored", "domain_name": side.name("shop"), "private_key_algo": "EC_P256"}
    made = str(side.post("/v3/scm/csr", body)["id"])
    side.desk.run()
    return made


def _granted(side: Side, what: str, **more: object) -> dict[str, object]:
    """What only the operator of the installation gives."""
    path = f"/v3/scm/accounts/{side.account.id}/{what}"
    answer = side.operator.post(path, {"expires_at": "2027-12-01", **more})
    assert answer.status < 300, answer.json
    return dict(answer.json)


def _voucher(side: Side) -> str:
    return str(_granted(side, "vouchers", amount="100.00", currency="CNY")["id"])


def _coupon(side: Side) -> str:
    code = f"TEN-{side.account.name.upper()}"
    _granted(side, "coupons", code=code, percent=10)
    return code


def _message(side: Side) -> str:
    """What was sent about an uploaded certificate, or about any other of the account."""
    return str(Message.objects.filter(account_id=side.account.id).order_by("id")[0].id)


def _channel(side: Side) -> str:
    body = {"kind": "webhook", "label": "hook", "options": {"url": "https://hook.invalid/"}}
    return str(side.post("/v3/scm/notification-channels", body)["id"])


def _notice_rule(side: Side) -> str:
    body = {"whom": "EMAIL", "recipient": f"ops@{side.zone}"}
    return str(side.post("/v3/scm/notification-rules", body)["id"])


def _event(side: Side) -> str:
    return str(Event.objects.filter(account_id=side.account.id).order_by("id")[0].id)


def _project(side: Side) -> str:
    return str(side.post("/v1.0/enterprise-projects", {"name": "blue"})["id"])


def _agency(side: Side) -> str:
    """Open to its own account, by name and not by list: so to whoever holds `iam:agencies:assume` there."""
    body = {"name": "helpers", "trust_domain_name": side.account.name}
    return str(side.post("/v3.0/OS-AGENCY/agencies", body)["id"])


def _approval(side: Side) -> str:
    """Alice asks to delete a certificate; no rule of the account has to be switched on for that."""
    alice, ids = side.desk.alice, {"certificate_id": side.ids["certificate_id"]}
    target = two_person_targets.deletion(alice, ids)
    wanted = Wanted("delete", "certificates.delete", {"parameters": ids}, target)
    return approvals.ask(alice, wanted, RuleLine("delete"), clock.now()).id


def _view(side: Side) -> str:
    """Shared, so that the team mate sees it and may change it."""
    body = {"name": "all of them", "query": {"sort": "name"}, "shared": True}
    return str(side.post("/v3/scm/certificate-views", body)["id"])


def _campaign(side: Side) -> str:
    body = {"name": "matrix", "query": {"name": f"nothing.{side.zone}"}, "action": "DRILL"}
    return str(side.post("/v3/scm/campaigns", body)["id"])


def _scan(side: Side) -> str:
    """Of the targets alone: no network has to be open for that."""
    return str(side.post("/v3/scm/scans", {"name": "matrix", "targets": True})["id"])


def _bulk(side: Side) -> str:
    body = {"action": "TAG", "options": {"key": "bulk", "value": "1"}}
    return str(
        side.post("/v3/scm/bulk-actions", {**body, "certificate_ids": [side.ids["certificate_id"]]})["id"]
    )


def _issuer(side: Side) -> str:
    """Of the whole installation: only its operator sets one up."""
    answer = side.operator.post("/v3/scm/issuers", issuer(side.account.name))
    assert answer.status < 300, answer.json
    return str(answer.json["id"])


def issuer(slug: str) -> dict[str, object]:
    return {
        "kind": scripted_issuer.KIND,
        "slug": slug,
        "profile": "private",
        "options": scripted_issuer.OPTIONS,
    }


THINGS: dict[str, Callable[[Side], str]] = {
    "enterprise-projects": _project,
    "users": _user,
    "user_id": lambda side: side.ids["users"],
    "groups": _group,
    "group_id": lambda side: side.ids["groups"],
    "roles": _policy,
    "policy_id": lambda side: side.ids["roles"],
    "credentials": lambda side: iam.create_access_key(side.people["rita"].user)[0],
    "account_id": lambda side: side.account.id,
    "project_id": lambda side: side.account.id,
    "product_id": lambda side: next(one.id for one in catalogue().products if one.available and not one.free),
    "dns-connections": _connection,
    "acme-credentials": lambda side: str(side.post("/v3/scm/acme-credentials", {"label": "hosts"})["kid"]),
    "zone": lambda side: side.zone,
    "recordset_id": record_set,
    "name": lambda side: side.name("shop"),
    "certificate_id": lambda side: (side.prove("shop"), side.issued())[1],
    "cert_id": lambda side: side.ids["certificate_id"],
    "resource_id": lambda side: side.ids["certificate_id"],
    "order_id": lambda side: side.unpaid(),
    "view_id": _view,
    "bulk_id": _bulk,
    "document_id": _document,
    "contacts": _contact,
    "companies": _company,
    "csr": _csr,
    "vouchers": _voucher,
    "coupons": _coupon,
    "messages": _message,
    "events": _event,
    "approvals": _approval,
    "agencies": _agency,
    "agency_id": lambda side: side.ids["agencies"],
    "domain_id": lambda side: side.account.id,
    "role_id": lambda side: side.ids["roles"],
    "targets": balancers.target,
    "issuers": _issuer,
    "agents": lambda side: str(side.post("/v3/scm/agents", {"label": "web"})["id"]),
    "bindings": balancers.binding,
    "deployments": balancers.deployment,
    "campaigns": _campaign,
    "scans": _scan,
    "endpoints": found.endpoint,
    "notification-channels": _channel,
    "notification-rules": _notice_rule,
}
"""Kind -> how one is made; in this order. A kind is a path parameter's name, or the word before `{id}`."""


def kinds_of(operation: Operation) -> dict[str, str]:
    """Path parameter -> kind."""
    return {name: before if name == "id" else name for before, name in _PARAMETER.findall(operation.path)}


def make_all(side: Side) -> None:
    for kind, make in THINGS.items():
        side.ids[kind] = make(side)


@contextmanager
def two_accounts(folder: Path) -> Iterator[tuple[Side, Side]]:
    """The operating account and another one, with the same people and things each; a real DNS server."""
    zones = {"house.example.com": "", "other.example.com": ""}
    with (
        asked_bind(folder, zones) as server,
        balancers.balancers(folder, "house", "other") as elbs,
        scripted_issuer.registered(),
    ):
        start_ca(clock.now())
        settings.install(settings.get().model_copy(update={"smtp_url": "smtp://127.0.0.1:9"}))  # never sent
        house = _side("house", server, elbs[0])
        other = _side("other", server, elbs[1], house.alice)
        for side in (house, other):
            make_all(side)
        yield house, other


def _side(name: str, server: Bind, elb: LabElb, operator: Person | None = None) -> Side:
    owner = account(name)
    everything = iam.create_policy(owner, "everything", EVERYTHING)
    people = {one: person(owner, one, "admins", "users", "officers") for one in ("alice", "bob")}
    for one in ("all-projects", "one-project"):
        iam.create_group(owner, one)
    groups = {one.name: one for one in Group.objects.filter(account=owner)}
    project = EnterpriseProject.objects.create(id=secrets.token_hex(16), account=owner, name="elsewhere")
    iam.grant(groups["all-projects"], everything)
    iam.grant(groups["one-project"], everything, project.id)
    for one in people.values():
        iam.add_to_group(one.user, "all-projects")
    people["rita"] = person(owner, "rita", "readers")
    people["nils"] = person(owner, "nils")
    people["sid"] = person(owner, "sid", "one-project")
    people["gone"] = person(owner, "gone", "admins")
    iam.set_access_key_enabled(people["gone"].access_key, False)
    orders.credit(owner.id, "CNY", CASH, "start", clock.now(), system_principal("", "cli"))
    return Side(owner, server, people, operator or people["alice"], elb)
