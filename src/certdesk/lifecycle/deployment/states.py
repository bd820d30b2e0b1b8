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
    CANCELLED = "CANCELLED"  # given up before anything was touched


class DeploymentState(StrEnum):
    """The whole."""

    PLANNED = "PLANNED"
    RUNNING = "RUNNING"
    PAUSED = "PAUSED"  # by a person or by its stop rule; what had begun is over
    COMMITTED = "COMMITTED"
    ROLLED_BACK = "ROLLED_BACK"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"


class Cause(StrEnum):
    """Why a deployment was begun."""

    REQUEST = "REQUEST"  # somebody asked for it
    FOLLOW = "FOLLOW"  # a newer version, or the successor, goes where the old one is
    MEND = "MEND"  # what was served had been changed by somebody else


class Drift(StrEnum):
    """How what a place serves differs from what it should serve."""

    PREVIOUS = "PREVIOUS"  # what the last deployment took the place of
    OURS = "OURS"
    UNKNOWN = "UNKNOWN"
    WRONG_CHAIN = "WRONG_CHAIN"
    NAME_MISMATCH = "NAME_MISMATCH"
    REFUSED = "REFUSED"
    UNREACHABLE = "UNREACHABLE"
    HELD = "HELD"  # the right one is served, but the target itself holds another
    GONE = "GONE"  # the target has no such certificate object any more


MENDABLE = frozenset(
    {Drift.PREVIOUS, Drift.OURS, Drift.UNKNOWN, Drift.WRONG_CHAIN, Drift.NAME_MISMATCH, Drift.HELD}
)
"""What a deployment can put right; the others are there again, or not, by themselves or by a person."""

OPEN = (StepState.PLANNED, StepState.RUNNING)
OVER = (
    DeploymentState.COMMITTED,
    DeploymentState.ROLLED_BACK,
    DeploymentState.FAILED,
    DeploymentState.CANCELLED,
)


def outcome(steps: Iterable[str], *, paused: bool = False) -> DeploymentState:
    """The deployment's state by those of its steps: a failed one is told, whatever became of the others."""
    found = set(steps)
    if found & set(OPEN):
        return _open(found, paused)
    if StepState.FAILED in found:
        return DeploymentState.FAILED
    if StepState.ROLLED_BACK in found:
        return DeploymentState.ROLLED_BACK
    return DeploymentState.CANCELLED if StepState.CANCELLED in found else DeploymentState.COMMITTED


def _open(found: set[str], paused: bool) -> DeploymentState:
    if paused and StepState.RUNNING not in found:
        return DeploymentState.PAUSED
    return DeploymentState.PLANNED if found == {StepState.PLANNED} else DeploymentState.RUNNING


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
