"""DNS connections of an account: add, edit, test, remove (DOM-7). Secrets go in and never come out."""

import json
from collections.abc import Mapping
from typing import Any

from certdesk.connectors.dns.providers import registry
from certdesk.connectors.dns.providers.options import MASK, ProviderOptions
from certdesk.connectors.dns.providers.protocol import ConnectionCheck, DnsError
from certdesk.foundation.audit import actions as audit
from certdesk.foundation.common import clock, ids
from certdesk.foundation.common.errors import BadParameter, CertdeskError, Kind, NotFound, WrongState
from certdesk.foundation.common.sql import short_transaction
from certdesk.foundation.iam.principal import Principal, Resource
from certdesk.foundation.sealing import actions as sealing

from . import automatic, dialing
from .models import AutomaticRecord, DnsConnection, RecordState

LIST, GET, CREATE = "scm:dnsConnection:list", "scm:dnsConnection:get", "scm:dnsConnection:create"
UPDATE, DELETE, TEST = "scm:dnsConnection:update", "scm:dnsConnection:delete", "scm:dnsConnection:test"
MOST = 50
MOST_ZONES_KEPT = 1000
LONGEST_LABEL = 64


def resource_of(account_id: str, connection_id: str = "") -> Resource:
    return Resource("dnsConnection", connection_id, account_id)


def listed(principal: Principal) -> list[DnsConnection]:
    """The account's connections that the principal may see, oldest first."""
    found = DnsConnection.objects.filter(account_id=principal.account_id).order_by("created_at", "id")
    return [one for one in found if principal.may(LIST, resource_of(one.account_id, one.id))]


def fetch(principal: Principal, action: str, connection_id: str) -> DnsConnection:
    """The connection, if the principal may do `action` with it (law 5).

    Raises:
        NotFound: missing or of another account; one text for both.
        Forbidden: no policy allows the action.
    """
    found = DnsConnection.objects.filter(id=connection_id).first()
    if found is None or not principal.owns(found.account_id):
        raise NotFound(
            "There is no such DNS connection.", next_step="Look for it in the list of connections."
        )
    principal.require(action, resource_of(found.account_id, found.id))
    return found


def add(principal: Principal, kind: str, label: str, given: Mapping[str, Any]) -> DnsConnection:
    """Stores a connection; it is not asked before `test`.

    Raises:
        Forbidden: no `scm:dnsConnection:create`.
        CertdeskError: options that do not fit, or 50 connections already.
    """
    principal.require(CREATE, resource_of(principal.account_id))
    options = _read(kind, given, {})
    now = clock.now()
    made = DnsConnection(
        id=ids.hex32(),
        account_id=principal.account_id,
        kind=kind,
        label=_label(label, options),
        shown=options.shown(),
        zones=_named_zones(options),
        created_by=principal.user_id,
        created_at=now,
        updated_at=now,
    )
    with short_transaction():
        if DnsConnection.objects.filter(account_id=principal.account_id).count() >= MOST:
            raise CertdeskError(
                f"The account has {MOST} DNS connections already.",
                next_step="Remove one that is not needed any more.",
                kind=Kind.QUOTA,
                code="SCM.9011",
            )
        made.secret_id = _seal(made, options)
        made.save(force_insert=True)
        _note(principal, CREATE, made)
        automatic.restart(made.account_id)
    return made


def edit(
    principal: Principal, connection_id: str, label: str | None, given: Mapping[str, Any] | None
) -> DnsConnection:
    """New label or options; `***` keeps the secret that is stored.

    Raises:
        NotFound, Forbidden: as `fetch` with `scm:dnsConnection:update`.
        CertdeskError: options that do not fit.
    """
    connection = fetch(principal, UPDATE, connection_id)
    with short_transaction():
        connection = DnsConnection.objects.select_for_update().get(id=connection.id)
        options = None
        if given is not None:
            before = dialing.options_of(connection)
            options = _read(connection.kind, given, before)
            _refuse_moved_secret(connection.kind, before, given, options)
            old, connection.secret_id = connection.secret_id, _seal(connection, options)
            sealing.destroy(old)
            connection.shown, connection.zones = options.shown(), _named_zones(options)
            connection.asked_at, connection.problem, connection.next_step, connection.notes = None, "", "", []
        if label is not None:
            connection.label = _label(label, options)
        connection.updated_at = clock.now()
        connection.save()
        _note(principal, UPDATE, connection)
        automatic.restart(connection.account_id)
    return connection


def standing(connection_id: str) -> list[AutomaticRecord]:
    """Values that were written through the connection and are not removed yet."""
    found = AutomaticRecord.objects.filter(connection_id=connection_id)
    return list(found.exclude(state=RecordState.REMOVED).order_by("id")[:100])


