"""CSR management: make, upload, list, rename, delete; hand out the private key to who may have it."""

from datetime import datetime
from typing import Any

from certdesk.foundation.audit import actions as audit
from certdesk.foundation.common import clock, sql
from certdesk.foundation.common.errors import WrongState
from certdesk.foundation.iam import queries as iam
from certdesk.foundation.iam.predicates import Columns
from certdesk.foundation.iam.principal import Principal, Resource
from certdesk.foundation.jobs import actions as jobs
from certdesk.lifecycle.catalogue.queries import catalogue
from certdesk.pki.keystore import actions as keystore
from certdesk.pki.keystore import queries as key_queries
from certdesk.pki.keystore import use
from certdesk.pki.keystore.errors import KeyNotReady
from certdesk.pki.keystore.models import Key
from certdesk.pki.x509 import uploaded_keys
from certdesk.pki.x509.csr import ParsedCsr, parse_csr
from certdesk.pki.x509.keys import PrivateKey

from . import csr_rules
from .csr_rules import CheckedCsr, CsrFilters, CsrRequest
from .errors import NoCsr
from .models import Csr
from .rows import like_pattern

LIST, GET, CREATE, UPLOAD = "scm:csr:list", "scm:csr:get", "scm:csr:create", "scm:csr:upload"
UPDATE, DELETE, EXPORT = "scm:csr:update", "scm:csr:delete", "scm:csr:downloadPrivateKey"
MAKE_KEY = "certificates.csr_key"


def resource_of(account_id: str, csr_id: str = "") -> Resource:
    return Resource("csr", csr_id, account_id)


def fetch(principal: Principal, action: str, csr_id: str) -> Csr:
    """The CSR, if the principal may do `action` with it (law 5).

    Raises:
        NoCsr: missing or of another account; one text for both.
        Forbidden: no policy allows the action.
    """
    found = Csr.objects.filter(id=csr_id).first()
    if found is None or not principal.owns(found.account_id):
        raise NoCsr(csr_id)
    principal.require(action, resource_of(found.account_id, found.id))
    return found


def listed(principal: Principal, filters: CsrFilters) -> tuple[list[Csr], int]:
    """A page of the account's CSRs that the principal may see, newest first, and how many there are.

    Raises:
        BadParameter: a parameter is outside its limits.
    """
    csr_rules.check_filters(filters)
    where, params = _visible(principal, LIST)
    if filters.name:
        where += " AND LOWER(name) LIKE %s ESCAPE '!'"
        params = [*params, like_pattern(filters.name)]
    if filters.private_key_algo:
        where += " AND private_key_algo = %s"
        params = [*params, filters.private_key_algo]
    counted = sql.row(f"SELECT COUNT(*) FROM certificates_csr WHERE {where}", params)
    return _page(where, params, filters.limit, filters.offset), int(counted[0]) if counted else 0


def usable(principal: Principal, limit: int = 100) -> list[Csr]:
    """The newest CSRs that an application of the principal may choose."""
    where, params = _visible(principal, GET)
    return _page(f"{where} AND csr <> ''", params, limit, 0)


def _visible(principal: Principal, action: str) -> tuple[str, list[object]]:
    """CSRs belong to the account: to its default project, and to no single user."""
    return iam.where(principal, action, Columns(project="", owner="", type="csr"))


def _page(where: str, params: list[object], limit: int, offset: int) -> list[Csr]:
    found = sql.rows(
        f"SELECT id FROM certificates_csr WHERE {where} ORDER BY created_at DESC, id DESC LIMIT %s OFFSET %s",
        [*params, limit, offset],
    )
    rows = Csr.objects.in_bulk([row[0] for row in found])
    return [rows[row[0]] for row in found if row[0] in rows]


def create(principal: Principal, asked: CsrRequest, now: datetime) -> Csr:
    """A new key and its CSR. Without a ready RSA key the CSR follows within seconds, made by a worker.

    Raises:
        Forbidden: no `scm:csr:create`.
        BadParameter, BadName: the request does not fit.
    """
    principal.require(CREATE, resource_of(principal.account_id))
    checked = csr_rules.check_request(asked, allow_internal=_internal())
    with sql.short_transaction():
        made = _insert(principal, checked, now)
        try:
            key = keystore.obtain(principal.account_id, checked.algorithm)
        except KeyNotReady:
            jobs.enqueue(MAKE_KEY, subject=made.id, dedupe_key=f"{MAKE_KEY}:{made.id}")
        else:
            give_key(made, key)
        _record(principal, CREATE, made, {"algorithm": made.private_key_algo})
    return made


def _internal() -> bool:
    return any(product.allow_internal for product in catalogue().products)


def _insert(principal: Principal, checked: CheckedCsr, now: datetime) -> Csr:
    return Csr.objects.create(
        account_id=principal.account_id,
        name=checked.name,
        domain_name=checked.names[0],
        sans=";".join(checked.names[1:]),
        private_key_algo=checked.algorithm.value,
        usage=checked.usage,
        company=checked.company,
        made_here=True,
        created_at=now,
        updated_at=now,
    )


def give_key(made: Csr, key: Key) -> None:
    """Writes the CSR once its key is there; in the caller's transaction."""
    made.key_id, made.spki_sha256 = key.id, key.spki_sha256
    made.csr = use.signed_request(key.id, made.account_id, made.names, made.company)
    made.save(update_fields=["key_id", "spki_sha256", "csr"])


