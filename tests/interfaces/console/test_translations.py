"""Everything that the console says is said in Chinese too."""

import ast
import re
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path

from django.utils.translation import gettext, ngettext, override, pgettext
from django.utils.translation.template import templatize

from certdesk.connectors.channels.registry import KINDS as CHANNELS
from certdesk.connectors.dns.providers.registry import KINDS
from certdesk.connectors.issuers.registry import KINDS as ISSUERS
from certdesk.connectors.targets.registry import KINDS as TARGETS
from certdesk.lifecycle.applications.contacts import BUSINESS_CATEGORIES
from certdesk.lifecycle.catalogue.queries import SHIPPED
from certdesk.lifecycle.certificates.states import ROWS, State
from certdesk.lifecycle.validation.organization_rules import CHECKLISTS

CONSOLE = Path(__file__).resolve().parents[3] / "src/certdesk/interfaces/console"
STRING = r"""(?:u?'(?:[^'\\]|\\.)*'|u?"(?:[^"\\]|\\.)*")"""
MARKED = re.compile(rf"(?<![a-z_])(_|gettext|ngettext|pgettext)\(\s*({STRING})(?:\s*,\s*({STRING}))?", re.S)
FUNCTIONS = ("_", "gettext", "gettext_lazy", "ngettext", "pgettext")
PRODUCTS = {"Apache", "Caddy", "HAProxy", "Nginx", "nginx", "Postfix", "PostgreSQL", "PowerDNS"}
SAME = {*PRODUCTS, "{{", "PEM", "SHA-256", "DigiCert CertCentral"}
"""Words that are the same in both languages are told by their lack of letters or by this list."""


Message = tuple[str, ...]
"""The function that asks for a translation, and the texts that it is given."""


def of_templates() -> Iterator[Message]:
    for path in sorted((CONSOLE / "templates").rglob("*.html")):
        for found in MARKED.finditer(templatize(path.read_text(encoding="utf-8"))):
            yield found[1], *(ast.literal_eval(text) for text in found.groups()[1:] if text)


def of_python() -> Iterator[Message]:
    for path in sorted((*CONSOLE.rglob("*.py"), *(CONSOLE.parent / "words").rglob("*.py"))):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name) or not node.args:
                continue
            texts = [str(one.value) for one in node.args[:2] if isinstance(one, ast.Constant)]
            if node.func.id in FUNCTIONS and texts:
                yield node.func.id, *texts


def of_data() -> Iterator[str]:
    """Texts of lower rooms that the console shows through the catalogue of words."""
    for state, row in ROWS.items():
        if state is not State.DELETED:
            yield from (row.title, row.next_step)
    for kind in (*KINDS.values(), *CHANNELS.values(), *TARGETS.values(), *ISSUERS.values()):
        yield kind.label
        for field in kind.options.model_fields.values():
            yield from (text for text in (field.title, field.description) if text)
    yield from (item.text for items in CHECKLISTS.values() for item in items)
    yield from BUSINESS_CATEGORIES
    document = tomllib.loads(SHIPPED.read_text(encoding="utf-8"))
    for kind in document["types"].values():
        yield from (kind["scenario"], kind["verification"], kind["security"], kind["approval"])
    yield from (issuer["title"] for issuer in document["issuers"].values())


def messages() -> Iterable[Message]:
    return dict.fromkeys([*of_templates(), *of_python(), *(("_", text) for text in of_data())])


def pair(function: str, first: str, second: str = "") -> tuple[str, str]:
    """What is said in English, and its translation by the same question: a plural or a context is its own."""
    if function == "ngettext":
        return first, ngettext(first, second, 1)
    return (second, pgettext(first, second)) if function == "pgettext" else (first, gettext(first))


def test_everything_is_translated() -> None:
    with override("zh-hans"):
        said = [pair(*message) for message in messages()]
    missing = [text for text, chinese in said if text == chinese and re.search("[a-z]{2}", text)]
    assert [text for text in missing if text not in SAME] == []
