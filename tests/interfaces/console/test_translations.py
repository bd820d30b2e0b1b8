"""Everything that the console says is said in Chinese too."""

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

from django.utils.translation import gettext as translated
from django.utils.translation import override
from django.utils.translation.template import templatize

from certdesk.connectors.dns.providers.registry import KINDS
from certdesk.lifecycle.applications.contacts import BUSINESS_CATEGORIES
from certdesk.lifecycle.catalogue.queries import SHIPPED
from certdesk.lifecycle.certificates.states import ROWS, State
from certdesk.lifecycle.validation.organization_rules import CHECKLISTS

CONSOLE = Path(__file__).resolve().parents[3] / "src/certdesk/interfaces/console"
STRING = r"""(?:u?'(?:[^'\\]|\\.)*'|u?"(?:[^"\\]|\\.)*")"""
MARKED = re.compile(rf"(?:_|gettext|ngettext)\(\s*({STRING})(?:\s*,\s*({STRING}))?", re.S)
FUNCTIONS = ("_", "gettext", "gettext_lazy", "ngettext")
SAME = {"PowerDNS", "{{", "PEM", "SHA-256", "Nginx"}
"""Words that are the same in both languages are told by their lack of letters or by this list."""


def of_templates() -> Iterator[str]:
    for path in sorted((CONSOLE / "templates").rglob("*.html")):
        for found in MARKED.finditer(templatize(path.read_text(encoding="utf-8"))):
            yield ast.literal_eval(found[1])


def of_python() -> Iterator[str]:
    for path in sorted((*CONSOLE.rglob("*.py"), *(CONSOLE.parent / "words").rglob("*.py"))):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name) or not node.args:
                continue
            first = node.args[0]
            if node.func.id in FUNCTIONS and isinstance(first, ast.Constant):
                yield str(first.value)


def of_data() -> Iterator[str]:
    """Texts of lower rooms that the console shows through the catalogue of words."""
    for state, row in ROWS.items():
        if state is not State.DELETED:
            yield from (row.title, row.next_step)
    for kind in KINDS.values():
        yield kind.label
        for field in kind.options.model_fields.values():
            yield from (text for text in (field.title, field.description) if text)
    yield from (item.text for items in CHECKLISTS.values() for item in items)
    yield from BUSINESS_CATEGORIES
    document = tomllib.loads(SHIPPED.read_text(encoding="utf-8"))
    for kind in document["types"].values():
        yield from (kind["scenario"], kind["verification"], kind["security"], kind["approval"])
    yield from (issuer["title"] for issuer in document["issuers"].values())


def messages() -> dict[str, None]:
    return dict.fromkeys([*of_templates(), *of_python(), *of_data()])


def test_everything_is_translated() -> None:
    with override("zh-hans"):
        missing = [text for text in messages() if translated(text) == text and re.search("[a-z]{3}", text)]
    assert [text for text in missing if text not in SAME] == []
