"""UPL: hosting a certificate from elsewhere, over the operations that every face serves."""

import base64
from dataclasses import replace
from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PrivateFormat

from certdesk.foundation.audit.models import Event
from certdesk.foundation.common import clock, ids, settings
from certdesk.foundation.common.errors import Forbidden
from certdesk.foundation.iam.models import EnterpriseProject
from certdesk.foundation.sealing.models import Secret
from certdesk.lifecycle.certificates.models import Certificate, Version
from certdesk.lifecycle.certificates.uploading import Given
from certdesk.pki.keystore import actions as keystore
from certdesk.pki.keystore.models import Key
from certdesk.pki.x509 import keys, uploaded_keys, uploads
from tests.support.desk import Desk
from tests.support.rulebook import Caller, LabClock
from tests.support.uploads import SECOND, World, key_of, key_pem, pem

IMPORT = "certificates.import"
PARAMETERS = "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n"


@pytest.fixture
def world(db: None) -> World:
    return World(clock.now())


def upload(caller: Caller, body: dict[str, object]) -> str:
    return str(caller(IMPORT, body=body)["certificate_id"])


def refusal(caller: Caller, body: dict[str, object]) -> tuple[str, str]:
    """(code, field) of the refusal; nothing was written."""
    before = (Certificate.objects.count(), Key.objects.count(), Secret.objects.count())
    fault = caller.refused(IMPORT, body=body)
    assert (Certificate.objects.count(), Key.objects.count(), Secret.objects.count()) == before
    assert fault.next_step
    return fault.code or fault.kind.value, fault.field


def test_an_uploaded_certificate_is_hosted_listed_and_handed_out(world: World, alice: Caller) -> None:
    # rule: UPL-1
    # rule: UPL-7
    # rule: DLD-1
    leaf = world.leaf(("www.example.com", "*.shop.example.com", "192.0.2.7"))
    certificate_id = upload(alice, world.body(leaf, duplicate_check=True))
    shown = alice.show(certificate_id)
    assert (shown["status"], shown["name"], shown["domain"]) == (
        "UPLOAD",
        "from-elsewhere",
        "www.example.com",
    )
    assert (shown["sans"], shown["domain_count"], shown["wildcard_count"]) == (
        "*.shop.example.com;192.0.2.7",
        3,
        1,
    )
    assert (shown["domain_type"], shown["order_id"], shown["push_support"]) == ("MULTI_DOMAIN", "", "ON")
    assert shown["findings"] == []
    assert set(shown["operations"]) == {"download", "deploy", "push", "delete"}
    for content in ("FROM-else", "shop.exam", "192.0.2"):
        found = alice("certificates.list", query={"content": content, "status": "UPLOAD"})["certificates"]
        assert [one["id"] for one in found] == [certificate_id]
        assert found[0]["deploy_support"] is True
    exported = alice("certificates.export", certificate_id)
    assert exported["certificate"] == pem(leaf)
    assert exported["certificate_chain"] == pem(world.issuing) + pem(world.root)
    assert exported["private_key"] == key_pem(world.leaf_key)
    file = alice("certificates.download", certificate_id, query={"server": "nginx"})
    assert file.content.startswith(b"PK")
    version = Version.objects.get(certificate_id=certificate_id)
    assert (version.cause, version.issuer, version.number) == ("UPLOAD", "", 1)
    key = Key.objects.get(id=version.key_id)
    secret = Secret.objects.get(id=key.secret_id)
    assert keys.private_to_der(world.leaf_key) not in bytes(secret.ciphertext)
    told = Event.objects.get(action="certificate.uploaded", resource=f"cert:{certificate_id}")
    assert version.serial in told.details
    assert told.actor == alice.principal.actor


