"""Whether the keys of the CA that lie in a PKCS#11 token are still there: looked at each minute."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from certdesk.foundation.audit import actions as audit
from certdesk.foundation.common import clock
from certdesk.foundation.iam.principal import system_principal
from certdesk.pki.keystore import actions as keystore
from certdesk.pki.keystore import token_keys
from certdesk.pki.keystore.errors import TokenUnavailable
from certdesk.pki.keystore.models import Held, Key, State

from .models import Authority, Responder

KEYS = "authority.keys"
LOST = "authority.key_lost"
BACK = "authority.key_back"


@dataclass(frozen=True, slots=True)
class Watched:
    """A key in the token. `spent`: of a responder whose certificate has ended; it can go."""

    key_id: str
    object_id: str
    owner: str
    spent: bool


@dataclass(frozen=True, slots=True)
class Seen:
    """Ids of keys that the token lacks, and of those that were destroyed in it."""

    lost: frozenset[str]
    destroyed: frozenset[str]


def watched(now: datetime) -> list[Watched]:
    """Every key of the CA in the token."""
    in_token = {"key__held": Held.TOKEN, "key__state": State.ASSIGNED}
    authorities = Authority.objects.filter(**in_token).values_list("key_id", "key__object_id", "slug")
    responders = Responder.objects.filter(**in_token).values_list(
        "key_id", "key__object_id", "authority_id", "not_after"
    )
    return [
        *(Watched(key, object_id, slug, False) for key, object_id, slug in authorities),
        *(Watched(key, object_id, f"{slug} OCSP", end <= now) for key, object_id, slug, end in responders),
    ]


def look(keys: Sequence[Watched]) -> Seen:
    """Asks the token; no database. A token that cannot be used lacks them all, and destroys none; one that
    only refuses to destroy is asked for that again at the next look."""
    needed = {one.object_id: one.key_id for one in keys if not one.spent}
    spent = [one for one in keys if one.spent]
    try:
        lost = frozenset(needed[one] for one in token_keys.missing(list(needed)))
    except TokenUnavailable:
        return Seen(frozenset(needed.values()), frozenset())
    try:
        token_keys.remove([one.object_id for one in spent])
    except TokenUnavailable:
        return Seen(lost, frozenset())
    return Seen(lost, frozenset(one.key_id for one in spent))


def note(keys: Sequence[Watched], seen: Seen) -> None:
    """What changed goes to the audit log once, in the caller's transaction."""
    for one in keys:
        if one.key_id in seen.destroyed:
            keystore.destroy(one.key_id)
        elif not one.spent:
            _note(one, one.key_id in seen.lost)


def _note(one: Watched, lost: bool) -> None:
    if keystore.set_lost(one.key_id, clock.real_now() if lost else None):
        audit.record(
            system_principal("", KEYS),
            LOST if lost else BACK,
            resource=f"authority:{one.owner.partition(' ')[0]}",
            details={"key": one.key_id, "object_id": one.object_id, "of": one.owner},
        )


def lost() -> list[str]:
    """The authorities whose key the token lacks, by slug."""
    rows = Authority.objects.filter(key__in=Key.objects.exclude(lost_at=None)).order_by("slug")
    return list(rows.values_list("slug", flat=True))
