"""Make, store, obtain, destroy and block keys: the only writers of the keystore."""

from collections.abc import Callable, Sequence
from datetime import datetime
from hashlib import sha256

from certdesk.foundation.common import clock, ids, sql
from certdesk.foundation.jobs import actions as jobs
from certdesk.foundation.sealing import actions as sealing
from certdesk.pki.x509 import keys
from certdesk.pki.x509.keys import KeyAlgorithm, PrivateKey, PublicKey

from . import queries, rules, token_keys
from .errors import KeyMissing, KeyNotReady
from .models import BlockedKey, Held, Key, State

SECRET_PURPOSE = "private-key"  # noqa: S105 - the label of the sealed row
HOUSE = "system"  # the tenant of the pool and of the authority
REFILL = "keystore.refill"


def make(tenant: str, algorithm: KeyAlgorithm, purpose: str = "subscriber") -> Key:
    """A new key, sealed and stored. RSA takes 50 ms to seconds: not in a web request, use `obtain`."""
    return store_made(tenant, keys.generate(algorithm), purpose)


def store_made(tenant: str, private_key: PrivateKey, purpose: str = "subscriber") -> Key:
    """Seal and store a key that was made outside a transaction, e.g. in a worker's thread."""
    return _store(tenant, private_key, purpose, State.ASSIGNED)


def store_in_pool(private_key: PrivateKey) -> Key:
    """A ready-made key that belongs to nobody yet."""
    return _store(HOUSE, private_key, "subscriber", State.POOL)


def store_many(tenant: str, private_keys: Sequence[PrivateKey], purpose: str = "subscriber") -> list[str]:
    """As `store_made` for several, in one INSERT each of secrets and keys; answers the ids of the keys."""
    with sql.short_transaction():
        secrets = sealing.seal_many(
            tenant, SECRET_PURPOSE, [keys.private_to_der(one) for one in private_keys]
        )
        now = clock.real_now()
        rows = [
            {"id": ids.hex32(), **_facts(one), "tenant": tenant, "purpose": purpose, "secret_id": secret_id}
            | {"held": Held.SEALED.value, "object_id": "", "state": State.ASSIGNED.value, "created_at": now}
            for one, secret_id in zip(private_keys, secrets, strict=True)
        ]
        sql.insert("keystore_key", rows)
    return [str(row["id"]) for row in rows]


def _store(tenant: str, private_key: PrivateKey, purpose: str, state: State) -> Key:
    facts = _facts(private_key)
    with sql.short_transaction():
        return Key.objects.create(
            **facts,
            **_place(tenant, private_key),
            tenant=tenant,
            purpose=purpose,
            state=state,
            created_at=clock.real_now(),
        )


def _place(tenant: str, private_key: PrivateKey) -> dict[str, str]:
    """The columns that tell where the private half is: in the token, or sealed here and now."""
    object_id = token_keys.id_of(private_key)
    if object_id:
        return {"held": Held.TOKEN, "object_id": object_id}
    return {"secret_id": sealing.seal(tenant, SECRET_PURPOSE, keys.private_to_der(private_key))}


def store_public(public_key: PublicKey, purpose: str) -> Key:
    """The public half alone, of a key of the house that is kept outside this installation."""
    facts = _public_facts(public_key)
    return Key.objects.create(
        **facts,
        held=Held.ELSEWHERE,
        tenant=HOUSE,
        purpose=purpose,
        state=State.ASSIGNED,
        created_at=clock.real_now(),
    )


def set_lost(key_id: str, at: datetime | None) -> bool:
    """Note since when the token lacks a key, or with None that it is back; False when nothing changed."""
    return Key.objects.filter(id=key_id, lost_at__isnull=at is not None).update(lost_at=at) == 1


def _facts(private_key: PrivateKey) -> dict[str, object]:
    return _public_facts(private_key.public_key())


def _public_facts(public_key: PublicKey) -> dict[str, object]:
    """The columns that tell the public half."""
    algorithm = keys.algorithm_of(public_key)
    if algorithm is None:
        raise ValueError(f"the keystore holds no {keys.describe(public_key)} keys")
    spki = keys.spki_der(public_key)
    return {"algorithm": algorithm.value, "spki": spki, "spki_sha256": sha256(spki).hexdigest()}


def obtain(tenant: str, algorithm: KeyAlgorithm) -> Key:
    """A key for a subscriber, quickly: EC is made at once, RSA is taken from the pool.

    Raises:
        KeyNotReady: the pool has no such RSA key now; retry in some seconds, or make one in a worker's
            thread and `store_made` it.
    """
    if not algorithm.is_rsa:
        return make(tenant, algorithm)
    with sql.short_transaction():
        key_id = queries.take_from_pool(tenant, algorithm)
        if key_id is None:
            raise KeyNotReady(
                "A private key is still being made.", next_step="Try again in a few seconds.", retry_after=3
            )
        key = Key.objects.get(id=key_id)
        _hand_over(key, tenant)
        jobs.enqueue(REFILL, dedupe_key=REFILL)
    return key


def _hand_over(key: Key, tenant: str) -> None:
    """The seal binds the tenant, so the secret is sealed anew for its owner."""
    plain = sealing.unseal(key.secret_id, HOUSE, SECRET_PURPOSE)
    old, key.secret_id = key.secret_id, sealing.seal(tenant, SECRET_PURPOSE, plain)
    key.save(update_fields=["secret_id"])
    sealing.destroy(old)


def copy(key_id: str, tenant: str) -> Key:
    """The same key once more, under a seal of its own: what happens to one row leaves the other alone.

    Raises:
        KeyMissing: no such key in this account, or destroyed.
    """
    with sql.short_transaction():
        held = Key.objects.filter(id=key_id, tenant=tenant, state=State.ASSIGNED).first()
        if held is None:
            raise KeyMissing(
                "This account has no such private key, or it was destroyed.", next_step="Make a new key."
            )
        plain = sealing.unseal(held.secret_id, tenant, SECRET_PURPOSE)
        return Key.objects.create(
            tenant=tenant,
            algorithm=held.algorithm,
            purpose=held.purpose,
            spki=held.spki,
            spki_sha256=held.spki_sha256,
            secret_id=sealing.seal(tenant, SECRET_PURPOSE, plain),
            state=State.ASSIGNED,
            created_at=clock.real_now(),
        )


def destroy(key_id: str) -> None:
    """Destroy the secret; the row stays, with the public key, for the record. Twice is no error."""
    with sql.short_transaction():
        key = Key.objects.filter(id=key_id).exclude(state=State.DESTROYED).first()
        if key is None:
            return
        sealing.destroy(key.secret_id)
        Key.objects.filter(id=key_id).update(state=State.DESTROYED, secret_id="")


def block(spki_sha256: bytes | str, reason: str, now: datetime) -> None:
    """Refuse a key for ever in every account (REV-6). The first reason stays."""
    digest = spki_sha256 if isinstance(spki_sha256, str) else spki_sha256.hex()
    BlockedKey.objects.get_or_create(spki_sha256=digest, defaults={"reason": reason[:120], "at": now})


def fill_pool(generate: Callable[[KeyAlgorithm], PrivateKey] = keys.generate) -> int:
    """Fill the pool in this process, for the first start and for tests; answers keys made."""
    wanted = rules.lacking(queries.pool_counts())
    for algorithm in wanted:
        store_in_pool(generate(algorithm))
    return len(wanted)
