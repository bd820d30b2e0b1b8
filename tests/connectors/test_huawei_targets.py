"""Huawei Cloud ELB, WAF and CDN: what the guide asks of each, and what they do not give out."""

import asyncio
from collections.abc import Awaitable
from datetime import UTC, datetime, timedelta
from typing import TypeVar

import pytest

from certdesk.connectors.targets import registry
from certdesk.connectors.targets.huawei.elb import Elb, ElbOptions
from certdesk.connectors.targets.options import Outside
from certdesk.connectors.targets.protocol import Reason, TargetError
from certdesk.connectors.targets.returning import ReturnsFromInventory
from tests.support import clouds, tls
from tests.support.clouds import LOOPBACK, NAME, pem
from tests.support.huawei_cloud import PROJECT, CdnStub, ElbStub, WafStub
from tests.support.stub_http import Answer

T = TypeVar("T")


def run(work: Awaitable[T]) -> T:
    async def inside() -> T:
        return await work

    return asyncio.run(inside())


def refusal(work: Awaitable[object]) -> TargetError:
    with pytest.raises(TargetError) as refused:
        run(work)
    return refused.value


# rule: DEP-4
def test_elb_changes_the_names_with_the_certificate_and_puts_both_back() -> None:
    with clouds.elb() as case:
        made, before = (
            tls.make("a.example.test", "*.b.example.test"),
            run(case.target().snapshot(case.resource)),
        )
        run(case.target().install(case.resource, made.bundle))
        (found,) = run(case.target().resources())
        assert (found.names, found.listeners) == (
            ("a.example.test", "*.b.example.test"),
            ("203.0.113.7:443",),
        )
        assert case.stub.changes == [f"PUT /v3/{PROJECT}/elb/certificates/{case.resource}"]
        run(case.target().restore(case.resource, before))
        assert run(case.target().resources())[0].names == (NAME,)


# rule: DEP-7
def test_elb_knows_who_uses_what() -> None:
    """By SNI it is served for the names that ELB was told, as a default for its own; else for nobody."""
    with clouds.elb() as case:
        stub = case.stub
        assert isinstance(stub, ElbStub)
        other, third = tls.make("two.example.test"), tls.make("three.example.test")
        by_sni = stub.add(pem(other), other.bundle.key, "")
        unused = stub.add(pem(third), third.bundle.key, "three.example.test")
        stub.certificates[case.resource]["domain"] = ""
        stub.listeners[0]["sni_container_refs"] = [by_sni, case.resource]
        stub.balancers["b1"] = {"id": "b1", "vip_address": "10.0.0.9", "eips": []}
        found = {one.id: one for one in run(case.target().resources())}
        assert found[case.resource].names == (NAME,)
        assert found[case.resource].listeners == ("10.0.0.9:443",)
        assert (found[by_sni].names, found[by_sni].listeners) == ((), ("10.0.0.9:443",))
        assert (found[unused].names, found[unused].listeners) == ((), ())
        named = case.target(listeners=["127.0.0.1:9443"])
        assert run(named.resources())[0].listeners == ("127.0.0.1:9443",)


def test_elb_that_hides_private_keys_needs_ours() -> None:
    with clouds.elb() as case:
        assert isinstance(case.stub, ElbStub)
        assert len(run(case.target().test()).notes) == 1
        case.stub.echo = False
        assert "private-key-echo" in run(case.target().test()).notes[1]
        target = case.target()
        assert refusal(target.snapshot(case.resource)).reason is Reason.NO_WAY_BACK
        assert isinstance(target, ReturnsFromInventory)
        before = run(target.snapshot_of(case.resource, case.first.bundle))
        run(target.install(case.resource, tls.make(NAME).bundle))
        run(target.restore(case.resource, before))
        assert case.first.bundle.leaf in case.held()
        allowed = case.target(without_way_back=True)
        assert refusal(allowed.restore(case.resource, run(allowed.snapshot(case.resource)))).reason is (
            Reason.NO_WAY_BACK
        )


