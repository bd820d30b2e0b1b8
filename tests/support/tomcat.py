"""Tomcat with one connector that reads a keystore, one for another host, and its manager beside it."""

import asyncio
import os
import shutil
import subprocess
from pathlib import Path

from certdesk.connectors.targets import registry
from certdesk.connectors.targets.options import Outside
from tests.support import swapping, tls
from tests.support.placed import NAME, Served, free_port

HOME = Path("/usr/share/tomcat10")
MANAGER = Path("/usr/share/tomcat10-admin/manager")
PASSWORD = "s3cret-of-the-store"
KEY = "the-password-of-the-manager"
_SERVER = """<Server port="-1">
 <GlobalNamingResources>
  <Resource name="users" type="org.apache.catalina.UserDatabase" pathname="conf/users.xml"
   factory="org.apache.catalina.users.MemoryUserDatabaseFactory"/>
 </GlobalNamingResources>
 <Service name="Catalina">
  <Connector address="127.0.0.1" port="{manager}"/>
  <Connector address="127.0.0.1" port="{port}" SSLEnabled="true">
   <SSLHostConfig>
    <Certificate certificateKeystoreFile="{file}" certificateKeystoreType="{format}"
     certificateKeystorePassword="{password}"/>
   </SSLHostConfig>
   <SSLHostConfig hostName="other.example.test">
    <Certificate certificateKeystoreFile="{other}" certificateKeystoreType="{format}"
     certificateKeystorePassword="{password}"/>
   </SSLHostConfig>
  </Connector>
  <Engine name="Catalina" defaultHost="localhost">
   <Realm className="org.apache.catalina.realm.UserDatabaseRealm" resourceName="users"/>
   <Host name="localhost" appBase="apps" autoDeploy="false"/>
  </Engine>
 </Service>
</Server>
"""
_USERS = (
    '<tomcat-users><user username="certdesk" password="{key}" roles="manager-script"/>'
    '<user username="other" password="{key}" roles="manager-gui"/></tomcat-users>'
)
_PAGES = """<web-app xmlns="https://jakarta.ee/xml/ns/jakartaee" version="6.0">
 <servlet><servlet-name>files</servlet-name>
  <servlet-class>org.apache.catalina.servlets.DefaultServlet</servlet-class></servlet>
 <servlet-mapping><servlet-name>files</servlet-name><url-pattern>/</url-pattern></servlet-mapping>
</web-app>
"""


def missing() -> str:
    """Which of Debian's packages is not there; empty for none."""
    if not (HOME / "bin" / "bootstrap.jar").exists() or shutil.which("java") is None:
        return "tomcat10"
    return "" if MANAGER.exists() else "tomcat10-admin"


class RealTomcat(Served):
    """`store`: the format of its keystore, `PKCS12` or `JKS`."""

    kind = "keystore"

    def __init__(self, name: str = NAME, folder: Path | None = None, *, store: str = "PKCS12") -> None:
        super().__init__(name, folder)
        self.manager, self.pages = free_port(), self.folder / "apps" / "ROOT"
        self.other = self.folder / "other.p12"
        self.store = {"password": PASSWORD, "format": store}
        self.options |= {
            **self.store,
            "manager": f"http://127.0.0.1:{self.manager}/manager",
            "manager_user": "certdesk",
            "manager_password": KEY,
        }

    def prepare(self) -> None:
        self.fill(self.file, self.first)
        self.fill(self.other, tls.make("other.example.test"))
        configuration = self.folder / "conf"
        hosts = configuration / "Catalina" / "localhost"
        for folder in (hosts, self.folder / "temp", self.pages / "WEB-INF"):
            folder.mkdir(parents=True)
        server = {"manager": self.manager, "port": self.port, **self.store}
        server |= {"file": self.file, "other": self.other}
        texts = {
            configuration / "server.xml": _SERVER.format(**server),
            configuration / "users.xml": _USERS.format(key=KEY),
            hosts / "manager.xml": f'<Context docBase="{MANAGER}" privileged="true"/>',
            self.pages / "WEB-INF" / "web.xml": _PAGES,
        }
        for file, text in texts.items():
            file.write_text(text, encoding="ascii")

    def fill(self, file: Path, made: tls.Made) -> None:
        """As an administrator does it: a keystore in its place, and nobody is told."""
        options = {**self.store, "path": str(file), "listeners": self.options["listeners"]}
        quiet = registry.connect("keystore", options, Outside(folders=(self.folder,)))
        asyncio.run(quiet.install(str(file), made.bundle))  # type: ignore[arg-type]

    def start(self) -> None:
        jars = ":".join(str(HOME / "bin" / name) for name in ("bootstrap.jar", "tomcat-juli.jar"))
        places = {
            "catalina.home": HOME,
            "catalina.base": self.folder,
            "java.io.tmpdir": self.folder / "temp",
        }
        given = [f"-D{name}={path}" for name, path in places.items()]
        quick = ["-Xmx96m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC"]
        command = ["java", *quick, *given, "-cp", jars, "org.apache.catalina.startup.Bootstrap", "start"]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(command, cwd=self.folder, env=_clean(), stdout=log, stderr=log)
        (self.folder / "pid").write_text(str(self._process.pid), encoding="ascii")
        self.wait()

    def wait(self) -> None:
        """Until it answers: it listens before it reads its keystore."""
        super().wait()
        swapping.Door(self.port, NAME).connect().close()

    def stop(self) -> None:
        self._process.kill()  # it has nothing to save
        self._process.wait(30)


def _clean() -> dict[str, str]:
    return {"PATH": os.environ.get("PATH", ""), "LANG": "C.UTF-8"}
