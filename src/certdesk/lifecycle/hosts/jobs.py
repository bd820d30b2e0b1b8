"""Who has been silent for too long is told once; codes that nobody used are forgotten."""

from datetime import timedelta

from certdesk.foundation.common import clock, settings
from certdesk.foundation.iam.models import User
from certdesk.foundation.jobs.models import Job
from certdesk.foundation.jobs.registry import Handler, handler, periodic
from certdesk.foundation.outbox import actions as outbox

from . import actions, queries, rules
from .models import Agent

WATCH = "hosts.watch"
AT_ONCE = 25
FORGOTTEN_AFTER = timedelta(days=1)


@handler(WATCH, max_attempts=3, lock=WATCH)
class Watch(Handler[bool, None]):
    """A page of both each minute."""

    def load(self, job: Job) -> bool | None:
        now = clock.real_now()
        unused = Agent.objects.filter(enrolled_at=None, code_expires_at__lt=now - FORGOTTEN_AFTER)
        for agent in unused.order_by("id")[:AT_ONCE]:
            actions.forget(agent)
        silent = Agent.objects.filter(seen_at__lte=now - rules.SILENT_AFTER, told_at=None)
        for agent in silent.order_by("seen_at", "id")[:AT_ONCE]:
            tell(agent)
        return None


def tell(agent: Agent) -> None:
    """A mail to whoever enrolled it, or else to the account's first user; in the caller's transaction."""
    Agent.objects.filter(id=agent.id).update(told_at=clock.real_now())
    users = User.objects.filter(account_id=agent.account_id, is_active=True).exclude(email="")
    user = users.filter(id=agent.created_by).first() or users.order_by("created_at", "id").first()
    if user is None or agent.seen_at is None:
        return
    served = [one.binding for one in queries.places(agent)]
    outbox.send(
        agent.account_id,
        "host-silent",
        user.email,
        {
            "name": user.name,
            "host": agent.label,
            "seen_at": agent.seen_at,
            "places": [f"{one.resource}: {', '.join(one.names[:3])}" for one in served[:20]],
            "link": f"{settings.get().base_url}/hosts/{agent.id}",
        },
        locale=user.language,
        dedupe_key=f"host-silent:{agent.id}:{agent.seen_at.timestamp():.0f}",
    )


periodic(WATCH, 60)
