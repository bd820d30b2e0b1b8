"""Channels of an account: add, edit, test, remove. Secrets go in and never come out."""

import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from certdesk.connectors.channels import registry
from certdesk.connectors.channels.options import ChannelOptions
from certdesk.connectors.channels.protocol import ChannelError, Notice
from certdesk.connectors.dns.providers.options import MASK
from certdesk.foundation.audit import actions as audit
from certdesk.foundation.common import clock, ids, phone, settings
from certdesk.foundation.common.errors import BadParameter, CertdeskError, Kind, NotFound
from certdesk.foundation.common.sql import short_transaction
from certdesk.foundation.iam.models import User
from certdesk.foundation.iam.principal import Principal, Resource
from certdesk.foundation.outbox.render import render
from certdesk.foundation.sealing import actions as sealing

from . import dialing
from .models import Channel, Rule, Whom

LIST, GET, CREATE = "scm:notification:list", "scm:notification:get", "scm:notification:create"
UPDATE, DELETE, TEST = "scm:notification:update", "scm:notification:delete", "scm:notification:test"
MOST = 50
LONGEST_LABEL = 64


@dataclass(frozen=True, slots=True)
class Tested:
    """What a test met; `answer` is what the other side said, `problem` is empty when all is well."""

    ok: bool
    answer: str = ""
    problem: str = ""
    next_step: str = ""


def resource_of(account_id: str, channel_id: str = "") -> Resource:
    return Resource("notification", channel_id, account_id)


def listed(principal: Principal) -> list[Channel]:
    """The account's channels that the principal may see, oldest first."""
    found = Channel.objects.filter(account_id=principal.account_id).order_by("created_at", "id")
    return [one for one in found if principal.may(LIST, resource_of(one.account_id, one.id))]


def fetch(principal: Principal, action: str, channel_id: str) -> Channel:
    """The channel, if the principal may do `action` with it (law 5).

    Raises:
        NotFound: missing or of another account; one text for both.
        Forbidden: no policy allows the action.
    """
    found = Channel.objects.filter(id=channel_id).first()
    if found is None or not principal.owns(found.account_id):
        raise NotFound("There is no such channel.", next_step="Look for it in the list of channels.")
    principal.require(action, resource_of(found.account_id, found.id))
    return found


def add(principal: Principal, kind: str, label: str, given: Mapping[str, Any]) -> Channel:
    """Stores a channel; nothing is sent before `test`.

    Raises:
        Forbidden: no `scm:notification:create`.
        CertdeskError: options that do not fit, or 50 channels already.
    """
    principal.require(CREATE, resource_of(principal.account_id))
    options = _read(kind, given, {})
    now = clock.now()
    made = Channel(
        id=ids.hex32(),
        account_id=principal.account_id,
        kind=kind,
        label=_label(label, options),
        shown=options.shown(),
        created_by=principal.user_id,
        created_at=now,
        updated_at=now,
    )
    with short_transaction():
        if Channel.objects.filter(account_id=principal.account_id).count() >= MOST:
            raise CertdeskError(
                f"The account has {MOST} channels already.",
                next_step="Remove one that is not needed any more.",
                kind=Kind.QUOTA,
                code="SCM.9011",
            )
        made.secret_id = _seal(made, options)
        made.save(force_insert=True)
        _note(principal, CREATE, made)
    return made


def edit(
    principal: Principal, channel_id: str, label: str | None, given: Mapping[str, Any] | None
) -> Channel:
    """New label or options; `***` keeps the secret that is stored.

    Raises:
        NotFound, Forbidden: as `fetch` with `scm:notification:update`.
        CertdeskError: options that do not fit, or a stored key for another address.
    """
    channel = fetch(principal, UPDATE, channel_id)
    options = None
    if given is not None:  # before the transaction: a look at the options may start a process
        before = dialing.options_of(channel)
        options = _read(channel.kind, given, before)
        _refuse_moved_key(channel.kind, before, given, options)
    with short_transaction():
        channel = Channel.objects.select_for_update().get(id=channel.id)
        if options is not None:
            old, channel.secret_id = channel.secret_id, _seal(channel, options)
            sealing.destroy(old)
            channel.shown = options.shown()
            channel.asked_at, channel.problem, channel.next_step = None, "", ""
        if label is not None:
            channel.label = _label(label, options)
        channel.updated_at = clock.now()
        channel.save()
        _note(principal, UPDATE, channel)
    return channel


