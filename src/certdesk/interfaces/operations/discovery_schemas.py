"""Bodies of scans and endpoints (API §10)."""

from typing import Annotated

from pydantic import BeforeValidator, Field

from .schemas import Body, Line, Number, Word


def _text(given: object) -> object:
    """A port may be sent as a number."""
    return str(given) if isinstance(given, int) and not isinstance(given, bool) else given


Port = Annotated[str, Field(max_length=16), BeforeValidator(_text)]


class NewScan(Body):
    """Ports are numbers or spans (`8000-8100`); none = the protocol's usual one."""

    name: Line
    ranges: Annotated[list[Line], Field(max_length=1_000)] = []
    ports: Annotated[list[Port], Field(max_length=1_000)] = []
    sni: Annotated[list[Line], Field(max_length=1_000)] = []
    protocol: Word = "TLS"
    targets: bool = False
    per_second: Number = 50
    repeat: Word = "ONCE"


class EndpointQuery(Body):
    limit: Number = 10
    marker: Line = ""
    verdict: Word = ""
    scan: Word = ""
    search: Line = ""


class Adoption(Body):
    """`name` for UPLOAD; `certificate_id` and the agreement for REISSUE."""

    mode: Word
    name: Line = ""
    enterprise_project_id: Word = "0"
    certificate_id: Word = ""
    agree_privacy_protection: bool = False
