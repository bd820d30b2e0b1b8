"""The one list of operations: what each is called, where it stands in the API, which right it needs.

The API serves it, console and command line call it, documentation and tests walk it. An operation without
a declared IAM action, or with the name or route of another, refuses to start.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar, overload

from pydantic import BaseModel, ValidationError

from certdesk.foundation.common.errors import BadParameter
from certdesk.foundation.iam import known
from certdesk.foundation.iam.principal import Principal
from certdesk.lifecycle.certificates.errors import UnderReview
from certdesk.lifecycle.orders import unsubscribing

from . import two_person

Json = Mapping[str, Any] | list[Any] | None
Model = TypeVar("Model", bound=BaseModel)

_ACTION = re.compile(r"[a-z][a-z0-9]*:[A-Za-z0-9_-]+:[A-Za-z0-9_]+")
_PARAMETER = re.compile(r"\{([a-z_]+)\}")
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
MAX_BODY = 1024 * 1024
MAX_BATCH_BODY = 12 * 1024 * 1024  # what the contract allows a signed request (API §4.2)


@dataclass(frozen=True, slots=True)
class File:
    """An answer that is a file, not JSON. `content` may hold private keys: it is not shown in `repr`."""

    name: str
    content_type: str
    content: bytes

    def __repr__(self) -> str:
        return f"File({self.name!r}, {len(self.content)} bytes)"


@dataclass(frozen=True, slots=True)
class Stream(File):
    """A file of any size: its content comes in `pieces`, one after the other, and is never whole in memory.
    Each piece is made under the process's baton; between them other requests run."""

    pieces: Iterator[bytes] = field(default_factory=lambda: iter(()))

    def __repr__(self) -> str:
        return f"Stream({self.name!r})"


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer whose status differs from the operation's usual one."""

    status: int
    answer: "Json | File | Headed" = None


@dataclass(frozen=True, slots=True)
class Headed:
    """A JSON answer with headers of its own; they may hold a secret: not shown in `repr`."""

    content: Json
    headers: Mapping[str, str]

    def __repr__(self) -> str:
        return f"Headed({sorted(self.headers)})"


