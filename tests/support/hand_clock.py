"""Real time that only a test moves, so that "within a minute" is counted and never measured."""

from datetime import datetime, timedelta

import pytest

from certdesk.foundation.common import clock

MINUTE = 60.0


class HandClock:
    """Stands still until it is moved; `moved`: seconds since it was set to 0 last."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.at, self.moved = clock.real_now(), 0.0
        monkeypatch.setattr(clock, "real_now", self.now)

    def now(self) -> datetime:
        return self.at

    def move(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)
        self.moved += seconds