def test_who_may_upload_and_who_sees_it(world: World, desk: Desk, alice: Caller) -> None:
    # rule: UPL-7
    certificate_id = upload(alice, world.body())
    bob = Caller(desk.someone("bob"))
    assert bob.status(certificate_id) == "UPLOAD"
    reader = Caller(desk.someone("rita", "scm:cert:get", "scm:cert:list"))
    assert isinstance(reader.refused(IMPORT, body=world.body()), Forbidden)
    charlie = Caller(replace(desk.alice, account_id="f" * 32))
    for name in ("show", "export", "delete", "unsubscribe"):
        assert charlie.refused(f"certificates.{name}", certificate_id).kind.value == "not_found"
    assert charlie("certificates.list", query={})["total_count"] == 0
    EnterpriseProject.objects.create(id="p" * 36, account=desk.account, name="shop", enabled=True)
    placed = upload(alice, world.body(enterprise_project_id="p" * 36))
    assert alice.show(placed)["enterprise_project_id"] == "p" * 36
    assert refusal(alice, world.body(enterprise_project_id="q" * 36))[1] == "enterprise_project_id"


def test_clients_send_pem_in_many_ways(world: World, alice: Caller) -> None:
    # rule: UPL-1
    leaf, above = pem(world.usual), pem(world.issuing)
    key = key_pem(world.leaf_key)
    forms = [
        {"certificate": leaf + above, "certificate_chain": ""},
        {"certificate": leaf, "certificate_chain": leaf + above},
        {"certificate": leaf.strip(), "certificate_chain": above.strip(), "private_key": key.strip()},
        {"certificate": leaf.replace("\n", "\r\n"), "private_key": key.replace("\n", "\r\n")},
        {"certificate": f"Certificate:\n    Data: …\n{leaf}\nnotes\n{above}", "certificate_chain": None},
        {"private_key": key_pem(world.leaf_key, form=PrivateFormat.TraditionalOpenSSL)},
        {"private_key": f"{PARAMETERS}{key}"},
        {"certificate": leaf + pem(world.root), "certificate_chain": above},  # the chain given is the chain
    ]
    for number, form in enumerate(forms):
        made = upload(alice, world.body(**form, name=f"form-{number}"))
        assert alice("certificates.export", made)["certificate"] == leaf


# rule: UPL-1
@pytest.mark.parametrize(
    ("change", "code", "words"),
    [
        ({"certificate": ""}, "SCM.0054", "Add it"),
        ({"certificate": "hello"}, "SCM.0053", "BEGIN"),
        ({"certificate": "{leaf}-----BEGIN CERTIFICATE-----"}, "SCM.0053", "whole file"),
        ({"certificate": "-----BEGIN CERTIFICATE-----\n!!\n-----END CERTIFICATE-----"}, "SCM.0053", "whole"),
        (
            {"certificate": "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----"},
            "SCM.0006",
            "from the CA",
        ),
        (
            {"certificate": "-----BEGIN PKCS7-----\nMAA=\n-----END PKCS7-----"},
            "SCM.0006",
            "openssl pkcs7 -print_certs",
        ),
        (
            {"certificate": "-----BEGIN CERTIFICATE REQUEST-----\nMAA=\n-----END CERTIFICATE REQUEST-----"},
            "SCM.0006",
            "what the CA made",
        ),
        ({"certificate": "{key}"}, "SCM.0006", "do not belong in it"),
        ({"certificate": "{der}"}, "SCM.0053", "openssl x509 -inform der"),
        ({"certificate_chain": "{key}"}, "SCM.0013", "do not belong in it"),
        ({"private_key": ""}, "SCM.0114", "BEGIN"),
        ({"private_key": "{der}"}, "SCM.0114", "openssl pkey -inform der"),
        ({"private_key": "-----BEGIN PRIVATE KEY-----\n!!\n-----END PRIVATE KEY-----"}, "SCM.0115", "whole"),
        ({"private_key": "-----BEGIN PRIVATE KEY-----\nMAA="}, "SCM.0114", "whole"),
        ({"private_key": "-----BEGIN PRIVATE KEY-----\nMAA=\n-----END PRIVATE KEY-----"}, "SCM.0012", "pkey"),
        ({"private_key": "{leaf}"}, "SCM.0012", "key alone"),
        ({"private_key": "{key}{key}"}, "SCM.0012", "key alone"),
        # rule: UPL-2
        ({"private_key": "{locked}"}, "SCM.0012", "openssl pkey -in server.key"),
        ({"private_key": "{old locked}"}, "SCM.0012", "openssl pkey -in server.key"),
    ],
)
def test_other_forms_are_refused_with_what_converts_them(
    world: World, alice: Caller, change: dict[str, str], code: str, words: str
) -> None:
    texts = {
        "{leaf}": pem(world.leaf()),
        "{key}": key_pem(world.leaf_key),
        "{der}": base64.b64encode(world.leaf().public_bytes(Encoding.DER)).decode(),
        "{locked}": key_pem(world.leaf_key, b"secret"),
        "{old locked}": key_pem(world.leaf_key, b"secret", PrivateFormat.TraditionalOpenSSL),
    }
    ((field, text),) = change.items()
    for name, value in texts.items():
        text = text.replace(name, value)
    fault = alice.refused(IMPORT, body=world.body(**{field: text}))
    assert (fault.code, fault.field) == (code, field)
    assert words in fault.next_step


