"""A worker as its own process, for tests that kill or freeze it.

    python worker_process.py DATABASE FOLDER LEASE: jobs `crash.write` append one line to FOLDER/performed
each time `perform` begins, wait while FOLDER/hold exists, and store one audit row each.
"""

import asyncio
import os
import sys
from pathlib import Path


def main(name: str, folder: Path, lease: float) -> None:
    import django
    from django.conf import settings as django_settings

    django_settings.DATABASES["default"]["NAME"] = name
    django.setup()
    from certdesk.foundation.audit import actions as audit
    from certdesk.foundation.iam.principal import system_principal
    from certdesk.foundation.jobs import registry, worker
    from certdesk.foundation.jobs.models import Job

    @registry.handler("crash.write")
    class Write(registry.Handler[int, str]):
        def load(self, job: Job) -> int:
            return int(job.payload["n"])

        async def perform(self, work: int) -> str:
            with (folder / "performed").open("a") as file:
                file.write(f"{work} {os.getpid()}\n")
            while (folder / "hold").exists():  # noqa: ASYNC110 the test is another process
                await asyncio.sleep(0.02)
            return str(os.getpid())

        def store(self, job: Job, work: int, result: str) -> None:
            audit.record(system_principal("crash"), f"wrote {work}", resource=f"pid:{result}")

    registry._discovered = True  # only this kind; the rooms' own jobs stay out of the test
    worker.main(pace=worker.Pace(lease=lease, grace=0.5))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), float(sys.argv[3]))
