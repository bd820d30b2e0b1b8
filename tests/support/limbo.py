"""Cases of x509-limbo (C2SP, Apache-2.0): chains that a verifier must take or refuse.

The file lies beside the repository, or where `X509_LIMBO` says; without it the tests are skipped.
"""

import gzip
import json
import os
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError

PLACE = Path(__file__).parents[3] / "shared" / "data" / "x509-limbo-208.json.gz"
USUAL_TIME = datetime(2026, 11, 25, 12, tzinfo=UTC)
MOST_SORTED = 20


@dataclass(frozen=True)
class Case:
    """One chain as somebody would upload it.

    Attributes:
        certificate: PEM of the leaf.
        chain: PEM of what lies above it, in order where an order can be found.
        key: PEM; empty where the suite has none.
        wanted: whether a verifier must take it.
        raw: the case as the suite has it.
    """

    id: str
    certificate: str
    chain: str
    key: str
    now: datetime
    wanted: bool
    raw: dict


def path() -> Path:
    return Path(os.environ.get("X509_LIMBO", PLACE))


@cache
def cases() -> tuple[Case, ...]:
    with gzip.open(path(), "rt", encoding="utf-8") as file:
        return tuple(_case(one) for one in json.load(file)["testcases"])


def _case(one: dict) -> Case:
    at = one["validation_time"]
    return Case(
        id=one["id"],
        certificate=one["peer_certificate"],
        chain="\n".join(
            _sorted(one["peer_certificate"], one["untrusted_intermediates"], one["trusted_certs"])
        ),
        key=one["peer_certificate_key"] or "",
        now=datetime.fromisoformat(at).astimezone(UTC) if at else USUAL_TIME,
        wanted=one["expected_result"] == "SUCCESS",
        raw=one,
    )


def _sorted(leaf: str, between: list[str], roots: list[str]) -> list[str]:
    """From the leaf upwards, as the owner of a server would put them; as given where that is impossible."""
    given = [*between, *roots]
    if len(given) > MOST_SORTED:
        return given
    try:
        below, left = _read(leaf), [(_read(text), text) for text in given]
    except ValueError:
        return given
    path: list[str] = []
    while below.issuer != below.subject or not path:
        above = next((one for one in left if _issued(one[0], below)), None)
        if above is None:
            break
        left.remove(above)
        path.append(above[1])
        below = above[0]
    return path or given


def _issued(upper: x509.Certificate, lower: x509.Certificate) -> bool:
    try:
        lower.verify_directly_issued_by(upper)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        return False
    return upper.not_valid_after_utc.year > 2000


def _read(text: str) -> x509.Certificate:
    return x509.load_pem_x509_certificate(text.encode())


def library_takes(case: Case) -> bool:
    """Whether the verifier of `cryptography`, by itself, takes the case of a server for its peer name."""
    raw, peer = case.raw, case.raw["expected_peer_name"]
    if raw["validation_kind"] != "SERVER" or peer is None:
        return False
    try:
        roots = [_read(text) for text in raw["trusted_certs"]]
        between = [_read(text) for text in raw["untrusted_intermediates"]]
        name = (
            x509.IPAddress(ip_address(peer["value"])) if peer["kind"] == "IP" else x509.DNSName(peer["value"])
        )
        builder = PolicyBuilder().store(Store(roots)).time(case.now.replace(tzinfo=None))
        if raw["max_chain_depth"] is not None:
            builder = builder.max_chain_depth(raw["max_chain_depth"])
        builder.build_server_verifier(name).verify(_read(case.certificate), between)
    except (ValueError, VerificationError):
        return False
    return True
