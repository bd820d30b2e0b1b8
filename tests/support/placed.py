"""Servers with one certificate in files, real ones and a small one, for the suite of their targets."""

import json
import os
import pwd
import shutil
import socket
import ssl
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from certdesk.connectors.targets.protocol import Bundle, without_blanks
from tests.support import tls

NAME = "www.example.test"
POSTGRES = sorted(Path("/usr/lib/postgresql").glob("*/bin"))


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def together(bundle: Bundle) -> bytes:
    """Key, leaf and chain in one file."""
    return without_blanks(f"{bundle.key}\n{bundle.leaf}\n{bundle.chain}").encode()


class Served:
    """One server: `options` connect its target; `first` is the certificate that it starts with.

    `folder`: of the caller; else one in /tmp, where users without rights in the test's can go.
    """

    kind = ""
    scheme = ""
    programs: tuple[Path, ...] = ()

    def __init__(self, name: str = NAME, folder: Path | None = None) -> None:
        self.folder = folder or Path(tempfile.mkdtemp(prefix="certdesk-placed-", dir="/tmp"))
        self.folder.mkdir(exist_ok=True)
        self.folder.chmod(0o755)
        self.port, self.first = free_port(), tls.make(name)
        self.file = self.folder / "tls" / "server"
        self.file.parent.mkdir()
        self.options: dict[str, Any] = {
            "path": str(self.file),
            "listeners": [f"{self.scheme}127.0.0.1:{self.port}"],
        }

    @property
    def host(self) -> str:
        return f"{self.scheme}127.0.0.1"

    def __enter__(self) -> "Served":
        self.prepare()
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def prepare(self) -> None:
        """Everything before the first start."""

    def start(self) -> None: ...

    def stop(self) -> None: ...

    def wait(self) -> None:
        for _ in range(200):
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
            except OSError:
                time.sleep(0.05)
            else:
                return
        raise AssertionError(f"{self.kind} does not listen")


class RealPostfix(Served):
    """Postfix with folders of its own; its master process must be root's."""

    kind, scheme, programs = "postfix", "smtp://", (Path("/usr/sbin/postfix"),)

    def prepare(self) -> None:
        # No log file: a master that was frozen waits for the writer of its log, which only it could start.
        for name in ("conf", "queue", "data"):
            (self.folder / name).mkdir()
        shutil.chown(self.folder / "data", "postfix")
        self.file.write_bytes(together(self.first.bundle))
        self.file.chmod(0o600)
        self.options["reload"] = ["/usr/sbin/postfix", "-c", str(self.folder / "conf"), "reload"]
        (self.folder / "conf" / "main.cf").write_text(
            f"compatibility_level = 3.6\nqueue_directory = {self.folder}/queue\n"
            f"data_directory = {self.folder}/data\ncommand_directory = /usr/sbin\n"
            "daemon_directory = /usr/lib/postfix/sbin\nmail_owner = postfix\nsetgid_group = postdrop\n"
            "inet_interfaces = 127.0.0.1\ninet_protocols = ipv4\nmyhostname = mx.example.test\n"
            "mydestination =\n"
            f"smtpd_tls_chain_files = {self.file}\nsmtpd_tls_security_level = may\nalias_maps =\n"
            "smtpd_peername_lookup = no\nlocal_recipient_maps =\n",
            encoding="ascii",
        )
        (self.folder / "conf" / "master.cf").write_text(
            f"127.0.0.1:{self.port} inet n - n - - smtpd\nanvil unix - - n - 1 anvil\n"
            "cleanup unix n - n - 0 cleanup\nrewrite unix - - n - - trivial-rewrite\n"
            "tlsmgr unix - - n 1000? 1 tlsmgr\n",
            encoding="ascii",
        )

    def _postfix(self, word: str) -> None:
        command = ["/usr/sbin/postfix", "-c", str(self.folder / "conf"), word]
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        assert done.returncode == 0, done.stdout.decode()

    def start(self) -> None:
        self._postfix("start")
        self.wait()

    def stop(self) -> None:
        self._postfix("stop")


