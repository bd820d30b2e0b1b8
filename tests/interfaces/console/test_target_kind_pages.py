"""Targets of other kinds, from the page where the kind is chosen to what is served at the end."""

import re
from collections.abc import Iterator
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from certdesk.connectors.targets.registry import KINDS
from certdesk.foundation.common import settings
from certdesk.foundation.iam.principal import Via
from certdesk.foundation.iam.queries import principal_of
from certdesk.lifecycle.deployment import queries, work
from certdesk.lifecycle.deployment.models import Binding, Step, Target
from tests.support.office import Office, open_office
from tests.support.placed import NAME, Rereading, together

pytestmark = pytest.mark.django_db(transaction=True)
WWW = "www.example.com"


@pytest.fixture
def office(db: None) -> Iterator[Office]:
    with open_office() as made:
        yield made


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Rereading]:
    """A server within reach, whose reload is a script of the operator's."""
    monkeypatch.setattr(work, "PATIENCE", 0.0)
    before = settings.get()
    server = Rereading("pem", bytes, {})
    server.file.write_bytes(together(server.first.bundle))
    script = tmp_path / "bin" / "reload"
    script.parent.mkdir()
    script.write_text(f'#!/bin/sh\necho "$#:$1" >> {tmp_path}/told\ntest ! -e {tmp_path}/broken\n', "ascii")
    script.chmod(0o700)
    reachable = {
        "target_folders": (server.folder,),
        "target_programs": (script.parent,),
        "allow_networks": (ip_network("127.0.0.0/8"),),
    }
    settings.install(before.model_copy(update=reachable))
    try:
        with server:
            yield server
    finally:
        settings.install(before)


def text(client: Client, path: str, data: object = None, status: int = 200) -> str:
    answer = client.get(path) if data is None else client.post(path, data, follow=True)
    assert answer.status_code == status, answer.content[-2000:]
    return re.sub(r"\s+", " ", answer.content.decode())


def form(site: Rereading, tmp_path: Path) -> dict[str, Any]:
    return {
        "label": "mail",
        "service": "OTHER",
        "region": "office",
        "o_path": str(site.file),
        "o_listeners": f"127.0.0.1:{site.port}",
        "o_reload": f"{tmp_path}/bin/reload\n  two words, one argument\n",
    }


def test_each_kind_has_a_place_and_a_form(office: Office) -> None:
    alice = office.client()
    shown = text(alice, "/targets/add")
    for name in KINDS:
        assert f'href="/targets/add?kind={name}"' in shown
        assert 'data-operation="target-save"' in text(alice, f"/targets/add?kind={name}")
    assert "CERTDESK_TARGET_PROGRAMS" in text(alice, "/targets/add?kind=command")
    assert "/usr/sbin/postfix reload" in text(alice, "/targets/add?kind=postfix")


# rule: DEP-2
# rule: DEP-5
# rule: DEP-6
def test_from_the_form_to_what_is_served(office: Office, site: Rereading, tmp_path: Path) -> None:
    alice = office.client()
    made = text(alice, "/targets/add?kind=pem", form(site, tmp_path))
    assert "The target was looked through: 1 certificates." in made
    assert NAME in made
    (binding,) = Binding.objects.all()
    assert Target.objects.get().shown["reload"][1] == "two words, one argument"
    certificate_id = office.desk.issued(WWW)
    wanted = {"service": "OTHER", "region": "office", "binding": [binding.id], "confirmed": "1"}
    assert 'data-code="deployment.begun"' in text(alice, f"/certificates/{certificate_id}/deploy", wanted)
    office.desk.run()
    assert 'data-status="DEPLOYED"' in text(alice, f"/certificates/{certificate_id}/deploy?service=OTHER")
    assert b"PRIVATE KEY" in site.file.read_bytes()
    binding.refresh_from_db()
    assert (binding.served, binding.names) == (binding.fingerprint, [WWW])
    assert (tmp_path / "told").read_text(encoding="ascii") == "1:two words, one argument\n"


# rule: DEP-6
def test_a_reload_that_fails_brings_the_old_one_back(office: Office, site: Rereading, tmp_path: Path) -> None:
    alice = office.client()
    text(alice, "/targets/add?kind=pem", form(site, tmp_path))
    (binding,) = Binding.objects.all()
    certificate_id = office.desk.issued(WWW)
    (tmp_path / "broken").touch()
    wanted = {"service": "OTHER", "region": "office", "binding": [binding.id], "confirmed": "1"}
    text(alice, f"/certificates/{certificate_id}/deploy", wanted)
    office.desk.run()
    step = Step.objects.get()
    assert (step.state, "did not reload the server: status 1" in step.reason) == ("FAILED", True)
    assert site.file.read_bytes() == together(site.first.bundle)
    shown = text(alice, f"/targets/{binding.target_id}")
    assert f'data-step-id="{step.id}"' in shown
    assert "did not reload the server: status 1" in shown
    assert f'href="/certificates/{certificate_id}/deploy?service=OTHER&amp;region=office"' in shown
    rita = principal_of(office.people["rita"], Via.CONSOLE)  # may not deploy, so sees no deployment
    assert queries.latest_of_target(rita, Target.objects.get()) == []


# rule: IAM-5
def test_nobody_else_sees_the_options(office: Office, site: Rereading, tmp_path: Path) -> None:
    text(office.client(), "/targets/add?kind=pem", form(site, tmp_path))
    target = Target.objects.get()
    for path in (f"/targets/{target.id}", f"/targets/{target.id}/edit"):
        assert str(site.file) not in text(office.client("charlie"), path, status=404)
