"""The pages of chapter 5: upload, delete, unsubscribe, and the switch of the expiry notices."""

from datetime import timedelta
from io import BytesIO

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from django.test import Client

from certdesk.foundation.common import clock
from certdesk.lifecycle.certificates.models import Certificate
from certdesk.lifecycle.certificates.states import State
from tests.support.inventory import placed
from tests.support.office import Office
from tests.support.uploads import World, key_of, key_pem, pem

UPLOAD = "/certificates/upload"
DAY = timedelta(days=1)


@pytest.fixture
def office(db: None) -> object:
    from tests.support.office import open_office

    with open_office() as made:
        yield made


@pytest.fixture
def world(office: Office) -> World:
    return World(clock.now())


def typed(world: World, **changes: object) -> dict[str, object]:
    body = world.body()
    return {**body, "duplicate_check": "on", **changes}


def hosted(client: Client, world: World) -> str:
    response = client.post(UPLOAD, typed(world))
    assert response.status_code == 302
    return str(response.headers["Location"].rsplit("/", 1)[1])


def file(name: str, content: bytes) -> BytesIO:
    made = BytesIO(content)
    made.name = name
    return made


def test_typed_texts_are_hosted_and_the_page_says_so(office: Office, world: World) -> None:
    # rule: UPL-7
    client = office.client()
    assert 'data-operation="upload"' in client.get("/certificates").content.decode()
    assert client.get(UPLOAD).status_code == 200
    certificate_id = hosted(client, world)
    page = client.get(f"/certificates/{certificate_id}").content.decode()
    for words in ('data-code="certificate.uploaded"', 'data-status="UPLOAD"', "EC P-256, uploaded"):
        assert words in page
    assert 'id="findings"' not in page
    assert "come from your private CA" not in page
    assert 'data-operation="delete"' in page
    assert 'data-operation="unsubscribe"' not in page
    again = client.post(UPLOAD, typed(world))
    assert again.status_code == 422
    assert 'data-code="SCM.9062"' in again.content.decode()


def test_files_stand_before_what_was_typed(office: Office, world: World) -> None:
    # rule: UPL-1
    files = {
        "certificate_file": file("server.pem", b"\xef\xbb\xbf" + pem(world.usual).encode()),
        "certificate_chain_file": file("chain.pem", pem(world.issuing).encode()),
        "private_key_file": file("server.key", key_pem(world.leaf_key).encode()),
    }
    body = {"name": "by-file", "certificate": "nonsense", **files}
    assert office.client().post(UPLOAD, body).status_code == 302
    assert Certificate.objects.get().name == "by-file"


def test_what_is_refused_is_said_beside_its_field(office: Office, world: World) -> None:
    # rule: UPL-1
    # rule: UPL-2
    # rule: UPL-3
    client, der = office.client(), world.usual.public_bytes(Encoding.DER)
    refusals = (
        ({"certificate": ""}, "id_certificate_error", "required"),
        ({"private_key": ""}, "id_private_key_error", "required"),
        ({"name": "a b"}, "id_name_error", "3 to 63"),
        ({"certificate_file": file("a.cer", der)}, "id_certificate_error", "openssl x509 -inform der"),
        (
            {"private_key_file": file("a.key", b"\x30\x82\x01\x00\xff")},
            "id_private_key_error",
            "openssl pkey -inform der",
        ),
        ({"certificate_file": file("a.pem", b"x" * 300_000)}, "id_certificate_error", "far too large"),
        (
            {"private_key": key_pem(world.leaf_key, b"secret")},
            "id_private_key_error",
            "protected by a password",
        ),
        ({"private_key": key_pem(key_of(9))}, "id_private_key_error", "another certificate"),
        ({"certificate_chain": pem(world.root)}, "id_certificate_chain_error", "did not issue certificate 1"),
        ({"certificate_chain": ""}, "id_certificate_chain_error", "length 1"),
    )
    for change, place, words in refusals:
        response = client.post(UPLOAD, typed(world, **change))
        text = response.content.decode()
        assert response.status_code == 422
        assert words in text.partition(f'id="{place}"')[2][:700], change
        assert "PRIVATE KEY-----\nM" not in text  # a key never comes back to the browser
    assert not Certificate.objects.exists()
    chinese = office.client(language="zh-hans").post(UPLOAD, typed(world, private_key=key_pem(key_of(9))))
    assert "该私钥属于另一张证书" in chinese.content.decode()


