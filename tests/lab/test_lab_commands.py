"""The blocking forms that the command line calls: they say where they listen and stop on a signal."""

import io
import os
import signal
import socket
import sys
from pathlib import Path

import pytest

from certdesk.lab import elb
from certdesk.lab.dns_server import LabDns, run_dns
from certdesk.lab.elb import run_elb
from certdesk.lab.smtp_server import run_smtp


class Ear(io.StringIO):
    """Sends the signal once the server has announced itself, when its handlers are in place."""

    def flush(self) -> None:
        os.kill(os.getpid(), signal.SIGTERM)


def test_dns_announces_itself_and_stops(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    before = signal.getsignal(signal.SIGTERM)
    ear = Ear()
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", ear)
        run_dns(0, 0, tmp_path / "records")
    assert "Lab DNS server on 127.0.0.1:" in ear.getvalue()
    assert "Records file" in ear.getvalue()
    assert "Control: http://127.0.0.1:" in ear.getvalue()
    assert signal.getsignal(signal.SIGTERM) is before


def test_smtp_announces_itself_and_stops(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    ear = Ear()
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", ear)
        run_smtp(0, tmp_path)
    assert str(tmp_path) in ear.getvalue()


def test_a_free_port_is_sought_for_udp_and_tcp_together() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        with pytest.raises(OSError, match="in use"), LabDns(port=taken.getsockname()[1]):
            pass


@pytest.mark.parametrize("installed", [True, False])
def test_elb_announces_itself_and_stops(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, installed: bool
) -> None:
    ear = Ear()
    if not installed:
        monkeypatch.setattr(elb, "haproxy", lambda: None)
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", ear)
        run_elb(0, tmp_path / "kept" if installed else None)
    assert "on 127.0.0.1:" in ear.getvalue()
    assert "CERTDESK_TARGET_FOLDERS=" in ear.getvalue()
    assert ("small TLS server" in ear.getvalue()) is (not installed or elb.haproxy() is None)
    assert (tmp_path / "kept/crt-list.txt").exists() is installed
