"""`perspective` and `mail-listener` in this process: what they hand on, refuse and say."""

import asyncio
from pathlib import Path

import pytest
import typer

from certdesk.agents import perspective as agent
from certdesk.foundation.common import settings
from certdesk.foundation.common.settings import Settings
from certdesk.interfaces.cli import perspective as commands
from certdesk.interfaces.cli import start
from certdesk.interfaces.public import replies


@pytest.fixture
def listening(monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Settings with a listener for replies, as the command reads them."""
    changed = settings.get().model_copy(update={"mail_listener": "[::1]:2525"})
    monkeypatch.setattr(start, "django", lambda: changed)
    return changed


def test_the_command_hands_everything_to_the_agent(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[list[str]] = []
    monkeypatch.setattr(agent, "run", given.append)
    commands.perspective(Path("key"), listen="0.0.0.0:1", resolver="192.0.2.1", allow=["10.0.0.0/8"])
    expected = ["--key-file", "key", "--listen", "0.0.0.0:1", "--ports", "80,443", "--resolver", "192.0.2.1"]
    assert given == [[*expected, "--allow", "10.0.0.0/8"]]
    commands.perspective(Path("key"))
    assert "--allow" not in given[1]


def test_without_an_address_nothing_listens(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    changed = settings.get().model_copy(update={"mail_listener": ""})
    monkeypatch.setattr(start, "django", lambda: changed)
    with pytest.raises(typer.Exit) as ended:
        commands.mail_listener()
    assert ended.value.exit_code == 2
    assert "CERTDESK_MAIL_LISTENER is empty" in capsys.readouterr().err


def test_replies_are_refused_where_public_certificates_are_sold(
    listening: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(replies, "public_products", lambda: ["geotrust-dv", "geotrust-ov"])
    with pytest.raises(typer.Exit) as ended:
        commands.mail_listener()
    assert ended.value.exit_code == 2
    assert "geotrust-dv and 1 more" in capsys.readouterr().err


def test_the_listener_serves_until_it_is_stopped(
    listening: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, int]] = []

    async def serve(host: str, port: int) -> None:
        asked.append((host, port))
        raise KeyboardInterrupt

    monkeypatch.setattr(replies, "serve", serve)
    commands.mail_listener()
    assert asked == [("::1", 2525)]
    asyncio.run(asyncio.sleep(0))  # a loop can be started again: nothing was left behind
