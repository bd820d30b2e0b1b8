"""The private CA's roots: what clients have to trust (DESIGN §5)."""

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _

from certdesk.foundation.iam.principal import Principal
from certdesk.pki.authority import actions

from .page import OWN, page

FILE = "certdesk-roots.pem"
COMMANDS = (
    (
        "Debian, Ubuntu",
        f"sudo cp {FILE} /usr/local/share/ca-certificates/certdesk-roots.crt && sudo update-ca-certificates",
    ),
    ("Fedora, RHEL", f"sudo cp {FILE} /etc/pki/ca-trust/source/anchors/ && sudo update-ca-trust"),
    ("curl", f"curl --cacert {FILE} https://www.example.com/"),
)


@page(OWN)
def authority(request: HttpRequest, principal: Principal) -> HttpResponse:
    """The roots with their fingerprints; `?file=pem` is the file to install."""
    pem = actions.roots_pem()
    if request.GET.get("file") == "pem":
        return HttpResponse(
            pem,
            content_type="application/x-pem-file",
            headers={"Content-Disposition": f'attachment; filename="{FILE}"'},
        )
    roots = x509.load_pem_x509_certificates(pem.encode()) if pem else []
    context = {
        "title": _("Private CA"),
        "roots": [
            {
                "name": root.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value,
                "keys": _keys(root),
                "until": root.not_valid_after_utc,
                "fingerprint": root.fingerprint(hashes.SHA256()).hex(":").upper(),
            }
            for root in roots
        ],
        "commands": COMMANDS,
    }
    return render(request, "console/authority.html", context)


def _keys(root: x509.Certificate) -> str:
    key = root.public_key()
    if isinstance(key, ec.EllipticCurvePublicKey):
        return f"EC P-{key.curve.key_size}"
    return f"RSA {key.key_size}" if isinstance(key, rsa.RSAPublicKey) else ""
