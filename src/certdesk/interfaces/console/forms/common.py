"""What forms share."""

from collections.abc import Iterable
from typing import Any, cast

from django import forms
from django.utils.translation import gettext as _

from certdesk.foundation.common.errors import CertdeskError

from .. import dynamic_words


def say(text: str) -> str:
    """A sentence of a lower room in the reader's language; one that holds names and figures is known by its
    shape (`dynamic_words.py`); what is not known stays as the room wrote it."""
    if not text:
        return ""
    known = _(text)
    return known if known != text else dynamic_words.say(text)


def sentence(error: CertdeskError) -> str:
    """A refusal in the reader's language where it is known; else as the room wrote it."""
    return " ".join(say(part) for part in (error.message, error.next_step) if part)


def put(form: forms.Form, error: CertdeskError, renamed: dict[str, str] | None = None) -> None:
    """A room's refusal at the field that it names, or on top of the form.

    Args:
        renamed: fields that the form calls otherwise than the room.
    """
    name = (renamed or {}).get(error.field, error.field)
    form.add_error(name if name in form.fields else None, sentence(error))


def choose(form: forms.Form, name: str, choices: Iterable[tuple[Any, Any]]) -> None:
    """Sets what a field offers; a field that the form has left out is passed over."""
    if name in form.fields:
        field = cast(forms.ChoiceField, form.fields[name])
        field.choices = list(choices)
