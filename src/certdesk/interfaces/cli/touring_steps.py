"""A step of the tour: printed with its time, or failed in words."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import typer


class TourFailed(Exception):
    """A step saw something else than it promised."""


@dataclass
class Steps:
    """Prints each step with its time; keeps the count."""

    done: int = 0
    began: float = field(default_factory=time.monotonic)

    @contextmanager
    def step(self, title: str) -> Iterator[Callable[[str], None]]:
        began = time.monotonic()
        lines: list[str] = []
        yield lines.append
        self.done += 1
        typer.echo(f"{self.done:>2}. {title:<62} {time.monotonic() - began:6.2f} s")
        for line in lines:
            typer.echo(f"      {line}")
        sys.stdout.flush()


def expect(holds: bool, otherwise: str) -> None:
    """Raises TourFailed when what was promised was not seen."""
    if not holds:
        raise TourFailed(otherwise)
