"""G11: a large CRL in partitions against one raw build of all its entries."""

import secrets
import time
from datetime import timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

from bench.report import Report, Row

AUTHORITY = "dv-p256"
SHARD = 100_000


def measure(report: Report, rows: int) -> None:
    """In this process; CPU seconds. Nothing is stored: `publishing` does that around the signature."""
    from certdesk.foundation.common import clock
    from certdesk.pki.authority import crl, issuers
    from certdesk.pki.authority.queries import Entry

    now = clock.real_now().replace(microsecond=0)
    names = issuers.partitions(AUTHORITY)
    entries = [Entry(secrets.randbits(127) | 1 << 126, 4, now, None) for _ in range(rows)]
    raw = _raw(entries, now)
    share = -(-rows // len(names))
    began, largest = time.process_time(), 0
    for number, name in enumerate(names):
        mine = entries[number * share : (number + 1) * share]
        plan = crl.Plan(name, issuers.holder(AUTHORITY), 1, 1, now, mine, False, f"http://p/{name}.crl")
        largest = max(largest, len(mine))
        crl.full(plan)
    ours = time.process_time() - began
    report.add(Row(f"raw CRL of {rows} entries", raw * 1000, "ms CPU"))
    title = f"G11 CRL of {rows} entries in {len(names)} parts"
    report.add(Row(title, ours * 1000, "ms CPU", "raw", ours / raw, goal=1.3, floor=3, at_most=True))
    report.add(
        Row("G11 largest part", largest, "entries", "100 k", largest / SHARD, goal=1, floor=1, at_most=True)
    )


def _raw(entries: list, now: object) -> float:  # type: ignore[type-arg]
    """One list of all, without an extension but its number."""
    from certdesk.pki.authority import issuers

    holder = issuers.holder(AUTHORITY)
    began = time.process_time()
    revoked = [
        x509.RevokedCertificateBuilder(one.serial, one.revoked_at)
        .add_extension(x509.CRLReason(x509.ReasonFlags.superseded), critical=False)
        .build()
        for one in entries
    ]
    number = x509.CRLNumber(1)
    builder = x509.CertificateRevocationListBuilder(
        issuer_name=holder.certificate.subject,
        last_update=entries[0].revoked_at,
        next_update=entries[0].revoked_at + timedelta(days=7),
        extensions=[x509.Extension(number.oid, False, number)],
        revoked_certificates=revoked,
    )
    builder.sign(holder.key, hashes.SHA256()).public_bytes(Encoding.DER)
    return time.process_time() - began
