"""What relying parties fetch: OCSP, CRLs and authorities' certificates, over HTTP and by outside clients."""

import base64
import re
import shutil
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from urllib.parse import quote

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.hazmat.primitives.serialization.pkcs7 import load_der_pkcs7_certificates
from cryptography.x509 import ocsp as forms
from django.test import Client
from pytest_django.live_server_helper import LiveServer

from certdesk.foundation.common import clock
from certdesk.foundation.common import settings as house
from certdesk.foundation.iam.principal import system_principal
from certdesk.foundation.jobs import testing
from certdesk.foundation.jobs.actions import enqueue
from certdesk.pki.authority import crosses, issue, issuers, jobs, ocsp, revocation
from certdesk.pki.authority.models import Reason
from certdesk.pki.authority.types import Signed
from certdesk.pki.x509 import certificates
from certdesk.pki.x509.keys import KeyAlgorithm
from tests.support import authority
from tests.support.needs import need

pytestmark = pytest.mark.django_db


@pytest.fixture
def signed(db: None) -> Signed:
    authority.start_ca(clock.now())
    enqueue(jobs.RESPONDERS)
    testing.run_due(strict=True)
    return _issue("www.example.com")


def _issue(name: str) -> Signed:
    prepared = issue.prepare(authority.request([name], now=clock.now()), clock.now())
    issue.intend([prepared])
    made = issue.sign(prepared)
    issue.record([made])
    return made


def _lists() -> None:
    enqueue(revocation.CRLS)
    testing.run_due(strict=True)


def _question(signed: Signed) -> bytes:
    leaf = x509.load_der_x509_certificate(signed.der)
    issuer = issuers.holder(signed.issuer).certificate
    request = forms.OCSPRequestBuilder().add_certificate(leaf, issuer, leaf.signature_hash_algorithm)  # type: ignore[arg-type]
    return request.build().public_bytes(Encoding.DER)


def _path(url: str) -> str:
    return "/" + url.split("/", 3)[3]


def test_ocsp_by_get_and_post(client: Client, signed: Signed) -> None:
    # rule: REV-4
    question = _question(signed)
    posted = client.post("/ocsp", question, content_type="application/ocsp-request")
    assert (posted.status_code, posted.headers["Content-Type"]) == (200, "application/ocsp-response")
    assert posted.headers["Cache-Control"] == "no-store"
    address = "/ocsp/" + quote(base64.b64encode(question).decode(), safe="")
    fetched = client.get(address)
    assert fetched.content == posted.content
    assert "max-age=300" in fetched.headers["Cache-Control"]
    assert fetched.headers["Expires"]
    assert client.get(address, headers={"If-None-Match": fetched.headers["ETag"]}).status_code == 304
    assert client.get(address, headers={"If-None-Match": '"other"'}).status_code == 200
    answer = forms.load_der_ocsp_response(fetched.content)
    assert answer.certificate_status is forms.OCSPCertStatus.GOOD


@pytest.mark.parametrize("path", ["/ocsp/", "/ocsp/%%%", "/ocsp/MEIw", "/ocsp/" + "A" * 4000])
def test_junk_is_answered_as_malformed(client: Client, signed: Signed, path: str) -> None:
    for answer in (client.get(path), client.post("/ocsp", b"x" * 9000, content_type="text/plain")):
        assert answer.status_code == 200
        status = forms.load_der_ocsp_response(answer.content).response_status
        assert status is forms.OCSPResponseStatus.MALFORMED_REQUEST
        assert answer.headers["Cache-Control"] == "no-store"
    assert client.put("/ocsp").status_code == 405


