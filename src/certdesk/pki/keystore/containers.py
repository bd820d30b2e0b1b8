"""Opening what has a password: stores and keys that somebody brings to look at, in a child with limits.

Password and key go through pipes alone; no argument, no file, no environment holds them.
"""

import base64
import json
import subprocess
import sys
from typing import Any

from certdesk.foundation.common.baton import baton
from certdesk.pki.x509.errors import CannotRead
from certdesk.pki.x509.reading import Opened

SECONDS = 10.0
"""What a person waits for at most; the child's own limit of CPU time is shorter."""
PASSWORD_LIMIT = 256
_CHILD = "certdesk.pki.keystore.containers_child"


def open_container(content: bytes, password: str) -> Opened:
    """What lies in a PKCS#12 or Java store, or behind an encrypted key (PKCS#8, DER).

    Raises:
        CannotRead: wrong password, damaged, or too dear to open.
    """
    if len(password) > PASSWORD_LIMIT:
        raise _refused(f"A password has at most {PASSWORD_LIMIT} characters.", "Check the password.")
    with baton.aside():
        answer = _asked(content, password)
    if "keys" not in answer:
        raise _refused(
            "The content does not open with this password, or is damaged."
            if password
            else "The content is protected by a password, or is damaged.",
            "Give the password with which it was made.",
        )
    return Opened(_ders(answer["certificates"]), _ders(answer["keys"]))


def _asked(content: bytes, password: str) -> dict[str, Any]:
    request = json.dumps({"content": base64.b64encode(content).decode(), "password": password})
    try:
        done = subprocess.run(  # noqa: S603 - our own module; nothing given stands on the command line
            [sys.executable, "-I", "-B", "-W", "ignore", "-m", _CHILD],
            input=request.encode(),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=SECONDS,
            check=True,
            env={},
        )
        answer: dict[str, Any] = json.loads(done.stdout)
    except (subprocess.SubprocessError, ValueError):
        raise _refused(
            "Trying the password takes more time or memory than is given here.",
            "Make the store anew with an ordinary number of iterations, for example by openssl pkcs12.",
        ) from None
    return answer


def _ders(texts: list[str]) -> tuple[bytes, ...]:
    return tuple(base64.b64decode(text) for text in texts)


def _refused(message: str, next_step: str) -> CannotRead:
    return CannotRead(message, next_step=next_step, field="password")
