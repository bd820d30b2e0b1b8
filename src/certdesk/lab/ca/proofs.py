"""Does the domain show the random value? The simulated CA looks for itself, with the resolver it was given.

Nothing of the product's own checks is used here: what shares their code would share their mistakes.
"""

import http.client
from dataclasses import dataclass
from typing import Any

import dns.exception
import dns.name
import dns.resolver

METHODS = ("dns-txt-token", "dns-cname-token", "http-token", "email")
CNAME_END = "dcv.digicert.com"
FILE = "/.well-known/pki-validation/fileauth.txt"
_SECONDS = 5.0
_MOST_BYTES = 2048


@dataclass(frozen=True, slots=True)
class Prover:
    """`resolver`: `ip:port`, empty for this machine's own. `http_port`: where http-token is looked for."""

    resolver: str = ""
    http_port: int = 80

    def shown(self, method: str, name: str, token: str) -> bool:
        """Is it there, now? Never raises."""
        if method == "dns-txt-token":
            return any(token in self._texts(owner) for owner in (f"_dnsauth.{name}", name))
        if method == "dns-cname-token":
            return self._alias(f"_dnsauth.{name}") == f"{token}.{CNAME_END}"
        return method == "http-token" and self._file(name) == token

    def _resolver(self) -> dns.resolver.Resolver:
        if not self.resolver:
            return dns.resolver.Resolver()
        address, _, port = self.resolver.rpartition(":")
        made = dns.resolver.Resolver(configure=False)
        made.nameservers, made.port = [address.strip("[]")], int(port)
        return made

    def _records(self, owner: str, rdtype: str) -> list[Any]:
        asked = self._resolver()
        asked.lifetime = _SECONDS
        try:
            return list(asked.resolve(dns.name.from_text(owner), rdtype))
        except (dns.exception.DNSException, OSError):
            return []

    def _texts(self, owner: str) -> set[str]:
        found = self._records(owner, "TXT")
        return {b"".join(one.strings).decode("ascii", "replace") for one in found}

    def _alias(self, owner: str) -> str:
        found = self._records(owner, "CNAME")
        return str(found[0].target.to_text(omit_final_dot=True)).lower() if found else ""

    def _file(self, name: str) -> str:
        for record in self._records(name, "A"):
            connection = http.client.HTTPConnection(str(record), self.http_port, timeout=_SECONDS)
            try:
                connection.request("GET", FILE, headers={"Host": name})
                answer = connection.getresponse()
                if answer.status == 200:
                    return answer.read(_MOST_BYTES).decode("ascii", "replace").strip()
            except (OSError, http.client.HTTPException):
                continue
            finally:
                connection.close()
        return ""
