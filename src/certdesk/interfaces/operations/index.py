"""Every operation, once all chapters are read."""

from . import (
    applications,
    book,
    certificates,
    dns_connections,
    domains,
    identity,
    later,
    money,
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
    dns_connections,
    domains,
    identity,
    later,
)
OPERATIONS: dict[str, Operation] = operations
