"""Waiting for what happens outside this process."""

import threading
import time
from collections.abc import Callable

import pytest


def until(what: str, seen: Callable[[], object], seconds: float = 60.0) -> None:
    """Looks again and again; fails when `what` is not seen in time."""
    end = time.monotonic() + seconds
    while not seen():
        if time.monotonic() > end:
            pytest.fail(f"not seen: {what}")
        threading.Event().wait(0.05)
