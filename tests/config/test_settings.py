"""Settings: environment over file over defaults; unknown or impossible values refuse to start."""

from ipaddress import ip_network
from pathlib import Path

import pytest

from certdesk.config.settings import SettingsRefused, load


def test_defaults_are_on_loopback() -> None:
    settings = load({})
    assert (settings.http, settings.https) == ("127.0.0.1:8080", "127.0.0.1:8443")
    assert settings.base_url == "http://127.0.0.1:8080"
    assert settings.pki_base_url == "http://127.0.0.1:8080"
    assert settings.kek_path == Path("data.kek")


def test_environment_wins_over_the_file(tmp_path: Path) -> None:
    file = tmp_path / "certdesk.toml"
    file.write_text('http = "127.0.0.1:9000"\nworkers = 3\n', encoding="utf-8")
    settings = load({"CERTDESK_SETTINGS": str(file), "CERTDESK_HTTP": "127.0.0.1:9001"})
    assert (settings.http, settings.workers) == ("127.0.0.1:9001", 3)


def test_lists_are_comma_separated() -> None:
    settings = load(
        {
            "CERTDESK_DNS_RESOLVERS": "127.0.0.1:53, 127.0.0.1:54",
            "CERTDESK_ALLOW_NETWORKS": "10.0.0.0/8,fd00::/8",
            "CERTDESK_VALIDATION_HTTP_PORTS": "8080",
        }
    )
    assert settings.dns_resolvers == ("127.0.0.1:53", "127.0.0.1:54")
    assert settings.allow_networks == (ip_network("10.0.0.0/8"), ip_network("fd00::/8"))
    assert settings.validation_http_ports == (8080,)


@pytest.mark.parametrize(
    ("variables", "fragment"),
    [
        ({"CERTDESK_DATABSE_URL": "x"}, "Unknown setting CERTDESK_DATABSE_URL"),
        ({"CERTDESK_HTTP": "8080"}, "not host:port"),
        ({"CERTDESK_HTTP": "127.0.0.1:70000"}, "not host:port"),
        ({"CERTDESK_HTTPS": "127.0.0.1:x"}, "not host:port"),
        ({"CERTDESK_HTTP": "", "CERTDESK_HTTPS": ""}, "nothing would listen"),
        ({"CERTDESK_WORKERS": "-1"}, "CERTDESK_WORKERS"),
        ({"CERTDESK_WORKERS": "many"}, "CERTDESK_WORKERS"),
        ({"CERTDESK_LAB": "perhaps"}, "CERTDESK_LAB"),
        ({"CERTDESK_LAB_CLOCK": "/tmp/clock"}, "needs CERTDESK_LAB=1"),
        ({"CERTDESK_DATABASE_URL": "mysql://x"}, "postgresql://"),
        ({"CERTDESK_EXTERNAL_URL": "ftp://x"}, "http:// or https://"),
        ({"CERTDESK_PKI_URL": "https://x"}, "http://"),
        ({"CERTDESK_SMTP_URL": "mail.example.com"}, "smtp://"),
        ({"CERTDESK_DNS_RESOLVERS": "127.0.0.1"}, "not host:port"),
        ({"CERTDESK_ALLOW_NETWORKS": "10.0.0.1/8"}, "CERTDESK_ALLOW_NETWORKS"),
        ({"CERTDESK_VALIDATION_HTTP_PORTS": "0"}, "CERTDESK_VALIDATION_HTTP_PORTS"),
        ({"CERTDESK_LOG_LEVEL": "loud"}, "CERTDESK_LOG_LEVEL"),
        ({"CERTDESK_SETTINGS": "/nowhere/certdesk.toml"}, "cannot be read"),
    ],
)
def test_an_unknown_or_impossible_value_refuses_to_start(variables: dict[str, str], fragment: str) -> None:
    with pytest.raises(SettingsRefused, match=fragment):
        load(variables)


def test_an_unknown_name_in_the_file_refuses_to_start(tmp_path: Path) -> None:
    file = tmp_path / "certdesk.toml"
    file.write_text('htpp = "127.0.0.1:9000"\n', encoding="utf-8")
    with pytest.raises(SettingsRefused, match="unknown setting htpp"):
        load({"CERTDESK_SETTINGS": str(file)})


def test_a_file_that_is_no_toml_refuses_to_start(tmp_path: Path) -> None:
    file = tmp_path / "certdesk.toml"
    file.write_text("http: 1\n", encoding="utf-8")
    with pytest.raises(SettingsRefused, match="cannot be read"):
        load({"CERTDESK_SETTINGS": str(file)})


def key(folder: Path, mode: int = 0o600, length: int = 32) -> str:
    path = folder / "perspective.key"
    path.write_text("k" * length + "\n", encoding="ascii")
    path.chmod(mode)
    return str(path)


EAST = "east=https://east.example:8790"


