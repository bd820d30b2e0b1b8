"""Bulk writes as workers make them, until the input ends: prints a line at the start, then the rows.

At most 100 rows a transaction, then a pause of 2 ms (law 13): rows are added to the job table, changed and
deleted again.
"""

import os
import select
import sys
import time

ROWS = 100
PAUSE = 0.002


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "certdesk.config.django")
    import django

    django.setup()
    print(flush=True)
    done = 0
    while not select.select([sys.stdin], [], [], 0)[0]:
        done += _round()
    print(done)


def _round() -> int:
    """Three transactions; answers the rows they touched."""
    from certdesk.foundation.common import clock, sql

    now = clock.to_micros(clock.real_now())
    job = {
        "kind": "bench.bulk", "payload": "{}", "subject": "bench", "state": "DONE", "run_at": now,
        "attempts": 1, "max_attempts": 1, "fence": 1, "worker": "bench", "dedupe_key": None, "lock_key": None,
        "last_error": "", "created_at": now, "finished_at": now,
    }  # fmt: skip
    touched = 0
    for write in (
        lambda: sql.insert("jobs_job", [job] * ROWS),
        lambda: sql.execute("UPDATE jobs_job SET attempts = attempts + 1 WHERE subject = 'bench'"),
        lambda: sql.execute("DELETE FROM jobs_job WHERE subject = 'bench'"),
    ):
        with sql.short_transaction():
            touched += write()
        time.sleep(PAUSE)
    return touched


main()
