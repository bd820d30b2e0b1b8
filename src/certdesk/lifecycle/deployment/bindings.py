"""What a binding should serve, and whether a difference is reported or mended: kept here, nothing is done."""

from certdesk.foundation.audit import actions as audit
from certdesk.foundation.common.errors import BadParameter, WrongState
from certdesk.foundation.common.sql import short_transaction
from certdesk.foundation.iam.principal import Principal

from . import material, queries, states
from .models import Binding, Step
from .states import BindingState

POLICIES = ("REPORT", "MEND")


def change(principal: Principal, binding_id: str, certificate_id: str | None, policy: str | None) -> Binding:
    """New policy or certificate; nothing is deployed by it.

    Raises:
        NoBinding, Forbidden: as `queries.fetch_binding` with `scm:binding:update`.
        NoCertificate, NotDeployable: as `material.checked`.
        BadParameter: an unknown policy.
        WrongState: a deployment to it is under way.
    """
    binding = queries.fetch_binding(principal, queries.UPDATE_BINDING, binding_id)
    if policy is not None and policy not in POLICIES:
        raise BadParameter(f"{policy!r:.20} is no policy.", next_step="Use REPORT or MEND.", field="policy")
    values: dict[str, object] = {} if policy is None else {"policy": policy}
    if certificate_id:
        certificate, version = material.checked(principal, queries.DEPLOY, certificate_id)
        values |= {
            "certificate_id": certificate.id,
            "version": version.number,
            "fingerprint": version.fingerprint_sha1,
        }
    with short_transaction():
        now = Binding.objects.select_for_update().get(id=binding.id)
        if Step.objects.filter(binding=now, state__in=states.OPEN).exists():
            raise WrongState("A deployment to it is under way.", next_step="Wait until it is over.")
        if values.get("fingerprint", now.fingerprint) != now.fingerprint:
            values["deployment"] = BindingState.NOT_DEPLOYED
        Binding.objects.filter(id=now.id).update(**values)
        audit.record(
            principal,
            queries.UPDATE_BINDING,
            resource=f"binding:{now.id}",
            account_id=now.account_id,
            details={"policy": policy or "", "certificate": certificate_id or ""},
        )
    return queries.fetch_binding(principal, queries.UPDATE_BINDING, binding_id)
