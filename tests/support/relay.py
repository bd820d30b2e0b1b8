"""A port that hands its connections on to another one of this machine, until it is closed."""

import contextlib
import socket
import threading
from concurrent.futures import ThreadPoolExecutor


class Relay:
    """Open from the start. Each client is one exchange: what it asks at once, and all that comes back."""

    def __init__(self, port: int) -> None:
        self._to = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.open()

    def open(self) -> None:
        if self._listener.fileno() < 0:
            self._listener = socket.create_server(("127.0.0.1", self.port))
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def close(self) -> None:
        """Whoever comes is refused."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()

    def _serve(self) -> None:
        with ThreadPoolExecutor() as workers:  # one that hangs keeps nobody else waiting
            while True:
                try:
                    client, _ = self._listener.accept()
                except OSError:
                    return
                workers.submit(self._exchange, client)

    def _exchange(self, client: socket.socket) -> None:
        with client, contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self._to)) as on:
            for one in (client, on):
                one.settimeout(30)
            back = threading.Thread(target=_pour, args=(on, client))
            back.start()
            _pour(client, on)
            back.join()


def _pour(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while chunk := source.recv(65536):
            sink.sendall(chunk)
    with contextlib.suppress(OSError):
        sink.shutdown(socket.SHUT_WR)
