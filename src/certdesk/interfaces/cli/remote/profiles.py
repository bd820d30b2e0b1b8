"""Where the user commands send their requests, and with which key: environment, then the profile.

The secret key stands in a file that nobody else may read, or is asked for; never on the command line.
"""

import getpass
import os
import stat
import sys
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

KNOWN = ("endpoint", "access_key", "secret_key_file", "ca_file", "language")
PREFIX = "CERTDESK_CLIENT_"
LOCAL = "http://127.0.0.1:8080"
OTHERS = stat.S_IRWXG | stat.S_IRWXO


class ProfileRefused(Exception):
    """The configuration cannot be used; the text says what, why, and what to do."""


@dataclass(frozen=True, slots=True)
class Profile:
    endpoint: str
    access_key: str
    secret_key: str = field(repr=False)
    ca_file: str = ""
    language: str = "en"


def folder(environ: Mapping[str, str]) -> Path:
    base = environ.get("XDG_CONFIG_HOME") or str(Path(environ.get("HOME", "~")).expanduser() / ".config")
    return Path(base) / "certdesk"


def load(name: str = "", environ: Mapping[str, str] | None = None) -> Profile:
    """The profile to use.

    Args:
        name: of a profile; empty = CERTDESK_CLIENT_PROFILE, or the file's `default`.

    Raises:
        ProfileRefused: no such profile, a setting unknown or missing, or a secret that others can read.
    """
    environ = os.environ if environ is None else environ
    values = _from_file(folder(environ) / "config.toml", name or environ.get(f"{PREFIX}PROFILE", ""))
    for key in KNOWN:
        if environ.get(PREFIX + key.upper()):
            values[key] = environ[PREFIX + key.upper()]
    if not values.get("access_key"):
        raise ProfileRefused(
            f"No access key is configured. Set {PREFIX}ACCESS_KEY and {PREFIX}SECRET_KEY_FILE, "
            f"or write a profile to {folder(environ) / 'config.toml'}."
        )
    return Profile(
        values.get("endpoint", LOCAL),
        values["access_key"],
        _secret(values.get("secret_key_file", "")),
        values.get("ca_file", ""),
        values.get("language", "en"),
    )


def _from_file(path: Path, name: str) -> dict[str, str]:
    if not path.exists():
        if name:
            raise ProfileRefused(f"There is no profile {name!r}: {path} does not exist. Write it.")
        return {}
    try:
        found: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ProfileRefused(f"{path} cannot be read: {error}. Correct it.") from None
    profiles = found.get("profiles", {})
    chosen = name or str(found.get("default", ""))
    if not chosen:
        return {}
    if not isinstance(profiles, dict) or not isinstance(profiles.get(chosen), dict):
        raise ProfileRefused(f"There is no profile {chosen!r} in {path}. Write a table [profiles.{chosen}].")
    values = profiles[chosen]
    unknown = sorted(set(values) - set(KNOWN))
    if unknown:
        raise ProfileRefused(f"{path}: unknown setting {unknown[0]}. Use {', '.join(KNOWN)}.")
    return {key: str(value) for key, value in values.items()}


def _secret(file: str) -> str:
    if not file:
        if not sys.stdin.isatty():
            raise ProfileRefused(
                f"No file with the secret key is configured, and nobody can be asked. "
                f"Set {PREFIX}SECRET_KEY_FILE or secret_key_file of the profile."
            )
        return getpass.getpass("Secret key: ")
    path = Path(file).expanduser()
    try:
        mode = path.stat().st_mode
        text = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ProfileRefused(f"The secret key in {path} cannot be read: {error}. Check the file.") from None
    if mode & OTHERS:
        raise ProfileRefused(f"Others can read the secret key in {path}. Run: chmod 600 {path}")
    if not text:
        raise ProfileRefused(f"The file {path} is empty. Write the secret key into it.")
    return text
