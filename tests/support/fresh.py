"""Installations that no test has used: a data folder, and on PostgreSQL a database, of their own."""

import json
import os
import secrets
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

SERVER = os.environ.get("CERTDESK_TEST_DATABASE_URL", "")


@dataclass
class Fresh:
    """Attributes:
    environment: of its commands.
    """

    folder: Path
    environment: dict[str, str]

    @property
    def data(self) -> Path:
        return self.folder / "data"

    def run(self, *command: str) -> "Done":
        """A command of ours with `--json`."""
        return self._done([sys.executable, "-m", "certdesk", *command, "--json"])

    def python(self, script: str, *arguments: str) -> "Done":
        """A script in which Django is set up; it prints one JSON value."""
        begin = "import django; django.setup()\n"
        return self._done([sys.executable, "-c", begin + script, *arguments])

    def start(self, script: str, *arguments: str) -> "subprocess.Popen[str]":
        command = [sys.executable, "-c", "import django; django.setup()\n" + script, *arguments]
        return subprocess.Popen(
            command, env=self.environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def _done(self, command: list[str]) -> "Done":
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True, check=False)
        return Done(done.returncode, done.stdout, done.stderr)


@dataclass
class Done:
    status: int
    out: str
    err: str

    @property
    def answer(self) -> Any:
        assert self.out.strip(), self.err
        return json.loads(self.out)


@contextmanager
def fresh(folder: Path) -> Iterator[Fresh]:
    (folder / "data").mkdir(parents=True, mode=0o700)
    own = {name: value for name, value in os.environ.items() if not name.startswith("CERTDESK_")}
    environment = {
        **own,
        "CERTDESK_DATA": str(folder / "data"),
        "DJANGO_SETTINGS_MODULE": "certdesk.config.django",
        "PYTHONPATH": os.pathsep.join(filter(None, [str(Path.cwd()), own.get("PYTHONPATH", "")])),
    }
    if not SERVER:
        yield Fresh(folder, environment)
        return
    name = f"fresh_{secrets.token_hex(6)}"
    _on_server(f"CREATE DATABASE {name}")
    try:
        url = urlunsplit(urlsplit(SERVER)._replace(path=f"/{name}"))
        yield Fresh(folder, {**environment, "CERTDESK_DATABASE_URL": url})
    finally:
        _on_server(f"DROP DATABASE {name} WITH (FORCE)")


def _on_server(statement: str) -> None:
    import psycopg

    with closing(psycopg.connect(SERVER, autocommit=True)) as own:
        own.execute(statement)  # type: ignore[call-overload]
