"""A real OpenID Connect provider (npm `oidc-provider`) on loopback, and a browser's way there and back."""

import json
import shutil
import socket
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from django.test import Client
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

FOLDER = Path(__file__).resolve().parent / "oidc"
REASON = "npm's oidc-provider is not installed (./certdesk test does it)"
URL = "https://desk.example.org"
REDIRECT = f"{URL}/login/sso/callback"
CLIENT, SECRET = "certdesk", "a secret: with & signs, and long enough for a MAC"


def is_there() -> bool:
    return shutil.which("node") is not None and (FOLDER / "node_modules" / "oidc-provider").is_dir()


def key(kid: str, kind: str = "RSA") -> dict[str, Any]:
    """A private JWK."""
    if kind == "EC":
        made: Any = ECAlgorithm.to_jwk(ec.generate_private_key(ec.SECP256R1()), as_dict=True)
        return {**made, "kid": kid, "use": "sig", "alg": "ES256"}
    made = RSAAlgorithm.to_jwk(rsa.generate_private_key(65537, 2048), as_dict=True)
    return {**{name: value for name, value in made.items() if name != "key_ops"}, "kid": kid, "use": "sig"}


@dataclass
class Provider:
    issuer: str
    folder: Path

    def person(self, sub: str, *, amr: list[str] | None = None, acr: str = "", **claims: object) -> None:
        """Who signs in there from now on."""
        found = {"sub": sub, "amr": amr or ["pwd"], "acr": acr or None, "claims": claims}
        (self.folder / "person.json").write_text(json.dumps(found), encoding="utf-8")

    def visit(self, where: str) -> str:
        """A browser with no cookies follows the provider until it sends it back; the path and query there."""
        with httpx.Client(timeout=20, trust_env=False) as browser:
            for _ in range(10):
                if where.startswith(URL):
                    parts = urlsplit(where)
                    return f"{parts.path}?{parts.query}"
                answer = browser.get(where)
                assert answer.is_redirect, answer.text[:500]
                where = str(answer.next_request.url if answer.next_request else "")
        raise AssertionError(f"it went round in circles: {where}")

    def sign_in(self, browser: Client, start: str = "/login/sso/to/house") -> Any:
        """There and back; the console's answer at the end."""
        gone = browser.get(start)
        assert gone.status_code == 302, gone.content.decode()[-2000:]
        where = gone.headers["Location"]
        return browser.get(self.visit(where) if where.startswith("http") else where)


@contextmanager
def running(folder: Path, keys: list[Mapping[str, Any]], port: int = 0) -> Iterator[Provider]:
    """The program, from its first word to its end."""
    if not port:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
    (folder / "jwks.json").write_text(json.dumps({"keys": keys}), encoding="utf-8")
    found = Provider(f"http://127.0.0.1:{port}", folder)
    found.person("nobody")
    given = {
        "port": port,
        "client": CLIENT,
        "secret": SECRET,
        "redirect": REDIRECT,
        "person": str(folder / "person.json"),
        "jwks": str(folder / "jwks.json"),
    }
    command = ["node", str(FOLDER / "provider.js"), json.dumps(given)]
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True)
        try:
            assert process.stdout is not None
            assert process.stdout.readline().strip() == "ready", (folder / "log").read_text()[-2000:]
            yield found
        finally:
            process.terminate()
            process.wait(10)
            if process.stdout is not None:
                process.stdout.close()
