"""Reads of users, grants and access keys. The lookup by access key is on every API request's path."""

import threading
import time
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache

import orjson

from certdesk.foundation.common import clock, sql
from certdesk.foundation.common.errors import Forbidden, NotFound
from certdesk.foundation.common.reader import Reader
from certdesk.foundation.sealing import actions as sealing

from . import predicates, rules
from .models import AccessKey, Agency, User
from .predicates import Columns
from .principal import PolicyGrant, Principal, Resource, Via, fresh_caches

active_user = Reader(User, "WHERE id = %s AND is_active")

KEY_PURPOSE = "access-key"
CACHE_SECONDS = 5.0  # a disabled key or a changed policy is felt at most this much later
_CACHE_LIMIT = 10_000

_GRANTS = """
  LEFT JOIN iam_group_users m ON m.user_id = u.id
  LEFT JOIN iam_group g ON g.id = m.group_id AND g.account_id = u.account_id
  LEFT JOIN iam_grant r ON r.group_id = g.id
  LEFT JOIN iam_policy p ON p.id = r.policy_id
"""
_BY_KEY = f"""
SELECT u.account_id, u.id, u.name, k.secret_id, k.enabled, u.is_active,
       p.name, p.document, r.enterprise_project_id
  FROM iam_accesskey k JOIN iam_user u ON u.id = k.user_id {_GRANTS}
 WHERE k.access_key = %s
"""
_BY_USER = f"""
SELECT u.account_id, u.id, u.name, p.name, p.document, r.enterprise_project_id
  FROM iam_user u {_GRANTS}
 WHERE u.id = %s
"""


_TEMPORARY = """
SELECT k.user_id, k.agency_id, k.secret_id, k.token_digest, k.narrowed, k.expires_at, u.account_id
  FROM iam_temporarykey k JOIN iam_user u ON u.id = k.user_id
 WHERE k.access_key = %s AND u.is_active
"""
_BY_AGENCY = """
SELECT p.name, p.document, r.enterprise_project_id
  FROM iam_agencygrant r JOIN iam_policy p ON p.id = r.policy_id
 WHERE r.agency_id = %s ORDER BY r.id
"""
TEMPORARY = "HST"
"""How temporary access keys begin; a lasting one may by chance, and is looked for too."""


@dataclass(frozen=True, slots=True)
class KnownKey:
    """An access key with all that a request needs; the secret is never shown in `repr`.

    Attributes:
        token_digest: of the security token that must come with it, signed; empty for a lasting key.
        expires_at: None for a lasting key.
        agency_id: of the agency that it acts by; whether it still may is to be asked.
    """

    principal: Principal
    secret: bytes
    enabled: bool
    token_digest: str = ""
    expires_at: datetime | None = None
    agency_id: str = ""

    def __repr__(self) -> str:
        return f"KnownKey({self.principal.access_key}, enabled={self.enabled})"


_lock = threading.Lock()
_known: dict[str, tuple[float, KnownKey]] = {}


def principal_by_key(access_key: str) -> KnownKey | None:
    """The key's principal, secret and whether it may be used; None when there is no such key.

    Cached for `CACHE_SECONDS` a process: the secret lies unsealed in memory only.
    """
    found = _known.get(access_key)
    if found and found[0] > time.monotonic():
        return found[1]
    known = _read_key(access_key)
    with _lock:
        if len(_known) >= _CACHE_LIMIT:
            _known.clear()
        if known is None:
            _known.pop(access_key, None)
        else:
            _known[access_key] = (time.monotonic() + CACHE_SECONDS, known)
    return known


def access_keys(account_id: str, user_id: str = "") -> list[AccessKey]:
    """Access keys of an account or of one of its users, oldest first; the caller may see them."""
    found = AccessKey.objects.filter(user__account_id=account_id).select_related("user")
    return list((found.filter(user_id=user_id) if user_id else found).order_by("created_at", "access_key"))


def look_in_vain() -> None:
    """The work of looking for a key that does not exist."""
    sql.rows(_BY_KEY, ["-"])


