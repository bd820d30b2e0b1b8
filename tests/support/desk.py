"""The whole desk for tests of the main path: an account with money, the built-in CA, a lab DNS server."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from certdesk.foundation.common import clock, settings
from certdesk.foundation.iam.models import Account, User
from certdesk.foundation.iam.principal import PolicyGrant, Principal, Via, system_principal
from certdesk.foundation.iam.rules import allow
from certdesk.foundation.jobs import testing
from certdesk.lab.dns_server import LabDns
from certdesk.lifecycle.applications.form import ApplicationForm
from certdesk.lifecycle.certificates.models import Certificate
from certdesk.lifecycle.issuance import actions
from certdesk.lifecycle.orders import actions as orders
from certdesk.lifecycle.orders.rules import BuyRequest
from certdesk.lifecycle.validation.models import Challenge
from tests.support.authority import start_ca

COMPANY = {
    "company_name": "Example Trading Co.,Ltd",
    "company_province": "Guizhou",
    "company_city": "Guiyang",
    "country": "CN",
}
FORM = ApplicationForm(
    applicant_name="Ada Lovelace",
    applicant_phone="+44 20 7946 0000",
    applicant_email="ada@example.com",
    agree_privacy_protection=True,
    key_algorithm="EC_P256",
)


@dataclass
class Desk:
    """One account's user, and the world around."""

    account: Account
    alice: Principal
    dns: LabDns

    def someone(self, name: str, *rights: str, access_key: str = "") -> Principal:
        """Another user of the same account; may everything unless rights are named."""
        grants = (PolicyGrant("test", allow(*(rights or ("*",)))),)
        return Principal(self.account.id, f"{name:x<32}", name, Via.API, access_key, grants=grants)

    def buy(
        self,
        cert_type: str = "DV_SSL_CERT",
        domain_type: str = "SINGLE_DOMAIN",
        names: int = 1,
        wildcards: int = 0,
        brand: str = "GEOTRUST",
        now: datetime | None = None,
    ) -> str:
        """One paid certificate; answers its id."""
        more = {}
        if domain_type == "MULTI_DOMAIN":
            more = {"single_domain_number": names - 1 - wildcards, "wildcard_domain_number": wildcards}
        request = BuyRequest(brand, cert_type, domain_type, names, agree_privacy_protection=True, **more)
        result = orders.buy(self.alice, request, now or clock.now(), auto_pay=True)
        return result.certificate_ids[0]

    def apply(self, certificate_id: str, now: datetime | None = None, **form: object) -> int:
        applied = actions.apply(self.alice, certificate_id, replace(FORM, **form), now or clock.now())
        return applied.application_id

    def publish(self, certificate_id: str, *, leave_out: tuple[str, ...] = ()) -> None:
        """Sets the records that the challenges ask for, all but those of the domains left out."""
        asked = Challenge.objects.filter(certificate_id=certificate_id, verified_at=None)
        for challenge in asked.order_by("id"):  # the value of a later application stands last
            if challenge.authorization_domain not in leave_out:
                self.dns.set(challenge.record_name, challenge.record_type, [challenge.value])

    def run(self, horizon: timedelta = timedelta(0), *, strict: bool = True) -> int:
        """Runs what is due within `horizon`; an error of a handler ends the test unless not strict."""
        return testing.run_all(horizon, 100, strict=strict)

    def certificate(self, certificate_id: str) -> Certificate:
        return Certificate.objects.get(id=certificate_id)

    def state(self, certificate_id: str) -> str:
        return self.certificate(certificate_id).state

    def issued(self, *names: str, **form: object) -> str:
        """A DV certificate all the way, in this process."""
        kind = "SINGLE_DOMAIN" if len(names) == 1 else "MULTI_DOMAIN"
        certificate_id = self.buy(domain_type=kind, names=len(names))
        self.apply(certificate_id, domain=names[0], sans=";".join(names[1:]), **form)
        self.publish(certificate_id)
        self.run()
        assert self.state(certificate_id) == "ISSUED"
        return certificate_id


@contextmanager
def open_desk() -> Iterator[Desk]:
    """A desk with a lab DNS server as its only resolver."""
    before = settings.get()
    now = clock.now()
    start_ca(now)
    account = Account.objects.create(name="desk", created_at=now)
    user = User.objects.create(
        account=account, name="alice", login="alice", email="alice@example.net", created_at=now
    )
    alice = Principal(
        account.id, user.id, "alice", Via.API, access_key="AKALICE", grants=(PolicyGrant("test", allow("*")),)
    )
    orders.credit(account.id, "CNY", 100_000_000_00, "start", now, system_principal("", "cli"))
    with LabDns() as dns:
        settings.install(before.model_copy(update={"dns_resolvers": (dns.server,)}))
        try:
            yield Desk(account, alice, dns)
        finally:
            settings.install(before)