def test_the_key_must_be_the_certificates(world: World, alice: Caller) -> None:
    # rule: UPL-3
    assert refusal(alice, world.body(private_key=key_pem(key_of(9)))) == ("SCM.0014", "private_key")
    other = key_pem(keys.generate(keys.KeyAlgorithm.RSA_2048))
    assert refusal(alice, world.body(private_key=other)) == ("SCM.0014", "private_key")


def test_an_rsa_key_is_taken_and_a_damaged_one_is_not(db: None, alice: Caller) -> None:
    # rule: UPL-3
    key = keys.generate(keys.KeyAlgorithm.RSA_2048)
    world = World(clock.now(), leaf_key=key)
    made = upload(alice, world.body())
    assert alice("certificates.export", made)["private_key"] == key_pem(key)
    numbers = key.private_numbers()
    wrong = rsa.RSAPrivateNumbers(
        numbers.p, numbers.q, numbers.d + 2, numbers.dmp1, numbers.dmq1, numbers.iqmp, numbers.public_numbers
    ).private_key(unsafe_skip_rsa_key_validation=True)
    assert refusal(alice, world.body(private_key=key_pem(wrong))) == ("SCM.0012", "private_key")


def test_time_counts_to_the_second_on_both_ends(lab: LabClock, desk: Desk, alice: Caller) -> None:
    # rule: UPL-4
    world = World(clock.now(), lasts=timedelta(days=10))
    leaf = world.leaf(since=timedelta(days=1))
    lab.at(world.now - timedelta(days=1) - SECOND)
    assert refusal(alice, world.body(leaf)) == ("SCM.9060", "certificate")
    lab.at(world.now - timedelta(days=1))
    upload(alice, world.body(leaf))
    lab.at(world.now + timedelta(days=10))
    last = upload(alice, world.body(leaf))
    assert alice.status(last) == "UPLOAD"
    lab.at(world.now + timedelta(days=10) + SECOND)
    assert alice.status(last) == "EXPIRED"  # rule: LST-7
    assert refusal(alice, world.body(leaf)) == ("SCM.9060", "certificate")


def test_a_chain_of_one_is_refused_and_one_of_two_is_not(world: World, alice: Caller) -> None:
    # rule: UPL-5
    assert refusal(alice, world.body(certificate_chain="")) == ("SCM.0013", "certificate_chain")
    own = world.leaf(issuer="", signer=world.leaf_key)  # signed by itself
    assert refusal(alice, world.body(own, certificate_chain="")) == ("SCM.0013", "certificate_chain")
    upload(alice, world.body(certificate_chain=pem(world.issuing)))


