"""The lab's simulated commercial CA: its own rules, its manners towards strangers, and how it is steered."""

import socket
import stat
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import dns.resolver as dns_resolver
import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.serialization import Encoding

from certdesk.foundation.common.errors import BadParameter
from certdesk.interfaces.cli.labs import Lab, lab
from certdesk.lab.ca import shown
from certdesk.lab.ca.products import PRODUCTS
from certdesk.lab.ca.proofs import Prover
from certdesk.lab.ca.server import LabCa
from certdesk.lab.dns_server import LabDns
from certdesk.lab.smtp_server import LabSmtp
from tests.lab.test_lab_commands import Ear
from tests.support.certcentral import NAME, Counter, counter, run

API = "services/v2"


@pytest.fixture
def desk() -> Iterator[Counter]:
    with counter() as made:
        yield made


def ask(desk: Counter, method: str, path: str, body: object = None, **given: Any) -> httpx.Response:
    headers = {"X-DC-DEVKEY": desk.ca.key} | given.pop("headers", {})
    return desk.http.request(method, f"{desk.ca.url}/{API}/{path}", json=body, headers=headers, **given)


def code(answer: httpx.Response) -> tuple[int, str]:
    (error,) = answer.json()["errors"]
    assert error["message"]
    return answer.status_code, error["code"]


def pem(desk: Counter, *names: str, key: int = 0) -> str:
    csr = x509.load_der_x509_csr(desk.wanted(*names, key=key).csr)
    return csr.public_bytes(Encoding.PEM).decode()


def body(desk: Counter, *names: str, key: int = 0, **changed: Any) -> dict[str, Any]:
    names = names or (NAME,)
    return {
        "certificate": {
            "common_name": names[0],
            "dns_names": list(names),
            "csr": pem(desk, *names, key=key),
            "cert_validity": {"days": 30},
        },
        "order_validity": {"years": 1},
        "dcv_method": "dns-txt-token",
        "skip_approval": True,
    } | changed


STREET = {"address": "Example Street 1", "zip": "10115", "telephone": "+49 30 1"}
COMPANY = {"name": "Example Ltd", "country": "DE", "state": "Berlin", "city": "Berlin", **STREET}


def placed(desk: Counter, product: str = "ssl_dv_rapidssl", **changed: Any) -> dict[str, Any]:
    answer = ask(desk, "POST", f"order/certificate/{product}", body(desk, **changed))
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


def proved(desk: Counter, order: dict[str, Any], name: str = NAME) -> dict[str, Any]:
    desk.dns.set(name, "TXT", [order["dcv_random_value"]])
    answer = ask(desk, "PUT", f"order/certificate/{order['id']}/check-dcv", {})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_strangers_are_turned_away(desk: Counter) -> None:
    for key in ("", "wrong", "ü"):
        answer = ask(desk, "GET", "user/me", headers={"X-DC-DEVKEY": key.encode()})
        assert code(answer) == (403, "access_denied|invalid_api_key")
    assert code(ask(desk, "GET", "nowhere")) == (404, "endpoint_not_found")
    assert code(ask(desk, "DELETE", "user/me")) == (405, "method_not_allowed")
    assert ask(desk, "GET", "user/me").json()["status"] == "active"
    with pytest.raises(ValueError, match="loopback"):
        LabCa("192.0.2.1")


