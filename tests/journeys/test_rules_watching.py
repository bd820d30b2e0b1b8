"""Certificates from elsewhere without their keys, a list at a time, over the operations of every face."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa

from certdesk.foundation.audit.models import Event
from certdesk.foundation.common import clock, settings
from certdesk.foundation.common.errors import Forbidden
from certdesk.foundation.jobs import testing
from certdesk.foundation.jobs.actions import enqueue
from certdesk.lifecycle.certificates import watching
from certdesk.lifecycle.certificates.models import Certificate, CertificateName, Version
from certdesk.lifecycle.notifications import jobs as notices
from certdesk.lifecycle.notifications.models import Notice
from certdesk.pki.keystore import actions as keystore
from certdesk.pki.keystore.models import Key
from certdesk.pki.x509 import keys, listing, uploads
from tests.support.desk import Desk
from tests.support.rulebook import DAY, Caller, LabClock
from tests.support.uploads import SECOND, World, key_of, key_pem, pem

WATCH = "certificates.batch_watch"
TICK = timedelta(microseconds=1)


@pytest.fixture
def world(db: None) -> World:
    return World(clock.now())


@pytest.fixture
def quota_of_three() -> Iterator[None]:
    before = settings.get()
    settings.install(before.model_copy(update={"upload_quota": 3}))
    yield
    settings.install(before)


def watch(caller: Caller, *certificates: x509.Certificate | str, **more: object) -> dict[str, Any]:
    text = "\n".join(one if isinstance(one, str) else pem(one) for one in certificates)
    answer: dict[str, Any] = caller(WATCH, body={"certificates": text, **more})
    items = answer["items"]
    assert answer["refused"] == sum("error_code" in one for one in items)
    assert answer["there"] == sum(one["there"] for one in items)
    assert answer["watched"] + answer["there"] + answer["refused"] == len(items)
    assert [one["place"] for one in items] == sorted(one["place"] for one in items)
    return answer


def refused(answer: dict[str, Any]) -> dict[int, str]:
    return {one["place"]: one["error_code"] for one in answer["items"] if "error_code" in one}


def test_a_list_is_watched_each_with_what_stands_above_it(world: World, alice: Caller) -> None:
    # rule: UPL-7
    # rule: DLD-1
    held = Key.objects.count()
    leaves = [world.leaf((f"www{number}.example.com", "192.0.2.7"), serial=number + 1) for number in range(5)]
    answer = watch(alice, *leaves[:2], world.issuing, "between\n", *leaves[2:], world.root)
    assert (answer["watched"], answer["authorities"]) == (5, 2)
    assert [one["place"] for one in answer["items"]] == [1, 2, 4, 5, 6]
    for leaf, item in zip(leaves, answer["items"], strict=True):
        shown = alice.show(item["certificate_id"])
        assert (shown["status"], shown["domain"], shown["sans"]) == ("UPLOAD", item["name"], "192.0.2.7")
        assert (shown["name"], shown["findings"]) == (item["name"], [])
        exported = alice("certificates.export", item["certificate_id"])
        assert exported["certificate"] == pem(leaf)
        assert exported["certificate_chain"] == pem(world.issuing) + pem(world.root)
        assert exported["private_key"] == ""
    assert Key.objects.count() == held
    rows = Event.objects.filter(action="certificate.uploaded")
    assert {json.loads(one.details)["key"] for one in rows} == {"absent"}
    assert rows.count() == CertificateName.objects.count() / 2 == 5


def test_a_list_that_comes_again_changes_nothing(world: World, alice: Caller, desk: Desk) -> None:
    one, two, three, four = (world.leaf(serial=number + 1) for number in range(4))
    first = watch(alice, one, two, one)
    ids = [item["certificate_id"] for item in first["items"]]
    assert (first["watched"], first["there"], ids[0]) == (2, 1, ids[2])
    again = watch(Caller(desk.someone("bob")), two, three)
    assert (again["watched"], again["there"]) == (1, 1)
    assert again["items"][0]["certificate_id"] == ids[1]
    hosted = str(alice("certificates.import", body=world.body(four))["certificate_id"])
    assert watch(alice, four)["items"][0]["certificate_id"] == hosted
    charlie = Caller(replace(desk.alice, account_id="f" * 32))
    assert watch(charlie, one)["watched"] == 1
    alice("certificates.delete", ids[0])
    assert watch(alice, one)["watched"] == 1


def test_one_that_cannot_be_taken_hinders_no_other(world: World, alice: Caller) -> None:
    # rule: UPL-4
    # rule: APP-12
    damaged = pem(world.leaf(serial=9)).splitlines()
    damaged[5] = "A" * 64
    blocked = key_of(77)
    keystore.block(keys.spki_sha256(blocked.public_key()), "key compromise", clock.now())
    small = rsa.generate_private_key(65537, 1024)  # noqa: S505 weak on purpose
    answer = watch(
        alice,
        world.leaf(serial=1),
        "\n".join(damaged),
        world.leaf(serial=2, since=timedelta(days=3), until=-SECOND),
        world.leaf(serial=3),
        world.leaf(serial=4, key=small),
        world.leaf(serial=5, key=blocked),
        world.leaf(serial=6, key=ed25519.Ed25519PrivateKey.generate()),
        world.leaf((), serial=7, subject="no names"),
        world.leaf(("a.example.com",), serial=8, since=-DAY),
    )
    assert refused(answer) == {
        2: "SCM.0006",
        3: "SCM.9060",
        5: "SCM.9061",
        6: "SCM.9061",
        7: "SCM.9061",
        8: "SCM.0009",
    }
    assert all(one["error_msg"] for one in answer["items"] if "error_code" in one)
    assert answer["watched"] == Certificate.objects.filter(state="UPLOAD").count() == 3


def test_the_last_second_counts(world: World) -> None:
    # rule: UPL-4
    text = pem(world.leaf(until=timedelta(0)))
    taken, late = (
        listing.read_list(text, world.now + after).servers[0][1] for after in (SECOND - TICK, SECOND)
    )
    assert (isinstance(taken, uploads.Public), isinstance(late, uploads.Public)) == (True, False)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "SCM.0054"),
        ("nothing", "SCM.0053"),
        ("-----BEGIN CERTIFICATE-----\nMIIB", "SCM.0053"),
        ("x" * (listing.TEXT_LIMIT + 1), "SCM.0053"),
    ],
)
def test_a_text_that_is_no_list_is_refused_whole(world: World, alice: Caller, text: str, code: str) -> None:
    # rule: UPL-1
    fault = alice.refused(WATCH, body={"certificates": text})
    assert (fault.code or fault.kind.value, fault.field) in {
        (code, "certificates"),
        ("SCM.0006", "certificates"),
    }
    assert fault.next_step


def test_keys_do_not_belong_in_a_list(world: World, alice: Caller) -> None:
    text = pem(world.leaf()) + key_pem(world.leaf_key)
    fault = alice.refused(WATCH, body={"certificates": text})
    assert "private keys do not belong in it" in fault.next_step
    assert Certificate.objects.count() == 0


def test_both_sides_of_the_most_in_a_list(
    world: World, alice: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "MOST", 3)
    several = [world.leaf(serial=number + 1) for number in range(4)]
    fault = alice.refused(WATCH, body={"certificates": "".join(map(pem, several))})
    assert (fault.field, "4 certificates; at most 3" in fault.message) == ("certificates", True)
    assert watch(alice, *several[:3])["watched"] == 3


def test_both_sides_of_the_most_names(world: World, alice: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listing, "MOST_NAMES", 5)
    monkeypatch.setattr(watching, "NAMES", 2)
    several = [world.leaf((f"{one}.example.com", "b.example.com"), serial=ord(one)) for one in "xyz"]
    fault = alice.refused(WATCH, body={"certificates": "".join(map(pem, several))})
    assert (fault.field, "more than 5 names" in fault.message) == ("certificates", True)
    assert watch(alice, *several[:2], world.leaf(serial=4))["watched"] == 3


def test_one_that_signed_itself_hides_no_ca(world: World, alice: Caller) -> None:
    own = world.leaf(("own.example.com",), serial=8, subject="Elsewhere CA", aki=False)
    below = world.leaf(serial=9, aki=False)
    items = watch(alice, own, below, world.issuing, world.root)["items"]
    chains = [alice("certificates.export", one["certificate_id"])["certificate_chain"] for one in items]
    assert chains == ["", pem(world.issuing) + pem(world.root)]


def test_the_quota_is_filled_and_no_more(
    world: World, alice: Caller, monkeypatch: pytest.MonkeyPatch, quota_of_three: None
) -> None:
    # rule: UPL-8
    monkeypatch.setattr(watching, "AT_ONCE", 2)
    alice("certificates.import", body=world.body())
    answer = watch(alice, world.usual, *(world.leaf(serial=number + 1) for number in range(4)))
    assert (answer["there"], answer["watched"]) == (1, 2)
    assert refused(answer) == {4: "SCM.9063", 5: "SCM.9063"}


def test_rights_are_asked_for_each_name(world: World, desk: Desk) -> None:
    # rule: IAM-5
    with pytest.raises(Forbidden):
        Caller(desk.someone("carol", "scm:cert:list"))(WATCH, body={"certificates": pem(world.leaf())})
    fault = Caller(desk.alice).refused(
        WATCH, body={"certificates": pem(world.leaf()), "enterprise_project_id": "nowhere"}
    )
    assert fault.field == "enterprise_project_id"


def test_its_page_says_what_is_wrong_with_what_stands_above(world: World, alice: Caller) -> None:
    # rule: UPL-5
    # rule: UPL-6
    another = world.authority("Elsewhere CA", "Elsewhere Root", world.issuing_key, key_of(50), aki=False)
    cases: list[tuple[list[x509.Certificate], str]] = [
        ([world.leaf(serial=1)], "came without the certificates of its CA"),
        ([world.leaf(serial=2, aki=False, signer=key_of(51)), world.issuing, world.root], "did not sign it"),
        ([world.leaf(serial=3), another, world.root], "did not sign it"),
        (
            [world.leaf(serial=4, subject="www.example.com", issuer="www.example.com")],
            "names itself as its issuer",
        ),
    ]
    for certificates, words in cases:
        made = watch(alice, *certificates)["items"][0]["certificate_id"]
        found = {one["code"]: one["sentence"] for one in alice.show(made)["findings"]}
        assert words in found.get("chain", ""), (words, found)


def test_of_two_cas_with_one_name_the_one_with_the_named_key_is_taken(world: World, alice: Caller) -> None:
    twin_key = key_of(60)
    twin = world.authority("Elsewhere CA", "Elsewhere Root", twin_key, world.root_key)
    longer = world.authority(
        "Elsewhere CA", "Elsewhere Root", world.issuing_key, world.root_key, until=timedelta(days=2001)
    )
    answer = watch(
        alice,
        world.leaf(serial=1),
        world.leaf(serial=2, signer=twin_key),
        world.issuing,
        twin,
        longer,
        world.root,
    )
    chains = [
        alice("certificates.export", one["certificate_id"])["certificate_chain"] for one in answer["items"]
    ]
    assert chains == [pem(longer) + pem(world.root), pem(twin) + pem(world.root)]


def test_cas_that_vouch_for_each_other_end(world: World, alice: Caller) -> None:
    first = world.authority("Elsewhere CA", "Other CA", world.issuing_key, key_of(61))
    second = world.authority("Other CA", "Elsewhere CA", key_of(61), world.issuing_key)
    made = watch(alice, world.leaf(), first, second)["items"][0]["certificate_id"]
    exported = alice("certificates.export", made)
    assert exported["certificate_chain"] == pem(first) + pem(second)


def test_its_end_is_told(lab: LabClock, world: World, alice: Caller) -> None:
    # rule: NTF-1
    made = watch(alice, world.leaf(until=timedelta(days=90)))["items"][0]["certificate_id"]
    lab.at(world.now + timedelta(days=88))
    enqueue(notices.LOOK)
    testing.run_due(100)
    assert Notice.objects.filter(certificate_id=made).exists()
    assert Version.objects.get(certificate_id=made).key_id == ""
