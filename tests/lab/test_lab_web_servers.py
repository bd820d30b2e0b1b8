"""`./certdesk lab waf` and `lab web`: they say where they are, and do what they are for."""

import http.client
import sys
from pathlib import Path

import pytest

from certdesk.foundation.common.errors import NotAvailable
from certdesk.interfaces.cli.labs import Lab, lab
from certdesk.lab import nginx, waf, website
from certdesk.lab.apache import LabApache
from certdesk.lab.nginx import LabNginx
from certdesk.lab.web_server import LabWebServer
from certdesk.lab.website import LabWebsite
from tests.lab.test_lab_commands import Ear
from tests.support.needs import need


def fetched(port: int, path: str) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


@pytest.mark.server
def test_the_firewall_tells_that_it_works_and_how_to_connect_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    need(nginx.firewall_missing() == "", "nginx with ModSecurity and the core rules is not installed")
    ear = Ear()
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", ear)
        lab(Lab.WAF, 0, folder=tmp_path / "waf")
    told = ear.getvalue()
    assert "a harmless request is answered 200, an attack 403" in told
    assert f'"config": "{tmp_path}/waf/nginx.conf"' in told
    assert "CERTDESK_TARGET_FOLDERS=" in told


def test_the_firewall_names_the_packages_that_are_missing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(LabNginx, "program", classmethod(lambda _: None))
    with pytest.raises(NotAvailable, match="needs nginx"):
        waf.run_waf(0, tmp_path)
    monkeypatch.setattr(LabNginx, "program", classmethod(lambda _: "/usr/sbin/nginx"))
    monkeypatch.setattr(nginx, "MODULE", tmp_path / "none")
    assert nginx.firewall_missing() == "libnginx-mod-http-modsecurity"
    monkeypatch.setattr(nginx, "MODULE", tmp_path)
    monkeypatch.setattr(nginx, "CORE_RULES", tmp_path / "none")
    assert nginx.firewall_missing() == "modsecurity-crs"
    assert waf.answer(1, "/", "www.example.test") == 0


def test_the_website_serves_files_and_lists_nothing(tmp_path: Path) -> None:
    said: list[str] = []
    with LabWebsite(tmp_path, log=said.append) as site:
        (tmp_path / website.FOLDERS[0] / "fileauth.txt").write_text("the value", encoding="ascii")
        folder = "/.well-known/pki-validation/"
        assert fetched(site.port, f"{folder}fileauth.txt") == (200, b"the value")
        assert fetched(site.port, folder)[0] == 404
    assert any("fileauth.txt" in line for line in said)


def test_the_website_announces_itself_and_stops(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    ear = Ear()
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", ear)
        lab(Lab.WEB, 0, folder=tmp_path)
    assert "http://127.0.0.1:" in ear.getvalue()
    assert "CERTDESK_VALIDATION_HTTP_PORTS=" in ear.getvalue()
    assert (tmp_path / ".well-known/acme-challenge").is_dir()


def test_a_server_that_does_not_start_says_why(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    need(LabNginx.program() is not None, "nginx is not installed")

    class Broken(LabNginx):
        def written(self) -> str:
            return "nonsense;"

    with pytest.raises(RuntimeError, match="nonsense"), Broken(tmp_path / "nginx"):
        pass
    monkeypatch.setattr(LabApache, "programs", ("no-such-program",))
    with pytest.raises(RuntimeError, match="not installed"), LabApache(tmp_path / "apache"):
        pass
    bare = LabWebServer(tmp_path / "bare")
    for verb in (bare.written, lambda: bare.command("x")):
        with pytest.raises(NotImplementedError):
            verb()
