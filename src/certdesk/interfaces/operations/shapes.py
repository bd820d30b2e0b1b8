"""What answers look like on the wire: API §1.2, §1.3, §10. Every required field is always there."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from certdesk.foundation.common.clock import wire
from certdesk.foundation.iam import queries as iam
from certdesk.foundation.iam.principal import Principal
from certdesk.interfaces.words.say import say
from certdesk.lifecycle.applications.models import Application, Contact
from certdesk.lifecycle.catalogue.rules import CertificateType, Product, amount_text
from certdesk.lifecycle.certificates import rules
from certdesk.lifecycle.certificates.models import Certificate, Version
from certdesk.lifecycle.certificates.queries import Row
from certdesk.lifecycle.certificates.states import ROWS, State
from certdesk.lifecycle.orders.models import Coupon, Order, Voucher
from certdesk.lifecycle.orders.rules import billing_status, state_of
from certdesk.lifecycle.validation.automatic import Step
from certdesk.lifecycle.validation.queries import CheckLine, MailLine, NameInfo, ProofInfo
from certdesk.pki.x509.findings import Finding

Shape = dict[str, Any]
MULTI = "MULTI_DOMAIN"


def list_item(row: Row) -> Shape:
    """§1.2."""
    return {
        "id": row.id,
        "name": row.name,
        "domain": row.domain,
        "sans": additional(row.sans),
        "signature_algorithm": row.signature_algorithm,
        "deploy_support": row.deploy_support,
        "type": row.type,
        "brand": row.brand,
        "expire_time": wire(row.not_after),
        "domain_type": row.domain_type,
        "validity_period": row.validity_months,
        "status": row.state.value,
        "domain_count": row.domain_quota,
        "wildcard_count": row.wildcard_count,
        "description": row.description,
        "domain_id": row.account_id,
        "enterprise_project_id": row.enterprise_project_id,
    }


def inventory_items(principal: Principal, rows: Sequence[Row]) -> list[Shape]:
    """§1.2 with what the search has beside it: who owns each, and whether it renews itself."""
    people = iam.names_of(
        principal.account_id,
        {one.owner_id for one in rows if one.owner_id},
        {one.owner_group_id for one in rows if one.owner_group_id},
    )
    return [list_item(one) | _owners(one, people) | {"auto_renewal": one.auto_renewal} for one in rows]


def owners(found: Certificate) -> Shape:
    """Who owns a certificate: always a user, and where one was named a group beside it."""
    users, groups = {found.owner_id} - {""}, {found.owner_group_id} - {""}
    return _owners(found, iam.names_of(found.account_id, users, groups))


def _owners(one: Row | Certificate, people: Mapping[str, str]) -> Shape:
    return {
        "owner": one.owner_id,
        "owner_name": people.get(one.owner_id, ""),
        "owner_group": one.owner_group_id,
        "owner_group_name": people.get(one.owner_group_id, ""),
    }


def additional(names: str) -> str:
    """All names but the primary, which has a field of its own."""
    return names.partition(";")[2]


def certificate(
    found: Certificate,
    version: Version | None,
    application: Application | None,
    contact: Contact | None,
    records: Sequence[NameInfo],
    now: datetime,
) -> Shape:
    """§1.3 and the progress fields of §10."""
    state = rules.state_of(found, now)
    in_force = state in (State.ISSUED, State.UPLOAD, State.REISSUING)
    held = version is not None and bool(version.key_id)
    return {
        "id": found.id,
        "status": state.value,
        "order_id": found.order_id,
        "name": found.name,
        "type": found.type,
        "brand": found.brand,
        "push_support": "ON" if held and in_force else "OFF",
        "revoke_reason": "",
        "signature_algorithm": version.signature_algorithm if version else "",
        "issue_time": wire(version.created_at) if version else "",
        "not_before": wire(found.not_before),
        "not_after": wire(found.not_after),
        "validity_period": found.validity_months,
        "validation_method": application.domain_method if application else "",
        "domain_type": found.domain_type,
        "multi_domain_type": _multi(found),
        "domain": found.domain,
        "sans": additional(found.sans),
        "domain_count": found.domain_quota,
        "wildcard_count": found.wildcard_quota + (found.primary_domain_type == "WILDCARD_DOMAIN"),
        "fingerprint": version.fingerprint_sha1 if version else "",
        "shared": False,
        "application_info": _application_info(application, contact),
        "description": found.description,
        "enterprise_project_id": found.enterprise_project_id,
        "authentification": [_record(one) for one in records if one.record_name],
        **_progress(found, state, now),
    }


def finding(one: Finding) -> Shape:
    """What is odd about an uploaded chain; `certificate` counts from 1, the server's own."""
    return {"code": one.code, "certificate": one.place, "sentence": one.sentence}


