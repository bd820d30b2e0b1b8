"""The matrix of rights over the API, generated from the list of operations: every route × everybody who could
ask × own, foreign and missing ids, in the path and in the body. A new route joins by itself."""

from collections.abc import Iterator

import pytest
from django.core.management import call_command
from pytest_django import DjangoDbBlocker

from certdesk.interfaces.operations.index import OPERATIONS
from certdesk.interfaces.operations.registry import Operation
from tests.support import bind
from tests.support.matrix.asking import Ask, ask, ask_unsigned, other_id, told
from tests.support.matrix.bodies import HARMLESS, REFERENCES, NoValue, put, references
from tests.support.matrix.own import NOT_ASKED, NOT_DONE, request_of
from tests.support.matrix.things import Side, kinds_of, two_accounts
from tests.support.signed import Answer

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.server,
    pytest.mark.skipif(bind.NAMED is None, reason=bind.REASON),
]
Sides = tuple[Side, Side]

EVERYBODYS = {"product_id", "name", "zone", "recordset_id", "type"}
"""Kinds that are nobody's own: lines of the catalogue, and names that anybody may ask about. (The id of a
record set is its name and type, and tells nothing; what counts is the connection.)"""


@pytest.fixture(scope="module")
def sides(
    django_db_setup: None, django_db_blocker: DjangoDbBlocker, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Sides]:
    """Made once; each request is undone, and the tables are emptied at the end."""
    with django_db_blocker.unblock():
        try:
            with two_accounts(tmp_path_factory.mktemp("bind")) as made:
                yield made
        finally:
            call_command("flush", verbosity=0, interactive=False)


def good_request(operation: Operation, side: Side) -> Ask:
    try:
        return request_of(operation, side)
    except (KeyError, NoValue) as error:
        pytest.fail(
            f"{operation.name}: the matrix has no good request for this route ({error}). "
            "See tests/support/matrix/__init__.py for the one line to add."
        )


def names() -> list[str]:
    """Routes whose good request is asked."""
    return sorted(name for name, one in OPERATIONS.items() if not one.later and name not in NOT_ASKED)


def with_things() -> list[str]:
    """Routes whose path names something that belongs to somebody."""
    return [name for name in names() if set(kinds_of(OPERATIONS[name]).values()) - EVERYBODYS]


@pytest.mark.parametrize("name", [one for one in names() if one not in NOT_DONE])
def test_owner_and_team_mate_succeed(sides: Sides, name: str) -> None:
    operation, (house, _) = OPERATIONS[name], sides
    for who in ("", "bob"):
        what = good_request(operation, house)
        answer = ask(house.people[who or what.by], operation, what)
        assert answer.status < 300, (who, answer.status, answer.json)


def test_at_least_this_many_good_requests() -> None:
    """The refusals below mean something because the same request, by its owner, succeeds."""
    later = sum(one.later for one in OPERATIONS.values())
    print(  # noqa: T201  # the figures of the run
        f"\n{len(names())} routes asked, {len(NOT_DONE)} of them refused to the owner too,"
        f" {len(NOT_ASKED)} not asked, {later} still to come"
    )
    assert {*NOT_ASKED, *NOT_DONE} <= set(OPERATIONS), "a reason for a route that is no more"
    assert len(names()) - len(NOT_DONE) >= 130
    assert len(NOT_ASKED) + len(NOT_DONE) <= 12


# rule: IAM-5
@pytest.mark.parametrize("name", names())
def test_without_the_right_nobody_gets_through(sides: Sides, name: str) -> None:
    operation, (house, _) = OPERATIONS[name], sides
    what = good_request(operation, house)
    answer = ask(house.people["nils"], operation, what)
    if operation.everyone:
        if kinds_of(operation) or what.headers or what.body:
            assert answer.status in (400, 403, 404), (answer.status, answer.json)
        return
    assert answer.status == 403, (answer.status, answer.json)
    assert any(action in answer.text for action in (operation.action, *operation.also)), answer.text


@pytest.mark.parametrize("name", sorted(set(OPERATIONS) - set(NOT_ASKED)))
def test_without_a_good_signature_nobody_gets_through(sides: Sides, name: str) -> None:
    operation, (house, _) = OPERATIONS[name], sides
    what = (
        Ask(dict.fromkeys(operation.parameters, "x")) if operation.later else good_request(operation, house)
    )
    for answer in (ask(house.people["gone"], operation, what), ask_unsigned(operation, what)):
        assert (answer.status, answer.code) == (401, "APIGW.0301"), (answer.status, answer.json)


