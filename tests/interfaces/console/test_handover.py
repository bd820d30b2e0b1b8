"""Somebody leaves: what is hers goes to a team mate, and nobody gains by it."""

import pytest

from certdesk.foundation.common import clock, sql
from certdesk.foundation.common.errors import CertdeskError, Forbidden
from certdesk.foundation.iam import actions as iam
from certdesk.foundation.iam import queries
from certdesk.foundation.iam.models import Account, Group, User
from certdesk.foundation.iam.principal import Principal, Via
from certdesk.lifecycle.applications import handover
from certdesk.lifecycle.applications.models import BookContact, Contact
from certdesk.lifecycle.certificates.models import Certificate
from certdesk.lifecycle.certificates.states import State
from certdesk.lifecycle.orders.models import Order
from tests.support.inventory import bought, placed
from tests.support.office import Office

LIMITED = {
    "Version": "1.1",
    "Statement": [
        {"Effect": "Allow", "Action": ["iam:*"]},
        {"Effect": "Allow", "Action": ["scm:*"], "Condition": {"StringEquals": {"scm:Owner": ["%s"]}}},
    ],
}


def caller(account: Account, name: str, *groups: str) -> Principal:
    return queries.principal_of(iam.create_user(account, name, None, groups), Via.API)


@pytest.fixture
def alice(office: Office) -> User:
    User.objects.filter(id=office.people["alice"].id).update(email="alice@example.com")
    User.objects.filter(id=office.people["bob"].id).update(email="bob@example.com")
    return office.people["alice"]


def test_certificates_orders_and_contacts_go_to_the_named_mate(office: Office, alice: User) -> None:
    now = clock.now()
    ids = bought(office.desk.alice, 3)
    Order.objects.create(
        id="CS1",
        account_id=alice.account_id,
        user_id=alice.id,
        request={},
        quantity=3,
        amount=0,
        closes_at=now,
        currency="CNY",
        created_at=now,
    )
    ada = caller(alice.account, "ada", "admins")
    bob = office.people["bob"]
    outcome = handover.hand_over(ada, alice.id, "bob", now)
    assert outcome.certificates == len(ids)
    assert (outcome.orders, outcome.left) == (1, 0)
    assert set(Certificate.objects.filter(id__in=ids).values_list("owner_id", flat=True)) == {bob.id}
    assert not Order.objects.filter(user_id=alice.id).exists()
    rows = sql.rows("SELECT resource FROM audit_event WHERE action = %s", [handover.HAND_OVER])
    assert {f"cert:{one}" for one in ids} <= {row[0] for row in rows}
    assert f"user:{alice.id}" in {row[0] for row in rows}
    assert handover.hand_over(ada, alice.id, bob.id, now).certificates == 0  # again: nothing left to do


def test_contacts_follow_but_not_while_an_officer_looks(office: Office, alice: User) -> None:
    from certdesk.lifecycle.applications.models import Application

    now = clock.now()
    ada = caller(alice.account, "ada", "admins")
    ids = bought(office.desk.alice, 2)
    for id_, state in zip(ids, (State.ISSUED, State.CHECKING_ORG), strict=True):
        placed(id_, state, now)
        application = Application.objects.create(
            certificate_id=id_,
            account_id=alice.account_id,
            csr_mode="SYSTEM",
            key_algorithm="RSA_2048",
            submitted_by=alice.id,
            created_at=now,
            agreed_at=now,
        )
        Contact.objects.create(
            application=application,
            account_id=alice.account_id,
            applicant_name="Alice",
            applicant_phone="1",
            applicant_email="Alice@example.com",
        )
    BookContact.objects.create(
        account_id=alice.account_id,
        name="Alice",
        phone="1",
        email="alice@example.com",
        created_at=now,
        used_at=now,
    )
    assert handover.hand_over(ada, alice.id, "bob", now).contacts == 1
    emails = dict(Contact.objects.values_list("application__certificate_id", "applicant_email"))
    assert emails == {ids[0]: "bob@example.com", ids[1]: "Alice@example.com"}
    assert not BookContact.objects.exists()
    assert set(Application.objects.values_list("submitted_by", flat=True)) == {alice.id}  # rule: ORG-5


def test_more_than_a_batch_goes(office: Office, alice: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handover, "BATCH", 2)
    monkeypatch.setattr(handover, "PAUSE", 0)
    bought(office.desk.alice, 5)
    ada = caller(alice.account, "ada", "admins")
    assert handover.hand_over(ada, alice.id, "bob", clock.now()).certificates == 5


@pytest.mark.parametrize("to", ["alice", "nobody", "off", "charlie"])
def test_who_cannot_take_over(office: Office, alice: User, to: str) -> None:
    ada = caller(alice.account, "ada", "admins")
    off = iam.create_user(alice.account, "off", None, [])
    User.objects.filter(id=off.id).update(is_active=False)
    with pytest.raises(CertdeskError):
        handover.hand_over(ada, alice.id, to, clock.now())


# rule: IAM-4
def test_nobody_hands_things_to_himself_to_own_them(office: Office, alice: User) -> None:
    ids = bought(office.desk.alice, 1)
    eve = iam.create_user(alice.account, "eve", None, [])
    document = {
        **LIMITED,
        "Statement": [
            {
                **one,
                **({"Condition": {"StringEquals": {"scm:Owner": [eve.id]}}} if "Condition" in one else {}),
            }
            for one in LIMITED["Statement"]
        ],
    }
    group = iam.create_group(alice.account, "owners")
    iam.grant(group, iam.create_policy(alice.account, "own", document))
    iam.add_to_group(eve, "owners")
    principal = queries.principal_of(eve, Via.API)
    with pytest.raises(Forbidden):
        handover.hand_over(principal, alice.id, "eve", clock.now())
    outcome = handover.hand_over(principal, alice.id, "bob", clock.now())
    assert (outcome.certificates, outcome.left) == (0, 1)  # she may not touch what is not hers
    assert Certificate.objects.get(id=ids[0]).owner_id == alice.id
    carla = caller(office.people["charlie"].account, "carla", "admins")
    with pytest.raises(CertdeskError):
        handover.hand_over(carla, alice.id, "charlie", clock.now())
    assert not Group.objects.get(id=group.id).users.filter(id=alice.id).exists()


def test_by_the_console(office: Office, alice: User) -> None:
    iam.create_user(alice.account, "ada", "correct horse battery", ["admins"])
    office.people["ada"] = User.objects.get(name="ada")
    bought(office.desk.alice, 1)
    browser = office.client("ada")
    path = f"/iam/users/{alice.id}/handover"
    assert browser.get(path).status_code == 200
    shown = browser.post(path, {"chosen": office.people["bob"].id}, follow=True).content.decode()
    assert "Handed over: 1 certificates" in shown
    assert browser.post(path, {"chosen": "x"}).status_code == 422
    assert office.client("bob").get(path).status_code == 403
