"""A statement written once inserts what `save` inserts, on both databases."""

from datetime import timedelta

import pytest
from django.db import IntegrityError
from django.db.models import Model

from certdesk.foundation.common import clock
from certdesk.foundation.common.writer import Writer
from certdesk.lifecycle.enrolment.models import Account, Authorization, AuthorizationState, Credential
from certdesk.lifecycle.validation.models import Evidence

pytestmark = pytest.mark.django_db
NOW = clock.now()


def values(one: Model) -> dict[str, object]:
    return {name: value for name, value in vars(one).items() if not name.startswith("_")}


@pytest.fixture
def account() -> Account:
    credential = Credential.objects.create(
        id="c", account_id="a", user_id="u", secret_id="s", created_by="u", created_at=NOW, updated_at=NOW
    )
    return Account.objects.create(id="k", credential=credential, thumbprint="t", jwk={}, created_at=NOW)


def proof(account: Account, own: str) -> Authorization:
    """With an enumeration, a truth value, moments, a key of another table and nothing."""
    return Authorization(
        id=own, account=account, value="ä.example.com", wildcard=True, state=AuthorizationState.VALID,
        created_at=NOW, expires_at=NOW + timedelta(days=1),
    )  # fmt: skip


def test_it_writes_what_save_writes(account: Account) -> None:
    one = Account(id="n", credential=account.credential, thumbprint="x", jwk={"b": ["ä"]}, created_at=NOW)
    Writer(Account).insert(one)
    one.refresh_from_db()
    assert one.jwk == {"b": ["ä"]}
    proof(account, "saved").save()
    Writer(Authorization).insert(proof(account, "y"), proof(account, "z"))
    saved, *written = Authorization.objects.order_by("id")
    assert [values(each) | {"id": "saved"} for each in written] == [values(saved)] * 2


def test_what_was_written_can_be_saved_again(account: Account) -> None:
    one = proof(account, "z")
    Writer(Authorization).insert(one)
    one.state = AuthorizationState.INVALID
    one.save()
    assert Authorization.objects.get().state == "invalid"


def test_the_database_gives_the_id_where_it_has_to() -> None:
    made = [
        Evidence(account_id="a", authorization_domain=name, method="DNS", br_method="x", seen="", at=NOW,
                 application_id=0)
        for name in ("one.example.com", "two.example.com")
    ]  # fmt: skip
    writer = Writer(Evidence)
    for one in made:
        writer.insert(one)
    for one in made:
        assert values(Evidence.objects.get(id=one.id)) == values(one)


def test_a_key_that_is_there_is_refused(account: Account) -> None:
    writer = Writer(Authorization)
    writer.insert(proof(account, "z"))
    with pytest.raises(IntegrityError):
        writer.insert(proof(account, "z"))
