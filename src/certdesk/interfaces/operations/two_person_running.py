"""Carries out what was approved: the very same operation, with the same arguments."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from certdesk.foundation.approvals import registry as approvals
from certdesk.foundation.approvals.models import Request
from certdesk.foundation.approvals.registry import Executor, Outcome
from certdesk.foundation.approvals.rules import Target
from certdesk.foundation.common.errors import WrongState
from certdesk.foundation.iam.person_rules import Person
from certdesk.foundation.iam.principal import Principal
from certdesk.lifecycle.validation import officers

from . import registry, two_person
from .two_person_targets import pending_verification

FETCH = "It is approved. Fetch it once within 24 hours."
DONE = "It is approved and done."


def declare() -> None:
    """Enters every operation of the table once."""
    for name, case in two_person.CASES.items():
        if name not in approvals.executors:
            barred = _applicant if case.kind == two_person.ORGANIZATION else approvals.nobody
            approvals.declare(name, Executor(_target, _run, barred))


def _found(request: Request) -> registry.Operation:
    from . import index  # it reads all chapters, of which some hold jobs themselves

    return index.OPERATIONS[request.operation]


def _arguments(request: Request) -> dict[str, Any]:
    kept: Mapping[str, Any] = request.payload
    return registry.arguments(_found(request), kept.get("body"), kept.get("query"), dict(kept["parameters"]))


def _target(request: Request, principal: Principal) -> Target:
    registry.authorize(_found(request), principal)
    found = two_person.CASES[request.operation].find(principal, _arguments(request))
    if found is None:
        raise WrongState("There is nothing left of it that needs another person.")
    return found


def _run(request: Request, principal: Principal, now: datetime) -> Outcome:
    if two_person.CASES[request.operation].fetched:
        return Outcome(FETCH, ready=True)
    registry.run(_found(request), principal, _arguments(request))
    return Outcome(DONE)


def _applicant(request: Request) -> Sequence[Person]:
    """ORG-2: never the applicant, nor who showed documents for him."""
    verification = pending_verification(request.target_id)
    if verification is None:
        return ()
    return (officers.applicant(verification.application), *officers.showing(verification))
