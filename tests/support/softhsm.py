"""A software token for tests: SoftHSM with a folder of its own (Debian: softhsm2)."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from certdesk.foundation.common import settings
from certdesk.pki.keystore import tokens, use

LABEL = "certdesk test"
PIN = "pin-1234"
_MODULES = ("/usr/lib/softhsm/libsofthsm2.so", "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so")


@dataclass(frozen=True)
class Token:
    """A token with its files."""

    folder: Path
    module: str
    pin_file: Path

    @property
    def objects(self) -> Path:
        return self.folder / "tokens"

    def environment(self) -> dict[str, str]:
        """What another process of ours needs to use it."""
        return {
            "SOFTHSM2_CONF": str(self.folder / "softhsm2.conf"),
            "CERTDESK_PKCS11_MODULE": self.module,
            "CERTDESK_PKCS11_TOKEN": LABEL,
            "CERTDESK_PKCS11_PIN_FILE": str(self.pin_file),
        }

    def take_out(self) -> None:
        self.objects.rename(self.folder / "taken-out")
        self.objects.mkdir()

    def put_back(self) -> None:
        shutil.rmtree(self.objects)
        (self.folder / "taken-out").rename(self.objects)


def make(folder: Path) -> Token:
    """A new token; without SoftHSM the test is skipped, and fails where nothing may be."""
    program = shutil.which("softhsm2-util")
    module = next((one for one in _MODULES if Path(one).exists()), "")
    if program is None or not module:
        pytest.skip("softhsm2 is not installed")
    (folder / "tokens").mkdir()
    (folder / "softhsm2.conf").write_text(f"directories.tokendir = {folder}/tokens\nlog.level = ERROR\n")
    pin_file = folder / "pin"
    pin_file.write_text(PIN + "\n")
    pin_file.chmod(0o600)
    subprocess.run(
        [program, "--init-token", "--free", "--label", LABEL, "--pin", PIN, "--so-pin", "so-12345"],
        env={**os.environ, "SOFTHSM2_CONF": str(folder / "softhsm2.conf")},
        check=True,
        capture_output=True,
    )
    return Token(folder, module, pin_file)


@contextmanager
def used(token: Token) -> Iterator[Token]:
    """The token of the settings for a while."""
    before, conf = settings.get(), os.environ.get("SOFTHSM2_CONF")
    os.environ["SOFTHSM2_CONF"] = str(token.folder / "softhsm2.conf")
    settings.install(
        before.model_copy(
            update={
                "pkcs11_module": Path(token.module),
                "pkcs11_token": LABEL,
                "pkcs11_pin_file": token.pin_file,
            }
        )
    )
    try:
        yield token
    finally:
        tokens.forget()
        use.forget_loaded()
        settings.install(before)
        if conf is None:
            del os.environ["SOFTHSM2_CONF"]
        else:
            os.environ["SOFTHSM2_CONF"] = conf