class RealPostgres(Served):
    """PostgreSQL with TLS on; it refuses to be root's, so root starts it as another user."""

    kind, scheme = "postgresql", "postgresql://"

    def prepare(self) -> None:
        self.user = "nobody" if os.geteuid() == 0 else None
        self.options |= {"socket": str(self.folder), "port": self.port}
        self.data = self.folder / "data"
        self.file.write_bytes(together(self.first.bundle))
        self.file.chmod(0o600)
        self.data.mkdir(mode=0o700)
        self._give(self.folder, self.data, self.file.parent, self.file)
        self._run("initdb", "-A", "trust", "-U", "postgres", "-N", "--no-instructions")
        with (self.data / "postgresql.conf").open("a", encoding="ascii") as file:
            file.write(
                f"listen_addresses = '127.0.0.1'\nport = {self.port}\nfsync = off\nssl = on\n"
                f"unix_socket_directories = '{self.folder}'\nssl_cert_file = '{self.file}'\n"
                f"ssl_key_file = '{self.file}'\n"
            )

    def _give(self, *paths: Path) -> None:
        if self.user is not None:
            owner = pwd.getpwnam(self.user)
            for path in paths:
                os.chown(path, owner.pw_uid, owner.pw_gid)

    def _run(self, program: str, *arguments: str) -> None:
        command = [str(POSTGRES[-1] / program), "-D", str(self.data), *arguments]
        log = subprocess.DEVNULL if arguments and arguments[0] == "start" else subprocess.PIPE
        done = subprocess.run(
            command, user=self.user, cwd="/", stdout=log, stderr=subprocess.STDOUT, check=False
        )
        assert done.returncode == 0, (done.stdout or b"").decode()

    def start(self) -> None:
        self._run("pg_ctl", "start", "-w", "-l", str(self.data / "log"))

    def stop(self) -> None:
        self._run("pg_ctl", "stop", "-m", "immediate")


class Rereading(Served):
    """A small server that reads its file anew for each client, as some do by themselves.

    Args:
        kind: of the target.
        pem: key and certificates of what the file holds.
        options: of the target, beside file and listener.
    """

    def __init__(self, kind: str, pem: Callable[[bytes], bytes], options: dict[str, Any]) -> None:
        super().__init__()
        self.kind, self._pem = kind, pem
        self.options |= options

    def start(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", self.port))
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def stop(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            with client:
                self._answer(client)

    def _answer(self, client: socket.socket) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        with tempfile.NamedTemporaryFile(suffix=".pem") as file:
            try:
                file.write(self._pem(self.file.read_bytes()))
                file.flush()
                context.load_cert_chain(file.name)
                client.settimeout(5)
                context.wrap_socket(client, server_side=True).close()
            except (OSError, ValueError):
                return


class RealCaddy(Served):
    """Caddy with an admin API on loopback and one certificate loaded as PEM, beside another one."""

    kind = "caddy"

    def prepare(self) -> None:
        self.admin = free_port()
        other = tls.make("other.example.test").bundle
        entries = [_entry(other), {**_entry(self.first.bundle), "tags": ["site"]}]
        self.options = {"url": f"http://127.0.0.1:{self.admin}", "listeners": [f"127.0.0.1:{self.port}"]}
        server = {
            "listen": [f"127.0.0.1:{self.port}"],
            "automatic_https": {"disable": True},
            "tls_connection_policies": [{}],
            "routes": [{"handle": [{"handler": "file_server", "root": str(self.folder)}]}],
        }
        apps = {"http": {"servers": {"s": server}}, "tls": {"certificates": {"load_pem": entries}}}
        config = {"admin": {"listen": f"127.0.0.1:{self.admin}"}, "apps": apps}
        (self.folder / "caddy.json").write_text(json.dumps(config), encoding="ascii")

    def start(self) -> None:
        environment = {"HOME": str(self.folder), "PATH": "/usr/bin"}
        command = ["/usr/bin/caddy", "run", "--resume", "--config", str(self.folder / "caddy.json")]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
        self.wait()

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(30)


def _entry(bundle: Bundle) -> dict[str, Any]:
    return {"certificate": without_blanks(f"{bundle.leaf}\n{bundle.chain}"), "key": bundle.key}
