"""DigiCert CertCentral against the lab's simulated CA, over HTTP through the egress gate."""

import socket
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.x509.oid import NameOID

from certdesk.connectors.issuers import registry
from certdesk.connectors.issuers.certcentral import orders, organizations
from certdesk.connectors.issuers.certcentral.options import CertCentralOptions
from certdesk.connectors.issuers.certcentral.products import CNAME_END
from certdesk.connectors.issuers.options import Outside
from certdesk.connectors.issuers.protocol import (
    ControlWanted,
    IssuerConnector,
    IssuerError,
    Order,
    OrderState,
    Reason,
)
from certdesk.lab.ca import issuing, ordering, people, routes, shown
from certdesk.lab.ca.errors import Refused
from certdesk.lab.ca.state import Organization
from certdesk.lab.smtp_server import LabSmtp
from certdesk.lab.website import LabWebsite
from certdesk.pki.x509 import certificates, keys
from tests.support import tls
from tests.support.certcentral import (
    BOSS,
    COMPANY,
    LOOPBACK,
    NAME,
    Counter,
    counter,
    has_key_of,
    leaf,
    placed_at,
    run,
)


def refusal(work: Awaitable[object]) -> IssuerError:
    with pytest.raises(IssuerError) as refused:
        run(work)
    return refused.value


@pytest.fixture
def desk() -> Iterator[Counter]:
    with counter() as made:
        yield made


def desk_now(desk: Counter) -> IssuerConnector:
    """As the register connects it, with this machine's own clock."""
    stored = registry.read_options(
        "certcentral", {"server_url": desk.ca.url, "api_key": desk.ca.key}
    ).stored()
    return registry.connect("certcentral", stored, Outside(allow_networks=LOOPBACK))


def test_a_domain_is_proved_and_its_certificate_collected(desk: Counter) -> None:
    issuer, wanted = desk.issuer(), desk.wanted(NAME, "*.example.test")
    placed = placed_at(issuer, wanted)
    assert placed.state is OrderState.TASKS
    assert [(task.name, task.method, task.record_type) for task in placed.tasks] == [
        (NAME, "dns-01", "TXT"),
        ("example.test", "dns-01", "TXT"),
    ]
    assert placed.tasks[0].where == f"_dnsauth.{NAME}"
    desk.prove(placed.tasks[:1])
    half = run(issuer.proceed(wanted, placed.handle, (NAME,)))
    assert (half.state, [task.done for task in half.tasks]) == (OrderState.TASKS, [True, False])
    done = run(issuer.proceed(wanted, placed.handle, desk.prove(placed.tasks)))
    assert done.state is OrderState.ISSUED
    assert has_key_of(done, wanted)
    names = leaf(done).extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == [NAME, "*.example.test"]
    assert abs(leaf(done).not_valid_after_utc - wanted.not_after) < timedelta(days=1)
    assert len(done.chain) == 2  # without the root
    assert run(issuer.poll(wanted, placed.handle)) == done
    assert placed_at(issuer, wanted) == done


def test_a_cname_and_a_file_prove_as_well(desk: Counter, tmp_path: Path) -> None:
    done = desk.issued(desk.wanted(), dcv_method="dns-cname")
    assert done.state is OrderState.ISSUED
    with LabWebsite(tmp_path) as site, counter(http_port=site.port) as other:
        other.dns.set(NAME, "A", ["127.0.0.1"])
        issuer, wanted = other.issuer(dcv_method="http"), other.wanted()
        placed = placed_at(issuer, wanted)
        (task,) = placed.tasks
        assert (task.method, task.where) == (
            "http-01",
            f"http://{NAME}/.well-known/pki-validation/fileauth.txt",
        )
        early = run(issuer.proceed(wanted, placed.handle, (task.id,)))
        assert early.state is OrderState.TASKS
        (tmp_path / ".well-known/pki-validation/fileauth.txt").write_text(f"{task.value}\n", encoding="ascii")
        assert run(issuer.proceed(wanted, placed.handle, (task.id,))).state is OrderState.ISSUED
        wild = placed_at(issuer, other.wanted("*.example.test"))
        assert [one.method for one in wild.tasks] == ["dns-01"]  # a file proves no wildcard
        assert issuer.capabilities.methods == ("http-01", "dns-01")


