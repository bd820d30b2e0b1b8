"""Who the client is, behind proxies that are trusted and others that are not."""

from collections.abc import Iterator
from ipaddress import ip_network

import pytest
from django.contrib.sessions.backends.base import SessionBase
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory

from certdesk.foundation.common import settings as house
from certdesk.interfaces.console.middleware import console, edge


@pytest.fixture
def trusting() -> Iterator[None]:
    before = house.get()
    networks = (ip_network("10.0.0.0/8"), ip_network("fd00::/8"))
    house.install(before.model_copy(update={"trusted_proxies": networks}))
    yield
    house.install(before)


def seen(remote: str, forwarded_for: str, proto: str = "") -> tuple[str, str]:
    """(address, scheme) that the application sees."""
    found: list[HttpRequest] = []

    def application(request: HttpRequest) -> HttpResponse:
        found.append(request)
        return HttpResponse()

    request = RequestFactory().get(
        "/page", REMOTE_ADDR=remote, HTTP_X_FORWARDED_FOR=forwarded_for, HTTP_X_FORWARDED_PROTO=proto
    )
    edge(application)(request)
    assert "HTTP_X_FORWARDED_FOR" not in request.META
    return found[0].META["REMOTE_ADDR"], str(found[0].scheme)


@pytest.mark.usefixtures("trusting")
@pytest.mark.parametrize(
    ("remote", "forwarded_for", "proto", "address", "scheme"),
    [
        ("192.0.2.1", "203.0.113.9", "https", "192.0.2.1", "http"),
        ("10.0.0.1", "203.0.113.9", "https", "203.0.113.9", "https"),
        ("10.0.0.1", "198.51.100.1, 203.0.113.9, 10.0.0.2", "https", "203.0.113.9", "https"),
        ("10.0.0.1", "10.9.9.9, 10.0.0.2", "http", "10.9.9.9", "http"),
        ("10.0.0.1", "", "", "10.0.0.1", "http"),
        ("10.0.0.1", "nonsense", "gopher", "10.0.0.1", "http"),
        ("10.0.0.1", "nonsense, 10.0.0.2", "", "10.0.0.2", "http"),
        ("fd00::1", "2001:db8::7", "https", "2001:db8::7", "https"),
        ("", "203.0.113.9", "https", "", "http"),
    ],
)
def test_only_trusted_proxies_are_believed(
    remote: str, forwarded_for: str, proto: str, address: str, scheme: str
) -> None:
    assert seen(remote, forwarded_for, proto) == (address, scheme)


def test_nobody_is_believed_by_default() -> None:
    assert seen("10.0.0.1", "203.0.113.9", "https") == ("10.0.0.1", "http")


@pytest.mark.parametrize("signed_in", [True, False])
def test_pages_of_signed_in_people_are_kept_by_no_cache(signed_in: bool) -> None:
    request = RequestFactory().get("/page")
    request.user = type(
        "Someone", (), {"is_authenticated": signed_in, "must_change_password": False, "time_zone": "UTC"}
    )()
    request.session = SessionBase()
    answer = console(lambda request: HttpResponse())(request)
    assert (answer.headers.get("Cache-Control") == "no-store") is signed_in
