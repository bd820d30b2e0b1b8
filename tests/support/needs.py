"""Programs that a test needs: skipped without them, failed where nothing may be skipped."""

import os

import pytest


def need(present: bool, reason: str) -> None:
    if not present:
        if os.environ.get("CERTDESK_REQUIRE_ALL") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