# rule: DEP-3
@pytest.mark.parametrize("edition", ["cloud", "premium"])
def test_waf_takes_only_domains_with_https(edition: str) -> None:
    with clouds.waf(edition) as case:
        stub = case.stub
        assert isinstance(stub, WafStub)
        path = "waf/instance" if edition == "cloud" else "premium-waf/host"
        plain = stub.add_host("*.plain.example.test:8443", "", path)
        found = {one.id: one for one in run(case.target().resources())}
        assert found[f"domain/{plain}"].listeners == ("www.plain.example.test:8443",)
        assert found[f"domain/{plain}"].fingerprint_sha1 == ""
        for work in (
            case.target().snapshot(f"domain/{plain}"),
            case.target().install(f"domain/{plain}", tls.make(NAME).bundle),
        ):
            error = refusal(work)
            assert (error.reason, "without HTTPS" in error.message) == (Reason.REFUSED, True)
        assert stub.changes == []
        made = tls.make(NAME).bundle
        run(case.target().install(case.resource, made))
        run(case.target().install(case.resource, made))
        assert len(stub.certificates) == 2


def test_waf_is_cleared_of_what_expired_and_nobody_uses() -> None:
    with clouds.waf() as case:
        assert isinstance(case.stub, WafStub)
        old = case.stub.add("certdesk-old", pem(case.first), case.first.bundle.key)
        foreign = case.stub.add("foreign", pem(case.first), case.first.bundle.key)
        for one in (old, foreign):
            case.stub.certificates[one]["exp_status"] = 1
        run(case.target().keep(case.resource, case.first.bundle))
        assert foreign in case.stub.certificates
        assert old not in case.stub.certificates


def test_waf_serves_nothing_from_an_object_that_no_domain_uses() -> None:
    with clouds.waf() as case:
        pushed = run(case.target().push("pushed", tls.make(NAME).bundle))
        assert refusal(case.target().snapshot(pushed.id)).reason is Reason.NOT_THERE
        assert isinstance(case.stub, WafStub)
        for row in case.stub.certificates.values():
            row["content"] = ""
        assert refusal(case.target().snapshot(case.resource)).reason is Reason.NO_WAY_BACK


def test_cdn_that_shows_private_keys_needs_nothing_of_ours() -> None:
    with clouds.cdn() as case:
        assert isinstance(case.stub, CdnStub)
        case.stub.shows_keys = True
        before = run(case.target().snapshot(case.resource))
        run(case.target().install(case.resource, tls.make(NAME).bundle))
        assert case.stub.https[NAME]["cert_name"].startswith("certdesk-")
        run(case.target().restore(case.resource, before))
        assert case.first.bundle.leaf in case.held()
        assert case.stub.https[NAME]["cert_name"] == "first"


def test_long_lists_are_read_page_by_page() -> None:
    with clouds.cdn() as case:
        assert isinstance(case.stub, CdnStub)
        for number in range(230):
            case.stub.https[f"n{number}.example.test"] = {}
        assert len(run(case.target().resources())) == 231
        assert refusal(case.target().snapshot("n7.example.test")).reason is Reason.REFUSED


def test_a_clock_that_is_wrong_is_refused_by_the_service() -> None:
    with clouds.elb() as case:
        options = registry.read_options("huawei-elb", case.options)
        assert isinstance(options, ElbOptions)
        outside = Outside(allow_networks=LOOPBACK)
        late = Elb(options, outside, now=lambda: datetime.now(UTC) - timedelta(minutes=20))
        error = refusal(late.resources())
        assert (error.reason, "clocks" in error.next_step) == (Reason.REFUSED, True)


@pytest.mark.parametrize("kind", ["huawei-elb", "huawei-waf", "huawei-cdn"])
@pytest.mark.parametrize(
    "body", [b"[]", b"null", b'{"certificates": [1], "items": [1], "https": [1], "domains": [1]}']
)
def test_answers_of_another_shape_are_told(kind: str, body: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    with clouds.CASES[kind]() as case:
        monkeypatch.setattr(case.stub, "answer", lambda _: Answer(200, body))
        bundle = tls.make(NAME).bundle
        target = case.target()
        for work in (target.resources(), target.snapshot(case.resource), target.push("name", bundle)):
            assert refusal(work).reason in (Reason.BAD_ANSWER, Reason.REFUSED)


def test_addresses_are_the_regions_own_unless_given() -> None:
    key = {"access_key": "A", "secret_key": "B"}
    found = [
        registry.read_options(kind, {**key, **more}).endpoint()
        for kind, more in (
            ("huawei-elb", {"project_id": "p", "region": "eu-west-101"}),
            ("huawei-waf", {"project_id": "p"}),
            ("huawei-cdn", {}),
        )
    ]
    assert found == [
        ("elb.eu-west-101.myhuaweicloud.com", 443),
        ("waf.cn-north-4.myhuaweicloud.com", 443),
        ("cdn.myhuaweicloud.com", 443),
    ]
