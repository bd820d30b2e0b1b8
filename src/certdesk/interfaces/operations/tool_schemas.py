"""Bodies of the certificate tools. Outer limits alone: the room says what is too much, in words."""

from typing import Literal

from pydantic import Field, SecretStr

from .schemas import Body, Line, Number

LONGEST_PASSWORD = 512


class Decode(Body):
    """A certificate, chain, CSR or key; of a binary file its Base64. Nothing is kept."""

    text: str = ""
    password: SecretStr = Field(default=SecretStr(""), max_length=LONGEST_PASSWORD)


class Match(Decode):
    """A certificate or CSR, and the key, which may stand in the same text."""

    private_key: str = ""


class Convert(Decode):
    format: Literal["PEM", "DER", "PKCS7", "PKCS12", "JKS"]
    new_password: SecretStr = Field(default=SecretStr(""), max_length=LONGEST_PASSWORD)


class Served(Body):
    """Port 0 is the usual one of the protocol; without a name the host is what must be covered."""

    host: Line
    port: Number = Field(default=0, ge=0, le=65_535)
    name: Line = ""
    protocol: Literal["TLS", "SMTP", "IMAP", "POP3", "POSTGRESQL", "LDAP"] = "TLS"
