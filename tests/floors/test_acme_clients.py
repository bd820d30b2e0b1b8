"""Clients that people use, as their packages are: each registers by a credential, issues and revokes.

One running product for all of them, by plain http on loopback: whom a client trusts is not asked here.
"""

import re
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from tests.support import needs
from tests.support.acme_front import Front, executable, leaf, names_of, open_front, serving

pytestmark = [pytest.mark.server, pytest.mark.slow]
MAIL = "ada@example.com"
NPM = Path(__file__).resolve().parents[1] / "support/acme_npm"
APACHE_MODULES = Path("/usr/lib/apache2/modules")


@pytest.fixture(scope="module")
def front(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Front]:
    with open_front(tmp_path_factory.mktemp("front")) as opened:
        yield opened


def program(name: str) -> str:
    found = shutil.which(name, path=f"{Path(sys.executable).parent}:/usr/bin:/usr/sbin:/usr/local/bin")
    needs.need(found is not None, f"{name} is not installed")
    return str(found)


def waited(there: Callable[[], bool], seconds: float = 60) -> bool:
    """Until a server that works by itself has what it wants."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if there():
            return True
        time.sleep(0.1)
    return False


def state_of(front: Front, certificate: x509.Certificate) -> str:
    """The inventory's state of the newest certificate of that name."""
    (name,) = names_of(certificate)
    with closing(
        sqlite3.connect(f"file:{front.home.folder}/data/certdesk.sqlite3?mode=ro", uri=True)
    ) as base:
        row = base.execute(
            "SELECT state FROM certificates_certificate WHERE domain = ? ORDER BY id DESC", [name]
        ).fetchone()
    return str(row[0])


def revoked(front: Front, certificate: x509.Certificate) -> bool:
    return waited(lambda: state_of(front, certificate) == "REVOKED")


def certbot(front: Front, place: Path, *command: object) -> str:
    folders = ("--config-dir", place / "c", "--work-dir", place / "w", "--logs-dir", place / "l")
    return front.run(program("certbot"), *command, *folders, "--server", front.directory, "-n")


def test_certbot_issues_renews_by_what_ari_says_and_revokes(front: Front) -> None:
    place, name = front.place("certbot"), front.name()
    kid, key = front.credential("--names", name)
    bound = ("--agree-tos", "-m", MAIL, "--eab-kid", kid, "--eab-hmac-key", key)
    solo = ("--standalone", "--http-01-port", front.http)
    certbot(front, place, "certonly", *bound, *solo, "-d", name)
    pem = place / "c/live" / name / "fullchain.pem"
    first = leaf(pem)
    assert names_of(first) == {name}
    log = (place / "l/letsencrypt.log").read_text()
    assert "/acme/renewal-info" in log  # it knows where to ask
    certbot(front, place, "renew", *solo, "--no-random-sleep-on-renew")
    assert leaf(pem) == first  # the window lies ahead
    assert "GET /acme/renewal-info/" in (place / "l/letsencrypt.log").read_text()
    certbot(front, place, "renew", *solo, "--no-random-sleep-on-renew", "--force-renewal")
    assert leaf(pem) != first
    certbot(front, place, "revoke", "--cert-name", name, "--no-delete-after-revoke", "--reason", "superseded")
    assert revoked(front, leaf(pem))


def test_certbot_proves_a_wildcard_by_dns(front: Front) -> None:
    place, name = front.place("certbot-dns"), front.name()
    kid, key = front.credential()
    hook = executable(
        place / "hook.sh",
        "#!/bin/sh\n"
        f'echo "_acme-challenge.$CERTBOT_DOMAIN 1 TXT \\"$CERTBOT_VALIDATION\\"" >> {front.records}\n',
    )
    certbot(
        front, place, "certonly", "--agree-tos", "-m", MAIL, "--eab-kid", kid, "--eab-hmac-key", key,
        "--manual", "--preferred-challenges", "dns", "--manual-auth-hook", hook, "-d", f"*.{name}",
    )  # fmt: skip
    assert names_of(leaf(place / "c/live" / name / "fullchain.pem")) == {f"*.{name}"}


