"""Identifiers. Public ids carry no meaning that a client may rely on but their form."""

import secrets
import threading
import time

_lock = threading.Lock()
_last_millis = 0


def hex32() -> str:
    """32 lower-case hex characters: accounts, users, CSRs, requests."""
    return secrets.token_hex(16)


def certificate_id() -> str:
    """`scs` + 13 digits (API §1): rising in one process; the database's key settles the rest.

    Starts at the clock's millisecond and jumps a random step, so that two processes of one
    millisecond seldom meet; the writer retries on a duplicate key.
    """
    global _last_millis
    with _lock:
        _last_millis = max(_last_millis + 1 + secrets.randbelow(16), int(time.time() * 1000))
        return f"scs{_last_millis:013d}"


def order_id() -> str:
    """`CS` + 13 digits of the clock and 8 hex characters in upper case; rising with time."""
    return f"CS{int(time.time() * 1000):013d}{secrets.token_hex(4).upper()}"


def certificate_name() -> str:
    """The generated name `scm-xxxxxx` of ORD-3."""
    return f"scm-{secrets.token_hex(3)}"


def request_id() -> str:
    return secrets.token_hex(16)