def _multi(found: Certificate) -> str:
    if found.domain_type != MULTI:
        return ""
    return "primary_wildcard" if found.primary_domain_type == "WILDCARD_DOMAIN" else "primary_single"


def _application_info(application: Application | None, contact: Contact | None) -> Shape:
    company = application.company if application else {}
    return {
        "country": company.get("country", ""),
        "company_name": company.get("name", ""),
        "company_province": company.get("province", ""),
        "company_city": company.get("city", ""),
        "applicant_name": contact.applicant_name if contact else "",
        "applicant_phone": contact.applicant_phone if contact else "",
        "applicant_email": contact.applicant_email if contact else "",
        "contact_name": contact.contact_name if contact else "",
        "contact_phone": contact.contact_phone if contact else "",
        "contact_email": contact.contact_email if contact else "",
    }


def _record(one: NameInfo) -> Shape:
    return {
        "record_name": one.record_name,
        "record_type": one.record_type,
        "record_value": one.record_value,
        "domain": one.domain,
    }


def _progress(found: Certificate, state: State, now: datetime) -> Shape:
    row = ROWS[state]
    return {
        "progress": row.progress,
        "next_actor": row.next_actor,
        "next_step": say(row.next_step),
        "operations": [operation.value for operation in rules.offered(found, now)],
        "last_failure": _failure(found, state),
        "state_since": wire(found.state_since),
    }


def _failure(found: Certificate, state: State) -> str:
    """An officer's or an issuer's own words stay as they were written."""
    return found.last_failure if state is State.UNPASSED else say(found.last_failure)


def name_info(info: NameInfo) -> Shape:
    """One name of C/domain-verification."""
    return _domain(info)


def proof_info(info: ProofInfo) -> Shape:
    """C/domain-verification."""
    return {
        "method": info.method,
        "auto_dns": info.auto_dns,
        "value_expires_at": wire(info.value_expires_at),
        "next_check_at": wire(info.next_check_at),
        "domains": [_domain(one) for one in info.domains],
        "automatic": [_step(one) for one in info.steps],
    }


def _step(one: Step) -> Shape:
    """One thing that automatic DNS did or met."""
    return {
        "at": wire(one.at),
        "domain": one.domain,
        "step": one.step,
        "ok": one.good,
        "sentence": say(one.sentence),
        "next_step": say(one.next_step),
    }


def _domain(one: NameInfo) -> Shape:
    return {
        "domain": one.domain,
        "authorization_domain": one.authorization_domain,
        "status": str(one.status),
        "record_name": one.record_name,
        "record_type": one.record_type,
        "record_value": one.record_value,
        "file_url": one.file_url,
        "file_content": one.file_content,
        "emails": [mail.address for mail in one.mails],
        "mails": [_mail(mail) for mail in one.mails],
        "mailboxes": list(one.mailboxes),
        "commands": list(one.commands),
        "checks": [_check(check) for check in one.checks],
        "reused": one.reused,
        "verified_at": wire(one.verified_at),
    }


def _mail(mail: MailLine) -> Shape:
    return {
        "address": mail.address,
        "state": mail.state,
        "answer": mail.answer,
        "sent_at": wire(mail.sent_at),
        "times_sent": mail.times_sent,
        "expires_at": wire(mail.expires_at),
        "confirmed_at": wire(mail.used_at),
    }


def _check(check: CheckLine) -> Shape:
    return {
        "at": wire(check.at),
        "perspective": check.perspective,
        "answer": check.answer,
        "seen": say(check.seen),
        "cause": say(check.cause),
    }


