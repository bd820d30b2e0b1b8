"""The options of an ACME server: which one, by which account, which chain and profile."""

from typing import Annotated, Any, ClassVar, Literal
from urllib.parse import urlsplit

import pydantic
from pydantic import SecretStr

from certdesk.connectors.dns.providers.options import NO_SECRET, Secret
from certdesk.connectors.dns.providers.urls import endpoint_of
from certdesk.connectors.issuers.acme import keys
from certdesk.connectors.issuers.acme.presets import PRESETS
from certdesk.connectors.issuers.options import IssuerOptions
from certdesk.connectors.targets.servers import Pem

PresetName = Literal[
    "letsencrypt",
    "letsencrypt-staging",
    "zerossl",
    "google",
    "buypass",
    "sslcom",
    "digicert",
    "actalis",
    "step-ca",
    "ejbca",
    "other",
]
Method = Literal["dns-01", "http-01"]
"""What somebody here can set up. The connector reads tls-alpn-01 and dns-persist-01 too, but an order that
waits for one of them would wait for ever."""
_NOT_SET_UP = frozenset({"tls-alpn-01", "dns-persist-01"})
_BLOCK: dict[str, Any] = {"kind": "secret_block"}


def _account_key(secret: SecretStr) -> SecretStr:
    text = secret.get_secret_value().strip()
    if text:
        keys.read(text)
    return SecretStr(text)


def _made_when_empty(secret: SecretStr) -> SecretStr:
    return _account_key(secret if secret.get_secret_value().strip() else SecretStr(keys.make()))


def _directory(text: str) -> str:
    if not text:
        return text
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise ValueError("this is not a URL") from None
    if parts.scheme not in ("http", "https") or not parts.hostname or port == 0:
        raise ValueError("begin with https://")
    if "@" in parts.netloc or parts.fragment:
        raise ValueError("give the directory's address without user name and password")
    return text


def _set_up(methods: Any) -> Any:
    """Options that were stored when other ways could be chosen go on with those that work."""
    if not isinstance(methods, list | tuple):
        return methods
    return [one for one in methods if one not in _NOT_SET_UP] or methods


def _mac_key(secret: SecretStr) -> SecretStr:
    try:
        keys.unb64(secret.get_secret_value())
    except ValueError:
        raise ValueError("the HMAC key is base64url as the certificate authority shows it") from None
    return secret


class AcmeOptions(IssuerOptions):
    """An account at one ACME server. Its key is made when none is given, and sealed with the rest."""

    label: ClassVar[str] = "ACME"

    preset: PresetName = pydantic.Field("other", title="Which certificate authority")
    directory_url: Annotated[str, pydantic.AfterValidator(_directory)] = pydantic.Field(
        "",
        max_length=300,
        title="Directory",
        description="Empty for that of the certificate authority above.",
        examples=["https://ca.example.com/acme/acme/directory"],
    )
    ca: Pem = pydantic.Field(
        "",
        title="CA certificate of the server",
        description="PEM. Only servers with a certificate from it are trusted. Empty: this machine's CAs.",
        json_schema_extra={"kind": "block"},
    )
    email: str = pydantic.Field(
        "",
        max_length=200,
        pattern=r"^([^\s@,;:<>\"]{1,64}@[A-Za-z0-9.-]{1,130})?$",
        title="Contact address",
        description="The certificate authority may write to it; some want none.",
    )
    terms_agreed: bool = pydantic.Field(False, title="Its terms are agreed to")
    account_key: Annotated[SecretStr, pydantic.AfterValidator(_made_when_empty)] = pydantic.Field(
        NO_SECRET,
        validate_default=True,
        title="Account key",
        description="PEM. Empty: a new one is made. Another key is another account.",
        json_schema_extra=_BLOCK,
    )
    eab_key_id: str = pydantic.Field(
        "",
        max_length=300,
        pattern=r"^[\x21-\x7e]*$",
        title="Key id of the binding (EAB)",
        description="Where the certificate authority makes accounts only for its customers.",
    )
    eab_hmac_key: Annotated[Secret, pydantic.AfterValidator(_mac_key)] = pydantic.Field(
        NO_SECRET, title="HMAC key of the binding (EAB)"
    )
    methods: Annotated[
        tuple[Method, ...], pydantic.Field(min_length=1, max_length=4), pydantic.BeforeValidator(_set_up)
    ] = pydantic.Field(
        ("dns-01", "http-01"),
        title="Ways of proof",
        description="Of dns-01 and http-01: those that you can set up.",
    )
    profile: str = pydantic.Field(
        "",
        max_length=100,
        pattern=r"^[\x21-\x7e]*$",
        title="Profile",
        description="One of those that its directory lists; empty for its usual one.",
    )
    root: str = pydantic.Field(
        "",
        max_length=200,
        title="Wanted root",
        description="Common name of the root that the chain leads to, where it offers several.",
    )

    @pydantic.model_validator(mode="after")
    def _belong_together(self) -> "AcmeOptions":
        if not self.directory:
            raise ValueError("give the address of the directory")
        if bool(self.eab_key_id) != bool(self.eab_hmac_key.get_secret_value()):
            raise ValueError("a binding has a key id and an HMAC key")
        return self

    @property
    def directory(self) -> str:
        return self.directory_url or PRESETS[self.preset].directory

    def endpoint(self) -> tuple[str, int]:
        return endpoint_of(self.directory)
