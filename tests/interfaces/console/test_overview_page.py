"""The start page: each figure, and the list that it leads to."""

import re
from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.test import Client

from certdesk.foundation.common import clock
from certdesk.foundation.iam.models import Grant
from certdesk.lifecycle.certificates.models import Certificate
from certdesk.lifecycle.deployment.models import Binding, Deployment, Target
from certdesk.lifecycle.validation import domains
from certdesk.lifecycle.validation.models import Evidence
from tests.support.full_office import fill
from tests.support.inventory import issued
from tests.support.office import Office, open_office

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def office(db: None) -> Iterator[Office]:
    with open_office() as made:
        yield made


def text(client: Client, path: str) -> str:
    answer = client.get(path)
    assert answer.status_code == 200, (path, answer.status_code)
    return re.sub(r"\s+", " ", answer.content.decode())


def figure(page: str, name: str) -> tuple[int, str]:
    """The number of a tile or line, and where it leads."""
    (found,) = re.findall(rf'data-figure="{name}">.*?<a href="([^"]+)">(?:<b>)?([\d,]+)\+?<', page)
    return int(found[1].replace(",", "")), found[0].replace("&amp;", "&")


def test_each_figure_is_the_length_of_its_list(office: Office) -> None:
    """Every number of the page against the rows of the list behind it, page by page."""
    fill(office)
    now = clock.now()
    for place in range(3):
        issued(office.desk.alice, (f"h{place}.example.net",), now=now - timedelta(days=350 - 30 * place))
    Certificate.objects.filter(domain="h0.example.net").update(auto_renewal=True)
    alice = office.client()
    page = text(alice, "/overview")
    links = set(
        re.findall(r'<a href="(/certificates\?[^"]+)">(?:<b>|<span class="cd-week-count">)?([\d,]+)', page)
    )
    assert len(links) > 10
    assert any("ends_from" in url for url, _ in links)
    for url, count in links:
        assert rows(alice, url.replace("&amp;", "&")) == int(count), url


def rows(client: Client, url: str) -> int:
    """Certificates of a list and of the pages behind it."""
    found, page = 0, text(client, url)
    while True:
        found += len(re.findall(r'<tr role="row" data-certificate-id=', page))
        more = re.findall(r'href="(\?[^"]*marker=[^"]*)"', page)
        if not more:
            return found
        page = text(client, "/certificates" + more[-1].replace("&amp;", "&"))


def test_certificates_that_no_place_serves(office: Office) -> None:
    alice, now = office.client(), clock.now()
    served, left = (
        issued(office.desk.alice, (name,), now=now) for name in ("a.example.com", "b.example.com")
    )
    target = Target.objects.create(
        id="t" * 32, account_id=office.desk.account.id, service="ELB", region="r", secret_id="",
        created_at=now, updated_at=now,
    )  # fmt: skip
    common = {"account_id": office.desk.account.id, "target": target, "fingerprint": "f" * 40}
    for number, (one, state) in enumerate([(served, "DEPLOYED"), (left, "FAILED"), (served, "DEPLOYING")]):
        Binding.objects.create(
            id=f"{number:032x}", resource=str(number), certificate_id=one, deployment=state, served="f" * 40,
            **common,
        )  # fmt: skip
    for state in ("COMMITTED", "FAILED"):
        Deployment.objects.create(
            id=f"{state:0>32}", account_id=office.desk.account.id, certificate_id=served, version=1,
            fingerprint="f" * 40, state=state, created_by="", created_at=now,
        )  # fmt: skip
    page = text(alice, "/overview")
    count, url = figure(page, "unserved")
    assert (count, rows(alice, url)) == (1, 1)
    assert left in text(alice, url)
    count, url = figure(page, "served")
    assert count == 1
    assert len(re.findall(r'data-status="COMMITTED"', text(alice, url))) == 1
    assert "FAILED" not in text(alice, url)
    Binding.objects.update(served="0" * 40)
    assert figure(text(alice, "/overview"), "unserved")[0] == 2


