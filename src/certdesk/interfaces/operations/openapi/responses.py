"""What an operation answers, status by status."""

from typing import Any

from certdesk.interfaces.operations.answers import ANSWERS, FileAnswer
from certdesk.interfaces.operations.answers.approvals import ApprovalWaiting
from certdesk.interfaces.operations.registry import Operation

from .refusals import REFERENCES
from .schemas import Components

Described = dict[str, Any]
UNDER_WAY = frozenset({"certificates.issue", "certificates.batch_issue"})
"""They answer 202 where something is still to be proved."""
REQUEST_ID: Described = {
    "X-Request-Id": {"description": "Quote it to the operator.", "schema": {"type": "string"}}
}


def of(found: Operation, components: Components) -> Described:
    """Status -> response; `default` is any other refusal."""
    statuses = [500] if found.later else _statuses(found)
    answers: Described = {} if found.later else {str(found.success): _answer(found, components)}
    if found.name in UNDER_WAY:
        answers["202"] = {**_answer(found, components), "description": "Under way: not all is proved yet."}
    if found.two_person:
        answers["202"] = _waiting(components)
    refused = [*statuses, 501] if found.later else statuses
    for status in sorted(refused):
        answers[str(status)] = {"$ref": f"#/components/responses/{REFERENCES[status]}"}
    return answers | {"default": {"$ref": "#/components/responses/Refused"}}


def _waiting(components: Components) -> Described:
    schema = components.reference(ApprovalWaiting)
    return {
        "description": "A rule of the account holds it back until other people have approved it.",
        "headers": REQUEST_ID,
        "content": {"application/json": {"schema": schema}},
    }


def _statuses(found: Operation) -> list[int]:
    """The refusals that a client of this operation should expect."""
    statuses = [400, 429, 500]
    if not found.public:
        statuses.append(401)
    if not (found.everyone or found.public):
        statuses.append(403)
    if found.parameters:
        statuses.append(404)
    if found.idempotent or found.method != "GET":
        statuses.append(409)
    return statuses


def _answer(found: Operation, components: Components) -> Described:
    if found.success == 204:
        return {"description": "Done; there is nothing to say.", "headers": REQUEST_ID}
    answer = ANSWERS.get(found.name)
    described: Described = {"description": "The answer.", "headers": REQUEST_ID}
    if isinstance(answer, FileAnswer):
        described["description"] = "The file."
        described["content"] = {answer.content_type: {}}
    else:
        schema = components.reference(answer) if isinstance(answer, type) else {"type": "object"}
        described["content"] = {"application/json": {"schema": schema}}
    return described
