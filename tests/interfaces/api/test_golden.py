"""The golden conversations of the contract, word for word, and the helper that compares them."""

from pathlib import Path

import pytest

from certdesk.foundation.common import clock
from certdesk.foundation.iam.principal import system_principal
from certdesk.lifecycle.orders import actions as orders
from tests.support import golden
from tests.support.golden import Different, compare
from tests.support.requests_of import request_for
from tests.support.signed import Person, account, person

GOLDEN = Path(__file__).with_name("golden")


@pytest.fixture
def alice() -> Person:
    owner = account()
    orders.credit(owner.id, "CNY", 100_000_00, "top-up", clock.now(), system_principal(owner.id))
    return person(owner, "alice", "users")


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("file", sorted(GOLDEN.glob("*.json")), ids=lambda file: file.stem)
def test_the_conversation_is_the_one_of_the_file(alice: Person, file: Path) -> None:
    golden.play(alice, file, {"foreign_csr": request_for("www.foreign-example.com").pem})


@pytest.mark.parametrize(
    ("expected", "actual"),
    [
        ({"a": 1}, {"a": 1, "b": 2}),
        ({"a": 1, "b": 2}, {"a": 1}),
        ([1], [1, 2]),
        (1, True),
        ("1", 1),
        ("a", "b"),
        (None, ""),
        ("<x:hex32>", "A" * 32),
        ("<x:millis>", "1600000000000"),
        ("<known>", "other"),
        ("<known:hex32>", "b" * 32),
        ("see <known>.", "see other."),
    ],
)
def test_every_difference_is_one(expected: object, actual: object) -> None:
    with pytest.raises(Different):
        compare(expected, actual, {"known": "a" * 32}, "here")


def test_the_same_is_the_same() -> None:
    values: dict[str, object] = {}
    compare({"id": "<x:hex32>", "n": [1, None]}, {"n": [1, None], "id": "a" * 32}, values, "here")
    compare("see <x>.", f"see {'a' * 32}.", values, "here")
    compare("<x>", "a" * 32, values, "here")
    assert values == {"x": "a" * 32}