def test_the_chain_is_in_order_and_each_link_is_signed(world: World, alice: Caller) -> None:
    # rule: UPL-6
    issuing, root, leaf = pem(world.issuing), pem(world.root), pem(world.leaf())
    for wrong in (root + issuing, root, issuing + issuing, issuing + root + leaf):
        assert refusal(alice, world.body(certificate_chain=wrong)) == ("SCM.0079", "certificate_chain")
    assert refusal(alice, world.body(certificate=issuing + leaf, certificate_chain="")) == (
        "SCM.0009",
        "certificate",
    )
    forged = world.authority("Elsewhere CA", "Elsewhere Root", key_of(7), world.root_key)
    assert refusal(alice, world.body(certificate_chain=pem(forged)))[0] == "SCM.0013"
    gone = world.authority("Elsewhere CA", "Elsewhere Root", world.issuing_key, world.root_key, until=-SECOND)
    assert refusal(alice, world.body(certificate_chain=pem(gone))) == ("SCM.9060", "certificate_chain")
    no_ca = world.authority(
        "Elsewhere CA", "Elsewhere Root", world.issuing_key, world.root_key, ca=False, usage=False
    )
    assert refusal(alice, world.body(certificate_chain=pem(no_ca)))[0] == "SCM.0013"
    short = world.authority("Elsewhere Root", "Elsewhere Root", world.root_key, world.root_key, path=0)
    lower = world.authority("Elsewhere CA", "Elsewhere Between", world.issuing_key, key_of(5))
    between = world.authority("Elsewhere Between", "Elsewhere Root", key_of(5), world.root_key)
    good = pem(lower) + pem(between)
    assert refusal(alice, world.body(certificate_chain=good + pem(short)))[0] == "SCM.0013"
    upload(alice, world.body(certificate_chain=good + root))


def test_names_that_no_host_can_have_are_refused(world: World, alice: Caller) -> None:
    # rule: UPL-6
    assert refusal(alice, world.body(world.leaf(())))[0] == "SCM.0009"
    for name in ("a..example.com", "foo_bar.example.com", "*.*.example.com", "www.example.invalid"):
        assert refusal(alice, world.body(world.leaf((name,)))) == ("SCM.0015", "certificate")
    for name in ("intranet", "host.corp.internal", "10.0.0.1", "*.example.com"):
        upload(alice, world.body(world.leaf((name,))))


def test_weak_and_blocked_keys_are_refused(world: World, alice: Caller) -> None:
    # rule: UPL-3
    for weak in (
        rsa.generate_private_key(65537, 1024),  # noqa: S505
        rsa.generate_private_key(3, 2048),
        ec.generate_private_key(ec.SECP192R1()),
        ec.generate_private_key(ec.SECP521R1()),
        rsa.generate_private_key(65537, 2056),
    ):
        leaf = world.leaf(key=weak)
        assert refusal(alice, world.body(leaf, private_key=key_pem(weak))) == ("SCM.9061", "certificate")
    keystore.block(keys.spki_sha256(world.leaf_key.public_key()), "key compromise", clock.now())
    assert refusal(alice, world.body()) == ("SCM.9061", "certificate")


def test_what_is_only_odd_is_told_and_kept(world: World, alice: Caller) -> None:
    leaf = world.leaf(subject="another.example.com", eku=None)
    answer = alice(IMPORT, body=world.body(leaf))
    codes = {one["code"] for one in answer["findings"]}
    assert codes == {"cn-not-in-san", "eku-missing"}
    assert {one["code"] for one in alice.show(answer["certificate_id"])["findings"]} == codes
    assert "eku-missing" in Event.objects.get(action="certificate.uploaded").details


def test_sizes_are_looked_at_before_anything_is_parsed(world: World, alice: Caller) -> None:
    # rule: UPL-1
    leaf = pem(world.leaf())
    room = uploads.TEXT_LIMIT - len(leaf)
    upload(alice, world.body(certificate="#" * room + leaf))
    assert refusal(alice, world.body(certificate="#" * (room + 1) + leaf)) == ("SCM.0006", "certificate")
    key = key_pem(world.leaf_key)
    room = uploaded_keys.TEXT_LIMIT - len(key)
    upload(alice, world.body(private_key="#" * room + key))
    assert refusal(alice, world.body(private_key="#" * (room + 1) + key)) == ("SCM.0012", "private_key")
    names = [f"n{number}.example.com" for number in range(251)]
    upload(alice, world.body(world.leaf(names[:250])))
    assert refusal(alice, world.body(world.leaf(names))) == ("SCM.0015", "certificate")
    assert refusal(alice, world.body(certificate_chain=pem(world.issuing) * 11))[0] == "SCM.0013"


