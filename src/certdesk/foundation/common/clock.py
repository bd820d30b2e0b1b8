"""Two clocks (TIM-2): business time, which a lab may move, and real time, which nobody moves.

Rules, shown dates and certificates' dates use `now()`. Jobs' run times, leases, throttles,
authentication, TLS and the audit sealer use `real_now()`.
"""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from . import settings

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def real_now() -> datetime:
    """Real time, aware, UTC."""
    return datetime.now(UTC)


def offset() -> timedelta:
    """How far the lab clock moves business time; zero outside a lab."""
    path = settings.get().lab_clock
    return _read_offset(path) if path is not None else timedelta(0)


def _read_offset(path: Path) -> timedelta:
    """Signed seconds in the file, re-read at each use; a missing or empty file means zero."""
    try:
        text = path.read_text(encoding="ascii").strip()
    except FileNotFoundError:
        return timedelta(0)
    return timedelta(seconds=float(text)) if text else timedelta(0)


def now() -> datetime:
    """Business time, aware, UTC."""
    return real_now() + offset()


def to_micros(moment: datetime) -> int:
    """Microseconds since 1970-01-01 UTC, the form in which the database holds times."""
    return (moment - EPOCH) // _MICROSECOND


def from_micros(micros: int) -> datetime:
    return EPOCH + timedelta(microseconds=micros)


def wire(moment: datetime | None) -> str:
    """`yyyy-MM-dd HH:mm:ss.0` UTC, the API's form; empty when there is none (API §10)."""
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.0") if moment else ""
