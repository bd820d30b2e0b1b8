"""The floor of the validation checker in its small form; `./certdesk bench --only g12` measures the rest."""

import pytest

from bench import checker
from certdesk.connectors.dns.ask import QUESTION_TIMEOUT
from certdesk.foundation.common import settings

NAMES, SILENT = 112, 72


@pytest.mark.server
def test_64_names_are_in_flight_and_silent_servers_make_nobody_late() -> None:
    before = settings.get()
    try:
        with checker.serving() as server:
            times = checker.mixed(server, silent=SILENT, at_once=NAMES)
    finally:
        settings.install(before)
    assert server.at_once >= 64
    assert len(times) == NAMES - SILENT
    assert max(times) <= 2 * QUESTION_TIMEOUT
