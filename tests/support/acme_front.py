"""A running product that real ACME clients talk to: with a DNS server and a web root, on loopback alone."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from pathlib import Path
from threading import Thread

from cryptography import x509

from certdesk.interfaces.cli.installation import Installation, free_port
from certdesk.lab.dns_server import LabDns
from tests.support import prepared

NUMBERS = count(1)


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Says nothing."""


@dataclass
class Front:
    """Attributes:
    http, tls: ports where challenges are looked for, beside `web`, which serves `root`.
    """

    home: Installation
    dns: LabDns
    folder: Path
    root: Path
    records: Path
    web: int
    http: int
    tls: int

    @property
    def directory(self) -> str:
        return f"{self.home.url}/acme/directory"

    def credential(self, *options: str) -> tuple[str, str]:
        made = self.home.run("acme-credential", "create", "--user", "admin", *options)
        assert made["directory"] == self.directory
        return str(made["kid"]), str(made["hmac_key"])

    def name(self) -> str:
        """A name that nobody has used; it leads here."""
        found = f"host{next(NUMBERS)}.example.com"
        self.dns.set(found, "A", ["127.0.0.1"])
        return found

    def place(self, client: str) -> Path:
        made = self.folder / client
        made.mkdir()
        return made

    def run(self, *command: object, status: int = 0, cwd: Path | None = None, **more: str) -> str:
        """Runs a client; what it said is in the failure."""
        done = subprocess.run(
            [str(one) for one in command],
            env={**os.environ, "HOME": str(self.folder), **more},
            cwd=cwd,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        said = done.stdout + done.stderr
        assert done.returncode == status, f"{said[-3000:]}\n{self.home.log_end()}"
        return said


@contextmanager
def open_front(folder: Path) -> Iterator[Front]:
    """Everything started; all of it ended afterwards."""
    root, records = folder / "root", folder / "records.txt"
    root.mkdir()
    records.write_text("")
    with ExitStack() as stack:
        dns = stack.enter_context(LabDns(records=records))
        server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(root)))
        thread = Thread(target=server.serve_forever, daemon=True)
        thread.start()
        stack.callback(thread.join, 5)
        stack.callback(server.server_close)
        stack.callback(server.shutdown)
        http, tls, web = free_port(), free_port(), server.server_address[1]
        home = stack.enter_context(
            Installation(
                folder / "home",
                dns_resolvers=dns.server,
                validation_http_ports=f"{web},{http},{tls}",
                allow_networks="127.0.0.0/8",
                workers="1",
            )
        )
        prepared.set_up(home)
        home.start()
        home.wait_ready()
        yield Front(home, dns, folder, root, records, int(web), http, tls)


def leaf(path: Path) -> x509.Certificate:
    """The first certificate of a file; a chain of two or more is what clients want."""
    return x509.load_pem_x509_certificates(path.read_bytes())[0]


def names_of(certificate: x509.Certificate) -> set[str]:
    found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return set(found.get_values_for_type(x509.DNSName))


def executable(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    path.chmod(0o755)
    return path


@contextmanager
def serving(place: Path, *command: object) -> Iterator[None]:
    """A client that is a server, until it has been looked at."""
    with (place / "log").open("wb") as log:
        process = subprocess.Popen([str(one) for one in command], stdout=log, stderr=log, cwd=place)
        try:
            yield
        finally:
            process.terminate()
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
