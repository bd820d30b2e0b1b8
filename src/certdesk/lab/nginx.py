"""The lab's nginx: a web server, or with ModSecurity and the OWASP core rules a web application firewall."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from certdesk.lab.site_files import PAGES, TLS
from certdesk.lab.web_server import SITES, LabWebServer

MODULE = Path("/usr/lib/nginx/modules/ngx_http_modsecurity_module.so")
CORE_RULES = Path("/usr/share/modsecurity-crs/rules")
_CONFIG = """{head}
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
worker_processes 1;
events {{ worker_connections 512; }}
http {{
  access_log off;
  client_body_temp_path {folder}/tmp-body;
  proxy_temp_path {folder}/tmp-proxy;
  fastcgi_temp_path {folder}/tmp-fastcgi;
  uwsgi_temp_path {folder}/tmp-uwsgi;
  scgi_temp_path {folder}/tmp-scgi;
  ssl_session_tickets off;
  keepalive_timeout 5s;
  send_timeout 1h;
  root {folder}/{pages};
  {firewall}
{servers}}}
"""
_SERVER = """  server {{
    listen 127.0.0.1:{port} ssl;
    server_name {names};
    ssl_certificate {folder}/{tls}/site{number}.crt;
    ssl_certificate_key {folder}/{tls}/site{number}.key;
  }}
"""
_PLAIN = """  server {{
    listen unix:{folder}/plain.sock;
    server_name {names};
  }}
"""
# Debian's owasp-crs.load uses IncludeOptional, which ModSecurity 3 does not know.
_RULES = """Include /etc/nginx/modsecurity.conf
SecRuleEngine On
SecAuditLog {folder}/modsec_audit.log
Include /etc/modsecurity/crs/crs-setup.conf
Include /etc/modsecurity/crs/REQUEST-900-EXCLUSION-RULES-BEFORE-CRS.conf
Include {rules}/*.conf
Include /etc/modsecurity/crs/RESPONSE-999-EXCLUSION-RULES-AFTER-CRS.conf
"""


class LabNginx(LabWebServer):
    """nginx on loopback.

    Args:
        firewall: with ModSecurity in front of the pages.
    """

    kind: ClassVar[str] = "nginx"
    programs: ClassVar[tuple[str, ...]] = ("nginx",)
    config: ClassVar[str] = "nginx.conf"

    def __init__(
        self,
        folder: Path,
        sites: Sequence[Sequence[str]] = SITES,
        port: int = 0,
        *,
        plain: Sequence[str] = (),
        firewall: bool = False,
    ) -> None:
        super().__init__(folder, sites, port, plain=plain)
        self.firewall = firewall

    def written(self) -> str:
        text = {"folder": self.folder, "tls": TLS, "port": self.port}
        servers = [
            _SERVER.format(number=number, names=" ".join(names), **text)
            for number, names in enumerate(self.sites, 1)
        ]
        if self.plain:
            servers.append(_PLAIN.format(names=" ".join(self.plain), **text))
        return _CONFIG.format(
            head=self._head(),
            pages=PAGES,
            servers="".join(servers),
            firewall=self._guard(),
            folder=self.folder,
        )

    def _head(self) -> str:
        user = "user root;" if os.geteuid() == 0 else ""  # pages lie in a private folder
        return f"load_module {MODULE};\n{user}" if self.firewall else user

    def _guard(self) -> str:
        if not self.firewall:
            return ""
        rules = self.folder / "modsecurity-rules.conf"
        rules.write_text(_RULES.format(folder=self.folder, rules=CORE_RULES), encoding="ascii")
        return f"modsecurity on; modsecurity_rules_file {rules};"

    def command(self, program: str) -> Sequence[str]:
        return (program, "-e", "stderr", "-c", str(self.folder / self.config))


def firewall_missing() -> str:
    """What of the firewall is not installed; empty when all is there."""
    if LabNginx.program() is None:
        return "nginx"
    if not MODULE.exists():
        return "libnginx-mod-http-modsecurity"
    return "" if CORE_RULES.is_dir() else "modsecurity-crs"
