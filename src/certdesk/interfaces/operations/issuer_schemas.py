"""Bodies of issuers (API §10)."""

from typing import Annotated, Any

from pydantic import Field, RootModel

from .schemas import Body, Line, Number, Word

Options = Annotated[dict[str, Any], Field(max_length=50)]


class NewIssuer(Body):
    """What `options` holds depends on the kind."""

    kind: Word
    slug: Word
    profile: Word
    title: Line = ""
    priority: Number = 100
    weekly_limit: Number = 0
    enabled: bool = True
    options: Options


class IssuerChange(Body):
    """What is left out stays as it is."""

    title: Line | None = None
    priority: Number | None = None
    weekly_limit: Number | None = None
    enabled: bool | None = None
    options: Options | None = None


class NewTestOrder(Body):
    """`agreed`: the CA may bill it; needed where it may."""

    domain: Line
    agreed: bool = False


class IssuerOrder(RootModel[Annotated[list[Line], Field(max_length=50)]]):
    """Ids or slugs, the first one first; none = as the catalogue says."""
