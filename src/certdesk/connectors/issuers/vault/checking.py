"""What the token may do at the engine, and what its role does; nothing is ordered."""

from datetime import datetime, timedelta
from typing import Any

from certdesk.connectors.issuers.protocol import IssuerCheck, IssuerError, Reason
from certdesk.connectors.issuers.vault import rules
from certdesk.connectors.issuers.vault.access import Access
from certdesk.connectors.issuers.vault.options import VaultPkiOptions
from certdesk.connectors.targets.calling import BadShape

_SOON = timedelta(days=30)


async def role(access: Access, options: VaultPkiOptions) -> rules.Role | None:
    """None where our policy does not let us read it.

    Raises:
        IssuerError: NOT_THERE, or as every call.
    """
    try:
        row = await access.found(f"{options.mount}/roles/{options.role}", "The look at the role")
    except IssuerError as error:
        if error.reason is Reason.CREDENTIALS:
            return None
        raise
    if row is None:
        raise IssuerError(
            Reason.NOT_THERE,
            f"The engine {options.mount} at {access.host} has no role {options.role}.",
            "Check mount, role and namespace.",
            field="role",
        )
    try:
        return rules.role_of(row, await _longest(access, options.mount))
    except BadShape:
        raise access.bad_answer() from None


async def _longest(access: Access, mount: str) -> int:
    """Seconds of validity that the mount allows; 0 where it goes by the server's own, or nobody tells."""
    answer = await access.send("GET", f"sys/internal/ui/mounts/{mount}")
    if answer.status != 200:
        return 0
    return int(access.read(answer)["config"]["max_lease_ttl"])


async def check(
    access: Access, options: VaultPkiOptions, found: rules.Role | None, now: datetime
) -> IssuerCheck:
    """`found`: as `role` read it. Raises: `IssuerError`."""
    token = await access.data("GET", "auth/token/lookup-self", what="The look at our token")
    mount = options.mount
    ways = {
        name: f"{mount}/{path}"
        for name, path in {
            "sign": f"sign/{options.role}",
            "list": "certs/detailed",
            "plain": "certs",
            "revoke": "revoke",
        }.items()
    }
    asked = {"paths": list(ways.values())}
    rights = await access.data("POST", "sys/capabilities-self", asked, what="The question for our rights")
    may = {name: set(rights.get(path) or ()) for name, path in ways.items()}
    if not {"root", "update"} & may["sign"]:
        return IssuerCheck(
            False, "The token may not sign with this role.", f"Allow update on {ways['sign']} in its policy."
        )
    return IssuerCheck(True, notes=tuple(_notes(may, found, _end(token), options, now)))


def _notes(
    may: dict[str, set[str]],
    found: rules.Role | None,
    end: datetime | None,
    options: VaultPkiOptions,
    now: datetime,
) -> list[str]:
    notes = []
    if found is None:
        notes.append("The role may not be read: what it allows is not known here.")
    elif not found.stores:
        notes.append(
            "The role stores no certificates (no_store): an answer that is lost leaves one that nobody knows."
        )
    if not {"root", "list"} & (may["list"] | may["plain"]):
        notes.append("Certificates may not be listed: an answer that is lost leaves one that nobody knows.")
    if not {"root", "update"} & may["revoke"]:
        notes.append("Certificates may not be revoked.")
    if options.token.get_secret_value() and end is not None and end < now + _SOON:
        notes.append(f"The token ends on {end:%Y-%m-%d}: give a new one, or use an AppRole.")
    return notes


def _end(token: dict[str, Any]) -> datetime | None:
    """When the token ends; None for never."""
    text = token.get("expire_time")
    try:
        return datetime.fromisoformat(f"{str(text)[:19]}+00:00") if text else None
    except ValueError:
        return None
