"""Fills an installation for `answers.py`: answers_work.py SERIALS ENTRIES.

Issues so many certificates in the authority's records and revokes ENTRIES serials of one CRL, which is
signed and stored. Prints the OCSP requests (base64; `fresh`: with a nonce each) and the name of that CRL.
"""

import json
import os
import secrets
import sys
from base64 import b64encode
from itertools import count
from typing import Any


def main(serials: int, entries: int) -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "certdesk.config.django")
    import django

    django.setup()
    from cryptography import x509

    from certdesk.pki.authority.models import Authority

    certificates = [x509.load_der_x509_certificate(der) for der in _issue(serials)]
    issuer = x509.load_der_x509_certificate(bytes(Authority.objects.get(slug="dv-p256").certificate_der))
    kept = [_request(one, issuer, nonce=False) for one in certificates]
    fresh = [_request(one, issuer, nonce=True) for one in certificates for _ in range(8)]
    print(json.dumps({"kept": kept, "fresh": fresh, "crl": _revoke(entries)}))


def _issue(serials: int) -> list[bytes]:
    from certdesk.foundation.common import clock, sql
    from certdesk.pki.authority import bench, issue, profiles
    from certdesk.pki.x509 import keys
    from certdesk.pki.x509.keys import KeyAlgorithm

    now, references = clock.now(), count()
    spki = keys.spki_der(keys.generate(KeyAlgorithm.EC_P256).public_key())
    dates = profiles.validity("private", 12, now)
    made: list[bytes] = []
    for _ in range(0, serials, 64):
        wanted = [
            bench._request(KeyAlgorithm.EC_P256, spki, f"ocsp-{next(references)}", dates) for _ in range(64)
        ]
        prepared = [issue.prepare(one, now) for one in wanted]
        with sql.short_transaction():
            issue.intend(prepared)
        signed = [issue.sign(one) for one in prepared]
        with sql.short_transaction():
            issue.record(signed)
        made += [one.der for one in signed]
    return made


def _request(certificate: Any, issuer: Any, *, nonce: bool) -> str:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.serialization import Encoding
    from cryptography.x509 import ocsp

    builder = ocsp.OCSPRequestBuilder().add_certificate(certificate, issuer, hashes.SHA1())  # noqa: S303
    if nonce:
        builder = builder.add_extension(x509.OCSPNonce(secrets.token_bytes(16)), critical=False)
    return b64encode(builder.build().public_bytes(Encoding.DER)).decode()


def _revoke(entries: int) -> str:
    from certdesk.foundation.common import clock, sql
    from certdesk.pki.authority import issuers, publishing

    name, now = issuers.partitions("dv-p256")[0], clock.now()
    moment = clock.to_micros(now.replace(microsecond=0))
    for start in range(0, entries, 1000):
        rows = [
            {
                "serial": f"{secrets.randbits(127):032x}",
                "authority_id": "dv-p256",
                "crl": name,
                "reason": 4,
                "revoked_at": moment,
                "not_after": moment + 180 * 86_400_000_000,
            }
            for _ in range(start, min(start + 1000, entries))
        ]
        with sql.short_transaction():
            sql.insert("authority_revocation", rows)
    publishing.publish_all(now)
    return name


main(int(sys.argv[1]), int(sys.argv[2]))