def test_a_mailbox_of_the_domain_says_yes() -> None:
    with LabSmtp() as mail, counter(mail=mail) as desk:
        issuer, wanted = desk.issuer(dcv_method="email"), desk.wanted()
        placed = placed_at(issuer, wanted)
        assert placed.state is OrderState.TASKS
        assert {task.method for task in placed.tasks} == {"email"}
        assert "admin@example.test" in [task.where for task in placed.tasks]
        assert len({task.id for task in placed.tasks}) == 5
        asked = mail.wait_for(lambda one: "admin@example.test" in one.recipients)
        link = asked.text.split()[-1]
        assert desk.http.get(link).status_code == 200  # a scanner that follows links decides nothing
        assert run(issuer.poll(wanted, placed.handle)).state is OrderState.TASKS
        assert desk.http.post(link).status_code == 200
        assert run(issuer.poll(wanted, placed.handle)).state is OrderState.ISSUED
        assert desk.http.post(link).status_code == 404


def test_ov_waits_for_people_and_the_organization_is_made_once(desk: Counter) -> None:
    desk.ca.office.vetting_seconds = 2 * 86_400
    first, second = desk.wanted(level="OV"), desk.wanted("shop.example.test", level="OV")
    waiting = desk.issued(first)
    assert waiting.state is OrderState.WORKING
    assert "organization" in waiting.words
    assert waiting.retry_after
    again = desk.issued(second)
    assert again.state is OrderState.WORKING
    assert len(desk.state()["organizations"]) == 1
    desk.clock.passes(1.9)
    assert run(desk.issuer().poll(first, waiting.handle)).state is OrderState.WORKING
    desk.clock.passes(0.2)
    done = run(desk.issuer().poll(first, waiting.handle))
    assert done.state is OrderState.ISSUED
    subject = leaf(done).subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)
    assert [one.value for one in subject] == [COMPANY["name"]]
    shorter = placed_at(desk.issuer(), desk.wanted(level="OV"))
    assert shorter.state is OrderState.ISSUED  # domain and organization are known by now


def test_ev_wants_both_approvers() -> None:
    with LabSmtp() as mail, counter(mail=mail) as desk:
        issuer, wanted = desk.issuer(approvers=[BOSS]), desk.wanted(level="EV")
        placed = placed_at(issuer, wanted)
        waiting = run(issuer.proceed(wanted, placed.handle, desk.prove(placed.tasks)))
        assert waiting.state is OrderState.WORKING
        for subject, who in (("confirm", "alice"), ("approve", "alice"), ("approve", "bob")):
            assert run(issuer.poll(wanted, placed.handle)).state is OrderState.WORKING
            found = mail.wait_for(lambda one, s=subject, w=who: s in one.subject and w in one.recipients[0])
            assert desk.http.post(found.text.split()[-1]).status_code == 200
        assert run(issuer.poll(wanted, placed.handle)).state is OrderState.ISSUED
        wild = refusal(issuer.place(desk.wanted("*.example.test", level="EV")))
        assert (wild.reason, wild.permanent, "Wildcard" in wild.message) == (Reason.REFUSED, True, True)


def test_a_refusal_comes_with_the_cas_words(desk: Counter) -> None:
    desk.ca.misbehave("order", "REFUSE", words="The domain is on a list of high-risk names.")
    wanted = desk.wanted()
    refused = placed_at(desk.issuer(), wanted)
    assert (refused.state, refused.words) == (
        OrderState.REFUSED,
        "The domain is on a list of high-risk names.",
    )
    assert run(desk.issuer().poll(wanted, refused.handle)).words == refused.words
    anew = placed_at(desk.issuer(), wanted)  # a dead order is no live one
    assert (anew.state, anew.handle != refused.handle) == (OrderState.TASKS, True)
    desk.ca.office.vetting_seconds = None
    waiting = desk.issued(desk.wanted(level="OV"))
    desk.vet("rejected")
    lost = run(desk.issuer().poll(desk.wanted(level="OV"), waiting.handle))
    assert (lost.state, "could not be validated" in lost.words) == (OrderState.REFUSED, True)


