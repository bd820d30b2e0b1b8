"""A rehearsal without a campaign: for the host, over one account or all of them. Writes nothing."""

import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from certdesk.foundation.common import clock
from certdesk.foundation.common.errors import NotFound
from certdesk.foundation.iam.models import Account
from certdesk.foundation.iam.principal import Principal, system_principal
from certdesk.lifecycle.certificates.models import Certificate
from certdesk.lifecycle.issuance import revocation_jobs

from . import freezing, queries
from .queries import Found
from .rules import Action, Query

WHO = "drill"


@dataclass
class Drilled:
    """What a campaign would find.

    Attributes:
        able: certificates that could be revoked; `left_out`: why the others could not, with their number.
        places: at how many places those of `able` are served.
        work: of the rehearsed ones together.
        seconds: that looking them up took.
    """

    certificates: int = 0
    able: int = 0
    left_out: Counter[str] = field(default_factory=Counter)
    places: int = 0
    rehearsed: int = 0
    work: timedelta = timedelta(0)
    seconds: float = 0.0
    whose: set[tuple[str, str]] = field(default_factory=set)

    @property
    def owners(self) -> int:
        return len(self.whose)

    @property
    def each(self) -> float:
        """Seconds of work of one certificate; 0 when none was rehearsed."""
        return self.work.total_seconds() / self.rehearsed if self.rehearsed else 0.0


def drill(query: Query, account: str, sample: int) -> Drilled:
    """Looks the certificates up and rehearses the first `sample` of them, each taken back.

    Args:
        account: its name; empty = every account.

    Raises:
        NotFound: no such account.
    """
    wanted = Account.objects.filter(name=account) if account else Account.objects.all()
    ids = list(wanted.order_by("id").values_list("id", flat=True))
    if not ids:
        raise NotFound(f"There is no account {account[:64]!r}.", next_step="Look at the list of accounts.")
    told, now, began = Drilled(), clock.now(), time.perf_counter()
    for account_id in ids:
        _account(system_principal(account_id, WHO), query, sample, now, told)
    told.seconds = time.perf_counter() - began - told.work.total_seconds()
    return told


def _account(principal: Principal, query: Query, sample: int, now: datetime, told: Drilled) -> None:
    after = ""
    while True:
        found, after = queries.matching(principal, query, after, now)
        for one, why in zip(found, freezing.judge(principal, Action.DRILL, found, now), strict=True):
            _count(principal, one, why, told)
            if not why and told.rehearsed < sample:
                told.work += revocation_jobs.rehearse(Certificate.objects.get(id=one.certificate_id), now)
                told.rehearsed += 1
        if not after:
            return


def _count(principal: Principal, one: Found, why: str, told: Drilled) -> None:
    told.certificates += 1
    if why:
        told.left_out[why] += 1
        return
    told.able += 1
    told.places += one.places
    told.whose.add((principal.account_id, one.owner_id))
