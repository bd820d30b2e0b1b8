"""What a place serves now, as a bundle with its key, where it is a certificate of this account.

Only for kinds of targets that do not give private keys out: their way back is ours (`targets.returning`).
"""

from certdesk.connectors.targets import registry
from certdesk.connectors.targets.protocol import Bundle, Reason, Snapshot, Target, TargetError
from certdesk.connectors.targets.returning import ReturnsFromInventory
from certdesk.foundation.common.errors import CertdeskError
from certdesk.foundation.jobs import rights
from certdesk.foundation.jobs.models import Job
from certdesk.lifecycle.certificates import queries as certificates
from certdesk.lifecycle.certificates.models import Version

from . import material, queries
from .models import Binding


def of(job: Job, binding: Binding) -> Bundle | None:
    """None where the kind needs none, the certificate is foreign, its key not here, or the right missing."""
    kind = registry.KINDS.get(binding.target.kind)
    if kind is None or not kind.keeps_keys or not binding.served_certificate_id:
        return None
    try:
        principal = rights.principal_for(job)
        certificate = certificates.fetch(principal, queries.DEPLOY, binding.served_certificate_id)
        found = Version.objects.filter(certificate=certificate, fingerprint_sha1=binding.served).first()
        if found is None or not material.held(found, certificate.account_id):
            return None
        return material.of(principal, certificate, found, queries.DEPLOY).bundle
    except CertdeskError:
        return None


async def snapshot(target: Target, resource: str, previous: Bundle | None) -> Snapshot:
    """What the target makes of ours, where that is what it serves, or else its own.

    Raises:
        TargetError: as `Target.snapshot`.
    """
    if previous is not None and isinstance(target, ReturnsFromInventory):
        try:
            return await target.snapshot_of(resource, previous)
        except TargetError as error:
            if error.reason is not Reason.NO_WAY_BACK:
                raise
    return await target.snapshot(resource)