@pytest.mark.parametrize("fault", ["LOST", "CUT", "ERROR", "NONSENSE"])
def test_an_answer_that_is_lost_makes_no_second_order(desk: Counter, fault: str) -> None:
    """At each call of each verb: whatever is done again afterwards, one order comes of it."""
    issuer, wanted = desk.issuer(), desk.wanted(level="OV")

    def insist(work: Callable[[], Awaitable[Any]], *verbs: str) -> Any:
        for verb in verbs:
            desk.ca.misbehave(verb, fault)
            error = refusal(work())
            assert error.permanent is (fault == "NONSENSE")
            assert error.sent is (verb not in ("list", "organizations", "organization"))  # before any order
            desk.ca.behave()
        return run(work())

    placed = insist(
        lambda: issuer.place(wanted),
        "list",
        "organizations",
        "organization",
        "order",
    )
    assert len(desk.state()["orders"]) == 1
    placed = insist(lambda: issuer.poll(wanted, placed.handle), "order-info", "check-dcv")
    assert len(desk.state()["organizations"]) == 1
    ids = desk.prove(placed.tasks)
    handle = placed.handle
    done = insist(lambda: issuer.proceed(wanted, handle, ids), "random-value", "check-dcv", "download")
    assert done.state is OrderState.ISSUED
    certificate = done.chain[0]
    later = replace(
        desk.wanted(NAME, "new.example.test", level="OV", key=2), replaces=certificate, predecessor=handle
    )
    again = insist(lambda: issuer.place(later), "reissue")
    assert again.handle.startswith(f"{handle}/")
    assert len(desk.ca.office.orders[int(handle)].requests) == 2
    revoked = refusal(issuer.revoke(certificate, handle, 4))
    assert (revoked.reason, "reissue" in revoked.message) == (Reason.BUSY, True)
    back = insist(lambda: issuer.withdraw(again.handle), *(["cancel"] if fault != "NONSENSE" else []))
    assert back.state is OrderState.CANCELLED
    if fault != "NONSENSE":
        insist(lambda: issuer.revoke(certificate, handle, 4), "revoke")
    assert len(desk.state()["orders"]) == 1


def not_now(*_: object) -> None:
    raise Refused(400, "busy", "not now")


def test_withdrawn_and_withdrawn_too_late(desk: Counter, monkeypatch: pytest.MonkeyPatch) -> None:
    issuer, wanted = desk.issuer(), desk.wanted()
    placed = placed_at(issuer, wanted)
    for fault in ("ERROR", "LOST"):
        desk.ca.misbehave("cancel", fault)
        assert not refusal(issuer.withdraw(placed.handle)).permanent
    for _ in range(2):
        assert run(issuer.withdraw(placed.handle)).state is OrderState.CANCELLED
    late = placed_at(issuer, wanted)
    with monkeypatch.context() as patch:
        patch.setattr(ordering, "cancel", not_now)
        assert "not now" in refusal(issuer.withdraw(late.handle)).message  # neither taken back nor issued
    desk.ca.misbehave("cancel", "EARLY")
    answer = run(issuer.withdraw(late.handle))
    assert answer.state is OrderState.ISSUED
    assert has_key_of(run(issuer.poll(wanted, late.handle)), wanted)
    assert run(issuer.withdraw(late.handle)).state is OrderState.ISSUED


def test_an_order_that_is_made_is_not_refused_by_a_look_at_it(
    desk: Counter, monkeypatch: pytest.MonkeyPatch
) -> None:
    issuer, wanted = desk.issuer(), desk.wanted()

    known = routes.find

    def declined(method: str, path: str) -> Any:
        if "random-value" in path:
            not_now()
        return known(method, path)

    with monkeypatch.context() as patch:
        patch.setattr(routes, "find", declined)
        placed = run(issuer.place(wanted))
        assert placed.state is OrderState.WORKING
        assert refusal(issuer.poll(wanted, placed.handle)).reason is Reason.BAD_ANSWER
    assert run(issuer.place(wanted)).handle == placed.handle
    assert run(issuer.poll(wanted, placed.handle)).state is OrderState.TASKS


