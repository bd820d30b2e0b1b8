"""Apache's own list of its virtual hosts, and the certificates that their sections name. Pure."""

import re
import shlex
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

from certdesk.connectors.targets.webserver.places import Pair, Site, reached_at

Read = Callable[[str], str]
"""The text of a configuration file."""

_SEVERAL = re.compile(r"(?P<address>\S+)\s+is a NameVirtualHost")
_SINGLE = re.compile(r"(?P<address>\S+)\s+(?P<name>\S+) \((?P<file>.+):(?P<line>\d+)\)")
_NAMED = re.compile(r"\s+port \S+ namevhost (?P<name>\S+) \((?P<file>.+):(?P<line>\d+)\)")
_ALIAS = re.compile(r"\s+(?:wild )?alias (?P<name>\S+)")
_ROOT = re.compile(r'ServerRoot: "(?P<root>.+)"')
_PID = re.compile(r'PidFile: "(?P<path>.+)"')
_DEFINE = re.compile(r"Define: (?P<name>\w+)=(?P<value>.*)")
_VARIABLE = re.compile(r"\$\{(\w+)\}")
_END = re.compile(r"\s*</VirtualHost", re.I)


@dataclass(frozen=True, slots=True)
class Host:
    """One virtual host of the list: where it listens, its names, where its section begins."""

    address: str
    names: tuple[str, ...]
    file: str
    line: int


@dataclass(frozen=True, slots=True)
class Dump:
    """What `-t -D DUMP_VHOSTS -D DUMP_RUN_CFG` printed."""

    hosts: tuple[Host, ...]
    root: str
    pid_file: str
    defines: Mapping[str, str]


def read(text: str) -> Dump:
    """The list as values."""
    hosts: list[Host] = []
    address = ""
    for line in text.splitlines():
        if several := _SEVERAL.match(line):
            address = several["address"]
        elif single := _SINGLE.match(line) or _NAMED.match(line):
            address = single.groupdict().get("address", address)
            hosts.append(Host(address, _names(single["name"]), single["file"], int(single["line"])))
        elif (alias := _ALIAS.match(line)) and hosts:
            last = hosts[-1]
            names = dict.fromkeys((*last.names, *_names(alias["name"])))
            hosts[-1] = Host(last.address, tuple(names), last.file, last.line)
    root, pid = _ROOT.search(text), _PID.search(text)
    defines = {one["name"]: one["value"] for one in _DEFINE.finditer(text)}
    return Dump(tuple(hosts), root["root"] if root else "/", pid["path"] if pid else "", defines)


def _names(name: str) -> tuple[str, ...]:
    """DNS names only; of patterns those that a certificate can have."""
    if "." not in name or "?" in name or "*" in name.removeprefix("*."):
        return ()
    return (name.lower(),)


def sites(dump: Dump, read_file: Read) -> tuple[Site, ...]:
    """Each virtual host with the certificate files of its section.

    Args:
        read_file: raises what it likes for a file that cannot be read.
    """
    found = []
    for host in dump.hosts:
        section = _section(read_file(host.file), host.line)
        pairs = tuple(_pairs(_settings(section, dump)))
        found.append(Site(host.names, _listeners(host.address) if pairs else (), pairs))
    return tuple(found)


def _section(text: str, line: int) -> Iterable[str]:
    """The lines of the section that begins there, continued lines joined."""
    rest = "\n".join(text.splitlines()[line:]).replace("\\\n", " ")
    for one in rest.splitlines():
        if _END.match(one):
            return
        yield one


def _settings(section: Iterable[str], dump: Dump) -> list[tuple[str, str]]:
    """Directive in lower case, and its first argument with defined variables in place."""
    found = []
    for line in section:
        try:
            words = shlex.split(line, comments=True)
        except ValueError:  # an unbalanced quote of another directive's own language
            words = line.split()
        if len(words) > 1:
            value = _VARIABLE.sub(lambda one: dump.defines.get(one[1], one[0]), words[1])
            found.append((words[0].lower(), value))
    return [
        (name, str(PurePosixPath(dump.root) / value) if name.endswith("file") else value)
        for name, value in found
    ]


def _pairs(settings: list[tuple[str, str]]) -> Iterable[Pair]:
    certificates = [value for name, value in settings if name == "sslcertificatefile"]
    keys = [value for name, value in settings if name == "sslcertificatekeyfile"]
    chains = [value for name, value in settings if name == "sslcertificatechainfile"]
    off = ("sslengine", "off") in [(name, value.lower()) for name, value in settings]
    for number, one in enumerate(() if off else certificates):
        pair = Pair(one, keys[number] if number < len(keys) else one, chains[0] if chains else "")
        if not any("${" in path for path in pair.paths):
            yield pair


def _listeners(address: str) -> tuple[str, ...]:
    host, _, port = address.rpartition(":")
    return (reached_at(host, port),) if port.isdigit() else ()
