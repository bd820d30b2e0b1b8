"""A PKCS#12 or JKS file, as Tomcat and other Java servers read it.

Tomcat does not look at its keystore by itself: its manager or a command makes it read it again. Without
either the server has to notice the new file within the seconds for which a deployment looks.
"""

from collections.abc import Mapping
from ssl import PEM_cert_to_DER_cert
from typing import Annotated, Any, ClassVar, Literal, cast

import pydantic
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key, pkcs12
from pydantic import SecretStr

from certdesk.connectors.dns.providers.options import NO_SECRET, Secret
from certdesk.connectors.dns.providers.urls import ServerUrl, endpoint_of
from certdesk.connectors.targets.keystore.manager import Manager
from certdesk.connectors.targets.options import Outside
from certdesk.connectors.targets.placed import (
    COMMAND,
    LINES,
    LISTENERS,
    Command,
    Listeners,
    PathText,
    Placed,
    PlacedOptions,
    reload,
    reloadable,
)
from certdesk.connectors.targets.protocol import Bundle
from certdesk.foundation.common import clock
from certdesk.pki.x509 import bundles, keys
from certdesk.pki.x509.certificates import CertificateFacts, facts, load_chain_pem
from certdesk.pki.x509.errors import BadCertificate


class KeystoreOptions(PlacedOptions):
    """File, kind, password, and how the server is told."""

    label: ClassVar[str] = "Java keystore (Tomcat)"

    path: PathText = pydantic.Field(
        title="Keystore file",
        description="The keystoreFile or certificateKeystoreFile of the server.",
        examples=["/etc/tomcat10/tls/server.p12"],
    )
    format: Literal["PKCS12", "JKS"] = pydantic.Field(
        "PKCS12", title="Format", description="JKS for Java 8 and older only."
    )
    password: Secret = pydantic.Field(
        title="Password of the keystore", description="Also that of the key in it. Six characters or more."
    )
    alias: str = pydantic.Field(
        "server", pattern=r"^[a-z0-9_.-]{1,64}$", title="Alias", description="The name of the entry."
    )
    listeners: Listeners = pydantic.Field(
        title="Listeners", description=f"{LISTENERS}.", examples=["10.0.0.5:8443"]
    )
    manager: ServerUrl | None = pydantic.Field(
        None,
        title="Address of Tomcat's manager",
        description="Its text interface is asked to read the keystore again. The operator must have allowed "
        "the address (CERTDESK_ALLOW_NETWORKS). Empty: the command below reloads the server.",
        examples=["http://127.0.0.1:8080/manager"],
    )
    manager_user: Annotated[str, pydantic.Field(pattern=r"^[\x21-\x39\x3b-\x7e]{0,100}$")] = pydantic.Field(
        "", title="User of the manager", description="With the role manager-script."
    )
    manager_password: Secret = pydantic.Field(NO_SECRET, title="Password of the manager")
    tls_host: Annotated[str, pydantic.Field(pattern=r"^[A-Za-z0-9_.*-]{1,253}$")] = pydantic.Field(
        "_default_",
        title="TLS host of Tomcat",
        description="hostName of the SSLHostConfig with this keystore; _default_ where it has none.",
    )
    reload: Command = pydantic.Field(
        (),
        title="Command that reloads the server",
        json_schema_extra=LINES,
        description=f"{COMMAND}Empty: the server looks at the file by itself; Tomcat does not.",
        examples=["/opt/certdesk/reload-tomcat"],
    )

    @pydantic.field_validator("password")
    @classmethod
    def _long_enough(cls, given: SecretStr) -> SecretStr:
        if len(given.get_secret_value()) < _SHORTEST:
            raise ValueError("keystores take passwords of six characters or more")
        return given

    @pydantic.model_validator(mode="after")
    def _one_way(self) -> "KeystoreOptions":
        if self.manager is not None and self.reload:
            raise ValueError("give the address of the manager or a command, and not both")
        known = self.manager_user and self.manager_password.get_secret_value()
        if self.manager is not None and not known:
            raise ValueError("give user and password of the manager")
        return self

    def endpoint(self) -> tuple[str, int] | None:
        return endpoint_of(self.manager) if self.manager is not None else None

    def way(self) -> Manager | None:
        """To Tomcat; None where a command tells the server, or nothing does."""
        if self.manager is None:
            return None
        secret = self.manager_password.get_secret_value()
        return Manager(self.manager, self.tls_host, self.manager_user, secret)


_SHORTEST = 6


class Keystore(Placed):
    """One file with one entry; other entries are not kept."""

    def __init__(self, options: KeystoreOptions, outside: Outside) -> None:
        super().__init__(options, outside)
        self._options, self._password = options, options.password.get_secret_value()
        self._manager = options.way()

    def rendered(self, bundle: Bundle) -> Mapping[str, bytes]:
        leaf = PEM_cert_to_DER_cert(bundle.leaf.strip())
        chain = load_chain_pem(bundle.chain) if bundle.chain.strip() else []
        key = cast(keys.PrivateKey, load_pem_private_key(bundle.key.encode(), None))
        parts = (leaf, chain, key, self._options.alias, self._password)
        made = (
            bundles.pkcs12_store(*parts)
            if self._options.format == "PKCS12"
            else bundles.jks_store(*parts, clock.real_now())
        )
        return {self._path: made}

    def leaf(self, content: bytes) -> CertificateFacts | None:
        try:
            der = (_of_pkcs12 if self._options.format == "PKCS12" else _of_jks)(content, self._password)
            return facts(der) if der else None
        except BadCertificate:
            return None

    async def told(self) -> None:
        if self._manager is not None:
            await self._manager.reload(self._outside)
        else:
            await reload(self._outside, self._options.reload, (self._password,))

    async def checked(self) -> tuple[str, ...]:
        if self._manager is None:
            return reloadable(self._outside, self._options.reload)
        await self._manager.look(self._outside)
        return ()


def _of_pkcs12(content: bytes, password: str) -> bytes | None:
    try:
        found = pkcs12.load_pkcs12(content, password.encode())
    except ValueError:
        return None
    return found.cert.certificate.public_bytes(Encoding.DER) if found.cert is not None else None


def _of_jks(content: bytes, password: str) -> bytes | None:
    """The leaf of the first entry with a key. The library tells its failures in classes of its own."""
    import jks  # 0.3 s with what it drags in; few processes ever read such a store

    try:
        store: Any = jks.KeyStore.loads(content, password)
    except jks.util.KeystoreException:
        return None
    chains = [entry.cert_chain for entry in store.private_keys.values()]
    return chains[0][0][1] if chains and chains[0] else None
