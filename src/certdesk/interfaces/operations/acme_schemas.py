"""Requests of ACME credentials (API §10)."""

from typing import Annotated

from pydantic import Field

from .schemas import Body, Line, Number, Word

Patterns = Annotated[list[Annotated[str, Field(max_length=255)]], Field(max_length=1000)]
Types = Annotated[list[Word], Field(max_length=20)]


class NewCredential(Body):
    """`names`: `example.com` alone, `*.example.com` for everything below it; none = any name that proves
    itself. `issuer`: a brand, whose `types` it may ask for; without one the built-in CA, free of charge."""

    label: Line = ""
    names: Patterns = []
    types: Types = []
    issuer: Word = ""
    quota: Number | None = None


class CredentialChange(Body):
    """What is left out stays as it is; a quota of 0 takes the limit away."""

    label: Line | None = None
    names: Patterns | None = None
    types: Types | None = None
    issuer: Word | None = None
    quota: Number | None = None
