"""Random walks through the whole life of certificates, by everybody who acts in it, with the built-in CA.

After each step: only lines of the state table were walked, somebody is named who acts next or nobody has to,
what is offered is not refused for its state, and the books balance. At the end each certificate is brought to
an end, and nobody was told what did not happen.
"""

import json
import os
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from django.db.models import Sum

from certdesk.foundation.audit.models import Event as Told
from certdesk.foundation.common import clock
from certdesk.foundation.common.errors import CertdeskError, WrongState
from certdesk.foundation.iam import queries as iam
from certdesk.foundation.iam.principal import Via as IamVia
from certdesk.foundation.outbox.models import Message
from certdesk.lifecycle.certificates.models import Certificate
from certdesk.lifecycle.certificates.states import ROWS, TABLE, Event, State, Via
from certdesk.lifecycle.orders.models import Balance, Book, Entry, Order, Share
from tests.support.desk import COMPANY, Desk
from tests.support.office import Office
from tests.support.rulebook import DAY, PEOPLE, Caller, LabClock
from tests.support.uploads import World

WALKS, STEPS = (60, 25) if os.environ.get("CERTDESK_SIZE") == "full" else (4, 14)
SEVERAL = {"domain_type": "MULTI_DOMAIN", "domain_numbers": 4, "single_domain_number": 3}
SEVERAL |= {"wildcard_domain_number": 0}
LAST = ("reopen", "delete", "unsubscribe", "apply", "confirm-revocation")
ENDS = {"REVOKED", "EXPIRED", "DELETED"}
NO_END = 40


@dataclass
class Walker:
    """Everybody who acts: the applicant, two officers, the owner of the names, workers, and time."""

    desk: Desk
    lab: LabClock
    dice: random.Random
    alice: Caller
    officers: list[Caller]
    days: float = 0.0
    names: int = 0
    owned: list[str] = field(default_factory=list)
    log: list[str] = field(default_factory=list)

    def step(self) -> None:
        """One act of somebody, chosen by the dice; refusals are fine, wrong ones are not."""
        acts: list[Callable[[], None]] = [self.work, self.publish, self.decide, self.pass_time]
        if len(self.owned) < 3:
            acts += [self.buy] * 2
        acts += [partial(self.use, one) for one in self.owned] * 3
        self.dice.choice(acts)()

    # --- the applicant

    def buy(self) -> None:
        if self.dice.random() < 0.15:
            world = World(clock.now())
            made = self.alice("certificates.import", body=world.body())["certificate_id"]
        else:
            kind = self.dice.choice(["DV_SSL_CERT", "DV_SSL_CERT", "OV_SSL_CERT"])
            made = self.alice.buy(cert_type=kind, **self.dice.choice([{}, SEVERAL]))
        self.owned.append(made)
        self.note(f"buy {made}")

    def use(self, certificate_id: str) -> None:
        """One of the operations that are offered now; for its state none of them may be refused."""
        shown = self.shown(certificate_id)
        offered = [one for one in shown.get("operations", ()) if one in USES] if shown else []
        if not offered:
            return
        chosen = self.dice.choice(offered)
        self.note(f"{chosen} {certificate_id} in {shown['status']}")
        try:
            USES[chosen](self, certificate_id)
        except WrongState as refused:
            pytest.fail(f"{chosen} was offered, then refused: {refused}\n" + "\n".join(self.log))
        except CertdeskError as refused:
            self.note(f"  refused: {refused.message}")

    def shown(self, certificate_id: str) -> dict[str, Any]:
        try:
            return dict(self.alice.show(certificate_id))
        except CertdeskError:
            return {}

    def apply(self, certificate_id: str) -> None:
        bought = Certificate.objects.get(id=certificate_id)
        company = COMPANY if bought.type.startswith("OV") else {}
        more = {"sans": self.name()} if bought.domain_quota > 1 else {}
        self.alice.apply(certificate_id, self.name(), **company, **more)

    def reissue(self, certificate_id: str) -> None:
        """With the same name, or with another one."""
        body = {"agree_privacy_protection": True}
        if self.dice.random() < 0.5:
            body["domain"] = self.name()
        self.alice("certificates.reissue", certificate_id, body)

    def add(self, certificate_id: str) -> None:
        body = {"add_sans": self.name(), "email": "ada@example.com"}
        self.alice("certificates.add_domains", certificate_id, body)

    def name(self) -> str:
        """One that nobody has asked for yet."""
        self.names += 1
        return f"n{self.names}-{self.dice.randrange(10**6)}.walks.example.com"

    # --- the others

    def publish(self) -> None:
        for certificate_id in self.owned:
            if self.state(certificate_id) in (State.CHECKING, State.SUPPLEMENTCHECKING):
                self.note(f"publish {certificate_id}")
                self.desk.publish(certificate_id)

    def decide(self) -> None:
        waiting = [one for one in self.owned if self.state(one) == State.CHECKING_ORG]
        if not waiting:
            return
        certificate_id, officer = self.dice.choice(waiting), self.dice.choice(self.officers)
        if self.dice.random() < 0.7:
            self.note(f"approve {certificate_id}")
            officer.approve(certificate_id)
        else:
            self.note(f"reject {certificate_id}")
            body = {"decision": "reject", "checked": [], "reason": "No such company."}
            officer("organization.decide", certificate_id, body)

    def work(self) -> None:
        self.note("workers")
        self.desk.run(timedelta(minutes=2))

    def pass_time(self) -> None:
        self.days += self.dice.choice([0.01, 1, 4, 31, 120])
        self.note(f"day {self.days}")
        self.lab.move(self.days * DAY)

    # --- what must be true

    def state(self, certificate_id: str) -> str:
        return str(Certificate.objects.values_list("state", flat=True).get(id=certificate_id))

    def note(self, words: str) -> None:
        self.log.append(words)

    def look(self) -> None:
        for certificate_id in self.owned:
            shown = self.shown(certificate_id)
            if not shown or shown["status"] in ENDS | {"UNSUBSCRIBING"}:
                continue
            row = ROWS[State(shown["status"])]
            assert row.next_actor or shown["operations"], (shown["status"], self.log)
            assert set(shown["operations"]) <= set(row.operations), (shown["status"], shown["operations"])
        self.books()

    def books(self) -> None:
        """Every posting sums to zero, every balance to its entries; what was given back was paid, once."""
        for line in Entry.objects.values("posting").annotate(total=Sum("amount")):
            assert line["total"] == 0, (line, self.log)
        for balance in Balance.objects.all():
            mine = Entry.objects.filter(account_id=balance.account_id, book=Book.CASH)
            assert mine.aggregate(total=Sum("amount"))["total"] == balance.cash
        for share in Share.objects.all():
            assert share.refund in (0, share.cash)
        for order in Order.objects.all():
            given = Share.objects.filter(order_id=order.id).aggregate(total=Sum("refund"))["total"] or 0
            assert (order.refund, given <= order.cash) == (given, True)

    def end(self) -> None:
        """Everybody does what is theirs; then no certificate is anywhere but at an end."""
        for _ in range(NO_END):
            left = [
                one for one in self.owned if (self.shown(one) or {"status": "DELETED"})["status"] not in ENDS
            ]
            if not left:
                return
            self.work()
            self.publish()
            self.desk.run(timedelta(minutes=2))
            for certificate_id in left:
                self.bring_on(certificate_id)
            self.days += 0.01
            self.lab.move(self.days * DAY)
            self.look()
        stuck = {one: self.state(one) for one in left}
        pytest.fail(f"stuck: {stuck}\n" + "\n".join(self.log))

    def bring_on(self, certificate_id: str) -> None:
        """The quickest way out of wherever it is."""
        if self.state(certificate_id) == State.CHECKING_ORG:
            self.officers[0].approve(certificate_id)
            return
        shown = self.shown(certificate_id)
        for chosen in ("verify", "decline-reissue", *LAST):
            if shown and chosen in shown["operations"]:
                self.note(f"end: {chosen} {certificate_id}")
                USES[chosen](self, certificate_id)
                return

    def history(self) -> None:
        """Each move stands in the table; and of each thing that people are told there was one."""
        moved: Counter[tuple[str, str]] = Counter()
        for told in Told.objects.filter(action__startswith="certificate."):
            details = json.loads(told.details)
            if {"from", "to"} <= set(details):
                assert walked(details["from"], details["events"]) == details["to"], details
                moved[told.resource.removeprefix("cert:"), details["to"]] += 1
        for certificate_id in self.owned:
            sent = Counter(
                Message.objects.filter(certificate_id=certificate_id).values_list("template", flat=True)
            )
            assert sent["issued"] <= moved[certificate_id, "ISSUED"], (sent, self.log)
            assert sent["revoked"] <= moved[certificate_id, "REVOKED"], (sent, self.log)


