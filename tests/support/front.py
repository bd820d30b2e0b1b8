"""A TLS server whose certificate is what it was told last, as the edge of a cloud is."""

import contextlib
import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path


class Front:
    """Shakes hands and closes; `deaf` keeps the certificate that it has."""

    def __init__(self, folder: Path, certificate: str, key: str) -> None:
        self._folder, self.deaf = folder, False
        self.use(certificate, key)
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self._thread = threading.Thread(target=self._serve)

    def use(self, certificate: str, key: str) -> None:
        if self.deaf:
            return
        file = self._folder / "front.pem"
        file.write_text(f"{certificate}\n{key}\n", encoding="ascii")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(file)
        self._context = context

    def _serve(self) -> None:
        with contextlib.suppress(OSError):  # the end
            while True:
                connection, _ = self._socket.accept()
                with contextlib.suppress(OSError), connection:
                    connection.settimeout(10)
                    self._context.wrap_socket(connection, server_side=True).close()

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join()


@contextlib.contextmanager
def serving(folder: Path, certificate: str, key: str) -> Iterator[Front]:
    front = Front(folder, certificate, key)
    front.start()
    try:
        yield front
    finally:
        front.stop()
