"""A new refusal, diagnosis or finding has to be sayable in Chinese: every wordy literal of the rooms is
either known to the catalogue or on the short list of what nobody is shown."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from django.utils.translation import gettext, override

from certdesk.interfaces.words.say import SHAPES
from tests.support.not_shown import NOT_SHOWN, PIECES

SOURCE = Path(__file__).resolve().parents[3] / "src/certdesk"
CATALOGUE = SOURCE / "interfaces/console/locale/zh_Hans/LC_MESSAGES/django.po"
ELSEWHERE = (
    "agents/",
    "client/",
    "config/",
    "foundation/backup/",
    "lab/",
    "interfaces/cli/",
    "interfaces/console/",
    "interfaces/words/",
    *(f"lifecycle/catalogue/{name}.py" for name in ("build", "calendar_file", "check", "document")),
    "interfaces/operations/openapi/",  # for programmers
    "interfaces/acme/",  # problem documents: printed as they are by programs on hosts (RFC 8555 §6.7)
    *(
        f"lifecycle/enrolment/{name}.py"
        for name in (
            *("accounts", "advice", "authorizations", "errors", "finalizing", "jobs", "nonces", "orders"),
            *("products", "revoking", "rules", "states", "succession", "validating"),
        )
    ),
    "interfaces/operations/errors.py",  # carries its own Chinese
)
"""Read on the host or by tests alone, or marked for translation where they stand."""
FILES = {
    *{"docs.py", "bench.py", "readme.py", "settings.py", "figures.py", "openapi.py"},
    *{"verify.py", "heads.py", "models.py", "later.py", "countries.py", "whole_text.py"},
}
"""Made pages, the archive's instructions (English by contract), help of commands, columns, codes."""
SQL = re.compile(
    r"\b(SELECT|UPDATE|INSERT|DELETE|WHERE|JOIN|CASE WHEN|SET LOCAL|PRAGMA|LOCK TABLE|ON CONFLICT)\b"
    r"|%s|c\.\w+ "
)
WORDY = re.compile(r"[A-Za-z]{2,}[\w'’:,;)]* +[\w'(\0]*[A-Za-z]{2,}|\0 [a-z]{2,}|[a-z]{2,} \0")
HOLE = "\0"
NOT_SAID = {"debug", "info", "warning", "error", "exception", "RuntimeError", "AssertionError", "LookupError"}
HELP = {"help_text", "description", "summary", "verbose_name"}


def skeleton(text: str) -> str:
    """What is fixed in a shape: its changing parts are all the same, quoted or not, one or several."""
    holes = re.sub(r"%\(\w+\)s", HOLE, text).replace(f"'{HOLE}'", HOLE)
    return re.sub(f"{HOLE}( ?{HOLE})*", HOLE, holes)


def literal(node: ast.AST) -> str | None:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(str(one.value) if isinstance(one, ast.Constant) else HOLE for one in node.values)
    return None


def name(node: ast.AST) -> str:
    return node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""


def unsaid(tree: ast.AST) -> Iterator[ast.AST]:
    """Docstrings, what goes to the log or to a programmer, help of columns."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            yield node.value
        elif isinstance(node, ast.JoinedStr):
            yield from node.values
        elif isinstance(node, ast.Call):
            if name(node.func) in NOT_SAID:
                yield from node.args
            yield from (one.value for one in node.keywords if one.arg in HELP)


def wordy(path: Path) -> Iterator[str]:
    return texts(ast.parse(path.read_text(encoding="utf-8")))


def texts(tree: ast.AST) -> Iterator[str]:
    skipped = {id(node) for node in unsaid(tree)}
    for node in ast.walk(tree):
        text = None if id(node) in skipped else literal(node)
        if text and WORDY.search(text) and not SQL.search(text):
            yield text


def rooms() -> list[Path]:
    return [
        path
        for path in sorted(SOURCE.rglob("*.py"))
        if not str(path.relative_to(SOURCE)).startswith(ELSEWHERE)
        and path.name not in FILES
        and "migrations" not in path.parts
    ]


KNOWN = {skeleton(shape) for shape in SHAPES}


def place_of(path: Path) -> str:
    return str(path.relative_to(SOURCE))


def aside(place: str) -> set[str]:
    return {text.replace("…", HOLE) for text in (*NOT_SHOWN.get(place, ()), *PIECES.get(place, ()))}


def test_all_that_a_room_says_can_be_said_in_chinese() -> None:
    with override("zh-hans"):
        missing = {place_of(path): lines for path in rooms() if (lines := unknown(path))}
    assert missing == {}


def unknown(path: Path) -> list[str]:
    found = {text: skeleton(text) for text in wordy(path)}
    passed_by = aside(place_of(path))
    gone = passed_by - set(found.values())  # the lists name nothing that is not there any more
    return [
        text for text, one in found.items() if gettext(text) == text and one not in KNOWN | passed_by
    ] + sorted(gone)


def test_the_lists_name_rooms_that_exist() -> None:
    places = {place_of(path) for path in rooms()}
    assert {*NOT_SHOWN, *PIECES} <= places


def test_the_walk_finds_what_is_new() -> None:
    """The check can fail: a refusal, a fault and a finding that nobody has translated."""
    source = '''
"""A docstring is not said."""
def refuse(name):
    _log.info("so is the log")
    fault = "has two heads"
    raise BadParameter(f"The animal {name} {fault}.", next_step="Cut one off.", field="name")
'''
    found = {skeleton(text) for text in texts(ast.parse(source))}
    assert found == {"has two heads", f"The animal {HOLE}.", "Cut one off."}
    assert not found & KNOWN
