"""What a view may hold, and which columns there are."""

import pytest

from certdesk.foundation.common.errors import BadParameter
from certdesk.lifecycle.certificates import saved_view_rules as rules
from certdesk.lifecycle.certificates.saved_view_rules import USUAL, Column


def test_a_view_keeps_what_is_said_and_nothing_else() -> None:
    kept = rules.read_query({"status": "ISSUED", "content": "", "sort": "name", "order": "desc"})
    assert kept == {"status": "ISSUED", "sort": "name", "order": "desc"}
    assert rules.as_filters({**kept, "gone_by_now": "x"}, 50).descending


@pytest.mark.parametrize(
    "query",
    [
        {"limit": "10"},
        {"status": 5},
        {"status": "GONE"},
        {"sort": "color"},
        {"order": "up"},
        {"content": "x" * 256},
        {"content": "a\x00b"},
    ],
)
def test_a_view_of_something_else_is_refused(query: dict[str, object]) -> None:
    with pytest.raises(BadParameter):
        rules.read_query(query)


def test_the_longest_texts_are_kept() -> None:
    assert rules.read_query({"content": "x" * 255}) == {"content": "x" * 255}


@pytest.mark.parametrize(("name", "good"), [("x", True), ("x" * 63, True), ("x" * 64, False), (" ", False)])
def test_a_name_has_1_to_63_characters(name: str, good: bool) -> None:
    if good:
        assert rules.check_name(f" {name} ") == name
        return
    with pytest.raises(BadParameter):
        rules.check_name(name)


def test_a_name_without_control_characters() -> None:
    with pytest.raises(BadParameter):
        rules.check_name("a\nb")


def test_columns_come_in_the_order_that_was_chosen_each_once() -> None:
    assert rules.read_columns(["owner", "status", "owner"]) == [Column.OWNER, Column.STATUS]
    assert rules.read_columns([]) == []
    with pytest.raises(BadParameter):
        rules.read_columns(["colour"])


def test_what_was_stored_earlier_and_is_no_column_any_more_is_left_out() -> None:
    assert rules.stored_columns(["gone", "owner"]) == (Column.OWNER,)
    assert rules.stored_columns(["gone"]) == rules.stored_columns(None) == USUAL