def test_broken_and_huge_bodies_are_answered_as_such(desk: Counter) -> None:
    path, headers = f"{desk.ca.url}/{API}/order/certificate/ssl_basic", {"X-DC-DEVKEY": desk.ca.key}
    for raw in (b"{", b"\xff", b"[1]", b"null", b"[" * 100_000, b"9" * 5000):
        assert code(desk.http.post(path, content=raw, headers=headers)) == (400, "invalid_json")
    assert code(desk.http.post(path, content=b" " * 300_000, headers=headers)) == (413, "request_too_large")
    chunked = desk.http.post(path, content=iter([b"{}"]), headers=headers)
    assert code(chunked) == (411, "length_required")
    for length in ("-1", "x", "9" * 20):
        head = f"POST /{API}/organization HTTP/1.1\r\nX-DC-DEVKEY: {desk.ca.key}"
        text = f"{head}\r\nContent-Length: {length}\r\n\r\n"
        host, port = desk.ca.url.removeprefix("http://").split(":")
        with closing(socket.create_connection((host, int(port)), 10)) as raw_socket:
            raw_socket.sendall(text.encode())
            assert raw_socket.recv(64).split()[1] in (b"411", b"413")
    assert desk.state()["orders"] == []


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"certificate": ["x"]}, "certificate"),
        ({"certificate": {}}, "common_name"),
        ({"certificate": {"common_name": "a b.test"}}, "common_name"),
        ({"certificate": {"common_name": NAME, "dns_names": [1]}}, "dns_names"),
        (
            {"certificate": {"common_name": NAME, "dns_names": [f"n{n}.test" for n in range(251)]}},
            "dns_names",
        ),
        ({"certificate": {"common_name": NAME}}, "csr"),
        ({"certificate": {"common_name": NAME, "csr": "no"}}, "csr"),
        ({"order_validity": {}}, "order_validity"),
        ({"order_validity": {"years": 4}}, "order_validity"),
        ({"dcv_method": "fax"}, "dcv_method"),
        ({"comments": 5}, "comments"),
        ({"renewal_of_order_id": 5}, "renewal_of_order_id"),
    ],
)
def test_what_is_not_as_documented_is_named(desk: Counter, changed: dict[str, Any], field: str) -> None:
    answer = ask(desk, "POST", "order/certificate/ssl_dv_rapidssl", body(desk, **changed))
    assert code(answer) == (400, f"invalid_{field}")
    assert ask(desk, "GET", "order/certificate").json()["orders"] == []


def test_products_have_their_rules(desk: Counter) -> None:
    order = "order/certificate/"
    assert {one["name_id"] for one in ask(desk, "GET", "product").json()["products"]} == set(PRODUCTS)
    assert code(ask(desk, "POST", f"{order}ssl_nothing", body(desk))) == (404, "product_not_found")
    assert code(ask(desk, "POST", f"{order}ssl_basic", body(desk))) == (400, "invalid_organization")
    number = ask(desk, "POST", "organization", COMPANY).json()["id"]
    company = {"organization": {"id": number}}
    assert code(ask(desk, "POST", f"{order}ssl_ev_basic", body(desk, **company))) == (400, "invalid_contacts")
    for contacts in ("x", [{"contact_type": "ev_approver", "email": "nobody"}]):
        wrong = body(desk, organization={"id": number, "contacts": contacts})
        assert code(ask(desk, "POST", f"{order}ssl_ev_basic", wrong)) == (400, "invalid_contacts")
    wild = body(desk, "*.example.test", dcv_method="http-token")
    assert code(ask(desk, "POST", f"{order}ssl_dv_rapidssl", wild)) == (400, "invalid_dcv_method")
    for validity in ({"days": 0}, {"custom_expiration_date": "soon"}):
        given = body(desk)
        given["certificate"]["cert_validity"] = validity
        assert ask(desk, "POST", f"{order}ssl_dv_rapidssl", given).status_code == 400


def test_orders_are_listed_and_their_changes_too(desk: Counter) -> None:
    first = placed(desk)
    second = placed(desk)  # the same names, the same key: the real one does not mind either
    rows = ask(desk, "GET", "order/certificate?limit=1").json()
    assert [one["id"] for one in rows["orders"]] == [second["id"]]
    assert rows["page"] == {"total": 2, "limit": 1, "offset": 0}
    oldest = ask(desk, "GET", "order/certificate?sort=%2Bdate_created").json()["orders"]
    assert oldest[0]["id"] == first["id"]
    none = ask(desk, "GET", "order/certificate?filters[common_name]=other.test").json()["orders"]
    assert none == []
    assert code(ask(desk, "GET", "order/certificate?limit=x")) == (400, "invalid_limit")
    desk.clock.passes(1)
    assert proved(desk, first)["order_status"] == "issued"
    changes = ask(desk, "GET", "order/certificate/status-changes?minutes=10").json()["orders"]
    assert [(one["order_id"], one["status"]) for one in changes] == [(first["id"], "issued")]
    assert code(ask(desk, "GET", "order/certificate/status-changes?minutes=x")) == (400, "invalid_minutes")
    assert code(ask(desk, "PUT", f"order/certificate/{first['id']}/check-dcv", {}))[0] == 400
    assert code(ask(desk, "PUT", f"order/certificate/{first['id']}/dcv-random-value", {}))[0] == 400
    shown = ask(desk, "GET", f"order/certificate/{first['id']}").json()
    assert shown["certificate"]["thumbprint"]
    for form, count in (("pem_all", 3), ("pem_noroot", 2), ("pem_nointermediate", 1)):
        got = ask(desk, "GET", f"certificate/download/order/{first['id']}/format/{form}")
        assert got.text.count("BEGIN CERTIFICATE") == count
    assert code(ask(desk, "GET", f"certificate/{shown['certificate']['id']}/download/format/p7b"))[0] == 400
    assert code(ask(desk, "GET", f"certificate/download/order/{second['id']}/format/pem_all"))[0] == 404
    assert code(ask(desk, "GET", "order/certificate/99")) == (404, "order_not_found")


