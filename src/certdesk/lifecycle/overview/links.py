"""Where the console lists what a figure counts: paths with the filter set. Pure."""

from datetime import datetime
from urllib.parse import urlencode

from certdesk.lifecycle.certificates.attention import Tab
from certdesk.lifecycle.certificates.states import State

from .rules import Span

CERTIFICATES = "/certificates"


def tab(wanted: Tab) -> str:
    return _with(CERTIFICATES, tab=wanted.value)


def status(wanted: State) -> str:
    return _with(CERTIFICATES, status=wanted.value)


def ends(span: Span, *, renewal: str = "") -> str:
    """Args:
    renewal: `on`, `client`, `off` for neither, or empty for all.
    """
    return _with(CERTIFICATES, ends_from=_day(span.start), ends_before=_day(span.end), renewal=renewal)


def issued(since: datetime) -> str:
    return _with(CERTIFICATES, issued_since=_day(since))


def unserved() -> str:
    return _with(CERTIFICATES, served="no")


def drifted() -> str:
    return _with("/bindings", drift="yes")


def proofs_ending() -> str:
    return _with("/domains", proof="ending")


def served(since: datetime) -> str:
    return _with("/deployments", state="COMMITTED", since=_day(since))


def _day(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d}" if moment else ""


def _with(path: str, **given: str) -> str:
    return f"{path}?{urlencode({name: value for name, value in given.items() if value})}"
