"""Making campaigns, and what people decide about them. The workers' part is in `freezing` and `running`."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from certdesk.foundation.audit import actions as audit
from certdesk.foundation.common import clock, ids
from certdesk.foundation.common.errors import Conflict
from certdesk.foundation.common.sql import short_transaction
from certdesk.foundation.iam.principal import Principal
from certdesk.foundation.jobs import actions as jobs
from certdesk.lifecycle.issuance import revocation_rules

from . import queries, rules, states
from .models import Campaign
from .states import CampaignState

CREATE, UPDATE, DELETE = "scm:campaign:create", "scm:campaign:update", "scm:campaign:delete"
PREVIEW, START = "scm:campaign:preview", "scm:campaign:start"
PAUSE, CANCEL = "scm:campaign:pause", "scm:campaign:cancel"
FREEZE, RUN, TELL = "campaigns.freeze", "campaigns.run", "campaigns.tell"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked for; as it was typed.

    Attributes:
        query: issuer, key, name and profile, see `rules.Query`.
        issuer: whom replacements come from; empty = as the products' order says, without whom the query
            names.
        reason_code: one of `revocation_rules.Code`; empty = UNSPECIFIED.
        reason: why, in words; kept with each certificate.
    """

    name: str
    query: Mapping[str, str]
    action: str
    issuer: str = ""
    reason_code: str = ""
    reason: str = ""
    per_minute: int = rules.USUAL_PER_MINUTE
    issuer_per_minute: int = 0

    def columns(self) -> dict[str, object]:
        """Checked, as they are written.

        Raises:
            BadParameter: see `rules`.
        """
        rules.check_pace(self.per_minute, self.issuer_per_minute)
        action = rules.action_of(self.action)
        return {
            "name": rules.check_name(self.name),
            "query": rules.query_of(self.query).as_json(),
            "action": action.value,
            "issuer": rules.check_issuer(action, self.issuer),
            "reason_code": revocation_rules.code_of(self.reason_code).value,
            "words": revocation_rules.check_words(self.reason),
            "per_minute": self.per_minute,
            "issuer_per_minute": self.issuer_per_minute,
        }


def create(principal: Principal, wanted: Wanted) -> Campaign:
    """A draft; nothing is looked up yet.

    Raises:
        Forbidden: no `scm:campaign:create`. BadParameter: see `rules`.
    """
    principal.require(CREATE, queries.resource_of(principal.account_id))
    columns = wanted.columns()
    with short_transaction():
        made = Campaign.objects.create(
            id=ids.hex32(),
            account_id=principal.account_id,
            state=CampaignState.DRAFT,
            created_by=principal.user_id,
            created_at=clock.real_now(),
            **columns,
        )
        _note(principal, CREATE, made)
    return made


def update(principal: Principal, campaign_id: str, wanted: Wanted) -> Campaign:
    """Before the start: all of it, and the list has to be frozen anew. Afterwards: the pace alone.

    Raises:
        NoCampaign, Forbidden, BadParameter. WrongState: it is over, or its list is being frozen.
    """
    campaign = queries.fetch(principal, UPDATE, campaign_id)
    columns = wanted.columns()
    if campaign.state in states.ALLOWED["pace"]:
        columns = {name: columns[name] for name in ("per_minute", "issuer_per_minute")}
    else:
        columns |= {"state": CampaignState.DRAFT, "frozen_at": None}
        states.check(CampaignState(campaign.state), "update")
    with short_transaction():
        _change(principal, UPDATE, campaign, columns)
    return campaign


def delete(principal: Principal, campaign_id: str) -> None:
    """One that was never started; of every other its report stays.

    Raises:
        NoCampaign, Forbidden, WrongState.
    """
    campaign = queries.fetch(principal, DELETE, campaign_id)
    states.check(CampaignState(campaign.state), "delete")
    with short_transaction():
        if not Campaign.objects.filter(id=campaign.id, state=campaign.state).update(
            state=CampaignState.CANCELLED, round=campaign.round + 1
        ):
            raise _raced()
        _note(principal, DELETE, campaign)
        jobs.enqueue(FREEZE, {"campaign": campaign.id, "delete": True}, subject=campaign.id)


