"""The face for hosts with an agent: enrolment by a one-time code, then exchanges that the host itself signs.

A signature is HMAC-SHA-256 with the host's own credential over method, path, number and body; each number
counts once. Nobody signs in here, and nothing of another host can be reached.
"""

import hashlib
import hmac
from functools import lru_cache
from pathlib import Path
from typing import Annotated, TypeVar

import orjson
from django.http import HttpRequest, HttpResponse
from django.utils.translation import override
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST, require_safe
from pydantic import BaseModel, ConfigDict, Field

from certdesk.agents import host as agent_file
from certdesk.agents.host import sign
from certdesk.foundation.common.errors import BadParameter, CertdeskError
from certdesk.foundation.iam import rates
from certdesk.interfaces.operations import errors
from certdesk.interfaces.words.say import language, say
from certdesk.lifecycle.hosts import actions, exchange, rules
from certdesk.lifecycle.hosts.errors import Replayed, Unknown
from certdesk.lifecycle.hosts.models import Agent
from certdesk.pki.authority import actions as authority

JSON = "application/json"
MOST_ENROL, MOST_EXCHANGE = 8 * 1024, 1024 * 1024
Body = TypeVar("Body", bound=BaseModel)
Line = Annotated[str, Field(max_length=255)]
Sentence = Annotated[str, Field(max_length=2000)]


class _Message(BaseModel):
    """Fields that a newer agent sends are passed over."""

    model_config = ConfigDict(extra="ignore", strict=True, frozen=True)


class Enrolment(_Message):
    code: Line
    secret: Line
    host: Line = ""
    version: Line = ""


class PlaceTold(_Message):
    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,39}$")]
    names: Annotated[list[Line], Field(min_length=1, max_length=100)]
    listeners: Annotated[list[Line], Field(min_length=1, max_length=20)]
    csrs: Annotated[list[Annotated[str, Field(max_length=16_384)]], Field(max_length=exchange.MOST_CSRS)] = []
    served: Annotated[str, Field(pattern=r"^([0-9a-f]{40})?$")] = ""
    problem: Sentence = ""


class Look(_Message):
    address: Line
    name: Line
    verdict: Annotated[str, Field(max_length=16)]
    sentence: Sentence


class Result(_Message):
    step: Annotated[str, Field(pattern=r"^[0-9]{1,15}-[0-9]{1,9}$")]
    ok: bool
    verdict: Annotated[str, Field(max_length=16)] = ""
    reason: Sentence = ""
    next_step: Sentence = ""
    looks: Annotated[list[Look], Field(max_length=500)] = []


class Exchange(_Message):
    host: Line = ""
    version: Line = ""
    places: Annotated[list[PlaceTold], Field(max_length=exchange.MOST_PLACES)]
    results: Annotated[list[Result], Field(max_length=2 * exchange.MOST_PLACES)] = []


@require_safe
def roots(request: HttpRequest) -> HttpResponse:
    """The CA of this desk's own listener: a host compares it with the pin that it was given."""
    return _answer({"certificates": authority.roots_pem()})


def pin() -> str:
    """SHA-256 of the roots that `roots` answers, as of the output of `certdesk ca root`; empty without."""
    found = authority.roots_pem()
    return hashlib.sha256(found.encode()).hexdigest() if found else ""


@lru_cache(maxsize=1)
def program() -> tuple[bytes, str]:
    """The agent's one file, and its SHA-256 in hex."""
    content = Path(agent_file.__file__).read_bytes()
    return content, hashlib.sha256(content).hexdigest()


@require_safe
def download(request: HttpRequest) -> HttpResponse:
    """The agent; the page Hosts shows the hash that it must have."""
    return HttpResponse(program()[0], content_type="text/x-python; charset=utf-8")


@csrf_exempt
@require_POST
def enrol(request: HttpRequest) -> HttpResponse:
    """A one-time code for the id of an agent, which from then on signs with the credential it sent."""
    with override(language(request.META)):
        try:
            rates.check_unsigned(str(request.META.get("REMOTE_ADDR", "")))
            given = _read(Enrolment, _body(request, MOST_ENROL))
            made = actions.enrol(given.code, given.secret, given.host, given.version)
        except CertdeskError as error:
            return _refused(error)
    return _answer({"agent_id": made.id})


@csrf_exempt
@require_POST
def exchanged(request: HttpRequest) -> HttpResponse:
    """What a host says of itself, and what it is told to do."""
    with override(language(request.META)):
        try:
            body = _body(request, MOST_EXCHANGE)
            agent, counter = _signed(request, body)
            given = _read(Exchange, body)
            exchange.advance(agent, counter, given.host, given.version)
            work = exchange.report(agent, _places(given), [_done(one) for one in given.results])
        except Replayed as replayed:
            return _refused(replayed, counter=replayed.counter)
        except CertdeskError as error:
            return _refused(error)
    taken = [one.step for one in given.results]
    return _answer({"taken": taken, "work": [_told(one) for one in work], "wait": rules.WAIT})


def _signed(request: HttpRequest, body: bytes) -> tuple[Agent, int]:
    """Whose request it is; one refusal for everything that is wrong."""
    counter = request.headers.get("X-Certdesk-Counter", "")
    if not counter.isascii() or not counter.isdigit() or len(counter) > 18:
        raise Unknown
    agent = exchange.fetch(request.headers.get("X-Certdesk-Agent", "")[:64])
    parts = (b"POST", request.path_info.encode(), counter.encode(), body)
    given = request.headers.get("X-Certdesk-Signature", "")
    if not hmac.compare_digest(sign(actions.key_of(agent), *parts).encode(), given.encode()):
        raise Unknown
    return agent, int(counter)


def _body(request: HttpRequest, most: int) -> bytes:
    """Not `request.body`: its limit is that of the forms."""
    found = bytes(request.read(most + 1))
    if len(found) > most:
        raise BadParameter(f"The body is larger than {most} bytes.", next_step="Send less at once.")
    return found


def _read(model: type[Body], body: bytes) -> Body:
    try:
        if b"\\u0000" in body:  # no text with U+0000 passes: PostgreSQL cannot hold it
            raise ValueError
        return model.model_validate(orjson.loads(body))
    except ValueError:
        raise BadParameter(
            "The agent sent what this desk does not understand.", next_step="Update it."
        ) from None


def _places(given: Exchange) -> list[exchange.Told]:
    return [
        exchange.Told(
            one.name, tuple(one.names), tuple(one.listeners), tuple(one.csrs), one.served, one.problem
        )
        for one in {each.name: each for each in given.places}.values()
    ]


def _done(one: Result) -> exchange.Done:
    place, _, number = one.step.partition("-")
    looks = tuple(look.model_dump() for look in one.looks)
    return exchange.Done(int(place), int(number), one.ok, one.verdict, one.reason, one.next_step, looks)


def _told(one: exchange.Work) -> dict[str, object]:
    return {
        "step": f"{one.place_id}-{one.number}",
        "place": one.place,
        "certificate": one.certificate,
        "chain": one.chain,
    }


def _answer(content: object, status: int = 200) -> HttpResponse:
    response = HttpResponse(orjson.dumps(content), status=status, content_type=JSON)
    response.headers["Cache-Control"] = "no-store"
    return response


def _refused(error: CertdeskError, **more: object) -> HttpResponse:
    found = errors.refusal(error, about_certificate=False)
    body = {"error_code": found.code, "error_msg": say(error.message), "next_step": say(error.next_step)}
    return _answer({**body, **more}, found.status)
