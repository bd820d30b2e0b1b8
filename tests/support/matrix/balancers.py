"""Two load balancers of the lab, one an account, and what is deployed to them."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from ipaddress import ip_network
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from certdesk.foundation.common import clock, ids, settings
from certdesk.foundation.jobs import testing as jobs
from certdesk.lab.elb import LabElb
from certdesk.lab.elb_small import Fault
from certdesk.lifecycle.deployment import waiting, work
from certdesk.lifecycle.deployment.models import Deployment, Step
from tests.support.balancer import REGION, connection

if TYPE_CHECKING:
    from .things import Side


@contextmanager
def balancers(folder: Path, *names: str) -> Iterator[list[LabElb]]:
    """One for each name, in reach of the product; a request that waits for a deployment runs its jobs."""
    before = settings.get()
    with pytest.MonkeyPatch.context() as patch, ExitStack() as running:
        patch.setattr(waiting, "pause", lambda: jobs.run_all(timedelta(0), 100, strict=False))
        patch.setattr(work, "PATIENCE", 0.0)
        made = [
            running.enter_context(LabElb(folder / one, ((f"shop.{one}.example.com",),), real=False))
            for one in names
        ]
        reachable = {
            "target_folders": tuple(one.folder for one in made),
            "allow_networks": (*before.allow_networks, ip_network("127.0.0.0/8")),
        }
        settings.install(before.model_copy(update=reachable))
        try:
            yield made
        finally:
            settings.install(before)


def target(side: "Side") -> str:
    return str(side.post("/v3/scm/targets", connection(side.elb))["id"])


def binding(side: "Side") -> str:
    found = side.post(f"/v3/scm/targets/{side.ids['targets']}/discover")["bindings"]
    assert isinstance(found, list)
    return str(found[0]["id"])


def wanted(side: "Side") -> dict[str, object]:
    """The body of a deploy request."""
    resources = [{"id": side.ids["bindings"]}]
    return {"service_name": "ELB", "project_name": REGION, "resources": resources}


def deployment(side: "Side") -> str:
    """Of a certificate of its own: one that is served cannot simply be deleted."""
    path = f"/v3/scm/certificates/{side.issued()}/deploy"
    return str(side.post(path, wanted(side))["deployment_id"])


def failed_deployment(side: "Side") -> str:
    """The load balancer goes on serving what it served."""
    side.elb.small.faults.add(Fault.DEAF)
    try:
        return deployment(side)
    finally:
        side.elb.small.faults.clear()


def held_deployment(side: "Side", *, paused: bool) -> str:
    """One with a place that has not begun, and is none of the load balancer's: it holds nothing up."""
    now = clock.now()
    before = Deployment.objects.get(id=side.ids["deployments"])
    made = Deployment.objects.create(
        id=ids.hex32(),
        account_id=before.account_id,
        certificate_id=before.certificate_id,
        version=before.version,
        fingerprint=before.fingerprint,
        state="PAUSED" if paused else "PLANNED",
        paused=paused,
        created_by=before.created_by,
        created_at=now,
    )
    Step.objects.create(deployment=made, title="gone: gone", state="PLANNED", updated_at=now)
    return made.id