def verified(status: str, info: ProofInfo) -> Shape:
    """C/verify."""
    return {
        "status": status,
        "domains": [
            {
                "domain": one.domain,
                "status": str(one.status),
                "checked_at": wire(one.checked_at),
                "seen": say(one.seen),
                "cause": say(one.cause),
            }
            for one in info.domains
        ],
    }


def version(found: Version, current: int) -> Shape:
    status = "REVOKED" if found.revoked_at else ("CURRENT" if found.number == current else "PREVIOUS")
    return {
        "version": found.number,
        "serial": found.serial,
        "fingerprint": found.fingerprint_sha1,
        "fingerprint_sha256": found.fingerprint_sha256,
        "not_before": wire(found.not_before),
        "not_after": wire(found.not_after),
        "status": status,
        "cause": found.cause,
        "issuer": found.issuer,
        "names": found.names.split(";"),
        "key_algorithm": found.key_algorithm,
        "signature_algorithm": found.signature_algorithm,
        "superseded_at": wire(found.superseded_at),
        "revoked_at": wire(found.revoked_at),
    }


def order(found: Order, certificate_ids: Sequence[str], digits: int, now: datetime) -> Shape:
    """Amounts are decimal strings; `status` is the number of the billing API (§5.3)."""
    amounts = {
        name: amount_text(getattr(found, name), digits)
        for name in ("amount", "cash", "voucher", "coupon", "refund")
    }
    return {
        "order_id": found.id,
        "type": found.type,
        "status": billing_status(state_of(found, now)),
        "state": state_of(found, now).value,
        **amounts,
        "currency": found.currency,
        "created_at": wire(found.created_at),
        "paid_at": wire(found.paid_at),
        "closes_at": wire(found.closes_at),
        "unpaid_reason": say(found.unpaid_reason),
        "enterprise_project_id": found.enterprise_project_id,
        "cert_ids": list(certificate_ids),
    }


def voucher(found: Voucher, digits: int) -> Shape:
    return {
        "id": found.id,
        "amount": amount_text(found.amount, digits),
        "remaining": amount_text(found.remaining, digits),
        "currency": found.currency,
        "granted_at": wire(found.granted_at),
        "expires_at": wire(found.expires_at),
        "note": found.note,
    }


def coupon(found: Coupon, digits: int) -> Shape:
    """`percent` is 0 where the discount is an amount."""
    return {
        "id": found.id,
        "code": found.code,
        "percent": found.percent or 0,
        "amount": "" if found.amount is None else amount_text(found.amount, digits),
        "minimum": amount_text(found.minimum, digits),
        "currency": found.currency,
        "granted_at": wire(found.granted_at),
        "expires_at": wire(found.expires_at),
        "order_id": found.order_id,
        "note": found.note,
    }


def product(found: Product, kind: CertificateType, currencies: dict[str, int]) -> Shape:
    """A line of the catalogue (CAT-5, CAT-6)."""
    return {
        "product_id": found.id,
        "cert_brand": found.brand,
        "brand_name": found.brand_title,
        "cert_type": found.type,
        "type_name": found.type_title,
        "level": found.level,
        "domain_type": str(found.domain_type),
        "free": found.free,
        "available": found.available,
        "reason": say(found.reason),
        "issuer": found.issuer,
        "profile": found.profile,
        "validity_months": list(found.validity_months),
        "domain_numbers": list(found.names),
        "wildcard_in_multi": found.wildcard_in_multi,
        "methods": list(found.methods),
        "record_type": found.record_type,
        "key_algorithms": list(found.key_algorithms),
        "scenario": kind.scenario,
        "verification": kind.verification,
        "security_level": kind.security,
        "approval_period": kind.approval,
        "unit_prices": _prices(found.plain_price, currencies),
        "wildcard_unit_prices": _prices(found.wildcard_price, currencies),
    }


def _prices(prices: Any, currencies: dict[str, int]) -> dict[str, str]:
    return {code: amount_text(minor, currencies.get(code, 2)) for code, minor in prices.items()}
