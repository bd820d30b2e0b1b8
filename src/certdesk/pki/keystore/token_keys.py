"""Private keys that lie in the PKCS#11 token and never leave it, in the form in which `cryptography` signs.

The public half is known without the token; each signature asks it anew, so a lost token shows at once.
"""

import hashlib
import secrets
from collections.abc import Sequence
from typing import Any, NoReturn

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.serialization import load_der_public_key

from certdesk.pki.x509.keys import KeyAlgorithm, PrivateKey

from . import tokens
from .errors import TokenUnavailable
from .tokens import Session

LABEL = "certdesk CA"
_ID_BYTES = 16
_BITS = {KeyAlgorithm.RSA_2048: 2048, KeyAlgorithm.RSA_3072: 3072, KeyAlgorithm.RSA_4096: 4096}
_CURVES = {KeyAlgorithm.EC_P256: "secp256r1", KeyAlgorithm.EC_P384: "secp384r1"}


class _InToken:
    """What both kinds share: the id in the token, and that nothing of the secret can be had."""

    object_id: str

    def private_bytes(self, *_: object, **__: object) -> NoReturn:
        raise _stays()

    def private_numbers(self) -> NoReturn:
        raise _stays()

    def exchange(self, *_: object) -> NoReturn:
        raise _stays()

    def decrypt(self, *_: object) -> NoReturn:
        raise _stays()

    def __copy__(self) -> Any:
        return self

    def __deepcopy__(self, _: object) -> Any:
        return self

    def __repr__(self) -> str:
        return f"<key {self.object_id} in the token>"


class TokenRsaKey(_InToken, rsa.RSAPrivateKey):
    """RSA, PKCS#1 v1.5."""

    def __init__(self, object_id: str, public_key: rsa.RSAPublicKey) -> None:
        self.object_id, self._public = object_id, public_key

    @property
    def key_size(self) -> int:
        return self._public.key_size

    def public_key(self) -> rsa.RSAPublicKey:
        return self._public

    def sign(self, data: Any, padding: Any, algorithm: Any) -> bytes:
        """Raises: TokenUnavailable."""
        _require_scheme(padding)
        return _signed(self.object_id, bytes(data), f"{algorithm.name.upper()}_RSA_PKCS")


class TokenEcKey(_InToken, ec.EllipticCurvePrivateKey):
    """ECDSA; the token signs the digest, and here its two numbers become DER."""

    def __init__(self, object_id: str, public_key: ec.EllipticCurvePublicKey) -> None:
        self.object_id, self._public = object_id, public_key

    @property
    def curve(self) -> ec.EllipticCurve:
        return self._public.curve

    @property
    def key_size(self) -> int:
        return self._public.key_size

    def public_key(self) -> ec.EllipticCurvePublicKey:
        return self._public

    def sign(self, data: Any, signature_algorithm: ec.EllipticCurveSignatureAlgorithm) -> bytes:
        """Raises: TokenUnavailable."""
        chosen = signature_algorithm.algorithm
        assert isinstance(chosen, hashes.HashAlgorithm)  # noqa: S101 - the authority signs no digests
        digest = hashlib.new(chosen.name, bytes(data)).digest()
        numbers = _signed(self.object_id, digest, "ECDSA")
        middle = len(numbers) // 2
        r, s = (int.from_bytes(part, "big") for part in (numbers[:middle], numbers[middle:]))
        return encode_dss_signature(r, s)


def generate(algorithm: KeyAlgorithm) -> PrivateKey:
    """A new key pair in the token; the private half is never extractable.

    Raises:
        TokenUnavailable.
    """
    object_id = secrets.token_hex(_ID_BYTES)
    made = tokens.run(lambda session: _made(session, object_id, algorithm), again=False)
    return load(object_id, made)


def load(object_id: str, spki: bytes) -> PrivateKey:
    """The key of that id; the token is not asked.

    Args:
        spki: its public half, DER, as recorded when it was made.
    """
    public_key = load_der_public_key(spki)
    if isinstance(public_key, rsa.RSAPublicKey):
        return TokenRsaKey(object_id, public_key)
    if isinstance(public_key, ec.EllipticCurvePublicKey):
        return TokenEcKey(object_id, public_key)
    raise ValueError("a key of the token is neither RSA nor EC")


