"""The Chinese catalogue translates nothing that nobody says any more."""

import ast
import re
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path

from django.utils.translation.template import templatize

from tools import compile_messages

from .test_every_word import CATALOGUE, SOURCE

COMPOSED = {
    "There is no token of that text.",
    "resource_name given twice in matches is not supported.",
}
"""Sentences that a room puts together of parts, and that stand whole in the catalogue alone."""
QUOTED = re.compile(r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*\"""")


def in_code(text: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def in_template(text: str) -> Iterator[str]:
    """What Django would have its translators translate."""
    yield from map(ast.literal_eval, QUOTED.findall(templatize(text)))


def in_data(value: object) -> Iterator[str]:
    """The words of the catalogue of products, an operator's data."""
    if isinstance(value, str):
        yield value
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for part in parts:
        yield from in_data(part)


def said(folder: Path) -> set[str]:
    readers = {"py": in_code, "html": in_template, "txt": in_template}
    readers["toml"] = lambda text: in_data(tomllib.loads(text))
    return {
        text
        for ending, read in readers.items()
        for path in folder.rglob(f"*.{ending}")
        if "static" not in path.parts
        for text in read(path.read_text(encoding="utf-8"))
    }


def dead(messages: Iterable[compile_messages.Entry], texts: set[str]) -> list[str]:
    """A sentence whose parts do not vary may have got its full stop later."""
    return [
        one.original
        for one in messages
        if (
            one.original not in texts
            and ("%(" in one.original or one.original.removesuffix(".") not in texts)
        )
        or (one.plural is not None and one.plural not in texts)
    ]


def test_every_translation_is_of_something_that_is_said() -> None:
    messages = [one for one in compile_messages.read(CATALOGUE.read_text(encoding="utf-8")) if one.original]
    assert set(dead(messages, said(SOURCE))) == COMPOSED


def test_the_walk_finds_what_is_dead(tmp_path: Path) -> None:
    (tmp_path / "code.py").write_text('say("One. " "Two.")\nfault = "has two heads"\n')
    (tmp_path / "page.html").write_text('{% load i18n %}{% translate "It\'s here" %}<p>Gone</p>')
    (tmp_path / "data.toml").write_text('a = ["Shops"]')
    catalogue = "\n\n".join(
        f"msgid {text}\nmsgstr {text}"
        for text in ('"One. Two."', '"has two heads."', '"It\'s here"', '"Shops"', '"Gone"', '"One."')
    )
    assert dead(compile_messages.read(catalogue), said(tmp_path)) == ["Gone", "One."]