# rule: DOM-13
def test_proofs_that_run_out(office: Office) -> None:
    """Both sides of both ends; a newer proof, or a void one, counts for nothing."""
    alice, now = office.client(), clock.now()

    def proved(domain: str, ago: timedelta, **more: object) -> None:
        Evidence.objects.create(
            account_id=office.desk.account.id, authorization_domain=domain, method="DNS",
            br_method="3.2.2.4.7", seen="", at=now - ago, application_id=0, **more,
        )  # fmt: skip

    longest = max(one.until for one in domains.reuse_of(now, now)) - now
    hour, month = timedelta(hours=1), timedelta(days=30)
    proved("over.example.com", longest + hour)
    proved("first.example.com", longest - hour)
    proved("last.example.com", longest - month + hour)
    proved("fresh.example.com", longest - month - hour)
    proved("renewed.example.com", longest - hour)
    proved("renewed.example.com", hour)
    proved("void.example.com", longest - hour, void_at=now)
    count, url = figure(text(alice, "/overview"), "proofs")
    page = text(alice, url)
    assert count == 2
    assert re.findall(r'data-domain="([^"]+)"', page) == ["first.example.com", "last.example.com"]
    assert "30 days more at most" in page
    assert "No domain names yet" not in text(office.client("charlie"), url)


def test_what_needs_this_person_has_its_button(office: Office) -> None:
    made = fill(office)
    page = text(office.client(), "/overview")
    needs = page.partition('id="needs"')[2].partition("</section>")[0]
    assert f'data-certificate-id="{made["paid"]}"' in needs
    assert f'href="/certificates/{made["paid"]}/apply"' in needs
    assert f'href="/certificates/{made["checking"]}/verify"' in needs
    assert made["good"] not in needs
    reader = text(office.client("rita"), "/overview")
    assert 'id="needs"' not in reader
    assert "need the applicant" in reader
    assert "Weekly mail" not in text(office.client("charlie"), "/certificates")


def test_who_sees_what(office: Office) -> None:
    fill(office)
    charlie = text(office.client("charlie"), "/overview")
    assert "Your first certificate" in charlie
    assert "example" not in charlie.partition("<main")[2]
    assert 'data-operation="buy"' in charlie
    officer = office.client("otto").get("/overview")
    assert officer.status_code in (200, 302)
    nobody = office.client("nils")
    assert nobody.get("/overview").headers["Location"] == "/account"
    assert nobody.get("/").headers["Location"] == "/account"
    assert office.client().get("/").headers["Location"] == "/overview"


# rule: IAM-6
def test_a_right_for_one_project_counts_that_project_alone(office: Office) -> None:
    now = clock.now()
    inside, outside = (
        issued(office.desk.alice, (name,), now=now) for name in ("in.example.com", "out.example.com")
    )
    Certificate.objects.filter(id=inside).update(enterprise_project_id="p1")
    Grant.objects.filter(group__account=office.desk.account).update(enterprise_project_id="p1")
    client = office.client()
    page = text(client, "/overview")
    count, url = figure(page, "issued")
    assert (count, rows(client, url)) == (1, 1)
    assert outside not in page


def test_unknown_filters_are_those_of_the_plain_list(office: Office) -> None:
    issued(office.desk.alice, ("a.example.com",), now=clock.now())
    alice = office.client()
    assert (
        rows(alice, "/certificates?ends_from=never&renewal=perhaps&served=yes&issued_since=2026-13-01") == 1
    )
    assert rows(alice, "/certificates?ends_before=0001-01-01") == 0
    assert "ending until" in text(alice, "/certificates?ends_before=2027-01-01")
    assert "from 1 Jan 2026 on" in text(alice, "/certificates?ends_from=2026-01-01")
    assert "They do not renew by themselves." in text(alice, "/certificates?renewal=off")
    assert "They renew by themselves." in text(alice, "/certificates?renewal=on")
    assert rows(office.client("charlie"), "/certificates?served=no") == 0
    assert "Only some deployments are shown." in text(alice, "/deployments?state=FAILED&since=2026-01-01")
    assert "Only some" not in text(alice, "/deployments?state=GONE&since=x")
