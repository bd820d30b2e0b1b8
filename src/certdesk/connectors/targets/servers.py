"""What targets with an address of their own have in common: the address, and how the server is known."""

import functools
import os
import ssl
from typing import Annotated, Any

import pydantic
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from pydantic import SecretStr

from certdesk.connectors.dns.providers.urls import ServerUrl, endpoint_of
from certdesk.connectors.targets.options import Listener, TargetOptions
from certdesk.connectors.targets.protocol import Bundle, Reason, TargetError


def _certificates(text: str) -> str:
    if text:
        try:
            x509.load_pem_x509_certificates(text.encode())
        except ValueError:
            raise ValueError("these are no certificates in PEM") from None
    return text


def _key(secret: SecretStr) -> SecretStr:
    text = secret.get_secret_value().strip()
    if text:
        try:
            load_pem_private_key(text.encode(), None)
        except (ValueError, TypeError):
            raise ValueError("this is no private key in PEM without a password") from None
    return SecretStr(text)


Pem = Annotated[str, pydantic.Field(max_length=64_000), pydantic.AfterValidator(_certificates)]
PemKey = Annotated[SecretStr, pydantic.AfterValidator(_key)]


class ServerOptions(TargetOptions):
    """Address, CA, and where clients meet the certificates."""

    server_url: ServerUrl = pydantic.Field(title="Server address", examples=["https://10.0.0.5:6443"])
    ca: Pem = pydantic.Field(
        "",
        title="CA certificate of the server",
        description="PEM. Only servers with a certificate from it are trusted. Empty: this machine's CAs.",
        json_schema_extra={"kind": "block"},
    )
    listeners: Annotated[tuple[Listener, ...], pydantic.Field(min_length=1, max_length=20)] = pydantic.Field(
        title="Listeners",
        examples=["10.0.0.5:443"],
        description="host:port where clients meet these certificates, each looked at after a deployment.",
    )

    def endpoint(self) -> tuple[str, int]:
        return endpoint_of(self.server_url)


def context(ca: str, certificate: str = "", key: str = "") -> ssl.SSLContext:
    """How the server is known, and the certificate that we show it. PEM; the key touches no disk.

    One without a key is shared by all calls to servers of that CA: nobody may change it.

    Raises:
        TargetError: OPTIONS, certificate and key do not belong together.
    """
    made = _trusting(ca) if certificate else _shared(ca)
    if certificate:
        handle = os.memfd_create("certdesk", os.MFD_CLOEXEC)
        try:
            with os.fdopen(os.dup(handle), "wb") as file:
                file.write(f"{certificate}\n{key}\n".encode())
            made.load_cert_chain(f"/proc/self/fd/{handle}")
        except ssl.SSLError:
            raise TargetError(
                Reason.OPTIONS,
                "The client certificate and its key do not belong together.",
                "Give both again.",
                field="client_key",
            ) from None
        finally:
            os.close(handle)
    return made


def _trusting(ca: str) -> ssl.SSLContext:
    made = ssl.create_default_context(cadata=ca or None)
    if ca:
        made.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN  # an intermediate may be pinned too
    return made


# To read this machine's CAs takes tens of milliseconds and a megabyte, and every call needs them.
_shared = functools.lru_cache(maxsize=64)(_trusting)


def checked(bundle: Bundle) -> Bundle:
    """The bundle, for servers that store what they get without a look.

    Raises:
        TargetError: REFUSED when certificate and key are no pair.
    """
    leaf = x509.load_pem_x509_certificate(bundle.leaf.encode())
    key: Any = load_pem_private_key(bundle.key.encode(), None)
    if leaf.public_key() != key.public_key():
        raise TargetError(
            Reason.REFUSED,
            "The certificate and the key do not belong together.",
            "Look at the certificate here.",
        )
    return bundle