def test_the_first_call_does_not_search(desk: Counter) -> None:
    run(desk.issuer().place(desk.wanted(first=True)))
    assert "list" not in desk.ca.calls
    run(desk.issuer().place(desk.wanted()))
    assert "list" in desk.ca.calls


def test_too_many_requests_are_told_with_their_time(desk: Counter) -> None:
    desk.ca.misbehave("order", "LIMITED", seconds=17)
    wanted = desk.wanted()
    error = refusal(desk.issuer().place(wanted))
    assert (error.reason, error.retry_after, error.permanent) == (Reason.RATE_LIMITED, 17, False)
    assert desk.ca.calls.count("order") == 1  # nobody knocked again by itself
    assert placed_at(desk.issuer(), wanted).state is OrderState.TASKS


def test_revoked_once_and_twice(desk: Counter) -> None:
    issuer, wanted = desk.issuer(), desk.wanted()
    done = desk.issued(wanted)
    desk.ca.misbehave("revoke", "LOST")
    assert not refusal(issuer.revoke(done.chain[0], done.handle, 1)).permanent
    for _ in range(2):
        run(issuer.revoke(done.chain[0], done.handle, 1))
    desk.ca.misbehave("revoke", "ERROR")
    assert refusal(issuer.revoke(done.chain[0], done.handle, 1)).reason is Reason.BUSY
    crl = x509.load_der_x509_crl(desk.http.get(f"{desk.ca.url}/lab/crl.der").content)
    assert [one.serial_number for one in crl] == [leaf(done).serial_number]
    assert run(issuer.poll(wanted, done.handle)).state is OrderState.CANCELLED  # nobody may use it any more
    other = desk.issued(desk.wanted("b.example.test"))
    strict = desk.issuer(skip_approval=False)
    for _ in range(2):
        waits = refusal(strict.revoke(other.chain[0], other.handle, 99))
        assert (waits.reason, "approval" in waits.message) == (Reason.BUSY, True)
    old = desk.issued(desk.wanted("c.example.test"))
    new = desk.wanted("c.example.test", key=7, replaces=old.chain[0], predecessor=old.handle)
    desk.ca.misbehave("order-info", "ERROR")
    assert refusal(issuer.place(new)).reason is Reason.BUSY
    assert placed_at(issuer, new).state is OrderState.ISSUED
    for _ in range(2):
        run(issuer.revoke(old.chain[0], old.handle, 4))  # the order shows its newer certificate only
    missing = refusal(issuer.revoke(tls.make("x.example.test").leaf, done.handle, 0))
    assert missing.reason is Reason.NOT_THERE


def said_yes(desk: Counter, mail: LabSmtp, question: str) -> None:
    asked = mail.wait_for(lambda one: question in str(one.subject))
    assert desk.http.post(asked.text.split()[-1]).status_code == 200


def revoked(desk: Counter, order: Order) -> None:
    run(desk.issuer().revoke(order.chain[0], order.handle, 4))


# rule: REV-7
@pytest.mark.parametrize("method", ["dns-txt", "dns-cname"])
def test_control_that_is_wanted_again_is_told_for_each_domain(desk: Counter, method: str) -> None:
    names = (NAME, "*.example.test", "other.example.test")
    order = desk.issued(desk.wanted(*names), dcv_method=method)
    desk.control("PUT", "settings", {"revocation_proof": True})
    told = refusal(desk.issuer().revoke(order.chain[0], order.handle, 4))
    assert isinstance(told, ControlWanted)
    (held,) = desk.ca.office.orders.values()
    assert all(f"_dnsauth.{name}" in told.next_step for name in (NAME, "example.test", "other.example.test"))
    assert held.token in told.next_step
    kind, value = method.removeprefix("dns-").upper(), held.token
    for name in (NAME, "example.test"):
        desk.dns.set(f"_dnsauth.{name}", kind, [f"{value}.{CNAME_END}." if kind == "CNAME" else value])
    with pytest.raises(ControlWanted):
        revoked(desk, order)
    desk.dns.set("_dnsauth.other.example.test", kind, [f"{value}.{CNAME_END}." if kind == "CNAME" else value])
    revoked(desk, order)
    assert desk.state()["orders"][0]["status"] == "revoked"


