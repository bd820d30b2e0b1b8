"""Routes of the contract whose capability has not come yet. Each has its real right and answers 501.

The one counted list: a capability that comes takes its lines from here. The count is checked by a test; now
every route of the contract is there.
"""

from typing import NoReturn

from certdesk.foundation.common.errors import NotAvailable
from certdesk.foundation.iam.principal import Principal

from . import registry
from .registry import Operation

Line = tuple[str, str, str, str]
"""name, method, path, IAM action"""

LATER: tuple[Line, ...] = ()


def not_available(principal: Principal, **parameters: str) -> NoReturn:
    """Comes with a later release."""
    raise NotAvailable(
        "This operation comes with a later release.", next_step="See the list of operations in the manual."
    )


def enter(lines: tuple[Line, ...]) -> None:
    """Enters each line as an operation that answers 501."""
    for name, method, path, action in lines:
        registry.add(
            Operation(name, method, path, action, not_available, later=True, doc=not_available.__doc__ or "")
        )


enter(LATER)
