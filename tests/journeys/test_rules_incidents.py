"""An incident: a CA is to be left, so its certificates are replaced by another one; what ACME clients asked
for these renew themselves, told by ARI; and nothing counts as done before the new one stands."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from django.db import connection
from django.test.utils import CaptureQueriesContext

from certdesk.foundation.common import clock
from certdesk.foundation.iam import queries as iam
from certdesk.foundation.iam.models import Policy, User
from certdesk.foundation.iam.principal import Via
from certdesk.foundation.jobs import testing
from certdesk.foundation.jobs.models import Job
from certdesk.foundation.outbox.models import Message
from certdesk.lifecycle.applications.models import Application
from certdesk.lifecycle.campaigns import clients, outcome, queries, replacing, rules, running
from certdesk.lifecycle.campaigns.models import Campaign, Item
from certdesk.lifecycle.certificates.models import Certificate, Version
from certdesk.lifecycle.certificates.states import State
from certdesk.lifecycle.discovery.models import Endpoint
from certdesk.lifecycle.enrolment import succession
from certdesk.lifecycle.enrolment.models import Order
from certdesk.lifecycle.issuance import followup, revocation_rules, revoking
from certdesk.lifecycle.issuers.models import Issuer
from certdesk.pki.authority import ocsp
from tests.interfaces.acme.test_protocol import cert_id, certificate_of, window
from tests.support.acme import Acme
from tests.support.acme_house import House, open_house
from tests.support.inventory import placed
from tests.support.jose import b64, csr
from tests.support.outside_ca import Front, OutsideCa, front
from tests.support.rulebook import Caller

from .test_rules_campaigns import BUDGET, served_by_a_target, somebody
from .test_rules_replacing import BOTH, GOOD, REVOKED, run
from .test_rules_revocation import status_of

WWW = "www.example.com"
ACME_LINE = "BUILTIN.DV_SSL_CERT.SINGLE_DOMAIN"


@pytest.fixture
def house(db: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    monkeypatch.setattr(ocsp, "FRESH", 0)
    monkeypatch.setattr(rules, "budget", lambda *_: 100)
    monkeypatch.setattr(clients, "PAUSE", timedelta(0))
    with open_house() as made:
        yield made


@pytest.fixture
def alice(house: House) -> Caller:
    return Caller(iam.principal_of(User.objects.get(id=house.desk.alice.user_id), Via.API))


@pytest.fixture
def old(house: House) -> OutsideCa:
    return OutsideCa()


@pytest.fixture
def new(house: House) -> OutsideCa:
    return OutsideCa()


@pytest.fixture
def issuers(old: OutsideCa, new: OutsideCa) -> Iterator[Front]:
    with front(old=old, new=new, third=OutsideCa()) as made:
        yield made


def looked_up(alice: Caller, **changes: object) -> str:
    body = {"name": "Leaving a CA", "query": {"issuer": "old"}, "action": "REPLACE", **changes}
    campaign = str(alice("campaigns.create", body=body)["id"])
    alice("campaigns.preview", id=campaign)
    run()
    return campaign


def started(alice: Caller, **changes: object) -> str:
    """A campaign that was looked up and started; nothing is run after that."""
    campaign = looked_up(alice, **changes)
    alice("campaigns.start", id=campaign)
    return campaign


def rows(alice: Caller, campaign: str) -> dict[str, dict[str, object]]:
    found = alice("campaigns.report", id=campaign, query={"limit": 50})
    return {one["certificate_id"]: one for one in found["items"]}


def versions(certificate_id: str) -> list[str]:
    found = Version.objects.filter(certificate_id=certificate_id).order_by("number")
    return [one.issuer.partition(":")[0] for one in found]


# rule: REV-6
def test_what_a_ca_outside_issued_is_replaced_by_another_and_then_revoked_there(
    house: House, alice: Caller, old: OutsideCa, new: OutsideCa, issuers: Front
) -> None:
    certificate_id = house.desk.issued(WWW)
    campaign = started(alice, **BOTH)
    run()
    told = alice("campaigns.show", id=campaign)
    assert (told["state"], told["counts"]["done"], told["counts"]["failed"]) == ("DONE", 1, 0)
    assert versions(certificate_id) == ["old", "new"]
    row = rows(alice, campaign)[certificate_id]
    latest = Version.objects.get(certificate_id=certificate_id, number=2)
    assert row["issuer"] == "old:Outside Issuing CA"
    assert (row["new_certificate_id"], row["new_serial"]) == (certificate_id, latest.serial)
    assert (row["new_issuer"], row["served"]) == ("new:Outside Issuing CA", 0)
    assert (len(old.revoked), len(new.revoked)) == (1, 0)
    assert row["revoked_at"]


def test_the_new_issuer_that_is_named_gets_them_all(house: House, alice: Caller, issuers: Front) -> None:
    certificate_id = house.desk.issued(WWW)
    run_of = started(alice, issuer="third")
    run()
    assert alice("campaigns.show", id=run_of)["issuer"] == "third"
    assert versions(certificate_id) == ["old", "third"]


def test_a_rollover_that_was_under_way_to_the_old_ca_does_not_count(
    house: House, alice: Caller, issuers: Front
) -> None:
    certificate_id = house.desk.issued(WWW)
    certificate = Certificate.objects.get(id=certificate_id)
    followup.roll_over(house.desk.alice, certificate_id, clock.now(), latest=followup.paid_until(certificate))
    campaign = started(alice, **BOTH)
    run()
    assert versions(certificate_id) == ["old", "old", "new"]
    assert rows(alice, campaign)[certificate_id]["state"] == "DONE"
    assert Version.objects.filter(certificate_id=certificate_id, revoked_at=None).count() == 1


def test_an_order_that_is_changed_meanwhile_revokes_nothing(
    house: House, alice: Caller, old: OutsideCa, issuers: Front
) -> None:
    certificate_id = house.desk.issued(WWW)
    certificate = Certificate.objects.get(id=certificate_id)
    campaign = looked_up(alice, **BOTH)
    followup.roll_over(house.desk.alice, certificate_id, clock.now(), latest=followup.paid_until(certificate))
    Job.objects.update(run_at=clock.real_now() + timedelta(seconds=3))
    alice("campaigns.start", id=campaign)
    testing.run_all(timedelta(0), 1, strict=True)
    assert rows(alice, campaign)[certificate_id]["state"] == "REPLACING"
    issuers.order("old")
    run(alone=None)
    row = rows(alice, campaign)[certificate_id]
    assert (row["state"], row["why"]) == ("FAILED", rules.NO_OTHER % "old")
    assert (versions(certificate_id), len(old.revoked)) == (["old", "old"], 0)
    assert alice("campaigns.show", id=campaign)["state"] == "DONE"


def test_a_refusal_ends_one_replacement_and_not_the_campaign(
    house: House, alice: Caller, issuers: Front, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate_id = house.desk.issued(WWW)
    campaign = started(alice)
    testing.run_all(timedelta(0), 1, strict=True)
    assert rows(alice, campaign)[certificate_id]["state"] == "REPLACING"

    def gone(*_: object) -> None:
        raise rules.BadParameter("Its product is gone.", next_step="Look at the catalogue.", field="")

    monkeypatch.setattr(replacing, "goal", gone)
    run()
    row = rows(alice, campaign)[certificate_id]
    assert (row["state"], str(row["why"])[:19]) == ("FAILED", "Its product is gone")
    assert alice("campaigns.show", id=campaign)["state"] == "DONE"


@pytest.mark.parametrize(
    ("order", "issuer", "why"),
    [
        (("old",), "", rules.NO_OTHER % "old"),
        (("old", "new"), "third", rules.NOT_OF_PRODUCT % "third"),
    ],
)
def test_what_has_nowhere_to_go_is_left_out_with_the_reason(
    house: House, alice: Caller, issuers: Front, order: tuple[str, ...], issuer: str, why: str
) -> None:
    certificate_id = house.desk.issued(WWW)
    issuers.order(*order)
    row = rows(alice, started(alice, issuer=issuer))[certificate_id]
    assert (row["state"], row["why"]) == ("CANNOT", why)


def test_the_way_home_and_what_the_goal_of_one_certificate_is() -> None:
    assert rules.goal(["builtin"], "", "builtin", built_in=True) == rules.Goal()
    assert rules.goal(["builtin", "old"], "", "builtin", built_in=True) == rules.Goal(not_at="builtin")
    assert rules.goal(["old", "builtin"], "builtin", "old", built_in=False) == rules.Goal(at="builtin")
    assert rules.goal(["old"], "", "", built_in=False) == rules.Goal()


def test_a_new_issuer_is_for_replacements_alone(alice: Caller) -> None:
    body = {"name": "x", "query": {"profile": "public:ev"}, "action": "REVOKE"}
    assert alice("campaigns.create", body=body)["id"]
    for changed in ({"issuer": "new"}, {"action": "REPLACE", "issuer": "New CA!"}):
        assert alice.refused("campaigns.create", body=body | changed).field == "issuer"
    assert alice.refused("campaigns.create", body=body | {"query": {"profile": "x"}}).field == "profile"


def test_by_profile(house: House, alice: Caller, issuers: Front) -> None:
    away = house.desk.issued(WWW)
    issuers.order("builtin")
    home = house.desk.issued("home.example.com")

    def found(profile: str) -> set[str]:
        return set(rows(alice, started(alice, query={"profile": profile}, action="DRILL")))

    assert found("public") == found("public:dv") == {away}
    assert found("private") == {home}
    assert found("public:ev") == set()
    Issuer.objects.filter(slug="old").update(profile="private")
    assert found("private:dv") == {home, away}


def held_by(house: House, acme: Acme, name: str, key: object = None) -> tuple[str, object]:
    order = house.issued(acme, name, csr=csr(name, key=key))
    run(60)
    held = certificate_of(acme, order)
    return Certificate.objects.order_by("-created_at", "-id").values_list("id", flat=True)[0], held


def renewed(house: House, acme: Acme, name: str, replaces: object = None, key: object = None) -> object:
    more = {"replaces": cert_id(replaces)} if replaces else {}  # type: ignore[arg-type]
    placed_order = acme.order(name, **more)
    house.prove(acme, placed_order.json())
    done = acme.post(placed_order.json()["finalize"], {"csr": b64(csr(name, key=key))})
    assert done.status_code == 200, done.content
    run(60)
    return certificate_of(acme, str(placed_order.headers["Location"]))


# rule: REV-6
def test_an_acme_client_is_asked_by_ari_and_done_when_it_has_renewed(house: House, alice: Caller) -> None:
    acme = house.client()
    first, held = held_by(house, acme, "a.example.com")
    second, other = held_by(house, acme, "b.example.com")
    campaign = started(alice, query={"name": "example.com"}, **BOTH)
    run(30)
    told = alice("campaigns.show", id=campaign)
    assert (told["state"], told["counts"]["renewing"]) == ("RUNNING", 2)
    assert told["acme_clients"] == {"total": 2, "done": 0}
    now = f"{clock.now():%Y-%m-%dT%H:%M:%SZ}"
    assert window(acme, held)[0] < now  # type: ignore[arg-type]
    assert status_of(held).certificate_status is GOOD  # type: ignore[arg-type]
    fresh = renewed(house, acme, "a.example.com", held)
    run(30)
    row = rows(alice, campaign)[first]
    assert (row["state"], row["acme_client"], str(row["new_issuer"])[:8]) == ("DONE", True, "builtin:")
    assert [status_of(one).certificate_status for one in (held, fresh)] == [REVOKED, GOOD]  # type: ignore[arg-type]
    assert rows(alice, campaign)[second]["state"] == "RENEWING"
    assert status_of(other).certificate_status is GOOD  # type: ignore[arg-type]
    renewed(house, acme, "b.example.com")  # a client that does not say what it replaces
    run(30)
    assert alice("campaigns.show", id=campaign)["state"] == "DONE"
    mail = Message.objects.filter(template="campaign-started").get()
    assert "ACME clients" in mail.text


def test_a_renewal_takes_the_place_of_one_certificate_with_the_same_kind_of_key(
    house: House, alice: Caller
) -> None:
    # rule: REV-6
    acme = house.client()
    first, _ = held_by(house, acme, "a.example.com")
    twin, _ = held_by(house, acme, "a.example.com")  # another host with the same account key
    campaign = started(alice, query={"name": "example.com"})
    run(30)
    house.issued(acme, "a.example.com", csr=csr("a.example.com", key=rsa.generate_private_key(65537, 2048)))
    run(30)
    assert {rows(alice, campaign)[one]["state"] for one in (first, twin)} == {"RENEWING"}
    renewed(house, acme, "a.example.com")
    run(30)
    assert sorted(str(rows(alice, campaign)[one]["state"]) for one in (first, twin)) == ["DONE", "RENEWING"]
    renewed(house, acme, "a.example.com")
    run(30)
    found = rows(alice, campaign)
    assert {found[one]["state"] for one in (first, twin)} == {"DONE"}
    assert found[first]["new_certificate_id"] != found[twin]["new_certificate_id"]


def test_a_client_may_give_its_names_in_another_order(house: House) -> None:
    names = ("a.example.com", "b.example.com")
    acme = house.client()
    house.issued(acme, *names, csr=csr(*names))
    house.issued(acme, *reversed(names), csr=csr(*reversed(names)))
    run(60)
    old, new = Certificate.objects.order_by("created_at", "id").values_list("id", flat=True)
    assert succession.later([old]) == {old: (new,)}


def held_again(acme: Acme) -> str:
    """The certificate that was made last."""
    return str(Certificate.objects.order_by("-created_at", "-id").values_list("id", flat=True)[0])


def test_what_was_renewed_before_is_replaced_by_what_comes_after(house: House, alice: Caller) -> None:
    # rule: REV-6
    acme = house.client()
    first, held = held_by(house, acme, "a.example.com")
    second_held = renewed(house, acme, "a.example.com", held)
    second = held_again(acme)
    campaign = started(alice, query={"name": "example.com"}, **BOTH)
    run(30)
    assert {rows(alice, campaign)[one]["state"] for one in (first, second)} == {"RENEWING"}
    renewed(house, acme, "a.example.com", second_held)
    third = held_again(acme)
    run(30)
    found = rows(alice, campaign)
    assert [(found[one]["state"], found[one]["new_certificate_id"]) for one in (first, second)] == [
        ("DONE", third)
    ] * 2
    assert status_of(second_held).certificate_status is REVOKED  # type: ignore[arg-type]


def test_one_host_that_renews_twice_is_no_renewal_of_another(house: House, alice: Caller) -> None:
    # rule: REV-6
    acme = house.client()
    first, _ = held_by(house, acme, "a.example.com")
    twin, _ = held_by(house, acme, "a.example.com")  # another host with the same account key
    campaign = started(alice, query={"name": "example.com"})
    new = renewed(house, acme, "a.example.com")
    run(30)
    renewed(house, acme, "a.example.com", new)
    run(30)
    found = rows(alice, campaign)
    assert sorted(str(found[one]["state"]) for one in (first, twin)) == ["DONE", "RENEWING"]


def test_a_line_ends_with_the_last_certificate_that_is_in_force(house: House) -> None:
    acme = house.client()
    first, held = held_by(house, acme, "a.example.com")
    ids = [first]
    for _ in range(2):
        held = renewed(house, acme, "a.example.com", held)
        ids.append(held_again(acme))
    assert succession.lines([first], clock.now()) == {first: tuple(ids)}
    end = Certificate.objects.get(id=ids[2]).not_after
    Certificate.objects.filter(id=ids[2]).update(not_after=clock.now() - timedelta(seconds=1))  # expired
    assert succession.lines([first], clock.now()) == {first: tuple(ids[:2])}
    Certificate.objects.filter(id=ids[2]).update(not_after=end)
    placed(ids[1], State.REVOKED)  # in between
    assert succession.lines([first, ids[1]], clock.now()) == {first: tuple(ids), ids[1]: tuple(ids[1:])}
    placed(ids[2], State.REVOKED)
    assert succession.lines([first, ids[2]], clock.now()) == {first: (first,), ids[2]: ()}


def test_a_renewal_for_fewer_names_counts_where_the_client_says_so(house: House, alice: Caller) -> None:
    """RFC 9773 §5: what an order may name as replaced is replaced by it, and there is no other rule."""
    acme = house.client()
    names = ("a.example.com", "b.example.com")
    held = certificate_of(acme, house.issued(acme, *names, csr=csr(*names)))
    run(60)
    first = held_again(acme)
    campaign = started(alice, query={"name": "example.com"}, **BOTH)
    renewed(house, acme, "a.example.com", held)
    run(30)
    row = rows(alice, campaign)[first]
    assert (row["state"], row["new_certificate_id"]) == ("DONE", held_again(acme))


def newest_of(first: str) -> object:
    """What the line of orders that name each other has brought by now, for a client that goes on with it."""
    last = succession.lines([first], clock.now())[first][-1]
    return x509.load_der_x509_certificate(bytes(Version.objects.get(certificate_id=last).der))


def seen_at(house: House, certificate: Certificate, serial: str) -> None:
    now = clock.now()
    Endpoint.objects.create(
        account_id=certificate.account_id, scan_id="s", host=certificate.domain, address="192.0.2.1",
        port=443, protocol="tls", fingerprint="0" * 64, serial=serial, subject="", issuer="", not_before=now,
        not_after=now, der=b"", chain=b"", version="TLSv1.3", first_seen=now, last_seen=now,
    )  # fmt: skip


def test_while_a_place_is_known_that_serves_the_old_one_it_is_not_done(house: House, alice: Caller) -> None:
    # rule: DEP-6
    acme = house.client()
    first, held = held_by(house, acme, "a.example.com")
    certificate = Certificate.objects.get(id=first)
    seen_at(house, certificate, Version.objects.get(certificate_id=first).serial)
    campaign = started(alice, query={"name": "example.com"})
    renewed(house, acme, "a.example.com", held)
    run(30)
    row = rows(alice, campaign)[first]
    assert (row["state"], "a.example.com:443" in str(row["why"])) == ("RENEWING", True)
    latest = Version.objects.order_by("-id")[0]
    Endpoint.objects.update(serial=latest.serial)  # as the next scan sees it
    run(30)
    row = rows(alice, campaign)[first]
    assert (row["state"], row["why"], row["served"]) == ("DONE", "", 1)


def test_while_a_target_of_ours_serves_the_old_one_it_is_not_done(house: House, alice: Caller) -> None:
    # rule: DEP-6
    acme = house.client()
    first, held = held_by(house, acme, "a.example.com")
    place = served_by_a_target(house.desk.account.id, first)
    campaign = started(alice, query={"name": "example.com"}, **BOTH)
    renewed(house, acme, "a.example.com", held)
    run(30)
    row = rows(alice, campaign)[first]
    assert (row["state"], "edge: a.example.com" in str(row["why"])) == ("RENEWING", True)
    assert status_of(held).certificate_status is GOOD  # type: ignore[arg-type]
    place.served_certificate_id = str(Certificate.objects.order_by("-created_at", "-id")[0].id)
    place.save()  # as the next look finds it
    run(30)
    assert rows(alice, campaign)[first]["state"] == "DONE"
    assert status_of(held).certificate_status is REVOKED  # type: ignore[arg-type]


def test_a_client_that_renews_from_the_old_issuer_is_told_and_one_that_is_gone_fails(
    house: House, alice: Caller, issuers: Front
) -> None:
    acme = house.client()
    Front(ACME_LINE).order("builtin", "new")
    first, held = held_by(house, acme, "a.example.com")
    gone, _ = held_by(house, acme, "b.example.com")
    campaign = started(alice, query={"name": "example.com"}, issuer="new")
    renewed(house, acme, "a.example.com", held)
    placed(gone, State.REVOKED)
    run(30)
    found = rows(alice, campaign)
    assert (found[first]["state"], found[first]["why"]) == ("RENEWING", rules.FROM_THE_SAME)
    assert (found[gone]["state"], found[gone]["why"]) == ("FAILED", rules.OTHERWISE)
    assert Campaign.objects.get().state == "RUNNING"
    alice("campaigns.cancel", id=campaign)
    run(30)
    assert rows(alice, campaign)[first]["state"] == "LEFT"


def spki_of(certificate_id: str) -> str:
    return Version.objects.get(certificate_id=certificate_id).spki_sha256


@pytest.mark.parametrize("query", ["key", "name"])
def test_a_key_that_is_known_to_others_is_not_replaced_by_itself(
    house: House, alice: Caller, query: str
) -> None:
    # rule: REV-6
    acme, leaked = house.client(), ec.generate_private_key(ec.SECP256R1())
    first, held = held_by(house, acme, "a.example.com", leaked)
    asked = {"key": spki_of(first)} if query == "key" else {"name": "example.com"}
    reason = "SUPERSEDED" if query == "key" else "KEY_COMPROMISE"
    campaign = started(alice, query=asked, action="REPLACE_AND_REVOKE", reason_code=reason)
    again = renewed(house, acme, "a.example.com", held, leaked)
    run(30)
    row = rows(alice, campaign)[first]
    assert (row["state"], row["why"], row["new_certificate_id"]) == ("RENEWING", rules.SAME_KEY, "")
    assert status_of(held).certificate_status is GOOD  # type: ignore[arg-type]
    assert alice("campaigns.report", id=campaign)["reasons"] == [{"why": rules.SAME_KEY, "count": 1}]
    renewed(house, acme, "a.example.com")
    run(30)
    assert (rows(alice, campaign)[first]["state"], rows(alice, campaign)[first]["why"]) == ("DONE", "")
    assert [status_of(one).certificate_status for one in (held, again)] == [REVOKED, GOOD]  # type: ignore[arg-type]


def test_a_key_that_is_as_good_as_before_may_be_kept(house: House, alice: Caller) -> None:
    acme, key = house.client(), ec.generate_private_key(ec.SECP256R1())
    first, held = held_by(house, acme, "a.example.com", key)
    campaign = started(alice, query={"name": "example.com"}, **BOTH)
    renewed(house, acme, "a.example.com", held, key)
    run(30)
    assert rows(alice, campaign)[first]["state"] == "DONE"


def test_whoever_can_change_it_is_told_once_of_a_renewal_that_does_not_count(
    house: House, alice: Caller, issuers: Front
) -> None:
    # rule: REV-6
    line = Front(ACME_LINE)
    line.order("builtin", "new")
    acme, leaked = house.client(), ec.generate_private_key(ec.SECP256R1())
    first, held = held_by(house, acme, "a.example.com", leaked)
    _, other = held_by(house, acme, "b.example.com")
    campaign = started(
        alice, query={"name": "example.com"}, action="REPLACE", issuer="new", reason_code="KEY_COMPROMISE"
    )
    for name, one in (("a.example.com", held), ("b.example.com", other)):
        renewed(house, acme, name, one)
    run(30)
    run(30)
    mail = Message.objects.get(template="campaign-attention")  # one for both
    assert (mail.recipient, f"/campaigns/{campaign}" in mail.text) == ("alice@example.net", True)
    assert "not from the new issuer" in mail.text
    line.order("new")
    renewed(house, acme, "a.example.com", key=leaked)
    run(60)
    assert rows(alice, campaign)[first]["why"] == rules.FROM_THE_SAME  # of what its order names
    renewed(house, acme, "a.example.com", newest_of(first), key=leaked)
    run(60)
    assert rows(alice, campaign)[first]["why"] == rules.SAME_KEY
    key_mail = Message.objects.filter(template="campaign-attention").exclude(id=mail.id).get()
    assert (f"/certificates/{first}" in key_mail.text, "--new-key" in key_mail.text) == (True, True)


def test_a_client_that_came_back_with_the_wrong_one_is_asked_again_once_that_helps(
    house: House, alice: Caller, issuers: Front
) -> None:
    # rule: REV-6
    acme, line = house.client(), Front(ACME_LINE)
    line.order("builtin", "new")
    first, held = held_by(house, acme, "a.example.com")
    campaign = started(alice, query={"name": "example.com"}, issuer="new")
    run(30)
    wrong = renewed(house, acme, "a.example.com", held)
    run(30)
    now = f"{clock.now():%Y-%m-%dT%H:%M:%SZ}"
    assert rows(alice, campaign)[first]["why"] == rules.FROM_THE_SAME
    assert window(acme, wrong)[0] > now  # it would come back with the same
    line.order("new", "builtin")
    run(30)
    assert rows(alice, campaign)[first]["why"] == rules.FROM_THE_SAME
    assert window(acme, wrong)[0] < now
    Issuer.objects.filter(slug="new").update(enabled=False)
    run(30)
    assert window(acme, wrong)[0] > now
    Issuer.objects.filter(slug="new").update(enabled=True)
    right = renewed(house, acme, "a.example.com", wrong)
    run(60)
    row = rows(alice, campaign)[first]
    assert (row["state"], str(row["new_issuer"])[:4], row["why"]) == ("DONE", "new:", "")
    assert alice("campaigns.show", id=campaign)["state"] == "DONE"
    assert window(acme, right)[0] > now


def begun_by(house: House, campaign: str, *rights: str) -> User:
    """Starts what Alice looked up as somebody with these rights to certificates alone."""
    bob = somebody(house, "bob", "scm:campaign:*", "scm:cert:get", "scm:cert:list", *rights)
    bob("campaigns.start", id=campaign)
    return User.objects.get(name="bob")


def test_a_client_whose_certificate_was_reissued_with_our_key_is_not_waited_for(
    house: House, alice: Caller
) -> None:
    acme = house.client()
    ours, _ = held_by(house, acme, "a.example.com")
    theirs, _ = held_by(house, acme, "b.example.com")
    Application.objects.filter(certificate_id=ours).update(csr_mode="SYSTEM")  # what a reissue leaves
    with CaptureQueriesContext(connection) as asked:
        campaign = looked_up(alice, query={"name": "example.com"})
    found = rows(alice, campaign)
    assert [found[one]["acme_client"] for one in (ours, theirs)] == [False, True]
    assert sum("FROM enrolment_order" in one["sql"] for one in asked) == 1  # however many they are


def test_whoever_starts_it_revokes_only_what_he_may(house: House, alice: Caller) -> None:
    # rule: REV-6
    acme = house.client()
    first, held = held_by(house, acme, "a.example.com")
    campaign = looked_up(alice, query={"name": "example.com"}, **BOTH)
    begun_by(house, campaign, "scm:cert:reissue")
    run(30)
    renewed(house, acme, "a.example.com", held)
    run(30)
    row = rows(alice, campaign)[first]
    assert (row["state"], row["why"]) == ("FAILED", rules.NO_RIGHT)
    assert status_of(held).certificate_status is GOOD  # type: ignore[arg-type]


def test_a_right_that_is_withdrawn_before_the_client_comes_counts(house: House, alice: Caller) -> None:
    # rule: REV-6
    acme = house.client()
    first, held = held_by(house, acme, "a.example.com")
    campaign = looked_up(alice, query={"name": "example.com"}, **BOTH)
    bob = begun_by(house, campaign, "scm:cert:reissue", "scm:cert:revoke")
    run(30)
    assert rows(alice, campaign)[first]["state"] == "RENEWING"
    document = {"Version": "1.1", "Statement": [{"Effect": "Allow", "Action": ["scm:campaign:*"]}]}
    Policy.objects.filter(name=bob.name).update(document=document)
    renewed(house, acme, "a.example.com", held)
    run(30)
    row = rows(alice, campaign)[first]
    assert (row["state"], row["why"]) == ("FAILED", rules.NO_RIGHT)
    assert status_of(held).certificate_status is GOOD  # type: ignore[arg-type]


def test_a_client_is_waited_for_until_the_end_of_its_certificate_and_asked_about_seldom(
    house: House, alice: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clients, "PAUSE", timedelta(minutes=1))
    first, _ = held_by(house, house.client(), "a.example.com")
    campaign = started(alice, query={"name": "example.com"}, **BOTH)
    run(30)
    assert rows(alice, campaign)[first]["state"] == "RENEWING"
    looked = Item.objects.get().looked_at
    run(30)
    assert Item.objects.get().looked_at == looked
    Certificate.objects.filter(id=first).update(not_after=clock.now() - timedelta(seconds=1))
    Item.objects.update(looked_at=clock.real_now() + timedelta(minutes=5))  # however slow this test is
    testing.run_all(timedelta(minutes=2), 30, strict=True)
    assert rows(alice, campaign)[first]["state"] == "RENEWING"  # less than a minute has passed
    Item.objects.update(looked_at=None)
    testing.run_all(timedelta(minutes=2), 30, strict=True)
    row = rows(alice, campaign)[first]
    assert (row["state"], row["why"]) == ("FAILED", rules.NOT_RENEWED)
    assert alice("campaigns.show", id=campaign)["state"] == "DONE"


def test_what_clients_have_renewed_is_revoked_at_the_pace_of_the_campaign(
    house: House, alice: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rules, "budget", BUDGET)
    acme = house.client()
    ids = [held_by(house, acme, name)[0] for name in ("a.example.com", "b.example.com")]
    campaign = started(alice, query={"name": "example.com"}, per_minute=1, **BOTH)
    run(30)
    assert {rows(alice, campaign)[one]["state"] for one in ids} == {"RENEWING"}  # all are asked at once
    renewed(house, acme, "a.example.com")
    renewed(house, acme, "b.example.com")
    run(30)
    assert [rows(alice, campaign)[one]["state"] for one in ids] == ["DONE", "RENEWING"]
    Item.objects.filter(certificate_id=ids[0]).update(begun_at=clock.real_now() - timedelta(minutes=1))
    run(30)
    assert [rows(alice, campaign)[one]["state"] for one in ids] == ["DONE", "DONE"]


def test_what_clients_renew_takes_no_place_from_what_the_service_replaces(
    house: House, alice: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    acme = house.client()
    theirs, held = held_by(house, acme, "a.example.com")
    ours = house.desk.issued("b.example.com")
    monkeypatch.setattr(rules, "budget", lambda *_: 0)
    campaign = started(alice, query={"name": "example.com"}, action="REPLACE", per_minute=1)
    renewed(house, acme, "a.example.com", held)
    run(30)
    assert [rows(alice, campaign)[one]["state"] for one in (theirs, ours)] == ["DONE", "WAITING"]
    monkeypatch.setattr(rules, "budget", BUDGET)
    run(60)
    assert [rows(alice, campaign)[one]["state"] for one in (theirs, ours)] == ["DONE", "DONE"]


def test_a_step_reads_the_orders_of_issuers_once(
    house: House, alice: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    acme = house.client()
    for name in ("a.example.com", "b.example.com"):
        _, held = held_by(house, acme, name)
        renewed(house, acme, name, held)
    for name in ("c.example.com", "d.example.com"):
        house.desk.issued(name)
    campaign = Campaign.objects.get(id=looked_up(alice, query={"name": "example.com"}))
    Item.objects.filter(client=True).update(state="RENEWING", begun_at=clock.real_now())
    read: list[None] = []

    def orders() -> dict[str, tuple[str, ...]]:
        read.append(None)
        return {}

    monkeypatch.setattr(replacing.issuers, "own_orders", orders)
    running.step(alice.principal, campaign, clock.now())
    assert Item.objects.filter(state="REPLACING").count() == 2
    assert len(read) == 1
    with CaptureQueriesContext(connection) as asked:
        assert queries.at_work(campaign) == (2, 0)
    assert len(asked) == 1


def test_of_more_clients_than_one_step_takes_each_has_its_turn(
    house: House, alice: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clients, "AT_ONCE", 1)
    acme = house.client()
    names = ("a.example.com", "b.example.com", "c.example.com")
    ids = {name: held_by(house, acme, name)[0] for name in names}
    campaign = started(alice, query={"name": "example.com"})
    renewed(house, acme, "b.example.com")
    renewed(house, acme, "c.example.com")
    run(30)
    found = rows(alice, campaign)
    assert [found[ids[name]]["state"] for name in names] == ["RENEWING", "DONE", "DONE"]


def test_a_client_whose_revocation_is_refused_is_told_why(
    house: House, alice: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    acme = house.client()
    first, held = held_by(house, acme, "a.example.com")
    campaign = started(alice, query={"name": "example.com"}, **BOTH)

    def refused(*_: object, **__: object) -> None:
        raise rules.BadParameter("Not now.", next_step="Later.", field="")

    monkeypatch.setattr(outcome, "revoke", refused)
    renewed(house, acme, "a.example.com", held)
    run(30)
    row = rows(alice, campaign)[first]
    assert (row["state"], str(row["why"])[:8]) == ("FAILED", "Not now.")


def test_what_a_ca_outside_issued_to_an_acme_client_is_renewed_elsewhere(
    house: House, alice: Caller, old: OutsideCa, issuers: Front
) -> None:
    acme = house.client()
    line = Front(ACME_LINE)
    line.order("old", "new")
    first, held = held_by(house, acme, "a.example.com")
    assert versions(first) == ["old"]
    now = f"{clock.now():%Y-%m-%dT%H:%M:%SZ}"
    assert window(acme, held)[0] > now
    campaign = started(alice, **BOTH)
    run(30)
    assert window(acme, held)[0] < now
    Issuer.objects.filter(slug="old").update(enabled=False)
    renewed(house, acme, "a.example.com", held)
    run(60)
    row = rows(alice, campaign)[first]
    assert (row["state"], str(row["new_issuer"])[:4], len(old.revoked)) == ("DONE", "new:", 1)
    assert row["revoked_at"]


@pytest.mark.parametrize(
    ("state", "stands", "why"),
    [
        (State.REVOKED, "DONE", ""),
        (State.DELETED, "FAILED", rules.GONE),
        (State.REISSUING, "RENEWING", ""),
        (State.SUPPLEMENTCHECKING, "RENEWING", ""),
    ],
)
def test_what_is_replaced_and_to_be_revoked_is_done_only_when_it_is_revoked(
    house: House, alice: Caller, state: State, stands: str, why: str
) -> None:
    # rule: REV-6
    acme = house.client()
    first, held = held_by(house, acme, "a.example.com")
    campaign = started(alice, query={"name": "example.com"}, **BOTH)
    run(30)
    renewed(house, acme, "a.example.com", held)
    Item.objects.update(state="RENEWING", ended_at=None)
    placed(first, state)
    Campaign.objects.update(state="RUNNING")
    running.step(alice.principal, Campaign.objects.get(), clock.now())
    item = Item.objects.get()
    assert (item.campaign_id, item.state, item.why) == (campaign, stands, why)


def test_a_revocation_that_waits_for_its_mail_is_confirmed_by_the_campaign(
    house: House, alice: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    # rule: REV-6
    monkeypatch.setattr(revocation_rules, "needs_confirmation", lambda _: True)
    acme = house.client()
    first, held = held_by(house, acme, "a.example.com")
    campaign = started(alice, query={"name": "example.com"}, **BOTH)
    run(30)
    # Seen to be replaced only after its owner asked for its revocation.
    place = served_by_a_target(house.desk.account.id, first)
    renewed(house, acme, "a.example.com", held)
    revoking.request(house.desk.alice, first, revoking.Wish(), clock.now())
    run(30)
    assert Certificate.objects.get(id=first).state == State.REVOKING
    place.served_certificate_id = held_again(acme)
    place.save()
    run(60)
    row = rows(alice, campaign)[first]
    assert (row["state"], row["why"]) == ("DONE", "")
    assert status_of(held).certificate_status is REVOKED  # type: ignore[arg-type]


def test_an_old_order_that_names_what_another_account_ordered_replaces_nothing(house: House) -> None:
    """RFC 9773 §5; orders of before were held against the organisation alone."""
    first, held = held_by(house, house.client(), "a.example.com")
    other, _ = held_by(house, house.client(), "a.example.com")
    Order.objects.filter(certificate_id=other).update(replaces=cert_id(held))  # type: ignore[arg-type]
    assert succession.lines([first], clock.now()) == {first: (first,)}


def test_once_it_has_ended_no_client_is_asked_again(house: House, alice: Caller, issuers: Front) -> None:
    acme, line = house.client(), Front(ACME_LINE)
    line.order("builtin", "new")
    first, held = held_by(house, acme, "a.example.com")
    campaign = started(alice, query={"name": "example.com"}, issuer="new")
    wrong = renewed(house, acme, "a.example.com", held)
    line.order("new", "builtin")
    run(30)
    assert Item.objects.get().asked_again == held_again(acme)
    Certificate.objects.filter(id=first).update(not_after=clock.now() - timedelta(seconds=1))
    run(30)
    assert (rows(alice, campaign)[first]["state"], Item.objects.get().asked_again) == ("FAILED", "")
    assert window(acme, wrong)[0] > f"{clock.now():%Y-%m-%dT%H:%M:%SZ}"  # type: ignore[arg-type]


def test_an_issuer_without_room_in_the_pace_keeps_no_other_one_waiting(
    house: House, alice: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    # rule: REV-6
    monkeypatch.setattr(clients, "AT_ONCE", 1)
    acme = house.client()
    names = ("a.example.com", "b.example.com", "c.example.com")
    first, second, third = (held_by(house, acme, name)[0] for name in names)
    campaign = started(alice, query={"name": "example.com"}, issuer_per_minute=1, **BOTH)
    row, now = Campaign.objects.get(id=campaign), clock.real_now()
    running.step(alice.principal, row, clock.now())  # asks them all
    Item.objects.filter(certificate_id=third).update(issuer="other:Other CA")
    Item.objects.filter(certificate_id=first).update(state="DONE", begun_at=now, ended_at=now)
    for name in names[1:]:
        house.issued(acme, name, csr=csr(name))
    monkeypatch.setattr(clients, "PAUSE", timedelta(minutes=1))
    Item.objects.update(looked_at=None)
    for _ in range(2):
        running.step(alice.principal, row, clock.now())
    found = {one.certificate_id: one.state for one in Item.objects.all()}
    assert (found[second], found[third]) == ("RENEWING", "REVOKING")
    Item.objects.filter(certificate_id=third).update(state="DONE")
    assert running.step(alice.principal, row, clock.now()) == timedelta(minutes=1)


def test_what_a_ca_outside_still_has_to_revoke_keeps_no_place_here_and_is_looked_at_seldom(
    house: House, alice: Caller, issuers: Front
) -> None:
    # rule: REV-6
    away = house.desk.issued(WWW)
    issuers.order("builtin")
    home = house.desk.issued("home.example.com")
    campaign = Campaign.objects.get(id=started(alice, query={"name": "example.com"}, action="REVOKE"))
    running.step(alice.principal, campaign, clock.now())
    assert set(Item.objects.filter(state="REVOKING").values_list("certificate_id", flat=True)) == {away, home}
    assert (queries.at_work(campaign), queries.is_at_work(campaign)) == ((1, 1), True)
    placed(home, State.REVOKED)
    assert running.step(alice.principal, campaign, clock.now()) == running.LONG_PAUSE
    assert (queries.at_work(campaign), queries.is_at_work(campaign)) == ((0, 1), False)
    testing.run_all(running.LONG_PAUSE + timedelta(seconds=5), 60, strict=True)
    assert {one["state"] for one in rows(alice, campaign.id).values()} == {"DONE"}
