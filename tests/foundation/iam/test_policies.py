"""The policy evaluator, and its SQL twin, which must agree on every row."""

import sqlite3

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from certdesk.foundation.common.errors import BadParameter, Forbidden, NotFound
from certdesk.foundation.iam import predicates, rules
from certdesk.foundation.iam.principal import PolicyGrant, Principal, Resource, Via, system_principal
from certdesk.foundation.iam.rules import Asker, Effect
from certdesk.foundation.iam.system_policies import SYSTEM_POLICIES

ASKER = Asker("a1", "u1", "alice", "192.0.2.7")


def statement(effect: str, actions: list[str], **more: object) -> dict[str, object]:
    return {"Effect": effect, "Action": actions, **more}


def grant(*statements: dict[str, object], project: str = "", name: str = "p") -> PolicyGrant:
    return PolicyGrant(name, rules.parse({"Version": "1.1", "Statement": list(statements)}), project)


def certificate(**more: str) -> Resource:
    return Resource("cert", **{"id": "scs1", "account_id": "a1", **more})


# rule: IAM-4
def test_deny_wins_over_allow_in_any_order() -> None:
    allow, deny = grant(statement("Allow", ["scm:*:*"])), grant(statement("Deny", ["scm:cert:delete"]))
    for grants in ((allow, deny), (deny, allow)):
        assert not rules.decide(grants, "scm:cert:delete", certificate(), ASKER)
        assert rules.decide(grants, "scm:cert:get", certificate(), ASKER)


def test_default_is_deny() -> None:
    assert not rules.decide((), "scm:cert:get", certificate(), ASKER)


# rule: IAM-9
def test_deny_alone_gives_nothing() -> None:
    assert not rules.decide((grant(statement("Deny", ["scm:cert:delete"])),), "scm:cert:get", None, ASKER)


@pytest.mark.parametrize(
    ("pattern", "action", "matches"),
    [
        ("scm:cert:list", "scm:cert:list", True),
        ("scm:CERT:LIST", "scm:cert:list", True),
        ("scm:cert:list", "scm:Cert:List", True),
        ("scm:cert:list", "scmx:cert:list", False),
        ("scm:cert:*", "scm:cert:autoRenew", True),
        ("scm:*:get", "scm:certtype:get", True),
        ("scm:*:get", "scm:cert:list", False),
        ("*:*:*", "bss:order:pay", True),
        ("*", "bss:order:pay", True),
        ("bss:*", "bss:order:pay", True),
        ("bss:*", "scm:order:pay", False),
        ("scm:cert:list*", "scm:cert:listDeployedResources", True),
        ("scm:cert:purchase", "scm:cert:subscribe", True),
        ("scm:cert:subscribe", "scm:cert:purchase", True),
        ("scm:cert:pur*", "scm:cert:subscribe", True),
        ("scm:cert:complete", "scm:cert:apply", True),
        ("scm:cert:edit", "scm:cert:update", True),
        ("scm:cert:get", "scm:cert:getx", False),
        ("scm:c.rt:get", "scm:cert:get", False),
    ],
)
# rule: IAM-3
def test_actions(pattern: str, action: str, matches: bool) -> None:
    if "." in pattern:
        with pytest.raises(BadParameter):
            grant(statement("Allow", [pattern]))
        return
    assert bool(rules.decide((grant(statement("Allow", [pattern])),), action, None, ASKER)) is matches


