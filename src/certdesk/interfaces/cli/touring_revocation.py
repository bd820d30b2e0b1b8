"""The tour's last act with a certificate: revoked, and what `openssl ocsp` and the CRL say of it."""

import re
import subprocess
import time
from pathlib import Path
from typing import Any

import httpx
from cryptography import x509

from .touring_steps import Steps, expect

WITHIN = 20.0  # seconds; the CRL's promise is a minute


def take_to_revocation(client: Any, steps: Steps, roots: Path, issued: dict[str, Any]) -> None:
    """Revokes a DV certificate; asked before and after as any relying party would.

    Args:
        client: the signed client of the account.
        issued: the answer of *issue now*.

    Raises:
        TourFailed: somebody still calls it good.
    """
    leaf = x509.load_pem_x509_certificate(str(issued["certificate"]).encode())
    with steps.step("revoke; asked by openssl ocsp and at the CRL") as say:
        before = _ocsp(roots)
        expect(before == "good", f"openssl ocsp said {before!r} of a certificate in force")
        body = {"reason_code": "SUPERSEDED", "reason": "the tour is over"}
        client.post(f"/v3/scm/certificates/{issued['cert_id']}/revoke", body)
        asked = time.monotonic()
        _until(lambda: _ocsp(roots) == "revoked", "OCSP does not say so")
        say(f"openssl ocsp: good before, revoked after {time.monotonic() - asked:.1f} s, answer verified")
        url = _crl_of(leaf)
        _until(lambda: _listed(url, leaf.serial_number), "the CRL does not show it")
        say(f"{url} shows it after {time.monotonic() - asked:.1f} s")


def _until(holds: Any, otherwise: str) -> None:
    until = time.monotonic() + WITHIN
    while not holds():
        expect(time.monotonic() < until, f"{otherwise} after {WITHIN:.0f} s")
        time.sleep(0.2)


def _ocsp(roots: Path) -> str:
    """good, revoked or unknown, by the responder that the certificate itself names."""
    leaf, chain = roots.with_name("leaf.pem"), roots.with_name("chain.pem")
    certificate = x509.load_pem_x509_certificate(leaf.read_bytes())
    access = certificate.extensions.get_extension_for_class(x509.AuthorityInformationAccess).value
    places = [one.access_location.value for one in access]
    responder = next(one for one in places if one.endswith("/ocsp"))
    command = ["openssl", "ocsp", "-issuer", str(chain), "-cert", str(leaf), "-url", responder]
    command += ["-CAfile", str(roots), "-verify_other", str(chain)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    said = done.stdout + done.stderr
    expect("Response verify OK" in said, f"openssl ocsp: {said}")
    found = re.search(rf"{re.escape(str(leaf))}: (\w+)", said)
    return found[1] if found else ""


def _crl_of(leaf: x509.Certificate) -> str:
    points = leaf.extensions.get_extension_for_class(x509.CRLDistributionPoints).value
    return str((points[0].full_name or [])[0].value)


def _listed(url: str, serial: int) -> bool:
    answer = httpx.get(url, trust_env=False, timeout=10)
    if answer.status_code != 200:
        return False
    shown = x509.load_der_x509_crl(answer.content)
    return shown.get_revoked_certificate_by_serial_number(serial) is not None
