"""Making, obtaining, using, exporting, destroying and blocking keys."""

import json
from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from certdesk.foundation.audit.models import Event
from certdesk.foundation.common.errors import Forbidden, NotFound
from certdesk.foundation.iam.principal import Principal, Resource, Via, system_principal
from certdesk.foundation.jobs import testing
from certdesk.foundation.jobs.models import Job
from certdesk.foundation.sealing import kek
from certdesk.foundation.sealing.errors import SealBroken
from certdesk.foundation.sealing.models import Secret
from certdesk.pki.keystore import actions, queries, rules, use
from certdesk.pki.keystore.errors import KeyMissing, KeyNotReady
from certdesk.pki.keystore.models import BlockedKey, Key, State
from certdesk.pki.x509 import keys
from certdesk.pki.x509.keys import KeyAlgorithm

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 11, 23, tzinfo=UTC)
SMALL_POOL = {KeyAlgorithm.RSA_2048: 2}


@pytest.fixture(autouse=True)
def kek_file() -> None:
    kek.ensure_kek_file()
    use.forget_loaded()


@pytest.fixture
def small_pool(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rules, "POOL", SMALL_POOL)


@pytest.mark.parametrize("algorithm", [KeyAlgorithm.EC_P256, KeyAlgorithm.EC_P384, KeyAlgorithm.RSA_2048])
def test_a_made_key_signs_and_its_row_holds_only_the_public_half(algorithm: KeyAlgorithm) -> None:
    key = actions.make("acme", algorithm)
    private = use.private_key(key.id, "acme")
    assert keys.spki_der(private.public_key()) == bytes(Key.objects.get(id=key.id).spki)
    assert keys.algorithm_of(private.public_key()) is algorithm
    plain = keys.private_to_der(private)
    secret = Secret.objects.get(id=key.secret_id)
    assert plain not in bytes(secret.ciphertext) + bytes(secret.wrapped_key)


def test_ec_keys_are_there_at_once() -> None:
    assert actions.obtain("acme", KeyAlgorithm.EC_P256).state == State.ASSIGNED


def test_rsa_keys_come_from_the_pool_and_change_their_owner(small_pool: None) -> None:
    assert actions.fill_pool() == 2
    key = actions.obtain("acme", KeyAlgorithm.RSA_2048)
    assert (key.tenant, key.state) == ("acme", State.ASSIGNED)
    assert keys.spki_der(use.private_key(key.id, "acme").public_key()) == bytes(key.spki)
    with pytest.raises(KeyMissing):
        use.private_key(key.id, actions.HOUSE)
    assert Secret.objects.count() == 2
    assert queries.pool_counts() == {"RSA_2048": 1}


def test_no_key_of_the_pool_is_given_twice_and_an_empty_pool_says_wait(small_pool: None) -> None:
    actions.fill_pool()
    given = {actions.obtain(tenant, KeyAlgorithm.RSA_2048).id for tenant in ("a", "b")}
    assert len(given) == 2
    with pytest.raises(KeyNotReady) as refused:
        actions.obtain("c", KeyAlgorithm.RSA_2048)
    assert refused.value.retry_after == 3


def test_taking_a_key_has_workers_fill_the_pool_again(small_pool: None) -> None:
    actions.fill_pool()
    actions.obtain("a", KeyAlgorithm.RSA_2048)
    assert Job.objects.filter(kind=actions.REFILL).count() == 1
    testing.run_due(strict=True)
    assert queries.pool_counts() == {"RSA_2048": 2}


def test_the_refill_job_makes_all_that_lack_and_then_rests(small_pool: None) -> None:
    from certdesk.foundation.jobs.actions import enqueue

    enqueue(actions.REFILL)
    testing.run_due(strict=True)
    assert queries.pool_counts() == {"RSA_2048": 2}
    enqueue(actions.REFILL)
    testing.run_due(strict=True)
    assert queries.pool_counts() == {"RSA_2048": 2}