def id_of(key: PrivateKey) -> str:
    """The id in the token; empty for a key that lies elsewhere."""
    return key.object_id if isinstance(key, _InToken) else ""


def missing(object_ids: Sequence[str]) -> list[str]:
    """Those of these ids that the token does not hold.

    Raises:
        TokenUnavailable: the token itself is not there.
    """
    tokens.forget()  # a token that was taken out and put back empty shows in a new session only
    return [one for one in object_ids if not tokens.run(lambda session, one=one: _holds(session, one))]  # type: ignore[misc]


def remove(object_ids: Sequence[str]) -> None:
    """Destroy these keys in the token; those that are gone already are no error.

    Raises:
        TokenUnavailable.
    """
    for one in object_ids:
        tokens.run(lambda session, one=one: _remove(session, one))  # type: ignore[misc]


def _made(session: Session, object_id: str, algorithm: KeyAlgorithm) -> bytes:
    """The public half, DER, as the token tells it."""
    import pkcs11
    from pkcs11.util import ec as token_ec
    from pkcs11.util import rsa as token_rsa

    how: dict[str, Any] = {
        "id": bytes.fromhex(object_id),
        "label": LABEL,
        "store": True,
        "capabilities": pkcs11.MechanismFlag.SIGN | pkcs11.MechanismFlag.VERIFY,
        "private_template": {pkcs11.Attribute.SENSITIVE: True, pkcs11.Attribute.EXTRACTABLE: False},
    }
    if algorithm.is_rsa:
        public, _ = session.raw.generate_keypair(pkcs11.KeyType.RSA, _BITS[algorithm], **how)
        return token_rsa.encode_rsa_public_key(public)
    curve = {pkcs11.Attribute.EC_PARAMS: token_ec.encode_named_curve_parameters(_CURVES[algorithm])}
    parameters = session.raw.create_domain_parameters(pkcs11.KeyType.EC, curve, local=True)
    public, _ = parameters.generate_keypair(**how)
    return token_ec.encode_ec_public_key(public)


def _signed(object_id: str, data: bytes, mechanism: str) -> bytes:
    """Args: mechanism: by its name in PKCS#11, without CKM_."""

    def sign(session: Session) -> bytes:
        import pkcs11

        return bytes(_key(session, object_id).sign(data, mechanism=pkcs11.Mechanism[mechanism]))

    return tokens.run(sign)


def _key(session: Session, object_id: str) -> Any:
    """Found once a session: looking for it costs more than the signature."""
    held = session.keys.get(object_id)
    if held is None:
        held = session.keys[object_id] = _found(session, object_id)
    return held


def _found(session: Session, object_id: str) -> Any:
    import pkcs11
    from pkcs11.exceptions import NoSuchKey

    try:
        return session.raw.get_key(pkcs11.ObjectClass.PRIVATE_KEY, id=bytes.fromhex(object_id))
    except NoSuchKey:
        raise TokenUnavailable(
            f"The token holds no key {object_id}, so nothing is signed.",
            next_step="Put the token with the keys of this CA back, or its backup; see docs/pki.md.",
        ) from None


def _holds(session: Session, object_id: str) -> bool:
    import pkcs11

    wanted = {
        pkcs11.Attribute.CLASS: pkcs11.ObjectClass.PRIVATE_KEY,
        pkcs11.Attribute.ID: bytes.fromhex(object_id),
    }
    return any(True for _ in list(session.raw.get_objects(wanted)))


def _remove(session: Session, object_id: str) -> None:
    import pkcs11

    session.keys.pop(object_id, None)
    for one in list(session.raw.get_objects({pkcs11.Attribute.ID: bytes.fromhex(object_id)})):
        one.destroy()


def _require_scheme(scheme: object) -> None:
    if not isinstance(scheme, padding.PKCS1v15):
        raise ValueError("keys in the token sign with PKCS#1 v1.5 only")


def _stays() -> TokenUnavailable:
    return TokenUnavailable(
        "The private key lies in the token and never leaves it.",
        next_step="Make a backup of the token with its vendor's tools.",
    )
