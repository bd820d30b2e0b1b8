"""Every operation, once all chapters are read."""

from . import (
    access,
    applications,
    audit,
    book,
    certificates,
    csrs,
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
    people,
    projects,
    tags,
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
    tags,
    csrs,
    people,
    access,
    projects,
    audit,
    later,
)
OPERATIONS: dict[str, Operation] = operations
