"""The states of bindings, steps and deployments, and what follows from them. Pure."""

from collections.abc import Iterable
from enum import StrEnum


class BindingState(StrEnum):
    """What the column *Deployment* says (DEP-5)."""

    NOT_DEPLOYED = "NOT_DEPLOYED"
    DEPLOYING = "DEPLOYING"
    DEPLOYED = "DEPLOYED"
    FAILED = "FAILED"


class StepState(StrEnum):
    """One binding's part of a deployment."""

    PLANNED = "PLANNED"  # nothing was touched yet
    RUNNING = "RUNNING"  # the way back is stored; the target may be touched
    DEPLOYED = "DEPLOYED"
    FAILED = "FAILED"
    ROLLED_BACK = "ROLLED_BACK"


class DeploymentState(StrEnum):
    """The whole."""

    PLANNED = "PLANNED"
    RUNNING = "RUNNING"
    COMMITTED = "COMMITTED"
    ROLLED_BACK = "ROLLED_BACK"
    FAILED = "FAILED"


OPEN = (StepState.PLANNED, StepState.RUNNING)
OVER = (DeploymentState.COMMITTED, DeploymentState.ROLLED_BACK, DeploymentState.FAILED)


def outcome(steps: Iterable[str]) -> DeploymentState:
    """The deployment's state by those of its steps: a failed one is told, whatever became of the others."""
    found = set(steps)
    if found == {StepState.PLANNED}:
        return DeploymentState.PLANNED
    if found & set(OPEN):
        return DeploymentState.RUNNING
    if StepState.FAILED in found:
        return DeploymentState.FAILED
    return DeploymentState.ROLLED_BACK if StepState.ROLLED_BACK in found else DeploymentState.COMMITTED


def of_certificate(*, wanted: bool, binding: str, served: str, fingerprint: str) -> BindingState:
    """A binding's status on the page of one certificate.

    Args:
        wanted: the binding should serve this certificate.
        binding: its own state.
        served, fingerprint: what it serves, and the leaf of the certificate's current version.
    """
    state = BindingState(binding)
    if not wanted:
        return BindingState.NOT_DEPLOYED
    if state is BindingState.DEPLOYED and served != fingerprint:
        return BindingState.NOT_DEPLOYED
    return state