def forget_keys() -> None:
    """Empties the cache of this process."""
    with _lock:
        _known.clear()


def _read_key(access_key: str) -> KnownKey | None:
    temporary = _read_temporary(access_key) if access_key.startswith(TEMPORARY) else None
    return temporary or _read_lasting(access_key)


def _read_temporary(access_key: str) -> KnownKey | None:
    found = sql.row(_TEMPORARY, [access_key])
    if found is None:
        return None
    user_id, agency_id, secret_id, token_digest, narrowed, expires_at, account_id = found
    limit = None if narrowed is None else (grant_of("the temporary key", narrowed, ""),)
    home = principal_of(user_id, Via.API, access_key=access_key)
    home = replace(home, session=True, narrowed=limit, timed=None, **fresh_caches())
    secret = sealing.unseal(secret_id, account_id, KEY_PURPOSE)
    ends = clock.from_micros(expires_at)
    return KnownKey(home, secret, True, token_digest, ends, agency_id or "")


def _read_lasting(access_key: str) -> KnownKey | None:
    lines = sql.rows(_BY_KEY, [access_key])
    if not lines:
        return None
    account_id, user_id, name, secret_id, enabled, active = lines[0][:6]
    grants = _grants((line[6], line[7], line[8]) for line in lines)
    secret = sealing.unseal(secret_id, account_id, KEY_PURPOSE)
    principal = Principal(account_id, user_id, name, Via.API, access_key=access_key, grants=grants)
    return KnownKey(principal, secret, bool(enabled) and bool(active))


def principal_of(
    user: User | str,
    via: Via,
    *,
    source: str = "",
    request_id: str = "",
    access_key: str = "",
    mfa: bool = False,
) -> Principal:
    """The principal of a user (or user id) with the union of its groups' policies (IAM-1).

    Raises:
        NotFound: there is no such user.
    """
    user_id = user if isinstance(user, str) else user.id
    lines = sql.rows(_BY_USER, [user_id])
    if not lines:
        raise NotFound(f"There is no user {user_id}.")
    account_id, _, name = lines[0][:3]
    grants = _grants((line[3], line[4], line[5]) for line in lines)
    return Principal(account_id, user_id, name, via, access_key, source, request_id, grants, mfa=mfa)


def principal_of_agency(agency: Agency, home: Principal) -> Principal:
    """Who has assumed an agency: its account, its policies, and the user who acts (IAM-8)."""
    grants = _grants((line[0], line[1], line[2]) for line in sql.rows(_BY_AGENCY, [agency.id]))
    front = sql.row("SELECT name FROM iam_account WHERE id = %s", [home.account_id])
    return Principal(
        agency.account_id,
        home.user_id,
        f"{front[0] if front else home.account_id}/{home.name}"[:120],
        home.via,
        home.access_key,
        home.source,
        home.request_id,
        grants,
        agency.id,
        home.mfa,
        True,
        home.narrowed,
    )


def _grants(lines: Iterable[tuple[str | None, object, str | None]]) -> tuple[PolicyGrant, ...]:
    """One grant a policy and project, however many groups bring it."""
    found = {
        grant_of(policy, document, project): None for policy, document, project in lines if policy is not None
    }
    return tuple(found)


def grant_of(policy: str, document: object, project: str | None) -> PolicyGrant:
    """A grant from the columns of hand-written SQL."""
    return PolicyGrant(policy, _statements(_text(document)), project or "")


def _text(document: object) -> bytes:
    """The JSON column in hand-written SQL: text on SQLite, an object on PostgreSQL."""
    return document.encode() if isinstance(document, str) else orjson.dumps(document)


@lru_cache(maxsize=512)
def _statements(document: bytes) -> tuple[rules.Statement, ...]:
    return rules.parse_stored(orjson.loads(document))