# rule: REV-7
def test_control_that_is_wanted_again_is_shown_by_mail_where_the_order_was() -> None:
    with LabSmtp() as mail, counter(mail=mail) as desk:
        issuer, wanted = desk.issuer(dcv_method="email"), desk.wanted()
        order = placed_at(issuer, wanted)
        said_yes(desk, mail, "be issued")
        order = run(issuer.poll(wanted, order.handle))
        desk.control("PUT", "settings", {"revocation_proof": True})
        told = refusal(desk.issuer().revoke(order.chain[0], order.handle, 4))
        assert isinstance(told, ControlWanted)
        assert told.next_step == "Answer its mail to the mailboxes of each domain."
        with pytest.raises(ControlWanted):
            revoked(desk, order)
        said_yes(desk, mail, "be revoked")
        revoked(desk, order)
        assert desk.state()["orders"][0]["status"] == "revoked"


def test_of_very_many_domains_the_first_are_named() -> None:
    names = [f"host-{number}.example.test" for number in range(250)]
    told = orders.control_wanted(names, orders.tasks("dns-txt-token", names, "f" * 32, frozenset()))
    assert len(f"{told.message} {told.next_step}") < 500
    assert "_dnsauth.host-1.example.test, " in told.next_step
    assert f", … to {'f' * 32};" in told.next_step


def test_a_reissue_keeps_the_order_and_adds_names(desk: Counter) -> None:
    issuer, first = desk.issuer(), desk.wanted()
    done = desk.issued(first)
    more = replace(
        desk.wanted(NAME, "b.example.test", key=2), replaces=done.chain[0], predecessor=done.handle
    )
    placed = placed_at(issuer, more)
    assert (placed.state, placed.handle.partition("/")[0]) == (OrderState.TASKS, done.handle)
    assert [task.name for task in placed.tasks if not task.done] == ["b.example.test"]
    assert run(issuer.poll(first, done.handle)).chain == done.chain  # the one in use is not touched
    assert run(issuer.withdraw(done.handle)).state is OrderState.ISSUED  # nor is the reissue
    again = run(issuer.proceed(more, placed.handle, desk.prove(placed.tasks)))
    assert again.state is OrderState.ISSUED
    assert has_key_of(again, more)
    third = replace(
        desk.wanted(NAME, "b.example.test", "c.example.test", key=3),
        replaces=again.chain[0],
        predecessor=placed.handle,
    )
    last = placed_at(issuer, third)
    assert run(issuer.withdraw(last.handle)).state is OrderState.CANCELLED
    assert run(issuer.poll(third, last.handle)).state is OrderState.CANCELLED
    assert run(issuer.poll(more, placed.handle)).chain == again.chain
    fourth = replace(third, reference="fourth")
    other = placed_at(issuer, fourth)
    run(issuer.proceed(fourth, other.handle, desk.prove(other.tasks)))
    assert run(issuer.poll(more, placed.handle)).chain == again.chain  # the older one of two reissues
    assert len(desk.state()["orders"]) == 1


def test_what_a_reissue_would_harm_becomes_an_order_of_its_own(desk: Counter) -> None:
    issuer = desk.issuer()
    done = desk.issued(desk.wanted(NAME, "b.example.test"))
    fewer = replace(desk.wanted(key=2), replaces=done.chain[0], predecessor=done.handle)
    assert "/" not in placed_at(issuer, fewer).handle  # names left out: CertCentral would revoke the old one
    desk.clock.passes(300)
    end = replace(desk.wanted(NAME, "b.example.test", key=3), replaces=done.chain[0], predecessor=done.handle)
    renewal = placed_at(issuer, end)
    assert desk.ca.office.orders[int(renewal.handle)].renewal_of == int(done.handle)
    elsewhere = replace(
        desk.wanted(key=6), replaces=done.chain[0], predecessor=done.handle, product="ssl_dv_rapidssl"
    )
    assert "/" not in placed_at(desk_now(desk), elsewhere).handle
    gone = replace(desk.wanted(key=4), replaces=done.chain[0], predecessor="99")
    assert placed_at(issuer, gone).state is OrderState.TASKS
    foreign = replace(desk.wanted(key=5), replaces=done.chain[0], predecessor="https://acme.test/order/1")
    assert refusal(issuer.place(foreign)).reason is Reason.NOT_THERE