def preview(principal: Principal, campaign_id: str) -> Campaign:
    """Freezes the list of certificates: a worker looks them up, whose they are, and what cannot be done.

    Raises:
        NoCampaign, Forbidden, WrongState.
    """
    campaign = queries.fetch(principal, PREVIEW, campaign_id)
    states.check(CampaignState(campaign.state), "preview")
    with short_transaction():
        columns = {"state": CampaignState.PREVIEWING, "round": campaign.round + 1, "frozen_at": None}
        _change(principal, PREVIEW, campaign, columns)
        send_freeze(campaign, principal.user_id)
    return campaign


def send_freeze(campaign: Campaign, user_id: str, after: str = "") -> None:
    """The next page of the list, in the caller's transaction."""
    jobs.enqueue(
        FREEZE,
        {
            "campaign": campaign.id,
            "round": campaign.round,
            "after": after,
            "user_id": user_id,
            "account_id": campaign.account_id,
        },
        subject=campaign.id,
        dedupe_key=f"{FREEZE}:{campaign.id}",
    )


def start(principal: Principal, campaign_id: str) -> Campaign:
    """Starts it, or goes on with it. From then on it acts with the rights of whoever started it.

    Raises:
        NoCampaign, Forbidden. WrongState: not previewed, or over.
    """
    campaign = queries.fetch(principal, START, campaign_id)
    states.check(CampaignState(campaign.state), "start")
    first = campaign.started_at is None
    columns: dict[str, object] = {
        "state": CampaignState.RUNNING,
        "started_by": principal.user_id,
        "note": "",
        "started_at": campaign.started_at or clock.real_now(),
    }
    with short_transaction():
        _change(principal, START, campaign, columns)
        send_run(campaign)
        if first:
            send_tell(campaign, "started")
    return campaign


def send_run(campaign: Campaign, *, after: timedelta = timedelta(0)) -> None:
    """The next step, in the caller's transaction; while one waits, no second one is added."""
    jobs.enqueue(
        RUN,
        {"campaign": campaign.id},
        subject=campaign.id,
        run_at=clock.real_now() + after,
        dedupe_key=f"{RUN}:{campaign.id}",
    )


def send_tell(campaign: Campaign, what: str) -> None:
    jobs.enqueue(TELL, {"campaign": campaign.id, "what": what}, subject=campaign.id)


def pause(principal: Principal, campaign_id: str) -> Campaign:
    """Nothing new is begun; what is under way comes to its end.

    Raises:
        NoCampaign, Forbidden, WrongState.
    """
    campaign = queries.fetch(principal, PAUSE, campaign_id)
    states.check(CampaignState(campaign.state), "pause")
    with short_transaction():
        _change(principal, PAUSE, campaign, {"state": CampaignState.PAUSED, "note": ""})
        send_run(campaign)
    return campaign


def cancel(principal: Principal, campaign_id: str) -> Campaign:
    """Ends it: what waits is left as it is. What is under way comes to its end, and is in the report.

    Raises:
        NoCampaign, Forbidden, WrongState.
    """
    campaign = queries.fetch(principal, CANCEL, campaign_id)
    states.check(CampaignState(campaign.state), "cancel")
    with short_transaction():
        columns = {"state": CampaignState.CANCELLED, "note": "", "ended_at": clock.real_now()}
        _change(principal, CANCEL, campaign, columns)
        send_run(campaign)
    return campaign


def _change(principal: Principal, action: str, campaign: Campaign, columns: Mapping[str, object]) -> None:
    """Writes on the state that the caller has in hand, so that of two who decide one is told."""
    if not Campaign.objects.filter(id=campaign.id, state=campaign.state).update(**columns):
        raise _raced()
    for name, value in columns.items():
        setattr(campaign, name, value)
    _note(principal, action, campaign)


def _raced() -> Conflict:
    return Conflict(
        "Somebody else changed this campaign at the same moment.", next_step="Open the campaign again."
    )


def _note(principal: Principal, action: str, campaign: Campaign) -> None:
    audit.record(
        principal,
        action,
        resource=f"campaign:{campaign.id}",
        account_id=campaign.account_id,
        details={
            "name": campaign.name,
            "query": campaign.query,
            "action": campaign.action,
            "issuer": campaign.issuer,
            "reason_code": campaign.reason_code,
            "per_minute": campaign.per_minute,
            "state": campaign.state,
        },
    )
