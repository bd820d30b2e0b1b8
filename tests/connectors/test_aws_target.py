"""AWS: the signature by AWS' own examples, who uses a certificate, codes that say more than a status."""

import asyncio
from collections.abc import Awaitable
from datetime import UTC, datetime
from typing import TypeVar

import pytest

from certdesk.connectors.targets import registry
from certdesk.connectors.targets.aws.sigv4 import Key, sign
from certdesk.connectors.targets.protocol import Reason, TargetError
from tests.support import aws, clouds, tls
from tests.support.aws import AwsStub
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


@pytest.mark.parametrize(
    ("query", "signature"),
    [
        ("", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
        ("?Param2=value2&Param1=value1", "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500"),
    ],
)
def test_the_signature_is_that_of_the_published_examples(query: str, signature: str) -> None:
    """`get-vanilla` and `get-vanilla-query-order-key-case` of AWS' test suite for version 4."""
    key = Key("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")
    now = datetime(2015, 8, 30, 12, 36, tzinfo=UTC)
    url = f"https://example.amazonaws.com/{query}"
    made = sign("GET", url, key, ("us-east-1", "service"), now=now)
    assert made["Authorization"] == (
        "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, "
        f"SignedHeaders=host;x-amz-date, Signature={signature}"
    )
    assert "wJalr" not in repr(key)
    token = sign("GET", url, Key("A", "B", "session"), ("us-east-1", "service"), now=now)
    assert "x-amz-security-token" in token["Authorization"]


def test_who_uses_a_certificate_decides_where_it_is_looked_at() -> None:
    with clouds.aws_acm() as case:
        assert isinstance(case.stub, AwsStub)
        made = tls.make("cdn.example.test").bundle
        unused, classic, edge = (case.stub.add(made.leaf, made.key) for _ in range(3))
        issued = case.stub.add(made.leaf, made.key, "AMAZON_ISSUED")
        case.stub.users[classic] = ["arn:aws:elasticloadbalancing:eu-west-1:1:loadbalancer/old"]
        case.stub.users[edge] = [aws.DISTRIBUTION, aws.BALANCER]
        found = {one.id: one for one in run(case.target().resources())}
        assert issued not in found
        assert found[case.resource].listeners == ("web.elb.test:443",)
        assert (found[unused].names, found[unused].listeners) == ((), ())
        assert (found[classic].names, found[classic].listeners) == (("cdn.example.test",), ())
        assert found[edge].listeners == ("d111.cloudfront.net:443",)
        named = {one.id: one for one in run(case.target(listeners=["127.0.0.1:9443"]).resources())}
        assert named[classic].listeners == ("127.0.0.1:9443",)
        assert named[unused].listeners == ()
        case.stub.users[edge] = [f"{aws.DISTRIBUTION}X"]
        assert refusal(case.target().resources()).reason is Reason.NOT_THERE
        case.stub.users[edge] = [f"{aws.BALANCER}X"]
        assert refusal(case.target().resources()).reason is Reason.NOT_THERE


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b'{"__type": "com.amazon#ThrottlingException", "message": "Rate exceeded"}', Reason.BUSY),
        (b'{"__type": "ValidationException", "message": "no"}', Reason.REFUSED),
        (b"[]", Reason.REFUSED),
        (b"", Reason.REFUSED),
    ],
)
def test_codes_say_more_than_their_status(
    body: bytes, reason: Reason, monkeypatch: pytest.MonkeyPatch
) -> None:
    with clouds.aws_acm() as case:
        monkeypatch.setattr(case.stub, "answer", lambda _: Answer(400, body))
        assert refusal(case.target().resources()).reason is reason


@pytest.mark.parametrize("body", [b"<!DOCTYPE a><a/>", b"<a", b"{}"])
def test_xml_that_is_none_or_has_a_document_type_is_not_read(
    body: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    with clouds.aws_acm() as case:
        monkeypatch.setattr(case.stub, "_balancing", lambda _: Answer(200, body))
        assert refusal(case.target().resources()).reason is Reason.BAD_ANSWER
        monkeypatch.setattr(case.stub, "_balancing", lambda _: Answer(503, body))
        assert refusal(case.target().resources()).reason is Reason.BUSY


@pytest.mark.parametrize(
    "body", [b"[]", b"{}", b'{"CertificateSummaryList": [{"CertificateArn": "a", "Type": "IMPORTED"}]}']
)
def test_answers_of_another_shape_are_told(body: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    with clouds.aws_acm() as case:
        monkeypatch.setattr(case.stub, "answer", lambda _: Answer(200, body))
        for work in (case.target().resources(), case.target().push("name", case.first.bundle)):
            assert refusal(work).reason is Reason.BAD_ANSWER


def test_addresses_are_the_regions_own_unless_given() -> None:
    key = {"access_key": "A", "secret_key": "B"}
    found = registry.read_options("aws-acm", {**key, "region": "eu-west-1"})
    assert found.endpoint() == ("acm.eu-west-1.amazonaws.com", 443)
    china = registry.read_options("aws-acm", {**key, "region": "cn-north-1"})
    assert china.endpoint() == ("acm.cn-north-1.amazonaws.com.cn", 443)
    assert found.base("cloudfront") == "https://cloudfront.amazonaws.com"  # type: ignore[attr-defined]