def where(principal: Principal, action: str, columns: Columns) -> tuple[str, list[object]]:
    """SQL predicate and parameters of the rows on which the principal may do `action` (law 5)."""
    text, params = predicates.predicate(principal.grants, action, principal.asker, columns)
    if principal.narrowed is not None:
        inner, more = predicates.predicate(principal.narrowed, action, principal.asker, columns)
        text, params = f"({text}) AND ({inner})", [*params, *more]
    if not principal.account_id:
        return f"({text})", params
    return f"({columns.account} = %s AND ({text}))", [principal.account_id, *params]


def operating_account() -> str:
    """Id of the account that operates this installation: the first one made; empty when there is none."""
    found = sql.row("SELECT id FROM iam_account ORDER BY created_at, id LIMIT 1")
    return str(found[0]) if found else ""


def is_operator(principal: Principal, action: str) -> bool:
    """Whether the principal may do what concerns all accounts: prices, balances, vouchers.

    The right alone is not enough: whoever writes the policies of another account could give it to himself.
    Nor is a right that is limited to a project: what concerns all accounts lies in none.
    """
    if not principal.may(action, _all_accounts(principal)):
        return False
    return not principal.user_id or principal.account_id == operating_account()


def _all_accounts(principal: Principal) -> Resource:
    return Resource("account", "", principal.account_id)


def require_operator(principal: Principal, action: str) -> None:
    """Passes the operator: the host's own command, or a user of the operating account with the right.

    Raises:
        Forbidden: naming the missing action, or that the account does not operate the installation.
    """
    principal.require(action, _all_accounts(principal))
    if not is_operator(principal, action):
        raise Forbidden(
            f"You may not do {action}: only users of the account that operates this installation may.",
            next_step="Ask the operator.",
            details={"action": action},
        )


def project_exists(account_id: str, project_id: str) -> bool:
    """An enterprise project of the account that may take new things; the default one always is."""
    return project_id == "0" or bool(
        sql.row(
            "SELECT 1 FROM iam_enterpriseproject WHERE id = %s AND account_id = %s AND enabled",
            [project_id, account_id],
        )
    )


def groups_of(user_id: str, account_id: str) -> list[str]:
    """Ids of the groups of the account that the user is in."""
    found = sql.rows(
        "SELECT g.id FROM iam_group g JOIN iam_group_users m ON m.group_id = g.id"
        " WHERE m.user_id = %s AND g.account_id = %s ORDER BY g.id",
        [user_id, account_id],
    )
    return [str(row[0]) for row in found]


def group_and_project_choices(account_id: str, user_id: str, most: int) -> tuple[str, list[object]]:
    """Part of a UNION of (kind, id, name, ''): kinds `mine`, `group` and `project`; at most so many each."""
    mine = "FROM iam_group_users m JOIN iam_group g ON g.id = m.group_id WHERE m.user_id = %s"
    mine += " AND g.account_id = %s"
    groups = "FROM iam_group g WHERE g.account_id = %s AND g.id NOT IN (SELECT group_id FROM iam_group_users"
    text = (
        f"SELECT * FROM (SELECT 'mine', g.id, g.name, '' {mine} ORDER BY g.name LIMIT %s) a"
        f" UNION ALL SELECT * FROM (SELECT 'group', g.id, g.name, '' {groups} WHERE user_id = %s)"
        " ORDER BY g.name LIMIT %s) b"
        " UNION ALL SELECT * FROM (SELECT 'project', p.id, p.name, '' FROM iam_enterpriseproject p"
        " WHERE p.account_id = %s ORDER BY p.name LIMIT %s) d"
    )
    return text, [user_id, account_id, most, account_id, user_id, most, account_id, most]


def names_of(account_id: str, users: Collection[str], groups: Collection[str]) -> dict[str, str]:
    """Names of users and groups of an account by id, for a page of rows; who is gone is left out."""
    found: dict[str, str] = {}
    for table, wanted in (("iam_user", users), ("iam_group", groups)):
        if wanted:
            statement = f"SELECT id, name FROM {table} WHERE account_id = %s AND id IN ({sql.marks(wanted)})"
            found |= {str(row[0]): str(row[1]) for row in sql.rows(statement, [account_id, *wanted])}
    return found