@pytest.mark.parametrize("name", with_things())
def test_what_is_of_another_account_is_as_if_it_were_not(sides: Sides, name: str) -> None:
    """The other account's administrator, who may do everything there, with ids of this one."""
    operation, (house, other) = OPERATIONS[name], sides
    what = good_request(operation, house)
    missing = what.with_values(**{key: other_id(what.values[key]) for key in owned(operation)})
    charlie = other.people["alice"]
    foreign, nothing = ask(charlie, operation, what), ask(charlie, operation, missing)
    assert foreign.status in (400, 403, 404), (foreign.status, foreign.json)
    ids = {*what.values.values(), *missing.values.values()}
    assert told(foreign, *ids) == told(nothing, *ids)


def owned(operation: Operation) -> list[str]:
    """Parameters that name what belongs to somebody."""
    return [key for key, kind in kinds_of(operation).items() if kind not in EVERYBODYS]


# rule: IAM-6
@pytest.mark.parametrize(
    "name", [one for one in with_things() if set(owned(OPERATIONS[one])) != {"project_id"}]
)
def test_a_right_in_another_project_reaches_nothing_here(sides: Sides, name: str) -> None:
    """A team mate hears which right is missing, or that there is no such thing; never more."""
    operation, (house, _) = OPERATIONS[name], sides
    answer = ask(house.people["sid"], operation, good_request(operation, house))
    assert answer.status in (403, 404), (answer.status, answer.json)
    if answer.status == 403:
        assert answer.text.startswith("Permission denied: You may not do "), answer.text


@pytest.mark.parametrize("name", with_things())
def test_owner_with_anothers_id_hears_what_he_hears_of_a_missing_one(sides: Sides, name: str) -> None:
    """One parameter at a time: `groups/{mine}/users/{his}` too."""
    operation, (house, other) = OPERATIONS[name], sides
    mine = good_request(operation, house)
    asker = house.people[mine.by]
    if operation.action.startswith(("certdesk:", "scm:issuer:")):
        return  # the operator reaches every account: nothing is foreign to him
    his = good_request(operation, other)
    for key in owned(operation):
        one = his.values[key]
        foreign = ask(asker, operation, mine.with_values(**{key: one}))
        nothing = ask(asker, operation, mine.with_values(**{key: other_id(one)}))
        assert foreign.status in (400, 403, 404), (key, foreign.status, foreign.json)
        assert told(foreign, one, other_id(one)) == told(nothing, one, other_id(one)), key


def made_by(answer: Answer) -> list[str]:
    """Of a thing that was made: its id and its time, new ones each time."""
    made = answer.json if isinstance(answer.json, dict) else {}
    fresh = ("id", "create_time") if answer.status == 201 else ("deployment_id",)
    return [str(made[key]) for key in fresh if made.get(key)]


def with_references() -> list[str]:
    return [name for name in names() if any(references(OPERATIONS[name].request))]


@pytest.mark.parametrize("name", with_references())
def test_an_id_in_a_body_is_checked_too(sides: Sides, name: str) -> None:
    operation, (house, other) = OPERATIONS[name], sides
    for path in references(operation.request):
        field = next(part for part in reversed(path) if part != "*")
        if field not in REFERENCES:
            pytest.fail(
                f"{name}: what does the field {field} name? Say it in REFERENCES or NO_REFERENCE of "
                "tests/support/matrix/bodies.py."
            )
        mine = good_request(operation, house)
        his = other.ids[REFERENCES[field]]
        answers = []
        for one in (his, other_id(his)):
            asked = Ask(mine.values, put(mine.body, path, one), mine.query, mine.headers, mine.by)
            answers.append((ask(house.people[mine.by], operation, asked), one))
        (foreign, _), (nothing, _) = answers
        ids = (his, other_id(his), *made_by(foreign), *made_by(nothing))
        assert told(foreign, *ids) == told(nothing, *ids), path
        if (name, field) not in HARMLESS:
            assert foreign.status in (400, 403, 404), (path, foreign.status, foreign.json)
