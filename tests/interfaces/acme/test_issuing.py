"""From the directory to a certificate of the inventory, in this process."""

from cryptography import x509

from certdesk.lifecycle.certificates.models import Certificate, Version
from tests.support.acme import Acme, b64, csr
from tests.support.acme_house import House


def test_a_name_that_proves_itself_is_issued_and_stands_in_the_inventory(house: House) -> None:
    acme = house.client()
    placed = acme.order("www.example.com", "*.example.com")
    assert placed.status_code == 201, placed.content
    order = placed.json()
    assert order["status"] == "pending"
    house.prove(acme, order)
    url = placed.headers["Location"]
    assert acme.read(url)["status"] == "ready"
    done = acme.post(order["finalize"], {"csr": b64(csr("www.example.com", "*.example.com"))})
    assert done.status_code == 200, done.content
    assert done.json()["status"] == "valid", done.content
    chain = acme.post(done.json()["certificate"])
    found = x509.load_pem_x509_certificates(chain.content)
    assert len(found) >= 2
    names = found[0].extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert set(names.get_values_for_type(x509.DNSName)) == {"www.example.com", "*.example.com"}
    version = Version.objects.get()
    row = Certificate.objects.get(id=version.certificate_id)
    assert (row.state, row.brand, row.domain) == ("ISSUED", "BUILTIN", "www.example.com")
    assert row.owner_id == house.desk.alice.user_id


def test_the_directory_and_the_first_nonce_need_no_account(house: House) -> None:
    acme = Acme()
    found = acme.http.get("/acme/directory").json()
    assert found["newOrder"] == "http://testserver/acme/new-order"
    assert found["meta"]["externalAccountRequired"] is True
    assert acme.http.get("/acme/new-nonce").status_code == 204
    assert acme.http.head("/acme/new-nonce").status_code == 200
