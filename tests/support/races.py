"""Calls that run at the same moment, each on a database connection of its own."""

import threading
from collections.abc import Callable

from django.db import connection

from certdesk.foundation.common.errors import CertdeskError


def at_once(*calls: Callable[[], object]) -> list[object]:
    """Runs the calls together; answers what each came to, an expected refusal included."""
    start, results = threading.Barrier(len(calls)), [None] * len(calls)

    def run(place: int, call: Callable[[], object]) -> None:
        try:
            start.wait(10)
            results[place] = call()
        except CertdeskError as error:
            results[place] = error
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(place, call)) for place, call in enumerate(calls)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return results
