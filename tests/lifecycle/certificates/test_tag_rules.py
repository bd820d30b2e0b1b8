"""What a tag may be, and what a search may ask for: both sides of each limit."""

import pytest

from certdesk.foundation.common.errors import BadParameter
from certdesk.lifecycle.certificates import tag_rules
from certdesk.lifecycle.certificates.tag_rules import LISTS, TagCondition, TagPair, TagSearch


@pytest.mark.parametrize("key", ["a", "k" * 128, "a b", "部门", "é_.:/=+-@9", "_sys", "sys_"])
def test_good_keys(key):
    tag_rules.check_key(key)


@pytest.mark.parametrize(
    ("key", "part"),
    [
        ("", "no characters"),
        ("k" * 129, "129 characters"),
        (" a", "space"),
        ("a ", "space"),
        ("_sys_a", "_sys_"),
        ("a*b", "'*'"),
        ("a,b", "','"),
        ("a\nb", r"\n"),
        ("a\u202eb", r"\u202e"),
        ("a²", "²"),
    ],
)
def test_bad_keys(key, part):
    with pytest.raises(BadParameter) as refused:
        tag_rules.check_key(key)
    assert part in refused.value.message
    assert (refused.value.field, refused.value.code) == ("key", "SCM.0311")


@pytest.mark.parametrize("value", ["", "v" * 255, "安全 1", "_sys_x"])
def test_good_values(value):
    tag_rules.check_value(value)


@pytest.mark.parametrize("value", ["v" * 256, " v", "v|w", "v\x00"])
def test_bad_values(value):
    with pytest.raises(BadParameter) as refused:
        tag_rules.check_value(value)
    assert (refused.value.field, refused.value.code) == ("value", "SCM.0312")


def pairs(count):
    return [TagPair(f"k{number}") for number in range(count)]


@pytest.mark.parametrize(
    ("count", "least", "good"), [(0, 0, True), (0, 1, False), (20, 1, True), (21, 0, False)]
)
def test_how_many_tags_one_request_has(count, least, good):
    if good:
        tag_rules.check_tags(pairs(count), least=least)
        return
    with pytest.raises(BadParameter) as refused:
        tag_rules.check_tags(pairs(count), least=least)
    assert refused.value.code == "SCM.0313"


def test_a_key_stands_once_in_a_request():
    with pytest.raises(BadParameter, match="twice"):
        tag_rules.check_tags([TagPair("a", "1"), TagPair("a", "2")])
    with pytest.raises(BadParameter):
        tag_rules.check_tags([TagPair("a", "1"), TagPair("b", "?")])


def test_a_certificate_has_room_for_20():
    keys = [one.key for one in pairs(20)]
    tag_rules.check_room(keys[:19], ["new"])
    tag_rules.check_room(keys, ["k3"])  # a new value takes no room
    with pytest.raises(BadParameter, match="21 tags"):
        tag_rules.check_room(keys, ["new"])


def conditions(keys, values=0):
    return tuple(
        TagCondition(f"k{key}", tuple(f"v{value}" for value in range(values))) for key in range(keys)
    )


@pytest.mark.parametrize("name", LISTS)
def test_a_search_takes_20_keys_with_20_values(name):
    tag_rules.check_search(TagSearch(**{name: conditions(20, 20)}))
    longest = (TagCondition("k" * 128, ("v" * 255,)),)
    tag_rules.check_search(TagSearch(**{name: longest}))
    for wrong, code in (
        (conditions(21), "SCM.0311"),
        (conditions(1, 21), "SCM.0312"),
        ((TagCondition("a"), TagCondition("a", ("1",))), "SCM.0311"),
        ((TagCondition("a", ("1", "1")),), "SCM.0312"),
        ((TagCondition(""),), "SCM.0311"),
        ((TagCondition("k" * 129),), "SCM.0311"),
        ((TagCondition("k", ("v" * 256,)),), "SCM.0312"),
    ):
        with pytest.raises(BadParameter) as refused:
            tag_rules.check_search(TagSearch(**{name: wrong}))
        assert (refused.value.field, refused.value.code) == (name, code)


@pytest.mark.parametrize(
    ("asked", "field"), [({"limit": 11}, "limit"), ({"offset": -1}, "offset"), ({"offset": 2**31}, "offset")]
)
def test_pages_of_a_search(asked, field):
    with pytest.raises(BadParameter) as refused:
        tag_rules.check_search(TagSearch(**asked))
    assert refused.value.field == field
    tag_rules.check_search(TagSearch(**asked, counting=True))  # a count has no pages


def test_matches_know_the_name_alone():
    assert tag_rules.read_name([]) == ""
    assert tag_rules.read_name([TagPair("resource_name", "v" * 255)]) == "v" * 255
    for wrong in (
        [TagPair("owner", "x")],
        [TagPair("resource_name", "a"), TagPair("resource_name", "b")],
        [TagPair("resource_name", "v" * 256)],
    ):
        with pytest.raises(BadParameter) as refused:
            tag_rules.read_name(wrong)
        assert refused.value.field == "matches"


def test_what_a_text_may_mean():
    assert tag_rules.readings("env") == (TagCondition("env"),)
    assert tag_rules.readings("a=b=c") == (
        TagCondition("a=b=c"),
        TagCondition("a", ("b=c",)),
        TagCondition("a=b", ("c",)),
    )
    assert tag_rules.readings("=x") == (TagCondition("=x"),)
    assert len(tag_rules.readings("a" + "=" * 400)) == 21