def remove(principal: Principal, channel_id: str) -> None:
    """Forgets the channel, destroys its secrets, and the rules that name it go with it.

    Raises:
        NotFound, Forbidden: as `fetch` with `scm:notification:delete`.
    """
    channel = fetch(principal, DELETE, channel_id)
    with short_transaction():
        Rule.objects.filter(account_id=channel.account_id, whom=Whom.CHANNEL, recipient=channel.id).delete()
        Channel.objects.filter(id=channel.id).delete()
        sealing.destroy(channel.secret_id)
        _note(principal, DELETE, channel)


def test(principal: Principal, channel_id: str, number: str) -> Tested:
    """Sends a real test message and keeps what the other side said.

    Args:
        number: the phone number, for an SMS gateway; else empty.

    Raises:
        NotFound, Forbidden: as `fetch` with `scm:notification:test`.
        BadParameter: an SMS gateway without a number in international form.
    """
    channel = fetch(principal, TEST, channel_id)
    number = phone.international(number)
    if registry.kind_of(channel.kind).to_phone and not number:
        raise BadParameter(
            "Name the phone number that gets the test, with its country.",
            next_step="Write it like +86 138 0013 8000.",
            field="phone",
        )
    result = _send_test(channel, number, principal)
    with short_transaction():
        keep(channel.id, result.problem, result.next_step)
        audit.record(
            principal,
            TEST,
            resource=f"channel:{channel.id}",
            account_id=channel.account_id,
            details={"ok": result.ok},
        )
    return result


def _send_test(channel: Channel, number: str, principal: Principal) -> Tested:
    link = f"{settings.get().base_url}/notifications"
    language = User.objects.filter(id=principal.user_id).values_list("language", flat=True).first()
    words = render("channel-test", language or "en", {"sender": principal.name, "link": link})
    notice = Notice(
        f"test-{secrets.token_hex(8)}",
        words.subject,
        words.text,
        number,
        {"event": "channel.test", "certificates": [], "link": link},
    )
    try:
        connector = dialing.connect(channel.kind, dialing.options_of(channel))
        return Tested(True, dialing.call(lambda: connector.send(notice)))
    except (CertdeskError, ChannelError) as error:
        return Tested(False, "", error.message, error.next_step)


def keep(channel_id: str, problem: str, next_step: str = "") -> None:
    """Notes what the other side last said, in the caller's transaction."""
    Channel.objects.filter(id=channel_id).update(
        asked_at=clock.real_now(), problem=problem[:500], next_step=next_step[:300]
    )


def _read(kind: str, given: Mapping[str, Any], old: Mapping[str, Any]) -> ChannelOptions:
    """The options, once the connector says that they can work."""
    try:
        options = registry.read_options(kind, given, old)
        connector = dialing.connect(kind, options.stored())
    except ChannelError as error:
        raise dialing.refusal(error) from None
    dialing.call(connector.check)
    return options


def _refuse_moved_key(
    kind: str, before: Mapping[str, Any], given: Mapping[str, Any], options: ChannelOptions
) -> None:
    """What a stored key signs goes to no other server than it was given for: who edits may not know it."""
    was = registry.read_options(kind, before)
    if was.receiver() != options.receiver() and MASK in given.values():
        raise BadParameter(
            "The address of the channel changes, so its key must be given again.",
            next_step="Enter the key that the new receiver knows, or none.",
            field="options",
        )


def _seal(channel: Channel, options: ChannelOptions) -> str:
    plain = json.dumps(options.stored()).encode()
    return sealing.seal(channel.account_id, dialing.purpose(channel.id), plain)


def _label(given: str, options: ChannelOptions | None) -> str:
    label = " ".join(given.split()) or (options.label if options else "")
    if not label or len(label) > LONGEST_LABEL or not label.isprintable():
        raise BadParameter(
            f"The name of a channel has 1 to {LONGEST_LABEL} printable characters.",
            next_step="Shorten it.",
            field="label",
        )
    return label


def _note(principal: Principal, action: str, channel: Channel) -> None:
    audit.record(
        principal,
        action,
        resource=f"channel:{channel.id}",
        account_id=channel.account_id,
        details={"kind": channel.kind, "label": channel.label},
    )
