"""What an approved request sets going: one executor per operation, declared in the room that owns it."""

from collections.abc import Callable
from datetime import datetime

from certdesk.foundation.iam.principal import Principal

from .models import Request

Executor = Callable[[Request, Principal, datetime], str]
"""(request, the requester with the rights of this moment, business time) → one sentence of outcome.

Runs in the transaction that ends the request: it may write and add jobs, but not use the network.
"""

executors: dict[str, Executor] = {}


def executor(operation: str) -> Callable[[Executor], Executor]:
    """Declares the executor of `operation`. It checks the requester's right itself, as any action does."""

    def declare(function: Executor) -> Executor:
        if operation in executors:
            raise ValueError(f"two executors of {operation}")
        executors[operation] = function
        return function

    return declare
