"""Which operations can be held back, and how they are carried out: told by the rooms that own them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from certdesk.foundation.common.errors import CertdeskError
from certdesk.foundation.iam.person_rules import Person
from certdesk.foundation.iam.principal import Principal
from certdesk.foundation.jobs import registry as jobs

from .models import Request
from .rules import Target


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the approved operation led to, one sentence; with `ready` the requester fetches the rest."""

    text: str
    ready: bool = False


def nobody(request: Request) -> Sequence[Person]:
    return ()


@dataclass(frozen=True, slots=True)
class Executor:
    """How one operation is carried out.

    Attributes:
        target: (request, the requester with the rights of this moment) → the target as it stands now.
        run: (request, requester, business time) → outcome. Runs in the transaction that ends the request: it
            may write and add jobs, but not use the network. It checks the right as any action does.
        barred: who else stands on the requester's side and so decides nothing.
    """

    target: Callable[[Request, Principal], Target]
    run: Callable[[Request, Principal, datetime], Outcome]
    barred: Callable[[Request], Sequence[Person]] = nobody


executors: dict[str, Executor] = {}
kinds: dict[str, str] = {}
"""Kinds of operations that a rule can hold back, each with what it covers, in English."""


def declare(operation: str, executor: Executor) -> None:
    """Raises:
    ValueError: the operation has an executor already.
    """
    if operation in executors:
        raise ValueError(f"two executors of {operation}")
    executors[operation] = executor


class NoExecutor(CertdeskError):
    """The operation is not one that this release can carry out."""


def find(operation: str) -> Executor:
    """Raises:
    NoExecutor: nobody declared the operation.
    """
    jobs.discover()
    found = executors.get(operation)
    if found is None:
        raise NoExecutor(f"Nothing here can carry out {operation}.")
    return found