Answer = Json | File | Headed | Reply


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation.

    Attributes:
        name: `chapter.verb`, the name that console and command line call.
        path: with `{parameter}` segments, which become keyword arguments.
        action: the IAM action it needs; `also` are needed beside it (ORD-1).
        public: nobody has to sign it: it is where a client gets what it signs with.
        everyone: every signed-in principal may call it, whatever its policies (the SDK asks these first).
        idempotent: accepts `Idempotency-Key` (IAM-10).
        one_transaction: the whole operation is one transaction, so its kept answer joins it.
        later: it answers 501 until its capability comes.
        max_body: bytes that a request may carry.
        headers: headers that the function takes as arguments: `(argument, header)`; empty when not sent.
        multipart: the body is a form with one file; the request model has its `name` and `content`.
    """

    name: str
    method: str
    path: str
    action: str
    run: Callable[..., Answer]
    also: tuple[str, ...] = ()
    request: type[BaseModel] | None = None
    query: type[BaseModel] | None = None
    success: int = 200
    everyone: bool = False
    idempotent: bool = False
    one_transaction: bool = False
    later: bool = False
    doc: str = ""
    public: bool = False
    max_body: int = MAX_BODY
    multipart: bool = False
    headers: tuple[tuple[str, str], ...] = ()

    @property
    def parameters(self) -> tuple[str, ...]:
        return tuple(_PARAMETER.findall(self.path))

    @property
    def two_person(self) -> str:
        """The kind of rule that can hold it back; empty when none can."""
        case = two_person.CASES.get(self.name)
        return case.kind if case else ""


class Waiting(Exception):
    """The operation waits for a second person. No refusal: pages that show refusals let it through."""

    def __init__(self, approval_id: str) -> None:
        super().__init__(approval_id)
        self.approval_id = approval_id


operations: dict[str, Operation] = {}
_routes: set[tuple[str, str]] = set()

Run = TypeVar("Run", bound=Callable[..., Answer])


def operation(
    name: str,
    method: str,
    path: str,
    action: str,
    *,
    also: tuple[str, ...] = (),
    request: type[BaseModel] | None = None,
    query: type[BaseModel] | None = None,
    success: int = 200,
    everyone: bool = False,
    idempotent: bool = False,
    one_transaction: bool = False,
    later: bool = False,
    public: bool = False,
    max_body: int = MAX_BODY,
    multipart: bool = False,
    headers: tuple[tuple[str, str], ...] = (),
) -> Callable[[Run], Run]:
    """Declares the function below it as an operation.

    The function takes `principal`, each path parameter by name, `body` when there is a request model and
    `query` when there is a query model. Its docstring is the operation's documentation.

    Raises:
        ValueError: no or a malformed action, or a name or route that is taken.
    """

    def declare(run: Run) -> Run:
        add(
            Operation(
                name,
                method,
                path,
                action,
                run,
                also,
                request,
                query,
                success,
                everyone,
                idempotent,
                one_transaction,
                later,
                (run.__doc__ or "").strip(),
                public,
                max_body=max_body,
                multipart=multipart,
                headers=headers,
            )
        )
        return run

    return declare


def add(found: Operation) -> None:
    """Enters an operation.

    Raises:
        ValueError: as `operation`.
    """
    for action in (found.action, *found.also):
        if not _ACTION.fullmatch(action):
            raise ValueError(f"{found.name} declares no IAM action: {action!r}")
    if found.method not in METHODS or not found.path.startswith("/"):
        raise ValueError(f"{found.name}: {found.method} {found.path} is no route")
    route = (found.method, _PARAMETER.sub("{}", found.path))
    if found.name in operations or route in _routes:
        raise ValueError(f"two operations have the name or route {found.name} {found.method} {found.path}")
    _routes.add(route)
    known.declare(found.action, *found.also)
    operations[found.name] = found


def call(
    name: str,
    principal: Principal,
    /,
    *,
    body: object = None,
    query: object = None,
    **parameters: str,
) -> tuple[int, Json | File | Headed]:
    """Runs an operation for a principal; answers `(status, answer)`.

    Args:
        body: an instance of the request model, or the plain mapping to read it from.
        query: likewise for the query model.

    Raises:
        CertdeskError: Forbidden naming the missing action, BadParameter for a body that does not fit,
            or whatever the operation refuses.
        Waiting: a second person has to approve it first.
    """
    found = operations[name]
    authorize(found, principal)
    status, answer = perform(found, principal, body, query, parameters)
    if status == 202 and isinstance(answer, dict) and "approval_id" in answer:
        raise Waiting(str(answer["approval_id"]))
    return status, answer


def perform(
    found: Operation, principal: Principal, body: object, query: object, parameters: Mapping[str, str]
) -> tuple[int, Json | File | Headed]:
    """As `call`, for a caller that has the operation in hand and has called `authorize`.

    What needs a second person is frozen instead: 202 with the request's id.
    """
    given = arguments(found, body, query, parameters)
    try:
        held = two_person.FREE if found.later else two_person.gate(found.name, principal, given)
        if held.waiting:
            return 202, {"approval_id": held.waiting}
        with held.within:
            return run(found, principal, given)
    except UnderReview as refused:
        unsubscribing.interrupt(principal, refused)
        raise


def arguments(found: Operation, body: object, query: object, parameters: Mapping[str, str]) -> dict[str, Any]:
    """What the operation's function takes beside the principal.

    Raises:
        BadParameter: as `read`.
    """
    given: dict[str, Any] = dict(parameters)
    if found.request is not None:
        given["body"] = read(found.request, body)
    if found.query is not None:
        given["query"] = read(found.query, query)
    return given


def run(found: Operation, principal: Principal, given: Mapping[str, Any]) -> tuple[int, Json | File | Headed]:
    """Runs the operation itself; who calls this has seen to right and second person."""
    answer = found.run(principal, **given)
    if isinstance(answer, Reply):
        return answer.status, answer.answer
    return found.success, answer


def authorize(found: Operation, principal: Principal) -> None:
    """The operation's actions, on anything at all; rows are decided where they are fetched (law 5).

    Raises:
        Forbidden: naming the missing action.
    """
    if found.everyone or found.public:
        return
    principal.require(found.action)
    for action in found.also:
        principal.require(action)


@overload
def read(model: type[Model], given: Model) -> Model: ...
@overload
def read(model: type[Model], given: object) -> Model: ...
def read(model: type[Model], given: object) -> Model:
    """`given` as the model; unknown fields are ignored.

    Raises:
        BadParameter: the first field that does not fit, in words.
    """
    if isinstance(given, model):
        return given
    try:
        return model.model_validate({} if given is None else given)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        if first["type"] in ("model_type", "dict_type") and not first["loc"]:
            raise BadParameter("The body is no JSON object.") from None
        field = ".".join(str(part) for part in first["loc"])
        raise BadParameter(f"{field or 'The body'}: {_words(first['msg'])}.", field=field) from None


def _words(message: str) -> str:
    """Pydantic's message without its prefix and full stop."""
    return message.removeprefix("Value error, ").rstrip(".")
