"""The served OpenAPI document in the hands of schemathesis: inputs that fit it and inputs that do not.

Whatever is sent, no 5xx, and every answer has a type and a shape of the document. `CERTDESK_SIZE=full` sends
every operation 40 of each sort; the small form sends one in three 2 that fit, and one in nine 2 that do not.
"""

import contextlib
import os
import random
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.core.failures import Failure, FailureGroup
from schemathesis.specs.openapi import checks

from certdesk.foundation.common import clock, sdk_signature
from certdesk.interfaces.cli.installation import Installation
from tests.support import prepared

pytestmark = [pytest.mark.server, pytest.mark.slow]
FULL = os.environ.get("CERTDESK_SIZE") == "full"
EACH = 40 if FULL else 2
EVERY = {GenerationMode.POSITIVE: 1 if FULL else 3, GenerationMode.NEGATIVE: 1 if FULL else 9}
"""Each, or one operation in so many: making wrong inputs costs 0.1 to 1 s CPU an operation."""
ON_PURPOSE = {(501, "SCM.9001"), (503, "SCM.9503")}
"""A capability that comes later, an outside service that is away: said in the contract's form."""
TOO_LONG = (414, 431)
"""Said by the web server before anybody could ask for whom: an address or head over its limit."""
SHAPES = [checks.content_type_conformance, checks.response_schema_conformance]


class Signed(requests.auth.AuthBase):
    """Signs what is really sent."""

    def __init__(self, key: dict[str, str]) -> None:
        self.key = key

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        body = request.body or b""
        request.headers.update(
            sdk_signature.sign(
                str(request.method),
                str(request.url),
                self.key["access_key"],
                self.key["secret_key"],
                now=clock.real_now(),
                body=body.encode() if isinstance(body, str) else body,
                headers={"Content-Type": str(request.headers.get("Content-Type", "application/json"))},
            )
        )
        return request


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Installation, dict[str, str]]]:
    folder: Path = tmp_path_factory.mktemp("schemathesis")
    with Installation(folder / "home", workers="1") as running:
        key = prepared.set_up(running)
        running.start("web")
        running.wait_ready()
        yield running, key


def wrong_with(case: schemathesis.Case[Any], answer: Any) -> str:
    """What is wrong with an answer; empty when nothing is."""
    if answer.status_code in TOO_LONG:
        return ""
    if answer.status_code >= 400:
        try:
            told = (answer.status_code, answer.json()["error_code"])
        except (ValueError, KeyError, TypeError):
            return f"{answer.status_code} without code and sentence: {answer.text[:300]!r}"
        good = told[0] < 500 or told in ON_PURPOSE
        return "" if good else f"{answer.status_code} {answer.text[:300]}"
    try:
        case.validate_response(answer, checks=SHAPES)
    except (Failure, FailureGroup) as fault:
        return str(fault)[:500]
    return ""


# rule: IAM-5
@pytest.mark.parametrize("mode", list(GenerationMode))
def test_no_input_breaks_the_service_and_every_answer_is_as_described(
    home: tuple[Installation, dict[str, str]], mode: GenerationMode
) -> None:
    running, key = home
    document = httpx.get(f"{running.url}/openapi.json", trust_env=False).json()
    schema = schemathesis.openapi.from_dict(document)
    statuses, wrong = Counter[int](), list[str]()
    with requests.Session() as session:
        session.trust_env = False
        for found in list(schema.get_all_operations())[:: EVERY[mode]]:
            operation = found.ok()  # type: ignore[union-attr]

            @seed(random.Random(operation.label).randrange(2**32))
            @settings(
                max_examples=EACH,
                deadline=None,
                database=None,
                phases=[Phase.generate],
                suppress_health_check=list(HealthCheck),
            )
            @given(case=operation.as_strategy(generation_mode=mode))
            def ask(case: schemathesis.Case[Any]) -> None:
                answer = case.call(base_url=running.url, session=session, auth=Signed(key))
                statuses[answer.status_code] += 1
                fault = wrong_with(case, answer)
                if fault:
                    wrong.append(f"{case.method} {case.formatted_path} {case.body!r:.300}: {fault}")

            with contextlib.suppress(Unsatisfiable):  # nothing in it can be wrong
                ask()
    print(f"\n{mode.value}: {sum(statuses.values())} requests, {dict(sorted(statuses.items()))}")  # noqa: T201
    assert not wrong, "\n".join([f"{len(wrong)} wrong answers", *wrong[:20]])
    assert sum(statuses.values()) >= len(document["paths"]) // EVERY[mode]
