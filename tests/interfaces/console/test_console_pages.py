"""Every page: who may see it, what it shows, what it hides."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from certdesk.foundation.common import clock, settings
from certdesk.foundation.iam import actions as iam
from certdesk.interfaces.console import urls
from certdesk.interfaces.console.context import operates
from certdesk.lifecycle.certificates.models import Certificate
from certdesk.lifecycle.issuers import queries as issuers
from certdesk.lifecycle.issuers.models import Place
from certdesk.lifecycle.issuers.queries import any_goes_outside
from tests.support.full_office import fill
from tests.support.inventory import issued
from tests.support.office import PASSWORD, Office

PAGES = [
    "/certificates",
    "/certificates/buy",
    "/certificates/free",
    "/orders",
    "/balance",
    "/prices",
    "/prices/compare",
    "/outbox",
    "/account",
    "/ca",
    "/contacts",
    "/csrs",
    "/csrs/create",
    "/csrs/upload",
    "/tags",
]
PAGES += ["/domains", "/domains/preflight", "/dns", "/dns/add", "/dns/add?provider=lexicon"]


def text(response: object) -> str:
    return response.content.decode()  # type: ignore[attr-defined,no-any-return]


def test_every_page_declares_its_right() -> None:
    """Law 5: a console page without an IAM action must not exist."""
    for pattern in urls.urlpatterns:
        rights = getattr(pattern.callback, "rights", None)
        assert rights is not None, f"{pattern.pattern} declares no right"
        assert rights.get or rights.post


@pytest.mark.parametrize("language", ["en", "zh-hans"])
@pytest.mark.parametrize("path", PAGES)
def test_pages_stand_when_nothing_is_there(office: Office, path: str, language: str) -> None:
    response = office.client(language=language).get(path)
    assert response.status_code == 200
    assert response.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/certificates/%00", 404),
        ("/orders/%00/receipt", 404),
        ("/organization-verifications/%00", 404),
        ("/certificates?content=%00", 400),
        ("/orders?marker=AAAA", 400),
    ],
)
def test_an_address_with_nul_leads_nowhere(office: Office, path: str, status: int) -> None:
    assert office.client().get(path).status_code == status


@pytest.mark.parametrize("language", ["en", "zh-hans"])
def test_pages_stand_in_the_middle_of_the_work(office: Office, language: str) -> None:
    made = fill(office)
    alice, otto = office.client(language=language), office.client("otto", language)
    pages = [f"/certificates/{one}" for key, one in made.items() if "order" not in key]
    pages += [
        f"/certificates/{made['checking']}/{page}" for page in ("verify", "verify/live", "withdraw", "edit")
    ]
    pages += [f"/certificates/{made['issued']}/{page}" for page in ("download", "verify")]
    pages += [f"/certificates/{made['long']}/verify", f"/certificates/{made['paid']}/apply"]
    pages += [f"/certificates/{made['organization']}/organization"]
    pages += [
        f"/orders/{made['order']}",
        f"/orders/{made['order']}/receipt",
        f"/orders/{made['unpaid order']}",
    ]
    pages += [f"/certificates/buy/confirm/{made['unpaid order']}"]
    for page in [*PAGES, *pages]:
        assert alice.get(page).status_code == 200, page
    for page in (
        "",
        "?status=APPROVED",
        "?status=REJECTED",
        f"/{made['organization']}",
        f"/{made['rejected']}",
    ):
        assert otto.get(f"/organization-verifications{page}").status_code == 200, page


def test_strangers_are_sent_to_the_sign_in_page_and_back(office: Office) -> None:
    response = Client().get("/orders?status=PAID")
    assert response.status_code == 302
    assert response.headers["Location"] == "/login?next=%2Forders%3Fstatus%3DPAID"
    fragment = Client().get("/orders", headers={"HX-Request": "true"})
    assert fragment.headers["HX-Redirect"] == "/login"


def test_signing_in_and_out(office: Office) -> None:
    client = Client()
    wrong = client.post("/login", {"login": "house/alice", "password": "wrong"})
    assert wrong.status_code == 200
    assert 'role="alert"' in text(wrong)
    login = office.people["alice"].login
    right = client.post("/login", {"login": login, "password": PASSWORD})
    assert (right.status_code, right.headers["Location"]) == (302, "/")
    assert client.get("/logout").status_code == 405
    assert client.post("/logout").headers["Location"] == "/login"
    assert client.get("/certificates").status_code == 302


def test_a_given_password_is_changed_before_anything_else(office: Office) -> None:
    user = office.people["bob"]
    user.must_change_password = True
    user.save()
    client = office.client("bob")
    for page in ("/certificates", "/certificates/buy", "/orders"):
        assert client.get(page).headers["Location"] == "/account"
    assert client.get("/orders", headers={"HX-Request": "1"}).headers["HX-Redirect"] == "/account"
    page = client.get("/account")
    assert 'name="old"' not in text(page)
    assert client.post("/account", {"new": "short", "again": "short"}).status_code == 422
    differ = client.post("/account", {"new": "a longer password", "again": "another password"})
    assert "The two new passwords differ" in text(differ)
    same = client.post("/account", {"new": PASSWORD, "again": PASSWORD})
    assert "This is your current password" in text(same)
    done = client.post("/account", {"new": "a longer password", "again": "a longer password"})
    assert done.headers["Location"] == "/"
    assert 'data-code="account.password_changed"' in text(client.get("/certificates"))


def test_an_own_password_is_changed_with_the_old_one(office: Office) -> None:
    client = office.client()
    wrong = client.post(
        "/account", {"old": "nonsense", "new": "a longer password", "again": "a longer password"}
    )
    assert "This is not your current password" in text(wrong)
    done = client.post(
        "/account", {"old": PASSWORD, "new": "a longer password", "again": "a longer password"}
    )
    assert done.status_code == 302
    assert client.get("/account").status_code == 200


def test_the_language_is_chosen_and_kept(office: Office) -> None:
    client = office.client()
    assert (
        client.post("/language", {"language": "zh-hans", "next": "/orders"}).headers["Location"] == "/orders"
    )
    assert "我的订单" in text(client.get("/orders"))
    assert client.post("/language", {"language": "xx", "next": "//evil.example"}).headers["Location"] == "/"


def test_no_permission_names_the_missing_action(office: Office) -> None:
    # rule: IAM-5
    response = office.client("rita").get("/certificates/buy")
    assert response.status_code == 403
    assert "scm:cert:subscribe" in text(response)
    nobody = office.client("nils")
    assert "scm:cert:list" in text(nobody.get("/certificates"))
    assert 'href="/orders"' not in text(nobody.get("/account"))


def test_readers_see_no_buttons(office: Office) -> None:
    # rule: IAM-5
    made = fill(office)
    rita = office.client("rita")
    page = text(rita.get("/certificates"))
    assert 'data-operation="' not in page
    for key in ("paid", "checking", "issued", "organization", "rejected"):
        shown = text(rita.get(f"/certificates/{made[key]}"))
        assert 'data-operation="' not in shown, key
    assert 'data-operation="verify"' not in text(rita.get(f"/certificates/{made['checking']}/verify"))
    assert rita.post(f"/certificates/{made['checking']}/verify").status_code == 403


def test_other_accounts_get_404_team_mates_do_not(office: Office) -> None:
    made = fill(office)
    charlie, bob = office.client("charlie"), office.client("bob")
    for page in ("", "/edit", "/download", "/apply", "/verify", "/verify/live", "/withdraw", "/status"):
        path = f"/certificates/{made['issued']}{page}"
        assert charlie.get(path).status_code == 404, page
    assert charlie.get(f"/orders/{made['order']}").status_code == 404
    assert charlie.post(f"/orders/{made['unpaid order']}/cancel").status_code == 404
    assert charlie.get(f"/certificates/buy/confirm/{made['unpaid order']}").status_code == 404
    assert made["issued"] not in text(charlie.get("/certificates"))
    assert bob.get(f"/certificates/{made['issued']}").status_code == 200
    assert bob.get(f"/orders/{made['order']}").status_code == 200


def test_the_list_shows_what_matters(office: Office) -> None:
    # rule: LST-1
    # rule: LST-3
    # rule: LST-5
    made = fill(office)
    page = text(office.client().get("/certificates"))
    assert page.index(made["checking"]) < page.index(made["issuing"]) < page.index(made["issued"])
    assert page.index(made["issued"]) < page.index(made["expired"])
    for words in ("shop-front", "www.shop.example.com", "GeoTrust · DV · Single domain", "Front of the shop"):
        assert words in page
    assert "Auto-renewal:" in page
    assert "Issued · expires in" in page
    for percent in ("0 %", "40 %", "70 %", "90 %"):
        assert f">{percent}<" in page
    row = page[page.index(f'data-certificate-id="{made["checking"]}"') :]
    row = row[: row.index("</tr>")]
    assert 'data-operation="verify"' in row
    assert 'data-operation="withdraw"' in row
    assert 'data-operation="download"' not in row
    assert 'data-why-not="download"' in row
    assert 'data-status="CHECKING"' in row
    assert "BEGIN CERTIFICATE" not in page


def test_the_list_is_filtered_searched_and_paged(office: Office) -> None:
    # rule: LST-2
    made = fill(office)
    client = office.client()
    paid = text(client.get("/certificates?status=PAID"))
    assert made["paid"] in paid
    assert made["issued"] not in paid
    found = text(client.get("/certificates?content=SHOP.example"))
    assert made["issued"] in found
    assert made["paid"] not in found
    by_name = text(client.get("/certificates?content=cdn-edge"))
    assert made["good"] in by_name
    nothing = text(client.get("/certificates?content=nothing-like-it"))
    assert "Nothing matches" in nothing
    assert "nothing-like-it" in nothing
    for number in range(15):
        issued(office.desk.alice, (f"page-{number}.example.com",), now=clock.now())
    first = client.get("/certificates")
    following = first.context["next_url"]
    second = text(client.get(f"/certificates{following}"))
    ids = set(Certificate.objects.values_list("id", flat=True))
    shown = [one for one in ids if one in text(first) or one in second]
    assert len(shown) == len(ids)
    assert client.get("/certificates?marker=nonsense").status_code == 400


def test_the_list_needs_few_statements(office: Office) -> None:
    for number in range(20):
        issued(office.desk.alice, (f"many-{number}.example.com",), now=clock.now())
    client = office.client()
    operates(office.desk.account.id)  # asked once a process
    any_goes_outside()  # asked every few seconds
    with CaptureQueriesContext(
        connection,
    ) as found:
        assert client.get("/certificates").status_code == 200
    # one of them asks a table of thirty rows whether the scheduler stands still: every page says so
    assert len(found) <= 10, [one["sql"][:120] for one in found]


def test_name_and_description_are_changed(office: Office) -> None:
    # rule: LST-4
    certificate_id = office.desk.buy()
    client, path = office.client(), f"/certificates/{certificate_id}/edit"
    refused = client.post(path, {"name": "no spaces please", "description": "kept"})
    assert refused.status_code == 422
    assert "Use 3 to 63 letters" in text(refused)
    assert "no spaces please" in text(refused)
    assert ">\nkept</textarea>" in text(refused)
    too_long = client.post(path, {"name": "front", "description": "x" * 256})
    assert "at most 255 are allowed" in text(too_long)
    assert client.post(path, {"name": "front", "description": "y" * 255}).status_code == 302
    page = text(client.get(f"/certificates/{certificate_id}"))
    assert "Changed successfully." in page
    assert "y" * 255 in page


def test_the_private_ca_is_named_where_it_matters(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(issuers, "_outside", (0.0, False))  # what a test before has left
    client = office.client()
    for path in ("/certificates", "/certificates/buy", "/prices"):
        assert "come from your private CA" in text(client.get(path))
    roots = client.get("/ca?file=pem")
    assert "BEGIN CERTIFICATE" in text(roots)
    Place.objects.create(product_id="GEOTRUST.DV_SSL_CERT.SINGLE_DOMAIN", position=0, slug="away")
    monkeypatch.setattr(issuers, "_outside", (0.0, False))
    assert "come from your private CA" not in text(client.get("/certificates"))
    monkeypatch.setattr(issuers, "_outside", (0.0, False))


def test_a_moved_lab_clock_is_told(office: Office, tmp_path: object) -> None:
    from pathlib import Path

    file = Path(str(tmp_path)) / "clock"
    file.write_text(str(41 * 86400))
    before = settings.get()
    settings.install(before.model_copy(update={"lab": True, "lab_clock": file}))
    try:
        assert "business time is 41 days ahead" in text(office.client().get("/certificates"))
    finally:
        settings.install(before)


def test_an_expired_certificate_says_so(office: Office) -> None:
    certificate_id = issued(office.desk.alice, now=clock.now() - timedelta(days=400))
    page = text(office.client().get(f"/certificates/{certificate_id}"))
    assert 'data-status="EXPIRED"' in page
    assert "buy a new certificate" in page


def test_open_pages_ask_whether_the_state_has_changed(office: Office) -> None:
    certificate_id = office.desk.buy()
    client = office.client()
    same = client.get(f"/certificates/{certificate_id}/status?state=PAID")
    assert (same.status_code, same.headers.get("HX-Refresh")) == (204, None)
    other = client.get(f"/certificates/{certificate_id}/status?state=CHECKING")
    assert other.headers["HX-Refresh"] == "true"
    assert "data-live" not in text(client.get(f"/certificates/{certificate_id}"))


def test_custom_policies_hide_single_buttons(office: Office) -> None:
    account = office.desk.account
    document = {
        "Version": "1.1",
        "Statement": [{"Effect": "Allow", "Action": ["scm:cert:list", "scm:cert:get", "scm:cert:apply"]}],
    }
    group = iam.create_group(account, "applicants")
    iam.grant(group, iam.create_policy(account, "apply only", document))
    iam.add_to_group(office.people["nils"], "applicants")
    certificate_id = office.desk.buy()
    client = office.client("nils")
    page = text(client.get("/certificates"))
    assert 'data-operation="apply"' in page
    assert 'data-operation="buy"' not in page
    assert 'data-operation="edit"' not in text(client.get(f"/certificates/{certificate_id}"))


def test_what_expires_leads_to_its_renewal(office: Office) -> None:
    made = issued(office.desk.alice, now=clock.now() - timedelta(days=359))
    for path in ("/certificates", f"/certificates/{made}"):
        wanted = f'href="/certificates/{made}/renew"'
        assert wanted in text(office.client().get(path))
        assert wanted not in text(office.client("rita").get(path))


def test_a_fragment_after_the_session_ended_leads_back_to_the_page(office: Office) -> None:
    shown = "http://testserver/certificates/scs1/verify?a=1"
    answer = Client().get(
        "/certificates/scs1/verify/live", headers={"HX-Request": "1", "HX-Current-URL": shown}
    )
    assert answer.headers["HX-Redirect"] == "/login?next=%2Fcertificates%2Fscs1%2Fverify%3Fa%3D1"


def test_officers_are_told_of_their_own_work_only(office: Office) -> None:
    office.desk.buy()
    assert 'class="cd-count"' in text(office.client().get("/certificates"))
    assert 'class="cd-count"' not in text(office.client("otto").get("/certificates"))


def test_the_own_account_is_one_click_away(office: Office) -> None:
    for path in PAGES:
        assert 'href="/account"' in text(office.client().get(path))


def test_a_missing_permission_is_said_in_the_readers_language(office: Office) -> None:
    page = text(office.client("rita", "zh-hans").get("/certificates/buy"))
    assert "scm:cert:subscribe" in page
    assert "You may not" not in page


def test_everybody_starts_on_a_page_that_is_open_to_them(office: Office) -> None:
    starts = {name: office.client(name).get("/").headers["Location"] for name in ("alice", "otto", "nils")}
    assert starts == {"alice": "/overview", "otto": "/overview", "nils": "/account"}
    nobody = office.client("nils")
    assert "No other page is open to you yet" in text(nobody.get("/account"))
    refused = text(nobody.get("/certificates"))
    assert 'href="/"' in refused
    assert 'href="/certificates"' not in refused


def test_a_refused_password_is_explained_in_the_readers_language(office: Office) -> None:
    answers = {"old": PASSWORD, "new": "short", "again": "short"}
    page = text(office.client("alice", "zh-hans").post("/account", answers))
    assert "密码太短" in page
    assert "Choose another" not in page
