"""Expiry notices of certificates on and off (API §1 #14, #15)."""

from certdesk.foundation.iam.principal import Principal
from certdesk.lifecycle.notifications import actions
from certdesk.lifecycle.notifications.actions import UPDATE
from certdesk.lifecycle.notifications.rules import NoticeType

from .registry import operation
from .schemas import Notices


@operation("notices.enable", "POST", "/v3/scm/notification/enable", UPDATE, request=Notices, success=204)
def enable(principal: Principal, body: Notices) -> None:
    """Switches notices on; the body is a bare array of {resource_id, notice_type[]}, all of it or nothing."""
    actions.switch(principal, _wanted(body), on=True)


@operation("notices.disable", "POST", "/v3/scm/notification/disable", UPDATE, request=Notices, success=204)
def disable(principal: Principal, body: Notices) -> None:
    """Switches notices off, as enable."""
    actions.switch(principal, _wanted(body), on=False)


def _wanted(body: Notices) -> list[tuple[str, list[NoticeType]]]:
    return [(one.resource_id, [NoticeType(kind) for kind in one.notice_type]) for one in body.root]
