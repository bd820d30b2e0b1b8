"""Kept OCSP answers and CRLs are given without Django, the database or a turn; a revocation shows all the
same."""

import base64
from collections.abc import Iterator
from io import BytesIO
from typing import Any
from urllib.parse import quote, unquote

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp as forms
from django.core.signals import request_finished, request_started
from django.db import close_old_connections

from certdesk.config import wsgi
from certdesk.foundation.common import clock
from certdesk.foundation.jobs import testing
from certdesk.foundation.jobs.actions import enqueue
from certdesk.interfaces.console.middleware import HEADERS
from certdesk.interfaces.public import at_once
from certdesk.pki.authority import issue, issuers, jobs, ocsp, revocation
from certdesk.pki.authority.models import Crl, Reason
from certdesk.pki.authority.types import Signed
from tests.support import authority

pytestmark = pytest.mark.django_db
wsgi._connection.dec_thread_sharing()  # as other tests have it


class Answer:
    def __init__(self, environ: dict[str, Any]) -> None:
        self.body = b"".join(wsgi.application(environ, self._start))

    def _start(self, status: str, headers: list[tuple[str, str]]) -> None:
        self.status, self.headers = int(status[:3]), dict(headers)


@pytest.fixture
def one_connection() -> Iterator[None]:
    """The test's own stays open after an answer: Django's test client connects again what it has not."""
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    yield
    for signal in (request_started, request_finished):
        signal.connect(close_old_connections)


@pytest.fixture
def signed(db: None, one_connection: None, monkeypatch: pytest.MonkeyPatch) -> Signed:
    """The application on the test's own connection, with an empty memory."""
    monkeypatch.setattr(wsgi, "_share_connection", lambda: None)
    monkeypatch.setattr(wsgi, "_look_after_connection", lambda: None)  # it stays in the test's transaction
    monkeypatch.setattr(wsgi, "_settle", lambda folder: None)
    monkeypatch.setattr(wsgi, "_files", at_once.Files())
    monkeypatch.setattr(ocsp, "FRESH", 1e9)  # however slow the machine
    ocsp.forget()
    authority.start_ca(clock.now())
    enqueue(jobs.RESPONDERS)
    testing.run_due(strict=True)
    prepared = issue.prepare(authority.request(["www.example.com"], now=clock.now()), clock.now())
    issue.intend([prepared])
    made = issue.sign(prepared)
    issue.record([made])
    return made


def environ(method: str, path: str, body: bytes = b"", **headers: str) -> dict[str, Any]:
    return {
        "REQUEST_METHOD": method,
        "PATH_INFO": unquote(path),
        "QUERY_STRING": "",
        "SERVER_NAME": "pki.example.com",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "192.0.2.7",
        "CONTENT_LENGTH": str(len(body)) if body else "",
        "CONTENT_TYPE": "application/ocsp-request" if body else "",
        "wsgi.input": BytesIO(body),
        "wsgi.url_scheme": "http",
        "wsgi.errors": BytesIO(),
        **headers,
    }


def question(signed: Signed, nonce: bytes = b"") -> bytes:
    leaf, issuer = x509.load_der_x509_certificate(signed.der), issuers.holder(signed.issuer).certificate
    builder = forms.OCSPRequestBuilder().add_certificate(leaf, issuer, leaf.signature_hash_algorithm)  # type: ignore[arg-type]
    if nonce:
        builder = builder.add_extension(x509.OCSPNonce(nonce), critical=False)
    return builder.build().public_bytes(Encoding.DER)


def by_get(asked: bytes) -> str:
    return "/ocsp/" + quote(base64.b64encode(asked).decode(), safe="")