@pytest.mark.parametrize(
    "document",
    [
        None,
        [],
        {},
        {"Version": "1.0", "Statement": [statement("Allow", ["scm:cert:get"])]},
        {"Version": "1.1", "Statement": []},
        {"Version": "1.1", "Statement": statement("Allow", ["scm:cert:get"])},
        {"Version": "1.1", "Statement": ["x"]},
        {"Version": "1.1", "Statement": [statement("Allow", ["scm:cert:get"])], "Id": "x"},
        {"Version": "1.1", "Statement": [statement("allow", ["scm:cert:get"])]},
        {"Version": "1.1", "Statement": [statement("Allow", [])]},
        {"Version": "1.1", "Statement": [statement("Allow", [7])]},
        {"Version": "1.1", "Statement": [statement("Allow", ["scm:cert"])]},
        {"Version": "1.1", "Statement": [statement("Allow", ["SCM:cert:get"])]},
        {"Version": "1.1", "Statement": [statement("Allow", ["scm:cert:get:x"])]},
        {"Version": "1.1", "Statement": [statement("Allow", ["scm:cert:get"], NotAction=["x"])]},
        {"Version": "1.1", "Statement": [statement("Allow", ["scm:cert:get"], Resource=["scm:cert"])]},
        {"Version": "1.1", "Statement": [statement("Allow", ["scm:cert:get"], Resource=["scm:cn:*:cert:*"])]},
        {"Version": "1.1", "Statement": [statement("Allow", ["scm:cert:get"], Resource=["scm:*:*:ce*:*"])]},
        {
            "Version": "1.1",
            "Statement": [statement("Allow", ["scm:cert:get"], Resource=["scm:*:*:cert:a*b"])],
        },
        {"Version": "1.1", "Statement": [statement("Allow", ["scm:cert:get"], Resource=["scm:*:*:cert:"])]},
        {"Version": "1.1", "Statement": [statement("Allow", ["scm:cert:get"], Condition={})]},
        {
            "Version": "1.1",
            "Statement": [statement("Allow", ["scm:cert:get"], Condition={"Bool": {"x": ["y"]}})],
        },
        *(
            {"Version": "1.1", "Statement": [statement("Allow", ["scm:cert:get"], Condition=one)]}
            for one in (
                {"Near": {"g:UserId": ["u1"]}},
                {"Bool": {"g:MFAPresent": ["yes"]}},
                {"DateLessThan": {"g:CurrentTime": ["soon"]}},
                {"StringMatch": {"scm:DomainName": ["a*b"]}},
                {"StringMatch": {"scm:DomainName": ["*"]}},
                {"StringMatch": {"scm:DomainName": ["**.example"]}},
                {"StringMatch": {"g:EnterpriseProjectId": ["p*"]}},
                {"StringEquals": {"scm:DomainName": ["b\u00fccher.example"]}},
                {"StringEquals": {"g:ResourceTag/": ["web"]}},
                {"StringEquals": {f"g:ResourceTag/{'k' * 129}": ["web"]}},
                {"StringEquals": {7: ["web"]}},
                {"Bool": {"g:ResourceTag/team": ["true"]}},
                {"DateLessThan": {"g:CurrentTime": ["2026-11-30T12:00:00Z", "2026-12-01T12:00:00Z"]}},
            )
        ),
        {
            "Version": "1.1",
            "Statement": [statement("Allow", ["scm:cert:get"], Condition={"StringEquals": {"g:x": ["y"]}})],
        },
        {
            "Version": "1.1",
            "Statement": [statement("Allow", ["scm:cert:get"], Condition={"StringEquals": ["g:UserId"]})],
        },
        {
            "Version": "1.1",
            "Statement": [
                statement("Allow", ["scm:cert:get"], Condition={"IpAddress": {"g:SourceIp": ["home"]}})
            ],
        },
    ],
)
# rule: IAM-3
def test_a_policy_that_cannot_be_enforced_is_refused(document: object) -> None:
    with pytest.raises(BadParameter):
        rules.parse(document)
    assert rules.parse_stored(document)[0].effect is Effect.DENY  # fails closed


def test_an_unreadable_stored_policy_denies_everything() -> None:
    broken = PolicyGrant("broken", rules.parse_stored({"Version": "9"}))
    everything = grant(statement("Allow", ["*"]))
    decision = rules.decide((everything, broken), "scm:cert:get", certificate(), ASKER)
    assert decision.denied_by == "broken"


