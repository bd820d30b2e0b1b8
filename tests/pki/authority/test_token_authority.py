"""A CA whose keys lie in a PKCS#11 token: certificate, CRL and OCSP answer, as openssl sees them."""

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp as wire
from django.db import connection

from certdesk.foundation.audit.models import Event
from certdesk.foundation.common import sql
from certdesk.foundation.common.baton import baton
from certdesk.foundation.iam.principal import system_principal
from certdesk.foundation.jobs import testing
from certdesk.foundation.jobs.actions import enqueue
from certdesk.pki.authority import (
    actions,
    hierarchy,
    issue,
    issuers,
    ocsp,
    overview,
    publishing,
    responders,
    watching,
)
from certdesk.pki.authority.errors import HierarchyChanged, NoSuchPlace, TokenSpent
from certdesk.pki.authority.models import Authority, Crl, Intent, Reason, Responder
from certdesk.pki.authority.revocation import revoke
from certdesk.pki.authority.types import Signed
from certdesk.pki.keystore import token_keys, tokens
from certdesk.pki.keystore.errors import TokenUnavailable
from certdesk.pki.keystore.models import Held, Key, State
from certdesk.pki.x509.keys import KeyAlgorithm
from tests.support import authority, softhsm
from tests.support.authority import NOW
from tests.support.softhsm import Token

pytestmark = [pytest.mark.server, pytest.mark.usefixtures("ca")]
P256 = ("root-p256", "dv-p256")
RSA = ("root-rsa2048", "dv-rsa2048")
OPERATOR = system_principal("", "cli")


@pytest.fixture
def token(tmp_path: Path) -> Iterator[Token]:
    with softhsm.used(softhsm.make(tmp_path)) as made:
        yield made
    actions.forget()