def test_reissues_and_duplicates(desk: Counter) -> None:
    order = placed(desk)
    path = f"order/certificate/{order['id']}"
    assert code(ask(desk, "POST", f"{path}/reissue", body(desk))) == (400, "pending_reissue")
    proved(desk, order)
    other = body(desk, "b.example.test")
    assert code(ask(desk, "POST", f"{path}/duplicate", other)) == (400, "invalid_dns_names")
    same = ask(desk, "POST", f"{path}/duplicate", body(desk, key=2)).json()
    assert same["certificate_id"]  # nothing new has to be proved
    assert [one["id"] for one in ask(desk, "GET", f"{path}/duplicate").json()["certificates"]] == [
        same["certificate_id"]
    ]
    more = ask(desk, "POST", f"{path}/reissue", body(desk, NAME, "b.example.test")).json()
    assert "certificate_id" not in more
    assert ask(desk, "GET", path).json()["status"] == "reissue_pending"
    assert ask(desk, "PUT", f"{path}/status", {"status": "CANCELED"}).status_code == 204
    assert ask(desk, "GET", path).json()["status"] == "issued"
    assert code(ask(desk, "PUT", f"{path}/status", {"status": "CANCELED"})) == (400, "invalid_order_status")
    assert code(ask(desk, "PUT", f"{path}/status", {"status": "ISSUED"})) == (400, "invalid_status")
    assert ask(desk, "GET", f"{path}/reissue").json() == {"certificates": []}
    dropped = placed(desk)
    desk.control("PUT", f"orders/{dropped['id']}", {"do": "reject"})
    gone = f"order/certificate/{dropped['id']}/reissue"
    assert code(ask(desk, "POST", gone, body(desk))) == (400, "order_not_issued")


def test_administrators_approve_or_not(desk: Counter) -> None:
    order = placed(desk, skip_approval=False)
    (request,) = order["requests"]
    path = f"request/{request['id']}"
    assert ask(desk, "GET", path).json()["status"] == "pending"
    assert code(ask(desk, "PUT", f"{path}/status", {"status": "maybe"})) == (400, "invalid_status")
    words = {"status": "rejected", "processor_comment": "Not ours."}
    assert ask(desk, "PUT", f"{path}/status", words).status_code == 204
    assert ask(desk, "GET", path).json()["processor_comment"] == "Not ours."
    assert code(ask(desk, "PUT", f"{path}/status", words)) == (400, "invalid_request_status")
    assert ask(desk, "GET", f"order/certificate/{order['id']}").json()["status"] == "rejected"
    assert code(ask(desk, "GET", "request/99")) == (404, "request_not_found")
    good = placed(desk)
    number = proved(desk, good)["certificate_id"]
    revoke = f"certificate/{number}/revoke"
    assert code(ask(desk, "PUT", revoke, {"revocation_reason": "bored"})) == (
        400,
        "invalid_revocation_reason",
    )
    for status, after in (("rejected", "issued"), ("approved", "revoked")):
        asked = ask(desk, "PUT", revoke, {})
        assert asked.status_code == 201
        assert code(ask(desk, "PUT", revoke, {"skip_approval": True})) == (400, "duplicate_request")
        assert ask(desk, "PUT", f"request/{asked.json()['id']}/status", {"status": status}).status_code == 204
        assert ask(desk, "GET", f"order/certificate/{good['id']}").json()["status"] == after
    assert code(ask(desk, "PUT", revoke, {})) == (400, "certificate_already_revoked")
    assert code(ask(desk, "PUT", "certificate/99/revoke", {})) == (404, "certificate_not_found")


