"""Sentences with names and figures in them are said in Chinese too."""

import asyncio
import re
import time
from collections.abc import Callable
from datetime import UTC, datetime

import dns.name
import dns.rrset
import pytest
from django.utils.translation import gettext, override

from certdesk.connectors.dns import dnssec
from certdesk.connectors.dns.proof import check_record
from certdesk.foundation.common.errors import CertdeskError
from certdesk.interfaces.words import keys, names
from certdesk.interfaces.words.say import SHAPES, WHOLE, both, language, say
from certdesk.lab.dns_server import LabDns
from certdesk.lifecycle.certificates import tag_rules
from certdesk.lifecycle.certificates.tag_rules import TagCondition, TagPair, TagSearch
from certdesk.pki.x509 import foreign_formats, uploaded_keys

NOW = datetime(2026, 11, 23, tzinfo=UTC)
CARRIERS = (
    (names.SHAPES, "The name 'a' ", "域名“a”"),
    (keys.SHAPES, "The CSR ", "CSR "),
)
BY_ITSELF = {one.shape for one in WHOLE}
OWNER, VALUE, OLD = "_dnsauth.example.com", "0123456789abcdef" * 4, "fedcba9876543210" * 4
RECORDS: dict[str, list[tuple[str, str, str]]] = {
    "nothing": [],
    "the right value": [(OWNER, "TXT", VALUE)],
    "an old value": [(OWNER, "TXT", OLD)],
    "another value": [(OWNER, "TXT", "v=spf1 -all")],
    "too short": [(OWNER, "TXT", VALUE[:20])],
    "quoted": [(OWNER, "TXT", f"\u201c{VALUE}\u201d")],
    "the wrong place": [("example.com", "TXT", VALUE)],
    "the zone twice": [("_dnsauth.example.com.example.com", "TXT", VALUE)],
    "another type": [(OWNER, "A", "192.0.2.1")],
    "an alias": [(OWNER, "CNAME", "elsewhere.example.net"), ("elsewhere.example.net", "TXT", OLD)],
    "a loop": [(OWNER, "CNAME", "a.example.net"), ("a.example.net", "CNAME", OWNER)],
}


def test_each_shape_finds_its_own_sentence() -> None:
    assert [shape for shape in sorted(set(SHAPES)) if not finds_itself(shape)] == []


def finds_itself(shape: str) -> bool:
    parts = {name: "" if name == "wait" else f"<{name}>" for name in re.findall(r"%\((\w+)\)s", shape)}
    filled = shape % parts
    assert say(filled) == filled  # English readers get what was written
    with override("zh-hans"):
        said, meant = in_a_sentence(shape, filled) if shape not in BY_ITSELF else say(filled), gettext(shape)
    if re.search("[a-z]", re.sub(r"%\(\w+\)s", "", shape)):
        return meant != shape and said == meant % parts
    return said == filled  # punctuation alone is nobody's sentence


def in_a_sentence(shape: str, part: str) -> str:
    """What becomes of a part, which is known only where it stands in a sentence of ours."""
    assert say(part) == part or gettext(part) != part
    before, said = next(
        (carrier for shapes, *carrier in CARRIERS if shape in shapes),
        ["The certificate cannot be made: ", "无法生成证书："],
    )
    return say(f"{before}{part}.").removeprefix(said).removesuffix("。")


@pytest.mark.parametrize("situation", RECORDS)
def test_what_the_checks_saw_is_said_in_chinese(situation: str) -> None:
    with LabDns() as dns:
        for owner, kind, value in RECORDS[situation]:
            dns.set(owner, kind, [value])
        seen = asyncio.run(
            check_record(
                owner=OWNER,
                record_type="TXT",
                expected=VALUE,
                resolvers=(dns.server,),
                allow_networks=(),
                now=NOW,
            )
        )
    for sentence in (seen.sentence, seen.cause):
        with override("zh-hans"):
            said = say(sentence)
        assert not sentence or re.search("[\u4e00-\u9fff]", said), sentence
        assert " the " not in said


