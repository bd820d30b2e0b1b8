"""Reads of targets, bindings, deployments and pushes."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Q, QuerySet

from certdesk.foundation.common import clock, sql
from certdesk.foundation.iam import queries as iam
from certdesk.foundation.iam.principal import Principal, Resource
from certdesk.lifecycle.certificates import rules as certificate_rules
from certdesk.lifecycle.certificates.models import Certificate
from certdesk.lifecycle.certificates.rows import columns as certificate_columns

from . import rules, states
from .errors import NoBinding, NoDeployment
from .models import Binding, Deployment, PushRecord, Step, Target
from .states import BindingState

LIST_BINDINGS, UPDATE_BINDING = "scm:binding:list", "scm:binding:update"
DEPLOY = "scm:cert:deploy"
HOSTED = "agent"
"""The kind of targets that nobody connects to (see `hosted`): nothing is deployed there by a request."""
MOST_OURS = 200
LATEST_PUSHES = 10
MOST_UNSERVED = COUNT_UP_TO = 1_000
"""Counts are exact below this; at it they mean "this many or more"."""


@dataclass(frozen=True, slots=True)
class Place:
    """A binding as one certificate's page shows it."""

    binding: Binding
    state: BindingState
    overwritten: tuple[str, ...]
    refusal: str


def binding_resource(account_id: str, binding_id: str = "") -> Resource:
    return Resource("binding", binding_id, account_id)


def bindings(principal: Principal, target: str = "", certificate: str = "") -> QuerySet[Binding]:
    """The account's bindings that are still there, by id; the caller has asked for `scm:binding:list`."""
    found = Binding.objects.filter(account_id=principal.account_id, gone=False).select_related("target")
    if target:
        found = found.filter(target_id=target)
    if certificate:
        found = found.filter(certificate_id=certificate)
    return found.order_by("id")


def drifting(principal: Principal) -> QuerySet[Binding]:
    """Those that serve something else than they should, as last looked."""
    return bindings(principal).exclude(drift="").exclude(certificate_id="")


def latest_steps(binding: Binding) -> list[Step]:
    """Its last deployments, newest first."""
    found = Step.objects.filter(binding=binding).select_related("deployment")
    return list(found.order_by("-id")[:LATEST_PUSHES])


def of_target(target: Target) -> list[Binding]:
    return list(
        Binding.objects.filter(target=target, gone=False).select_related("target").order_by("resource")
    )


def fetch_binding(principal: Principal, action: str, binding_id: str) -> Binding:
    """Raises `NoBinding` or Forbidden, as everywhere (law 5)."""
    found = Binding.objects.select_related("target").filter(id=binding_id, gone=False).first()
    if found is None or not principal.owns(found.account_id):
        raise NoBinding
    principal.require(action, binding_resource(found.account_id, found.id))
    return found


def regions(principal: Principal, service: str) -> list[str]:
    """Regions in which the account has targets of a service."""
    found = Target.objects.filter(account_id=principal.account_id, service=service).exclude(kind=HOSTED)
    return sorted(set(found.values_list("region", flat=True)))


def services(principal: Principal) -> set[str]:
    """Services of which the account has targets."""
    found = Target.objects.filter(account_id=principal.account_id).exclude(kind=HOSTED)
    return set(found.values_list("service", flat=True))


def targets_in(account_id: str, service: str, project: str) -> list[Target]:
    """The targets that a request's service and project name mean; any of the service for an empty name."""
    rows = Target.objects.filter(account_id=account_id, service=service).exclude(kind=HOSTED)
    found = rows.order_by("created_at", "id")
    return [one for one in found if not project or rules.same_project(one.project, one.region, project)]


def places(
    principal: Principal, certificate: Certificate, fingerprint: str, service: str, region: str
) -> list[Place]:
    """Where a certificate can be deployed in one region of one service, and how it stands there."""
    found = bindings(principal).filter(target__service=service, target__region=region)
    own = tuple(name for name in certificate.sans.split(";") if name)
    return [
        Place(
            one,
            states.of_certificate(
                wanted=one.certificate_id == certificate.id,
                binding=one.deployment,
                served=one.served,
                fingerprint=fingerprint,
            ),
            rules.overwritten(one.names, own),
            rules.refusal(service, rules.Wanted(one.id), one.names, one.listeners),
        )
        for one in found.order_by("target__label", "resource")
    ]


