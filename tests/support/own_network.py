"""A network of this thread's own, with nothing but loopback: for what the whole machine must be set for."""

import ctypes
import fcntl
import os
import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_NEW_NETWORK = 0x40000000
_SET_FLAGS, _UP = 0x8914, 0x1
_IPV4 = Path("/proc/sys/net/ipv4")


@contextmanager
def own_network(**settings: str) -> Iterator[bool]:
    """Whoever is started by this thread is in it too; False where this user may not have one, or the kernel
    has not all of the settings.

    Args:
        settings: of `net.ipv4`.
    """
    if not all((_IPV4 / name).exists() for name in settings):
        yield False
        return
    libc = ctypes.CDLL(None, use_errno=True)
    before = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    try:
        if libc.unshare(_NEW_NETWORK):
            yield False
            return
        try:
            with socket.socket() as any_socket:
                fcntl.ioctl(any_socket, _SET_FLAGS, struct.pack("16sh14x", b"lo", _UP))
            for name, value in settings.items():
                (_IPV4 / name).write_text(value, encoding="ascii")
            yield True
        finally:
            libc.setns(before, _NEW_NETWORK)
    finally:
        os.close(before)
