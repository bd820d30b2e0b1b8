"""The older API's certificates: list, details, edit, withdraw, archive (API §1.12)."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from certdesk.foundation.common import clock
from certdesk.foundation.common.errors import BadParameter
from certdesk.foundation.iam.principal import Principal
from certdesk.lifecycle.applications import queries as applications
from certdesk.lifecycle.applications.models import Application
from certdesk.lifecycle.certificates import editing, queries
from certdesk.lifecycle.certificates.filters import ListFilters
from certdesk.lifecycle.certificates.models import Certificate
from certdesk.lifecycle.certificates.queries import Row
from certdesk.lifecycle.certificates.states import State
from certdesk.lifecycle.issuance import actions as issuance
from certdesk.lifecycle.orders import queries as orders
from certdesk.lifecycle.validation import queries as proofs
from certdesk.lifecycle.validation.queries import NameInfo

from . import certificates
from .registry import File, operation
from .schemas import DownloadQuery, EditV2, ListV2Query
from .shapes import Shape
from .v2_buying import V2, check_project

ONE = f"{V2}/cert/{{cert_id}}"
_WORDS = {"CERT_NAME": "name", "DESCRIPTION": "description"}
NO_KEY, NO_VALUE = "SCM.0023", "SCM.0024"


@operation("v2.list", "GET", f"{V2}/certlist", "scm:cert:list", query=ListV2Query)
def list_certificates(principal: Principal, project_id: str, query: ListV2Query) -> Shape:
    """The list of before: row offset, exact total; `free_remain` free certificates can still be had."""
    check_project(principal, project_id)
    given = query.model_dump(exclude={"order_status"})
    filters = ListFilters(**given, status=query.order_status or "ALL")
    page = queries.list_page(principal, filters, clock.now())
    free = orders.free_use(principal)
    return {
        "total": page.total,
        "free_remain": max(0, free.quota - free.used),
        "order_list": [_line(row) for row in page.items],
    }


def _line(row: Row) -> Shape:
    """`purchase_period` is in years, `expired_time` in epoch milliseconds as text, "" when there is none."""
    return {
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
        "cert_des": row.description,
    }


def _millis(moment: datetime | None) -> str:
    return "" if moment is None else str(clock.to_micros(moment) // 1000)


@operation("v2.show", "GET", ONE, certificates.GET)
def show(principal: Principal, project_id: str, cert_id: str) -> Shape:
    """One certificate with its application, in the older API's words."""
    check_project(principal, project_id)
    found = queries.fetch(principal, certificates.GET, cert_id)
    now = clock.now()
    shape = certificates.shown(found, now)
    application = applications.latest(found.id) if found.state != State.UPLOAD else None
    people = dict(shape["application_info"])
    return {
        "cert_id": found.id,
        "order_id": found.order_id,
        "cert_name": found.name,
        "cert_type": found.level,
        "cert_brand": found.brand,
        "domain_type": found.domain_type,
        "domain_name": found.sans or found.domain,
        "domain_number": found.domain_quota,
        "cert_describe": found.description,
        "push_support": shape["push_support"],
        "revoke_reason": shape["revoke_reason"],
        **people,
        "organization_unit": application.company.get("unit", "") if application else "",
        "status": shape["status"],
        "encrypt_type": shape["signature_algorithm"],
        "DNS_push_status": _pushed(found, application),
        "auth": [_proof(one) for one in certificates.records_of(found, application)],
    }


def _pushed(found: Certificate, application: Application | None) -> str:
    """Automatic DNS: NONE where it was not asked for, OFF where its last step failed."""
    if application is None or not application.auto_dns or found.state == State.PAID:
        return "NONE"
    steps = proofs.info_of(found).steps
    return "OFF" if steps and not steps[-1].good else "ON"


def _proof(one: NameInfo) -> Shape:
    return {
        "method": one.method,
        "status": str(one.status),
        "domain_name": one.domain,
        "host_record": one.record_name,
        "record_type": one.record_type,
        "record_value": one.record_value,
    }


@operation("v2.edit", "PUT", ONE, "scm:cert:edit", request=EditV2)
def edit(principal: Principal, project_id: str, cert_id: str, body: EditV2) -> Shape:
    """Name (`CERT_NAME`) or description (`DESCRIPTION`), one at a time."""
    check_project(principal, project_id)
    queries.fetch(principal, editing.UPDATE, cert_id)
    field = _WORDS.get(body.modify_key)
    if field is None:
        raise BadParameter(
            f"modify_key {body.modify_key[:20]!r} is not known.",
            next_step=f"Use one of: {', '.join(_WORDS)}.",
            field="modify_key",
            code=NO_KEY,
        )
    with _as_value():
        editing.edit(principal, cert_id, clock.now(), **{field: body.modify_value})
    return {"response_info": "success"}


@contextmanager
def _as_value() -> Iterator[None]:
    """What is wrong with the value has a code of its own in this API."""
    try:
        yield
    except BadParameter as error:
        error.code, error.field = NO_VALUE, "modify_value"
        raise


@operation("v2.cancel", "POST", f"{ONE}/cancel-cert", "scm:cert:cancel")
def cancel(principal: Principal, project_id: str, cert_id: str) -> Shape:
    """Withdraws an application under way (WDR-1)."""
    check_project(principal, project_id)
    issuance.withdraw(principal, cert_id, clock.now())
    return {"cert_id": cert_id, "message": "success"}


@operation("v2.download", "GET", f"{ONE}/cert_file", certificates.DOWNLOAD)
def download(principal: Principal, project_id: str, cert_id: str) -> File:
    """The archive with a folder for each kind of server (ISS-3), as zip."""
    check_project(principal, project_id)
    return certificates.download(principal, cert_id, DownloadQuery())
