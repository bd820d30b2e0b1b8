"""What is asked, when again, and what counts: pure rules, both sides of each limit."""

import secrets
from datetime import UTC, datetime, timedelta

import pytest

from certdesk.foundation.common.errors import BadParameter, Conflict, Forbidden
from certdesk.foundation.iam.person_rules import Person as Officer
from certdesk.lifecycle.validation import organization_rules, rules
from certdesk.pki.x509.names import parse_name

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


def plan(*names: str) -> dict[str, tuple[str, ...]]:
    return {one.record_name: one.names for one in rules.plan([parse_name(name) for name in names])}


def test_names_of_one_authorization_domain_share_one_record():
    assert plan("www.example.com", "example.com", "*.example.com", "a.example.com") == {
        "_dnsauth.example.com": ("www.example.com", "example.com", "*.example.com"),
        "_dnsauth.a.example.com": ("a.example.com",),
    }


def test_under_a_public_suffix_the_record_goes_on_the_name_itself():
    assert plan("www.co.uk") == {"_dnsauth.www.co.uk": ("www.co.uk",)}


def test_a_txt_value_has_64_hex_characters():
    value = rules.record_value("TXT", "dcv.example.net", secrets.token_hex)
    assert len(value) == 64
    assert int(value, 16).bit_length() > 128
    assert value != rules.record_value("TXT", "dcv.example.net", secrets.token_hex)


def test_a_cname_value_is_two_legal_labels_under_the_zone():
    first, second, zone = rules.record_value("CNAME", "dcv.example.net", secrets.token_hex).split(".", 2)
    assert (len(first), len(second), zone) == (32, 32, "dcv.example.net")


@pytest.mark.parametrize(
    ("seconds", "old"), [(30 * 86400 - 1, False), (30 * 86400, False), (30 * 86400 + 1, True)]
)
def test_a_value_lives_30_days(seconds, old):
    assert rules.value_is_old(NOW - timedelta(seconds=seconds), NOW) is old


def test_pauses_grow_from_30_seconds_to_30_minutes():
    waits = [rules.next_delay(count, 1.0) for count in range(1, 12)]
    assert waits[0] == timedelta(seconds=30)
    assert waits == sorted(waits)
    assert waits[-1] == rules.next_delay(10_000, 1.0) == timedelta(minutes=30)
    assert rules.next_delay(1, 0.0) == timedelta(seconds=27)


def test_a_name_is_pending_until_it_was_looked_at():
    assert rules.name_status(proved=False, last_answer="") == "PENDING"
    assert rules.name_status(proved=False, last_answer="NO_RECORD") == "FAILED"
    assert rules.name_status(proved=True, last_answer="NO_RECORD") == "VERIFIED"


def test_the_check_commands_are_those_of_the_guide():
    assert rules.commands("TXT", "_dnsauth.example.com") == (
        "nslookup -q=TXT _dnsauth.example.com",
        "dig +short TXT _dnsauth.example.com",
    )
    assert rules.commands("TXT", "") == ()


def test_the_reuse_period_ends_with_its_last_second():
    assert rules.reuse_since(1, NOW) == NOW - timedelta(seconds=86400)


def test_ev_has_the_longer_checklist_and_two_officers():
    assert len(organization_rules.checklist("EV")) > len(organization_rules.checklist("OV"))
    assert (organization_rules.approvals_needed("OV"), organization_rules.approvals_needed("EV")) == (1, 2)


@pytest.mark.parametrize(
    ("officer", "earlier", "fault"),
    [
        (Officer("o1"), [], None),
        (Officer("o1", "K1"), [Officer("o2", "K2")], None),
        (Officer("o1"), [Officer("o2")], None),  # two who signed in have both no key
        (Officer("a"), [], Forbidden),
        (Officer("o1", "KA"), [], Forbidden),
        (Officer(""), [], Forbidden),
        (Officer("o2"), [Officer("o2")], Conflict),
        (Officer("o3", "K2"), [Officer("o2", "K2")], Conflict),
    ],
)
def test_who_may_decide(officer, earlier, fault):
    applicant = Officer("a", "KA")
    if fault is None:
        organization_rules.check_officer(officer, applicant, earlier)
    else:
        with pytest.raises(fault):
            organization_rules.check_officer(officer, applicant, earlier)


def test_without_a_registration_number_the_checklist_says_what_the_certificate_will_say():
    plain, bare = organization_rules.checklist("EV"), organization_rules.checklist("EV", numbered=False)
    assert [one.id for one in plain] == [one.id for one in bare]
    assert [one.text for one in bare if "Not stated" in one.text]
    assert not [one.text for one in plain if "Not stated" in one.text]
    assert organization_rules.checklist("OV", numbered=False) == organization_rules.checklist("OV")


@pytest.mark.parametrize(
    ("level", "number", "known", "decided", "good"),
    [
        ("EV", "HRB 1", "", False, True),
        ("EV", "HRB 1", "HRB 1", True, True),
        ("EV", "HRB 2", "HRB 1", False, False),
        ("EV", "HRB 1", "", True, False),
        ("EV", "HRB_1", "", False, False),
        ("EV", "1" * 64, "", False, False),
        ("OV", "HRB 1", "", False, False),
    ],
)
def test_an_officer_adds_a_registration_number_to_ev_only(level, number, known, decided, good):
    if good:
        organization_rules.check_number(level, number, known=known, decided=decided)
        return
    with pytest.raises(BadParameter) as refused:
        organization_rules.check_number(level, number, known=known, decided=decided)
    assert refused.value.field == "registration_number"


ALL = [item.id for item in organization_rules.checklist("OV")]


@pytest.mark.parametrize(
    ("approve", "checked", "reason", "field"),
    [
        (True, ALL, "", None),
        (True, ALL[1:], "", "checked"),
        (True, [*ALL, "moon"], "", "checked"),
        (False, [], "The licence expired.", None),
        (False, [], "  ", "reason"),
        (False, [], "x" * 500, None),
        (False, [], "x" * 501, "reason"),
    ],
)
def test_an_approval_ticks_everything_and_a_rejection_has_a_reason(approve, checked, reason, field):
    if field is None:
        organization_rules.check_decision("OV", approve=approve, checked=checked, reason=reason)
    else:
        with pytest.raises(BadParameter) as caught:
            organization_rules.check_decision("OV", approve=approve, checked=checked, reason=reason)
        assert caught.value.field == field
