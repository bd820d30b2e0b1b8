"""A certificate that somebody bought to renew another one: it goes where the old one should be served."""

from certdesk.lifecycle.certificates.models import Certificate
from certdesk.lifecycle.deployment import following
from certdesk.lifecycle.deployment.states import Cause

from .models import Renewal


def begin(certificate_id: str) -> int:
    """Sends it to the places that are kept right by themselves; how many. In the caller's transaction.

    What the machine bought, the machine deploys as its switch says.
    """
    new = Certificate.objects.filter(id=certificate_id).first()
    if new is None or not new.renews_id or Renewal.objects.filter(new_id=new.id, state="OPEN").exists():
        return 0
    places = following.of_predecessor(new)
    if not places or not following.possible(new, places):
        return 0
    return following.send(new, places, Cause.FOLLOW)