def remove(principal: Principal, connection_id: str, *, force: bool = False) -> None:
    """Forgets the connection and destroys its secrets.

    Args:
        force: also while records that were written through it stand; they are left to the user then.

    Raises:
        NotFound, Forbidden: as `fetch` with `scm:dnsConnection:delete`.
        WrongState: records that were written through it still stand; it is needed to remove them.
    """
    connection = fetch(principal, DELETE, connection_id)
    with short_transaction():
        if not DnsConnection.objects.select_for_update().filter(id=connection.id).exists():
            return
        left = standing(connection.id)
        if left and not force:
            raise WrongState(
                f"{len(left)} records that were written through the connection still stand.",
                next_step="They go by themselves once their certificates are issued or withdrawn; "
                "remove the connection then, or force it and delete them yourself.",
            )
        AutomaticRecord.objects.filter(id__in=[one.id for one in left]).update(
            state=RecordState.REMOVED, problem="The connection was removed: this record is left to its owner."
        )
        DnsConnection.objects.filter(id=connection.id).delete()
        sealing.destroy(connection.secret_id)
        _note(principal, DELETE, connection, left=len(left))


def test(principal: Principal, connection_id: str) -> ConnectionCheck:
    """Asks the provider, changing nothing there, and keeps what it said.

    Raises:
        NotFound, Forbidden: as `fetch` with `scm:dnsConnection:test`.
    """
    connection = fetch(principal, TEST, connection_id)
    try:
        provider = dialing.provider_of(connection)
        result = dialing.call(provider.test, "The test of the connection")
    except DnsError as error:
        result = ConnectionCheck(False, (), error.message, error.next_step)
    except CertdeskError as error:
        result = ConnectionCheck(False, (), error.message, error.next_step)
    with short_transaction():
        keep(
            connection.id, result.zones if result.ok else None, result.problem, result.next_step, result.notes
        )
        audit.record(
            principal,
            TEST,
            resource=f"dnsConnection:{connection.id}",
            account_id=connection.account_id,
            details={"ok": result.ok},
        )
        if result.ok:
            automatic.restart(connection.account_id)
    return result


def keep(
    connection_id: str,
    zones: tuple[str, ...] | None,
    problem: str = "",
    next_step: str = "",
    notes: tuple[str, ...] | None = None,
) -> None:
    """Notes what the provider last said, in the caller's transaction; zones None = not told."""
    values: dict[str, Any] = {"asked_at": clock.real_now(), "problem": problem[:2000], "next_step": next_step}
    if zones is not None:
        values["zones"] = list(zones[:MOST_ZONES_KEPT])
    if notes is not None:
        values["notes"] = list(notes)
    DnsConnection.objects.filter(id=connection_id).update(**values)


def _read(kind: str, given: Mapping[str, Any], old: Mapping[str, Any]) -> ProviderOptions:
    try:
        return registry.read_options(kind, given, old)
    except DnsError as error:
        raise dialing.refusal(error, field="options" if kind in registry.KINDS else "provider") from None


def _refuse_moved_secret(
    kind: str, before: Mapping[str, Any], given: Mapping[str, Any], options: ProviderOptions
) -> None:
    """A stored secret is not sent to another server than it was given for: who edits may not know it."""
    was = registry.read_options(kind, before)
    moved = was.receiver() != options.receiver() or before.get("provider") != given.get("provider")
    nested = [value for one in given.values() if isinstance(one, Mapping) for value in one.values()]
    if moved and MASK in [*given.values(), *nested]:
        raise BadParameter(
            "The server of the connection changes, so its secrets must be given again.",
            next_step="Enter the secrets for the new server.",
            field="options",
        )


def _seal(connection: DnsConnection, options: ProviderOptions) -> str:
    plain = json.dumps(options.stored()).encode()
    return sealing.seal(connection.account_id, dialing.purpose(connection.id), plain)


def _named_zones(options: ProviderOptions) -> list[str]:
    """The zones that the options name themselves; other kinds list theirs when they are asked."""
    return list(getattr(options, "zones", ()))[:MOST_ZONES_KEPT]


def _label(given: str, options: ProviderOptions | None) -> str:
    label = " ".join(given.split())
    if not label and options is not None:
        endpoint = options.endpoint()
        label = f"{options.label}, {endpoint[0]}" if endpoint else options.label
        label = label[:LONGEST_LABEL]
    if not label or len(label) > LONGEST_LABEL or not label.isprintable():
        raise BadParameter(
            f"The name of a connection has 1 to {LONGEST_LABEL} printable characters.",
            next_step="Shorten it.",
            field="label",
        )
    return label


def _note(principal: Principal, action: str, connection: DnsConnection, **more: object) -> None:
    audit.record(
        principal,
        action,
        resource=f"dnsConnection:{connection.id}",
        account_id=connection.account_id,
        details={"kind": connection.kind, "label": connection.label, **more},
    )
