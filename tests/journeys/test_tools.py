"""The certificate tools over the operations that every face serves: nothing of what is given is kept."""

import base64
import logging
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from django.apps import apps

from certdesk.foundation.common import clock, settings
from certdesk.foundation.common.errors import Forbidden
from certdesk.foundation.iam.rates import TooFast
from certdesk.lifecycle.certificates.models import Certificate, Version
from certdesk.lifecycle.discovery import looking
from certdesk.pki.x509 import keys, reading
from tests.connectors.test_probe import LOOPBACK, listening, serving
from tests.support.desk import Desk
from tests.support.requests_of import request_for
from tests.support.rulebook import Caller, LabClock
from tests.support.uploads import World, key_of, key_pem, pem

NAME = "www.example.com"


@pytest.fixture
def world(db: None) -> World:
    return World(clock.now())


@pytest.fixture
def near() -> Iterator[None]:
    """This machine's own addresses may be looked at."""
    before = settings.get()
    settings.install(before.model_copy(update={"allow_networks": LOOPBACK}))
    yield
    settings.install(before)


def hosted(alice: Caller, world: World, **changes: object) -> str:
    return str(alice("certificates.import", body=world.body(**changes))["certificate_id"])


def rows() -> dict[str, int]:
    """How many rows each table has."""
    return {model.__name__: model._default_manager.count() for model in apps.get_models()}


def test_a_chain_is_told_for_people(world: World, alice: Caller) -> None:
    made = hosted(alice, world)
    text = pem(world.root) + pem(world.usual) + pem(world.issuing) + key_pem(world.leaf_key)
    told = alice("tools.decode", body={"text": text})
    leaf, issuing, root = told["certificates"]
    assert (leaf["names"], leaf["force"], leaf["key"], leaf["is_ca"]) == (
        [NAME],
        "IN_FORCE",
        "EC P-256",
        False,
    )
    assert leaf["usages"] == ["serverAuth"]
    assert (issuing["common_name"], root["self_signed"]) == ("Elsewhere CA", True)
    assert told["chain"] == {
        "linked": True,
        "complete": True,
        "sentence": "3 certificates, each signed by the next, up to the root.",
    }
    known = {
        "certificate_id": made,
        "name": "from-elsewhere",
        "version": 1,
        "current": True,
        "revoked": False,
    }
    assert (leaf["known"], issuing["known"], leaf["findings"]) == (known, None, [])
    for words in (f"DNS:{NAME}", "Serial Number: 12:34:56:78:90", "Extended Key Usage:"):
        assert words in leaf["text"]
    assert told["private_keys"] == [
        {"key": "EC P-256", "spki_sha256": leaf["spki_sha256"], "findings": []},
    ]
    assert key_pem(world.leaf_key).splitlines()[1] not in str(told)


def test_what_is_odd_is_said(lab: LabClock, world: World, alice: Caller) -> None:
    odd = world.leaf((), subject=NAME, eku=None)
    told = alice("tools.decode", body={"text": pem(odd)})
    codes = {one["code"] for one in told["certificates"][0]["findings"]}
    assert {"no-names", "eku-missing", "cn-not-in-san"} <= codes
    assert told["chain"]["complete"] is False
    lab.at(world.now + timedelta(days=90, seconds=1))
    (late,) = alice("tools.decode", body={"text": pem(world.usual)})["certificates"]
    assert (late["force"], late["findings"][0]["code"]) == ("EXPIRED", "expired")
    lab.at(world.now - timedelta(days=300))
    (early,) = alice("tools.decode", body={"text": pem(world.usual)})["certificates"]
    assert (early["force"], early["findings"][0]["code"]) == ("NOT_YET", "not-yet-valid")
    strangers = alice("tools.decode", body={"text": pem(world.root) + pem(world.leaf(issuer="Nobody CA"))})
    assert strangers["chain"]["linked"] is False