def lego(front: Front, place: Path, credential: tuple[str, str], *command: object) -> None:
    kid, key = credential
    front.run(
        program("lego"), "--server", front.directory, "--path", place, "--accept-tos", "--email", MAIL,
        "--eab", "--kid", kid, "--hmac", key, *command,
    )  # fmt: skip


def test_lego_by_http_and_by_the_tls_handshake(front: Front) -> None:
    place, credential = front.place("lego"), front.credential()
    ways = {
        "http": ("--http", "--http.port", f"127.0.0.1:{front.http}"),
        "tls": ("--tls", "--tls.port", f"127.0.0.1:{front.tls}"),
    }
    for way in ways.values():
        name = front.name()
        lego(front, place, credential, *way, "-d", name, "run")
        issued = leaf(place / "certificates" / f"{name}.crt")
        assert names_of(issued) == {name}
    lego(front, place, credential, *ways["http"], "-d", name, "renew", "--no-random-sleep", "--days", "1000")
    renewed = leaf(place / "certificates" / f"{name}.crt")
    assert renewed != issued
    lego(front, place, credential, "-d", name, "revoke")
    assert revoked(front, renewed)


def test_dehydrated(front: Front) -> None:
    place, name = front.place("dehydrated"), front.name()
    kid, key = front.credential()
    config = place / "config"
    config.write_text(
        f"CA={front.directory}\nEAB_KID={kid}\nEAB_HMAC_KEY={key}\nCONTACT_EMAIL={MAIL}\nBASEDIR={place}\n"
        f"WELLKNOWN={well_known(front)}\nKEY_ALGO=prime256v1\n"
    )
    command = (program("dehydrated"), "-f", config)
    front.run(*command, "--register", "--accept-terms")
    front.run(*command, "-c", "-d", name)
    pem = place / "certs" / name / "fullchain.pem"
    first = leaf(pem)
    front.run(*command, "-c", "-x", "-d", name)
    assert (names_of(leaf(pem)), leaf(pem) != first) == ({name}, True)
    issued = leaf(pem)
    front.run(*command, "-r", (place / "certs" / name / "cert.pem").resolve())
    assert revoked(front, issued)


def well_known(front: Front) -> Path:
    folder = front.root / ".well-known/acme-challenge"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def test_uacme(front: Front) -> None:
    place, name = front.place("uacme"), front.name()
    hook = executable(
        place / "hook.sh",
        f'#!/bin/sh\n[ "$1" = begin ] || exit 0\n[ "$2" = http-01 ] || exit 1\n'
        f'printf %s "$5" > {well_known(front)}/$4\n',
    )
    command = (program("uacme"), "-c", place / "c", "-a", front.directory)
    front.run(*command, "-e", ":".join(front.credential()), "-y", "new", MAIL)
    front.run(*command, "-h", hook, "issue", name)
    pem = place / "c" / name / "cert.pem"
    first = leaf(pem)
    front.run(*command, "-h", hook, "-f", "issue", name)
    assert (names_of(leaf(pem)), leaf(pem) != first) == ({name}, True)
    issued = leaf(pem)
    front.run(*command, "revoke", pem)
    assert revoked(front, issued)


