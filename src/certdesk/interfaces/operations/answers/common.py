"""What answers are made of: pages, names of new things, files. Types alone; the shapes are made elsewhere."""

from dataclasses import dataclass
from typing import Annotated

from pydantic import Field
from typing_extensions import TypedDict

Moment = Annotated[str, Field(examples=["2026-11-30 12:00:00.0"])]
"""`yyyy-MM-dd HH:mm:ss.0` in UTC; empty when there is none."""
Amount = Annotated[str, Field(examples=["1288.00"])]
"""A decimal as text."""
Marker = str | None
"""Where the next page begins; null behind the last one."""


@dataclass(frozen=True, slots=True)
class FileAnswer:
    """The answer is a file of this content type, to be saved."""

    content_type: str


class Made(TypedDict):
    """The id of what was made."""

    id: str


class Done(TypedDict):
    message: str
    cert_id: str


class Described(TypedDict):
    """What tag operations answer: `success`."""

    desc: str
