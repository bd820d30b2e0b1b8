"""The user commands against a running server: tables, --json, exit codes, files, waiting, completion."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from certdesk.foundation.common import clock
from certdesk.interfaces.cli.installation import Installation, free_port
from certdesk.interfaces.cli.remote import table, watching
from tests.support.uploads import World, key_of, key_pem, pem

ROOT = Path(__file__).resolve().parents[2]
Done = subprocess.CompletedProcess[str]
Command = Callable[..., Done]
BUY = [
    *("--cert-brand", "GEOTRUST", "--cert-type", "DV_SSL_CERT", "--domain-type", "SINGLE_DOMAIN"),
    *("--domain-numbers", "1", "--agree-privacy-protection"),
]


def certdesk(*command: str, stdin: str = "", **environment: str) -> Done:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("CERTDESK_")}
    return subprocess.run(
        [sys.executable, "-m", "certdesk", *command],
        env={**kept, "PYTHONPATH": str(ROOT / "src"), "COLUMNS": "80", **environment},
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def run(server: Installation, key: dict[str, str], secret_file: Path, tmp_path: Path) -> Command:
    """A command with a profile of its own; its secret stands in a file."""
    folder = tmp_path / "certdesk"
    folder.mkdir()
    (folder / "config.toml").write_text(
        f'default = "here"\n[profiles.here]\nendpoint = "{server.url}"\n'
        f'access_key = "{key["access_key"]}"\nsecret_key_file = "{secret_file}"\n'
        f'[profiles.nowhere]\nendpoint = "http://127.0.0.1:{free_port()}"\n'
        f'access_key = "x"\nsecret_key_file = "{secret_file}"\n',
        encoding="utf-8",
    )

    def call(*command: str, stdin: str = "", **environment: str) -> Done:
        return certdesk(*command, stdin=stdin, **{"XDG_CONFIG_HOME": str(tmp_path), **environment})

    return call


@pytest.mark.slow
def test_buying_paying_and_looking(run: Command) -> None:
    bought = run("orders", "buy", *BUY, "--json")
    assert bought.returncode == 0, bought.stderr
    order = json.loads(bought.stdout)["order_id"]
    paid = run("orders", "pay", order, "--idempotency-key", order, "--json")
    certificate_id = json.loads(paid.stdout)["cert_ids"][0]
    again = run("orders", "pay", order, "--idempotency-key", order, "--json")
    assert json.loads(again.stdout) == json.loads(paid.stdout)
    long = "a-very-long-name-" + "x" * 40
    assert run("certificates", "edit", certificate_id, "--name", long).returncode == 0
    listed = run("certificates", "list", "--status", "PAID")
    assert listed.stdout.split("\n")[0].split() == ["id", "status", "domain", "name", "expire", "time"]
    assert all(len(line) <= 80 for line in listed.stdout.splitlines())
    assert certificate_id in listed.stdout
    raw = json.loads(run("certificates", "list", "--status", "PAID", "--json").stdout)
    assert {row["status"] for row in raw["certificates"]} == {"PAID"}
    assert certificate_id in run("certificates", "search", "--content", long, "--all").stdout
    shown = run("certificates", "show", certificate_id)
    assert "next actor" in shown.stdout
    waited = run("certificates", "wait", certificate_id, "--timeout", "0")
    assert waited.returncode == 1
    assert "applicant must act: Submit the domain name" in waited.stderr
    notices = json.dumps([{"resource_id": certificate_id, "notice_type": ["CERT_EXPIRED"]}])
    assert run("notices", "disable", "--items", notices).stdout == "Done.\n"


@pytest.mark.slow
def test_every_page_and_the_next(run: Command) -> None:
    first = run("catalogue", "products", "--limit", "10")
    assert "There are more: --marker" in first.stdout
    every = json.loads(run("catalogue", "products", "--limit", "10", "--all", "--json").stdout)
    assert len(every["items"]) > 50
    assert every["next_marker"] is None
    rows = json.loads(run("certificates", "list", "--limit", "10", "--all", "--json").stdout)
    ids = [row["id"] for row in rows["certificates"]]
    assert len(ids) == len(set(ids)) == rows["total_count"]
    behind = json.loads(
        run("certificates", "list", "--limit", "10", "--offset", "1", "--all", "--json").stdout
    )
    assert [row["id"] for row in behind["certificates"]] == ids[1:]
    assert run("campaigns", "list").stdout == "Nothing found.\n"


@pytest.mark.slow
def test_files_come_and_go(run: Command, tmp_path: Path) -> None:
    output = tmp_path / "orders.csv"
    output.touch(0o644)
    assert run("orders", "export", "--output", str(output)).returncode == 0
    assert output.read_bytes().count(b",") > 3
    assert output.stat().st_mode & 0o077 == 0
    exported = run("certificates", "export-json", "--output", str(tmp_path / "all.json"))
    assert exported.returncode == 0, exported.stderr
    assert isinstance(json.loads((tmp_path / "all.json").read_bytes()), list)
    refused = run("orders", "export", "--output", str(tmp_path / "none" / "x"))
    assert (refused.returncode, "Choose --output" in refused.stderr) == (2, True)
    options = {
        "server": "127.0.0.1",
        "zones": ["a.test"],
        "key_name": "k.",
        "key_secret": "c2VjcmV0LXNlY3JldA==",
    }
    made = run(
        "dns-connections",
        "create",
        "--provider",
        "rfc2136",
        "--options-file",
        "-",
        "--json",
        stdin=json.dumps(options),
    )
    assert made.returncode == 0, made.stderr
    connection = json.loads(made.stdout)["id"]
    assert "***" in run("dns-connections", "show", connection).stdout
    assert run("dns-connections", "delete", connection, "--force").stdout == "Done.\n"


@pytest.mark.slow
def test_exit_codes_and_sentences(run: Command) -> None:
    missing = run("certificates", "show", "scs0000000000000")
    assert missing.returncode == 1
    assert missing.stdout == ""
    assert missing.stderr.startswith("certdesk: ")
    assert "There is no certificate scs0000000000000. Check the id" in missing.stderr
    assert "Request id: " in missing.stderr
    assert missing.stderr.count("\n") == 1
    wrong = run("certificates", "list", "--status", "NONSENSE")
    assert (wrong.returncode, "ISSUED" in wrong.stderr) == (2, True)
    assert run("certificates", "show").returncode == 2
    assert run("certificates", "nonsense").returncode == 2
    assert run("policies", "create", "--policy", "{").returncode == 2
    nobody = run("balance", "show", "--profile", "nowhere")
    assert (nobody.returncode, "Check the endpoint" in nobody.stderr) == (1, True)
    unknown = run("balance", "show", "--profile", "other")
    assert (unknown.returncode, "[profiles.other]" in unknown.stderr) == (2, True)
    alone = certdesk("balance", "show", XDG_CONFIG_HOME="/nonexistent")
    assert (alone.returncode, "CERTDESK_CLIENT_ACCESS_KEY" in alone.stderr) == (2, True)


@pytest.mark.slow
def test_the_environment_goes_before_the_profile(run: Command, tmp_path: Path) -> None:
    refused = run("balance", "show", CERTDESK_CLIENT_ENDPOINT=f"http://127.0.0.1:{free_port()}")
    assert refused.returncode == 1
    open_file = tmp_path / "open"
    open_file.write_text("secret", encoding="ascii")
    open_file.chmod(0o644)
    refused = run("balance", "show", CERTDESK_CLIENT_SECRET_KEY_FILE=str(open_file))
    assert (refused.returncode, f"chmod 600 {open_file}" in refused.stderr) == (2, True)


def test_secrets_are_never_given_on_the_command_line() -> None:
    for chapter in table.chapters():
        for one in table.of_chapter(chapter).values():
            for spec in one.specs:
                secret = spec.kind == "secret" or spec.wire in ("private_key", "enc_private_key", "auth")
                assert spec.by_file or not secret, (one.name, spec.wire)


@pytest.mark.slow
def test_operator_and_user_commands_share_a_name() -> None:
    shown = certdesk("audit", "--help").stdout
    assert "verify" in shown
    assert "check" in certdesk("catalogue", "--help").stdout
    assert "products" in certdesk("catalogue", "--help").stdout
    assert certdesk("catalogue", "price", "--help").returncode == 0


@pytest.mark.slow
def test_help_reads_no_server() -> None:
    code = (
        "import sys\nsys.argv = ['certdesk', 'certificates', 'list', '--help']\n"
        "from certdesk.interfaces.cli.main import main\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "print([name for name in sys.modules if name.partition('.')[0] in ('django', 'httpx')])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": str(ROOT / "src")},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip().splitlines()[-1] == "[]"


def complete(tmp_path: Path, line: str) -> list[str]:
    """What bash would offer for the line, through the script that `completion bash` prints."""
    program = tmp_path / "bin" / "certdesk"
    program.parent.mkdir(exist_ok=True)
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m certdesk "$@"\n', encoding="ascii")
    program.chmod(0o755)
    script = tmp_path / "completion.sh"
    script.write_text(certdesk("completion", "bash").stdout, encoding="utf-8")
    words = line.split(" ")
    shell = (
        f"source {script}\nCOMP_WORDS=({' '.join(map(repr, words))})\nCOMP_CWORD={len(words) - 1}\n"
        "function=$(complete -p certdesk | sed 's/.*-F \\([^ ]*\\).*/\\1/')\n"
        '"$function" certdesk\nprintf "%s\\n" "${COMPREPLY[@]}"\n'
    )
    done = subprocess.run(
        ["bash", "-c", shell],
        env={"PATH": f"{program.parent}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT / "src")},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout.split()


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not installed")
@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("certdesk certif", {"certificates"}),
        ("certdesk certificates dom", {"domain-verification"}),
        ("certdesk certificates list --stat", {"--status"}),
        ("certdesk certificates list --status IS", {"ISSUING", "ISSUED"}),
        ("certdesk up nothing-", set()),
    ],
)
def test_bash_completes(tmp_path: Path, line: str, offered: set[str]) -> None:
    assert set(complete(tmp_path, line)) == offered


@pytest.mark.slow
@pytest.mark.parametrize(("shell", "word"), [("zsh", "#compdef certdesk"), ("fish", "--command certdesk")])
def test_scripts_for_other_shells(shell: str, word: str) -> None:
    assert word in certdesk("completion", shell).stdout


def test_the_table_is_that_of_the_registry() -> None:
    from certdesk.interfaces.operations.index import OPERATIONS

    names = {one.name for chapter in table.chapters() for one in table.of_chapter(chapter).values()}
    assert names == {name for name, one in OPERATIONS.items() if not one.later}


@pytest.mark.slow
def test_a_folder_is_hosted_and_a_repeat_takes_what_is_missing(run: Command, tmp_path: Path) -> None:
    # rule: UPL-7
    world, folder = World(clock.real_now()), tmp_path / "certificates"
    folder.mkdir()
    chain = pem(world.issuing) + pem(world.root)
    for number in range(3):
        leaf = world.leaf((f"folder{number}.example.com",), serial=number + 1)
        (folder / f"shop-{number}.crt").write_text(pem(leaf) + chain)
        (folder / f"shop-{number}.key").write_text(key_pem(world.leaf_key))
    (folder / "shop-1.key").write_text(key_pem(key_of(99)))
    first = run("certificates", "import-folder", str(folder))
    assert first.returncode == 1, first.stderr
    assert [line.split()[:2] for line in first.stdout.splitlines()] == [
        ["hosted", "shop-0.crt"],
        ["refused", "shop-1.crt"],
        ["hosted", "shop-2.crt"],
        ["2", "hosted,"],
    ]
    assert "does not match the private key" in first.stdout
    (folder / "shop-1.key").write_text(key_pem(world.leaf_key))
    again = json.loads(run("certificates", "import-folder", str(folder), "--json").stdout)
    assert (again["hosted"], again["there"], again["refused"]) == (1, 2, 0)
    shown = run("certificates", "show", again["lines"][1]["certificate_id"], "--json")
    assert json.loads(shown.stdout)["domain"] == "folder1.example.com"
    nowhere = run("certificates", "import-folder", str(folder / "none"))
    assert (nowhere.returncode, "Check the path" in nowhere.stderr) == (2, True)
    unheard = run("certificates", "import-folder", str(folder), "--profile", "nowhere")
    assert (unheard.returncode, "run it again" in unheard.stderr) == (1, True)
    other = run("certificates", "import-folder", str(folder), "--profile", "other")
    assert other.returncode == 2


@pytest.mark.slow
def test_files_are_watched_without_their_keys(run: Command, tmp_path: Path) -> None:
    world, folder = World(clock.real_now()), tmp_path / "elsewhere"
    (folder / "deep").mkdir(parents=True)
    leaves = [world.leaf((f"watched{number}.example.com",), serial=number + 1) for number in range(5)]
    over = world.leaf(("over.example.com",), since=timedelta(days=9), until=timedelta(days=-1))
    (folder / "some.pem").write_text(key_pem(world.leaf_key) + "".join(map(pem, [*leaves[:3], over])))
    (folder / "deep" / "one.der").write_bytes(leaves[3].public_bytes(Encoding.DER))
    (folder / "deep" / "ca.crt").write_text(pem(world.issuing) + pem(world.root))
    (folder / "server.pem").write_text(key_pem(world.leaf_key))
    (folder / "notes.txt").write_text("nothing that is read")
    (folder / "empty.crt").write_text("nothing")
    alone = tmp_path / "inventory.txt"
    alone.write_text(pem(leaves[4]) + pem(leaves[0]))
    first = run("certificates", "watch-files", str(folder), str(alone))
    assert first.returncode == 1, first.stderr
    assert [line.split("  ")[:2] for line in first.stdout.splitlines()] == [
        ["refused", "empty.crt"],
        ["refused", "some.pem over.example.com"],
        ["5 watched, 0 were there already, 2 refused."],
    ]
    assert "expired on" in first.stdout
    again = json.loads(run("certificates", "watch-files", str(alone), "--json").stdout)
    assert (again["watched"], again["there"], again["refused"]) == (0, 2, 0)
    made = again["lines"][0]["certificate_id"]
    exported = json.loads(run("certificates", "export", made, "--json").stdout)
    assert exported["certificate_chain"] == pem(world.issuing) + pem(world.root)
    assert exported["private_key"] == ""
    nowhere = run("certificates", "watch-files", str(folder / "none"))
    assert (nowhere.returncode, "Check the path" in nowhere.stderr) == (2, True)


def test_parts_have_room_for_the_cas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "MOST", 4)
    monkeypatch.setattr(watching, "MOST_BYTES", 100)
    found = [watching.Found(f"file {number}", "x" * 20) for number in range(5)]
    assert [len(part) for part in watching._parts(found, [])] == [4, 1]
    assert [len(part) for part in watching._parts(found, ["y", "y"])] == [2, 2, 1]
    assert [len(part) for part in watching._parts(found, ["y" * 60])] == [2, 2, 1]
    assert [len(part) for part in watching._parts(found, ["y" * 100])] == [1, 1, 1, 1, 1]
