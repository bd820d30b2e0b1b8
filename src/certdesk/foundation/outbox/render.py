"""Fills templates. Text and subject are not HTML, so each has an engine of its own."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from django.template import Context, Engine

from . import rules

_FOLDER = Path(__file__).parent / "templates"


@dataclass(frozen=True)
class Rendered:
    subject: str
    text: str
    html: str


@cache
def _engine(*, html: bool) -> Engine:
    return Engine(dirs=[str(_FOLDER)], autoescape=html)


def render(template: str, locale: str, context: Mapping[str, object]) -> Rendered:
    """Subject (one line), text and HTML of a message.

    Raises:
        ValueError: unknown template, or a name that it needs is missing.
    """
    rules.check_template(template, context)
    values = {name: rules.clean(value) for name, value in context.items()}
    name = f"outbox/{template}.{rules.choose_locale(locale)}"
    return Rendered(
        rules.one_line(_fill(f"{name}.subject.txt", values, html=False), rules.LONGEST_SUBJECT),
        _fill(f"{name}.txt", values, html=False).strip() + "\n",
        _fill(f"{name}.html", values, html=True).strip() + "\n",
    )


def _fill(name: str, values: Mapping[str, object], *, html: bool) -> str:
    return _engine(html=html).get_template(name).render(Context(dict(values), autoescape=html))
