"""The account's targets: kept sealed, tested and looked through on request; what they hold as bindings."""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from certdesk.connectors.dns.providers.options import MASK
from certdesk.connectors.targets import registry
from certdesk.connectors.targets.options import TargetOptions
from certdesk.connectors.targets.protocol import Resource as Found
from certdesk.connectors.targets.protocol import TargetCheck, TargetError
from certdesk.foundation.audit import actions as audit
from certdesk.foundation.common import clock, ids
from certdesk.foundation.common.errors import BadParameter, CertdeskError, Kind, WrongState
from certdesk.foundation.common.sql import short_transaction
from certdesk.foundation.iam.principal import Principal, Resource
from certdesk.foundation.sealing import actions as sealing

from . import dialing, hosted, looking, queries, states, windows
from .errors import NoTarget
from .models import Binding, Service, Step, Target

LIST, GET, CREATE = "scm:target:list", "scm:target:get", "scm:target:create"
UPDATE, DELETE = "scm:target:update", "scm:target:delete"
TEST, DISCOVER = "scm:target:test", "scm:target:discover"
MOST = 200
CHUNK = 100
LONGEST_LABEL = 64


def resource_of(account_id: str, target_id: str = "") -> Resource:
    return Resource("target", target_id, account_id)


def listed(principal: Principal) -> list[Target]:
    """The account's targets that the principal may see, oldest first; hosts with an agent stand apart."""
    rows = Target.objects.filter(account_id=principal.account_id).exclude(kind=hosted.KIND)
    found = rows.order_by("created_at", "id")
    return [one for one in found if principal.may(LIST, resource_of(one.account_id, one.id))]


def fetch(principal: Principal, action: str, target_id: str) -> Target:
    """The target, if the principal may do `action` with it (law 5).

    Raises:
        NoTarget: missing or of another account.
        Forbidden: no policy allows the action.
    """
    found = Target.objects.filter(id=target_id).first()
    if found is None or not principal.owns(found.account_id) or found.kind == hosted.KIND:
        raise NoTarget
    principal.require(action, resource_of(found.account_id, found.id))
    return found


def add(
    principal: Principal,
    *,
    service: str,
    kind: str,
    region: str,
    project: str = "",
    label: str = "",
    window: Mapping[str, Any] | None = None,
    given: Mapping[str, Any],
) -> Target:
    """Stores a target; it is not asked before `test` or `discover`.

    Raises:
        Forbidden: no `scm:target:create`.
        CertdeskError: options that do not fit, or 200 targets already.
    """
    principal.require(CREATE, resource_of(principal.account_id))
    options, now = _read(kind, given), clock.now()
    made = Target(
        id=ids.hex32(),
        account_id=principal.account_id,
        service=_service(service),
        kind=kind,
        region=_word(region, "region", required=True),
        project=_word(project, "project"),
        label=_word(label, "label") or options.label,
        shown=options.shown(),
        window=_window(window or {}),
        created_by=principal.user_id,
        created_at=now,
        updated_at=now,
    )
    with short_transaction():
        if Target.objects.filter(account_id=principal.account_id).count() >= MOST:
            raise CertdeskError(
                f"The account has {MOST} targets already.",
                next_step="Remove one that is not needed any more.",
                kind=Kind.QUOTA,
                code="SCM.9011",
            )
        made.secret_id = _seal(made, options)
        made.save(force_insert=True)
        _note(principal, CREATE, made)
    return made


def edit(principal: Principal, target_id: str, changes: Mapping[str, Any]) -> Target:
    """New label, region, project, window or options; kind and service stay.

    Raises:
        NoTarget, Forbidden: as `fetch` with `scm:target:update`.
        CertdeskError: options that do not fit.
        WrongState: a deployment to it is under way.
    """
    target = fetch(principal, UPDATE, target_id)
    with short_transaction():
        target = Target.objects.select_for_update().get(id=target.id)
        _refuse_busy(target)
        if changes.get("options") is not None:
            options = _read(target.kind, changes["options"], dialing.options_of(target))
            old, target.secret_id = target.secret_id, _seal(target, options)
            sealing.destroy(old)
            target.shown = options.shown()
            target.asked_at, target.problem, target.next_step, target.notes = None, "", "", []
        for field, required in (("label", True), ("region", True), ("project", False)):
            if changes.get(field) is not None:
                setattr(target, field, _word(changes[field], field, required=required))
        if changes.get("window") is not None:
            target.window = _window(changes["window"])
        target.updated_at = clock.now()
        target.save()
        _note(principal, UPDATE, target)
    return target


def remove(principal: Principal, target_id: str) -> None:
    """Forgets the target with its bindings and destroys its secrets; what it serves stays as it is.

    Raises:
        NoTarget, Forbidden: as `fetch` with `scm:target:delete`.
        WrongState: a deployment to it is under way.
    """
    target = fetch(principal, DELETE, target_id)
    with short_transaction():
        if not Target.objects.select_for_update().filter(id=target.id).exists():
            return
        _refuse_busy(target)
        steps = Step.objects.filter(binding__target_id=target.id)
        for secret in steps.exclude(snapshot_id="").values_list("snapshot_id", flat=True):
            sealing.destroy(secret)
        steps.update(snapshot_id="")
        Target.objects.filter(id=target.id).delete()
        sealing.destroy(target.secret_id)
        _note(principal, DELETE, target)


