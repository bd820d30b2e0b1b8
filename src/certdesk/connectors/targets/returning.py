"""Optional capability: the way back from the account's own inventory.

Some services never give a private key out again, so a snapshot of theirs cannot hold it. Where what they
serve is a certificate of ours, the caller has its key; else the previous one cannot be put back, and a
deployment is refused, or done without a way back where the options say so.
"""

import json
from dataclasses import asdict
from ssl import PEM_cert_to_DER_cert
from typing import Annotated, Protocol, runtime_checkable

import pydantic

from certdesk.connectors.targets.protocol import Bundle, Reason, Snapshot, TargetError
from certdesk.pki.x509.certificates import CertificateFacts, facts

WithoutWayBack = Annotated[
    bool,
    pydantic.Field(
        title="Replace what cannot be put back",
        description="This service does not give private keys out. Without a tick, only certificates of this "
        "account are replaced, because only they could be put back.",
    ),
]


@runtime_checkable
class ReturnsFromInventory(Protocol):
    """A target whose `snapshot` may raise NO_WAY_BACK, and which takes what the caller has instead."""

    async def snapshot_of(self, resource_id: str, previous: Bundle) -> Snapshot:
        """The way back to `previous`.

        Raises:
            TargetError: NO_WAY_BACK when the target serves another one.
        """


def packed(bundle: Bundle) -> Snapshot:
    """A snapshot that holds a whole bundle."""
    content = json.dumps({"bundle": asdict(bundle)}).encode()
    return Snapshot(content, facts(PEM_cert_to_DER_cert(bundle.leaf)).sha256, bundle.names)


def unpacked(snapshot: Snapshot) -> Bundle:
    """Raises `TargetError` (NO_WAY_BACK) for the snapshot of a deployment that was begun without one."""
    found = json.loads(snapshot.content).get("bundle")
    if found is None:
        raise TargetError(
            Reason.NO_WAY_BACK,
            "The previous certificate's key was not to be had, so it cannot be put back.",
            "Deploy another certificate of this account.",
        )
    return Bundle(**{**found, "names": tuple(found["names"])})


def one_way(leaf: CertificateFacts | None, names: tuple[str, ...], allowed: bool) -> Snapshot:
    """The snapshot where the key is not to be had.

    Raises:
        TargetError: NO_WAY_BACK unless the options allow that.
    """
    if not allowed:
        raise TargetError(
            Reason.NO_WAY_BACK,
            "The service does not give out the private key of what it serves, and this account does not have "
            "it: it could not be put back.",
            "Upload that certificate with its key here, or allow the replacement in the target's options.",
        )
    return Snapshot(json.dumps({}).encode(), leaf.sha256 if leaf else "", names)


def same(current: str, previous: Bundle) -> None:
    """Passes when the target serves this one.

    Raises:
        TargetError: NO_WAY_BACK.
    """
    if current != previous.fingerprint_sha1:
        raise TargetError(
            Reason.NO_WAY_BACK,
            "The target serves another certificate than this account knows of.",
            "Let the target be looked at again (discover).",
        )
