"""The pure rules and states of deployments."""

from itertools import product

import pytest

from certdesk.connectors.probe import Seen, Verdict
from certdesk.lifecycle.certificates.states import State
from certdesk.lifecycle.deployment import rules, states
from certdesk.lifecycle.deployment.errors import NotDeployable, StillServed
from certdesk.lifecycle.deployment.rules import Wanted
from certdesk.lifecycle.deployment.states import BindingState, DeploymentState, StepState


# rule: DEP-1
# rule: PSH-1
@pytest.mark.parametrize("state", list(State))
def test_which_states_may_be_deployed(state: State) -> None:
    # rule: REI-9
    if state in (State.ISSUED, State.UPLOAD, State.REISSUING):
        rules.check_deployable(state, "x", has_key=True)
        with pytest.raises(NotDeployable) as refused:
            rules.check_deployable(state, "x", has_key=False)
        assert "Download the certificate" in refused.value.next_step
    else:
        with pytest.raises(NotDeployable, match="'x' cannot be deployed"):
            rules.check_deployable(state, "x", has_key=True)


# rule: DEP-3
# rule: DEP-7
# rule: DEP-8
def test_why_a_binding_is_refused() -> None:
    names, listeners = ["a.example.com"], ["h:443"]
    assert rules.refusal("ELB", Wanted("x", "7"), names, listeners) == ""
    for project in ("", "0"):
        assert rules.refusal("WAF", Wanted("x", project), names, listeners) == ""
    assert rules.refusal("WAF", Wanted("x", "7"), names, listeners) == rules.OTHER_PROJECT
    assert rules.refusal("ELB", Wanted("x"), [], listeners) == rules.NO_NAMES
    assert rules.refusal("ELB", Wanted("x"), names, []) == rules.NO_LISTENER


# rule: DEP-4
def test_names_that_are_overwritten_and_names_that_are_looked_at() -> None:
    before = ["example01.com", "example03.com", "*.example.com"]
    new = ["example01.com", "example02.com"]
    assert rules.overwritten(before, new) == ("example03.com", "*.example.com")
    assert rules.looked_at(before, new) == ("example01.com",)
    assert rules.looked_at(["other.com"], new) == tuple(new)
    assert rules.overwritten(["A.Example.com"], ["*.example.com"]) == ()
    assert rules.overwritten(["*.example.com"], ["*.EXAMPLE.com"]) == ()
    assert len(rules.looked_at([f"n{number}.example.com" for number in range(20)], ["*.example.com"])) == 10


def test_the_first_look_that_failed_speaks() -> None:
    good, bad = Seen("h:443", "a", Verdict.NEW, ""), Seen("h:443", "b", Verdict.PREVIOUS, "")
    assert rules.worst([good]) is None
    assert rules.worst([good, bad]) is bad
    with pytest.raises(ValueError, match="nothing was looked at"):
        rules.worst([])


def test_a_project_name_means_region_or_project() -> None:
    assert rules.same_project("", "r", "r")
    assert not rules.same_project("", "r", "")
    assert rules.same_project("p", "r", "p")
    assert rules.same_project("p", "r", "r")
    assert not rules.same_project("p", "r", "x")


@pytest.mark.parametrize(("one", "two"), list(product(StepState, StepState)))
def test_a_deployment_is_what_its_steps_are(one: StepState, two: StepState) -> None:
    found = states.outcome([one, two])
    held = states.outcome([one, two], paused=True)
    waits = StepState.PLANNED in (one, two) and StepState.RUNNING not in (one, two)
    assert held is (DeploymentState.PAUSED if waits else found)
    both = {one, two}
    if both == {StepState.PLANNED}:
        assert found is DeploymentState.PLANNED
    elif both & {StepState.PLANNED, StepState.RUNNING}:
        assert found is DeploymentState.RUNNING
    elif StepState.FAILED in both:
        assert found is DeploymentState.FAILED
    elif StepState.ROLLED_BACK in both:
        assert found is DeploymentState.ROLLED_BACK
    elif StepState.CANCELLED in both:
        assert found is DeploymentState.CANCELLED
    else:
        assert found is DeploymentState.COMMITTED
    assert (found in states.OVER) is not bool(both & set(states.OPEN))


# rule: DEP-5
@pytest.mark.parametrize("state", list(BindingState))
def test_the_status_on_the_page_of_a_certificate(state: BindingState) -> None:
    def status(*, wanted: bool, served: str) -> BindingState:
        return states.of_certificate(wanted=wanted, binding=state, served=served, fingerprint="new")

    assert status(wanted=False, served="new") is BindingState.NOT_DEPLOYED
    assert status(wanted=True, served="new") is state
    stale = BindingState.NOT_DEPLOYED if state is BindingState.DEPLOYED else state
    assert status(wanted=True, served="old") is stale


def test_many_places_are_cut_short() -> None:
    places = tuple(f"p{number}" for number in range(7))
    assert "p4 and 2 more." in StillServed(places).message
    assert StillServed(places[:2]).message.endswith("p0, p1.")