def test_a_csr_is_told_with_what_the_service_would_say_to_it(world: World, alice: Caller) -> None:
    (told,) = alice("tools.decode", body={"text": request_for("a.example.com", "b.example.com").pem})["csrs"]
    assert told["names"] == ["a.example.com", "b.example.com"]
    assert told["findings"] == []
    (bad,) = alice("tools.decode", body={"text": request_for("exa_mple.com").pem})["csrs"]
    assert [one["code"] for one in bad["findings"]] == ["refused"]
    assert "exa_mple.com" in bad["findings"][0]["sentence"]


def test_every_form_comes_back_as_the_same_thing(world: World, alice: Caller) -> None:
    text = pem(world.issuing) + pem(world.usual) + key_pem(world.leaf_key)
    for form in ("PEM", "PKCS12", "JKS", "PKCS7"):
        made = alice("tools.convert", body={"text": text, "format": form})
        again = alice("tools.decode", body={"text": made["content"], "password": made["password"]})
        assert again["certificates"][0]["names"] == [NAME]
        assert len(again["certificates"]) == 2
        assert made["has_private_key"] is (form != "PKCS7") is bool(again["private_keys"])
        assert bool(made["password"]) is (form in ("PKCS12", "JKS"))
    chosen = alice("tools.convert", body={"text": text, "format": "PKCS12", "new_password": "chosen it"})
    assert chosen["password"] == "chosen it"
    der = alice("tools.convert", body={"text": pem(world.usual), "format": "DER"})
    assert base64.b64decode(der["content"]) == world.usual.public_bytes(Encoding.DER)
    assert alice("tools.decode", body={"text": der["content"]})["format"] == "DER"
    for given in (request_for(NAME).pem, key_pem(world.leaf_key)):
        assert alice("tools.convert", body={"text": given, "format": "DER"})["content"]


# What a form cannot hold, and passwords of both lengths around the limits.
def test_what_a_form_cannot_hold_is_refused_with_what_can(world: World, alice: Caller) -> None:
    def refused(text: str, form: str, **more: str) -> tuple[str, str]:
        fault = alice.refused("tools.convert", body={"text": text, "format": form, **more})
        assert fault.next_step
        return fault.field, fault.message

    both, key = pem(world.usual) + key_pem(world.leaf_key), key_pem(world.leaf_key)
    assert refused(both, "DER")[0] == "format"
    assert refused(key, "PKCS7")[0] == "format"
    assert refused(pem(world.usual), "JKS")[0] == refused(key, "PKCS12")[0] == "format"
    assert "does not belong" in refused(pem(world.usual) + key_pem(key_of(9)), "PKCS12")[1]
    assert "more than one" in refused(both + key_pem(key_of(9)), "PEM")[1]
    for password, good in (
        ("x" * 7, False),
        ("x" * 8, True),
        ("x" * 64, True),
        ("x" * 65, False),
        ("é" * 9, False),
    ):
        body = {"text": both, "format": "PKCS12", "new_password": password}
        if good:
            assert alice("tools.convert", body=body)["password"] == password
        else:
            assert refused(both, "PKCS12", new_password=password)[0] == "new_password"


