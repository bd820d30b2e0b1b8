"""The private CA's roots: what clients have to trust (DESIGN §5)."""

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.x509.oid import NameOID
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _

from certdesk.foundation.iam.principal import Principal
from certdesk.pki.authority import actions

from .page import OWN, page


@page(OWN)
def authority(request: HttpRequest, principal: Principal) -> HttpResponse:
    """The roots with their fingerprints; `?file=pem` is the file to install."""
    pem = actions.roots_pem()
    if request.GET.get("file") == "pem":
        return HttpResponse(
            pem,
            content_type="application/x-pem-file",
            headers={"Content-Disposition": 'attachment; filename="certdesk-roots.pem"'},
        )
    roots = x509.load_pem_x509_certificates(pem.encode()) if pem else []
    context = {
        "title": _("Private CA"),
        "roots": [
            {
                "name": root.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value,
                "until": root.not_valid_after_utc,
                "fingerprint": root.fingerprint(hashes.SHA256()).hex(":").upper(),
            }
            for root in roots
        ],
    }
    return render(request, "console/authority.html", context)