def walked(state: str, steps: list[str]) -> str:
    """Where the steps of one move lead by the table; each is written `event` or `event (via)`."""
    now = State(state)
    for step in steps:
        event, _, via = step.partition(" (")
        now = TABLE[now, Event(event), Via(via.removesuffix(")"))]
    return now.value


USES: dict[str, Callable[[Walker, str], None]] = {
    "apply": Walker.apply,
    "verify": lambda walker, one: walker.alice.verify(one),
    "withdraw": lambda walker, one: walker.alice("certificates.cancel", one),
    "reopen": lambda walker, one: walker.alice("certificates.reopen", one),
    "revoke": lambda walker, one: walker.alice("certificates.revoke", one, {"reason_code": "SUPERSEDED"}),
    "confirm-revocation": lambda walker, one: walker.alice("certificates.confirm_revocation", one),
    "reissue": Walker.reissue,
    "confirm-reissue": lambda walker, one: walker.alice("certificates.confirm_reissue", one),
    "decline-reissue": lambda walker, one: walker.alice("certificates.decline_reissue", one),
    "add-domains": Walker.add,
    "unsubscribe": lambda walker, one: walker.alice("certificates.unsubscribe", one),
    "delete": lambda walker, one: walker.alice("certificates.delete", one),
    "privacy": lambda walker, one: walker.alice("certificates.cancel_privacy", one),
    "download": lambda walker, one: walker.alice("certificates.download", one, query={"server": "nginx"}),
}
assert PEOPLE  # the applicant's own, in `Caller.apply`


@pytest.mark.parametrize("seed", range(WALKS))
def test_no_walk_ends_nowhere(lab: LabClock, office: Office, seed: int) -> None:
    # rule: WDR-2
    # rule: UNS-7
    # rule: LST-6
    officers = [Caller(iam.principal_of(office.people[name], IamVia.API)) for name in ("otto", "olga")]
    walker = Walker(office.desk, lab, random.Random(seed), Caller(office.desk.alice), officers)
    for _ in range(STEPS):
        walker.step()
        walker.look()
    walker.end()
    walker.history()