def no_django(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise AssertionError("Django was asked")

    monkeypatch.setattr(wsgi, "_django", broken)


@pytest.mark.parametrize("path", ["/ocsp", "/ocsp/", ""])
def test_a_kept_answer_is_the_one_that_django_gave(
    signed: Signed, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    asked = question(signed)
    wanted = ("POST", path, asked) if path else ("GET", by_get(asked))
    first = Answer(environ(*wanted))
    no_django(monkeypatch)
    monkeypatch.setattr(wsgi, "baton", None)  # nobody waits for a turn
    kept = Answer(environ(*wanted))
    assert (kept.status, kept.body) == (200, first.body)
    assert kept.headers.pop("X-Request-Id") != first.headers.pop("X-Request-Id")
    assert kept.headers.pop("Content-Length") == str(len(first.body))
    assert kept.headers == {**first.headers, **HEADERS}


def test_what_is_revoked_shows_when_the_second_is_over(
    signed: Signed, monkeypatch: pytest.MonkeyPatch
) -> None:
    # rule: REV-4
    asked = question(signed)

    def standing() -> forms.OCSPCertStatus:
        return forms.load_der_ocsp_response(Answer(environ("POST", "/ocsp", asked)).body).certificate_status

    assert standing() is forms.OCSPCertStatus.GOOD
    revocation.revoke(signed.serial, Reason.SUPERSEDED, clock.now())
    monkeypatch.setattr(ocsp, "FRESH", 0.0)
    assert standing() is forms.OCSPCertStatus.REVOKED


def test_django_answers_what_is_not_kept(signed: Signed) -> None:
    asked = question(signed)
    tag = Answer(environ("GET", by_get(asked))).headers["ETag"]
    assert Answer(environ("GET", by_get(asked), HTTP_IF_NONE_MATCH=tag)).status == 304
    assert Answer(environ("HEAD", by_get(asked))).status == 200
    assert Answer(environ("PUT", "/ocsp", asked)).status == 405
    assert Answer(environ("POST", "/ocsp/more", asked)).status == 200  # Django's: an address and a body
    for body in (b"", b"x" * (ocsp.KEPT_REQUEST + 1), b"x" * 4000, question(signed, b"n" * 16)):
        for _ in range(2):
            assert Answer(environ("POST", "/ocsp", body)).status == 200
    for path in ("/ocsp/%%%", "/ocsp/" + "A" * 4000, "/ocsp/MEIw"):
        assert Answer(environ("GET", path)).headers["Cache-Control"] == "no-store"


def test_a_body_is_found_whole_by_whoever_reads_it_next(signed: Signed) -> None:
    asked = question(signed)
    given = environ("POST", "/ocsp", asked)
    assert at_once.ocsp_answer(given, []) is None
    assert given["wsgi.input"].read() == asked


@pytest.fixture
def crl_path(signed: Signed) -> str:
    enqueue(revocation.CRLS)
    testing.run_due(strict=True)
    return f"/crl/{Crl.objects.exclude(this_update=None).order_by('name')[0].name}.crl"


def test_a_crl_is_kept_for_a_second(crl_path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    moment = [100.0]
    monkeypatch.setattr(wsgi, "_files", at_once.Files(now=lambda: moment[0]))
    first = Answer(environ("GET", crl_path))
    x509.load_der_x509_crl(first.body)
    assert Answer(environ("GET", crl_path, HTTP_IF_NONE_MATCH=first.headers["ETag"])).status == 304
    assert Answer(environ("HEAD", crl_path)).status == 200
    with monkeypatch.context() as patch:
        no_django(patch)
        moment[0] += 0.999
        kept = Answer(environ("GET", crl_path))
        moment[0] += 0.001
        with pytest.raises(AssertionError, match="Django was asked"):
            Answer(environ("GET", crl_path))
    assert kept.body == first.body
    assert kept.headers.pop("X-Request-Id") != first.headers.pop("X-Request-Id")
    assert kept.headers.pop("Content-Length") == str(len(first.body))
    assert kept.headers == first.headers
    assert Answer(environ("GET", crl_path)).body == first.body  # and kept anew


def test_what_there_is_not_is_not_kept(signed: Signed) -> None:
    for _ in range(2):
        assert Answer(environ("GET", "/crl/none.crl")).status == 404
        assert Answer(environ("GET", "/healthz")).status == 200


def plain(path: str) -> dict[str, Any]:
    return environ("GET", path)


def test_the_store_of_files_has_a_limit() -> None:
    files = at_once.Files(most=10, now=lambda: 0.0)
    files.keep(plain("/crl/a.crl"), 200, [("ETag", "1"), ("Content-Length", "6")], b"x" * 6)
    files.keep(plain("/crl/a.crl"), 200, [("ETag", "2")], b"y" * 6)  # in the other's place
    found = files.find(plain("/crl/a.crl"))
    assert found == at_once.Ready(b"y" * 6, [("ETag", "2"), ("Content-Length", "6")])
    files.keep(plain("/ca/b.cer"), 200, [], b"x" * 4)
    assert files.find(plain("/crl/a.crl"))
    files.keep(plain("/crl/c.crl"), 200, [], b"x")
    assert [bool(files.find(plain(path))) for path in ("/crl/a.crl", "/ca/b.cer", "/crl/c.crl")] == [
        False,
        False,
        True,
    ]
    files.keep(plain("/crl/d.crl"), 200, [], b"x" * 11)
    assert files.find(plain("/crl/d.crl")) is None
    files.keep(plain("/page"), 200, [], b"x")
    assert files.find(plain("/page")) is None
    assert files.find(plain("/crl/c.crl") | {"QUERY_STRING": "a=b"}) is None
