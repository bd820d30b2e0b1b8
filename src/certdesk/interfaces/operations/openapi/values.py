"""Closed sets of values, read from the rooms that decide them: the models hold outer limits alone."""

from collections.abc import Iterable
from typing import Any

from pydantic import BaseModel

from certdesk.connectors.dns.providers.registry import KINDS as PROVIDERS
from certdesk.connectors.starttls import Protocol
from certdesk.foundation.approvals import registry as approvals
from certdesk.interfaces.operations import (
    approval_schemas,
    campaign_schemas,
    discovery_schemas,
    money_schemas,
    people_schemas,
    schemas,
    tag_schemas,
)
from certdesk.interfaces.operations.registry import operations
from certdesk.lifecycle.applications import methods
from certdesk.lifecycle.applications.rules import HASH_ALGORITHMS
from certdesk.lifecycle.bulk import rules as bulk
from certdesk.lifecycle.bulk.models import Verdict
from certdesk.lifecycle.campaigns import rules as campaigns
from certdesk.lifecycle.campaigns.states import ItemState
from certdesk.lifecycle.catalogue import price_rules
from certdesk.lifecycle.catalogue.rules import DomainType
from certdesk.lifecycle.certificates import csr_rules
from certdesk.lifecycle.certificates.filters import ORDERS, PAGE_SIZES, STATUSES, Sort, SortKey
from certdesk.lifecycle.discovery import adopting
from certdesk.lifecycle.discovery.models import Repeat
from certdesk.lifecycle.discovery.rules import Verdict as EndpointVerdict
from certdesk.lifecycle.issuance.revocation_rules import Code
from certdesk.lifecycle.orders import rules as orders
from certdesk.lifecycle.orders.states import OrderState
from certdesk.lifecycle.validation import organization_method
from certdesk.lifecycle.validation import organization_queries as organization
from certdesk.pki.x509.bundles import ServerType

ANY = ("",)
"""The empty text means: not said."""
ON_OFF = ("active", "inactive")
_ALGORITHMS = csr_rules.ALGORITHMS

VALUES: dict[tuple[type[BaseModel], str], Iterable[object]] = {
    (schemas.Buy, "domain_type"): DomainType,
    (schemas.Buy, "primary_domain_type"): (orders.SINGLE, orders.WILDCARD),
    (schemas.Apply, "domain_method"): methods.METHODS,
    (schemas.Apply, "key_algorithm"): (*ANY, *_ALGORITHMS),
    (schemas.Apply, "ca_hash_algorithm"): (*ANY, *HASH_ALGORITHMS),
    (schemas.ListQuery, "sort_key"): SortKey,
    (schemas.ListQuery, "sort_dir"): ("ASC", "DESC"),
    (schemas.ListQuery, "status"): STATUSES,
    (schemas.InventoryFilters, "status"): STATUSES,
    (schemas.InventoryFilters, "sort"): Sort,
    (schemas.InventoryFilters, "order"): ORDERS,
    (schemas.NewBulk, "action"): bulk.Action,
    (schemas.BulkRowsQuery, "verdict"): (*ANY, *Verdict),
    (schemas.DownloadQuery, "server"): ServerType,
    (schemas.Pay, "payment_method"): orders.METHODS,
    (schemas.Decision, "decision"): ("approve", "reject"),
    (approval_schemas.ApprovalDecision, "decision"): ("approve", "reject"),
    (approval_schemas.ApprovalQuery, "whose"): ("all", "mine", "decide"),
    (approval_schemas.ApprovalRule, "operation"): approvals.kinds,
    (campaign_schemas.NewCampaign, "action"): campaigns.Action,
    (campaign_schemas.NewCampaign, "reason_code"): (*ANY, *Code),
    (campaign_schemas.ReportQuery, "state"): (*ANY, *ItemState),
    (discovery_schemas.NewScan, "protocol"): Protocol,
    (discovery_schemas.NewScan, "repeat"): Repeat,
    (discovery_schemas.EndpointQuery, "verdict"): (*ANY, *EndpointVerdict),
    (discovery_schemas.Adoption, "mode"): adopting.MODES,
    (schemas.Method, "method"): organization_method.METHODS,
    (schemas.OrganizationQuery, "level"): (*ANY, *organization.LEVELS),
    (schemas.OrganizationQuery, "method"): (*ANY, *organization_method.METHODS),
    (schemas.NewConnection, "provider"): PROVIDERS,
    (schemas.Prove, "method"): methods.METHODS,
    (schemas.Preflight, "method"): methods.METHODS,
    (money_schemas.OrdersQuery, "status"): (*ANY, *OrderState, "4", "5", "6"),
    (money_schemas.SetPrice, "kind"): (price_rules.PLAIN, price_rules.WILDCARD),
    (money_schemas.PurchaseV2, "domain_type"): DomainType,
    (people_schemas.KeyChange, "status"): ON_OFF,
    (tag_schemas.NewCsr, "private_key_algo"): _ALGORITHMS,
    (tag_schemas.NewCsr, "usage"): csr_rules.USAGES,
}


def of(model: type[BaseModel], field: str) -> dict[str, Any]:
    """What the schema of a field says beside its outer limits; empty where any value may come."""
    if field == "limit" and any(one.query is model for one in operations.values()):
        return {"enum": list(PAGE_SIZES)}
    for one in model.__mro__:
        if (one, field) in VALUES:
            return {"enum": [value if isinstance(value, int) else str(value) for value in VALUES[one, field]]}
    return {}
