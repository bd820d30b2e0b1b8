"""Where the PKI engine of OpenBao or Vault is, and how it knows us."""

from typing import ClassVar

import pydantic

from certdesk.connectors.dns.providers.options import NO_SECRET, Secret
from certdesk.connectors.dns.providers.urls import ServerUrl, endpoint_of
from certdesk.connectors.issuers.options import IssuerOptions
from certdesk.connectors.targets.servers import Pem

_PATH = r"^[A-Za-z0-9_-][A-Za-z0-9_.-]{0,100}(/[A-Za-z0-9_-][A-Za-z0-9_.-]{0,100}){0,8}$"
_VISIBLE = r"^[\x21-\x7e]*$"


class VaultPkiOptions(IssuerOptions):
    """One role of one PKI engine."""

    label: ClassVar[str] = "OpenBao or Vault: PKI engine"

    server_url: ServerUrl = pydantic.Field(title="Server address", examples=["https://10.0.0.5:8200"])
    ca: Pem = pydantic.Field(
        "",
        title="CA certificate of the server",
        description="PEM. Only servers with a certificate from it are trusted. Empty: this machine's CAs.",
        json_schema_extra={"kind": "block"},
    )
    token: Secret = pydantic.Field(NO_SECRET, title="Token", description="Empty with an AppRole.")
    role_id: str = pydantic.Field("", max_length=200, pattern=_VISIBLE, title="AppRole: role id")
    secret_id: Secret = pydantic.Field(NO_SECRET, title="AppRole: secret id")
    role_mount: str = pydantic.Field("approle", pattern=_PATH, title="AppRole: mount")
    namespace: str = pydantic.Field(
        "", max_length=200, pattern=_VISIBLE, title="Namespace", description="Empty for the root."
    )
    mount: str = pydantic.Field("pki", pattern=_PATH, title="Mount of the PKI engine")
    role: str = pydantic.Field(
        max_length=100,
        pattern=r"^[A-Za-z0-9_-][A-Za-z0-9_.-]*$",
        title="Role of the PKI engine",
        description="It says what names, keys and validity it signs.",
    )

    @pydantic.model_validator(mode="after")
    def _one_way_in(self) -> "VaultPkiOptions":
        if not self.token.get_secret_value() and not (self.role_id and self.secret_id.get_secret_value()):
            raise ValueError("give a token, or role id and secret id")
        return self

    def endpoint(self) -> tuple[str, int]:
        return endpoint_of(self.server_url)
