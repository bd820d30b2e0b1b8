"""Saved views of the list of certificates, and how a user wants its list (columns, default view)."""

from certdesk.foundation.common import clock
from certdesk.foundation.common.clock import wire
from certdesk.foundation.iam import known
from certdesk.foundation.iam.principal import Principal
from certdesk.lifecycle.certificates import saved_views
from certdesk.lifecycle.certificates.models import SavedView
from certdesk.lifecycle.certificates.rows import LIST
from certdesk.lifecycle.certificates.saved_views import Settings

from .registry import operation
from .schemas import ListChoice, NewView, ViewChange
from .shapes import Shape

BASE = "/v3/scm/certificate-views"
ONE = f"{BASE}/{{view_id}}"
known.declare(saved_views.SHARE)  # asked where a view is shared, at no route of its own
SETTINGS = "/v3/scm/certificate-list"


@operation("views.list", "GET", BASE, LIST)
def listed(principal: Principal) -> Shape:
    """One's own views and the shared ones of the account, by name."""
    return {"items": [_shape(principal, one) for one in saved_views.listed(principal)]}


def _shape(principal: Principal, one: SavedView) -> Shape:
    return {
        "id": one.id,
        "name": one.name,
        "shared": one.shared,
        "mine": one.user_id == principal.user_id,
        "query": one.query,
        "updated_at": wire(one.updated_at),
    }


@operation("views.create", "POST", BASE, LIST, request=NewView, success=201)
def create(principal: Principal, body: NewView) -> Shape:
    """Keeps filters and order under a name; `shared` shows it to the account and needs scm:cert:shareView."""
    made = saved_views.create(principal, body.name, body.query, clock.now(), shared=body.shared)
    return _shape(principal, made)


@operation("views.show", "GET", ONE, LIST)
def show(principal: Principal, view_id: str) -> Shape:
    """One view."""
    return _shape(principal, saved_views.fetch(principal, view_id))


@operation("views.update", "PUT", ONE, LIST, request=ViewChange)
def update(principal: Principal, view_id: str, body: ViewChange) -> Shape:
    """Another name, other filters, shared or not; another's shared view needs scm:cert:shareView."""
    return _shape(principal, saved_views.update(principal, view_id, clock.now(), **body.model_dump()))


@operation("views.delete", "DELETE", ONE, LIST, success=204)
def delete(principal: Principal, view_id: str) -> None:
    """Deletes one's own view; another's shared view needs scm:cert:shareView."""
    saved_views.delete(principal, view_id)


@operation("views.show_settings", "GET", SETTINGS, LIST)
def show_settings(principal: Principal) -> Shape:
    """The columns of one's list in the console, and the view that it opens with."""
    return _settings(saved_views.settings_of(principal))


def _settings(found: Settings) -> Shape:
    return {"columns": [one.value for one in found.columns], "default_view": found.default_view}


@operation("views.set_settings", "PUT", SETTINGS, LIST, request=ListChoice)
def set_settings(principal: Principal, body: ListChoice) -> Shape:
    """Remembers them; what is left out stays."""
    return _settings(saved_views.set_settings(principal, **body.model_dump()))