def test_acme_tiny_and_the_library_of_certbot(front: Front) -> None:
    """acme-tiny knows no binding: the library registers its key first, and revokes what it got."""
    import josepy
    from acme import client, messages

    place, name = front.place("acme-tiny"), front.name()
    key, csr = place / "account.pem", place / "name.csr"
    openssl = program("openssl")
    front.run(openssl, "genrsa", "-traditional", "-out", key, "2048")
    front.run(
        openssl, "req", "-new", "-newkey", "rsa:2048", "-nodes", "-keyout", place / "name.pem", "-out", csr,
        "-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name}",
    )  # fmt: skip
    account = josepy.JWKRSA(key=load_pem_private_key(key.read_bytes(), None))
    net = client.ClientNetwork(account, user_agent="certdesk-tests")
    found = client.ClientV2(client.ClientV2.get_directory(front.directory, net), net)
    kid, mac = front.credential()
    binding = messages.ExternalAccountBinding.from_data(account.public_key(), kid, mac, found.directory)
    net.account = found.new_account(
        messages.NewRegistration.from_data(
            email=MAIL, terms_of_service_agreed=True, external_account_binding=binding
        )
    )
    tiny = (program("acme-tiny"), "--directory-url", front.directory, "--account-key", key)
    said = subprocess.run(
        [*map(str, tiny), "--csr", csr, "--acme-dir", well_known(front), "--disable-check", "--quiet"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert said.returncode == 0, said.stderr
    (place / "chain.pem").write_text(said.stdout)
    issued = leaf(place / "chain.pem")
    assert names_of(issued) == {name}
    found.revoke(issued, 0)
    assert revoked(front, issued)


def test_npm_acme_client_changes_its_key_and_revokes(front: Front) -> None:
    needs.need((NPM / "node_modules").is_dir(), "npm's acme-client is not installed")
    name, out = front.name(), front.place("npm") / "chain.pem"
    well_known(front)
    front.run(
        program("node"),
        NPM / "client.js",
        front.directory,
        *front.credential(),
        front.root,
        name,
        out,
        cwd=NPM,
    )
    assert names_of(leaf(out)) == {name}
    assert revoked(front, leaf(out))


def test_caddy(front: Front) -> None:
    place, name = front.place("caddy"), front.name()
    kid, key = front.credential()
    (place / "Caddyfile").write_text(
        f"{{\n admin off\n http_port {front.http}\n https_port {front.tls}\n storage file_system {place}/s\n"
        f" acme_ca {front.directory}\n acme_eab {{\n  key_id {kid}\n  mac_key {key}\n }}\n}}\n"
        f'{name} {{\n respond "hello"\n}}\n'
    )
    with serving(place, program("caddy"), "run", "--config", place / "Caddyfile"):
        found = f"**/{name}.crt"
        assert waited(lambda: any((place / "s").glob(found))), (place / "log").read_text()[-3000:]
        assert names_of(leaf(next((place / "s").glob(found)))) == {name}


def test_apache_mod_md(front: Front) -> None:
    place, name = front.place("apache"), front.name()
    server = program("apache2")
    needs.need((APACHE_MODULES / "mod_md.so").exists(), "mod_md is not installed")
    kid, key = front.credential()
    loaded = ("mpm_event", "authz_core", "ssl", "socache_shmcb", "md")
    modules = "".join(f"LoadModule {one}_module {APACHE_MODULES}/mod_{one}.so\n" for one in loaded)
    (place / "httpd.conf").write_text(
        f"{modules}ServerRoot {place}\nServerName localhost\nPidFile {place}/pid\n"
        f"Mutex file:{place} default\n"
        f"ErrorLog {place}/error.log\nListen 127.0.0.1:{front.http}\nListen 127.0.0.1:{front.tls} https\n"
        f"MDStoreDir {place}/md\nMDCertificateAuthority {front.directory}\nMDCertificateAgreement accepted\n"
        f"MDContactEmail {MAIL}\nMDExternalAccountBinding {kid} {key}\n"
        f"MDPortMap http:{front.http} https:{front.tls}\nMDRetryDelay 1s\nMDomain {name}\n"
        f"<VirtualHost *:{front.tls}>\nServerName {name}\nSSLEngine on\n</VirtualHost>\n"
    )
    staged = place / "md/staging" / name / "pubcert.pem"
    with serving(place, server, "-X", "-f", place / "httpd.conf"):
        assert waited(staged.exists), (place / "error.log").read_text()[-3000:]
        assert waited(lambda: re.search("END CERT", staged.read_text()) is not None)
    assert names_of(leaf(staged)) == {name}
