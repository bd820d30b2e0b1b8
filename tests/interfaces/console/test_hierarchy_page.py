"""The page of the authorities: for the operator alone; keys, lists and who answers, in words."""

import io
import zipfile
from dataclasses import replace
from datetime import timedelta

import pytest
from cryptography import x509

from certdesk.foundation.common import clock
from certdesk.foundation.iam import actions as iam
from certdesk.foundation.iam.principal import system_principal
from certdesk.pki.authority import (
    actions,
    ceremonies,
    ceremony,
    constraints,
    crosses,
    issuers,
    publishing,
    responders,
)
from certdesk.pki.authority.models import Authority, Crl, Cross
from certdesk.pki.keystore import actions as keystore
from certdesk.pki.keystore.models import Held, Key
from certdesk.pki.x509.keys import KeyAlgorithm
from tests.support import authority
from tests.support.office import PASSWORD, Office

PATH = "/authorities"


@pytest.fixture
def opal(office: Office):
    """The operator in the browser."""
    office.people["opal"] = iam.create_user(office.desk.account, "opal", PASSWORD, ["admins"])
    return office.client("opal")


def text(response: object) -> str:
    return response.content.decode()  # type: ignore[attr-defined,no-any-return]


def test_the_operator_sees_hierarchy_keys_lists_and_answers(office: Office, opal) -> None:
    actions.create(["dv-p256"], clock.now(), system_principal("", "cli"), authority.pooled_key)
    publishing.publish_all(clock.now())
    responders.keep(responders.make(issuers.holder("dv-p256-g2"), clock.now()))
    shown = text(opal.get(PATH))
    assert 'href="/authorities"' in text(opal.get("/ca"))
    assert shown.index('data-authority="root-p256"') < shown.index('data-authority="dv-p256-g2"')
    assert shown.index('data-authority="dv-p256-g2"') < shown.index('data-authority="dv-p256"')
    assert "EC P-256, sealed in the database" in shown
    assert "16 lists, newest number" in shown
    assert "delegated signer" in shown
    assert "the authority itself" in shown
    assert 'data-status="RETIRED"' in shown
    assert 'data-status="KEY_LOST"' not in shown


def test_name_constraints_stand_with_the_authority_that_has_them(opal) -> None:
    assert "Certifies only" not in text(opal.get(PATH))
    bounds = constraints.bounds(["example.com", "10.0.0.0/8"], ["secret.example.com"])
    actions.create(["dv-p256"], clock.now(), system_principal("", "cli"), authority.pooled_key, bounds)
    shown = text(opal.get(PATH))
    assert shown.count("Certifies only") == 1
    assert "example.com, 10.0.0.0/8<" in shown
    assert ">secret.example.com<" in shown


def test_both_parents_of_a_crossed_authority_stand_there_and_its_chain_can_be_chosen(
    office: Office, opal
) -> None:
    certificate_id = office.desk.issued("www.example.com")
    alice, url = office.client(), f"/certificates/{certificate_id}/download"
    assert "Usual chain" not in text(alice.get(url))
    made = crosses.sign("root-p256", "root-p384", clock.now(), system_principal("", "cli"))
    shown = text(opal.get(PATH))
    own, other = shown.index(f'data-cross="{made.slug}"'), shown.index(f'data-crossed="{made.slug}"')
    assert shown.index('data-authority="root-p256"') < own < shown.index('data-authority="root-p384"') < other
    assert made.root in shown
    assert f"?chain={made.slug}" in text(alice.get(url))
    archive = alice.get(f"{url}?server=nginx&chain={made.slug}").content
    with zipfile.ZipFile(io.BytesIO(archive)) as held:
        name = next(one for one in held.namelist() if one.endswith(".crt"))
        chain = x509.load_pem_x509_certificates(held.read(name))
    assert [len(chain), chain[-1].subject] == [
        3,
        x509.load_der_x509_certificate(made.certificate_der).subject,
    ]
    assert alice.get(f"{url}?server=nginx&chain=nobody").status_code == 400
    assert office.client("charlie").get(f"{url}?chain={made.slug}").status_code == 404
    Cross.objects.update(not_after=clock.now() - timedelta(days=1))
    assert shown.count("by a cross-certificate") == 1
    ended = text(opal.get(PATH))
    assert 'data-status="EXPIRED"' in ended
    assert "data-crossed" not in ended
    assert "Usual chain" not in text(alice.get(url))


def test_what_is_wrong_stands_out(opal) -> None:
    publishing.publish_all(clock.now())
    Crl.objects.filter(name="dv-p256-3").update(next_update=clock.now() - timedelta(seconds=1))
    lost, outside = (Authority.objects.get(slug=slug).key_id for slug in ("ov-p256", "root-p384"))
    Key.objects.filter(id=lost).update(held=Held.TOKEN)
    keystore.set_lost(lost, clock.real_now())
    Key.objects.filter(id=outside).update(held=Held.ELSEWHERE)
    Authority.objects.filter(slug="ev-p256").update(not_after=clock.now() - timedelta(days=1))
    shown = text(opal.get(PATH))
    for code, times in (("CRL_LATE", 1), ("KEY_LOST", 2), ("EXPIRED", 2)):  # at a glance, and with the facts
        assert shown.count(f'data-status="{code}"') == times
    assert "in the PKCS#11 token" in shown
    assert "outside this installation" in shown
    assert "nobody" in shown


def test_ceremonies_of_offline_roots_are_kept_with_their_transcript(opal) -> None:
    assert "Ceremonies of offline roots" not in text(opal.get(PATH))
    by = system_principal("", "cli")
    agenda = ceremonies.ask("p256", by, authority.pooled_key)
    assert agenda.id not in text(opal.get(PATH))  # asked for, and nothing came back yet
    key, now = authority.pooled_key(KeyAlgorithm.EC_P256), clock.now()
    signed = ceremony.hold(agenda, key, now)
    record = ceremony.transcript(agenda, signed, ["Ada", "Grace <b>"], now, "in a safe")
    outcome = replace(signed, people=("Ada", "Grace"), transcript=record)
    ceremonies.bring_back(outcome.as_text(), outcome.check_value, by)
    shown = text(opal.get(PATH))
    assert f'data-ceremony="{agenda.id}"' in shown
    assert shown.count(outcome.check_value) == 2
    assert "dv-p256-g2, ov-p256-g2, ev-p256-g2" in shown
    assert "Grace &lt;b&gt;" in shown
    assert "outside this installation" in shown


def test_before_the_ca_is_made_the_page_says_how(office: Office, opal) -> None:
    Authority.objects.exclude(parent=None).delete()
    Authority.objects.all().delete()
    assert "./certdesk up" in text(opal.get(PATH))


def test_nobody_else_may_look(office: Office) -> None:
    for name in ("alice", "charlie"):
        client = office.client(name)
        assert client.get(PATH).status_code == 403
        assert 'href="/authorities"' not in text(client.get("/account"))