def test_an_order_may_wait_for_the_accounts_own_approval(desk: Counter) -> None:
    issuer, wanted = desk.issuer(skip_approval=False), desk.wanted()
    placed = placed_at(issuer, wanted)
    assert (placed.state, "administrator" in placed.words) == (OrderState.WORKING, True)
    (request,) = desk.ca.office.orders[int(placed.handle)].requests
    path = f"{desk.ca.url}/services/v2/request/{request.id}/status"
    headers = {"X-DC-DEVKEY": desk.ca.key}
    assert desk.http.put(path, json={"status": "approved"}, headers=headers).status_code == 204
    assert run(issuer.poll(wanted, placed.handle)).state is OrderState.TASKS


def test_a_certificate_for_another_key_comes_as_it_is_and_can_be_revoked(desk: Counter) -> None:
    desk.ca.misbehave("issue", "WRONG_KEY")
    issuer, wanted = desk.issuer(), desk.wanted()
    placed = placed_at(issuer, wanted)
    done = run(issuer.proceed(wanted, placed.handle, desk.prove(placed.tasks)))
    key = keys.spki_sha256(x509.load_der_x509_csr(wanted.csr).public_key())
    assert (done.state, len(done.chain)) == (OrderState.ISSUED, 2)
    assert certificates.facts(done.chain[0]).spki_sha256 != key
    run(issuer.revoke(done.chain[0], done.handle, 0))
    assert run(issuer.poll(wanted, placed.handle)).state is OrderState.CANCELLED


def test_what_somebody_reissued_there_by_hand_is_not_ours_to_revoke(desk: Counter) -> None:
    desk.ca.misbehave("issue", "WRONG_KEY")
    issuer, wanted = desk.issuer(), desk.wanted()
    placed = placed_at(issuer, wanted)
    desk.prove(placed.tasks)
    row = desk.ca.office.orders[int(placed.handle)]
    issuing.look(desk.ca.office, row)
    assert run(issuer.poll(wanted, placed.handle)).chain  # of our own request, though for another key
    by_hand = desk.wanted(key=9)
    options = registry.read_options("certcentral", {"api_key": "x"})
    assert isinstance(options, CertCentralOptions)
    again = orders.reissue(options, by_hand) | {"comments": "by hand"}
    ordering.reissue(desk.ca.office, row.id, again)
    told = refusal(issuer.poll(wanted, placed.handle))
    assert (told.reason, "reissued in CertCentral" in told.message) == (Reason.BAD_ANSWER, True)
    assert [one.status for one in row.certificates] == ["issued", "issued"]
    assert not orders.brought_newest({"requests": []}, None)


def test_the_test_orders_nothing_and_says_what_is_wrong(desk: Counter) -> None:
    assert run(desk.issuer().test()).ok
    noted = run(desk.issuer(dv_product="ssl_nothing").test())
    assert (noted.ok, noted.notes) == (True, ("The account may not order ssl_nothing.",))
    wrong = run(desk.issuer(api_key="another").test())
    assert (wrong.ok, "403" in wrong.problem, "API key" in wrong.next_step) == (False, True, True)
    assert "another" not in wrong.problem
    desk.ca.misbehave("product", "NONSENSE")
    assert "CertCentral" in run(desk.issuer().test()).problem
    assert desk.state()["orders"] == []
    assert run(desk_now(desk).test()).ok
    kind = registry.kind_of("certcentral")
    stored = {"server_url": desk.ca.url, "api_key": "k"}
    assert (kind.label, registry.read_options(kind.name, stored).endpoint()) == (
        "DigiCert CertCentral",
        ("127.0.0.1", int(desk.ca.url.rpartition(":")[2])),
    )
    assert refusal(desk.issuer(api_key="another").place(desk.wanted())).reason is Reason.CREDENTIALS


