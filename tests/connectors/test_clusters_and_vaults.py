"""Kubernetes Secrets and KV stores: whose names count, who was faster, how the server is known."""

import asyncio
import ssl
from collections.abc import Awaitable
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import pytest

from certdesk.connectors.targets import registry, servers
from certdesk.connectors.targets.options import Outside
from certdesk.connectors.targets.protocol import Reason, TargetError
from tests.support import clouds, tls, vault
from tests.support.clouds import LOOPBACK, NAME, pem
from tests.support.cluster import Cluster
from tests.support.stub_http import Answer, running
from tests.support.vault import VaultStub

T = TypeVar("T")


def run(work: Awaitable[T]) -> T:
    async def inside() -> T:
        return await work

    return asyncio.run(inside())


def refusal(work: Awaitable[object]) -> TargetError:
    with pytest.raises(TargetError) as refused:
        run(work)
    return refused.value


def test_calls_to_servers_of_one_ca_share_how_it_is_known() -> None:
    made = tls.make("x.example.test")
    assert servers.context(made.bundle.leaf) is servers.context(made.bundle.leaf)
    assert servers.context("") is servers.context("")
    assert servers.context("") is not servers.context(made.bundle.leaf)
    mine = servers.context("", made.bundle.leaf, made.bundle.key)
    assert mine is not servers.context("")  # a key of ours is shown by nobody else's call


def test_names_are_the_ingresses_or_else_the_certificates_own() -> None:
    with clouds.kubernetes() as case:
        assert isinstance(case.stub, Cluster)
        other = tls.make("other.example.test")
        case.stub.add("other", pem(other), other.bundle.key, {"team": "web"})
        case.stub.add("broken", "", "")
        case.stub.secrets["broken"]["data"]["tls.crt"] = "?"
        case.stub.ingresses[0]["spec"]["tls"] = [{"secretName": "web", "hosts": ["a.example.test"]}] * 2
        case.stub.ingresses.append({"spec": {}})
        found = {one.id: one.names for one in run(case.target().resources())}
        assert found == {
            "default/web": ("a.example.test",),
            "default/other": ("other.example.test",),
            "default/broken": (),
        }
        case.stub.may_list_ingresses = False
        assert run(case.target().resources())[0].names == (NAME,)
        chosen = run(case.target(selector="team=web").resources())
        assert [one.id for one in chosen] == ["default/other"]
        assert refusal(case.target().snapshot("default/broken")).reason is Reason.NO_WAY_BACK
        del case.stub.secrets["broken"]["data"]["tls.crt"]
        assert refusal(case.target().snapshot("default/broken")).reason is Reason.NO_WAY_BACK


def test_somebody_who_changes_the_secret_in_between_loses_nothing() -> None:
    with clouds.kubernetes() as case:
        assert isinstance(case.stub, Cluster)
        made = tls.make(NAME).bundle
        case.stub.rivals = 2
        run(case.target().install(case.resource, made))
        assert made.leaf in case.held()
        assert "ca.crt" in case.stub.secrets["web"]["data"]
        case.stub.rivals = 100
        assert refusal(case.target().install(case.resource, case.first.bundle)).reason is Reason.BUSY
        assert made.leaf in case.held()


def test_a_push_may_be_repeated_and_replaces_nobodys_secret() -> None:
    with clouds.kubernetes() as case:
        made = tls.make(NAME).bundle
        for _ in range(2):
            pushed = run(case.target().push("SCS1-v1", made))
        assert pushed.id == "default/scs1-v1"
        assert refusal(case.target().push("web", made)).reason is Reason.BUSY
        assert case.first.bundle.leaf in case.held()
    with clouds.kept_in_vault() as case:
        assert isinstance(case.stub, VaultStub)
        for _ in range(2):
            run(case.target().push("pushed", made))
        assert [len(one) for one in case.stub.versions.values()] == [1, 2]
        assert refusal(case.target().push("web", made)).reason is Reason.REFUSED


def test_rights_that_are_missing_are_noted() -> None:
    with clouds.kubernetes() as case:
        assert isinstance(case.stub, Cluster)
        assert run(case.target().test()).notes == ()
        case.stub.may_patch = False
        assert "default" in run(case.target().test()).notes[0]
    with clouds.kept_in_vault() as case:
        assert isinstance(case.stub, VaultStub)
        assert run(case.target().test()).notes == ()
        case.stub.capabilities = ("read",)
        assert "not changed" in run(case.target().test()).notes[0]
        case.stub.versions.clear()
        assert run(case.target().resources()) == ()


