"""A campaign's work: freezing its list, a step at a time while it runs, and telling the owners."""

from certdesk.foundation.common import clock
from certdesk.foundation.common.errors import Forbidden
from certdesk.foundation.iam.principal import Principal, system_principal
from certdesk.foundation.jobs import actions as jobs
from certdesk.foundation.jobs import rights
from certdesk.foundation.jobs.errors import UserGone
from certdesk.foundation.jobs.models import Job
from certdesk.foundation.jobs.registry import Handler, handler, periodic
from certdesk.foundation.jobs.rules import describe

from . import actions, freezing, queries, running, telling
from .actions import FREEZE, PREVIEW, RUN, START, TELL
from .models import Campaign
from .states import CampaignState

SETTLE = "campaigns.settle"
FOR_EVER = 1_000_000


@handler(FREEZE, lock="campaign:{campaign}")
class Freeze(Handler[bool, None]):
    """One page of the list with the rights of whoever asked for it; and what older lists left."""

    def load(self, job: Job) -> bool | None:
        campaign = Campaign.objects.filter(id=job.payload["campaign"]).first()
        if campaign is None:
            return None
        if campaign.state == CampaignState.PREVIEWING and job.payload.get("round") == campaign.round:
            principal = rights.require(job, PREVIEW)
            freezing.page(principal, campaign, str(job.payload["after"]), clock.now())
        elif freezing.sweep(campaign):
            jobs.enqueue(FREEZE, dict(job.payload), subject=campaign.id)
        elif job.payload.get("delete"):
            campaign.delete()
        return None

    def failed(self, job: Job, error: BaseException) -> None:
        found = Campaign.objects.filter(id=job.payload["campaign"], state=CampaignState.PREVIEWING)
        found.update(state=CampaignState.DRAFT, note=describe(error))


@handler(RUN, max_attempts=FOR_EVER, lock="campaign:{campaign}", short_lease=True)
class Run(Handler[bool, None]):
    """One step with the rights of whoever started it; without them the campaign stands still and says so."""

    def load(self, job: Job) -> bool | None:
        campaign = Campaign.objects.filter(id=job.payload["campaign"]).first()
        if campaign is None:
            return None
        if campaign.state == CampaignState.RUNNING:
            after = running.step(_principal(campaign), campaign, clock.now())
            if after is None:
                _finish(campaign)
        elif campaign.state == CampaignState.CANCELLED:
            after = running.leave(campaign, _who(campaign), clock.now())
        else:
            after = running.bring_to_end(campaign, _who(campaign), clock.now())
        if after is not None:
            actions.send_run(campaign, after=after)
        return None

    def failed(self, job: Job, error: BaseException) -> None:
        """It stands still and says so; what is under way is followed on, as after a pause by people."""
        found = Campaign.objects.filter(id=job.payload["campaign"])
        running_still = found.filter(state=CampaignState.RUNNING)
        if not running_still.update(state=CampaignState.PAUSED, note=describe(error)):
            return  # whoever paused or cancelled it meanwhile has the last word
        campaign = found.get()
        actions.send_run(campaign)
        telling.stopped(campaign, campaign.note, str(job.id))


def _principal(campaign: Campaign) -> Principal:
    """Whoever started it last, with the rights of this moment.

    Raises:
        UserGone, Forbidden: not any more; the campaign stands still.
    """
    if not campaign.started_by:
        return system_principal(campaign.account_id, RUN)
    principal = rights.principal_of_user(campaign.started_by, campaign.account_id)
    principal.require(START, queries.resource_of(campaign.account_id, campaign.id))
    return principal


def _who(campaign: Campaign) -> Principal | None:
    """The same; None when that is nobody any more."""
    try:
        return _principal(campaign)
    except (UserGone, Forbidden):
        return None


def _finish(campaign: Campaign) -> None:
    Campaign.objects.filter(id=campaign.id, state=CampaignState.RUNNING).update(
        state=CampaignState.DONE, ended_at=clock.real_now(), note=""
    )
    actions.send_tell(campaign, "ended")


@handler(TELL)
class Tell(Handler[bool, None]):
    """A mail for each owner: what is going to happen to his certificates, and what came of it."""

    def load(self, job: Job) -> bool | None:
        campaign = Campaign.objects.filter(id=job.payload["campaign"]).first()
        if campaign is not None:
            telling.tell(campaign, str(job.payload["what"]), str(job.payload.get("after", "")))
        return None


@handler(SETTLE, lock=SETTLE)
class Settle(Handler[bool, None]):
    """Every minute and at each start: a campaign that is under way has a job, whatever a crash left."""

    def load(self, job: Job) -> bool | None:
        for campaign in Campaign.objects.filter(state=CampaignState.RUNNING).order_by("id")[:100]:
            actions.send_run(campaign)
        return None


periodic(SETTLE, 60, at_start=True)