def test_the_pool_is_small_and_holds_rsa_only() -> None:
    assert rules.lacking({}) == [KeyAlgorithm.RSA_2048] * 4 + [KeyAlgorithm.RSA_3072, KeyAlgorithm.RSA_4096]
    assert rules.lacking({"RSA_2048": 9, "RSA_3072": 1, "RSA_4096": 0}) == [KeyAlgorithm.RSA_4096]


def test_a_key_of_another_account_or_no_key_is_missing() -> None:
    key = actions.make("acme", KeyAlgorithm.EC_P256)
    for wrong in ((key.id, "other"), ("0" * 32, "acme")):
        with pytest.raises(KeyMissing):
            use.private_key(*wrong)


def test_swapped_secrets_of_two_keys_are_noticed() -> None:
    first, second = (actions.make("acme", KeyAlgorithm.EC_P256) for _ in range(2))
    row = Secret.objects.get(id=first.secret_id)
    Secret.objects.filter(id=second.secret_id).update(ciphertext=row.ciphertext, wrapped_key=row.wrapped_key)
    with pytest.raises(SealBroken):
        use.private_key(second.id, "acme")


def test_authority_keys_are_loaded_once_a_process_and_others_never_held() -> None:
    held = actions.make(actions.HOUSE, KeyAlgorithm.EC_P256, purpose="authority")
    assert use.private_key(held.id, actions.HOUSE) is use.private_key(held.id, actions.HOUSE)
    other = actions.make("acme", KeyAlgorithm.EC_P256)
    assert use.private_key(other.id, "acme") is not use.private_key(other.id, "acme")
    with pytest.raises(KeyMissing):
        use.private_key(held.id, "acme")


def test_a_destroyed_key_is_gone_and_its_public_half_stays() -> None:
    key = actions.make("acme", KeyAlgorithm.EC_P256)
    actions.destroy(key.id)
    actions.destroy(key.id)
    row = Key.objects.get(id=key.id)
    assert (row.state, row.secret_id, bytes(row.spki)) == (State.DESTROYED, "", bytes(key.spki))
    assert not Secret.objects.exists()
    with pytest.raises(KeyMissing):
        use.private_key(key.id, "acme")


def test_an_export_is_recorded_with_actor_right_and_owner() -> None:
    key = actions.make("acme", KeyAlgorithm.EC_P256)
    certificate = Resource("cert", "scs1", "acme", owner_id="u7")
    private = use.export(system_principal("acme"), key.id, certificate, right="scm:cert:export")
    assert keys.spki_der(private.public_key()) == bytes(key.spki)
    event = Event.objects.get(action="keystore.export")
    assert (event.account_id, event.actor, event.resource) == ("acme", "system", "cert:scs1")
    assert json.loads(event.details) == {"key": key.id, "right": "scm:cert:export", "owner": "u7"}


def test_an_export_without_the_right_or_from_another_account_is_refused_and_leaves_no_row() -> None:
    key = actions.make("acme", KeyAlgorithm.EC_P256)
    certificate = Resource("cert", "scs1", "acme")
    for principal, refusal in (
        (Principal("acme", "u1", "bob", Via.API), Forbidden),
        (system_principal("other"), NotFound),
    ):
        with pytest.raises(refusal):
            use.export(principal, key.id, certificate, right="scm:cert:export")
    assert not Event.objects.exists()


def test_a_blocked_key_stays_blocked_with_its_first_reason() -> None:
    digest = b"\x07" * 32
    assert not queries.is_blocked(digest)
    actions.block(digest, "proved compromise", NOW)
    actions.block(digest.hex(), "again", NOW)
    assert queries.is_blocked(digest)
    assert queries.is_blocked(digest.hex())
    assert BlockedKey.objects.get().reason == "proved compromise"


def test_only_the_keys_of_the_service_are_kept() -> None:
    with pytest.raises(ValueError, match="RSA 1024"):
        actions.store_made("acme", rsa.generate_private_key(65537, 1024))  # noqa: S505 - shown to be refused
