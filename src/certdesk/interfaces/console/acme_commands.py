"""Ready-to-paste commands that register an ACME client with a credential and get a first certificate."""

from dataclasses import dataclass

DOMAIN = "www.example.com"
MAIL = "you@example.com"


@dataclass(frozen=True, slots=True)
class Command:
    """Attributes:
    file: where the text belongs, where it is no command to run.
    """

    client: str
    text: str
    file: str = ""


def commands(directory: str, kid: str, key: str) -> list[Command]:
    """For each client; `key` is the HMAC key, or what stands for it."""
    filled = {"directory": directory, "kid": kid, "key": key, "mail": MAIL}
    return [
        Command(
            "certbot",
            f"certbot certonly --standalone --server {directory} --eab-kid {kid} --eab-hmac-key {key}"
            f" --agree-tos -m {MAIL} -d {DOMAIN}",
        ),
        Command(
            "lego",
            f"lego --server {directory} --eab --kid {kid} --hmac {key}"
            f" --accept-tos --email {MAIL} --domains {DOMAIN} --http run",
        ),
        Command(
            "acme.sh",
            f"acme.sh --register-account --server {directory} --eab-kid {kid} --eab-hmac-key {key}\n"
            f"acme.sh --issue --server {directory} --standalone -d {DOMAIN}",
        ),
        Command("Caddy", _CADDY.format(**filled), "Caddyfile"),
        Command("Traefik", _TRAEFIK.format(**filled), "traefik.yml"),
        Command(
            "cert-manager",
            _CERT_MANAGER.format(**filled),
            "issuer.yaml",
        ),
        Command(
            "win-acme",
            f"wacs.exe --baseuri {directory} --eab-key-identifier {kid} --eab-key {key}"
            f" --accepttos --emailaddress {MAIL} --target manual --host {DOMAIN} --validation selfhosting",
        ),
    ]


_CADDY = """{{
    acme_ca {directory}
    acme_eab {{
        key_id {kid}
        mac_key {key}
    }}
}}
www.example.com {{
    respond "hello"
}}"""
_TRAEFIK = """certificatesResolvers:
  certdesk:
    acme:
      caServer: {directory}
      email: {mail}
      storage: acme.json
      eab:
        kid: {kid}
        hmacEncoded: {key}
      httpChallenge:
        entryPoint: web"""
_CERT_MANAGER = """apiVersion: v1
kind: Secret
metadata:
  name: certdesk-eab
stringData:
  secret: {key}
---
apiVersion: cert-manager.io/v1
kind: Issuer
metadata:
  name: certdesk
spec:
  acme:
    server: {directory}
    email: {mail}
    externalAccountBinding:
      keyID: {kid}
      keySecretRef:
        name: certdesk-eab
        key: secret
    privateKeySecretRef:
      name: certdesk-account
    solvers:
      - http01:
          ingress: {{}}"""