def upload(principal: Principal, name: str, text: str, private_key: str, now: datetime) -> Csr:
    """Stores a CSR that was made elsewhere, with its private key where that is given too.

    Raises:
        Forbidden: no `scm:csr:upload`.
        BadParameter, BadCsr, UploadRefused: the name, the CSR (APP-12) or the key cannot be used.
    """
    principal.require(UPLOAD, resource_of(principal.account_id))
    name = csr_rules.check_name(name)
    csr_rules.check_length(text)
    parsed = parse_csr(text, blocked=key_queries.is_blocked, allow_internal=_internal())
    key = uploaded_keys.load(private_key) if private_key.strip() else None
    algorithm = csr_rules.check_uploaded(parsed, key)
    with sql.short_transaction():
        made = Csr.objects.create(
            account_id=principal.account_id,
            name=name,
            **_parsed_columns(parsed),
            private_key_algo=algorithm.value,
            key_id=_stored(principal.account_id, key),
            created_at=now,
            updated_at=now,
        )
        _record(principal, UPLOAD, made, {"algorithm": algorithm.value, "with_key": key is not None})
    return made


def _parsed_columns(parsed: ParsedCsr) -> dict[str, Any]:
    names = [one.text for one in parsed.names]
    return {
        "csr": parsed.pem,
        "domain_name": names[0],
        "sans": ";".join(names[1:]),
        "spki_sha256": parsed.spki_sha256.hex(),
    }


def _stored(account_id: str, key: PrivateKey | None) -> str:
    return keystore.store_made(account_id, key).id if key is not None else ""


def rename(principal: Principal, csr_id: str, name: str, now: datetime) -> Csr:
    """Raises:
    NoCsr, Forbidden: as `fetch` with `scm:csr:update`.
    BadParameter: no name for a CSR.
    """
    found = fetch(principal, UPDATE, csr_id)
    name = csr_rules.check_name(name)
    if name != found.name:
        with sql.short_transaction():
            Csr.objects.filter(id=found.id).update(name=name, updated_at=now)
            _record(principal, UPDATE, found, {"was": found.name, "is": name})
        found.name, found.updated_at = name, now
    return found


def delete(principal: Principal, csr_id: str) -> None:
    """Forgets the CSR and destroys its private key; certificates made with it keep their own copy.

    Raises:
        NoCsr, Forbidden: as `fetch` with `scm:csr:delete`.
    """
    found = fetch(principal, DELETE, csr_id)
    with sql.short_transaction():
        held = Csr.objects.select_for_update().filter(id=found.id).first()
        if held is None:
            raise NoCsr(csr_id)
        held.delete()
        if held.key_id:
            keystore.destroy(held.key_id)
        _record(principal, DELETE, found, {"key_destroyed": bool(held.key_id)})


def private_key(principal: Principal, csr_id: str) -> PrivateKey:
    """The private key, for who has the right of its own; the audit row names the CSR.

    Raises:
        NoCsr, Forbidden: as `fetch` with `scm:csr:downloadPrivateKey`.
        WrongState: the CSR was uploaded without its key.
        KeyNotReady: a worker still makes it.
    """
    found = fetch(principal, EXPORT, csr_id)
    refuse_unready(found)
    if not found.key_id:
        raise WrongState(
            "This CSR was uploaded without its private key, so there is none here.",
            next_step="The key is where the CSR was made.",
        )
    resource = resource_of(found.account_id, found.id)
    return use.export(principal, found.key_id, resource, right=EXPORT, name=found.name)


def refuse_unready(found: Csr) -> None:
    """Raises:
    KeyNotReady: a worker still makes the key.
    """
    if found.being_made:
        raise KeyNotReady(
            "The private key of this CSR is still being made.",
            next_step="Try again in a few seconds.",
            retry_after=3,
        )


def holding(principal: Principal, parsed: ParsedCsr) -> Csr | None:
    """The account's stored CSR that is this very request and has a private key, for who may see it."""
    same = sql.rows(  # on the path of every issuance with a CSR, where there is none almost always
        "SELECT id FROM certificates_csr WHERE account_id = %s AND spki_sha256 = %s AND key_id <> ''",
        [principal.account_id, parsed.spki_sha256.hex()],
    )
    if not same:
        return None
    found = [one for one in Csr.objects.filter(id__in=[row[0] for row in same]) if one.csr == parsed.pem]
    mine = max(found, key=lambda one: (one.created_at, one.id), default=None)
    if mine is None or not principal.may(GET, resource_of(mine.account_id, mine.id)):
        return None
    return mine


def _record(principal: Principal, action: str, about: Csr, details: dict[str, object]) -> None:
    audit.record(
        principal,
        action,
        resource=f"csr:{about.id}",
        details={"name": about.name, **details},
        account_id=about.account_id,
    )


def settle_key(csr_id: str, key: PrivateKey) -> None:
    """A worker's key arrives; nothing where the CSR was deleted or got a key meanwhile."""
    made = Csr.objects.select_for_update().filter(id=csr_id, csr="").first()
    if made is not None:
        give_key(made, keystore.store_made(made.account_id, key))


def moment_ms(moment: datetime) -> int:
    """Epoch milliseconds, as the contract writes the times of a CSR."""
    return clock.to_micros(moment) // 1000