KEYS = tuple(TagCondition(f"key{number}") for number in range(21))
REFUSALS: dict[str, Callable[[], object]] = {
    "no tags": lambda: tag_rules.check_tags([]),
    "a tag twice": lambda: tag_rules.check_tags([TagPair("a"), TagPair("a", "b")]),
    "an empty key": lambda: tag_rules.check_key(""),
    "a long key": lambda: tag_rules.check_key("k" * 129),
    "a space before a key": lambda: tag_rules.check_key(" k"),
    "a sign in a key": lambda: tag_rules.check_key("k#"),
    "a key of the system": lambda: tag_rules.check_key("_sys_k"),
    "a long value": lambda: tag_rules.check_value("v" * 256),
    "a space after a value": lambda: tag_rules.check_value("v "),
    "a sign in a value": lambda: tag_rules.check_value("v#"),
    "no room": lambda: tag_rules.check_room(map(str, range(20)), ["a"]),
    "a negative offset": lambda: tag_rules.check_search(TagSearch(offset=-1)),
    "many keys": lambda: tag_rules.check_search(TagSearch(tags=KEYS)),
    "a key twice": lambda: tag_rules.check_search(TagSearch(tags=(KEYS[0], KEYS[0]))),
    "a long searched key": lambda: tag_rules.check_search(TagSearch(tags=(TagCondition("k" * 129),))),
    "many values": lambda: tag_rules.check_search(TagSearch(tags=(TagCondition("k", ("v",) * 21),))),
    "a value twice": lambda: tag_rules.check_search(TagSearch(tags=(TagCondition("k", ("v", "v")),))),
    "a long searched value": lambda: tag_rules.check_search(
        TagSearch(tags=(TagCondition("k", ("v" * 256,)),))
    ),
    "another match": lambda: tag_rules.read_name([TagPair("k", "v")]),
    "a match twice": lambda: tag_rules.read_name([TagPair("resource_name"), TagPair("resource_name")]),
    "a long match": lambda: tag_rules.read_name([TagPair("resource_name", "n" * 256)]),
    "a long private key": lambda: uploaded_keys.load("k" * 20_000),
    "a locked private key": lambda: uploaded_keys.load("-----BEGIN ENCRYPTED PRIVATE KEY-----"),
    "no private key": lambda: uploaded_keys.load("hello"),
    "half a private key": lambda: uploaded_keys.load("-----BEGIN PRIVATE KEY-----"),
    "a damaged private key": lambda: uploaded_keys.load(
        "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----"
    ),
}
ENGLISH = re.compile(r"\b(a|the|of|has|have|is|are|was|not|give[n]?|use|with|twice|characters)\b", re.I)


@pytest.mark.parametrize("situation", REFUSALS)
def test_what_the_rooms_refuse_is_said_in_chinese(situation: str) -> None:
    with pytest.raises(CertdeskError) as refused:
        REFUSALS[situation]()
    for sentence in (refused.value.message, refused.value.next_step):
        with override("zh-hans"):
            said = say(sentence)
        unquoted = re.sub(r"'[^']*'|openssl .*", "", said)
        assert re.search("[\u4e00-\u9fff]", said), sentence
        assert not ENGLISH.search(unquoted), said


def test_how_a_foreign_file_is_converted_is_said_in_chinese() -> None:
    """The commands stay as they are typed."""
    advices = {
        *(foreign_formats.of_label(label) for label in foreign_formats._LABELS),
        *(
            foreign_formats.of_bytes(head, key=key)
            for head in (b"", b"0", b"\xfe\xed\xfe\xed")
            for key in (True, False)
        ),
        foreign_formats.PKCS12,
        foreign_formats.PKCS7,
    }
    with override("zh-hans"):
        said = [(say(f"The certificate is {what}."), say(advice)) for what, advice in filter(None, advices)]
    assert len(said) == 9
    for what, advice in said:
        assert not ENGLISH.search(what)
        assert re.match("[\u4e00-\u9fff]", advice)
        assert not re.search(r"\b(and|then)\b", advice)