def test_the_pointers_of_a_certificate_lead_somewhere(client: Client, signed: Signed) -> None:
    leaf = x509.load_der_x509_certificate(signed.der)
    access = leaf.extensions.get_extension_for_class(x509.AuthorityInformationAccess).value
    of_issuer = next(
        one.access_location.value for one in access if one.access_location.value.endswith(".cer")
    )
    fetched = client.get(_path(of_issuer))
    assert fetched.headers["Content-Type"] == "application/pkix-cert"
    leaf.verify_directly_issued_by(x509.load_der_x509_certificate(fetched.content))
    pointer = leaf.extensions.get_extension_for_class(x509.CRLDistributionPoints).value[0].full_name[0].value  # type: ignore[index]
    assert client.get(_path(pointer)).status_code == 404  # no worker has signed it yet
    _lists()
    before = client.get(_path(pointer))
    assert (before.status_code, before.headers["Content-Type"]) == (200, "application/pkix-crl")
    again = client.get(_path(pointer), headers={"If-None-Match": before.headers["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    revocation.revoke(signed.serial, Reason.SUPERSEDED, clock.now())
    testing.run_due(strict=True)
    after = client.get(_path(pointer), headers={"If-None-Match": before.headers["ETag"]})
    shown = x509.load_der_x509_crl(after.content)
    assert shown.get_revoked_certificate_by_serial_number(leaf.serial_number) is not None
    freshest = shown.extensions.get_extension_for_class(x509.FreshestCRL).value[0].full_name[0].value  # type: ignore[index]
    delta = x509.load_der_x509_crl(client.get(_path(freshest)).content)
    assert [entry.serial_number for entry in delta] == [leaf.serial_number]


@pytest.mark.usefixtures("signed")
def test_cross_certificates_are_served_alone_and_with_the_authority_s_own(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = crosses.sign("dv-p256", "root-p384", clock.now(), system_principal(""))
    fetched = client.get(f"/ca/{made.slug}.cer")
    assert (fetched.content, fetched.headers["Content-Type"]) == (
        made.certificate_der,
        "application/pkix-cert",
    )
    both = client.get("/ca/dv-p256.p7c")
    assert both.headers["Content-Type"] == "application/pkcs7-mime"
    assert len(load_der_pkcs7_certificates(both.content)) == 2
    before, ended = made.not_after - timedelta(seconds=1), made.not_after
    for moment, count in ((before, 2), (ended, 1)):
        monkeypatch.setattr(clock, "now", lambda moment=moment: moment)
        assert len(load_der_pkcs7_certificates(client.get("/ca/dv-p256.p7c").content)) == count


@pytest.mark.parametrize(
    "path", ["/crl/none.crl", "/crl/dv-p256-99.crl", "/crl/-delta.crl", "/ca/none.cer", "/ca/none.p7c"]
)
def test_what_there_is_not(client: Client, signed: Signed, path: str) -> None:
    assert client.get(path).status_code == 404
    assert client.post(path).status_code == 405


@pytest.mark.server
def test_openssl_and_gnutls_ask_and_believe(live_server: LiveServer, signed: Signed, tmp_path: Path) -> None:
    # rule: REV-4
    other = _issue("other.example.com")
    revocation.revoke(other.serial, Reason.KEY_COMPROMISE, clock.now())
    _lists()
    chain, issuer = tmp_path / "chain.pem", tmp_path / "issuer.pem"
    issuer.write_text(_pem(signed.issuer))
    chain.write_text(_pem(signed.issuer) + _pem("root-p256"))
    for one, said in ((signed, "good"), (other, "revoked")):
        leaf = tmp_path / f"{one.serial}.pem"
        leaf.write_text(certificates.to_pem(one.der))
        done = _run("openssl", "ocsp", "-issuer", issuer, "-cert", leaf, "-url", f"{live_server.url}/ocsp",
                    "-CAfile", chain)  # fmt: skip
        assert "Response verify OK" in done
        assert "WARNING" not in done, done  # the nonce came back
        assert f"{leaf}: {said}" in done
        answer = tmp_path / f"{one.serial}.ocsp"
        answer.write_bytes(ocsp.answer(_question(one), clock.now()).der)
        shown = _run("ocsptool", "--verify-response", "--load-trust", chain, "--infile", answer, "--inder")
        assert "Verifying OCSP Response: Success" in shown
        status = _run("ocsptool", "--response-info", "--infile", answer, "--inder")
        assert re.search(rf"Certificate Status: {said}", status)


@pytest.mark.server
def test_openssl_and_curl_refuse_what_is_on_the_crl(client: Client, signed: Signed, tmp_path: Path) -> None:
    # rule: REV-4
    other = _issue("other.example.com")
    revocation.revoke(other.serial, Reason.KEY_COMPROMISE, clock.now())
    _lists()
    issuer, root, key = tmp_path / "issuer.pem", tmp_path / "root.pem", tmp_path / "key.pem"
    issuer.write_text(_pem(signed.issuer))
    root.write_text(_pem("root-p256"))
    pem = authority.pooled_key(KeyAlgorithm.EC_P256, 1).private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
    )
    key.write_bytes(pem)
    for one, good in ((signed, True), (other, False)):
        chain, lists = tmp_path / f"{one.serial}.pem", tmp_path / f"{one.serial}.crl"
        chain.write_text(certificates.to_pem(one.der) + _pem(one.issuer))
        lists.write_text(_crl_of(client, one.der) + _crl_pem(client, "/crl/root-p256.crl"))
        said = _run("openssl", "verify", "-crl_check_all", "-CAfile", root, "-untrusted", issuer,
                    "-CRLfile", lists, chain)  # fmt: skip
        assert (said.endswith(": OK\n"), "certificate revoked" in said) == (good, not good), said
        host = "www.example.com" if good else "other.example.com"
        with _serving(chain, key) as port:
            told = _run("curl", "--silent", "--show-error", "--cacert", root, "--crlfile", lists,
                        "--resolve", f"{host}:{port}:127.0.0.1", f"https://{host}:{port}/")  # fmt: skip
        assert ("hello" in told, "revoked" in told) == (good, not good), told


def _crl_of(client: Client, der: bytes) -> str:
    leaf = x509.load_der_x509_certificate(der)
    pointer = leaf.extensions.get_extension_for_class(x509.CRLDistributionPoints).value
    return _crl_pem(client, _path(str((pointer[0].full_name or [])[0].value)))


def _crl_pem(client: Client, path: str) -> str:
    content = client.get(path).content
    return x509.load_der_x509_crl(content).public_bytes(Encoding.PEM).decode()


@contextmanager
def _serving(chain: Path, key: Path) -> Iterator[int]:
    """A TLS server on loopback that answers one client."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain, key)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(30)
        thread = threading.Thread(target=_answer, args=(listener, context))
        thread.start()
        yield int(listener.getsockname()[1])
        thread.join(30)


def _answer(listener: socket.socket, context: ssl.SSLContext) -> None:
    plain, _ = listener.accept()
    plain.settimeout(30)
    with plain, suppress(OSError), context.wrap_socket(plain, server_side=True) as connection:
        connection.recv(4096)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello")


def _pem(slug: str) -> str:
    return certificates.to_pem(issuers.holder(slug).certificate.public_bytes(Encoding.DER))


def _run(*command: object) -> str:
    need(shutil.which(str(command[0])) is not None, f"{command[0]} is not installed")
    done = subprocess.run(
        [str(part) for part in command], capture_output=True, text=True, timeout=60, check=False
    )
    return done.stdout + done.stderr


def test_the_address_of_the_pointers_is_the_operators(client: Client, signed: Signed) -> None:
    base = house.get().pki_base_url
    leaf = x509.load_der_x509_certificate(signed.der)
    pointer = leaf.extensions.get_extension_for_class(x509.CRLDistributionPoints).value[0].full_name[0].value  # type: ignore[index]
    assert pointer.startswith(f"{base}/crl/dv-p256-")