@pytest.mark.parametrize("text", ["scm:cert:*", "scm:cert", "SCM:cert:get", ""])
def test_a_question_names_one_action(text: str) -> None:
    rules.check_action("scm:cert:download")
    with pytest.raises(BadParameter) as refused:
        rules.check_action(text)
    assert refused.value.field == "action"


# rule: IAM-6
def test_a_grant_for_one_project_reaches_no_other() -> None:
    grants = (grant(statement("Allow", ["scm:*:*"]), project="p1"),)
    assert rules.decide(grants, "scm:cert:get", certificate(enterprise_project_id="p1"), ASKER)
    assert not rules.decide(grants, "scm:cert:get", certificate(), ASKER)
    assert rules.decide(grants, "scm:cert:list", None, ASKER)


def test_a_limited_deny_does_not_close_the_list() -> None:
    grants = (grant(statement("Allow", ["scm:*:*"])), grant(statement("Deny", ["scm:*:*"]), project="p1"))
    assert rules.decide(grants, "scm:cert:list", None, ASKER)
    assert not rules.decide(grants, "scm:cert:get", certificate(enterprise_project_id="p1"), ASKER)


@pytest.mark.parametrize(
    ("source", "operator", "allowed"),
    [
        ("192.0.2.7", "IpAddress", True),
        ("198.51.100.1", "IpAddress", False),
        ("", "IpAddress", False),
        ("192.0.2.7", "NotIpAddress", False),
        ("198.51.100.1", "NotIpAddress", True),
        ("", "NotIpAddress", True),
    ],
)
def test_source_address(source: str, operator: str, allowed: bool) -> None:
    condition = {operator: {"g:SourceIp": ["192.0.2.0/24"]}}
    grants = (grant(statement("Allow", ["scm:*:*"], Condition=condition)),)
    assert bool(rules.decide(grants, "scm:cert:get", None, Asker("a1", source=source))) is allowed


def on(effect: str, condition: dict[str, object]) -> tuple[PolicyGrant, ...]:
    allows = (grant(statement("Allow", ["scm:*:*"])),) if effect == "Deny" else ()
    return (*allows, grant(statement(effect, ["scm:*:*"], Condition=condition)))


@pytest.mark.parametrize(
    ("effect", "names", "may"),
    [
        ("Allow", ("a.shop.example",), True),
        ("Allow", ("a.shop.example", "b.shop.example"), True),
        ("Allow", ("a.shop.example", "b.example"), False),
        ("Allow", (), False),
        ("Allow", None, True),
        ("Deny", ("a.shop.example", "b.example"), False),
        ("Deny", ("b.example",), True),
        ("Deny", (), True),
        ("Deny", None, True),
    ],
)
# rule: IAM-3
def test_every_name_must_fit_to_allow_and_one_is_enough_to_deny(
    effect: str, names: tuple[str, ...] | None, may: bool
) -> None:
    held = on(effect, {"StringMatch": {"scm:DomainName": ["*.SHOP.example"]}})
    row = Resource("cert", "scs1", "a1", names=names)
    assert bool(rules.decide(held, "scm:cert:get", row, ASKER)) is may


# rule: IAM-3
def test_tags_are_read_only_when_a_policy_asks_for_them() -> None:
    asked: list[int] = []

    def tags() -> tuple[tuple[str, str], ...]:
        asked.append(1)
        return (("team", "web"),)

    row = Resource("cert", "scs1", "a1", tags=tags)
    assert rules.decide((grant(statement("Allow", ["scm:*:*"])),), "scm:cert:get", row, ASKER)
    assert not asked
    assert rules.decide(on("Allow", {"StringEquals": {"g:ResourceTag/team": ["web"]}}), "scm:cert:get", row)
    assert asked
    assert not rules.decide(
        on("Allow", {"StringEquals": {"g:ResourceTag/team": ["Web"]}}), "scm:cert:get", row
    )


