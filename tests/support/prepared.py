"""An installation that was set up once for all test processes: for tests that do not look at the set-up."""

import fcntl
import json
import shutil
from pathlib import Path

from certdesk.interfaces.cli.installation import Installation

_place: list[Path] = []


def keep_in(folder: Path) -> None:
    """Where it is made; the same for all processes of a run."""
    _place[:] = [folder]


def set_up(home: Installation) -> dict[str, str]:
    """As `Installation.set_up`, by a copy: the commands cost ten seconds of processor time.

    Answers the administrator's access key. The built-in CA is the same in all copies, and its own
    certificates point to the address of the first.
    """
    folder = _place[0] / "prepared"
    with (_place[0] / "prepared.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "key.json").exists():
            _make(folder)
    shutil.copytree(folder / "home", home.folder, dirs_exist_ok=True)
    key: dict[str, str] = json.loads((folder / "key.json").read_text(encoding="utf-8"))
    return key


def _make(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)  # half made by a process that was ended
    with Installation(folder / "home") as first:
        key = first.set_up("1000000000")
    (folder / "key.json").write_text(json.dumps(key), encoding="utf-8")
