"""Which agency a session has switched to (IAM-8). Kept in the session alone; asked again at every request."""

from django.http import HttpRequest

from certdesk.foundation.common import clock
from certdesk.foundation.common.errors import Forbidden
from certdesk.foundation.iam import assuming
from certdesk.foundation.iam.models import Agency
from certdesk.foundation.iam.principal import Principal

_SWITCHED = "switched"
ONES_OWN = ("/account", "/login", "/iam/keys")
"""Pages about who sits there: closed while switched, so that nobody takes them for the other account's."""


def acting(request: HttpRequest, home: Principal) -> Principal | None:
    """The principal in the other account.

    None = not switched, or no longer: either side has ended it, and the session has forgotten it.
    """
    agency_id = request.session.get(_SWITCHED)
    if not agency_id:
        return None
    found = assuming.again(home, str(agency_id), clock.real_now())
    if found is None:
        leave(request)
    return found


def is_switched(request: HttpRequest) -> bool:
    return bool(request.session.get(_SWITCHED))


def enter(request: HttpRequest, home: Principal, agency: Agency) -> None:
    """From the next request on; recorded in both accounts. The caller has it from `assuming.open_to`."""
    assuming.record_switch(home, agency)
    request.session[_SWITCHED] = agency.id


def leave(request: HttpRequest) -> None:
    request.session.pop(_SWITCHED, None)


def refuse_ones_own(request: HttpRequest) -> None:
    """Raises: Forbidden: the page is about the user itself, who acts in another account now."""
    if request.path.startswith(ONES_OWN):
        raise Forbidden(
            "This page is about yourself, and you act in another account now.",
            next_step="Switch back to your own account first.",
        )