def test_organizations_are_vetted_once(desk: Counter) -> None:
    desk.ca.office.vetting_seconds = 60
    assert code(ask(desk, "POST", "organization", {"name": "x"}))[0] == 400
    assert code(ask(desk, "POST", "organization", COMPANY | {"country": "DEU"})) == (400, "invalid_country")
    number = ask(desk, "POST", "organization", COMPANY).json()["id"]
    path = f"organization/{number}"
    assert ask(desk, "GET", path).json()["name"] == "Example Ltd"
    assert ask(desk, "GET", "organization").json()["page"]["total"] == 1
    assert ask(desk, "GET", f"{path}/validation").json() == {"validations": []}
    for _ in range(2):
        assert ask(desk, "POST", f"{path}/validation", {"validations": [{"type": "ov"}]}).status_code == 204
    statuses = {one["status"] for one in ask(desk, "GET", f"{path}/validation").json()["validations"]}
    assert statuses == {"pending"}
    at_once = ask(desk, "POST", "organization", COMPANY | {"validations": [{"type": "ov"}]}).json()["id"]
    assert desk.ca.office.organizations[at_once].status == "pending"
    assert code(ask(desk, "GET", "organization/99")) == (404, "organization_not_found")
    assert len(ask(desk, "GET", "domain/dcv/method").json()["methods"]) == 4


def test_a_proof_for_an_organization_counts_again_and_a_file_only_once(desk: Counter) -> None:
    number = ask(desk, "POST", "organization", COMPANY).json()["id"]
    company: dict[str, Any] = {"organization": {"id": number}}
    order = placed(desk, "ssl_basic", **company)
    assert [one["name"] for one in order["domains"]] == [NAME]
    assert order["domains"][0]["dcv_token"]["token"] == order["dcv_random_value"]
    subset = ask(
        desk, "PUT", f"order/certificate/{order['id']}/check-dcv", {"dns_names_validations": ["other.test"]}
    )
    assert subset.json()["dns_name_validations"] == []
    wrong = ask(desk, "PUT", f"order/certificate/{order['id']}/check-dcv", {"dns_names_validations": "x"})
    assert wrong.status_code == 400
    assert proved(desk, order)["dcv_status"] == "valid"
    given = body(desk, f"deep.{NAME}", **company)
    below = ask(desk, "POST", "order/certificate/ssl_basic", given).json()
    assert (below["domains"], "certificate_id" in below) == ([], True)
    mailed = placed(desk, "ssl_dv_rapidssl", dcv_method="email")
    assert "dcv_random_value" not in mailed
    for verb in ("check-dcv", "dcv-random-value"):
        assert (
            code(ask(desk, "PUT", f"order/certificate/{mailed['id']}/{verb}", {}))[1] == "invalid_dcv_method"
        )
    filed = placed(desk, "ssl_dv_rapidssl", dcv_method="http-token")
    assert code(ask(desk, "PUT", f"order/certificate/{filed['id']}/check-dcv", {})) == (400, "file_not_found")