def test_what_is_asked_for_but_not_sold(desk: Counter) -> None:
    error = refusal(desk.issuer(dv_product="").place(desk.wanted()))
    assert (error.reason, error.field) == (Reason.OPTIONS, "dv_product")
    nobody = refusal(desk.issuer().place(desk.wanted(level="OV", organization={})))
    assert nobody.reason is Reason.REFUSED
    assert refusal(desk.issuer().place(desk.wanted(product="ssl_nothing"))).reason is Reason.NOT_THERE
    levels = desk.issuer(dv_product="", ov_product="").capabilities
    assert (levels.levels, levels.wildcard) == (frozenset({"EV"}), False)
    assert "digicert.com" in levels.caa_domains


def test_a_silent_or_closed_server_is_named_as_such(desk: Counter) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        closed = refusal(desk.issuer(server_url=f"http://127.0.0.1:{port}").place(desk.wanted()))
    assert (closed.reason, closed.permanent) == (Reason.UNREACHABLE, False)
    desk.ca.misbehave("list", "SLOW", seconds=1.0)
    late = refusal(desk.issuer(seconds=0.2).place(desk.wanted()))
    assert (late.reason, late.permanent) == (Reason.TIMEOUT, False)
    outside = refusal(desk.issuer(server_url="http://192.0.2.1:8080").place(desk.wanted()))
    assert (outside.reason, outside.permanent) == (Reason.NOT_ALLOWED, True)


