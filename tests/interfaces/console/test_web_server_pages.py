"""Connecting a web server in the console: what a newcomer reads, types and is told."""

import re
from collections.abc import Iterator
from ipaddress import ip_network
from pathlib import Path

import pytest
from django.test import Client

from certdesk.foundation.common import settings
from certdesk.lab.nginx import LabNginx
from certdesk.lifecycle.deployment.models import Target
from tests.support.needs import need
from tests.support.office import Office, open_office

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.server]


@pytest.fixture
def office(db: None) -> Iterator[Office]:
    with open_office() as made:
        yield made


@pytest.fixture
def nginx(tmp_path: Path) -> Iterator[LabNginx]:
    need(LabNginx.program() is not None, "nginx is not installed")
    before = settings.get()
    with LabNginx(tmp_path / "nginx", plain=("plain.example.test",)) as lab:
        reachable = {"target_folders": (lab.folder,), "allow_networks": (ip_network("127.0.0.0/8"),)}
        settings.install(before.model_copy(update=reachable))
        try:
            yield lab
        finally:
            settings.install(before)


def text(client: Client, path: str, data: object = None, status: int = 200) -> str:
    answer = client.get(path) if data is None else client.post(path, data, follow=True)
    assert answer.status_code == status, answer.content[-2000:]
    return re.sub(r"\s+", " ", answer.content.decode())


def test_what_to_put_where_is_on_the_page(office: Office) -> None:
    alice = office.client()
    kinds = text(alice, "/targets/add")
    for kind, config in (("nginx", "/etc/nginx/nginx.conf"), ("apache", "/etc/apache2/apache2.conf")):
        assert f'href="/targets/add?kind={kind}"' in kinds
        shown = text(alice, f"/targets/add?kind={kind}")
        assert f'placeholder="{config}"' in shown
        assert "CERTDESK_TARGET_FOLDERS=" in shown
        assert "CERTDESK_ALLOW_NETWORKS=127.0.0.0/8,::1/128" in shown
        assert '<option value="OTHER" selected>' in shown
        assert 'type="checkbox" name="o_sudo"' in shown


def test_nginx_is_connected_and_looked_through(office: Office, nginx: LabNginx) -> None:
    alice, path = office.client(), "/targets/add?kind=nginx"
    form = {"label": "edge", "service": "WAF", "region": "office", "o_config": nginx.options["config"]}
    pair = "/etc/ssl/a.crt=/etc/ssl/a.key"
    assert "without the listeners" in text(alice, path, {**form, "o_pairs": pair}, 422)
    assert "unit" in text(alice, path, {**form, "o_unit": "ssh"}, 422)
    made = text(alice, path, form)
    assert "The target was looked through: 3 certificates." in made
    assert "Nothing can be pushed here" in made
    for name in ("www.example.test", "shop.example.test", "plain.example.test"):
        assert name in made
    target = Target.objects.get()
    assert target.shown["sudo"] is False
    nginx.stop()
    assert "nginx does not run." in text(alice, f"/targets/{target.id}/discover", {})
