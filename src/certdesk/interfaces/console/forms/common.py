"""What forms share."""

from collections.abc import Iterable
from typing import Any, cast

from django import forms
from django.utils.html import format_html

from certdesk.foundation.common.errors import CertdeskError
from certdesk.interfaces.words.say import both


def put(form: forms.Form, error: CertdeskError, renamed: dict[str, str] | None = None) -> None:
    """A room's refusal at the field that it names, or on top of the form.

    Args:
        renamed: fields that the form calls otherwise than the room.
    """
    name = (renamed or {}).get(error.field, error.field)
    form.add_error(name if name in form.fields else None, both(error))


def card(title: str, note: str) -> str:
    """The label of a choice card: what it is, and one line on it; safe HTML."""
    return format_html('<b>{}</b><span class="cd-soft cd-small cd-choice-note">{}</span>', title, note)


def choose(form: forms.Form, name: str, choices: Iterable[tuple[Any, Any]]) -> None:
    """Sets what a field offers; a field that the form has left out is passed over."""
    if name in form.fields:
        field = cast(forms.ChoiceField, form.fields[name])
        field.choices = list(choices)
