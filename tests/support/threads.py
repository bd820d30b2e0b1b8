"""Threads that run as those of a web process do: one at a time, in the order of asking."""

import threading
from collections.abc import Callable

from django.db import connection

from certdesk.foundation.common.baton import baton


def crowd(*calls: Callable[[], object]) -> list[object]:
    """Runs each call in a thread of its own as a web process does; they start when all have asked."""
    results: list[object] = [None] * len(calls)

    def run(place: int) -> None:
        with baton:
            try:
                results[place] = calls[place]()
            except ValueError as error:
                results[place] = str(error)
            finally:
                connection.close()

    threads = [threading.Thread(target=run, args=(place,)) for place in range(len(calls))]
    with baton:
        for number, thread in enumerate(threads, start=1):
            thread.start()
            while len(baton._queue) < number:
                thread.join(0.001)
    for thread in threads:
        thread.join(30)
    return results
