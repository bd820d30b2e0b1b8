"""One command over SSH by the OpenSSH client of this machine: a pinned host key, and nothing of a user's.

Keys lie in memory (`/dev/shm`) while a command runs, in a folder that only this process's user may enter.
"""

import base64
import hashlib
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from certdesk.connectors import probe
from certdesk.connectors.protocol import ConnectorError
from certdesk.connectors.targets import calling, running
from certdesk.connectors.targets.options import Outside
from certdesk.connectors.targets.protocol import Reason, TargetError

PORTS = frozenset({22})
CONNECT_SECONDS = 5
ALIAS = "pinned"
_FAILED = 255
"""Exit status of the client when it did not come to the command."""
_CONFIG = """Host {alias}
HostName {address}
Port {port}
User {user}
IdentityFile {folder}/key
UserKnownHostsFile {folder}/known
GlobalKnownHostsFile /dev/null
HostKeyAlias {alias}
StrictHostKeyChecking yes
CheckHostIP no
UpdateHostKeys no
VerifyHostKeyDNS no
IdentitiesOnly yes
IdentityAgent none
BatchMode yes
PreferredAuthentications publickey
ClearAllForwardings yes
ForwardAgent no
ForwardX11 no
ControlMaster no
ControlPath none
ProxyCommand none
PermitLocalCommand no
CanonicalizeHostname no
RequestTTY no
ConnectTimeout {seconds}
ConnectionAttempts 1
LogLevel ERROR
"""


@dataclass(frozen=True, slots=True)
class Login:
    """Who and where. `pin`: `SHA256:…` of the host's key, empty before it was confirmed."""

    host: str
    port: int
    user: str
    pin: str
    key: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class HostKey:
    """A key that a host shows; `line` is as in a known_hosts file, without the name."""

    kind: str
    line: str

    @property
    def fingerprint(self) -> str:
        raw = hashlib.sha256(base64.b64decode(self.line.split()[1])).digest()
        return "SHA256:" + base64.b64encode(raw).decode().rstrip("=")


async def run(login: Login, outside: Outside, command: str, given: bytes) -> str:
    """What the command wrote.

    Raises:
        TargetError: NOT_ALLOWED (address, host key or login), UNREACHABLE, TIMEOUT, REFUSED.
    """
    address = await _address(login, outside)
    pinned = _pinned(login, await host_keys(login, outside, address))
    with _folder() as folder:
        _write(folder / "key", f"{login.key.strip()}\n")
        _write(folder / "known", f"{ALIAS} {pinned.line}\n")
        told = _CONFIG.format(
            alias=ALIAS,
            address=address,
            port=login.port,
            user=login.user,
            folder=folder,
            seconds=CONNECT_SECONDS,
        )
        _write(folder / "config", told)
        arguments = [_program("ssh"), "-F", str(folder / "config"), ALIAS, command]
        ran = await running.run(_with_programs(outside), arguments, stdin=given, secrets=[login.key])
    if ran.status == _FAILED:
        raise _failure(login, ran.told)
    return ran.output


async def host_keys(login: Login, outside: Outside, address: str = "") -> tuple[HostKey, ...]:
    """The keys that the host shows now; whether they are its own somebody has to say.

    Raises:
        TargetError: as `run`.
    """
    address = address or await _address(login, outside)
    arguments = ["-p", str(login.port), "-T", str(CONNECT_SECONDS), "-t", "ed25519,ecdsa,rsa", address]
    ran = await running.run(_with_programs(outside), [_program("ssh-keyscan"), *arguments])
    found = re.findall(r"^\S+ ((?:ssh|ecdsa)-\S+) (\S+)$", ran.output, re.M)
    if not found:
        raise TargetError(
            Reason.UNREACHABLE,
            f"No SSH server answered at {login.host}:{login.port}.",
            "Check host, port and firewall.",
        )
    return tuple(HostKey(kind, f"{kind} {text}") for kind, text in sorted(found))


def _pinned(login: Login, shown: tuple[HostKey, ...]) -> HostKey:
    for one in shown:
        if one.fingerprint == login.pin:
            return one
    seen = ", ".join(f"{one.fingerprint} ({one.kind})" for one in shown)
    if not login.pin:
        raise TargetError(
            Reason.NOT_ALLOWED,
            f"The host key of {login.host} is not confirmed yet. It shows {seen}.",
            "Compare it on the host: ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub; then enter it.",
            field="host_key",
        )
    raise TargetError(
        Reason.NOT_ALLOWED,
        f"{login.host} shows another host key than the pinned one: {seen}.",
        "Somebody may stand between. Enter the new key only if you know why it changed.",
        field="host_key",
    )


async def _address(login: Login, outside: Outside) -> str:
    try:
        found = await probe.addresses(login.host, login.port, outside.allow_networks, outside.resolver, PORTS)
    except ConnectorError as error:
        raise calling.refusal(error, "host") from None
    return found[0]


def _failure(login: Login, told: str) -> TargetError:
    if "Permission denied" in told:
        return TargetError(
            Reason.NOT_ALLOWED,
            f"The SSH server does not let {login.user} at {login.host}:{login.port} in.",
            "Put the public key with its forced command into the user's authorized_keys.",
            field="key",
        )
    if "invalid format" in told or "error in libcrypto" in told:
        return TargetError(
            Reason.OPTIONS,
            "The private key cannot be read.",
            "Enter an OpenSSH key without a passphrase.",
            field="key",
        )
    return TargetError(
        Reason.UNREACHABLE,
        f"SSH as {login.user} at {login.host}:{login.port} failed: {told or 'it broke off'}.",
    )


def _program(name: str) -> str:
    found = shutil.which(name, path=running.CLEAN["PATH"])
    if found is None:
        raise TargetError(
            Reason.NOT_ALLOWED, f"{name} is not installed here.", "Install the package openssh-client."
        )
    return found


def _with_programs(outside: Outside) -> Outside:
    """Both programs are ours to start, whatever the operator allows: their arguments come from here."""
    return replace(outside, programs=(Path(_program("ssh")), Path(_program("ssh-keyscan"))))


@contextmanager
def _folder() -> Iterator[Path]:
    memory = Path("/dev/shm")  # noqa: S108 a folder of its own inside, which nobody else may enter
    with tempfile.TemporaryDirectory(
        prefix="certdesk-ssh-", dir=memory if memory.is_dir() else None
    ) as found:
        yield Path(found)


def _write(path: Path, text: str) -> None:
    path.touch(mode=0o600)
    path.write_text(text, encoding="utf-8")
