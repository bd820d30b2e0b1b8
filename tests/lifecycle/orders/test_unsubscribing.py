"""The end of a review when somebody else was quicker."""

import pytest

from certdesk.lifecycle.certificates.errors import StateChanged
from certdesk.lifecycle.certificates.models import Certificate
from certdesk.lifecycle.certificates.states import State
from certdesk.lifecycle.orders import unsubscribing
from tests.support.inventory import NOW, bought, new_account, person, placed


@pytest.fixture
def alice(db):
    return person(new_account())


def test_without_a_review_nothing_ends(alice):
    (certificate_id,) = bought(alice)
    assert not unsubscribing.end_review(alice, certificate_id, NOW, "why")
    assert not unsubscribing.end_review(alice, "scs0000000000000", NOW, "why")


def test_who_comes_second_ends_nothing(alice, monkeypatch):
    # rule: UNS-5
    (certificate_id,) = bought(alice)
    placed(certificate_id, State.UNSUBSCRIBING)

    def quicker(*given, **more):
        raise StateChanged(certificate_id)

    with monkeypatch.context() as patched:
        patched.setattr(unsubscribing.certificates, "move", quicker)
        assert not unsubscribing.end_review(alice, certificate_id, NOW, "why")
    assert Certificate.objects.get().state == "UNSUBSCRIBING"
    assert unsubscribing.end_review(alice, certificate_id, NOW, "why")  # without a request: as pending
    assert (Certificate.objects.get().state, Certificate.objects.get().last_failure) == ("PAID", "why")