def test_the_name_is_checked_as_any_other(world: World, alice: Caller) -> None:
    for name, good in (("abc", True), ("ab", False), ("x" * 63, True), ("x" * 64, False), ("a b c", False)):
        if good:
            assert alice.show(upload(alice, world.body(name=name)))["name"] == name
        else:
            assert refusal(alice, world.body(name=name)) == ("bad_parameter", "name")


def test_a_duplicate_is_refused_only_when_asked(world: World, desk: Desk, alice: Caller) -> None:
    first = upload(alice, world.body())
    assert refusal(alice, world.body(duplicate_check=True)) == ("SCM.9062", "certificate")
    second = upload(alice, world.body(duplicate_check=False))
    third = upload(alice, world.body())
    assert len({first, second, third}) == 3
    upload(
        alice, world.body(world.leaf(serial=99), duplicate_check=True)
    )  # the same names, another certificate
    charlie = Caller(replace(desk.alice, account_id="f" * 32))
    upload(charlie, world.body(duplicate_check=True))
    for one in (first, second, third):
        alice("certificates.delete", one)
    upload(alice, world.body(duplicate_check=True))


def test_the_quota_counts_what_is_hosted_now(world: World, desk: Desk, alice: Caller) -> None:
    # rule: UPL-8
    before = settings.get()
    settings.install(before.model_copy(update={"upload_quota": 2}))
    try:
        first, _ = upload(alice, world.body()), upload(alice, world.body())
        assert refusal(alice, world.body())[0] == "SCM.9063"
        assert refusal(Caller(desk.someone("bob")), world.body())[0] == "SCM.9063"
        upload(Caller(replace(desk.alice, account_id="f" * 32)), world.body())
        alice("certificates.delete", first)
        upload(alice, world.body())
    finally:
        settings.install(before)


def test_sm2_pairs_and_the_older_api(world: World, desk: Desk, alice: Caller) -> None:
    assert refusal(alice, world.body(enc_certificate=pem(world.leaf())))[1] == "enc_certificate"
    body = {"cert_name": "older", "cert": pem(world.leaf()) + pem(world.issuing)}
    body["private_key"] = key_pem(world.leaf_key)
    made = alice("v2.upload", body=body, project_id=desk.account.id)["cert_id"]
    assert alice.status(made) == "UPLOAD"
    assert alice("v2.delete", project_id=desk.account.id, cert_id=made)["message"] == "success"
    assert alice.refused("certificates.show", made).kind.value == "not_found"
    assert alice.refused("v2.upload", body=body, project_id="another").kind.value == "not_found"


def test_private_keys_never_show(world: World, alice: Caller) -> None:
    key = key_pem(world.leaf_key)
    assert key not in repr(Given("name", "certificate", key))
    found = uploads.check_upload(
        pem(world.leaf()), pem(world.issuing), key, world.now, blocked=lambda digest: False
    )
    assert "key" not in repr(found)
    assert isinstance(x509.load_der_x509_certificate(found.leaf), x509.Certificate)


BATCH = "certificates.batch_import"


def batch(caller: Caller, *bodies: dict[str, object]) -> list[dict[str, object]]:
    answer = caller(BATCH, body={"items": list(bodies)})
    items: list[dict[str, object]] = answer["items"]
    assert answer["hosted"] == sum("certificate_id" in one for one in items)
    assert answer["refused"] == len(items) - answer["hosted"]
    return items


