"""The book in the console, and what an account without real-name authentication sees."""

from certdesk.foundation.iam import actions as iam
from certdesk.lifecycle.applications.models import BookCompany, BookContact
from tests.support.desk import COMPANY
from tests.support.office import Office


def text(response: object) -> str:
    return response.content.decode()  # type: ignore[attr-defined,no-any-return]


def test_the_book_is_listed_corrected_emptied_and_chosen_from(office: Office) -> None:
    # rule: APP-11
    alice, bob, charlie = office.client(), office.client("bob"), office.client("charlie")
    assert "No contact yet" in text(alice.get("/contacts"))
    assert "No company yet" in text(alice.get("/contacts"))
    desk = office.desk
    desk.apply(desk.buy("OV_SSL_CERT"), domain="www.example.com", **COMPANY)
    contact, company = BookContact.objects.get(), BookCompany.objects.get()
    page = text(bob.get("/contacts"))
    for words in (
        "Ada Lovelace",
        "ada@example.com",
        COMPANY["company_name"],
        'data-operation="edit-contact"',
    ):
        assert words in page
    assert "Ada Lovelace" not in text(charlie.get("/contacts"))
    assert office.client("rita").get("/contacts").status_code == 403
    paths = (f"/contacts/{contact.id}", f"/companies/{company.id}")
    for path in paths:
        assert bob.get(path).status_code == 200
        assert charlie.get(path).status_code == 404
        assert charlie.post(f"{path}/delete").status_code == 404
        asked = bob.get(f"{path}/delete")
        assert asked.status_code == 200
        assert "cannot be brought back" in asked.content.decode()
        assert bob.get(path).status_code == 200  # asking deletes nothing
        assert charlie.get(f"{path}/delete").status_code == 404
    good = {"name": "Ada King", "phone": "+44 20 7946 0001", "email": "king@example.com"}
    assert "is not an email address" in text(bob.post(paths[0], {**good, "email": "x@y"}))
    assert bob.post(paths[0], good).status_code == 302
    assert "ISO 3166" in text(bob.post(paths[1], {**COMPANY, "country": "XX"}))
    assert bob.post(paths[1], {**COMPANY, "company_city": "Zunyi"}).status_code == 302
    certificate_id = desk.buy("OV_SSL_CERT")
    chosen = f"?contact={contact.id}&technical={contact.id}&company={company.id}"
    form = text(bob.get(f"/certificates/{certificate_id}/apply{chosen}"))
    assert form.count('value="king@example.com"') == 2
    assert 'value="Zunyi"' in form
    foreign = text(charlie.get(f"/certificates/{certificate_id}/apply{chosen}"))
    assert "king@example.com" not in foreign
    for wrong in ("?contact=999", "?contact=x", "?company=%27"):
        assert bob.get(f"/certificates/{certificate_id}/apply{wrong}").status_code == 200
    dv = text(bob.get(f"/certificates/{desk.buy()}/apply"))
    assert 'name="company"' not in dv
    assert 'name="technical"' in dv
    for path in paths:
        assert bob.post(f"{path}/delete").status_code == 302
    assert not BookContact.objects.exists()
    assert not BookCompany.objects.exists()


def test_without_real_name_the_page_says_so_before_anybody_types(office: Office) -> None:
    # rule: APP-14
    client, certificate_id = office.client(), office.desk.buy()
    page = f"/certificates/{certificate_id}/apply"
    assert 'data-operation="apply"' in text(client.get(page))
    iam.set_account_flags(office.desk.account, real_name_verified=False)
    barred = text(client.get(page))
    assert "real-name authentication" in barred
    assert 'data-operation="apply"' not in barred
    assert "实名认证" in text(office.client(language="zh-hans").get(page))


def test_the_desk_filters_and_the_certificate_names_the_approval_it_leans_on(office: Office) -> None:
    # rule: ORG-2
    # rule: ORG-4
    from certdesk.lifecycle.validation import actions as validation
    from certdesk.lifecycle.validation.organization_rules import checklist

    desk, otto = office.desk, office.client("otto")
    first = desk.buy("OV_SSL_CERT")
    desk.apply(first, domain="www.example.com", **COMPANY)
    desk.publish(first)
    validation.check_now(desk.alice, first)
    queue = "/organization-verifications"
    for query, there in (
        ("?level=OV", True),
        ("?level=EV", False),
        ("?method=PHONE&content=trading", True),
        ("?method=EMAIL", False),
        ("?late=1", False),
        ("?level=XX&method=YY&status=ZZ", True),
    ):
        assert (first in text(otto.get(f"{queue}{query}"))) is there, query
    assert "Nothing fits these filters" in text(otto.get(f"{queue}?content=nobody"))
    assert "due by" in text(otto.get(queue))
    everything = {"decision": "approve", "checked": [item.id for item in checklist("OV")]}
    assert otto.post(f"{queue}/{first}", everything).status_code == 302
    second = desk.buy("OV_SSL_CERT")
    desk.apply(second, domain="www.example.com", **COMPANY)
    desk.publish(second)
    validation.check_now(desk.alice, second)
    page = text(office.client().get(f"/certificates/{second}"))
    assert "known since the check of" in page
    assert f'href="/certificates/{first}"' in page
    assert "no new check" in page


def test_an_officer_enters_the_registration_number(office: Office) -> None:
    # rule: ORG-2
    from certdesk.lifecycle.applications.models import Application
    from certdesk.lifecycle.validation import actions as validation
    from certdesk.lifecycle.validation.organization_rules import checklist

    desk = office.desk
    certificate_id = desk.buy("EV_SSL_CERT")
    desk.apply(certificate_id, domain="ev.example.com", **COMPANY)
    desk.publish(certificate_id)
    validation.check_now(desk.alice, certificate_id)
    page = f"/organization-verifications/{certificate_id}"
    everything = {"decision": "approve", "checked": [item.id for item in checklist("EV")]}
    assert 'name="registration_number"' in text(office.client("otto").get(page))
    bad = office.client("otto").post(page, {**everything, "registration_number": "№"})
    assert bad.status_code == 422
    office.client("otto").post(page, {**everything, "registration_number": "91520100MA6"})
    assert (
        Application.objects.get(certificate_id=certificate_id).company["registration_number"] == "91520100MA6"
    )
    assert 'name="registration_number"' not in text(office.client("olga").get(page))
