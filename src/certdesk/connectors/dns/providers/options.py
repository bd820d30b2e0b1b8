"""Options of a connection as a typed model: validated, sealed, shown without secrets, drawn as a form."""

import re
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, get_args, get_origin

import pydantic
from pydantic import BaseModel, ConfigDict, SecretStr
from pydantic.fields import FieldInfo

from certdesk.connectors.dns.lookup import parse_name, show
from certdesk.connectors.dns.providers.protocol import DnsError, Reason
from certdesk.connectors.protocol import ConnectorError

MASK = "***"
FieldKind = Literal[
    "text", "number", "flag", "choice", "list", "lines", "block", "secret", "secrets", "secret_block"
]
_ASKED: dict[str, FieldKind] = {"block": "block", "secret_block": "secret_block", "lines": "lines"}
_SECRET = re.compile(r"[\x21-\x7e]{0,4096}")


def _zone_name(text: str) -> str:
    try:
        name = show(parse_name(text.strip())).lower()
    except ConnectorError as error:
        raise ValueError(error.message) from None
    if not name or "@" in name or name.startswith("*"):
        raise ValueError(f"{text!r:.100} is not a zone's name")
    return name


def _plain_secret(secret: SecretStr) -> SecretStr:
    """Secrets end in headers: no line break may smuggle another one in."""
    if not _SECRET.fullmatch(secret.get_secret_value()):
        raise ValueError("a secret is printable ASCII without spaces")
    return secret


NO_SECRET = SecretStr("")
ZoneName = Annotated[str, pydantic.AfterValidator(_zone_name)]
Secret = Annotated[SecretStr, pydantic.AfterValidator(_plain_secret)]
ZoneNames = Annotated[tuple[ZoneName, ...], pydantic.Field(min_length=1, max_length=1000)]


class FormField(BaseModel):
    """One input of the form. `default` never holds a secret.

    `kind`: secrets = names and secret values; block and secret_block = several lines, e.g. PEM; lines = a
    list whose entries may hold spaces, one a line, e.g. a command. A model asks for these by
    `json_schema_extra={"kind": …}`.
    """

    name: str
    label: str
    help: str
    kind: FieldKind
    required: bool
    default: Any = None
    choices: tuple[str, ...] = ()
    example: str = ""


class ProviderOptions(BaseModel):
    """Base of every provider's options. Unknown ones are refused; errors never show what was given."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, hide_input_in_errors=True, str_strip_whitespace=True
    )
    label: ClassVar[str]

    def stored(self) -> dict[str, Any]:
        """JSON values with the secrets in plain: for sealing only."""
        return _mapping(self.model_dump(), plain=True)

    def shown(self) -> dict[str, Any]:
        """JSON values with `***` for every secret that is set: for answers and pages."""
        return _mapping(self.model_dump(), plain=False)

    def endpoint(self) -> tuple[str, int] | None:
        """Host and port of the server, for `Outside.own_servers` where the operator made the connection."""
        return None

    def receiver(self) -> tuple[tuple[str, int] | None, bool]:
        """Who is sent the secrets: the server, and whether by an address without TLS, where others listen."""
        values = [str(one) for one in _mapping(self.model_dump(), plain=True).values()]
        return self.endpoint(), any(one.lower().startswith("http://") for one in values)


def read(model: type[ProviderOptions], given: Mapping[str, Any], old: Mapping[str, Any] | None = None) -> Any:
    """The options from a form or request; `***` keeps the secret of `old` (as `stored` gave it).

    Raises:
        DnsError: OPTIONS, naming the fields that are wrong, never their values.
    """
    try:
        return model.model_validate(with_old_secrets(given, old or {}))
    except pydantic.ValidationError as error:
        told = "; ".join(
            f"{'.'.join(map(str, one['loc'])) or 'options'}: {one['msg'].removeprefix('Value error, ')}"
            for one in error.errors(include_url=False, include_context=False, include_input=False)[:8]
        )
        raise DnsError(
            Reason.OPTIONS, f"The options of the DNS connection are wrong: {told}.", "Correct these fields."
        ) from None


def with_old_secrets(given: Mapping[str, Any], old: Mapping[str, Any]) -> dict[str, Any]:
    """What was given, with the stored value where `***` stands."""
    return {
        key: with_old_secrets(value, old.get(key) or {})
        if isinstance(value, Mapping)
        else old.get(key, "")
        if value == MASK
        else value
        for key, value in given.items()
    }


def _mapping(values: Mapping[str, Any], plain: bool) -> dict[str, Any]:
    return {key: _unwrapped(one, plain) for key, one in values.items()}


def _unwrapped(value: Any, plain: bool) -> Any:
    if isinstance(value, SecretStr):
        text = value.get_secret_value()
        return text if plain or not text else MASK
    if isinstance(value, dict):
        return _mapping(value, plain)
    return list(value) if isinstance(value, tuple) else value


def form(model: type[ProviderOptions]) -> tuple[FormField, ...]:
    """The fields in their order, for a page that draws itself; without those that a model keeps to itself."""
    return tuple(
        FormField(
            name=name,
            label=field.title or name,
            help=field.description or "",
            kind=_kind(field),
            required=field.is_required(),
            default=None if field.is_required() else _unwrapped(field.get_default(), plain=False),
            choices=tuple(map(str, get_args(field.annotation)))
            if get_origin(field.annotation) is Literal
            else (),
            example=str(field.examples[0]) if field.examples else "",
        )
        for name, field in model.model_fields.items()
    )


def _kind(field: FieldInfo) -> FieldKind:
    asked = field.json_schema_extra.get("kind") if isinstance(field.json_schema_extra, dict) else None
    if asked in _ASKED:
        return _ASKED[str(asked)]
    annotation: Any = field.annotation
    origin = get_origin(annotation)
    if origin is Literal:
        return "choice"
    if origin is dict:
        return "secrets"
    if origin is tuple:
        return "list"
    kinds: dict[Any, FieldKind] = {bool: "flag", int: "number", SecretStr: "secret"}
    return kinds.get(annotation, "text")
