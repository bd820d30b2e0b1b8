"""Certificates from elsewhere (API §1 #3, §1.12)."""

from certdesk.foundation.common import clock
from certdesk.foundation.common.errors import BadParameter
from certdesk.foundation.iam.principal import Principal
from certdesk.lifecycle.certificates import uploading
from certdesk.lifecycle.certificates.uploading import UPLOAD, Given

from . import shapes
from .registry import operation
from .schemas import Import, ImportV2
from .shapes import Shape
from .v2_buying import V2, check_project


@operation("certificates.import", "POST", "/v3/scm/certificates/import", UPLOAD, request=Import)
def import_certificate(principal: Principal, body: Import) -> Shape:
    """Hosts a certificate from elsewhere with its chain and key (UPL-1..8); `findings` is ours."""
    if body.enc_certificate or body.enc_private_key:
        raise BadParameter(
            "SM2 certificates with a second pair for encryption are not hosted.",
            next_step="Leave enc_certificate and enc_private_key out.",
            field="enc_certificate",
        )
    made = uploading.upload(
        principal,
        Given(
            name=body.name.strip(),
            certificate=body.certificate,
            private_key=body.private_key,
            chain=body.certificate_chain,
            duplicate_check=body.duplicate_check,
            enterprise_project_id=body.enterprise_project_id,
        ),
        clock.now(),
    )
    return {
        "certificate_id": made.certificate_id,
        "findings": [shapes.finding(one) for one in made.findings],
    }


@operation("v2.upload", "POST", f"{V2}/cert/upload", UPLOAD, request=ImportV2)
def upload_v2(principal: Principal, project_id: str, body: ImportV2) -> Shape:
    """As the import, in the older API's words."""
    check_project(principal, project_id)
    given = Given(body.cert_name.strip(), body.cert, body.private_key, body.cert_chain)
    return {"cert_id": uploading.upload(principal, given, clock.now()).certificate_id}
