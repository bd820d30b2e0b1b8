"""Revokes serials in the authority's records until COUNT or the end of its input: weight_work.py COUNT.

At most 100 rows a transaction, then a pause of 2 ms (law 13); the worker beside it signs the CRLs.
"""

import os
import secrets
import select
import sys
import time

ROWS = 100
PAUSE = 0.002


def main(count: int) -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "certdesk.config.django")
    import django

    django.setup()
    from certdesk.foundation.common import clock, sql
    from certdesk.foundation.jobs import actions as jobs
    from certdesk.foundation.jobs import registry
    from certdesk.pki.authority import issuers, revocation

    registry.discover()
    names = issuers.partitions("dv-p256")
    print(flush=True)
    done = 0
    while done < count and not select.select([sys.stdin], [], [], 0)[0]:
        moment = clock.to_micros(clock.now().replace(microsecond=0))
        rows = [
            {
                "serial": f"{secrets.randbits(127):032x}",
                "authority_id": "dv-p256",
                "crl": names[number % len(names)],
                "reason": 4,
                "revoked_at": moment,
                "not_after": moment + 180 * 86_400_000_000,
            }
            for number in range(min(ROWS, count - done))
        ]
        with sql.short_transaction():
            sql.insert("authority_revocation", rows)
            jobs.enqueue(revocation.CRLS, dedupe_key=revocation.CRLS)
        done += len(rows)
        time.sleep(PAUSE)
    print(done)


main(int(sys.argv[1]))