def _refuse_busy(target: Target) -> None:
    if Step.objects.filter(binding__target_id=target.id, state__in=states.OPEN).exists():
        raise WrongState(
            "A deployment to this target is under way.",
            next_step="Wait until it is over, or cancel it while it waits for its turn; then try again.",
        )


def test(principal: Principal, target_id: str) -> TargetCheck:
    """Asks the target, changing nothing there, and keeps what it said; notes listeners that nobody can reach.

    Raises:
        NoTarget, Forbidden: as `fetch` with `scm:target:test`.
    """
    target = fetch(principal, TEST, target_id)
    result = _asked(target)
    if result.ok:
        away = dialing.call(lambda: looking.unseen(result.resources), "The look at the listeners")
        result = replace(result, notes=(*result.notes, *away))
    with short_transaction():
        _keep(target, result)
        _note(principal, TEST, target, ok=result.ok)
    return result


def discover(principal: Principal, target_id: str) -> list[Binding]:
    """Looks the target through: each certificate object becomes a binding; what is gone is marked so.

    Raises:
        NoTarget, Forbidden: as `fetch` with `scm:target:discover`.
        CertdeskError: the target could not be asked.
    """
    target = fetch(principal, DISCOVER, target_id)
    result = _asked(target)
    with short_transaction():
        _keep(target, result)
        _note(principal, DISCOVER, target, ok=result.ok, found=len(result.resources))
    if not result.ok:
        raise CertdeskError(result.problem, next_step=result.next_step, kind=Kind.UNAVAILABLE)
    for start in range(0, len(result.resources), CHUNK):
        with short_transaction():
            for one in result.resources[start : start + CHUNK]:
                enter(target, one)
    names = [one.id for one in result.resources]
    with short_transaction():
        Binding.objects.filter(target=target).exclude(resource__in=names).update(
            gone=True, deployment=states.BindingState.NOT_DEPLOYED, served="", served_certificate_id=""
        )
    return queries.of_target(target)


def _asked(target: Target) -> TargetCheck:
    try:
        connector = dialing.connector(target.kind, dialing.options_of(target))
        return dialing.call(connector.test, "The look at the target")
    except TargetError as error:
        return TargetCheck(False, (), error.message, error.next_step)
    except CertdeskError as error:
        return TargetCheck(False, (), error.message, error.next_step)


def enter(target: Target, found: Found) -> Binding:
    """The binding of what was found, new or brought up to date; in the caller's transaction."""
    made, _ = Binding.objects.get_or_create(
        target=target,
        resource=found.id,
        defaults={"id": ids.hex32(), "account_id": target.account_id},
    )
    made.names, made.listeners, made.gone = list(found.names), list(found.listeners), False
    made.served = found.fingerprint_sha1
    made.served_certificate_id = queries.ours(target.account_id, found.names, found.fingerprint_sha1)
    made.seen_at = clock.real_now()
    if made.deployment == states.BindingState.DEPLOYED and made.served != made.fingerprint:
        made.deployment = states.BindingState.NOT_DEPLOYED
        made.reason = "The target has another certificate now than the one that was deployed."
        made.next_step = "Deploy again if that was not meant."
    made.save()
    return made


def _keep(target: Target, result: TargetCheck) -> None:
    Target.objects.filter(id=target.id).update(
        asked_at=clock.real_now(),
        problem=result.problem[:2000],
        next_step=result.next_step,
        notes=list(result.notes),
    )


def _read(kind: str, given: Mapping[str, Any], old: Mapping[str, Any] | None = None) -> TargetOptions:
    """A stored secret never goes to another server than the one it was given for."""
    try:
        options = registry.read_options(kind, given, old)
        moved = old is not None and registry.read_options(kind, old).receiver() != options.receiver()
    except TargetError as error:
        raise dialing.refusal(error) from None
    if moved and MASK in given.values():
        raise BadParameter(
            "The server of the target changes, so its secrets must be given again.",
            next_step="Enter the secrets for the new server.",
            field="options",
        )
    return options


def _seal(target: Target, options: TargetOptions) -> str:
    plain = json.dumps(options.stored()).encode()
    return sealing.seal(target.account_id, dialing.purpose(target.id), plain)


def _service(given: str) -> str:
    if given not in Service.values:
        raise BadParameter(
            f"{given!r:.40} is no service.", next_step=f"Use {', '.join(Service.values)}.", field="service"
        )
    return given


def _window(given: Mapping[str, Any]) -> dict[str, Any]:
    """Read once, so that only what can be read is stored."""
    found = windows.read(given)
    return found.stored() if found is not None else {}


def _word(given: str, field: str, *, required: bool = False) -> str:
    text = " ".join(given.split())
    if (required and not text) or len(text) > LONGEST_LABEL or not text.isprintable():
        raise BadParameter(
            f"{field} has {1 if required else 0} to {LONGEST_LABEL} printable characters.",
            next_step="Shorten it.",
            field=field,
        )
    return text


def _note(principal: Principal, action: str, target: Target, **more: object) -> None:
    audit.record(
        principal,
        action,
        resource=f"target:{target.id}",
        account_id=target.account_id,
        details={"kind": target.kind, "label": target.label, **more},
    )
