"""Substrings of names: found at once and after they were read into the trigrams, on both databases."""

import pytest

from certdesk.foundation.common import sql
from certdesk.foundation.iam.principal import Principal
from certdesk.foundation.jobs import testing
from certdesk.foundation.jobs.actions import enqueue
from certdesk.lifecycle.certificates import actions, editing, jobs, name_search, queries
from certdesk.lifecycle.certificates.filters import ListFilters, SearchFilters
from certdesk.lifecycle.certificates.models import CertificateName, NamesRead
from tests.support.inventory import NOW, bought, issued, new_account, person

pytestmark = [pytest.mark.django_db, pytest.mark.postgres]


@pytest.fixture
def alice() -> Principal:
    return person(new_account())


def read() -> None:
    enqueue(jobs.READ_NAMES)
    testing.run_due(strict=True)


def search(alice: Principal, content: str) -> list[str]:
    """What the fast search finds, which the list must find too."""
    found = [row.id for row in queries.search_page(alice, SearchFilters(content=content), None, NOW).items]
    listed = queries.list_page(alice, ListFilters(content=content, limit=50), NOW)
    assert sorted(found) == sorted(row.id for row in listed.items)
    return sorted(found)


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize(
    ("content", "hits"),
    [
        ("shop", "ab"),
        ("SHOP.exa", "ab"),
        ("op.example.org", "b"),
        ("xampl", "abc"),
        ("xy", ""),
        ("om", "ac"),
        ("100%", ""),
        ("a_b", "c"),
        ('"', ""),
        ("ö", ""),
    ],
)
def test_a_part_of_a_name_is_found(alice: Principal, when: str, content: str, hits: str) -> None:
    names = {"a": "shop.example.com", "b": "shop.example.org", "c": "a_b.example.com"}
    ids = {letter: issued(alice, (name,)) for letter, name in names.items()}
    if when == "after":
        read()
    assert search(alice, content) == sorted(ids[letter] for letter in hits)


def test_the_certificates_own_name_is_found_too_and_a_new_one_at_once(alice: Principal) -> None:
    # rule: LST-1
    named, (nameless,) = issued(alice, ("www.example.com",)), bought(alice)
    for certificate_id in (named, nameless):
        editing.edit(alice, certificate_id, NOW, name=f"Winter-{certificate_id}")
    read()
    assert search(alice, "winter") == sorted([named, nameless])
    editing.edit(alice, named, NOW, name="Summer.2")
    for _ in range(2):
        assert search(alice, "winter") == [nameless]
        assert search(alice, "summer") == [named]
        read()
    assert search(alice, "www.exam") == [named]


def test_names_that_are_gone_are_not_found(alice: Principal) -> None:
    certificate_id = issued(alice, ("old.example.com", "stays.example.com"))
    read()
    actions.set_names(certificate_id, ("new.example.com",), NOW)
    for _ in range(2):
        assert search(alice, "old.exam") == []
        assert search(alice, "new.exam") == [certificate_id]
        read()


def test_what_very_many_have_is_read_in_order(alice: Principal, monkeypatch: pytest.MonkeyPatch) -> None:
    ids = sorted(issued(alice, (f"host{number}.example.com",)) for number in range(4))
    several = issued(alice, tuple(f"n{number}.several.net" for number in range(4)))
    read()
    for limit in ("FEW", "HANDFUL"):
        monkeypatch.setattr(name_search, limit, 3)
    assert name_search.candidates(alice.account_id, "example", "%example%") is None
    assert search(alice, "example") == ids
    # four names of one certificate are four to be looked at: nothing is cut off unseen
    assert name_search.candidates(alice.account_id, "several", "%several%") is None
    assert search(alice, "several") == [several]
    assert name_search.candidates(alice.account_id, "host2", "%host2%") == [
        one for one in ids if search(alice, "host2") == [one]
    ]


def test_other_accounts_see_nothing_of_it(alice: Principal) -> None:
    issued(alice, ("secret.example.com",))
    charlie = person(new_account("other"))
    read()
    assert search(charlie, "secret") == []


def test_a_job_reads_some_hundred_and_goes_on(alice: Principal, monkeypatch: pytest.MonkeyPatch) -> None:
    if not sql.is_sqlite():
        assert name_search.read_names() == 0
        return
    monkeypatch.setattr(name_search, "AT_ONCE", 2)
    monkeypatch.setattr(name_search.read_names, "__defaults__", (2,))
    for number in range(5):
        issued(alice, (f"host{number}.example.com",))
    read()
    assert NamesRead.objects.get().upto == CertificateName.objects.order_by("-id")[0].id
    assert len(search(alice, "host")) == 5


def test_without_the_indexes_every_name_is_read(alice: Principal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(name_search.sql, "is_sqlite", lambda: False)
    monkeypatch.setattr(name_search, "_has_trigrams", lambda: False)
    assert name_search.candidates(alice.account_id, "example", "%example%") is None


def test_where_the_rarest_letters_leave_many_all_of_them_are_asked_for(
    alice: Principal, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = issued(alice, ("shop.example.com",))
    for number in range(3):
        issued(alice, (f"shop.other{number}.org",))
    read()
    monkeypatch.setattr(name_search, "HANDFUL", 2)
    assert name_search.candidates(alice.account_id, "shop.exam", "%shop.exam%") == [wanted]
    assert search(alice, "shop.exam") == [wanted]
