"""Name and description of a certificate."""

from datetime import timedelta

import pytest

from certdesk.foundation.audit.models import Event
from certdesk.foundation.common.errors import BadParameter, Forbidden, NotFound
from certdesk.foundation.iam import rules as policies
from certdesk.foundation.iam.models import User
from certdesk.foundation.iam.principal import PolicyGrant, Principal, Via
from certdesk.lifecycle.certificates import editing, queries
from certdesk.lifecycle.certificates.models import Certificate
from tests.support.inventory import NOW, bought, new_account, person

pytestmark = pytest.mark.django_db
LATER = NOW + timedelta(days=1)


@pytest.fixture
def house():
    return new_account()


@pytest.fixture
def mine(house):
    return bought(person(house))[0]


def test_both_change_together_and_are_audited_without_their_text(house, mine):
    editing.edit(person(house), mine, LATER, name=" gate.1 ", description="The gate.")
    row = Certificate.objects.get()
    assert (row.name, row.description, row.updated_at) == ("gate.1", "The gate.", LATER)
    event = Event.objects.get(resource=f"cert:{mine}", action=editing.UPDATE)
    assert (event.action, "The gate" in event.details) == ("scm:cert:update", False)
    editing.edit(person(house), mine, LATER, name="gate.1", description="The gate.")
    assert Event.objects.filter(resource=f"cert:{mine}", action=editing.UPDATE).count() == 1


def test_what_is_not_given_stays_what_another_made_it_meanwhile(house, mine, monkeypatch):
    """Bob's description is written between the moment Alice's rename was read and that of its UPDATE."""
    fetch = queries.fetch

    def fetch_and_be_slow(principal, action, certificate_id):
        found = fetch(principal, action, certificate_id)
        monkeypatch.undo()
        editing.edit(person(house, "bob"), mine, NOW, description="Bob's.")
        return found

    monkeypatch.setattr(queries, "fetch", fetch_and_be_slow)
    editing.edit(person(house), mine, LATER, name="gate")
    row = Certificate.objects.get()
    assert (row.name, row.description) == ("gate", "Bob's.")


@pytest.mark.parametrize("name", ["ab", "a" * 64, "with space", "ü-name", ""])
def test_a_name_has_3_to_63_plain_characters(house, mine, name):
    with pytest.raises(BadParameter) as refused:
        editing.edit(person(house), mine, LATER, name=name, description="")
    assert refused.value.field == "name"


@pytest.mark.parametrize("description", ["x" * 256, "bell\a"])
def test_a_description_has_at_most_255_characters_and_no_control_ones(house, mine, description):
    with pytest.raises(BadParameter) as refused:
        editing.edit(person(house), mine, LATER, name="gate", description=description)
    assert refused.value.field == "description"
    editing.edit(person(house), mine, LATER, name="gate", description="x" * 255)


def test_only_who_may_update_can_edit(house, mine):
    with pytest.raises(Forbidden):
        editing.edit(person(house, "bob", "scm:cert:get"), mine, LATER, name="gate", description="")
    with pytest.raises(NotFound):
        editing.edit(person(new_account("elsewhere")), mine, LATER, name="gate", description="")


def a_user(account, name, **more):
    return User.objects.create(account=account, name=name, login=name, created_at=NOW, **more)


def test_the_owner_is_an_active_user_of_the_account(house, mine):
    bob = a_user(house, "bob")
    a_user(house, "gone", is_active=False)
    a_user(new_account("elsewhere"), "charlie")
    for wanted in ("gone", "charlie", "nobody"):
        with pytest.raises(NotFound):
            editing.edit(person(house), mine, LATER, owner=wanted)
    for wanted in (bob.id, "bob"):
        editing.edit(person(house), mine, LATER, owner=wanted)
        assert Certificate.objects.get().owner_id == bob.id
    assert Event.objects.filter(resource=f"cert:{mine}", action=editing.UPDATE).count() == 1


def limited(account, user, *statements):
    document = {"Version": "1.1", "Statement": list(statements)}
    return Principal(
        account.id, user.id, user.name, Via.API, grants=(PolicyGrant("p", policies.parse(document)),)
    )


# rule: IAM-4
def test_by_the_owner_nobody_widens_his_rights(house, mine):
    eve, bob = a_user(house, "eve"), a_user(house, "bob")
    update = {"Effect": "Allow", "Action": ["scm:cert:update"]}
    of_mine = {"StringEquals": {"scm:Owner": [eve.id]}}
    keys = {"Effect": "Allow", "Action": ["scm:cert:download"], "Condition": of_mine}
    with pytest.raises(Forbidden):
        editing.edit(limited(house, eve, update, keys), mine, LATER, owner="eve")
    editing.edit(limited(house, eve, update, keys), mine, LATER, owner="bob")
    editing.edit(limited(house, eve, update), mine, LATER, owner="eve")  # owning gives her nothing
    with pytest.raises(Forbidden):  # she may edit her own alone, so she may not give it away
        editing.edit(limited(house, eve, {**update, "Condition": of_mine}), mine, LATER, owner="bob")
    assert Certificate.objects.get().owner_id == eve.id
    assert bob.id
