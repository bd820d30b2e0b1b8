"""Host commands as an operator runs them: one process each, exit status and plain sentences."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow


def certdesk(folder: Path, *command: str, **settings: str) -> "subprocess.CompletedProcess[str]":
    kept = {name: value for name, value in os.environ.items() if not name.startswith("CERTDESK_")}
    environment = kept | {"PYTHONPATH": "src", "CERTDESK_DATA": str(folder / "data")}
    environment |= {f"CERTDESK_{name.upper()}": value for name, value in settings.items()}
    run = [sys.executable, "-m", "certdesk", *command]
    return subprocess.run(run, env=environment, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An installation with one account, made by `init`."""
    folder = tmp_path_factory.mktemp("home")
    (folder / "password").write_text("correct horse battery\nsecond line\n", encoding="utf-8")
    command = ["init", "--account", "acme", "--admin", "alice", "--password-file", str(folder / "password")]
    done = certdesk(folder, *command, "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["account"] == "acme"
    return folder


def test_init_makes_what_an_installation_needs(home: Path) -> None:
    assert (home / "data" / "certdesk.sqlite3").exists()
    for secret in ("data.kek", "data.session"):
        assert (home / secret).stat().st_mode & 0o777 == 0o600
    assert (home / "data").stat().st_mode & 0o777 == 0o700


def test_init_twice_is_refused_and_changes_nothing(home: Path) -> None:
    command = ["init", "--account", "acme", "--admin", "bob", "--password-file", str(home / "password")]
    done = certdesk(home, *command)
    assert done.returncode == 2
    assert "acme" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_folder_without_an_installation_says_what_makes_one(tmp_path: Path) -> None:
    done = certdesk(tmp_path, "access-key", "create", "--user", "alice")
    assert done.returncode == 2
    assert "./certdesk init" in done.stderr
    assert "Traceback" not in done.stderr


def test_people_money_and_keys(home: Path) -> None:
    password = str(home / "password")
    command = ["user", "create", "--account", "acme", "--name", "bob", "--password-file", password]
    assert certdesk(home, *command, "--groups", "users", "--json").returncode == 0
    again = certdesk(home, *command)
    assert again.returncode == 2
    assert "bob" in again.stderr
    credited = certdesk(home, "account", "credit", "--account", "acme", "--amount", "1000.50", "--json")
    assert json.loads(credited.stdout) == {"account": "acme", "cash": "1000.50", "currency": "CNY"}
    none = certdesk(home, "user", "reset-second-factor", "--name", "bob")
    assert (none.returncode, "has no second factor" in none.stderr) == (2, True)
    key = json.loads(certdesk(home, "access-key", "create", "--user", "alice", "--json").stdout)
    assert set(key) == {"access_key", "secret_key"}


# rule: IAM-7
def test_access_keys_are_switched_off_and_on(home: Path) -> None:
    made = json.loads(certdesk(home, "access-key", "create", "--user", "alice", "--json").stdout)
    access_key = made["access_key"]

    def enabled(*command: str) -> bool:
        listed = json.loads(certdesk(home, "access-key", "list", *command, "--json").stdout)["access_keys"]
        assert made["secret_key"] not in str(listed)
        return bool({one["access_key"]: one["enabled"] for one in listed}[access_key])

    assert enabled()
    done = json.loads(certdesk(home, "access-key", "disable", access_key, "--json").stdout)
    assert done == {"access_key": access_key, "enabled": False}
    assert not enabled("--user", "alice")
    assert access_key in certdesk(home, "access-key", "list").stdout
    assert certdesk(home, "access-key", "enable", access_key).returncode == 0
    assert enabled()
    missing = certdesk(home, "access-key", "disable", "NONE")
    assert (missing.returncode, "no access key NONE" in missing.stderr) == (2, True)


def test_vouchers_and_coupons_are_granted(home: Path) -> None:
    given = ["account", "voucher", "--amount", "50", "--expires", "2099-12-31", "--note", "Welcome", "--json"]
    voucher = json.loads(certdesk(home, *given).stdout)
    assert (voucher["account"], voucher["amount"], voucher["currency"]) == ("acme", "50.00", "CNY")
    for kind in (["--percent", "10"], ["--amount", "5", "--minimum", "100"]):
        code = f"code-{kind[1]}"
        coupon = certdesk(
            home, "account", "coupon", "--code", code, "--expires", "2099-12-31", *kind, "--json"
        )
        assert json.loads(coupon.stdout)["code"] == code.upper()
    again = certdesk(
        home, "account", "coupon", "--code", "code-10", "--expires", "2099-12-31", "--percent", "5"
    )
    assert (again.returncode, "CODE-10 already" in again.stderr) == (2, True)


def test_a_catalogue_is_checked_before_it_is_used(home: Path) -> None:
    good = certdesk(home, "catalogue", "check", "--json")
    answer = json.loads(good.stdout)
    assert (good.returncode, answer["problems"], answer["products"], answer["findings"]) == (0, 0, 97, [])
    text = Path("src/certdesk/lifecycle/catalogue/default.toml").read_text(encoding="utf-8")
    bad = home / "bad.toml"
    bad.write_text(text.replace("reissue_days = 5\n", "reissue_days = 500\n"), encoding="utf-8")
    done = certdesk(home, "catalogue", "check", str(bad))
    line = bad.read_text(encoding="utf-8").splitlines().index("reissue_days = 500") + 1
    assert done.returncode == 1
    assert f"problem: line {line}, brands.GLOBALSIGN.reissue_days:" in done.stdout
    days = home / "days.toml"
    days.write_text("[regions.china]\n", encoding="utf-8")
    wrong = certdesk(home, "catalogue", "check", working_days=str(days))
    assert (wrong.returncode, "region default is needed" in wrong.stdout) == (1, True)
    empty = certdesk(home / "nowhere", "catalogue", "check")
    assert (empty.returncode, "no database yet" in empty.stdout) == (0, True)


# rule: APP-14
def test_the_operator_sets_who_stands_behind_an_account(home: Path) -> None:
    def flags(*options: str) -> dict[str, object]:
        found = json.loads(certdesk(home, "account", "flags", *options, "--json").stdout)
        return {name: found[name] for name in ("real_name_verified", "special_enterprise")}

    assert flags() == {"real_name_verified": True, "special_enterprise": False}
    assert flags("--no-real-name") == {"real_name_verified": False, "special_enterprise": False}
    assert flags("--special-enterprise")["real_name_verified"] is False
    assert flags("--real-name", "--no-special-enterprise") == flags()


@pytest.mark.parametrize(
    ("command", "fragment"),
    [
        (["account", "credit", "--amount", "12.345"], "12.345"),
        (["account", "credit", "--amount", "-1"], "above 0"),
        (["account", "credit", "--amount", "1", "--account", "nobody"], "no account 'nobody'"),
        (["access-key", "create", "--user", "nobody"], "no user 'nobody'"),
        (["user", "create", "--name", "x y", "--password-file", "/nowhere"], "cannot be read"),
        (["lab", "ca", "--port", "0", "--resolver", "nobody"], "ip:port"),
    ],
)
def test_wrong_use_ends_with_status_2_and_one_sentence(home: Path, command: list[str], fragment: str) -> None:
    done = certdesk(home, *command)
    assert done.returncode == 2
    assert fragment in done.stderr
    assert "Traceback" not in done.stderr


def test_what_looks_finds_nothing_wrong(home: Path) -> None:
    doctor = certdesk(home, "doctor", "--json")
    assert doctor.returncode == 0, doctor.stdout
    assert json.loads(doctor.stdout)["problems"] == 0
    verified = certdesk(home, "verify-issued", "--json")
    assert (verified.returncode, json.loads(verified.stdout)["problems"]) == (0, [])
    audited = certdesk(home, "audit", "verify", "--json")
    assert (audited.returncode, json.loads(audited.stdout)["problems"]) == (0, [])


def test_the_key_encryption_key_rotates(home: Path) -> None:
    report = json.loads(certdesk(home, "key", "rotate", "--json").stdout)
    assert report["remaining"] == 0
    assert report["rewrapped"] > 0
    assert certdesk(home, "doctor").returncode == 0


def test_doctor_names_a_key_file_that_others_can_read(home: Path) -> None:
    (home / "data.kek").chmod(0o644)
    try:
        done = certdesk(home, "doctor", "--json")
        assert done.returncode == 1
        assert "chmod 600" in done.stdout
    finally:
        (home / "data.kek").chmod(0o600)


def test_a_lost_key_file_stops_the_start(home: Path, tmp_path: Path) -> None:
    done = certdesk(home, "migrate", kek_file=str(tmp_path / "another.kek"))
    assert done.returncode == 2
    assert "KEK" in done.stderr


def test_the_roots_are_printed_for_trust_stores(home: Path) -> None:
    done = certdesk(home, "ca", "root")
    assert done.returncode == 0
    assert done.stdout.count("BEGIN CERTIFICATE") >= 2


# rule: TIM-2
def test_a_moved_clock_is_refused_for_an_issuer_that_others_trust(home: Path, tmp_path: Path) -> None:
    shipped = Path("src/certdesk/lifecycle/catalogue/default.toml").read_text(encoding="utf-8")
    other = shipped.replace("[issuers.builtin]", '[issuers.public-ca]\ntitle = "A public CA"\n'
                            'profile = "public"\n\n[issuers.builtin]', 1)  # fmt: skip
    other = other.replace('issuer = "builtin"', 'issuer = "public-ca"', 1)
    (tmp_path / "catalogue.toml").write_text(other, encoding="utf-8")
    (tmp_path / "clock").write_text("86400", encoding="ascii")
    moved = {"lab": "1", "lab_clock": str(tmp_path / "clock")}
    assert certdesk(home, "doctor", **moved).returncode == 0
    done = certdesk(home, "doctor", **moved, catalogue=str(tmp_path / "catalogue.toml"))
    assert done.returncode == 2
    assert "public-ca" in done.stderr


def test_generated_pages_are_in_step(home: Path) -> None:
    done = certdesk(home, "docs", "--check")
    assert done.returncode == 0, done.stdout
