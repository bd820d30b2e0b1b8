"""Every operation, once all chapters are read."""

from . import (
    applications,
    book,
    certificates,
    dns_connections,
    domains,
    endings,
    hosting,
    identity,
    later,
    money,
    notices,
    orders,
    organization,
    v2_buying,
)
from .registry import Operation, operations

CHAPTERS = (
    orders,
    money,
    v2_buying,
    applications,
    book,
    organization,
    certificates,
    hosting,
    endings,
    notices,
    dns_connections,
    domains,
    identity,
    later,
)
OPERATIONS: dict[str, Operation] = operations
