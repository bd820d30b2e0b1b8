"""An organisation that waits for an officer, for the tests of its rules."""

from certdesk.lifecycle.validation.organization_rules import checklist
from tests.support.desk import Desk
from tests.support.rulebook import COMPANY, Caller

PDF = b"%PDF-1.7\n" + b"x" * 1000
PNG = b"\x89PNG\r\n\x1a\n" + b"y" * 10
JPEG = b"\xff\xd8\xff\xe0" + b"z" * 10
DOCUMENTS, DECIDE = "organization.documents", "organization.decide"


def waiting(desk: Desk, alice: Caller, **more: str) -> str:
    """An OV (or EV) certificate whose organisation waits for an officer."""
    bought = {name: more.pop(name) for name in ("cert_type", "cert_brand") if name in more}
    certificate_id = alice.buy(**{"cert_type": "OV_SSL_CERT", **bought})
    alice.apply(certificate_id, **{**COMPANY, **more})
    desk.publish(certificate_id)
    assert alice.verify(certificate_id)["status"] == "CHECKING_ORG"
    return certificate_id


def yes(level: str = "OV") -> dict[str, object]:
    return {"decision": "approve", "checked": [item.id for item in checklist(level)]}
