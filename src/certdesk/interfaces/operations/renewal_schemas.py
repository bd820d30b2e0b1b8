"""Requests of renewals (API §10)."""

from pydantic import StrictBool

from .schemas import Body, Number, PageQuery, Word


class AutoRenewal(Body):
    """The switch; `deploy`: the new certificate goes where the old one is served."""

    enabled: StrictBool
    deploy: StrictBool = True


class Renew(Body):
    """The same again, but for what is given here; what differs inherits no remaining validity (REN-5)."""

    effective_time: Number | None = None
    agree_privacy_protection: StrictBool
    is_auto_pay: bool = False
    cert_brand: Word | None = None
    cert_type: Word | None = None
    domain_type: Word | None = None
    domain_numbers: Number | None = None
    primary_domain_type: Word | None = None
    single_domain_number: Number | None = None
    wildcard_domain_number: Number | None = None
    enterprise_project_id: Word | None = None


class CalendarQuery(PageQuery):
    """`by`: MACHINE, CLIENT (its ACME client) or PERSON; empty = all."""

    by: Word = ""
