"""A device with passkeys, in software, that can misbehave: for the answers that no browser would give."""

import json
import secrets
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from fido2 import cbor
from fido2.cose import ES256
from fido2.utils import websafe_decode, websafe_encode
from fido2.webauthn import AttestedCredentialData

PRESENT, VERIFIED, ATTESTED = 0x01, 0x04, 0x40


@dataclass
class Device:
    """Attributes:
    origin: the page that it believes to be on.
    flags: what it says of its user.
    """

    origin: str
    rp_id: str
    counter: int = 0
    flags: int = PRESENT | VERIFIED
    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    id: bytes = field(default_factory=lambda: secrets.token_bytes(32))
    handle: bytes = b""

    def create(self, options: dict[str, Any], **more: str) -> str:
        """The answer to a challenge for a new passkey."""
        self.handle = websafe_decode(options["user"]["id"])
        made = AttestedCredentialData.create(
            b"\0" * 16, self.id, ES256.from_cryptography_key(self.key.public_key())
        )
        data = self._head(ATTESTED) + bytes(made)
        attested = cbor.encode({"fmt": "none", "attStmt": {}, "authData": data})
        client = self._client("webauthn.create", options, **more)
        return self._answer({"attestationObject": attested, "clientDataJSON": client})

    def get(self, options: dict[str, Any], **more: str) -> str:
        """The answer to a challenge for a known one."""
        self.counter += 1
        data, client = self._head(), self._client("webauthn.get", options, **more)
        signed = self.key.sign(data + sha256(client).digest(), ec.ECDSA(hashes.SHA256()))
        response = {"authenticatorData": data, "clientDataJSON": client, "signature": signed}
        return self._answer({**response, "userHandle": self.handle})

    def _head(self, more: int = 0) -> bytes:
        return (
            sha256(self.rp_id.encode()).digest()
            + bytes([self.flags | more])
            + self.counter.to_bytes(4, "big")
        )

    def _client(self, kind: str, options: dict[str, Any], **more: str) -> bytes:
        said = {"type": kind, "challenge": options["challenge"], "origin": self.origin, "crossOrigin": False}
        return json.dumps({**said, **more}).encode()

    def _answer(self, response: dict[str, bytes]) -> str:
        return json.dumps(
            {
                "id": websafe_encode(self.id),
                "rawId": websafe_encode(self.id),
                "type": "public-key",
                "response": {name: websafe_encode(value) for name, value in response.items()},
                "clientExtensionResults": {},
            }
        )
