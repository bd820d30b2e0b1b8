"""The account at CertCentral, what is ordered there for each level, and how domains are proved."""

from typing import Annotated, ClassVar

import pydantic

from certdesk.connectors.dns.providers.options import Secret
from certdesk.connectors.dns.providers.urls import ServerUrl, endpoint_of
from certdesk.connectors.issuers.certcentral.products import Method
from certdesk.connectors.issuers.options import IssuerOptions
from certdesk.connectors.targets.servers import Pem

_PRODUCT = r"^[a-z0-9_]{0,64}$"


def _approver(line: str) -> str:
    name, _, address = line.strip().rpartition(" ")
    address = address.strip("<>")
    if len(name.split()) < 2 or "@" not in address.strip("@") or len(line) > 200 or not line.isprintable():
        raise ValueError("write each approver as: First Last <name@example.com>")
    return f"{' '.join(name.split())} <{address}>"


Approver = Annotated[str, pydantic.AfterValidator(_approver)]


class CertCentralOptions(IssuerOptions):
    """An account, by its API key."""

    label: ClassVar[str] = "DigiCert CertCentral"

    server_url: ServerUrl = pydantic.Field(
        "https://www.digicert.com",
        title="Server address",
        description="https://certcentral.digicert.eu for accounts in Europe.",
    )
    api_key: Secret = pydantic.Field(
        title="API key",
        description="Of a user who may order, and approve what was ordered (Administrator or Manager).",
    )
    ca: Pem = pydantic.Field(
        "",
        title="CA certificate of the server",
        description="PEM. Only a server with a certificate from it is trusted. Empty: this machine's CAs.",
        json_schema_extra={"kind": "block"},
    )
    dv_product: str = pydantic.Field(
        "ssl_dv_geotrust_flex",
        pattern=_PRODUCT,
        title="Product for DV",
        description="CertCentral's identifier; empty: it is not asked for this level.",
    )
    ov_product: str = pydantic.Field("ssl_basic", pattern=_PRODUCT, title="Product for OV")
    ev_product: str = pydantic.Field("ssl_ev_basic", pattern=_PRODUCT, title="Product for EV")
    dcv_method: Method = pydantic.Field(
        "dns-txt",
        title="Proof of domains",
        description="With http, names with a wildcard are proved by dns-txt.",
    )
    organization_id: int = pydantic.Field(
        0,
        ge=0,
        lt=10**12,
        title="Organization id",
        description="For OV and EV. 0: the one with the applicant's name and country, made if there is none.",
    )
    organization_street: str = pydantic.Field(
        "",
        max_length=64,
        title="Street of new organizations",
        description="For OV and EV: CertCentral asks for it, and applications have none.",
    )
    organization_zip: str = pydantic.Field("", max_length=40, title="Postcode of new organizations")
    organization_phone: str = pydantic.Field(
        "",
        max_length=32,
        title="Telephone of new organizations",
        description="By which DigiCert reaches the organization. Empty: the contact's of the application.",
    )
    approvers: tuple[Approver, ...] = pydantic.Field(
        (),
        max_length=10,
        title="EV approvers",
        description="Beside the applicant's contact, one a line: First Last <name@example.com>.",
        json_schema_extra={"kind": "lines"},
    )
    order_years: int = pydantic.Field(
        1,
        ge=1,
        le=3,
        title="Years of an order",
        description="A multi-year plan has two or three; within them a renewal is a reissue.",
    )
    skip_approval: bool = pydantic.Field(
        True,
        title="Approve at once",
        description="Off: an administrator approves each order and revocation in CertCentral too.",
    )

    @pydantic.model_validator(mode="after")
    def _sells_something(self) -> "CertCentralOptions":
        if not self.products:
            raise ValueError("name a product for at least one level")
        return self

    @property
    def products(self) -> dict[str, str]:
        """Level → product, for the levels that it is asked for."""
        named = {"DV": self.dv_product, "OV": self.ov_product, "EV": self.ev_product}
        return {level: product for level, product in named.items() if product}

    def endpoint(self) -> tuple[str, int]:
        return endpoint_of(self.server_url)
