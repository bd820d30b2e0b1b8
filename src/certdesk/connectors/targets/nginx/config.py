"""nginx's configuration as `nginx -T` prints it: which server block has which certificate. Pure."""

import fnmatch
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from certdesk.connectors.targets.webserver.places import Pair, Site, reached_at

_FILE = re.compile(r"^# configuration file (/.*):$", re.M)
_TOKEN = re.compile(
    r"""\s+|\#[^\n]*|(?P<mark>[;{}])
    |"(?P<double>(?:\\.|[^"\\])*)"|'(?P<single>(?:\\.|[^'\\])*)'
    |(?P<word>(?:\\.|\$\{[^}]*\}|[^\s;{}\\])+)""",
    re.X | re.S,
)
_LUA = "_by_lua_block"
_NOT_FILES = ("data:", "engine:")
_DEEPEST = 20


@dataclass(frozen=True, slots=True)
class Directive:
    """`block` is None for a simple one."""

    name: str
    arguments: tuple[str, ...]
    block: tuple["Directive", ...] | None = None


def files_of(dump: str) -> dict[str, str]:
    """Path to text of each configuration file, the main one first."""
    parts = _FILE.split(dump)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def tree(files: Mapping[str, str]) -> tuple[Directive, ...]:
    """All directives, with those of included files in the place of `include`."""
    if not files:
        return ()
    main = next(iter(files))
    return _expanded(parse(files[main]), files, PurePosixPath(main).parent, 0)


def parse(text: str) -> tuple[Directive, ...]:
    """One file. A configuration that nginx itself has accepted; what is left open is closed."""
    stack: list[tuple[str, tuple[str, ...], list[Directive]]] = [("", (), [])]
    words: list[str] = []
    for mark, word in _tokens(text):
        if mark == "{" and words:
            stack.append((words[0], tuple(words[1:]), []))
        elif mark == "}" and len(stack) > 1:
            _close(stack)
        elif not mark:
            words.append(word)
            continue
        elif mark == ";" and words:
            stack[-1][2].append(Directive(words[0], tuple(words[1:])))
        words = []
    while len(stack) > 1:
        _close(stack)
    return tuple(stack[0][2])


def _close(stack: list[tuple[str, tuple[str, ...], list[Directive]]]) -> None:
    name, arguments, block = stack.pop()
    stack[-1][2].append(Directive(name, arguments, tuple(block)))


def _tokens(text: str) -> Iterator[tuple[str, str]]:
    """Marks and words; the program inside a Lua block is left out."""
    at, last = 0, ""
    while (found := _TOKEN.match(text, at)) is not None:
        at = found.end()
        if found["mark"] == "{" and last.endswith(_LUA):
            at = _after_lua(text, at)
            last = ""
            yield ";", ""
        elif found["mark"]:
            last = ""
            yield found["mark"], ""
        else:
            word = next(
                (found[kind] for kind in ("word", "double", "single") if found[kind] is not None), None
            )
            if word is not None:
                last = word
                yield "", word


def _after_lua(text: str, at: int) -> int:
    depth = 1
    while depth and at < len(text):
        depth += {"{": 1, "}": -1}.get(text[at], 0)
        at += 1
    return at


def _expanded(
    directives: Sequence[Directive], files: Mapping[str, str], folder: PurePosixPath, depth: int
) -> tuple[Directive, ...]:
    found: list[Directive] = []
    for one in directives:
        if one.name == "include" and one.arguments and depth < _DEEPEST:
            pattern = str(folder / one.arguments[0])
            for path in sorted(path for path in files if fnmatch.fnmatchcase(path, pattern)):
                found += _expanded(parse(files[path]), files, folder, depth + 1)
        elif one.block is None:
            found.append(one)
        else:
            inside = _expanded(one.block, files, folder, depth)
            found.append(Directive(one.name, one.arguments, inside))
    return tuple(found)


def sites(dump: str) -> tuple[Site, ...]:
    """The server blocks of http and stream, with certificates that they inherit."""
    files = files_of(dump)
    if not files:
        return ()
    return tuple(_sites(tree(files), str(PurePosixPath(next(iter(files))).parent), ()))


def pid_file(dump: str) -> str:
    """Path of the file with the number of the main process; empty where the configuration does not say it."""
    found = [words[0] for words in _values(tree(files_of(dump)), "pid")]
    return found[0] if found and found[0].startswith("/") else ""


def _sites(block: Sequence[Directive], folder: str, above: tuple[Pair, ...]) -> Iterator[Site]:
    own = _pairs(block, folder) or above
    for one in block:
        if one.name == "server" and one.block is not None:
            yield _site(one.block, folder, own)
        elif one.name in ("http", "stream") and one.block is not None:
            yield from _sites(one.block, folder, own)


def _site(block: Sequence[Directive], folder: str, above: tuple[Pair, ...]) -> Site:
    old_way = _values(block, "ssl") == [("on",)]
    names = [name for words in _values(block, "server_name") for word in words for name in _names(word)]
    listens = _values(block, "listen")
    tls = [words for words in listens if "ssl" in words[1:] or old_way]
    reached = [listener(words[0]) for words in tls if "proxy_protocol" not in words and "quic" not in words]
    pairs = (_pairs(block, folder) or above) if tls else ()
    return Site(tuple(dict.fromkeys(names)), tuple(dict.fromkeys(filter(None, reached))), pairs)


def _values(block: Sequence[Directive], name: str) -> list[tuple[str, ...]]:
    return [one.arguments for one in block if one.name == name and one.arguments]


def _pairs(block: Sequence[Directive], folder: str) -> tuple[Pair, ...]:
    certificates = [words[0] for words in _values(block, "ssl_certificate")]
    keys = [words[0] for words in _values(block, "ssl_certificate_key")]
    both = zip(certificates, keys, strict=False)
    return tuple(
        Pair(str(PurePosixPath(folder) / one), str(PurePosixPath(folder) / key))
        for one, key in both
        if not any("$" in path or path.startswith(_NOT_FILES) for path in (one, key))
    )


def _names(word: str) -> tuple[str, ...]:
    """DNS names of one word of `server_name`; patterns that no name stands for are left out."""
    if word.startswith("~") or word in ("_", "") or "$" in word or word.endswith(".*") or "." not in word:
        return ()
    if word.startswith("."):
        return (word[1:].lower(), f"*{word}".lower())
    return (word.lower(),)


def listener(address: str) -> str:
    """`host:port` for a `listen` value; empty for a socket file."""
    if address.startswith("unix:"):
        return ""
    if address.isdigit():
        return reached_at("", address)
    host, colon, port = address.rpartition(":")
    if not colon or not port.isdigit():
        return reached_at(address, "80")
    return reached_at(host, port)