def ours(account_id: str, names: Iterable[str], sha1: str) -> str:
    """Id of the account's certificate with this leaf, any version; found by the index of names."""
    asked = list(names)[:MOST_OURS]
    if not asked or not sha1:
        return ""
    found = sql.row(
        "SELECT v.certificate_id FROM certificates_version v WHERE v.fingerprint_sha1 = %s"
        " AND v.certificate_id IN (SELECT n.certificate_id FROM certificates_certificatename n"
        f" WHERE n.account_id = %s AND n.name IN ({sql.marks(asked)})) ORDER BY v.id LIMIT 1",
        [sha1, account_id, *asked],
    )
    return str(found[0]) if found else ""


def fingerprints(account_id: str, names: Iterable[str]) -> frozenset[str]:
    """SHA-256 of the account's certificates for any of these names, the latest 200."""
    asked = list(names)[:MOST_OURS]
    if not asked:
        return frozenset()
    found = sql.rows(
        "SELECT v.fingerprint_sha256 FROM certificates_version v WHERE v.certificate_id IN"
        " (SELECT n.certificate_id FROM certificates_certificatename n"
        f" WHERE n.account_id = %s AND n.name IN ({sql.marks(asked)})) ORDER BY v.id DESC LIMIT {MOST_OURS}",
        [account_id, *asked],
    )
    return frozenset(str(row[0]) for row in found)


def serving(certificate_id: str) -> tuple[str, ...]:
    """Where a certificate is served as far as is known, in words (DEL-4)."""
    found = Binding.objects.filter(served_certificate_id=certificate_id, gone=False).select_related("target")
    places = [one for one in found.order_by("target__label", "resource") if one.names]
    return tuple(f"{one.target.label}: {', '.join(one.names[:3])}" for one in places)


def serving_counts(account_id: str, certificate_ids: Sequence[str]) -> dict[str, int]:
    """At how many places each of these is served as far as is known; those served nowhere are left out."""
    if not certificate_ids:
        return {}
    rows = sql.rows(
        "SELECT served_certificate_id, COUNT(*) FROM deployment_binding WHERE account_id = %s AND NOT gone"
        f" AND served_certificate_id IN ({sql.marks(certificate_ids)}) GROUP BY served_certificate_id",
        [account_id, *certificate_ids],
    )
    return {str(one): int(count) for one, count in rows}


def unserved(account_id: str) -> list[str]:
    """Certificates that some place should serve and does not, as last looked; at most `MOST_UNSERVED`.

    A deployment that is under way is no fault yet.
    """
    rows = sql.rows(
        "SELECT DISTINCT certificate_id FROM deployment_binding"
        " WHERE account_id = %s AND certificate_id <> '' AND NOT gone AND deployment <> 'DEPLOYING'"
        " AND NOT (deployment = 'DEPLOYED' AND served = fingerprint)"
        f" ORDER BY certificate_id LIMIT {MOST_UNSERVED}",
        [account_id],
    )
    return [str(one) for (one,) in rows]


def committed(principal: Principal, since: datetime) -> int:
    """Deployments begun since then that succeeded, of certificates that the principal may deploy; counted
    up to `COUNT_UP_TO`."""
    where, params = iam.where(principal, DEPLOY, certificate_columns())
    few = (
        "SELECT 1 FROM deployment_deployment d JOIN certificates_certificate c ON c.id = d.certificate_id"
        " WHERE d.account_id = %s AND d.created_at >= %s AND d.state = 'COMMITTED'"
        f" AND {where} LIMIT {COUNT_UP_TO}"
    )
    found = sql.row(
        f"SELECT COUNT(*) FROM ({few}) few", [principal.account_id, clock.to_micros(since), *params]
    )
    return int((found or (0,))[0])


def behind(account_id: str, certificate_id: str, sha1: str) -> list[Binding]:
    """Places that serve the certificate, but not yet the version with this fingerprint, as last looked."""
    found = Binding.objects.filter(account_id=account_id, served_certificate_id=certificate_id, gone=False)
    return [one for one in found.exclude(served=sha1).order_by("id") if one.names]


@dataclass(frozen=True, slots=True)
class Served:
    """At how many places a certificate shall be served, and at how many it was when last looked."""

    wanted: int
    served: int
    failed: int