def test_answers_of_another_shape_are_no_answers(desk: Counter, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not one of them ends in an error of our own, and none is taken for an order."""
    issuer, wanted = desk.issuer(), desk.wanted(level="OV")

    def spoilt(part: str, answer: object, work: Callable[[], Awaitable[object]]) -> None:
        with monkeypatch.context() as patch:
            patch.setattr(shown, part, lambda *_: answer)
            assert refusal(work()).reason is Reason.BAD_ANSWER

    spoilt("page", {}, lambda: issuer.place(wanted))
    spoilt("placed", {}, lambda: issuer.place(wanted))
    placed = placed_at(issuer, wanted)
    done = run(issuer.proceed(wanted, placed.handle, desk.prove(placed.tasks)))
    later = replace(desk.wanted(NAME, "b.test", level="OV"), replaces=done.chain[0], predecessor=done.handle)
    spoilt("placed", {"requests": []}, lambda: issuer.place(later))
    desk.ca.office.orders[int(done.handle)].token = ""
    again = run(issuer.place(later))
    assert refusal(issuer.poll(later, again.handle)).reason is Reason.BAD_ANSWER
    row = shown.full(desk.ca.office.orders[int(done.handle)])
    spoilt("full", row | {"certificate": None}, lambda: issuer.poll(wanted, done.handle))
    ours = {"id": "?", "type": "reissue", "status": "pending", "comments": orders.mark(later.reference)}
    spoilt("full", row | {"requests": [ours]}, lambda: issuer.place(later))
    nameless = {"status": "pending", "requests": [], "dcv_method": "dns-txt-token"}
    spoilt("full", nameless, lambda: issuer.poll(wanted, done.handle))
    with monkeypatch.context() as patch:
        patch.setattr(shown, "product", lambda _: {})
        assert "did not answer as CertCentral" in run(issuer.test()).problem
        patch.setattr(shown, "full", lambda _: [1])
        assert refusal(issuer.poll(wanted, done.handle)).reason is Reason.BAD_ANSWER
    odd = row | {"status": "issued", "order_valid_till": "soon", "requests": None, "certificate": 1}
    assert not orders.can_reissue(odd, "ssl_basic", later, (NAME,))
    assert orders.renewed(odd, "ssl_basic", desk.clock.at, desk.clock.at)
    assert orders.asked(odd, None) == {}


def test_failures_of_another_shape_are_told_too(desk: Counter, monkeypatch: pytest.MonkeyPatch) -> None:
    issuer = desk.issuer()

    def answering(status: int, body: object) -> IssuerError:
        def say(*_: object) -> None:
            raise Refused(status, "code", "words")

        with monkeypatch.context() as patch:
            patch.setattr(routes, "find", say)
            patch.setattr(Refused, "body", body)
            return refusal(issuer.place(desk.wanted()))

    moved = answering(302, {})
    assert (moved.reason, "redirect" in moved.next_step) == (Reason.BAD_ANSWER, True)
    for body in ("plain", [], {"errors": "x"}, {"errors": [{}]}):
        broken = answering(503, body)
        assert (broken.reason, broken.permanent) == (Reason.BUSY, False)
    secret = answering(401, {"errors": [{"message": f"no user for {desk.ca.key}"}]})
    assert (secret.reason, desk.ca.key in secret.message) == (Reason.CREDENTIALS, False)


def test_an_organization_is_found_made_or_chosen(desk: Counter, monkeypatch: pytest.MonkeyPatch) -> None:
    issuer = desk.issuer()
    placed_at(desk.issuer(organization_phone="+49 30 1"), desk.wanted(level="OV", contact={}))
    placed_at(issuer, desk.wanted(level="OV", organization={**COMPANY, "name": "Second Ltd"}))
    first, second = desk.state()["organizations"]
    assert [first["name"], second["name"]] == [COMPANY["name"], "Second Ltd"]
    chosen = placed_at(desk.issuer(organization_id=first["id"]), desk.wanted(level="OV", organization={}))
    used = desk.ca.office.orders[int(chosen.handle)].organization
    assert used is desk.ca.office.organizations[first["id"]]
    unsigned = refusal(issuer.place(desk.wanted(level="EV", contact={})))
    assert "ev_approver" in unsigned.message
    for contact in ({"email": "li@example.test"}, {"name": "Li", "email": "li@example.test"}):
        placed_at(issuer, desk.wanted(level="EV", contact=contact))
    for number in range(3):  # more than one page of them
        placed_at(issuer, desk.wanted(level="OV", organization={**COMPANY, "name": f"Number {number} Ltd"}))
    monkeypatch.setattr(organizations, "_PAGE", 2)
    placed_at(issuer, desk.wanted(level="OV", organization={**COMPANY, "name": "NUMBER 2 ltd"}))
    assert len(desk.state()["organizations"]) == 5
    monkeypatch.setattr(organizations, "_MOST_PAGES", 1)
    placed_at(issuer, desk.wanted(level="OV", organization={**COMPANY, "name": "Number 2 Ltd"}))
    assert len(desk.state()["organizations"]) == 6
    monkeypatch.setattr(people, "add_organization", lambda *_: Organization("x", {}))  # type: ignore[arg-type]
    new = desk.wanted(level="OV", organization={**COMPANY, "name": "New Ltd"})
    assert refusal(issuer.place(new)).reason is Reason.BAD_ANSWER


@pytest.mark.parametrize("field", ["organization_street", "organization_zip"])
def test_what_no_application_has_is_the_operators_to_enter(desk: Counter, field: str) -> None:
    refused = refusal(desk.issuer(**{field: ""}).place(desk.wanted(level="OV")))
    assert (refused.reason, refused.field, refused.sent) == (Reason.OPTIONS, field, False)
    assert desk.state()["organizations"] == []
    placed_at(desk.issuer(), desk.wanted(level="OV"))
    placed_at(desk.issuer(**{field: ""}), desk.wanted(level="OV"))  # CertCentral knows it by now


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"dv_product": "", "ov_product": "", "ev_product": ""}, "at least one level"),
        ({"approvers": ["bob@example.test"]}, "approvers"),
        ({"dcv_method": "fax"}, "dcv_method"),
        ({"server_url": "ftp://x"}, "server_url"),
    ],
)
def test_wrong_options_are_named(desk: Counter, given: dict[str, object], field: str) -> None:
    with pytest.raises(IssuerError) as refused:
        desk.issuer(**given)
    assert refused.value.reason is Reason.OPTIONS
    with pytest.raises(IssuerError, match="no kind"):
        registry.kind_of("nothing")
    assert field in refused.value.message
