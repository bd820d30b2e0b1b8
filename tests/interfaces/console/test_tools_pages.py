"""The pages of the certificate tools: what is shown, what comes back as a file, what never comes back."""

import io
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.test import Client

from certdesk.foundation.common import clock, settings
from tests.connectors.test_probe import LOOPBACK, serving
from tests.support.office import Office, open_office
from tests.support.requests_of import request_for
from tests.support.uploads import World, key_of, key_pem, pem

PAGES = ("/tools", "/tools/match", "/tools/convert", "/tools/served")


@pytest.fixture
def office(db: None) -> Iterator[Office]:
    with open_office() as made:
        before = settings.get()
        settings.install(before.model_copy(update={"allow_networks": LOOPBACK}))
        yield made
        settings.install(before)


@pytest.fixture
def world(office: Office) -> World:
    return World(clock.now())


def post(client: Client, path: str, **data: object) -> str:
    response = client.post(path, data)
    assert response.headers["Cache-Control"] == "no-store"
    return response.content.decode()


def file(name: str, content: bytes) -> io.BytesIO:
    made = io.BytesIO(content)
    made.name = name
    return made


def test_everybody_finds_the_tools_that_he_may_use(office: Office) -> None:
    for path in PAGES:
        assert office.client().get(path).status_code == 200
    rita, nils = office.client("rita"), office.client("nils")
    shown = rita.get("/tools").content.decode()
    assert 'href="/tools/match"' in shown
    assert 'href="/tools/served"' not in shown
    assert rita.get("/tools/served").status_code == nils.get("/tools").status_code == 403
    assert 'href="/tools"' in rita.get("/certificates").content.decode()


def test_a_chain_is_shown_with_its_whole_text(office: Office, world: World) -> None:
    client = office.client()
    client.post("/certificates/upload", {**world.body(), "duplicate_check": "on"})
    shown = post(client, "/tools", text=pem(world.issuing) + pem(world.usual))
    for words in (
        'data-code="tools.decoded"',
        "www.example.com",
        "from-elsewhere",
        "Elsewhere CA",
        "In force",
        "their root &#x27;CN=Elsewhere Root&#x27; is not among them",
        "Serial Number: 12:34",
    ):
        assert words in shown, words
    assert shown.index("www.example.com") < shown.index("CA certificate")
    assert "holds no certificate" in post(client, "/tools", text="nonsense")
    asked = post(client, "/tools", text=request_for("a.example.com").pem)
    assert "Certificate Request:" in asked
    chinese = post(office.client(language="zh-hans"), "/tools", text=pem(world.usual))
    assert "不在所提供的内容中" in chinese


def test_a_private_key_never_comes_back(office: Office, world: World) -> None:
    client, key = office.client(), key_pem(world.leaf_key)
    secret = key.splitlines()[1]
    for path, data in (
        ("/tools", {"text": pem(world.usual) + key}),
        ("/tools/match", {"text": pem(world.usual), "private_key": key}),
        ("/tools/match", {"text": pem(world.usual) + key, "private_key": key_pem(key_of(9))}),
        ("/tools/match", {"text": "nonsense", "private_key": key}),
        ("/tools/convert", {"text": pem(world.usual) + key, "format": "DER"}),
    ):
        assert secret not in post(client, path, **data)
    assert pem(world.usual).splitlines()[1] in post(client, "/tools", text=pem(world.usual))


def test_the_page_says_whether_the_key_matches(office: Office, world: World) -> None:
    client, key = office.client(), key_pem(world.leaf_key)
    for given, code in ((key, "tools.match"), (key_pem(key_of(9)), "tools.mismatch")):
        shown = post(client, "/tools/match", text=pem(world.usual), private_key=given)
        assert f'data-code="{code}"' in shown
        assert "neither stored nor logged" in shown
    files = {
        "file": file("a.csr", request_for("a.example.com").pem.encode()),
        "private_key_file": file("a.key", key.encode()),
    }
    assert "another CSR" in post(client, "/tools/match", **files)
    refused = client.post("/tools/match", {"text": pem(world.usual)})
    assert refused.status_code == 422
    assert "0 private keys" in refused.content.decode()


def test_conversions_come_as_files_by_post_alone(office: Office, world: World) -> None:
    client = office.client()
    both = {"text": pem(world.usual) + pem(world.issuing) + key_pem(world.leaf_key)}
    made = client.post("/tools/convert", {**both, "format": "PKCS12"})
    with zipfile.ZipFile(io.BytesIO(made.content)) as archive:
        assert set(archive.namelist()) == {"server.p12", "keystorePass.txt"}
        store, password = archive.read("server.p12"), archive.read("keystorePass.txt").decode()
    assert made.headers["Cache-Control"] == "no-store"
    again = {"file": file("server.p12", store), "password": password}
    assert "www.example.com" in post(client, "/tools", **again)
    own = client.post("/tools/convert", {**both, "format": "JKS", "new_password": "my own word"})
    assert own.content.startswith(b"\xfe\xed\xfe\xed")
    assert own.headers["Content-Disposition"] == 'attachment; filename="server.jks"'
    assert client.post("/tools/convert", {**both, "format": "PKCS7"}).content.startswith(b"\x30")
    assert (
        client.get("/tools/convert", {**both, "format": "PEM"})
        .headers["Content-Type"]
        .startswith("text/html")
    )
    huge = client.post("/tools", {"file": file("huge.pem", b"#" * 262_145)})
    assert huge.status_code == 422


def test_a_look_is_told_in_words(office: Office, world: World, tmp_path: Path) -> None:
    client = office.client()
    with serving(tmp_path, pem(world.usual) + pem(world.issuing) + key_pem(world.leaf_key)) as port:
        good = post(client, "/tools/served", host="127.0.0.1", port=port, name="www.example.com")
        assert 'data-verdict="GOOD"' in good
        assert "No certificate in force covers www.example.com" in good
        bad = post(client, "/tools/served", host="127.0.0.1", port=port, protocol="TLS")
        assert "It does not cover 127.0.0.1." in bad
    gone = post(client, "/tools/served", host="127.0.0.1", port=port)
    assert 'data-verdict="UNREACHABLE"' in gone
    refused = client.post("/tools/served", {"host": "10.0.0.1", "port": 22})
    assert refused.status_code == 422
    assert client.post("/tools/served", {"host": "", "port": 0}).status_code == 422
