"""The lab's Apache: a web server with its own configuration, beside whatever the machine has."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from certdesk.lab.site_files import PAGES, TLS
from certdesk.lab.web_server import LabWebServer

MODULES = (Path("/usr/lib/apache2/modules"), Path("/usr/lib64/httpd/modules"))
_CONFIG = """ServerRoot {folder}
DefaultRuntimeDir {folder}
PidFile {folder}/apache.pid
ErrorLog {folder}/error.log
ServerName lab.example.test
Listen 127.0.0.1:{port}
{modules}
{user}
StartServers 1
ServerLimit 16
SSLSessionCache none
TypesConfig /dev/null
KeepAliveTimeout 5
Timeout 3600
DocumentRoot {folder}/{pages}
<Directory {folder}>
  Require all granted
</Directory>
{hosts}"""
_HOST = """<VirtualHost 127.0.0.1:{port}>
  ServerName {name}
  {aliases}
  SSLEngine on
  SSLCertificateFile {folder}/{tls}/site{number}.crt
  SSLCertificateKeyFile {folder}/{tls}/site{number}.key
</VirtualHost>
"""
_PLAIN = """<VirtualHost 127.0.0.1:80>
  ServerName {name}
</VirtualHost>
"""
_NEEDED = ("mpm_event", "authz_core", "mime", "dir", "socache_shmcb", "ssl")


class LabApache(LabWebServer):
    """Apache on loopback. Started by root it serves as www-data, which must be able to read the pages."""

    kind: ClassVar[str] = "apache"
    programs: ClassVar[tuple[str, ...]] = ("apache2", "httpd")
    config: ClassVar[str] = "apache.conf"

    def written(self) -> str:
        hosts = [
            _HOST.format(
                name=names[0],
                aliases=f"ServerAlias {' '.join(names[1:])}" if names[1:] else "",
                number=number,
                folder=self.folder,
                tls=TLS,
                port=self.port,
            )
            for number, names in enumerate(self.sites, 1)
        ]
        hosts += [_PLAIN.format(name=name) for name in self.plain]
        modules = next((one for one in MODULES if one.is_dir()), MODULES[0])
        return _CONFIG.format(
            modules="\n".join(f"LoadModule {one}_module {modules}/mod_{one}.so" for one in _NEEDED),
            user="User www-data\nGroup www-data" if os.geteuid() == 0 else "",
            hosts="".join(hosts),
            folder=self.folder,
            pages=PAGES,
            port=self.port,
        )

    def command(self, program: str) -> Sequence[str]:
        return (program, "-D", "FOREGROUND", "-f", str(self.folder / self.config))
