"""Download archives, opened by the programs that will read them."""

import io
import subprocess
import zipfile
from datetime import UTC, datetime
from pathlib import Path
from shutil import which

import jks
import pytest
from cryptography.hazmat.primitives.serialization import load_pem_private_key, pkcs12

from certdesk.pki.x509.bundles import ServerType, archive_name, bundle, new_password
from certdesk.pki.x509.certificates import chain_to_pem, load_chain_pem, to_pem
from certdesk.pki.x509.errors import KeyDoesNotMatch
from certdesk.pki.x509.file_names import safe_name
from tests.support.chains import Chain, chain, ec_key, rsa_key

NOW = datetime(2026, 11, 23, 12, 30, 44, tzinfo=UTC)
WITH_KEY = {
    "nginx": {"server.crt", "server.key"},
    "apache": {"server.crt", "chain.crt", "server.key"},
    "tomcat": {"server.p12", "server.jks", "keystorePass.txt"},
    "iis": {"server.pfx", "keystorePass.txt"},
    "other": {"cert.pem", "chain.pem", "server.key"},
}
WITHOUT_KEY = {
    "nginx": {"server.crt"},
    "apache": {"server.crt", "chain.crt"},
    "tomcat": {"server.crt", "chain.crt"},
    "iis": {"server.crt", "chain.crt"},
    "other": {"cert.pem", "chain.pem"},
}
SERVERS = sorted(WITH_KEY)
KEYS = pytest.mark.parametrize("made", [chain(rsa_key()), chain(ec_key())], ids=["rsa", "ec"])


def opened(data: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.testzip() is None
        return {entry.filename: archive.read(entry) for entry in archive.infolist()}


def files(server: str, made: Chain, *, key: bool = True) -> dict[str, bytes]:
    return opened(bundle(server, made.leaf, made.above, made.key if key else None, "*.example.com", NOW))


@pytest.mark.parametrize("server", SERVERS)
def test_the_files_for_each_server(server: str) -> None:
    assert set(files(server, chain())) == WITH_KEY[server] | {"README.txt"}


@pytest.mark.parametrize("server", SERVERS)
def test_without_a_key_there_are_pem_files_only_and_the_note_says_so(server: str) -> None:
    found = files(server, chain(), key=False)
    assert set(found) == WITHOUT_KEY[server] | {"README.txt"}
    assert b"private key is NOT in this download" in found["README.txt"]
    assert not any(b"PRIVATE KEY-----" in data for data in found.values())


def test_all_has_a_folder_for_each_server() -> None:
    expected = {f"{server}/{name}" for server in SERVERS for name in WITH_KEY[server] | {"README.txt"}}
    assert set(files("all", chain())) == expected


@KEYS
def test_pem_files_hold_certificate_chain_and_key(made: Chain) -> None:
    nginx, apache, other = files("nginx", made), files("apache", made), files("other", made)
    assert load_chain_pem(nginx["server.crt"].decode()) == [made.leaf, *made.above]
    assert apache["server.crt"] == other["cert.pem"] == to_pem(made.leaf).encode()
    assert apache["chain.crt"] == other["chain.pem"] == chain_to_pem(made.above).encode()
    for found in (nginx, apache, other):
        assert load_pem_private_key(found["server.key"], None).public_key() == made.key.public_key()


@KEYS
@pytest.mark.parametrize(("server", "store"), [("tomcat", "server.p12"), ("iis", "server.pfx")])
def test_pkcs12_opens_with_the_password_beside_it(made: Chain, server: str, store: str) -> None:
    found = files(server, made)
    loaded = pkcs12.load_pkcs12(found[store], found["keystorePass.txt"])
    assert loaded.key is not None
    assert loaded.key.public_key() == made.key.public_key()
    assert loaded.cert is not None
    assert loaded.cert.friendly_name == b"_.example.com"
    assert len(loaded.additional_certs) == 2
    with pytest.raises(ValueError):
        pkcs12.load_pkcs12(found[store], b"wrong")


@KEYS
def test_jks_opens_with_the_same_password(made: Chain) -> None:
    found = files("tomcat", made)
    store = jks.KeyStore.loads(found["server.jks"], found["keystorePass.txt"].decode())
    entry = store.private_keys["_.example.com"]
    assert [der for _, der in entry.cert_chain] == [made.leaf, *made.above]
    assert entry.timestamp == int(NOW.timestamp() * 1000)


@pytest.mark.server
@KEYS
def test_openssl_opens_the_pfx(made: Chain, tmp_path: Path) -> None:
    for name, data in files("iis", made).items():
        (tmp_path / name).write_bytes(data)
    command = ["openssl", "pkcs12", "-in", "server.pfx", "-passin", "file:keystorePass.txt", "-nodes"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, timeout=60, check=True)
    assert done.stdout.count(b"BEGIN CERTIFICATE") == 3
    assert b"BEGIN PRIVATE KEY" in done.stdout


@pytest.mark.server
@pytest.mark.skipif(which("keytool") is None, reason="Java is not installed")
@pytest.mark.parametrize("store", ["server.p12", "server.jks"])
def test_java_opens_the_key_stores(store: str, tmp_path: Path) -> None:
    for name, data in files("tomcat", chain(rsa_key())).items():
        (tmp_path / name).write_bytes(data)
    command = ["keytool", "-list", "-v", "-keystore", store, "-storepass:file", "keystorePass.txt"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout.decode()
    assert b"PrivateKeyEntry" in done.stdout
    assert b"Certificate chain length: 3" in done.stdout


def test_a_key_of_another_certificate_is_never_packed() -> None:
    made = chain(ec_key())
    with pytest.raises(KeyDoesNotMatch):
        bundle(ServerType.NGINX, made.leaf, made.above, rsa_key(), "x", NOW)


def test_secrets_in_the_archive_belong_to_their_owner() -> None:
    data = bundle("all", chain().leaf, chain().above, chain().key, "x", NOW)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        modes = {entry.filename: entry.external_attr >> 16 for entry in archive.infolist()}
        assert {entry.date_time for entry in archive.infolist()} == {(2026, 11, 23, 12, 30, 44)}
    for name, mode in modes.items():
        assert mode == (0o644 if name.endswith((".crt", ".pem", "README.txt")) else 0o600), name


def test_an_unknown_server_is_refused() -> None:
    with pytest.raises(ValueError):
        bundle("lighttpd", chain().leaf, (), None, "x", NOW)


def test_passwords_differ_and_are_long() -> None:
    passwords = {new_password() for _ in range(1000)}
    assert len(passwords) == 1000
    assert {len(each) for each in passwords} == {24}


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        ("scm-1a2b3c", "scm-1a2b3c"),
        ("www.example.com", "www.example.com"),
        ("*.example.com", "_.example.com"),
        ("../../etc/passwd", "etc_passwd"),
        ("/etc/passwd", "etc_passwd"),
        ("C:\\windows\\system32", "C_windows_system32"),
        ("a\r\nSet-Cookie: x", "a_Set-Cookie_x"),
        ("\u202egpj.exe", "gpj.exe"),
        ('a"; filename="b', "a_filename_b"),
        ("证书", "certificate"),
        ("", "certificate"),
        ("...", "certificate"),
        ("-rf", "rf"),
        (".htaccess", "htaccess"),
        ("CON", "_CON"),
        ("nul.txt", "_nul.txt"),
        ("com1", "_com1"),
        ("console", "console"),
        ("x" * 300, "x" * 100),
    ],
)
def test_names_of_downloads_are_safe(text: str, safe: str) -> None:
    assert safe_name(text) == safe
    assert archive_name(text, "nginx") == f"{safe}_nginx.zip"
