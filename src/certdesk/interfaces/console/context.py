"""What stands around every page: navigation with counts, who is signed in, lab clock, private CA."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache
from typing import Any

from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext as _

from certdesk.foundation.approvals import queries as approvals
from certdesk.foundation.common import clock
from certdesk.foundation.iam import agencies, assuming
from certdesk.foundation.iam import queries as iam
from certdesk.foundation.iam.principal import Principal
from certdesk.interfaces.public import figures
from certdesk.lifecycle.catalogue.queries import catalogue
from certdesk.lifecycle.certificates import queries as certificates
from certdesk.lifecycle.certificates.queries import Tab
from certdesk.lifecycle.enrolment import credentials
from certdesk.lifecycle.issuers import setting_up
from certdesk.lifecycle.issuers.queries import any_goes_outside
from certdesk.lifecycle.orders import accounts
from certdesk.lifecycle.validation import organization_queries

from . import signing
from .templatetags.certdesk_ui import duration
from .views import hierarchy
from .views.page import home_of, principal_of

LIST, APPLY, QUEUE = "scm:cert:list", "scm:cert:apply", "scm:organization:list"


@dataclass(frozen=True, slots=True)
class Item:
    label: str
    url: str
    active: bool
    icon: str
    count: int = 0


@dataclass(frozen=True, slots=True)
class Section:
    title: str
    items: tuple[Item, ...]


def shell(request: HttpRequest) -> dict[str, Any]:
    """The context of `base.html`; nothing for those who are not signed in."""
    user = getattr(request, "user", None)
    if user is None or not user.is_authenticated or user.must_change_password or signing.of(request).enrol:
        return {"person": {"name": getattr(user, "name", ""), "account": ""}}
    principal = principal_of(request)
    return {
        "nav": sections(request, principal),
        "person": {"name": home_of(request).name, "account": user.account.name},
        "acting": assuming.about(principal) if principal.agency else None,
        "lab_clock": lab_clock(clock.offset()),
        "private_ca_only": private_ca_only(),
        "scheduler_late": scheduler_late(),
    }


def tab_counts(request: HttpRequest, principal: Principal) -> dict[Tab, int]:
    """How many certificates stand under each tab; counted once a request."""
    kept: dict[Tab, int] | None = getattr(request, "tab_counts", None)
    if kept is None:
        kept = certificates.counts(principal)
        request.tab_counts = kept  # type: ignore[attr-defined]
    return kept


def sections(request: HttpRequest, principal: Principal) -> list[Section]:
    """The pages that the principal may see; an empty section is left out."""
    found = []
    for title, lines in _plan(request, principal):
        items = tuple(
            Item(label, reverse(name), _is_active(request, reverse(name)), icon, count())
            for label, name, icon, action, count in lines
            if not action or principal.may(action)
        )
        if items:
            found.append(Section(title, items))
    return found


@lru_cache(maxsize=1000)
def operates(account_id: str) -> bool:
    """Whether it is the operating account: the first one made, so that stays. Only for what is shown."""
    return account_id == iam.operating_account()


Line = tuple[str, str, str, str, Callable[[], int]]


def _plan(request: HttpRequest, principal: Principal) -> list[tuple[str, list[Line]]]:
    def nothing() -> int:
        return 0

    def yours() -> int:
        return tab_counts(request, principal)[Tab.YOU] if principal.may(APPLY) else 0

    def requests() -> int:
        return organization_queries.pending(principal)

    def decisions() -> int:
        return approvals.waiting_count(principal)

    issuers: list[Line] = []
    if principal.may(setting_up.LIST) and operates(principal.account_id):
        issuers = [(_("Issuers"), "issuers", "file-certificate", setting_up.LIST, nothing)]
    own: list[Line] = [(_("Access keys"), "iam-keys", "key", "", nothing)] if not principal.agency else []
    own += [(_("Switch role"), "iam-switch", "refresh", "", nothing)]
    return [
        (
            "",
            [
                (_("Overview"), "overview", "layout-dashboard", LIST, nothing),
                (_("Certificates"), "certificates", "certificate", LIST, yours),
            ],
        ),
        (
            _("Work"),
            [
                (_("Calendar"), "calendar", "clock", LIST, nothing),
                (_("Orders"), "orders", "receipt", "bss:order:view", nothing),
                (_("Domains"), "domains", "world", "scm:domain:list", nothing),
                (_("DNS"), "dns", "network", "scm:dnsConnection:list", nothing),
                (_("ACME"), "acme", "key", credentials.LIST, nothing),
                (_("Targets"), "targets", "server", "scm:target:list", nothing),
                (_("Hosts"), "hosts", "radar", "scm:agent:list", nothing),
                (_("Discovery"), "discovery", "search", "scm:scan:list", nothing),
                (_("Deployments"), "deployments", "rocket", "scm:cert:deploy", nothing),
                (_("Campaigns"), "campaigns", "broadcast", "scm:campaign:list", nothing),
                (_("Organization checks"), "organizations", "building", QUEUE, requests),
                (_("Approvals"), "approvals", "shield-lock", "", decisions),
                (_("CSR management"), "csrs", "list-search", "scm:csr:list", nothing),
                (_("Contacts and companies"), "contacts", "user", "scm:contact:list", nothing),
                (_("Certificate tools"), "tools", "file-certificate", "scm:tool:use", nothing),
                (_("Tags"), "tags", "tag", "scm:cert:listTags", nothing),
            ],
        ),
        (
            _("People"),
            [
                (_("Users"), "iam-users", "users", "iam:users:list", nothing),
                (_("Groups"), "iam-groups", "building", "iam:groups:list", nothing),
                (_("Policies"), "iam-policies", "shield-lock", "iam:roles:list", nothing),
                (_("Agencies"), "iam-agencies", "building", agencies.LIST, nothing),
                *own,
                (_("Sign-in rules"), "sign-in", "user-check", "iam:signIn:get", nothing),
                (_("Enterprise projects"), "iam-projects", "archive", "eps:enterpriseProjects:list", nothing),
            ],
        ),
        (
            _("Service"),
            [
                (_("Prices"), "prices", "receipt", "scm:certProduct:get", nothing),
                *issuers,
                (_("Private CA"), "authority", "certificate", "", nothing),
                (_("Authorities"), "authorities", "key", hierarchy.LIST, nothing),
                (_("API reference"), "reference", "api", "", nothing),
                (_("Accounts"), "accounts", "users", accounts.LIST, nothing),
                (_("Notifications"), "notifications", "broadcast", "scm:notification:list", nothing),
                (_("Messages"), "outbox", "mail", "scm:message:list", nothing),
                (_("Audit log"), "audit", "list-search", "scm:audit:list", nothing),
                (_("Mail server"), "mail-server", "network", "iam:mailServer:get", nothing),
            ],
        ),
    ]


def _is_active(request: HttpRequest, url: str) -> bool:
    if request.path.startswith("/zones/"):  # a zone's pages belong to its connection
        return url == reverse("dns")
    return request.path == url or request.path.startswith(f"{url}/")


def scheduler_late() -> str:
    """`12 minutes` when nothing that runs by the clock has run for so long; empty when all is well."""
    late = figures.scheduler_late(clock.real_now())
    return duration(timedelta(seconds=late)) if late > figures.LATE["scheduler"] else ""


def lab_clock(offset: timedelta) -> str:
    """`41 days ahead`; empty where nobody moved the clock."""
    if not offset:
        return ""
    shape = _("%(time)s ahead") if offset > timedelta(0) else _("%(time)s behind")
    return shape % {"time": duration(offset)}


def private_ca_only() -> bool:
    """Whether everything that can be bought comes from a private CA (DESIGN §5), by the catalogue and by the
    operator's own order of issuers."""
    private = all(product.profile == "private" for product in catalogue().products if product.available)
    return private and not any_goes_outside()