def test_a_domain_is_proved_ahead_of_its_orders() -> None:
    with LabSmtp() as mail, counter(mail=mail) as desk:
        number = ask(desk, "POST", "organization", COMPANY).json()["id"]
        company: dict[str, Any] = {"organization": {"id": number}}
        given = {"name": NAME, "dcv_method": "dns-txt-token", **company}
        assert code(ask(desk, "POST", "domain", {**given, "name": "no name"})) == (400, "invalid_common_name")
        unknown = ask(desk, "POST", "domain", {**given, "organization": {}})
        assert code(unknown) == (400, "invalid_organization")
        one = ask(desk, "POST", "domain", given).json()
        path = f"domain/{one['id']}"
        assert code(ask(desk, "PUT", f"{path}/dcv/validate-token")) == (400, "invalid_dns")
        desk.dns.set(f"_dnsauth.{NAME}", "TXT", [one["dcv_token"]["token"]])
        assert ask(desk, "PUT", f"{path}/dcv/validate-token").json()["status"] == "active"
        assert ask(desk, "GET", path).json()["validations"][0]["dcv_status"] == "complete"
        assert "certificate_id" in placed(desk, "ssl_basic", **company)
        mailed = ask(
            desk, "POST", "domain", {"name": "b.example.test", "dcv_method": "email", **company}
        ).json()
        path = f"domain/{mailed['id']}"
        assert code(ask(desk, "PUT", f"{path}/dcv/validate-token")) == (400, "invalid_dcv_method")
        boxes = ask(desk, "GET", f"{path}/dcv/emails").json()["base_emails"]
        first = mail.wait_for(lambda got: boxes[0] in got.recipients).text.split()[-1]
        mail.clear()
        assert ask(desk, "POST", f"{path}/validation/email").status_code == 204
        newest = mail.wait_for(lambda got: boxes[0] in got.recipients).text.split()[-1]
        assert [desk.http.post(link).status_code for link in (first, newest)] == [404, 200]
        assert ask(desk, "POST", f"{path}/validation/email").status_code == 204  # nothing to ask any more
        rows = ask(desk, "GET", "domain").json()["domains"]
        assert [one["validations"][0]["dcv_status"] for one in rows] == ["complete", "complete"]
        assert code(ask(desk, "GET", "domain/99")) == (404, "domain_not_found")


def test_the_rate_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    passed = [0.0]
    with counter(rate=2, clock=lambda: passed[0]) as desk:
        assert [ask(desk, "GET", "user/me").status_code for _ in range(3)] == [200, 200, 429]
        limited = ask(desk, "GET", "user/me")
        assert (limited.headers["Retry-After"], code(limited)) == ("5", (429, "request_limit_exceeded"))
        passed[0] = 5.5
        assert ask(desk, "GET", "user/me").status_code == 200
        desk.control("PUT", "settings", {"rate": 0, "vetting_seconds": None})
        assert desk.ca.office.vetting_seconds is None
        assert {ask(desk, "GET", "user/me").status_code for _ in range(9)} == {200}


def test_it_is_steered_over_http(desk: Counter) -> None:
    def control(method: str, path: str, given: object = None) -> int:
        return desk.http.request(method, f"{desk.ca.url}/lab/{path}", json=given).status_code

    desk.control("PUT", "faults", {"verb": "user", "fault": "ERROR", "times": 2})
    assert ask(desk, "GET", "user/me").status_code == 500
    desk.control("DELETE", "faults")
    assert ask(desk, "GET", "user/me").status_code == 200
    desk.control("PUT", "faults", {"verb": "*", "fault": "ERROR", "times": 0})
    assert [ask(desk, "GET", path).status_code for path in ("user/me", "product", "user/me")] == [500] * 3
    desk.control("DELETE", "faults")
    order = placed(desk)
    desk.control("PUT", f"orders/{order['id']}", {"do": "approve", "what": f"dcv:{NAME}"})
    assert desk.state()["orders"][0]["status"] == "issued"
    assert "user" in desk.state()["calls"]
    assert "BEGIN CERTIFICATE" in desk.http.get(f"{desk.ca.url}/lab/root.pem").text
    for method, path, given in (
        ("PUT", "faults", {"verb": "user"}),
        ("PUT", "faults", {"verb": "user", "fault": "MOOD"}),
        ("PUT", "settings", {"rate": "x"}),
        ("PUT", f"orders/{order['id']}", {"do": "dance"}),
        ("PUT", f"orders/{order['id']}", {"do": "reject"}),
        ("PUT", f"orders/{order['id']}", {"do": "approve", "what": "dcv:other.test"}),
    ):
        assert control(method, path, given) == 400
    number = ask(desk, "POST", "organization", COMPANY).json()["id"]
    assert control("PUT", f"organizations/{number}", {"status": "odd"}) == 400
    assert [control("PUT", path, {}) for path in ("orders/x", "nowhere", "orders/" + "9" * 30)] == [404] * 3


def test_a_mail_server_that_is_gone_stops_nothing() -> None:
    with counter() as desk, socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        object.__setattr__(desk.ca.office.post, "server", f"127.0.0.1:{taken.getsockname()[1]}")
        order = placed(desk, dcv_method="email")
        assert desk.state()["orders"][0]["id"] == order["id"]


