"""Tags in the console: on the page of a certificate, as a page of their own, as a filter of the list."""

import pytest

from certdesk.lifecycle.certificates import tags
from certdesk.lifecycle.certificates.tag_rules import TagPair
from tests.support.office import Office


def text(response: object) -> str:
    return response.content.decode()  # type: ignore[attr-defined,no-any-return]


@pytest.mark.parametrize("language", ["en", "zh-hans"])
def test_tags_are_set_and_removed_on_the_page_of_a_certificate(office: Office, language: str) -> None:
    alice, bob, certificate_id = office.client(), office.client("bob", language), office.desk.buy()
    page = f"/certificates/{certificate_id}"
    assert 'data-operation="add-tag"' in text(alice.get(page))
    assert bob.post(f"{page}/tags", {"key": "env", "value": "prod"}).status_code == 302
    assert bob.post(f"{page}/tags", {"key": "部门", "value": ""}).status_code == 302
    shown = text(alice.get(page))
    assert 'data-tag="env=prod"' in shown
    assert 'data-tag="部门"' in shown
    refused = bob.post(f"{page}/tags", {"key": "a*b", "value": "kept"})
    assert refused.status_code == 422
    assert 'value="kept"' in text(refused)
    assert 'id="id_key_error"' in text(refused)
    assert bob.post(f"{page}/tags/remove", {"key": "env"}).status_code == 302
    assert 'data-tag="env=prod"' not in text(alice.get(page))
    assert bob.get(f"{page}/tags").status_code == 200


def test_a_refusal_is_said_in_chinese(office: Office) -> None:
    bob, page = office.client("bob", "zh-hans"), f"/certificates/{office.desk.buy()}/tags"
    for given, words in (
        ({"key": "a*b", "value": ""}, "含有不允许的字符"),
        ({"key": "a", "value": "b|c"}, "含有不允许的字符"),
        ({"key": "_sys_a", "value": ""}, "该前缀为系统保留"),
    ):
        refused = bob.post(page, given)
        assert refused.status_code == 422
        assert words in text(refused)
    long = bob.post("/csrs/upload", {"name": "x", "csr": "x" * 2556})
    assert "最多允许 2555 个" in text(long)


def test_at_the_limit_the_page_says_so(office: Office) -> None:
    alice, certificate_id = office.client(), office.desk.buy()
    tags.put(office.desk.alice, certificate_id, [TagPair(f"k{number}") for number in range(20)])
    page = text(alice.get(f"/certificates/{certificate_id}"))
    assert "at most 20 tags" in page
    assert 'data-operation="add-tag"' not in page
    over = alice.post(f"/certificates/{certificate_id}/tags", {"key": "more", "value": ""})
    assert over.status_code == 422
    assert "21 tags" in text(over)


def test_a_reader_sees_and_a_stranger_does_not(office: Office) -> None:
    certificate_id = office.desk.buy()
    tags.put(office.desk.alice, certificate_id, [TagPair("env", "prod")])
    rita, charlie, page = office.client("rita"), office.client("charlie"), f"/certificates/{certificate_id}"
    shown = text(rita.get(page))
    assert 'data-tag="env=prod"' in shown
    assert 'data-operation="add-tag"' not in shown
    assert 'data-operation="remove-tag"' not in shown
    for who, status in ((rita, 403), (charlie, 404)):
        assert who.post(f"{page}/tags", {"key": "x", "value": ""}).status_code == status
        assert who.post(f"{page}/tags/remove", {"key": "env"}).status_code == status
    assert tags.of(office.desk.alice, certificate_id) == [TagPair("env", "prod")]
    assert "env" in text(rita.get("/tags"))
    assert "prod" not in text(charlie.get("/tags"))
    assert office.client("nils").get("/tags").status_code == 403


def test_the_list_is_filtered_by_a_tag(office: Office) -> None:
    alice, desk = office.client(), office.desk
    assert "No tags yet" in text(alice.get("/tags"))
    plain, tagged = desk.buy(), desk.buy()
    assert "Choose a tag" not in text(alice.get("/certificates"))
    tags.put(desk.alice, tagged, [TagPair("env", "prod"), TagPair("team")])
    assert "Choose a tag" in text(alice.get("/certificates"))
    page = text(alice.get("/tags"))
    for link in ("/certificates?tag=env%3Dprod", "/certificates?tag=env", "/certificates?tag=team%3D"):
        assert f'href="{link}"' in page
        found = text(alice.get(link))
        assert f'data-certificate-id="{tagged}"' in found
        assert f'data-certificate-id="{plain}"' not in found
    nothing = text(alice.get("/certificates?tag=env%3Dtest&status=PAID"))
    assert "Nothing matches" in nothing
    assert "Tagged env=test." in nothing
    assert "data-certificate-id" not in text(office.client("charlie").get("/certificates?tag=env"))
    assert alice.get(f"/certificates?tag={'x' * 600}").status_code == 200
