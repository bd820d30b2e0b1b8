"""Each action on one certificate, by the very functions that do it one by one; and how it was before."""

from collections.abc import Mapping
from datetime import datetime

from certdesk.foundation.approvals import queries as approvals
from certdesk.foundation.common.errors import WrongState
from certdesk.foundation.iam import groups, people
from certdesk.foundation.iam import queries as iam
from certdesk.foundation.iam.principal import Principal, Via
from certdesk.lifecycle.certificates import editing, endings, queries, rules, tags
from certdesk.lifecycle.certificates.deleting import DELETE
from certdesk.lifecycle.certificates.models import Certificate
from certdesk.lifecycle.certificates.tag_rules import TagPair
from certdesk.lifecycle.deployment import deleting
from certdesk.lifecycle.notifications import actions as notices
from certdesk.lifecycle.notifications import queries as notice_queries
from certdesk.lifecycle.notifications.rules import NoticeType
from certdesk.lifecycle.renewal import switch

from .rules import Action

Options = Mapping[str, str]


def do(
    principal: Principal, action: Action, options: Options, certificate_id: str, now: datetime, *, via: str
) -> None:
    """Does it, with the right that it needs one by one.

    Args:
        via: the door that it was asked for at.

    Raises:
        CertdeskError: what the action by itself would refuse.
    """
    if action is Action.TAG:
        tags.put(principal, certificate_id, [TagPair(options["key"], options.get("value", ""))], tags.BATCH)
    elif action is Action.UNTAG:
        tags.remove(principal, certificate_id, [TagPair(options["key"])])
    elif action is Action.OWNER:
        owner, group = options.get("owner"), options.get("owner_group")
        editing.edit(principal, certificate_id, now, owner=owner, owner_group=group)
    elif action is Action.PROJECT:
        editing.move(principal, certificate_id, options["project"], now)
    elif action is Action.NOTICES:
        notices.switch(principal, [(certificate_id, list(NoticeType))], on=options["on"] == "true")
    elif action is Action.RENEWAL:
        _renew(principal, certificate_id, now, on=options["on"] == "true")
    else:
        _delete(principal, certificate_id, now, via)


def _renew(principal: Principal, certificate_id: str, now: datetime, *, on: bool) -> None:
    """Whether the successor is deployed too stays as it is for each."""
    deploy = switch.standing(principal, certificate_id, now).deploy
    switch.set_auto(principal, certificate_id, now, enabled=on, deploy=deploy)


def _delete(principal: Principal, certificate_id: str, now: datetime, via: str) -> None:
    """A console deletes less than the API (FRE-4), and where a second person is needed nobody goes round."""
    check_second_person(principal.account_id)
    certificate = queries.fetch(principal, DELETE, certificate_id)
    state = rules.state_of(certificate, now)
    endings.check_deletable(certificate, state, in_console=via == Via.CONSOLE)
    deleting.delete(principal, certificate_id, now)


def check_second_person(account_id: str) -> None:
    """Raises:
    WrongState: deleting waits for a second person in this account.
    """
    if approvals.rule_of(account_id, "delete") is not None:
        raise WrongState(
            "Deleting needs a second person here, who sees each certificate.",
            next_step="Delete them one by one; each request waits for its approval.",
        )


def before(action: Action, options: Options, certificate: Certificate) -> tuple[str, bool]:
    """How it stands now, for people, and whether that is what is asked for."""
    if action in (Action.TAG, Action.UNTAG):
        return _tag_before(action, options, certificate)
    if action is Action.OWNER:
        return _owner_before(options, certificate)
    if action is Action.PROJECT:
        project = certificate.enterprise_project_id
        return project, project == options["project"]
    if action is Action.NOTICES:
        on = notice_queries.switched_on(certificate.id)
        wanted = options["on"] == "true"
        return _word(bool(on)), on == (set(NoticeType) if wanted else set())
    if action is Action.RENEWAL:
        return _word(certificate.auto_renewal), certificate.auto_renewal == (options["on"] == "true")
    return "", False


def _tag_before(action: Action, options: Options, certificate: Certificate) -> tuple[str, bool]:
    present = {one.key: one.value for one in tags.read(certificate)}
    value = present.get(options["key"])
    text = "" if value is None else f"{options['key']}={value}"
    same = value is None if action is Action.UNTAG else value == options.get("value", "")
    return text, same


def _owner_before(options: Options, certificate: Certificate) -> tuple[str, bool]:
    users, teams = {certificate.owner_id}, {certificate.owner_group_id} - {""}
    names = iam.names_of(certificate.account_id, users, teams)
    text = " · ".join(names[one] for one in (*users, *teams) if one in names)
    same = options.get("owner", certificate.owner_id) == certificate.owner_id
    return text, same and options.get("owner_group", certificate.owner_group_id) == certificate.owner_group_id


def _word(on: bool) -> str:
    return "on" if on else "off"


def settled(principal: Principal, action: Action, options: Options) -> dict[str, str]:
    """The options with ids for names, so that each certificate is compared and changed by the same ones.

    Raises:
        NotFound: no such user, group or project. WrongState: deleting waits for a second person.
    """
    found = dict(options)
    if "owner" in found:
        found["owner"] = people.mate(principal, found["owner"]).id
    if found.get("owner_group"):
        found["owner_group"] = groups.mate(principal, found["owner_group"]).id
    if action is Action.PROJECT:
        found["project"] = editing.open_project(principal, found["project"])
    if action is Action.DELETE:
        check_second_person(principal.account_id)
    return found
