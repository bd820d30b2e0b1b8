"""Pushing: the certificate becomes an object of a service that nothing uses yet (§5.10)."""

from dataclasses import dataclass

from django.db import IntegrityError

from certdesk.connectors.targets.protocol import Bundle, TargetError
from certdesk.connectors.targets.protocol import Resource as Found
from certdesk.connectors.targets.protocol import Target as Connector
from certdesk.foundation.audit import actions as audit
from certdesk.foundation.common import clock
from certdesk.foundation.common.errors import BadParameter, CertdeskError
from certdesk.foundation.common.sql import short_transaction
from certdesk.foundation.iam.principal import Principal
from certdesk.lifecycle.certificates import queries as certificates
from certdesk.lifecycle.certificates.models import Certificate, Version

from . import dialing, material, queries, rules, targets
from .errors import PushRefused
from .models import PushRecord, Service, Target

PUSH = "scm:cert:push"
RECORDS = "scm:cert:get"
NO_SERVICE = "SCM.0030"
SUCCESS = "success"
INVALID_REGION = "Invalid region id."
PUSHED_ALREADY = "This version of the certificate was pushed there already."
FOUND_THERE = "The same certificate is there already, pushed or uploaded."


@dataclass(frozen=True, slots=True)
class Pushed:
    """One project's result: the object's id there, or empty and the reason (API §1 #7)."""

    project: str
    object_id: str
    message: str


def push(principal: Principal, certificate_id: str, service: str, project: str) -> Pushed:
    """Pushes to one service and project.

    Raises:
        NoCertificate, Forbidden, UnderReview, NotDeployable: as `material.checked`.
        PushRefused: SCM.0030 for a service that takes none, SCM.0028 for everything else that failed.
    """
    certificate, version = material.checked(principal, PUSH, certificate_id)
    _check_service(principal, service)
    if service == Service.CDN:
        project = ""
    elif not project:
        raise BadParameter(
            "target_project is missing.", next_step="Name the region or project.", field="target_project"
        )
    result = _push_one(principal, certificate, version, service, project)
    if not result.object_id:
        raise PushRefused(result.message, _next_step(result.message))
    return result


def batch_push(principal: Principal, certificate_id: str, service: str, projects: list[str]) -> list[Pushed]:
    """Pushes to several projects; one that fails blocks no other.

    Raises:
        as `push`, but what goes wrong in a project stands in its result.
    """
    certificate, version = material.checked(principal, PUSH, certificate_id)
    _check_service(principal, service)
    wanted = [""] if service == Service.CDN else list(dict.fromkeys(projects))
    return [_push_one(principal, certificate, version, service, one) for one in wanted]


def records(principal: Principal, certificate_id: str) -> list[PushRecord]:
    """The latest 10, newest first (PSH-4).

    Raises:
        NoCertificate, Forbidden: as `certificates.fetch`.
    """
    return queries.pushes(certificates.fetch(principal, RECORDS, certificate_id).id)


def _check_service(principal: Principal, service: str) -> None:
    if service not in rules.PUSH_SERVICES:
        raise PushRefused(
            f"Certificates cannot be pushed to {service!r:.20}.",
            f"Use {', '.join(rules.PUSH_SERVICES)}.",
            code=NO_SERVICE,
        )
    if not queries.targets_in(principal.account_id, service, ""):
        raise PushRefused(
            f"No target of the service {service} is connected.", "Connect one, then push.", code=NO_SERVICE
        )


def _push_one(
    principal: Principal, certificate: Certificate, version: Version, service: str, project: str
) -> Pushed:
    places = queries.targets_in(certificate.account_id, service, project)
    if not places:
        return _keep(principal, certificate, version, service, Pushed(project, "", INVALID_REGION))
    made = PushRecord.objects.filter(
        certificate_id=certificate.id, version=version.number, service=service, project=project, ok=True
    )
    if made.exists():
        return _keep(principal, certificate, version, service, Pushed(project, "", PUSHED_ALREADY))
    bundle = material.of(principal, certificate, version, PUSH).bundle
    try:
        object_id = _everywhere(places, certificate, version, bundle)
    except CertdeskError as error:
        return _keep(principal, certificate, version, service, Pushed(project, "", str(error)))
    message = SUCCESS if object_id else FOUND_THERE
    return _keep(principal, certificate, version, service, Pushed(project, object_id, message))


def _everywhere(places: list[Target], certificate: Certificate, version: Version, bundle: Bundle) -> str:
    """Pushes to each target that lacks the certificate; the first object's id, empty when all have it."""
    object_id = ""
    for target in places:
        try:
            connector = dialing.connector(target.kind, dialing.options_of(target))
        except TargetError as error:
            raise dialing.refusal(error) from error
        name = f"{certificate.id}-v{version.number}"
        found = dialing.call(lambda: _unless_there(connector, name, bundle), "The push")  # noqa: B023 called at once
        if found is not None:
            with short_transaction():
                binding = targets.enter(target, found)
            object_id = object_id or binding.id
    return object_id


async def _unless_there(connector: Connector, name: str, bundle: Bundle) -> Found | None:
    there = await connector.resources()
    if any(one.fingerprint_sha1 == bundle.fingerprint_sha1 for one in there):
        return None
    return await connector.push(name, bundle)


def _keep(
    principal: Principal, certificate: Certificate, version: Version, service: str, result: Pushed
) -> Pushed:
    """The record of it; two equal pushes at the same time have one success."""
    try:
        with short_transaction():
            PushRecord.objects.create(
                account_id=certificate.account_id,
                certificate_id=certificate.id,
                version=version.number,
                service=service,
                project=result.project,
                object_id=result.object_id,
                ok=bool(result.object_id),
                message=result.message,
                pushed_by=principal.user_id,
                pushed_at=clock.now(),
            )
            audit.record(
                principal,
                PUSH,
                resource=f"cert:{certificate.id}",
                account_id=certificate.account_id,
                details={"service": service, "project": result.project, "ok": bool(result.object_id)},
            )
    except IntegrityError:
        return Pushed(result.project, "", PUSHED_ALREADY)
    return result


def _next_step(message: str) -> str:
    if message == INVALID_REGION:
        return "Use the region or project of a target that is connected."
    return "Deploy it instead." if message in (PUSHED_ALREADY, FOUND_THERE) else ""