def test_perspectives_with_their_key_are_taken(tmp_path: Path) -> None:
    both = f"{EAST},west-1=http://192.0.2.1:8790/"
    loaded = load({"CERTDESK_PERSPECTIVES": both, "CERTDESK_PERSPECTIVE_KEY_FILE": key(tmp_path)})
    assert loaded.perspectives == (EAST, "west-1=http://192.0.2.1:8790/")
    assert load({}).perspectives == ()


@pytest.mark.parametrize(
    ("listed", "told"),
    [
        ("east.example:8790", "is not name=http"),
        ("East=https://east.example", "is not name=http"),
        ("1east=https://east.example", "is not name=http"),
        ("east=ftp://east.example", "is not name=http"),
        ("east=https://east.example/path", "is not name=http"),
        ("east=https://user@east.example", "is not name=http"),
        ("east=https://east.example?x", "is not name=http"),
        (f"{'e' * 32}=https://east.example", "is not name=http"),
        (f"{EAST},east=https://other.example", "a name of its own"),
        ("local=https://east.example", "not local or quorum"),
        ("quorum=https://east.example", "not local or quorum"),
    ],
)
def test_a_bad_list_of_perspectives_is_refused(tmp_path: Path, listed: str, told: str) -> None:
    with pytest.raises(SettingsRefused, match=told):
        load({"CERTDESK_PERSPECTIVES": listed, "CERTDESK_PERSPECTIVE_KEY_FILE": key(tmp_path)})


def test_a_token_is_named_by_library_label_and_pin_file_together(tmp_path: Path) -> None:
    library, pin = tmp_path / "library.so", tmp_path / "pin"
    library.touch()
    pin.touch(mode=0o600)
    whole = {
        "CERTDESK_PKCS11_MODULE": str(library),
        "CERTDESK_PKCS11_TOKEN": "ca",
        "CERTDESK_PKCS11_PIN_FILE": str(pin),
    }
    assert load(whole).pkcs11_module == library
    for name in whole:
        with pytest.raises(SettingsRefused, match="belong together"):
            load({**whole, name: ""})
    with pytest.raises(SettingsRefused, match="is no file"):
        load({**whole, "CERTDESK_PKCS11_MODULE": str(tmp_path)})
    with pytest.raises(SettingsRefused, match="No such file"):
        load({**whole, "CERTDESK_PKCS11_PIN_FILE": str(tmp_path / "nowhere")})
    pin.chmod(0o640)
    with pytest.raises(SettingsRefused, match="mode 0600"):
        load(whole)


def test_a_missing_loose_or_short_key_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsRefused, match="needs CERTDESK_PERSPECTIVE_KEY_FILE"):
        load({"CERTDESK_PERSPECTIVES": EAST})
    refused = {
        str(tmp_path / "nowhere"): "No such file",
        key(tmp_path, mode=0o640): "mode 0600",
        str(tmp_path): "Is a directory",
    }
    for path, told in refused.items():
        with pytest.raises(SettingsRefused, match=told):
            load({"CERTDESK_PERSPECTIVES": EAST, "CERTDESK_PERSPECTIVE_KEY_FILE": path})
    with pytest.raises(SettingsRefused, match="32 characters"):
        load({"CERTDESK_PERSPECTIVES": EAST, "CERTDESK_PERSPECTIVE_KEY_FILE": key(tmp_path, length=31)})


@pytest.mark.parametrize(
    "address", ["2525", "127.0.0.1", "127.0.0.1:0", "127.0.0.1:x", ":2525", "127.0.0.1:65536"]
)
def test_a_reply_listener_is_host_and_port(address: str) -> None:
    with pytest.raises(SettingsRefused, match="CERTDESK_MAIL_LISTENER"):
        load({"CERTDESK_MAIL_LISTENER": address})
    assert load({"CERTDESK_MAIL_LISTENER": "127.0.0.1:2525"}).mail_listener == "127.0.0.1:2525"
    assert load({"CERTDESK_MAIL_LISTENER": ""}).mail_listener == ""


def test_folders_of_targets_are_absolute_and_deep(tmp_path: Path) -> None:
    assert load({"CERTDESK_TARGET_FOLDERS": f"{tmp_path},/etc/haproxy/certs"}).target_folders[0] == tmp_path
    for text in ("certs", "/", "/etc"):
        with pytest.raises(SettingsRefused, match="TARGET_FOLDERS"):
            load({"CERTDESK_TARGET_FOLDERS": text})


def test_programs_of_targets_are_absolute_and_deep() -> None:
    assert load({"CERTDESK_TARGET_PROGRAMS": "/opt/reload,/usr/sbin/nginx"}).target_programs == (
        Path("/opt/reload"),
        Path("/usr/sbin/nginx"),
    )
    for text in ("nginx", "/", "/bin"):
        with pytest.raises(SettingsRefused, match="TARGET_PROGRAMS"):
            load({"CERTDESK_TARGET_PROGRAMS": text})
