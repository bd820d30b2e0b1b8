"""`certdesk ca experiment` in a folder, without an installation."""

import json
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key
from typer.testing import CliRunner, Result

from certdesk.interfaces.cli import experiment as command
from certdesk.interfaces.cli.main import app
from certdesk.pki.authority import experiment

PHRASE = "four words of a phrase"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "phrase").write_text(PHRASE + "\n")
    return tmp_path / "lab"


def run(folder: Path, *more: str) -> Result:
    phrase = str(folder.parent / "phrase")
    how = ["--folder", str(folder), "--passphrase-file", phrase, "--json"]
    return CliRunner().invoke(app, ["ca", "experiment", *how, *more])


def test_a_hierarchy_is_made_once_and_then_used(folder: Path) -> None:
    made = json.loads(run(folder, "--name", "*.example.com").stdout)
    assert (made["experimental"], made["certificates"]) == (True, ["leaf-_.example.com.pem"])
    root = (folder / command.ROOT).read_bytes()
    assert root.startswith(b"EXPERIMENTAL")
    assert b"ENCRYPTED" in (folder / command.ROOT_KEY).read_bytes()
    key = experiment.generate()
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    (folder / "own.csr").write_bytes(builder.sign(key, None).public_bytes(Encoding.PEM))
    assert run(folder, "--name", "own.example.com", "--csr", str(folder / "own.csr")).exit_code == 0
    assert (folder / command.ROOT).read_bytes() == root
    leaf, issuing = x509.load_pem_x509_certificates((folder / "leaf-own.example.com.pem").read_bytes())
    leaf.verify_directly_issued_by(issuing)
    issuing.verify_directly_issued_by(x509.load_pem_x509_certificate(root))
    assert leaf.public_key() == key.public_key()
    assert not (folder / "leaf-own.example.com-key.pem").exists()
    first = load_pem_private_key((folder / "leaf-_.example.com-key.pem").read_bytes(), None)
    made_leaf = x509.load_pem_x509_certificate((folder / "leaf-_.example.com.pem").read_bytes())
    assert made_leaf.public_key() == first.public_key()
    assert (folder / "leaf-_.example.com-key.pem").stat().st_mode & 0o077 == 0


def test_public_profiles_wrong_passphrases_and_lost_files_are_refused(folder: Path) -> None:
    assert "no public profile" in str(run(folder, "--profile", "public").exception)
    assert not folder.exists()
    assert run(folder).exit_code == 0
    missing = run(folder, "--name", "a.example.com", "--csr", str(folder / "none"))
    assert "cannot be read" in str(missing.exception)
    (folder.parent / "phrase").write_text("another phrase\n")
    assert "does not open" in str(run(folder, "--name", "a.example.com").exception)
