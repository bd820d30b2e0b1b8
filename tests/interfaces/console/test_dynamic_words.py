"""Sentences with names and figures in them are said in Chinese too."""

import asyncio
import re
from datetime import UTC, datetime

import pytest
from django.utils.translation import override

from certdesk.connectors.dns.proof import check_record
from certdesk.interfaces.console.dynamic_words import SHAPES, say
from certdesk.lab.dns_server import LabDns

NOW = datetime(2026, 11, 23, tzinfo=UTC)
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


@pytest.mark.parametrize("shape", SHAPES)
def test_each_shape_finds_its_own_sentence(shape: str) -> None:
    filled = re.sub(r"%\((\w+)\)s", lambda part: "" if part[1] == "wait" else f"<{part[1]}>", shape)
    assert say(filled) == filled
    with override("zh-hans"):
        said = say(filled)
    assert re.search("[\u4e00-\u9fff]", said)
    assert set(re.findall("<[a-z]+>", said)) == set(re.findall("<[a-z]+>", filled))


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


def test_what_nobody_knows_stays() -> None:
    with override("zh-hans"):
        assert say("A sentence of somebody else.") == "A sentence of somebody else."
