"""A stand-in for ACM, Elastic Load Balancing v2 and CloudFront at one address; it checks signatures."""

import base64
import hashlib
import hmac
import json
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs

from tests.support.huawei_cloud import fits
from tests.support.stub_http import Answer, Asked, Stub

ACCESS_KEY, SECRET_KEY = "AKIDOFTHESTANDIN", "wJalrXUtnFEMI/K7MDENG/the0stand0in0for0aws"
ACCOUNT = "arn:aws:acm:eu-west-1:123456789012:certificate"
BALANCER = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:loadbalancer/app/web/50dc6c495c0c9188"
DISTRIBUTION = "arn:aws:cloudfront::123456789012:distribution/E1EXAMPLE"
Row = dict[str, Any]
_STATED = re.compile(
    r"AWS4-HMAC-SHA256 Credential=([A-Z0-9]+)/(\d{8})/([a-z0-9-]+)/([a-z]+)/aws4_request, "
    r"SignedHeaders=([a-z0-9;-]+), Signature=([0-9a-f]{64})"
)


def _said(status: int, row: Row) -> Answer:
    return Answer(status, json.dumps(row).encode(), "application/x-amz-json-1.1")


def _xml(inner: str, status: int = 200) -> Answer:
    text = f'<Answer xmlns="http://elasticloadbalancing.amazonaws.com/doc/2015-12-01/">{inner}</Answer>'
    return Answer(status, text.encode(), "text/xml")


def proved(asked: Asked) -> str:
    """The service that the request is signed for, empty when the signature is wrong. From the wire alone."""
    match = _STATED.fullmatch(asked.header.get("Authorization", ""))
    if match is None or match[1] != ACCESS_KEY:
        return ""
    day, region, service, names, signature = match.groups()[1:]
    date = asked.header.get("X-Amz-Date", "")
    sent = datetime.strptime(date, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    required = {"host", "x-amz-date"} <= set(names.split(";"))
    if not required or date[:8] != day or abs(datetime.now(UTC) - sent) > timedelta(minutes=5):
        return ""
    headers = "".join(f"{name}:{asked.header[name].strip()}\n" for name in names.split(";"))
    body = hashlib.sha256(asked.body).hexdigest()
    request = f"{asked.method}\n{asked.path}\n{asked.raw_query}\n{headers}\n{names}\n{body}"
    scope = f"{day}/{region}/{service}/aws4_request"
    text = f"AWS4-HMAC-SHA256\n{date}\n{scope}\n{hashlib.sha256(request.encode()).hexdigest()}"
    key = b"AWS4" + SECRET_KEY.encode()
    for part in (day, region, service, "aws4_request", text):
        key = hmac.digest(key, part.encode(), "sha256")
    return service if hmac.compare_digest(key.hex(), signature) else ""


@dataclass
class AwsStub(Stub):
    """`users` by ARN; `listeners` of the one load balancer: (ARN, protocol, port, certificates)."""

    certificates: dict[str, Row] = field(default_factory=dict)
    users: dict[str, list[str]] = field(default_factory=dict)
    listeners: list[tuple[str, str, int, list[str]]] = field(default_factory=list)

    def add(self, certificate: str, key: str, kind: str = "IMPORTED") -> str:
        arn = f"{ACCOUNT}/{len(self.certificates) + 1:08x}-0000-0000-0000-000000000000"
        self.certificates[arn] = {"pem": certificate, "key": key, "type": kind}
        return arn

    def is_change(self, asked: Asked) -> bool:
        return asked.header.get("X-Amz-Target", "").endswith("ImportCertificate")

    def refuses(self, asked: Asked) -> Answer | None:
        if proved(asked):
            return None
        words = "The request signature we calculated does not match the signature you provided."
        return _said(403, {"__type": "InvalidSignatureException", "message": words})

    def failure(self, status: int) -> Answer:
        return _said(status, {"__type": "SomeException", "message": "The stand-in does not want to."})

    def answer(self, asked: Asked) -> Answer:
        service = proved(asked)
        if service == "acm":
            action = asked.header.get("X-Amz-Target", "").removeprefix("CertificateManager.")
            return self._acm(action, json.loads(asked.body))
        if service == "cloudfront":
            return self._cloudfront(asked)
        return self._balancing({key: value[0] for key, value in parse_qs(asked.body.decode()).items()})

    def _acm(self, action: str, given: Row) -> Answer:
        arn = given.get("CertificateArn", "")
        if action == "ListCertificates":
            return self._listed(given)
        if arn and arn not in self.certificates:
            return _said(400, {"__type": "ResourceNotFoundException", "message": f"Could not find {arn}."})
        if action == "DescribeCertificate":
            row = {"CertificateArn": arn, "InUseBy": self.users.get(arn, [])}
            return _said(200, {"Certificate": row})
        if action == "GetCertificate":
            return _said(200, {"Certificate": self.certificates[arn]["pem"]})
        assert action == "ImportCertificate", action
        parts = {name: base64.b64decode(given[name]).decode() for name in ("Certificate", "PrivateKey")}
        assert given.get("CertificateChain") != "", given
        if not fits(parts["Certificate"], parts["PrivateKey"]):
            return _said(400, {"__type": "ValidationException", "message": "The private key does not match."})
        made = arn or self.add("", "")
        self.certificates[made].update(pem=parts["Certificate"], key=parts["PrivateKey"])
        return _said(200, {"CertificateArn": made})

    def _listed(self, given: Row) -> Answer:
        assert "EC_prime256v1" in given["Includes"]["keyTypes"], given
        arns = list(self.certificates)
        at = int(given.get("NextToken", "0"))
        rows = [{"CertificateArn": arn, "Type": self.certificates[arn]["type"]} for arn in arns[at : at + 1]]
        more = {"NextToken": str(at + 1)} if at + 1 < len(arns) else {}
        return _said(200, {"CertificateSummaryList": rows, **more})

    def _cloudfront(self, asked: Asked) -> Answer:
        if (asked.method, asked.path) != ("GET", "/2020-05-31/distribution/E1EXAMPLE"):
            return _xml("<Error><Code>NoSuchDistribution</Code></Error>", 404)
        return _xml("<Id>E1EXAMPLE</Id><DomainName>d111.cloudfront.net</DomainName>")

    def _balancing(self, given: dict[str, str]) -> Answer:
        assert given["Version"] == "2015-12-01", given
        if given["Action"] == "DescribeLoadBalancers":
            if given["LoadBalancerArns.member.1"] != BALANCER:
                return _xml("<Error><Code>LoadBalancerNotFound</Code></Error>", 400)
            return _xml("<LoadBalancers><member><DNSName>web.elb.test</DNSName></member></LoadBalancers>")
        if given["Action"] == "DescribeListeners":
            at = int(given.get("Marker", "0"))
            arn, protocol, port, _ = self.listeners[at]
            row = f"<ListenerArn>{arn}</ListenerArn><Protocol>{protocol}</Protocol><Port>{port}</Port>"
            more = f"<NextMarker>{at + 1}</NextMarker>" if at + 1 < len(self.listeners) else ""
            return _xml(f"<Listeners><member>{row}</member></Listeners>{more}")
        assert given["Action"] == "DescribeListenerCertificates", given
        used = next(one[3] for one in self.listeners if one[0] == given["ListenerArn"])
        rows = "".join(f"<member><CertificateArn>{arn}</CertificateArn></member>" for arn in used)
        return _xml(f"<Certificates>{rows}</Certificates>")
