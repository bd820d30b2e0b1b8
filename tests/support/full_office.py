"""An office in the middle of its work: certificates in every state, long names, orders, messages."""

from datetime import timedelta

from certdesk.foundation.common import clock
from certdesk.lifecycle.certificates import editing
from certdesk.lifecycle.certificates.models import Certificate
from certdesk.lifecycle.certificates.rules import Bought
from certdesk.lifecycle.issuance import actions as issuance
from certdesk.lifecycle.orders import actions as orders
from certdesk.lifecycle.orders.rules import BuyRequest
from certdesk.lifecycle.validation import actions as validation
from certdesk.lifecycle.validation import organization_queries
from tests.support.desk import COMPANY
from tests.support.inventory import issued
from tests.support.office import Office

LONG = f"{'a-very-long-label-' * 3}end.example.com"
DESCRIPTION = "Front of the shop, both data centres. Ask the platform team before changing anything."
EXAMPLE = Bought("SYMANTEC", "OV_SSL_CERT", "OV", "WILDCARD", "WILDCARD_DOMAIN", 1, 0, 0, 12)


def fill(office: Office) -> dict[str, str]:
    """Ids of the certificates by what is special about them."""
    desk, now = office.desk, clock.now()
    alice = desk.alice
    made: dict[str, str] = {}

    def name(key: str, words: str, text: str = "") -> None:
        editing.edit(alice, made[key], now, name=words, description=text)

    made["issued"] = desk.issued("www.shop.example.com")
    name("issued", "shop-front", DESCRIPTION)
    made["soon"] = issued(alice, ("pay.example.com",), now=now - timedelta(days=359), facts=EXAMPLE)
    name("soon", "pay-gateway")
    made["good"] = issued(alice, ("*.cdn.example.com",), now=now - timedelta(days=194), facts=EXAMPLE)
    name("good", "cdn-edge")
    made["expired"] = issued(alice, ("old.example.com",), now=now - timedelta(days=400))
    name("expired", "old-shop")
    made["paid"] = desk.buy()
    made["checking"] = desk.buy()
    desk.apply(made["checking"], domain="www.store.example.org")
    validation.check_now(alice, made["checking"])
    name("checking", "store")
    made["chinese"] = desk.buy()
    desk.apply(made["chinese"], domain="www.xn--fiqs8s.xn--fiqs8s")
    made["long"] = desk.buy(domain_type="MULTI_DOMAIN", names=250)
    desk.apply(
        made["long"], domain=LONG, sans=";".join(f"node-{number}.{LONG[:63]}.com" for number in range(60))
    )
    name("long", "x" * 63)
    made["organization"] = desk.buy("OV_SSL_CERT", "MULTI_DOMAIN", 4)
    desk.apply(
        made["organization"],
        domain="intranet.example.org",
        sans="mail.example.org;vpn.example.org",
        **COMPANY,
    )
    desk.publish(made["organization"])
    validation.check_now(alice, made["organization"])
    name("organization", "intranet-eu")
    made["rejected"] = desk.buy("EV_SSL_CERT")
    desk.apply(made["rejected"], domain="bank.example.org", **COMPANY)
    desk.publish(made["rejected"])
    validation.check_now(alice, made["rejected"])
    otto = desk.someone("otto")
    validation.decide(
        otto,
        made["rejected"],
        approve=False,
        checked=["exists"],
        reason="The register has the company under another name: Example Trading Holdings.",
        now=now,
    )
    name("rejected", "bank")
    made["withdrawing"] = desk.buy()
    desk.apply(made["withdrawing"], domain="wiki.example.net")
    issuance.withdraw(alice, made["withdrawing"], now)
    made["issuing"] = desk.buy()
    desk.apply(made["issuing"], domain="git.example.net")
    desk.publish(made["issuing"])
    validation.check_now(alice, made["issuing"])
    request = BuyRequest(
        "GEOTRUST", "OV_SSL_CERT", "SINGLE_DOMAIN", order_number=2, agree_privacy_protection=None
    )
    made["unpaid order"] = orders.buy(alice, request, now, auto_pay=False).order_id
    made["order"] = Certificate.objects.get(id=made["issued"]).order_id
    assert organization_queries.pending(alice) == 1
    return made