@pytest.fixture(autouse=True)
def asked_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each answer is of this moment: an answer may be up to a second old, and tests are quicker than that."""
    monkeypatch.setattr(ocsp, "FRESH", 0)


def issue_one(algorithm: KeyAlgorithm, name: str = "www.example.com") -> Signed:
    return authority.signed(authority.request((name,), algorithm=algorithm))


def pem(slug: str) -> bytes:
    der = bytes(Authority.objects.get(slug=slug).certificate_der)
    return x509.load_der_x509_certificate(der).public_bytes(Encoding.PEM)


def openssl(folder: Path, *arguments: str) -> str:
    done = subprocess.run(["openssl", *arguments], cwd=folder, capture_output=True, text=True, check=False)
    return f"{done.returncode}\n{done.stdout}{done.stderr}"


def ask(signed: Signed) -> wire.OCSPResponse:
    issuer = issuers.find(signed.issuer).certificate
    leaf = x509.load_der_x509_certificate(signed.der)
    asked = wire.OCSPRequestBuilder().add_certificate(leaf, issuer, hashes.SHA1()).build()  # noqa: S303
    answer = ocsp.answer(asked.public_bytes(Encoding.DER), NOW)
    return wire.load_der_ocsp_response(answer.der)


@pytest.mark.parametrize(
    ("places", "algorithm"),
    [(P256, KeyAlgorithm.EC_P256), (RSA, KeyAlgorithm.RSA_2048)],
    ids=["p256", "rsa2048"],
)
def test_certificate_crl_and_ocsp_answer_come_from_the_token_and_openssl_accepts_them(
    token: Token, tmp_path: Path, places: tuple[str, str], algorithm: KeyAlgorithm
) -> None:
    made = actions.create(places, NOW, OPERATOR)
    assert {one.key.held for one in made} == {Held.TOKEN}
    root, issuing = (one.slug for one in made)
    good, bad = issue_one(algorithm), issue_one(algorithm, "bad.example.com")
    assert good.issuer == issuing
    with sql.short_transaction():
        revoke(bad.serial, Reason.KEY_COMPROMISE, NOW)
    publishing.publish_all(NOW)
    (tmp_path / "root.pem").write_bytes(pem(root))
    (tmp_path / "issuing.pem").write_bytes(pem(issuing))
    mine = Crl.objects.filter(authority_id__in=(root, issuing))
    for row in mine:
        text = x509.load_der_x509_crl(bytes(row.der)).public_bytes(Encoding.PEM)
        with (tmp_path / "crls.pem").open("ab") as crls:
            crls.write(text)
    for name, one in (("good", good), ("bad", bad)):
        text = x509.load_der_x509_certificate(one.der).public_bytes(Encoding.PEM)
        (tmp_path / f"{name}.pem").write_bytes(text)
    when = ("-attime", str(int(NOW.timestamp()) + 60))
    how = (
        "-CAfile",
        "root.pem",
        "-untrusted",
        "issuing.pem",
        "-CRLfile",
        "crls.pem",
        "-crl_check_all",
        *when,
    )
    assert openssl(tmp_path, "verify", *how, "good.pem").startswith("0\n")
    assert "certificate revoked" in openssl(tmp_path, "verify", *how, "bad.pem")
    answers(tmp_path, good, bad)
    renew_responders()
    answers(tmp_path, good, bad)
    delegated = Responder.objects.get(authority_id=issuing)
    assert ask(good).certificates[0].public_bytes(Encoding.DER) == bytes(delegated.certificate_der)
    assert (delegated.key.held, delegated.key.secret_id) == (Held.TOKEN, "")


def renew_responders() -> None:
    for holder in [issuers.holder(slug) for slug in responders.lacking(NOW)]:
        responders.keep(responders.make(holder, NOW))
    ocsp.forget()


def answers(folder: Path, good: Signed, bad: Signed) -> None:
    for signed, status in ((good, "good"), (bad, "revoked")):
        found = ask(signed)
        (folder / "answer.der").write_bytes(found.public_bytes(Encoding.DER))
        (folder / "leaf.pem").write_bytes(
            x509.load_der_x509_certificate(signed.der).public_bytes(Encoding.PEM)
        )
        told = openssl(
            folder, "ocsp", "-respin", "answer.der", "-issuer", "issuing.pem", "-cert", "leaf.pem",
            "-CAfile", "root.pem", "-verify_other", "issuing.pem", "-no_nonce",
            "-validity_period", "1000000000",
        )  # fmt: skip
        assert "Response verify OK" in told
        assert f"leaf.pem: {status}" in told


def test_a_lost_token_signs_nothing_and_is_told_once(token: Token) -> None:
    actions.create(P256, NOW, OPERATOR)
    watch()
    assert not Event.objects.filter(action__in=(watching.LOST, watching.BACK)).exists()
    good = issue_one(KeyAlgorithm.EC_P256)
    prepared = issue.prepare(authority.request(("late.example.com",)), NOW)
    with sql.short_transaction():
        issue.intend([prepared])
    token.take_out()
    with pytest.raises(TokenUnavailable, match="nothing is signed"):
        issue.sign(prepared)
    assert Intent.objects.get(serial=prepared.serial).certificate_der is None
    assert ask(good).response_status is wire.OCSPResponseStatus.TRY_LATER
    with pytest.raises(TokenUnavailable):
        publishing.publish_all(NOW)
    watch(), watch()
    told = Event.objects.filter(action=watching.LOST)
    assert {event.resource for event in told} == {"authority:root-p256-g2", "authority:dv-p256-g2"}
    assert told.count() == 2
    assert watching.lost() == ["dv-p256-g2", "root-p256-g2"]
    assert {line.slug for line in overview.lines() if line.lost_at} == set(watching.lost())
    token.put_back()
    watch(), watch()
    assert Event.objects.filter(action=watching.BACK).count() == 2
    assert watching.lost() == []
    assert ask(good).certificate_status is wire.OCSPCertStatus.GOOD
    with pytest.raises(TokenSpent):
        issue.sign(prepared)  # its one use is gone with the loss: it is prepared anew
    assert issue_one(KeyAlgorithm.EC_P256).issuer == "dv-p256-g2"


def test_while_the_token_answers_ocsp_other_requests_run(
    token: Token, monkeypatch: pytest.MonkeyPatch
) -> None:
    actions.create(P256, NOW, OPERATOR)
    good, seen = issue_one(KeyAlgorithm.EC_P256), []
    run = tokens.run

    def watched(work: Any, *, again: bool = True) -> Any:
        seen.append(baton.held)
        return run(work, again=again)

    monkeypatch.setattr(tokens, "run", watched)
    with baton:
        assert ask(good).certificate_status is wire.OCSPCertStatus.GOOD
        assert baton.held
    assert seen == [False]


def watch() -> None:
    enqueue(watching.KEYS)
    testing.run_due(strict=True)


def test_the_key_of_a_responder_that_has_ended_is_destroyed_in_the_token(token: Token) -> None:
    (root,) = actions.create(P256[:1], NOW, OPERATOR)
    made = responders.make(issuers.holder(root.slug), NOW)
    responders.keep(made)
    row = Responder.objects.get(authority_id=root.slug)
    assert token_keys.missing([row.key.object_id]) == []
    watched = watching.watched(row.not_after)
    seen = watching.look(watched)
    watching.note(watched, seen)
    assert Key.objects.get(id=row.key_id).state == State.DESTROYED
    assert token_keys.missing([row.key.object_id]) == [row.key.object_id]
    assert [one.owner for one in watching.watched(row.not_after)] == [root.slug]


def test_a_spent_key_that_the_token_does_not_let_go_is_no_loss_of_the_others(
    token: Token, monkeypatch: pytest.MonkeyPatch
) -> None:
    (root,) = actions.create(P256[:1], NOW, OPERATOR)
    responders.keep(responders.make(issuers.holder(root.slug), NOW))
    row = Responder.objects.get(authority_id=root.slug)

    def refuses(_: object) -> None:
        raise TokenUnavailable("The token lets nothing go.", next_step="Ask its vendor.")

    watched = watching.watched(row.not_after)
    with monkeypatch.context() as patch:
        patch.setattr(token_keys, "remove", refuses)
        assert watching.look(watched) == watching.Seen(frozenset(), frozenset())
    assert watching.look(watched).destroyed == {row.key_id}


def test_what_is_missing_of_the_hierarchy_is_made_in_the_token_that_is_set_up(token: Token) -> None:
    Authority.objects.filter(slug="ev-p256").delete()
    assert actions.bootstrap(NOW) == 1
    assert Authority.objects.get(slug="ev-p256").key.held == Held.TOKEN
    assert Authority.objects.get(slug="dv-p256").key.held == Held.SEALED


def keys_in(token: Token) -> int:
    import pkcs11

    wanted = {pkcs11.Attribute.CLASS: pkcs11.ObjectClass.PRIVATE_KEY}
    return tokens.run(lambda session: len(list(session.raw.get_objects(wanted))))


def test_the_token_signs_before_the_transaction_and_keeps_no_key_of_a_run_that_failed(
    token: Token, monkeypatch: pytest.MonkeyPatch
) -> None:
    certify, depths = hierarchy.certify_issuing, []

    def certified(*arguments: Any, **more: Any) -> bytes:
        depths.append(len(connection.atomic_blocks))
        return certify(*arguments, **more)

    monkeypatch.setattr(hierarchy, "certify_issuing", certified)
    with monkeypatch.context() as patch:
        patch.setattr(actions, "note", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            actions.create(P256, NOW, OPERATOR)
    assert depths == [len(connection.atomic_blocks)]
    assert keys_in(token) == 0
    actions.create(P256, NOW, OPERATOR)
    assert keys_in(token) == 2


def test_an_authority_that_another_process_made_first_stays_the_only_new_one(
    token: Token, monkeypatch: pytest.MonkeyPatch
) -> None:
    certify = hierarchy.certify_issuing

    def late(*arguments: Any, **more: Any) -> bytes:
        monkeypatch.setattr(hierarchy, "certify_issuing", certify)
        actions.create(P256[1:], NOW, OPERATOR, authority.pooled_key)
        return certify(*arguments, **more)

    monkeypatch.setattr(hierarchy, "certify_issuing", late)
    with pytest.raises(HierarchyChanged):
        actions.create(P256[1:], NOW, OPERATOR)
    assert [one.key.held for one in Authority.objects.filter(place="dv-p256", retired_at=None)] == [
        Held.SEALED
    ]
    assert keys_in(token) == 0


def test_a_new_authority_takes_the_place_of_the_one_before() -> None:
    old = issue_one(KeyAlgorithm.EC_P256)
    made = actions.create(["dv-p256"], NOW, OPERATOR, authority.pooled_key)
    assert [(one.slug, one.place, one.parent_id) for one in made] == [("dv-p256-g2", "dv-p256", "root-p256")]
    assert Authority.objects.get(slug="dv-p256").retired_at is not None
    new = issue_one(KeyAlgorithm.EC_P256)
    assert (old.issuer, new.issuer) == ("dv-p256", "dv-p256-g2")
    assert ask(old).certificate_status is wire.OCSPCertStatus.GOOD
    assert ask(new).certificate_status is wire.OCSPCertStatus.GOOD
    with sql.short_transaction():
        revoke(old.serial, Reason.SUPERSEDED, NOW)
    numbers = publishing.publish_all(NOW)
    assert {"dv-p256-0", "dv-p256-g2-0"} <= set(numbers)
    assert ask(old).certificate_status is wire.OCSPCertStatus.REVOKED
    event = Event.objects.get(action=actions.CREATED)
    assert event.resource == "authority:dv-p256-g2"
    (third,) = actions.create(["dv-p256"], NOW, OPERATOR, authority.pooled_key)
    assert third.slug == "dv-p256-g3"
    lines = [one for one in overview.lines() if one.place == "dv-p256"]
    assert [(one.slug, one.retired_at is None) for one in lines] == [
        ("dv-p256-g3", True),
        ("dv-p256", False),
        ("dv-p256-g2", False),
    ]
    assert lines[1].lists.entries == 1
    assert lines[1].as_dict()["signs"] is False


def test_an_authority_that_another_process_made_is_answered_for_within_a_second(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ask(issue_one(KeyAlgorithm.EC_P256))
    monkeypatch.setattr(ocsp, "forget", lambda: None)  # as in a process that did not make it
    actions.create(["dv-p256"], NOW, OPERATOR, authority.pooled_key)
    new, loads = issue_one(KeyAlgorithm.EC_P256), []
    load = ocsp._load
    monkeypatch.setattr(ocsp, "_load", lambda now: (loads.append(now), load(now)))
    monkeypatch.setattr(ocsp, "AGAIN", 1000.0)
    assert ask(new).response_status is wire.OCSPResponseStatus.UNAUTHORIZED
    assert loads == []
    monkeypatch.setattr(ocsp, "AGAIN", 0.0)
    assert ask(new).certificate_status is wire.OCSPCertStatus.GOOD
    assert ask(new).certificate_status is wire.OCSPCertStatus.GOOD
    assert len(loads) == 1


@pytest.mark.parametrize("places", [["dv-p521"], []])
def test_a_place_that_the_hierarchy_does_not_have_is_refused(places: list[str]) -> None:
    with pytest.raises(NoSuchPlace):
        actions.create(places, NOW, OPERATOR)
