"""Tags of certificates, and the search by them (API §1 #16 to #20)."""

from collections.abc import Iterable
from datetime import datetime

from certdesk.foundation.common import clock
from certdesk.foundation.iam.principal import Principal
from certdesk.lifecycle.certificates import rules, tag_rules, tag_search, tags
from certdesk.lifecycle.certificates.rules import Operation
from certdesk.lifecycle.certificates.tag_rules import LISTS, TagCondition, TagPair, TagSearch
from certdesk.lifecycle.certificates.tag_search import Found
from certdesk.lifecycle.renewal import queries as renewals

from .registry import operation
from .schemas import TagBody
from .shapes import Shape, additional
from .tag_schemas import NewTag, TagBatch, TagSearchBody

ONE = "/v3/scm/{resource_id}/tags"
DONE = {"desc": "success"}


def _pairs(given: Iterable[TagBody]) -> list[TagPair]:
    return [TagPair(one.key, one.value) for one in given]


@operation("tags.create", "POST", ONE, tags.CREATE, request=NewTag)
def create(principal: Principal, resource_id: str, body: NewTag) -> Shape:
    """Sets one tag of a certificate; a key that is there takes the new value."""
    tags.put(principal, resource_id, _pairs([body.tag]))
    return DONE


@operation("tags.batch", "POST", f"{ONE}/action", tags.BATCH, request=TagBatch)
def batch(principal: Principal, resource_id: str, body: TagBatch) -> Shape:
    """Sets or removes up to 20 tags; without a value a tag is removed by its key alone."""
    if body.action == "create":
        tags.put(principal, resource_id, _pairs(body.tags), tags.BATCH)
    else:
        tags.remove(principal, resource_id, _pairs(body.tags))
    return DONE


@operation("tags.of_certificate", "GET", ONE, tags.OF_ONE)
def of_certificate(principal: Principal, resource_id: str) -> Shape:
    """The tags of one certificate, by key."""
    return {"tags": _shown(tags.of(principal, resource_id))}


def _shown(pairs: Iterable[TagPair]) -> list[Shape]:
    return [{"key": one.key, "value": one.value} for one in pairs]


@operation("tags.list", "GET", "/v3/scm/tags", tags.ALL)
def listed(principal: Principal) -> Shape:
    """Every key with its values, on certificates that the caller may see."""
    found: dict[str, list[str]] = {}
    for one in tags.counted(principal):
        found.setdefault(one.key, []).append(one.value)
    return {"tags": [{"key": key, "values": values} for key, values in found.items()]}


@operation(
    "tags.search", "POST", "/v3/scm/resource_instances/action", tag_search.SEARCH, request=TagSearchBody
)
def search(principal: Principal, body: TagSearchBody) -> Shape:
    """Certificates by their tags, or how many there are."""
    conditions = {
        name: tuple(TagCondition(one.key, tuple(one.values)) for one in getattr(body, name)) for name in LISTS
    }
    counting = body.action == "count"
    asked = TagSearch(
        **({} if body.without_any_tag else conditions),
        without_any_tag=body.without_any_tag,
        name=tag_rules.read_name(_pairs(body.matches)),
        limit=body.limit,
        offset=body.offset,
        counting=counting,
    )
    now = clock.now()
    page = tag_search.search(principal, asked, now)
    if counting:
        return {"total_count": page.total}
    links = renewals.links([one.row.id for one in page.items])
    return {
        "total_count": page.total,
        "resources": [_resource(one, links[one.row.id], now) for one in page.items],
    }


def _resource(found: Found, link: tuple[str, str], now: datetime) -> Shape:
    row = found.row
    return {
        "resource_id": row.id,
        "resource_name": row.name,
        "tags": _shown(found.tags),
        "resource_detail": {
            "cert_id": row.id,
            "cert_name": row.name,
            "domain": row.domain,
            "cert_type": row.type,
            "cert_brand": row.brand,
            "domain_type": row.domain_type,
            "purchase_period": -(-row.validity_months // 12),
            "expired_time": _millis(row.not_after),
            "order_status": row.state.value,
            "domain_num": row.domain_quota,
            "wildcard_number": row.wildcard_count,
            "sans": additional(row.sans),
            "cert_des": row.description,
            "signature_algorithm": row.signature_algorithm,
            "fail_reason": row.last_failure,
            "partner_order_id": found.order_id,
            "push_support": row.deploy_support,
            "cert_issued_time": _millis(found.issued_at),
            "resource_id": row.id,
            "unsubscribe_support": Operation.UNSUBSCRIBE in rules.offered(row, now),
            "enterprise_project_id": row.enterprise_project_id,
            "origin_cert_id": link[0],
            "renewal_cert_id": link[1],
            "auto_renew_status": int(row.auto_renewal),
            "remain_cert_number": 0,
            "auto_deploy_support": row.deploy_support,
        },
    }


def _millis(moment: datetime | None) -> str:
    """Epoch milliseconds as text; empty when there is none."""
    return "" if moment is None else str(clock.to_micros(moment) // 1000)
