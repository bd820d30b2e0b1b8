"""The certificate of the installation's own HTTPS listener: through the same prepare, intend, sign, record.

The operator of the host owns its addresses, so no domain check stands behind it; the proof says so.
"""

import hashlib
from collections.abc import Sequence
from datetime import datetime, timedelta
from ipaddress import ip_address

from cryptography import x509
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat

from certdesk.foundation.common import ids, sql
from certdesk.pki.x509 import certificates, keys
from certdesk.pki.x509.keys import KeyAlgorithm

from . import constraints, issuers
from . import issue as engine
from .constraints import Bounds
from .types import Authorization, CertificateRequest, LevelName, Subject

LEVEL: LevelName = "DV"
ALGORITHM = KeyAlgorithm.EC_P256
PLACE = issuers.place_for(LEVEL, False, ALGORITHM)
"""The place of the hierarchy that signs it."""
VALID = timedelta(days=199)
POLICY = "the installation's own listener, asked for on the host"


def issue(hosts: Sequence[str], now: datetime, password: bytes) -> tuple[bytes, bytes]:
    """A fresh P-256 key and its certificate for names and addresses of this host.

    Args:
        password: the key file is encrypted with it.

    Returns:
        Chain in PEM, leaf first, and the key in encrypted PKCS#8 PEM.
    """
    key = keys.generate(ALGORITHM)
    spki = keys.spki_der(key.public_key())
    names = tuple(_canonical(host) for host in hosts)
    proof = Authorization(
        reference=f"listener.{ids.hex32()}",
        account_id="system",
        names=names,
        spki_sha256=hashlib.sha256(spki).digest(),
        evidence=(0,) * len(names),
        approved_by=(),
        policy=POLICY,
    )
    begin = now.replace(microsecond=0)
    request = CertificateRequest(
        proof, "private", LEVEL, False, spki, ALGORITHM, names, Subject(), begin,
        begin + VALID - timedelta(seconds=1), allow_internal=True, allow_ip=True,
    )  # fmt: skip
    prepared = engine.prepare(request, now)
    with sql.short_transaction():
        engine.intend([prepared])
    signed = engine.sign(prepared)
    with sql.short_transaction():
        engine.record([signed])
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(password))
    return certificates.to_pem(signed.der).encode() + signed.chain_pem, pem


def good_for(chain: bytes, hosts: Sequence[str], until: datetime) -> bool:
    """Whether the first certificate of the PEM names exactly these hosts and lives beyond `until`."""
    try:
        leaf = x509.load_pem_x509_certificates(chain)[0]
    except (ValueError, IndexError):
        return False
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    present = {name.lower() for name in names.get_values_for_type(x509.DNSName)}
    present |= {str(address) for address in names.get_values_for_type(x509.IPAddress)}
    return present == {_canonical(host) for host in hosts} and leaf.not_valid_after_utc > until


def outside(bounds: Bounds, hosts: Sequence[str]) -> list[str]:
    """Those of the hosts that an authority with these bounds would not certify."""
    return constraints.outside(bounds, map(_canonical, hosts))


def _canonical(host: str) -> str:
    try:
        return str(ip_address(host))
    except ValueError:
        return host.lower()