def test_the_store_keeps_other_fields_and_the_version_before() -> None:
    with clouds.kept_in_vault() as case:
        assert isinstance(case.stub, VaultStub)
        made = tls.make(NAME).bundle
        case.stub.rivals = 2
        run(case.target().install(case.resource, made))
        assert [one["note"] for one in case.stub.versions["web"]] == ["stays"] * 4
        case.stub.rivals = 100
        assert refusal(case.target().install(case.resource, made)).reason is Reason.BUSY
        case.stub.versions["web"].append({"certificate": "none"})
        assert refusal(case.target().snapshot("web")).reason is Reason.NO_WAY_BACK


def test_an_approle_signs_in_first() -> None:
    with clouds.kept_in_vault() as case:
        role = {"token": "", "role_id": vault.ROLE, "secret_id": vault.SECRET, "namespace": "team/a"}
        assert len(run(case.target(**role).resources())) == 1
        assert case.stub.asked[-1].header["X-Vault-Namespace"] == "team/a"
        wrong = refusal(case.target(**{**role, "secret_id": "wrong"}).resources())
        assert (wrong.reason, "AppRole" in wrong.message) == (Reason.REFUSED, True)


@pytest.mark.parametrize("kind", ["kubernetes", "vault"])
@pytest.mark.parametrize("body", [b"[]", b'{"items": [1], "metadata": {}, "data": {"keys": ["web"]}}', b"{}"])
def test_answers_of_another_shape_are_told(kind: str, body: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    with clouds.CASES[kind]() as case:
        target, bundle = case.target(), case.first.bundle
        role = {"token": "", "role_id": vault.ROLE, "secret_id": vault.SECRET} if kind == "vault" else {}
        signing = case.target(**role)
        monkeypatch.setattr(case.stub, "answer", lambda _: Answer(200, body))
        works = [target.resources(), target.snapshot(case.resource), target.install(case.resource, bundle)]
        for work in [*works, signing.resources()]:
            assert refusal(work).reason in (Reason.BAD_ANSWER, Reason.NO_WAY_BACK)
        assert not run(target.test()).ok


def _server_context(folder: Path, made: tls.Made, *, asks_for: str = "") -> ssl.SSLContext:
    file = folder / "server.pem"
    file.write_text(pem(made) + made.bundle.key, encoding="ascii")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    if asks_for:
        context.verify_mode = ssl.CERT_REQUIRED
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
        context.load_verify_locations(cadata=asks_for)
    return context


def test_only_a_server_of_the_pinned_ca_is_spoken_to(tmp_path: Path) -> None:
    made, other, client = tls.make("localhost"), tls.make("localhost"), tls.make("certdesk")
    context = _server_context(tmp_path, made, asks_for=client.bundle.chain)
    with running(Cluster(by_certificate=True), context) as stub:
        options = {
            "server_url": f"https://localhost:{stub.port}",
            "ca": made.bundle.chain,
            "client_certificate": pem(client),
            "client_key": client.bundle.key,
            "namespaces": ["default"],
            "listeners": ["127.0.0.1:9443"],
        }
        outside = Outside(allow_networks=LOOPBACK)
        assert run(registry.connect("kubernetes", options, outside).resources()) == ()
        foreign = registry.connect("kubernetes", {**options, "ca": other.bundle.chain}, outside)
        assert refusal(foreign.resources()).reason is Reason.UNREACHABLE
        unknown = registry.connect("kubernetes", {**options, "ca": ""}, outside)
        assert refusal(unknown.resources()).reason is Reason.UNREACHABLE
        with pytest.raises(TargetError, match="do not belong together"):
            registry.connect("kubernetes", {**options, "client_key": other.bundle.key}, outside)


@pytest.mark.parametrize(
    ("kind", "wrong", "told"),
    [
        ("kubernetes", {"token": ""}, "bearer token or a client certificate"),
        ("kubernetes", {"ca": "no PEM"}, "no certificates in PEM"),
        ("kubernetes", {"client_key": "no PEM"}, "no private key in PEM"),
        ("kubernetes", {"server_url": "ftp://x"}, "server_url"),
        ("vault", {"token": ""}, "give a token"),
        ("vault", {"folder": "../sys"}, "folder"),
    ],
)
def test_options_that_do_not_fit(kind: str, wrong: dict[str, str], told: str) -> None:
    given = {"server_url": "https://10.0.0.1", "token": "t", "listeners": ["a:1"]}
    more = {"namespaces": ["default"]} if kind == "kubernetes" else {}
    with pytest.raises(TargetError, match=told):
        registry.read_options(kind, {**given, **more, **wrong})
    assert registry.read_options(kind, {**given, **more, "ca": tls.make("x").bundle.leaf}).endpoint() == (
        "10.0.0.1",
        443,
    )


def test_a_pair_that_is_none_is_seen_before_it_is_sent() -> None:
    bundle = tls.make(NAME).bundle
    assert servers.checked(bundle) is bundle
    with pytest.raises(TargetError, match="do not belong together"):
        servers.checked(replace(bundle, key=tls.make(NAME).bundle.key))