def test_many_at_once_are_each_as_if_alone(world: World, alice: Caller) -> None:
    # rule: UPL-1
    # rule: UPL-7
    many = [
        world.leaf((f"www{number}.example.com", "*.example.com"), serial=number + 1) for number in range(33)
    ]
    bodies = [world.body(leaf, name=f"many-{number}") for number, leaf in enumerate(many)]
    bodies[3]["certificate"], bodies[20]["private_key"] = "nothing", key_pem(key_of(99))
    bodies[21]["enc_certificate"] = pem(many[21])
    items = batch(alice, *bodies)
    assert [one["name"] for one in items] == [f"many-{number}" for number in range(33)]
    refused = {number: one["error_code"] for number, one in enumerate(items) if "error_code" in one}
    assert refused == {3: "SCM.0053", 20: "SCM.0014", 21: "SCM.0005"}
    assert all(one["error_msg"] for one in items if "error_code" in one)
    hosted = [
        (number, str(one["certificate_id"])) for number, one in enumerate(items) if number not in refused
    ]
    for number, certificate_id in hosted[::7]:
        shown = alice.show(certificate_id)
        assert (shown["status"], shown["name"]) == ("UPLOAD", f"many-{number}")
        assert (shown["domain"], shown["sans"]) == (f"www{number}.example.com", "*.example.com")
        exported = alice("certificates.export", certificate_id)
        assert exported["certificate"] == pem(many[number])
        assert exported["private_key"] == key_pem(world.leaf_key)
    assert Certificate.objects.filter(state="UPLOAD").count() == Version.objects.count() == 30
    assert Event.objects.filter(action="certificate.uploaded").count() == 30
    found = alice("certificates.list", query={"content": "www32.exam", "status": "UPLOAD"})["certificates"]
    assert [one["id"] for one in found] == [hosted[-1][1]]


def test_a_batch_knows_what_is_there_and_what_came_before(world: World, alice: Caller) -> None:
    # rule: UPL-8
    first = upload(alice, world.body())
    other = world.leaf(("other.example.com",), serial=2)
    checked = {"duplicate_check": True}
    items = batch(
        alice,
        world.body(**checked),
        world.body(other, **checked),
        world.body(other, **checked),
        world.body(other),
    )
    assert (items[0]["error_code"], items[2]["error_code"]) == ("SCM.9062", "SCM.9062")
    assert first in str(items[0]["error_msg"])
    assert str(items[1]["certificate_id"]) in str(items[2]["error_msg"])
    assert items[3]["certificate_id"] != items[1]["certificate_id"]


def test_a_batch_fills_the_quota_and_no_more(
    world: World, alice: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    # rule: UPL-8
    before = (Key.objects.count(), Secret.objects.count())
    few = settings.get().model_copy(update={"upload_quota": 2})
    monkeypatch.setattr(settings, "get", lambda: few)
    bodies = [world.body(world.leaf(serial=number + 1)) for number in range(4)]
    bodies[1]["private_key"] = "nothing"
    items = batch(alice, *bodies)
    assert ["certificate_id" in one for one in items] == [True, False, True, False]
    assert items[3]["error_code"] == "SCM.9063"
    assert Certificate.objects.count() == 2
    assert (Key.objects.count(), Secret.objects.count()) == (before[0] + 2, before[1] + 2)


def test_a_batch_wants_the_right_and_a_sensible_length(world: World, alice: Caller, desk: Desk) -> None:
    # rule: IAM-5
    reader = Caller(desk.someone("rita", "scm:cert:get", "scm:cert:list"))
    assert isinstance(reader.refused(BATCH, body={"items": [world.body()]}), Forbidden)
    for bodies in ([], [world.body()] * 101):
        assert alice.refused(BATCH, body={"items": bodies}).field == "items"
    elsewhere = world.body(enterprise_project_id="f" * 32)
    assert alice.refused(BATCH, body={"items": [world.body(), elsewhere]}).field == "enterprise_project_id"
    assert not Certificate.objects.exists()


def test_a_number_that_was_taken_meanwhile_is_made_anew(
    world: World, alice: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = upload(alice, world.body())
    real, given = ids.certificate_id, iter([taken])
    monkeypatch.setattr(ids, "certificate_id", lambda: next(given, None) or real())
    (item,) = batch(alice, world.body())
    assert item["certificate_id"] != taken
    assert Certificate.objects.count() == 2
