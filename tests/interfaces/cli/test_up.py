"""`./certdesk up` and `tour` as a newcomer runs them."""

import os
import signal
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from certdesk.interfaces.cli.installation import Installation, free_port

pytestmark = [pytest.mark.server, pytest.mark.slow]


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Installation]:
    with Installation(tmp_path / "home", https=f"127.0.0.1:{free_port()}", workers="1") as installation:
        yield installation


def up(home: Installation) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "certdesk", "up"]
    process = subprocess.Popen(
        command, env=home.environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    home.processes["up"] = process  # type: ignore[assignment]
    return process


def said(process: "subprocess.Popen[str]") -> list[str]:
    """What it says until it is told how to stop it; the rest is read away, so that it never waits for us."""
    assert process.stdout is not None
    lines = []
    for line in process.stdout:
        lines.append(line.rstrip())
        if line.startswith("Ctrl-C"):
            break
    threading.Thread(target=process.stdout.read, daemon=True).start()
    return lines


def stop(home: Installation, number: int) -> int:
    process = home.processes.pop("up")
    process.send_signal(number)
    status = process.wait(30)
    assert process.stdout is not None
    process.stdout.close()
    return status


def trust(home: Installation) -> ssl.SSLContext:
    """A client that trusts what `./certdesk ca root` prints, and nothing else."""
    command = [sys.executable, "-m", "certdesk", "ca", "root"]
    roots = subprocess.run(command, env=home.environment, capture_output=True, text=True, check=True).stdout
    return ssl.create_default_context(cadata=roots)


def test_the_first_start_sets_up_and_the_second_changes_nothing(home: Installation) -> None:
    lines = said(up(home))
    passwords = [line.split()[-1] for line in lines if "One-time password" in line]
    assert len(passwords) == 2
    assert all(len(password) >= 12 for password in passwords)
    home.wait_ready()
    port = home.environment["CERTDESK_HTTPS"].rpartition(":")[2]
    context = trust(home)
    for host in ("localhost", "127.0.0.1"):  # the chain is sent whole and names both
        answer = httpx.get(f"https://{host}:{port}/healthz", verify=context, trust_env=False)
        assert answer.status_code == 200
    assert httpx.get(f"{home.url}/login", trust_env=False).status_code == 200
    assert stop(home, signal.SIGINT) == 0
    certificate = (home.folder / "data" / "listener" / "chain.pem").read_bytes()

    again = said(up(home))
    assert not any("One-time password" in line for line in again)
    home.wait_ready()
    assert stop(home, signal.SIGTERM) == 0
    assert (home.folder / "data" / "listener" / "chain.pem").read_bytes() == certificate


def test_the_first_password_must_be_changed_before_anything_else(home: Installation) -> None:
    lines = said(up(home))
    password = next(line.split()[-1] for line in lines if "One-time password of admin" in line)
    home.wait_ready()
    with httpx.Client(base_url=home.url, trust_env=False, follow_redirects=True) as browser:
        page = browser.get("/login").text
        token = page.split('name="csrfmiddlewaretoken" value="')[1].split('"')[0]
        form = {"login": "admin", "password": password, "csrfmiddlewaretoken": token}
        answer = browser.post("/login", data=form)
        assert answer.url.path == "/account"
        assert browser.get("/certificates").url.path == "/account"
    assert stop(home, signal.SIGINT) == 0


@pytest.mark.parametrize("command", ["up", "web"])
def test_a_taken_port_is_said_before_anything_is_set_up(home: Installation, command: str) -> None:
    with socket.create_server(("127.0.0.1", home.port)):
        refused = subprocess.run(
            [sys.executable, "-m", "certdesk", command],
            env=home.environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
    assert refused.returncode == 1
    assert f"127.0.0.1:{home.port} cannot be listened on" in refused.stderr
    assert "CERTDESK_HTTP" in refused.stderr
    assert not list(home.folder.rglob("*.sqlite3"))


def run_tour(**environment: str) -> "subprocess.CompletedProcess[str]":
    kept = {name: value for name, value in os.environ.items() if not name.startswith("CERTDESK_")}
    command = [sys.executable, "-m", "certdesk", "tour"]
    everything = kept | {"PYTHONPATH": "src"} | environment
    return subprocess.run(command, env=everything, capture_output=True, text=True, check=False)


def test_the_tour_holds() -> None:
    done = run_tour()
    assert done.returncode == 0, done.stdout + done.stderr
    assert "All 22 steps held" in done.stdout
    assert "openssl verify OK" in done.stdout


def test_the_tour_can_fail(tmp_path: Path) -> None:
    (tmp_path / "openssl").write_text("#!/bin/sh\necho 'verification failed'\nexit 2\n", encoding="ascii")
    (tmp_path / "openssl").chmod(0o755)
    done = run_tour(PATH=f"{tmp_path}:{os.environ['PATH']}")
    assert done.returncode == 1
    assert "FAILED after step 7" in done.stdout


def test_the_tour_says_what_it_needs(tmp_path: Path) -> None:
    done = run_tour(PATH=str(tmp_path))
    assert done.returncode == 1
    assert "openssl" in done.stdout