def test_oddities_are_shown_with_their_place(office: Office, world: World) -> None:
    odd = world.authority("Elsewhere CA", "Elsewhere Root", world.issuing_key, world.root_key, ski=False)
    leaf = world.leaf(subject="other.example.com")
    client = office.client()
    response = client.post(UPLOAD, typed(world, certificate=pem(leaf), certificate_chain=pem(odd)))
    page = client.get(response.headers["Location"]).content.decode()
    assert "is not among its names" in page
    assert "Certificate 2 of the chain: This CA certificate does not name its own key" in page


def test_who_may_see_the_upload(office: Office, world: World) -> None:
    for name in ("rita", "nils"):
        assert office.client(name).get(UPLOAD).status_code == 403
        assert office.client(name).post(UPLOAD, typed(world)).status_code == 403
    assert 'data-operation="upload"' not in office.client("rita").get("/certificates").content.decode()
    certificate_id = hosted(office.client(), world)
    for path in ("", "/delete", "/unsubscribe"):
        assert office.client("charlie").get(f"/certificates/{certificate_id}{path}").status_code == 404
    assert office.client("charlie").post(f"/certificates/{certificate_id}/delete").status_code == 404
    assert office.client("rita").post(f"/certificates/{certificate_id}/delete").status_code == 403
    assert office.client("rita").post(f"/certificates/{certificate_id}/notices").status_code == 403
    assert office.client("bob").get(f"/certificates/{certificate_id}/delete").status_code == 200


def test_deleting_names_what_is_lost_and_wants_the_name_typed(office: Office, world: World) -> None:
    # rule: DEL-2
    # rule: DEL-3
    client = office.client()
    certificate_id = hosted(client, world)
    where = f"/certificates/{certificate_id}/delete"
    page = client.get(where).content.decode()
    for words in (
        "cannot be restored",
        "private key is destroyed",
        "it is trusted until",
        'data-confirm-name="www',
    ):
        assert words in page
    wrong = client.post(where, {"confirm_name": "www.example.org"})
    assert (wrong.status_code, "Nothing was deleted" in wrong.content.decode()) == (422, True)
    assert client.get(f"/certificates/{certificate_id}").status_code == 200
    done = client.post(where, {"confirm_name": " WWW.example.com "}, follow=True)
    assert "Certificate deleted successfully." in done.content.decode()
    assert client.get(f"/certificates/{certificate_id}").status_code == 404
    gone = client.get(f"/certificates/{certificate_id}/status", headers={"HX-Request": "true"})
    assert gone.headers["HX-Redirect"] == "/certificates"
    assert client.get(f"/certificates/{certificate_id}/status").status_code == 404


def test_a_free_one_in_force_has_no_delete_button_and_says_why(office: Office) -> None:
    # rule: FRE-4
    certificate_id = office.desk.issued("www.free.example.com")
    Certificate.objects.update(free=True, brand="SYMANTEC", type="DV_SSL_CERT_BASIC")
    client = office.client()
    page = client.get(f"/certificates/{certificate_id}").content.decode()
    assert 'data-operation="delete"' not in page
    assert "deleted by the API only" in page
    refused = client.post(
        f"/certificates/{certificate_id}/delete", {"confirm_name": "www.free.example.com"}, follow=True
    )
    assert 'role="alert"' in refused.content.decode()
    assert Certificate.objects.get().state == "ISSUED"
    placed(certificate_id, State.PAID)
    assert (
        "still counts among the free" in client.get(f"/certificates/{certificate_id}/delete").content.decode()
    )


