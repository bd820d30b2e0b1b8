"""The certificate of an order that is issued, with its chain: for our key, or what our request brought."""

from collections.abc import Mapping
from typing import Any

from cryptography import x509

from certdesk.connectors.issuers.certcentral import orders
from certdesk.connectors.issuers.certcentral.wire import Wire
from certdesk.connectors.issuers.protocol import IssuerError, Reason
from certdesk.pki.x509 import certificates, keys
from certdesk.pki.x509.errors import BadCertificate

_MOST_LOOKED_AT = 5


async def chain(wire: Wire, row: Mapping[str, Any], request: int | None, csr: bytes) -> tuple[bytes, ...]:
    """DER, the leaf first.

    An order can have several certificates (reissues), the newest of which it shows; an older one is looked
    for among them. Where none is for our key it is the newest, if surely our own request brought it: whoever
    takes it judges it, and has it revoked. One that somebody reissued in CertCentral is not ours to judge.

    Args:
        request: of the order's handle; None = its first.

    Raises:
        IssuerError: BAD_ANSWER where what the order shows is somebody else's; those of `Wire`.
    """
    key = keys.spki_sha256(x509.load_der_x509_csr(csr).public_key())
    newest = _number(row.get("certificate"))
    if newest is None:
        raise wire.bad_answer()
    found = await _download(wire, newest)
    if certificates.facts(found[0]).spki_sha256 == key:
        return found
    for number in [one for one in await _others(wire, row) if one != newest][:_MOST_LOOKED_AT]:
        older = await _download(wire, number)
        if certificates.facts(older[0]).spki_sha256 == key:
            return older
    if orders.brought_newest(row, request):
        return found
    raise IssuerError(
        Reason.BAD_ANSWER,
        f"Order {row.get('id')} shows no certificate for our key: it was reissued in CertCentral meanwhile.",
        "Nothing is revoked there. Look at the order in CertCentral; withdraw the application, apply again.",
    )


async def _others(wire: Wire, row: Mapping[str, Any]) -> list[int]:
    """The numbers of the order's reissues, newest first."""
    path = f"order/certificate/{row.get('id')}/reissue"
    listed = (await wire.json("GET", path, "The look at the reissues")).get("certificates")
    numbers = [_number(one) for one in listed] if isinstance(listed, list) else []
    return sorted((one for one in numbers if one is not None), reverse=True)


async def _download(wire: Wire, number: int) -> tuple[bytes, ...]:
    path = f"certificate/{number}/download/format/pem_noroot"
    answer = await wire.send("GET", path, "The download of the certificate")
    try:
        found = certificates.load_chain_pem(answer.body.decode("ascii"))
    except (BadCertificate, UnicodeDecodeError):
        raise wire.bad_answer() from None
    return tuple(one for place, one in enumerate(found) if not place or not _is_root(one))


def _is_root(der: bytes) -> bool:
    return certificates.is_self_issued(x509.load_der_x509_certificate(der))


def _number(row: object) -> int | None:
    found = row.get("id") if isinstance(row, Mapping) else None
    return found if isinstance(found, int) else None
