"""Envoy's secret discovery by file: a JSON file with one secret, moved into the folder that Envoy watches.

The secret is the certificate with its key. Envoy takes the new file at the rename, without a reload. One with
several secrets it refuses whole ("Unexpected SDS secrets length"): the old certificate stays in force.
"""

import asyncio
import json
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

import pydantic

from certdesk.connectors.targets import disk, material
from certdesk.connectors.targets.options import Outside
from certdesk.connectors.targets.placed import LISTENERS, Listeners, PathText, Placed, PlacedOptions
from certdesk.connectors.targets.protocol import Bundle, Reason, TargetError, without_blanks
from certdesk.pki.x509.certificates import CertificateFacts

TYPE = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret"


class EnvoyOptions(PlacedOptions):
    """File, name of the secret, listeners."""

    label: ClassVar[str] = "Envoy (SDS file)"

    path: PathText = pydantic.Field(
        title="Secret file",
        description="The path of path_config_source, as JSON with this one secret; Envoy watches it, or its "
        "folder where watched_directory says so.",
        examples=["/etc/envoy/sds/server.json"],
    )
    secret: Annotated[str, pydantic.Field(pattern=r"^[\x21-\x7e]{1,128}$")] = pydantic.Field(
        title="Name of the secret",
        description="As in tls_certificate_sds_secret_configs.",
        examples=["server"],
    )
    listeners: Listeners = pydantic.Field(
        title="Listeners", description=f"{LISTENERS}.", examples=["10.0.0.5:443"]
    )


class Envoy(Placed):
    """The secret of one file."""

    def __init__(self, options: EnvoyOptions, outside: Outside) -> None:
        super().__init__(options, outside)
        self._secret = options.secret

    def rendered(self, bundle: Bundle) -> Mapping[str, bytes]:
        self._check_alone()
        chain = without_blanks(f"{bundle.leaf}\n{bundle.chain}")
        certificate = {
            "certificate_chain": {"inline_string": chain},
            "private_key": {"inline_string": without_blanks(bundle.key)},
        }
        made = {"@type": TYPE, "name": self._secret, "tls_certificate": certificate}
        return {self._path: json.dumps({"resources": [made]}, indent=1).encode()}

    def _check_alone(self) -> None:
        """Raises `TargetError`: what is there is no file for this secret alone, so it is not overwritten."""
        found = _secrets(disk.read(self._outside, self._path) or b"")
        if found is None:
            raise TargetError(
                Reason.BAD_ANSWER,
                f"{self._path} holds no secrets of Envoy in JSON, so it was left as it is.",
                "Write it as JSON with a list named resources.",
            )
        if any(one.get("name") != self._secret for one in found):
            raise TargetError(
                Reason.BAD_ANSWER,
                f"{self._path} holds other secrets, and Envoy takes no file with more than one, so it was "
                "left as it is.",
                "Give each secret a file of its own.",
            )

    async def checked(self) -> tuple[str, ...]:
        await asyncio.to_thread(self._check_alone)
        return ()

    def leaf(self, content: bytes) -> CertificateFacts | None:
        for one in _secrets(content) or ():
            if one.get("name") == self._secret:
                held = one.get("tls_certificate")
                chain = held.get("certificate_chain") if isinstance(held, dict) else None
                text = chain.get("inline_string") if isinstance(chain, dict) else None
                return material.leaf_of(text) if isinstance(text, str) else None
        return None


def _secrets(content: bytes) -> list[dict[str, Any]] | None:
    try:
        found = json.loads(content)
    except ValueError:
        return None
    listed = found.get("resources") if isinstance(found, dict) else None
    if not isinstance(listed, list) or not all(isinstance(one, dict) for one in listed):
        return None
    return listed