def test_a_table_without_names_types_and_tags_is_decided_without_them() -> None:
    for condition, every in (
        ({"StringEquals": {"scm:DomainName": ["a.example"]}}, False),
        ({"StringNotEquals": {"scm:CertificateType": ["DV_SSL_CERT"]}}, True),
        ({"StringNotEquals": {"g:ResourceTag/team": ["web"]}}, True),
        ({"StringMatch": {"g:ResourceTag/team": ["web"]}}, False),
    ):
        held = on("Allow", condition)
        text, _params = predicates.predicate(held, "scm:csr:list", ASKER, predicates.Columns(type="csr"))
        assert text == (predicates.EVERYTHING if every else predicates.NOTHING)
        assert bool(rules.decide(held, "scm:csr:list", Resource("csr", "x", "a1"), ASKER)) is every


def test_user_conditions() -> None:
    condition = {"StringEquals": {"g:UserName": ["alice"]}, "StringNotEquals": {"g:UserId": ["u9"]}}
    grants = (grant(statement("Allow", ["scm:*:*"], Condition=condition)),)
    assert rules.decide(grants, "scm:cert:get", None, ASKER)
    assert not rules.decide(grants, "scm:cert:get", None, Asker("a1", "u9", "alice"))


# rule: IAM-5
def test_require_names_the_missing_action_and_hides_other_accounts() -> None:
    alice = Principal("a1", "u1", "alice", Via.API, grants=(grant(statement("Allow", ["scm:cert:get"])),))
    alice.require("scm:cert:get", certificate())
    with pytest.raises(Forbidden) as refused:
        alice.require("scm:cert:delete", certificate())
    assert refused.value.details["action"] == "scm:cert:delete"
    assert "scm:cert:delete" in str(refused.value)
    with pytest.raises(NotFound):
        alice.require("scm:cert:get", certificate(account_id="a2"))
    assert not alice.may("scm:cert:get", certificate(account_id="a2"))


def test_a_deny_is_named_in_the_refusal() -> None:
    grants = (grant(statement("Allow", ["*"])), grant(statement("Deny", ["scm:cert:get"]), name="no reading"))
    with pytest.raises(Forbidden, match="no reading"):
        Principal("a1", "u1", "alice", Via.API, grants=grants).require("scm:cert:get")


def test_the_house_may_everything_in_its_account() -> None:
    house = system_principal("a1", "issuance.place")
    assert house.actor == "job:issuance.place"
    assert house.may("scm:organization:decide", certificate())
    assert not house.may("scm:cert:get", certificate(account_id="a2"))
    assert system_principal("").may("scm:cert:get", certificate(account_id="a2"))
    assert system_principal("").actor == "system"
    assert Principal("a1", "u1", "alice", Via.API).actor == "user:u1"


# rule: IAM-2
def test_system_policies_can_be_read_and_only_the_officer_decides() -> None:
    holders = [
        name
        for name, (_, document) in SYSTEM_POLICIES.items()
        if rules.decide((PolicyGrant(name, rules.parse(document)),), "scm:organization:decide", None, ASKER)
    ]
    assert holders == ["SCM RA Officer"]  # rule: ORG-5


@pytest.mark.parametrize("action", ["cancel", "purchase", "apply", "delete", "download", "revoke", "upload"])
# rule: IAM-2
def test_read_only_changes_nothing(action: str) -> None:
    reader = (PolicyGrant("r", rules.parse(SYSTEM_POLICIES["SCM ReadOnlyAccess"][1])),)
    assert not rules.decide(reader, f"scm:cert:{action}", None, ASKER)
    assert rules.decide(reader, "scm:cert:list", None, ASKER)


# --- the SQL twin --------------------------------------------------------------------------------

