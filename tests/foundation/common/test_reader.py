"""A statement written once reads what a queryset reads, on both databases."""

from datetime import timedelta

import pytest

from certdesk.foundation.common import clock
from certdesk.foundation.common.reader import Reader
from certdesk.lifecycle.enrolment.models import Account, Authorization, Challenge, Credential
from certdesk.lifecycle.enrolment.queries import account_by_id, authorization_of, challenge_of, challenges_of

pytestmark = pytest.mark.django_db
NOW = clock.now()


@pytest.fixture
def challenge() -> Challenge:
    """With every kind of column filled: JSON, moments, truth values, nothing."""
    credential = Credential.objects.create(
        id="c", account_id="a", user_id="u", names=["*.example.com", "ä"], quota=None, secret_id="s",
        created_by="u", created_at=NOW, updated_at=NOW, used_at=None,
    )  # fmt: skip
    account = Account.objects.create(
        id="k", credential=credential, thumbprint="t", jwk={"kty": "EC"}, created_at=NOW
    )
    one = Authorization.objects.create(
        id="z", account=account, value="example.com", wildcard=True, created_at=NOW,
        expires_at=NOW + timedelta(days=1),
    )  # fmt: skip
    return Challenge.objects.create(
        id="h", authorization=one, place=1, type="dns-01", token="x", error={"detail": "no"}
    )


def same(found: object, kept: object) -> bool:
    fields = {name: value for name, value in vars(kept).items() if not name.startswith("_")}
    return {name: vars(found)[name] for name in fields} == fields


def test_it_reads_what_a_queryset_reads(challenge: Challenge) -> None:
    account = account_by_id.first("k")
    assert account is not None
    assert same(account, Account.objects.get())
    assert same(account.credential, Credential.objects.get())
    proof = authorization_of.first("z", "k")
    assert proof is not None
    assert same(proof, Authorization.objects.get())
    assert proof.wildcard is True
    (one,) = challenges_of.all("z")
    assert same(one, Challenge.objects.get())


def test_a_joined_row_comes_with_it_and_what_is_read_can_be_saved(challenge: Challenge) -> None:
    found = challenge_of.first("h", "k")
    assert found is not None
    assert same(found.authorization, Authorization.objects.get())
    found.looks = 3
    found.save()
    assert Challenge.objects.get().looks == 3


def test_nothing_is_nothing(challenge: Challenge) -> None:
    assert challenge_of.first("h", "another") is None
    assert Reader(Account, "WHERE id = %s").all("nobody") == []