def test_unsubscribing_wants_the_acknowledgement(office: Office) -> None:
    # rule: UNS-4
    client, desk = office.client(), office.desk
    certificate_id = desk.buy()
    where = f"/certificates/{certificate_id}/unsubscribe"
    page = client.get(where).content.decode()
    assert "630.00" in page
    assert 'data-operation="unsubscribe"' in client.get(f"/certificates/{certificate_id}").content.decode()
    without = client.post(where, {})
    assert (without.status_code, "Tick it" in without.content.decode()) == (422, True)
    assert desk.state(certificate_id) == "PAID"
    done = client.post(where, {"acknowledged": "on"}, follow=True)
    assert "Certificate unsubscribed." in done.content.decode()
    assert desk.state(certificate_id) == "UNSUBSCRIBING"
    again = client.get(where, follow=True)  # nothing to confirm twice
    assert 'role="alert"' in again.content.decode()
    desk.run()
    assert client.get(f"/certificates/{certificate_id}").status_code == 404
    assert "630.00" in client.get(f"/orders/{Certificate.objects.get().order_id}").content.decode()


def test_a_form_sent_during_the_review_ends_it_and_looking_does_not(office: Office) -> None:
    # rule: UNS-5
    client, desk = office.client(), office.desk
    certificate_id = desk.buy()
    client.post(f"/certificates/{certificate_id}/unsubscribe", {"acknowledged": "on"})
    assert client.get(f"/certificates/{certificate_id}").status_code == 200
    assert client.get(f"/certificates/{certificate_id}/edit").status_code == 400
    assert desk.state(certificate_id) == "UNSUBSCRIBING"
    refused = client.post(f"/certificates/{certificate_id}/edit", {"name": "another", "description": ""})
    assert "under review" in refused.content.decode()
    assert desk.state(certificate_id) == "PAID"
    assert "another operation" in client.get(f"/certificates/{certificate_id}").content.decode()


def test_what_cannot_be_unsubscribed_says_why(office: Office, world: World) -> None:
    # rule: UNS-1
    client = office.client()
    certificate_id = hosted(client, world)
    placed(certificate_id, State.REVOKED)
    page = client.get(f"/certificates/{certificate_id}/unsubscribe", follow=True).content.decode()
    assert "not bought here" in page


def test_the_notices_have_a_switch_each(office: Office, world: World) -> None:
    # rule: NTF-1
    client = office.client()
    certificate_id = hosted(client, world)
    where = f"/certificates/{certificate_id}/notices"
    off = client.post(where, {"kind": "CERT_EXPIRING", "on": "0"}, follow=True).content.decode()
    assert "The notices are switched off." in off
    assert "Before it expires: <b>Off</b>" in off
    assert "When it has expired: <b>On</b>" in off
    on = client.post(where, {"kind": "CERT_EXPIRING", "on": "1"}, follow=True).content.decode()
    assert "Before it expires: <b>On</b>" in on
    assert client.post(where, {"kind": "ALL", "on": "1"}).status_code == 400
    assert 'id="notices"' not in office.client("rita").get(f"/certificates/{certificate_id}").content.decode()


def test_a_list_is_watched_and_the_page_says_what_became_of_each(office: Office, world: World) -> None:
    # rule: UPL-7
    client, page = office.client(), "/certificates/watch"
    assert f'href="{page}"' in client.get(UPLOAD).content.decode()
    assert client.get(page).status_code == 200
    text = (
        pem(world.usual)
        + pem(world.issuing)
        + pem(world.leaf(("later.example.com",), until=-DAY, since=2 * DAY))
    )
    done = client.post(page, {"certificates": text})
    assert done.status_code == 200
    said = done.content.decode()
    assert "Nobody is told" in said  # no user of the account has an address
    assert 'href="/notifications/rules/add"' in said
    office.people["alice"].email = "alice@example.net"
    office.people["alice"].save()
    for words in (
        'data-watched="1"',
        'data-there="0"',
        'data-refused="1"',
        "later.example.com",
        "expired on",
    ):
        assert words in said
    assert pem(world.usual) not in said
    again = client.post(page, {"certificates_file": file("list.pem", text.encode())}).content.decode()
    assert 'data-watched="0" data-there="1" data-refused="1"' in again
    assert "Nobody is told" not in again
    assert "/notifications/rules/add" not in again
    assert "You are told before" in again
    refused = client.post(page, {"certificates": "nothing"})
    assert "told before each" not in refused.content.decode()
    assert (refused.status_code, 'data-code="SCM.0053"' in refused.content.decode()) == (422, True)
    assert client.post(page, {}).status_code == 422
    assert client.post(page, {"certificates_file": file("list.der", b"\x30\x82\xff\xfe")}).status_code == 422
    assert Certificate.objects.count() == 1
