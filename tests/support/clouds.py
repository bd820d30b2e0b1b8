"""Cases of cloud targets for one suite: a stand-in, the options that reach it, and what it holds at first."""

import base64
import ipaddress
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from certdesk.connectors.targets import registry
from certdesk.connectors.targets.options import Outside
from certdesk.connectors.targets.protocol import Reason, Target
from tests.support import aws, cluster, huawei_cloud, tls, vault
from tests.support.aws import AwsStub
from tests.support.cluster import Cluster
from tests.support.huawei_cloud import PROJECT, CdnStub, ElbStub, HuaweiCloud, WafStub
from tests.support.stub_http import Stub, running
from tests.support.vault import VaultStub

NAME = "www.example.test"
LOOPBACK = (ipaddress.ip_network("127.0.0.0/8"),)


@dataclass
class Case:
    """One stand-in with `NAME` served from `resource`.

    Attributes:
        shows_keys: the way back needs nothing of the caller.
        pushes: it takes certificates that nothing uses.
        changing: the method by which a certificate comes into force.
        gone: why an unknown resource is refused.
    """

    kind: str
    stub: Stub
    options: dict[str, Any]
    resource: str
    first: tls.Made
    held: Callable[[], str]
    shows_keys: bool = True
    pushes: bool = True
    changing: str = "PUT"
    gone: Reason = Reason.NOT_THERE
    unknown: str = "0" * 32
    secrets: tuple[str, ...] = field(default=(), repr=False)

    def target(self, seconds: float = 20, **options: Any) -> Target:
        outside = Outside(seconds=seconds, allow_networks=LOOPBACK)
        return registry.connect(self.kind, {**self.options, **options}, outside)


def pem(made: tls.Made) -> str:
    return made.bundle.leaf + made.bundle.chain


def huawei(stub: HuaweiCloud, **more: Any) -> dict[str, Any]:
    keys = {"access_key": huawei_cloud.ACCESS_KEY, "secret_key": huawei_cloud.SECRET_KEY}
    return {**keys, "service_url": stub.url, **more}


@contextmanager
def elb() -> Iterator[Case]:
    first = tls.make(NAME)
    with running(ElbStub()) as stub:
        one = stub.add(pem(first), first.bundle.key, NAME)
        stub.balancers["b1"] = {
            "id": "b1",
            "vip_address": "10.0.0.9",
            "eips": [{"eip_address": "203.0.113.7"}],
        }
        row = {"protocol": "HTTPS", "protocol_port": 443, "loadbalancers": [{"id": "b1"}]}
        stub.listeners = [
            {**row, "id": "l1", "default_tls_container_ref": one, "sni_container_refs": []},
            {**row, "id": "l2", "protocol": "TCP", "default_tls_container_ref": None},
        ]
        options = huawei(stub, project_id=PROJECT)
        yield Case(
            "huawei-elb", stub, options, one, first, lambda: str(stub.certificates[one]["certificate"]),
            secrets=(huawei_cloud.SECRET_KEY,),
        )  # fmt: skip


@contextmanager
def waf(edition: str = "cloud") -> Iterator[Case]:
    first = tls.make(NAME)
    path = "waf/instance" if edition == "cloud" else "premium-waf/host"
    with running(WafStub()) as stub:
        host = stub.add_host(NAME, stub.add("first", pem(first), first.bundle.key), path)

        def held() -> str:
            return str(stub.certificates[stub.hosts[path][host]["certificateid"]]["content"])

        options = huawei(stub, project_id=PROJECT, edition=edition)
        yield Case(
            "huawei-waf", stub, options, f"domain/{host}", first, held, changing="POST",
            unknown=f"domain/{'0' * 32}", secrets=(huawei_cloud.SECRET_KEY,),
        )  # fmt: skip


@contextmanager
def cdn() -> Iterator[Case]:
    first = tls.make(NAME)
    with running(CdnStub()) as stub:
        stub.add(NAME, pem(first), first.bundle.key)
        yield Case(
            "huawei-cdn", stub, huawei(stub), NAME, first, lambda: str(stub.https[NAME]["certificate"]),
            shows_keys=False, pushes=False, gone=Reason.REFUSED, unknown="other.example.test",
            secrets=(huawei_cloud.SECRET_KEY,),
        )  # fmt: skip


@contextmanager
def kubernetes() -> Iterator[Case]:
    first = tls.make(NAME)
    with running(Cluster()) as stub:
        stub.add("web", pem(first), first.bundle.key)
        stub.ingresses = [{"spec": {"tls": [{"secretName": "web", "hosts": [NAME]}, {"hosts": ["b.test"]}]}}]
        options = {"server_url": stub.url, "token": cluster.TOKEN, "namespaces": ["default"]}
        options["listeners"] = ["127.0.0.1:9443"]

        def held() -> str:
            return base64.b64decode(stub.secrets["web"]["data"]["tls.crt"]).decode()

        yield Case(
            "kubernetes", stub, options, "default/web", first, held, changing="PATCH",
            unknown="default/other", secrets=(cluster.TOKEN,),
        )  # fmt: skip


@contextmanager
def kept_in_vault() -> Iterator[Case]:
    first = tls.make(NAME)
    with running(VaultStub()) as stub:
        stub.add("web", pem(first), first.bundle.key)
        options = {"server_url": stub.url, "token": vault.TOKEN, "listeners": ["127.0.0.1:9443"]}
        yield Case(
            "vault", stub, options, "web", first, lambda: str(stub.versions["web"][-1]["certificate"]),
            changing="POST", unknown="other", secrets=(vault.TOKEN,),
        )  # fmt: skip


@contextmanager
def aws_acm() -> Iterator[Case]:
    first = tls.make(NAME)
    with running(AwsStub()) as stub:
        arn = stub.add(first.bundle.leaf, first.bundle.key)
        stub.users[arn] = [aws.BALANCER]
        stub.listeners = [("l1", "HTTP", 80, []), ("l2", "HTTPS", 443, ["other", arn])]
        keys = {"access_key": aws.ACCESS_KEY, "secret_key": aws.SECRET_KEY}
        options = {**keys, "region": "eu-west-1", "service_url": stub.url}
        yield Case(
            "aws-acm", stub, options, arn, first, lambda: str(stub.certificates[arn]["pem"]),
            shows_keys=False, changing="POST", unknown=f"{aws.ACCOUNT}/none", secrets=(aws.SECRET_KEY,),
        )  # fmt: skip


CASES: dict[str, Callable[[], Any]] = {"huawei-elb": elb, "huawei-waf": waf, "huawei-cdn": cdn}
CASES |= {"kubernetes": kubernetes, "vault": kept_in_vault, "aws-acm": aws_acm}