def test_what_signatures_of_the_dns_lack_is_said_in_chinese() -> None:
    records = dns.rrset.from_text("www.example.com.", 60, "IN", "TXT", "x")
    zone = dns.name.from_text("example.com.")
    with pytest.raises(dnssec.Bogus) as bogus:
        dnssec.verify(records, [], dnssec.Keys(zone, dnssec.Trust.SECURE))
    sentence = f"The question for www.example.com failed: SERVFAIL from 192.0.2.1:53: DNSSEC: {bogus.value}."
    with override("zh-hans"):
        said = say(sentence)
    assert "DNSSEC：www.example.com 的 TXT 记录没有签名" in said


def test_the_more_telling_of_two_shapes_is_said() -> None:
    with override("zh-hans"):
        assert say("There is no user u1 in this group.") == "该用户组中没有用户 u1。"
        assert say("There is no policy p1 at this group.") == "该用户组没有附加策略 p1。"
        assert say("There is no token of that text.") == "没有该 Token。"
        assert (
            say("'admin' cannot be the name of a policy of your own.") == "'admin' 不能作为自定义策略的名称。"
        )
        assert say("Bounced: the other side gave no reason.") == "退信：对方没有说明原因。"
        assert say("Bounced: 550 5.1.1 no such mailbox") == "退信：550 5.1.1 no such mailbox"
        assert say("250 OK: queued as 1") == "250 OK: queued as 1"


def test_what_nobody_knows_stays() -> None:
    with override("zh-hans"):
        assert say("A sentence of somebody else.") == "A sentence of somebody else."


def test_several_sentences_in_a_row() -> None:
    with override("zh-hans"):
        assert say("The name is empty. Choose DNS instead.") == "域名为空。请改用 DNS 验证。"
        assert say("The name is empty. Nobody knows this one.") == "The name is empty. Nobody knows this one."


def test_a_part_is_said_where_it_is_ours_and_left_where_it_is_not() -> None:
    fault = "The CSR asks for a refused name. The name 'plain' ends with a dot."
    with override("zh-hans"):
        assert say(fault) == "CSR 中的域名被拒绝。域名“plain”以点结尾。"
        assert say("There is no certificate scs1. Check the id.") == "证书 scs1 不存在。请检查 ID。"
        assert say("a field: what nobody knows.") == "a field: what nobody knows."


def test_what_is_longer_than_a_sentence_is_left_alone() -> None:
    with override("zh-hans"):
        assert say(f"The name '{'x' * 5000}' ends with a dot.").startswith("The name")


@pytest.mark.parametrize(
    ("step", "said"),
    [
        ("Choose DNS instead.", "域名为空。请改用 DNS 验证。"),
        ("", "域名为空。"),
    ],
)
def test_a_refusal_with_its_next_step(step: str, said: str) -> None:
    error = CertdeskError("The name is empty.", next_step=step)
    assert both(error) == f"The name is empty. {step}".strip()
    with override("zh-hans"):
        assert both(error) == said
        assert (
            both(CertdeskError("Unknown words", next_step=step))
            == f"Unknown words {step and said[5:]}".strip()
        )


@pytest.mark.parametrize(
    ("headers", "wanted"),
    [
        ({}, "en"),
        ({"HTTP_X_LANGUAGE": "zh-cn"}, "zh-hans"),
        ({"HTTP_X_LANGUAGE": "en-us", "HTTP_ACCEPT_LANGUAGE": "zh-CN"}, "en"),
        ({"HTTP_ACCEPT_LANGUAGE": "zh-CN,zh;q=0.9,en;q=0.8"}, "zh-hans"),
        ({"HTTP_ACCEPT_LANGUAGE": "de,zh;q=0.5"}, "en"),
        ({"HTTP_ACCEPT_LANGUAGE": "en;q=0.5,zh-CN"}, "zh-hans"),
        ({"HTTP_X_LANGUAGE": "\x00nonsense"}, "en"),
    ],
)
def test_the_language_of_an_answer(headers: dict[str, str], wanted: str) -> None:
    assert language(headers) == wanted


def test_a_hostile_text_costs_little() -> None:
    evil = "The name of the of the of the 's has has has . . A . A has "
    began = time.process_time()
    with override("zh-hans"):
        for times in (1, 10, 50):
            assert say(evil * times) == evil * times
            assert say("The name is empty. " * times + "Or not.").endswith("Or not.")
    assert time.process_time() - began < 2
