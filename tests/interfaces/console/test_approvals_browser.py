"""Pages of approvals, full and empty, in a real browser: axe, both widths, both languages."""

from typing import Any

import pytest

from tests.interfaces.console.test_console_browser import check, office, session  # noqa: F401 the fixture
from tests.support import browser

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.skipif(browser.CHROMIUM is None, reason=browser.REASON),
    pytest.mark.django_db(transaction=True),
]
DOCUMENT = {"Version": "1.1", "Statement": [{"Effect": "Allow", "Action": ["scm:cert:list"]}]}


def asked(office: Any) -> dict[str, str]:  # noqa: F811
    """Requests in every state, and where they are shown to Bob."""
    from certdesk.foundation.approvals.models import Rule
    from certdesk.foundation.iam import actions as iam
    from certdesk.foundation.iam.principal import Via
    from certdesk.foundation.iam.queries import principal_of
    from certdesk.foundation.jobs import testing
    from certdesk.interfaces.operations import registry

    alice, bob = office.people["alice"], office.people["bob"]
    for one in (alice, bob):
        iam.add_to_group(one, "admins")
    her, him = principal_of(alice, Via.API), principal_of(bob, Via.API)
    for kind in ("delete", "key_export", "policy_change"):
        Rule.objects.create(account_id=alice.account_id, operation=kind, approvals=1, hours=24)
    certificate = office.desk.issued("a-rather-long-name.shop.two-example.com")

    def call(name: str, who: Any = her, **given: Any) -> str:
        found = registry.operations[name]
        body, query = given.pop("body", None), given.pop("query", None)
        _status, answer = registry.perform(found, who, body, query, given)
        return str(answer["approval_id"])  # type: ignore[index,call-overload]

    def decide(request_id: str, decision: str, reason: str = "") -> None:
        found = registry.operations["approvals.decide"]
        registry.perform(found, him, {"decision": decision, "reason": reason}, None, {"id": request_id})
        testing.run_due()

    policy = {"display_name": "looks", "policy": DOCUMENT}
    made = {
        "deletion": call("certificates.delete", certificate_id=certificate),
        "policy": call("policies.create", body=policy),
        "download": call("certificates.download", query={"server": "nginx"}, certificate_id=certificate),
        "rejected": call("policies.create", body={**policy, "display_name": "sees"}),
        "done": call("policies.create", body={**policy, "display_name": "lists"}),
        "rules": call("approvals.set_rules", body={"items": [{"operation": "delete"}]}),
        "his": call("certificates.delete", him, certificate_id=certificate),
    }
    decide(made["download"], "approve")
    decide(made["done"], "approve", "As we agreed on Monday.")
    decide(made["rejected"], "reject", "Nobody needs it.")
    return {**{name: f"/approvals/{one}" for name, one in made.items()}, "certificate": certificate}


def pages(made: dict[str, str]) -> list[str]:
    lists = ["/approvals", "/approvals?show=mine", "/approvals?show=over"]
    certificate = f"/certificates/{made['certificate']}"
    return [*lists, certificate, *(path for name, path in made.items() if name != "certificate")]


@pytest.mark.parametrize("language", ["en", "zh-CN"])
def test_axe_finds_nothing_about_approvals(office: Any, live_server: Any, language: str) -> None:  # noqa: F811
    with browser.open_browser(live_server.url, language, session(office, "bob")) as watched:
        assert check(watched, ["/approvals", "/approvals?show=over"]) == []
    made = asked(office)
    for who in ("bob", "alice"):
        with browser.open_browser(live_server.url, language, session(office, who)) as watched:
            assert check(watched, pages(made)) == []
