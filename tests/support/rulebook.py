"""What tests of the rules share: a caller at the operations that every face serves, and the lab clock."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509

from certdesk.foundation.common import clock, settings
from certdesk.foundation.common.errors import CertdeskError
from certdesk.foundation.iam.principal import Principal
from certdesk.interfaces.operations import index, registry
from certdesk.lifecycle.validation.organization_rules import checklist

SECOND, DAY = timedelta(seconds=1), timedelta(days=1)
PEOPLE = {
    "applicant_name": "Ada Lovelace",
    "applicant_phone": "+44 20 7946 0000",
    "applicant_email": "ada@example.com",
    "agree_privacy_protection": True,
    "key_algorithm": "EC_P256",
}
COMPANY = {
    "company_name": "Example Trading Co.,Ltd",
    "company_province": "Guizhou",
    "company_city": "Guiyang",
    "country": "CN",
}
BUY = {
    "cert_brand": "GEOTRUST",
    "cert_type": "DV_SSL_CERT",
    "domain_type": "SINGLE_DOMAIN",
    "domain_numbers": 1,
    "effective_time": 1,
    "order_number": 1,
    "agree_privacy_protection": True,
    "is_auto_pay": True,
}
assert index.OPERATIONS  # importing it declares every operation


class Caller:
    """A user at the operations registry."""

    def __init__(self, principal: Principal) -> None:
        self.principal = principal

    def __call__(self, name: str, /, certificate_id: str = "", body: object = None, **more: Any) -> Any:
        ids = {"certificate_id": certificate_id} if certificate_id else {}
        return registry.call(name, self.principal, body=body, **ids, **more)[1]

    def refused(
        self, name: str, /, certificate_id: str = "", body: object = None, **more: Any
    ) -> CertdeskError:
        """The refusal that this call must meet."""
        with pytest.raises(CertdeskError) as caught:
            self(name, certificate_id, body, **more)
        return caught.value

    def buy(self, **changes: object) -> str:
        return str(self("orders.buy", body={**BUY, **changes})["cert"][0]["cert_id"])

    def apply(self, certificate_id: str, domain: str = "www.example.com", **more: object) -> Any:
        return self("certificates.apply", certificate_id, {**PEOPLE, "domain": domain, **more})

    def not_applied(
        self, certificate_id: str, domain: str = "www.example.com", **more: object
    ) -> CertdeskError:
        """The refusal of an application; the certificate stays as it was."""
        before = self.status(certificate_id)
        fault = self.refused("certificates.apply", certificate_id, {**PEOPLE, "domain": domain, **more})
        assert self.status(certificate_id) == before
        return fault

    def show(self, certificate_id: str) -> Any:
        return self("certificates.show", certificate_id)

    def status(self, certificate_id: str) -> str:
        return str(self.show(certificate_id)["status"])

    def proof(self, certificate_id: str) -> Any:
        return self("certificates.domain_verification", certificate_id)["domains"]

    def verify(self, certificate_id: str) -> Any:
        return self("certificates.verify", certificate_id)

    def approve(self, certificate_id: str, level: str = "OV") -> Any:
        body = {"decision": "approve", "checked": [item.id for item in checklist(level)], "reason": ""}
        return self("organization.decide", certificate_id, body)

    def leaf(self, certificate_id: str) -> x509.Certificate:
        exported = self("certificates.export", certificate_id)
        return x509.load_pem_x509_certificate(exported["certificate"].encode())


def san(certificate: x509.Certificate) -> list[str]:
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return list(names.get_values_for_type(x509.DNSName))


class LabClock:
    """Business time by `CERTDESK_LAB_CLOCK`; real time stands still, so that a second is a second."""

    def __init__(self, file: Path, real: datetime) -> None:
        self._file, self.real = file, real

    def at(self, moment: datetime) -> None:
        self.move(moment - self.real)

    def move(self, offset: timedelta) -> None:
        self._file.write_text(f"{offset.total_seconds():+.0f}\n", encoding="ascii")


@contextmanager
def lab_clock(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LabClock]:
    before, real = settings.get(), clock.real_now().replace(microsecond=0)
    file = folder / "clock"
    monkeypatch.setattr(clock, "real_now", lambda: real)
    settings.install(before.model_copy(update={"lab": True, "lab_clock": file}))
    try:
        yield LabClock(file, real)
    finally:
        settings.install(before)