def test_a_key_matches_or_does_not(world: World, alice: Caller, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    before, key = rows(), key_pem(world.leaf_key)
    right = alice("tools.match", body={"text": pem(world.usual), "private_key": key})
    assert (right["matches"], right["what"]) == (True, "CERTIFICATE")
    wrong = alice("tools.match", body={"text": pem(world.usual), "private_key": key_pem(key_of(9))})
    assert (wrong["matches"], wrong["private_key"]) == (False, "EC P-256")
    asked = request_for(NAME)
    assert alice("tools.match", body={"text": asked.pem, "private_key": key_pem(asked.key)})["matches"]
    assert alice("tools.match", body={"text": asked.pem, "private_key": key})["what"] == "REQUEST"
    assert alice("tools.match", body={"text": pem(world.usual) + key})["matches"]
    locked = key_pem(world.leaf_key, b"secret word")
    body = {"text": pem(world.usual), "private_key": locked, "password": "secret word"}
    assert alice("tools.match", body=body)["matches"]
    assert alice.refused("tools.match", body={**body, "password": "another"}).field == "password"
    assert alice.refused("tools.match", body={"text": pem(world.usual)}).field == "private_key"
    assert alice.refused("tools.match", body={"text": key, "private_key": key}).field == "text"
    broken = {"text": pem(world.usual), "private_key": key.replace("BEGIN", "BEGUN")}
    assert alice.refused("tools.match", body=broken).field == "private_key"
    assert rows() == before  # nothing is kept
    for secret in (key, locked, key_pem(asked.key)):
        assert secret.splitlines()[1] not in caplog.text


def test_limits_stand_before_parsing(world: World, alice: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    room = reading.BYTES_LIMIT - len(pem(world.usual))
    assert alice("tools.decode", body={"text": "#" * room + pem(world.usual)})["certificates"]
    monkeypatch.setattr(reading, "_read", lambda *given: pytest.fail("it was parsed"))
    assert (
        "bytes" in alice.refused("tools.decode", body={"text": "#" * (room + 1) + pem(world.usual)}).message
    )
    monkeypatch.undo()
    assert len(alice("tools.decode", body={"text": pem(world.usual) * 20})["certificates"]) == 1
    assert "more than 20" in alice.refused("tools.decode", body={"text": pem(world.usual) * 21}).message
    assert "more than 20" in alice.refused("tools.decode", body={"text": pem(world.usual) * 23}).message
    for nothing in ("", "hello", "AAAA", "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----"):
        assert alice.refused("tools.decode", body={"text": nothing}).field == "text"


def test_who_may_use_them(world: World, desk: Desk, alice: Caller, near: None) -> None:
    made = hosted(alice, world)
    reader = Caller(desk.someone("rita", "scm:tool:use"))
    (leaf,) = reader("tools.decode", body={"text": pem(world.usual)})["certificates"]
    assert leaf["known"] is None  # it may not look at certificates
    assert isinstance(reader.refused("tools.served", body={"host": "127.0.0.1"}), Forbidden)
    nobody = Caller(desk.someone("nils", "scm:cert:get"))
    for name in ("tools.decode", "tools.match"):
        assert isinstance(nobody.refused(name, body={"text": pem(world.usual)}), Forbidden)
    charlie = Caller(replace(desk.alice, account_id="f" * 32))
    (leaf,) = charlie("tools.decode", body={"text": pem(world.usual)})["certificates"]
    assert leaf["known"] is None
    (leaf,) = alice("tools.decode", body={"text": pem(world.usual)})["certificates"]
    assert leaf["known"]["certificate_id"] == made
    alice("certificates.delete", made)
    (leaf,) = alice("tools.decode", body={"text": pem(world.usual)})["certificates"]
    assert leaf["known"] is None


def look(alice: Caller, port: int, name: str = NAME, **more: object) -> dict[str, object]:
    body = {"host": "127.0.0.1", "port": port, "name": name, **more}
    found = alice("tools.served", body=body)
    (one,) = found["looks"]
    return {**one, "ours": [each["id"] for each in found["certificates_for_name"]]}


def test_what_is_served_is_compared_with_the_inventory(
    world: World, alice: Caller, near: None, tmp_path: Path
) -> None:
    chain, key = pem(world.usual) + pem(world.issuing), key_pem(world.leaf_key)
    with serving(tmp_path, chain + key) as port:
        strange = look(alice, port)
        assert (strange["verdict"], strange["ours"], strange["served"]["certificates"][0]["known"]) == (
            "GOOD",
            [],
            None,
        )
        made = hosted(alice, world)
        seen = look(alice, port)
        assert (seen["verdict"], seen["tls_version"], seen["ours"]) == ("GOOD", "TLSv1.3", [made])
        assert seen["served"]["certificates"][0]["known"]["certificate_id"] == made
        Certificate.objects.filter(id=made).update(current_version=2)
        assert "older version" in look(alice, port)["sentences"][0]
        Version.objects.filter(certificate_id=made).update(revoked_at=clock.now())
        assert look(alice, port)["sentences"][0] == "It is revoked, and still served."
        other = look(alice, port, "other.example.com")
        assert (other["verdict"], other["sentences"][0]) == ("BAD", "It does not cover other.example.com.")


def test_each_fault_of_what_is_served_is_said(
    lab: LabClock, world: World, alice: Caller, near: None, tmp_path: Path
) -> None:
    key = key_pem(world.leaf_key)
    made = hosted(alice, world)
    newer = world.leaf(serial=77)
    with serving(tmp_path, pem(newer) + key) as port:
        told = look(alice, port)
        assert told["verdict"] == "ATTENTION"
        assert "comes alone" in told["sentences"][0]
        assert made in told["sentences"][1]
        lab.at(world.now + timedelta(days=61))
        assert "It expires on" in look(alice, port)["sentences"][-1]
        lab.at(world.now + timedelta(days=91))
        assert "expired" in look(alice, port)["sentences"][0]
        lab.at(world.now - timedelta(days=91))
        assert "not valid before" in look(alice, port)["sentences"][0]
    lab.at(world.now)
    own = world.leaf(issuer="", signer=world.leaf_key, subject="")
    with serving(tmp_path, pem(own) + key) as port:
        assert look(alice, port)["verdict"] == "BAD"
    with serving(tmp_path, pem(world.usual) + pem(world.root) + key) as port:
        assert "did not sign" in look(alice, port)["sentences"][0]


def test_where_nobody_answers_or_may_be_asked(alice: Caller, near: None) -> None:
    with listening(None) as port:
        pass
    assert look(alice, port)["verdict"] == "UNREACHABLE"
    fault = alice.refused("tools.served", body={"host": "127.0.0.1", "port": 22})
    assert (fault.field, bool(fault.next_step)) == ("host", True)
    for host in ("10.0.0.1", "169.254.169.254", "not a host", "0x7f.1", "there-is-none.example.com"):
        assert alice.refused("tools.served", body={"host": host}).field == "host"


def test_looks_have_a_rate(desk: Desk, near: None) -> None:
    hasty = Caller(desk.someone("hasty"))
    with listening(None) as port:
        pass
    for _ in range(20):
        look(hasty, port)
    slow = None
    for _ in range(60):  # on a slow machine one more becomes free now and then
        try:
            look(hasty, port)
        except TooFast as error:
            slow = error
            break
    assert slow is not None
    assert slow.retry_after


def test_a_look_ends(alice: Caller, near: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(looking, "SECONDS", 0.1)
    with listening(None) as port:
        assert (
            "within 0.1 s" in alice.refused("tools.served", body={"host": "127.0.0.1", "port": port}).message
        )


def test_what_is_no_certificate_is_said(
    alice: Caller, near: None, monkeypatch: pytest.MonkeyPatch, world: World
) -> None:
    from certdesk.connectors.serving import Serving

    monkeypatch.setattr(
        looking, "_asked", lambda *given: (Serving("192.0.2.1:443", (b"0\x03\x02\x01\x01",)),)
    )
    assert look(alice, 443)["verdict"] == "BAD"


def test_every_kind_of_key_is_read(world: World, alice: Caller) -> None:
    for algorithm in (keys.KeyAlgorithm.RSA_2048, keys.KeyAlgorithm.EC_P384):
        made = keys.generate(algorithm)
        (told,) = alice("tools.decode", body={"text": key_pem(made)})["private_keys"]
        assert told["key"].replace(" ", "_").replace("P-", "P") == algorithm.value
