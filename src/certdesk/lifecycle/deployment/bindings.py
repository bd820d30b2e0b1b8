"""What a binding should serve, and whether a difference is reported or mended: kept here, nothing is done."""

from collections.abc import Sequence

from certdesk.foundation.audit import actions as audit
from certdesk.foundation.common.errors import BadParameter, WrongState
from certdesk.foundation.common.sql import short_transaction
from certdesk.foundation.iam.principal import Principal

from . import material, queries, rules, states
from .errors import NotDeployable
from .models import Binding, Step
from .states import BindingState

REPORT, MEND = "REPORT", "MEND"
POLICIES = (REPORT, MEND)
HOST_CHOOSES = "Its host takes the certificates that fit its own CSRs; no other can be put there."


def change(
    principal: Principal,
    binding_id: str,
    certificate_id: str | None,
    policy: str | None,
    exempt: Sequence[str] | None = None,
) -> Binding:
    """New policy, certificate, or listeners and names that need not serve it; nothing is deployed by it.

    What MEND does later, it does with the right of whoever set it.

    Raises:
        NoBinding, Forbidden: as `queries.fetch_binding` with `scm:binding:update`.
        NoCertificate, NotDeployable: as `material.checked`; or nothing can be deployed there.
        BadParameter: an unknown policy, or an exemption that is not of the binding or leaves nothing to see.
        WrongState: a deployment to it is under way.
    """
    binding = queries.fetch_binding(principal, queries.UPDATE_BINDING, binding_id)
    if policy is not None and policy not in POLICIES:
        raise BadParameter(f"{policy!r:.20} is no policy.", next_step="Use REPORT or MEND.", field="policy")
    values: dict[str, object] = {} if policy is None else {"policy": policy}
    if policy == MEND:
        values["wanted_by"] = principal.user_id
    if exempt is not None:
        values["exempt"] = _exempt(binding, exempt)
    if certificate_id:
        _check_place(binding)
        certificate, version = material.checked(principal, queries.DEPLOY, certificate_id)
        values |= {
            "certificate_id": certificate.id,
            "version": version.number,
            "fingerprint": version.fingerprint_sha1,
            "wanted_by": principal.user_id,
            "look_at": None,
        }
    with short_transaction():
        now = Binding.objects.select_for_update().get(id=binding.id)
        if Step.objects.filter(binding=now, state__in=states.OPEN).exists():
            raise WrongState(
                "A deployment to it is under way.",
                next_step="Wait until it is over, or cancel it while it waits for its turn; then try again.",
            )
        if values.get("fingerprint", now.fingerprint) != now.fingerprint:
            values["deployment"] = BindingState.NOT_DEPLOYED
        Binding.objects.filter(id=now.id).update(**values)
        audit.record(
            principal,
            queries.UPDATE_BINDING,
            resource=f"binding:{now.id}",
            account_id=now.account_id,
            details={
                "policy": policy or "",
                "certificate": certificate_id or "",
                **({"exempt": list(exempt)} if exempt is not None else {}),
            },
        )
    return queries.fetch_binding(principal, queries.UPDATE_BINDING, binding_id)


def _check_place(binding: Binding) -> None:
    """Nothing is wanted of a place where nobody could see that it is served (DEP-6)."""
    if binding.target.kind == queries.HOSTED:
        raise NotDeployable(HOST_CHOOSES, next_step="Apply for a certificate with the host's CSR.")
    wanted = rules.Wanted(binding.id)
    why = rules.refusal(binding.target.service, wanted, binding.names, binding.listeners)
    if why:
        raise NotDeployable(why, next_step="Change that at the target, look it through again, then go on.")


def _exempt(binding: Binding, given: Sequence[str]) -> list[str]:
    """In the binding's order; something must be left that proves a deployment (DEP-6)."""
    known = [*binding.listeners, *binding.names]
    strange = [one for one in given if one not in known]
    if strange:
        raise BadParameter(
            f"{strange[0]!r:.100} is no listener or name of this binding.",
            next_step="Take it from the binding's listeners and names.",
            field="exempt",
        )
    for whole in (binding.listeners, binding.names):
        if whole and all(one in given for one in whole):
            raise BadParameter(
                "One listener and one name must remain, or nobody could see what is served.",
                next_step="Exempt fewer of them.",
                field="exempt",
            )
    return [one for one in known if one in given]
