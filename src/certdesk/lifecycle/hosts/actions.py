"""Codes, enrolment, renaming and removing of hosts."""

import base64
import hashlib
import hmac
import secrets

from certdesk.foundation.audit import actions as audit
from certdesk.foundation.common import clock, ids
from certdesk.foundation.common.errors import BadParameter, CertdeskError, Kind
from certdesk.foundation.common.sql import short_transaction
from certdesk.foundation.iam.principal import Principal
from certdesk.foundation.jobs import rights
from certdesk.foundation.sealing import actions as sealing
from certdesk.lifecycle.deployment import hosted

from . import queries, rules
from .errors import CodeRefused
from .models import Agent
from .queries import CODE, CREATE, DELETE, UPDATE

MOST = 2_000
LONGEST_LABEL = 64


def code(principal: Principal, label: str = "", action: str = CODE) -> tuple[Agent, str]:
    """A host that waits for its enrolment, and the code for it, which is told this once.

    Raises:
        Forbidden: no right to it.
        BadParameter: no label for a host.
        CertdeskError: 2,000 hosts already.
    """
    principal.require(action, queries.resource_of(principal.account_id))
    label = _label(label)
    text = base64.b32encode(secrets.token_bytes(20)).decode()
    with short_transaction():
        if Agent.objects.filter(account_id=principal.account_id).count() >= MOST:
            raise CertdeskError(
                f"The account has {MOST} hosts already.",
                next_step="Remove those that are not needed any more.",
                kind=Kind.QUOTA,
                code="SCM.9011",
            )
        made = Agent.objects.create(
            id=ids.hex32(),
            account_id=principal.account_id,
            label=label,
            code_digest=_digest(text),
            code_expires_at=clock.real_now() + rules.CODE_LIVES,
            created_by=principal.user_id,
            created_at=clock.now(),
        )
        _note(principal, action, made)
    return made, text


def enrol(text: str, secret: str, host: str, release: str) -> Agent:
    """The host that shows a code, with the credential that it chose. The same again for a repetition.

    Args:
        secret: 64 hex digits, made on the host.

    Raises:
        CodeRefused: the code is unknown, too old, used by another host, or its user may not enrol any more.
        BadParameter: no credential.
    """
    if len(secret) != 64 or not all(one in "0123456789abcdef" for one in secret):
        raise BadParameter("The host chose no credential.", next_step="Update the agent.", field="secret")
    with short_transaction():
        found = Agent.objects.select_for_update(of=("self",)).filter(code_digest=_digest(text)).first()
        if found is None:
            raise CodeRefused("This enrolment code is not known.")
        if found.enrolled_at is not None:
            if not hmac.compare_digest(_secret(found), secret):
                raise CodeRefused("This enrolment code was used before.")
            return found
        if clock.real_now() >= found.code_expires_at:
            raise CodeRefused("This enrolment code is too old.")
        _enter(_maker(found), found, secret, host, release)
    return found


def _maker(agent: Agent) -> Principal:
    """Whoever made the code, as long as he may have hosts."""
    try:
        principal = rights.principal_of_user(agent.created_by, agent.account_id)
        about = queries.resource_of(agent.account_id, agent.id)
        if not principal.may(CODE, about):
            principal.require(CREATE, about)
    except Exception as error:
        raise CodeRefused("Whoever made this enrolment code may not enrol hosts any more.") from error
    return principal


def _enter(principal: Principal, agent: Agent, secret: str, host: str, release: str) -> None:
    agent.host, agent.release = told(host, 255), told(release, 20)
    agent.label = agent.label or agent.host[:LONGEST_LABEL] or agent.id[:8]
    agent.target = hosted.add_target(agent.account_id, agent.label, agent.created_by)
    agent.secret_id = sealing.seal(agent.account_id, _purpose(agent.id), secret.encode())
    agent.enrolled_at, agent.seen_at = clock.now(), clock.real_now()
    agent.save()
    _note(principal, "host.enrolled", agent, host=agent.host)


def told(text: str, most: int) -> str:
    """A word of the host about itself, without what cannot be printed."""
    return "".join(one for one in text if one.isprintable()).strip()[:most]


def _digest(text: str) -> str:
    return hashlib.sha256(text.strip().upper().encode()).hexdigest()


def _purpose(agent_id: str) -> str:
    return f"agent:{agent_id}"


def _secret(agent: Agent) -> str:
    return sealing.unseal(agent.secret_id, agent.account_id, _purpose(agent.id)).decode()


def key_of(agent: Agent) -> bytes:
    """What its requests are signed with."""
    return bytes.fromhex(_secret(agent))


def rename(principal: Principal, agent_id: str, label: str) -> Agent:
    """Raises:
    NoAgent, Forbidden: as `queries.fetch` with `scm:agent:update`.
    BadParameter: no label for a host.
    """
    agent, label = queries.fetch(principal, UPDATE, agent_id), _label(label, required=True)
    with short_transaction():
        Agent.objects.filter(id=agent.id).update(label=label)
        if agent.target is not None:
            hosted.rename(agent.target, label)
        _note(principal, UPDATE, agent, was=agent.label)
    agent.label = label
    return agent


def remove(principal: Principal, agent_id: str) -> None:
    """Its credential is dead at once; what the host serves stays as it is.

    Raises:
        NoAgent, Forbidden: as `queries.fetch` with `scm:agent:delete`.
    """
    agent = queries.fetch(principal, DELETE, agent_id)
    with short_transaction():
        found = (
            Agent.objects.select_for_update(of=("self",)).select_related("target").filter(id=agent.id).first()
        )
        if found is None:
            return
        forget(found)
        _note(principal, DELETE, found)


def forget(agent: Agent) -> None:
    """In the caller's transaction."""
    if agent.secret_id:
        sealing.destroy(agent.secret_id)
    target = agent.target
    Agent.objects.filter(id=agent.id).delete()
    if target is not None:
        hosted.drop(target)


def _label(given: str, *, required: bool = False) -> str:
    text, field = " ".join(given.split()), "label"
    if (required and not text) or len(text) > LONGEST_LABEL or not text.isprintable():
        raise BadParameter(
            f"{field} has {1 if required else 0} to {LONGEST_LABEL} printable characters.",
            next_step="Shorten it.",
            field=field,
        )
    return text


def _note(principal: Principal, action: str, agent: Agent, **more: object) -> None:
    audit.record(
        principal,
        action,
        resource=f"agent:{agent.id}",
        account_id=agent.account_id,
        details={"label": agent.label, **more},
    )
