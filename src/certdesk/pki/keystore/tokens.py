"""The PKCS#11 token of this installation: one logged-in session a process, opened at its first use.

One at a time goes through it: the module is initialised without locks of its own, and a session runs one
operation at once. A fork starts anew in the child, as PKCS#11 asks; an error opens everything again, once.

A PIN that was refused is not given again: a few wrong ones lock a token.
"""

import os
import stat
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from certdesk.foundation.common import settings

from .errors import TokenUnavailable

if TYPE_CHECKING:
    import pkcs11
    from pkcs11._pkcs11 import lib as _Library  # noqa: N812

_Answer = TypeVar("_Answer")
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


@dataclass(frozen=True, slots=True)
class Place:
    """Where the token is: the vendor's library, the token's label, the file with the PIN of its user."""

    module: Path
    label: str
    pin_file: Path


@dataclass(slots=True)
class Session:
    """A logged-in session, and the private keys that were found in it by their id."""

    raw: "pkcs11.Session"
    keys: "dict[str, pkcs11.PrivateKey]" = field(default_factory=dict)


class _Broken(Exception):
    """What the module said in the middle of the work."""


_lock = threading.Lock()
_open: list[tuple[Place, Session]] = []
_refused: list[tuple[Place, int]] = []
"""The place whose PIN was refused last, and when the file of that PIN had been written (nanoseconds)."""


def place() -> Place | None:
    """The token of the settings; None where none is set up."""
    known = settings.get()
    if known.pkcs11_module is None or known.pkcs11_pin_file is None:
        return None
    return Place(known.pkcs11_module, known.pkcs11_token, known.pkcs11_pin_file)


def run(work: Callable[[Session], _Answer], *, again: bool = True) -> _Answer:
    """What `work` answers about the session. Any thread may ask; each waits for the one before.

    Args:
        again: a failure is followed by a second try with everything opened anew.

    Raises:
        TokenUnavailable: no token is set up, it cannot be opened, or it fails twice.
    """
    with _lock:
        try:
            return _once(work)
        except _Broken as broken:
            if not again:
                raise _failed(str(broken)) from None
        try:
            return _once(work)
        except _Broken as broken:
            raise _failed(str(broken)) from None


def _once(work: Callable[[Session], _Answer]) -> _Answer:
    session = _session()
    from pkcs11.exceptions import PKCS11Error

    try:
        return work(session)
    except PKCS11Error as error:
        _close()
        raise _Broken(f"it answers {type(error).__name__}") from None


def _session() -> Session:
    wanted = place()
    if wanted is None:
        raise _failed("no token is set up (CERTDESK_PKCS11_MODULE)")
    if _open and _open[0][0] == wanted:
        return _open[0][1]
    _close()
    session = Session(_opened(wanted))
    _open.append((wanted, session))
    return session


def _opened(wanted: Place) -> "pkcs11.Session":
    try:
        import pkcs11
    except ImportError:
        raise _failed('python-pkcs11 is not installed; run: pip install "certdesk[pkcs11]"') from None
    from pkcs11.exceptions import NoSuchToken, PKCS11Error

    pin, written = _pin(wanted.pin_file)
    if (wanted, written) in _refused:
        raise _failed("its PIN was refused, and the file of the PIN was not changed since")
    try:
        library = pkcs11.lib(str(wanted.module))
        _start(library)
        token = library.get_token(token_label=wanted.label)
        _require_tries(token, wanted)
        return _logged_in(token, wanted, pin, written)
    except NoSuchToken:
        raise _failed(f"there is no token with the label {wanted.label}") from None
    except PKCS11Error as error:
        raise _failed(f"it answers {type(error).__name__}") from None


def _require_tries(token: "pkcs11.Token", wanted: Place) -> None:
    """Not one wrong PIN more where the token counts some already. Only a new PIN in place of the one that was
    refused here may be tried, and never as the last try."""
    from pkcs11 import TokenFlag

    last = token.flags & (TokenFlag.USER_PIN_FINAL_TRY | TokenFlag.USER_PIN_LOCKED)
    corrected = any(place == wanted for place, _ in _refused)
    if last or (token.flags & TokenFlag.USER_PIN_COUNT_LOW and not corrected):
        raise _failed(
            "it was given wrong PINs and would soon be locked",
            "Log in once with its vendor's tools and the right PIN, then check the file of the PIN.",
        )


def _logged_in(token: "pkcs11.Token", wanted: Place, pin: str, written: int) -> "pkcs11.Session":
    from pkcs11.exceptions import PinExpired, PinIncorrect, PinInvalid, PinLenRange, PinLocked

    try:
        session = token.open(rw=True, user_pin=pin)
    except (PinExpired, PinIncorrect, PinInvalid, PinLenRange, PinLocked) as error:
        _refused[:] = [(wanted, written)]
        raise _failed(f"its PIN was refused ({type(error).__name__})") from None
    _refused.clear()
    return session


def _start(library: "_Library") -> None:
    """The module's own state is thrown away: after a fork, or an error, nothing of it is good."""
    from pkcs11.exceptions import PKCS11Error

    with suppress(PKCS11Error):
        library.finalize()
    library.initialize()


def _pin(path: Path) -> tuple[str, int]:
    """The PIN, and when its file was written (nanoseconds)."""
    try:
        found = path.stat()
        if found.st_mode & _OTHERS:
            raise _failed(f"others can read the file of its PIN, {path}")
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        raise _failed(f"the file of its PIN, {path}, cannot be read") from None
    if not lines or not lines[0]:
        raise _failed(f"the file of its PIN, {path}, is empty")
    return lines[0], found.st_mtime_ns


def _close() -> None:
    while _open:
        with suppress(Exception):  # whatever its module says: it is given up
            _open.pop()[1].raw.close()


def forget() -> None:
    """End the session of this process, e.g. when another token takes its place."""
    with _lock:
        _close()


def _failed(
    why: str, next_step: str = "Connect the token, check CERTDESK_PKCS11_*, then try again."
) -> TokenUnavailable:
    return TokenUnavailable(
        f"The token with the keys of the CA cannot be used, so nothing is signed: {why}.",
        next_step=next_step,
        retry_after=30,
    )


def _in_child() -> None:
    """The parent's session and a lock that another of its threads may have held are no use here."""
    global _lock
    _lock = threading.Lock()
    _open.clear()  # a refused PIN stays refused


os.register_at_fork(after_in_child=_in_child)