def test_it_answers_others_while_it_looks_for_control_before_a_revocation(
    desk: Counter, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = placed(desk)
    proved(desk, order)
    (held,) = desk.ca.office.orders[order["id"]].certificates
    desk.control("PUT", "settings", {"revocation_proof": True})
    seen: list[int] = []

    def shown(*_: object) -> bool:
        seen.append(len(desk.state()["orders"]))  # whoever held the lock would never answer
        return True

    monkeypatch.setattr(Prover, "shown", shown)
    assert ask(desk, "PUT", f"certificate/{held.serial}/revoke", {"skip_approval": True}).status_code == 204
    assert (seen, held.status) == ([1], "revoked")


def test_keys_are_kept_in_its_folder(tmp_path: Path) -> None:
    with counter(folder=tmp_path) as desk:
        root, key = desk.http.get(f"{desk.ca.url}/lab/root.pem").text, desk.ca.key
        first = desk.issued(desk.wanted())
    with counter(folder=tmp_path) as again:
        assert (again.http.get(f"{again.ca.url}/lab/root.pem").text, again.ca.key) == (root, key)
        second = again.issued(again.wanted())
    assert first.chain[1] == second.chain[1]
    for name in ("api-key", "root.key", "issuing.key"):
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o600
    (tmp_path / "issuing.key").write_bytes(_rsa())
    with pytest.raises(ValueError, match="empty folder"), counter(folder=tmp_path):
        pass


def _rsa() -> bytes:
    from certdesk.pki.x509 import keys

    return keys.private_to_pem(keys.generate(keys.KeyAlgorithm.RSA_2048))


def test_it_announces_itself_and_stops(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    ear = Ear()
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", ear)
        lab(Lab.CA, 0, folder=tmp_path, resolver="127.0.0.1:5353", mail="127.0.0.1:2525")
        lab(Lab.CA, 0)
    told = ear.getvalue()
    assert "issuer of the kind certcentral" in told
    assert "with 127.0.0.1:5353; mails go to 127.0.0.1:2525" in told
    assert "the resolver of this machine; no mails are sent" in told
    assert (tmp_path / "api-key").read_text() in told


def test_an_address_that_is_none_is_refused_at_once() -> None:
    for given in ({"resolver": "nobody"}, {"mail": "127.0.0.1:99999"}):
        with pytest.raises(BadParameter, match="not of the form"):
            lab(Lab.CA, 0, **given)


def test_a_weak_key_is_refused(desk: Counter) -> None:
    csr = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    weak = csr.sign(ed25519.Ed25519PrivateKey.generate(), None).public_bytes(Encoding.PEM).decode()
    given = body(desk)
    given["certificate"]["csr"] = weak
    assert code(ask(desk, "POST", "order/certificate/ssl_dv_rapidssl", given)) == (400, "invalid_csr")


def test_a_website_that_does_not_answer_shows_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    with LabDns() as dns, socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        dns.set(NAME, "A", ["127.0.0.1"])
        prover = Prover(dns.server, taken.getsockname()[1])
        assert not prover.shown("http-token", NAME, "token")
        assert not prover.shown("dns-cname-token", NAME, "token")
        own = dns_resolver.Resolver(configure=False)
        own.nameservers, own.port = ["127.0.0.1"], dns.port
        monkeypatch.setattr(dns_resolver, "Resolver", lambda: own)
        dns.set(NAME, "TXT", ["token"])
        assert Prover().shown("dns-txt-token", NAME, "token")  # this machine's own resolver


def test_a_long_common_name_is_left_out_of_the_subject(desk: Counter) -> None:
    long = f"{'a' * 60}.example.test"
    done = desk.issued(desk.wanted(long))
    assert run(desk.issuer().poll(desk.wanted(long), done.handle)).chain == done.chain
    assert len(x509.load_der_x509_certificate(done.chain[0]).subject) == 0


def test_a_mistake_of_its_own_is_not_hidden(
    desk: Counter, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def wrong(*_: object) -> None:
        raise RuntimeError("a mistake")

    monkeypatch.setattr(shown, "full", wrong)
    order = placed(desk)
    with pytest.raises(httpx.RemoteProtocolError):
        ask(desk, "GET", f"order/certificate/{order['id']}")
    assert "a mistake" in capsys.readouterr().err
