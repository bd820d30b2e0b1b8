"""Every operation, once all chapters are read."""

from . import applications, certificates, identity, later, orders, organization
from .registry import Operation, operations

CHAPTERS = (orders, applications, organization, certificates, identity, later)
OPERATIONS: dict[str, Operation] = operations