def served(account_id: str, certificate_ids: Sequence[str]) -> dict[str, Served]:
    """For a page of a list, in one statement; certificates without any place are left out."""
    if not certificate_ids:
        return {}
    rows = sql.rows(
        "SELECT certificate_id, COUNT(*),"
        " SUM(CASE WHEN deployment = 'DEPLOYED' AND served = fingerprint THEN 1 ELSE 0 END),"
        " SUM(CASE WHEN deployment = 'FAILED' THEN 1 ELSE 0 END) FROM deployment_binding"
        f" WHERE account_id = %s AND certificate_id IN ({sql.marks(certificate_ids)}) AND NOT gone"
        " GROUP BY certificate_id",
        [account_id, *certificate_ids],
    )
    return {str(one): Served(int(wanted), int(seen), int(failed)) for one, wanted, seen, failed in rows}


@dataclass(frozen=True, slots=True)
class Known:
    """Ids of certificates by what is known of places: those that some place should serve, that some place
    serves, and that some place should serve and does not."""

    wanted: frozenset[str]
    served: frozenset[str]
    open: frozenset[str]


def known_places(certificates: Sequence[Certificate]) -> Known:
    """What places say of these certificates, in one statement."""
    ids = [one.id for one in certificates]
    found = Binding.objects.filter(account_id__in={one.account_id for one in certificates}, gone=False)
    mine = found.filter(Q(certificate_id__in=ids) | Q(served_certificate_id__in=ids)) if ids else found.none()
    rows = list(mine)
    seen = {one.certificate_id for one in rows if _is_served(one)}
    wanted = {one.certificate_id for one in rows}
    return Known(
        frozenset(wanted),
        frozenset(seen | {one.served_certificate_id for one in rows}) - {""},
        frozenset(one.certificate_id for one in rows if not _is_served(one)),
    )


def _is_served(one: Binding) -> bool:
    return one.deployment == BindingState.DEPLOYED and one.served == one.fingerprint


def deployed(
    account_id: str, certificate_id: str, services: Sequence[str]
) -> dict[str, dict[str, list[Binding]]]:
    """Bindings that serve a certificate as far as is known, by service and region (API §1.6).

    The same as `serving` says: also one that a failed or taken back deployment of another one left there.
    """
    found: dict[str, dict[str, list[Binding]]] = defaultdict(lambda: defaultdict(list))
    rows = Binding.objects.filter(
        account_id=account_id,
        served_certificate_id=certificate_id,
        target__service__in=services,
        gone=False,
    )
    for one in rows.select_related("target").order_by("target__region", "resource"):
        if one.names:
            found[one.target.service][one.target.region].append(one)
    return found


def deployments(principal: Principal, certificate: str = "") -> QuerySet[Deployment]:
    """The account's deployments, newest first; the caller has asked for `scm:cert:deploy`."""
    found = Deployment.objects.filter(account_id=principal.account_id)
    if certificate:
        found = found.filter(certificate_id=certificate)
    return found.order_by("-created_at", "-id")


def fetch_deployment(principal: Principal, deployment_id: str) -> Deployment:
    """Raises `NoDeployment`: missing, of another account, or of a certificate that is not to be seen."""
    found = Deployment.objects.filter(id=deployment_id).first()
    if found is None or not principal.owns(found.account_id) or not may_see(principal, found):
        raise NoDeployment
    return found


def may_see(principal: Principal, deployment: Deployment) -> bool:
    """Whoever may deploy its certificate; deleted ones count as well, for the record."""
    certificate = Certificate.objects.filter(id=deployment.certificate_id).first()
    return certificate is not None and principal.may(DEPLOY, certificate_rules.resource_of(certificate))


def steps(deployment: Deployment) -> list[Step]:
    return list(Step.objects.filter(deployment=deployment).select_related("binding__target").order_by("id"))


def latest_of_target(principal: Principal, target: Target) -> list[Step]:
    """What was sent to the target last, newest first, of certificates that the principal may deploy."""
    found = Step.objects.filter(binding__target=target).select_related("deployment", "binding")
    rows = list(found.order_by("-id")[:LATEST_PUSHES])
    known = Certificate.objects.in_bulk({step.deployment.certificate_id for step in rows})
    seen = {one.id for one in known.values() if principal.may(DEPLOY, certificate_rules.resource_of(one))}
    return [step for step in rows if step.deployment.certificate_id in seen]


def pushes(certificate_id: str) -> list[PushRecord]:
    """The latest 10 push records, newest first (PSH-4)."""
    return list(PushRecord.objects.filter(certificate_id=certificate_id).order_by("-id")[:LATEST_PUSHES])