ROWS = [
    (f"{prefix}{number}", project, owner)
    for prefix in ("scs", "SCS")
    for number in (1, 12, 2)
    for project in ("0", "p1")
    for owner in ("u1", "u2")
]
ACTIONS = ["scm:cert:get", "scm:cert:*", "*", "bss:*", "scm:cert:delete"]
RESOURCES = ["scm:*:*:cert:*", "scm:*:a1:cert:scs1", "scm:*:a2:*:*", "scm:*:*:cert:scs1*", "*:*:*:order:*"]
CONDITIONS = [
    {"StringEquals": {"g:EnterpriseProjectId": ["p1"]}},
    {"StringNotEquals": {"g:EnterpriseProjectId": ["p1"]}},
    {"StringEquals": {"scm:Owner": ["u1"]}},
    {"StringEquals": {"g:UserName": ["alice", "bob"]}},
    {"IpAddress": {"g:SourceIp": ["10.0.0.0/8"]}},
]
statements = st.builds(
    lambda effect, actions, resources, condition: statement(
        effect,
        actions,
        **({"Resource": resources} if resources else {}),
        **({"Condition": condition} if condition else {}),
    ),
    st.sampled_from(["Allow", "Allow", "Deny"]),
    st.lists(st.sampled_from(ACTIONS), min_size=1, max_size=2),
    st.lists(st.sampled_from(RESOURCES), max_size=2),
    st.one_of(st.none(), st.sampled_from(CONDITIONS)),
)
grants = st.lists(
    st.builds(
        lambda one, project: grant(*one, project=project),
        st.lists(statements, min_size=1, max_size=3),
        st.sampled_from(["", "", "p1"]),
    ),
    max_size=4,
)


@settings(max_examples=400, deadline=None)
@given(held=grants)
def test_the_sql_predicate_agrees_with_the_evaluator_on_every_row(held: list[PolicyGrant]) -> None:
    found, params = predicates.predicate(held, "scm:cert:get", ASKER, predicates.Columns())
    with sqlite3.connect(":memory:") as database:
        database.execute(
            "CREATE TABLE c (id TEXT, enterprise_project_id TEXT, owner_id TEXT, account_id TEXT)"
        )
        database.executemany("INSERT INTO c VALUES (?, ?, ?, 'a1')", ROWS)
        selected = set(
            database.execute(
                f"SELECT id, enterprise_project_id, owner_id FROM c WHERE {found.replace('%s', '?')}", params
            )
        )
    database.close()
    expected = {
        (id_, project, owner)
        for id_, project, owner in ROWS
        if rules.decide(held, "scm:cert:get", Resource("cert", id_, "a1", project, owner), ASKER)
    }
    assert selected == expected


@settings(max_examples=400, deadline=None)
@given(held=grants)
def test_evaluator_against_a_plain_oracle(held: list[PolicyGrant]) -> None:
    row = Resource("cert", "scs1", "a1", "p1", "u1")
    effects = [
        one.effect
        for each in held
        for one in each.statements
        if each.project in ("", "p1")
        and any(name in ("scm:cert:get", "scm:cert:*", "*:*:*") for name in one.actions)
        and (not one.resources or any(_oracle_covers(pattern) for pattern in one.resources))
        and all(_oracle_holds(condition) for condition in one.conditions)
    ]
    expected = Effect.ALLOW in effects and Effect.DENY not in effects
    assert rules.decide(held, "scm:cert:get", row, ASKER).allowed is expected


def _oracle_covers(pattern: rules.ResourcePattern) -> bool:
    return pattern.account != "a2" and pattern.type != "order" and "scs1".startswith(pattern.path)


def _oracle_holds(condition: rules.Condition) -> bool:
    truth = {
        "g:EnterpriseProjectId": not condition.negated,
        "scm:Owner": True,
        "g:UserName": True,
        "g:SourceIp": False,
    }
    return truth[condition.key]


def test_a_table_without_the_column_is_decided_by_the_default() -> None:
    columns = predicates.Columns(project="", owner="")
    limited = (grant(statement("Allow", ["*"]), project="p1"),)
    assert predicates.predicate(limited, "scm:cert:get", ASKER, columns)[0] == predicates.NOTHING
    default = (grant(statement("Allow", ["*"]), project="0"),)
    assert predicates.predicate(default, "scm:cert:get", ASKER, columns)[0] == predicates.EVERYTHING
