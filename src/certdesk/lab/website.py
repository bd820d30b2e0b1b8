"""`./certdesk lab web`: a small web server for proofs by file (fileauth.txt, ACME's http-01)."""

import functools
import sys
import tempfile
import threading
from collections.abc import Callable
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from certdesk.lab.background import wait_for_stop

FOLDERS = (".well-known/pki-validation", ".well-known/acme-challenge")


class _Files(SimpleHTTPRequestHandler):
    """Files by their name; no listing of folders."""

    log: Callable[[str], None]

    def list_directory(self, path: Any) -> None:
        self.send_error(404, "File not found")

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        type(self).log(f"{self.address_string()} {format % args}")


class LabWebsite:
    """Serves the files of a folder on loopback; `log` gets a line a request."""

    def __init__(self, folder: Path, port: int = 0, *, log: Callable[[str], None] = lambda _: None) -> None:
        self.folder = folder
        for name in FOLDERS:
            (folder / name).mkdir(parents=True, exist_ok=True)
        handler = type("Files", (_Files,), {"log": staticmethod(log)})
        self._server = ThreadingHTTPServer(
            ("127.0.0.1", port), functools.partial(handler, directory=str(folder))
        )
        self.port = int(self._server.server_address[1])
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), name="lab-web")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def run_website(port: int, folder: Path | None) -> None:
    """Until Ctrl-C."""
    with tempfile.TemporaryDirectory(prefix="certdesk-web-") as scratch:
        place = folder.resolve() if folder else Path(scratch)
        with LabWebsite(place, port, log=_say) as site:
            wait_for_stop(lambda: _say(told(site)))


def told(site: LabWebsite) -> str:
    return (
        f"lab web: http://127.0.0.1:{site.port} serves the files of {site.folder}\n"
        f"file verification: put fileauth.txt into {site.folder}/{FOLDERS[0]}\n"
        f"http-01: put the challenge's file into {site.folder}/{FOLDERS[1]}, e.g. certbot --webroot "
        f"-w {site.folder}\n"
        "let the names lead here (./certdesk lab dns), and start the product with "
        f"CERTDESK_ALLOW_NETWORKS=127.0.0.0/8 CERTDESK_VALIDATION_HTTP_PORTS={site.port}"
    )


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
