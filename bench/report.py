"""The figures of one run: calibration rows, goals with their floor, machine."""

import os
import platform
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Row:
    """One figure. `goal` and `floor` are ratios to `base`; 0 = none is set."""

    name: str
    value: float
    unit: str
    base: str = ""
    ratio: float = 0.0
    goal: float = 0.0
    floor: float = 0.0
    at_most: bool = False

    @property
    def verdict(self) -> str:
        if not self.goal and not self.floor:
            return ""
        if self._holds(self.goal):
            return "goal"
        if not self.floor:
            return "below goal"
        return "floor" if self._holds(self.floor) else "MISSED"

    def _holds(self, limit: float) -> bool:
        return bool(limit) and (self.ratio <= limit if self.at_most else self.ratio >= limit)


@dataclass
class Report:
    rows: list[Row] = field(default_factory=list)
    peers_absent: dict[str, str] = field(default_factory=dict)

    def absent(self, peer: str, reason: str) -> None:
        """A peer that was not measured, and why."""
        self.peers_absent[peer] = reason
        print(f"{f'peer {peer}':<46} not measured: {reason}", flush=True)

    def add(self, row: Row) -> None:
        self.rows.append(row)
        print(self.line(row), flush=True)

    def value(self, name: str) -> float:
        """The figure of an earlier row."""
        return next(row.value for row in self.rows if row.name == name)

    @property
    def floors_hold(self) -> bool:
        return all(row.verdict != "MISSED" for row in self.rows)

    @staticmethod
    def line(row: Row) -> str:
        ratio = f"{row.ratio:8.3f} x {row.base}" if row.base else ""
        limits = f"goal {row.goal:g} floor {row.floor:g}" if row.goal or row.floor else ""
        return f"{row.name:<46} {row.value:12.2f} {row.unit:<10} {ratio:<26} {limits:<24} {row.verdict}"

    def table(self) -> str:
        lines = [f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"]
        absent = (f"{f'peer {peer}':<46} not measured: {why}" for peer, why in self.peers_absent.items())
        return "\n".join(["", *lines, *(self.line(row) for row in self.rows), *absent])

    def as_dict(self) -> dict[str, object]:
        return {
            "machine": {"cores": os.cpu_count(), "python": platform.python_version()},
            "rows": [row.__dict__ | {"verdict": row.verdict} for row in self.rows],
            "peers_absent": self.peers_absent,
            "floors_hold": self.floors_hold,
        }
