"""Discovery in the console: the first scan, its progress, what was found, and adopting it."""

import ipaddress
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.test import Client

from certdesk.foundation.common import settings
from certdesk.lifecycle.discovery.models import Endpoint, Scan
from tests.support import tls
from tests.support.listeners import listeners
from tests.support.office import Office, open_office

NAME = "www.example.com"


@pytest.fixture
def office(db: None) -> Iterator[Office]:
    before = settings.get()
    with open_office() as made:
        networks = (ipaddress.ip_network("127.0.0.0/8"),)
        settings.install(settings.get().model_copy(update={"allow_networks": networks}))
        yield made
    settings.install(before)


def text(client: Client, path: str, data: object = None, status: int = 200) -> str:
    answer = client.get(path) if data is None else client.post(path, data, follow=True)
    assert answer.status_code == status, answer.content[-2000:]
    return re.sub(r"\s+", " ", answer.content.decode())


def form(*ports: int, **changes: str) -> dict[str, str]:
    given = {
        "name": "Office",
        "ranges": "127.0.0.1",
        "protocol": "TLS",
        "ports": ", ".join(map(str, ports)),
        "sni": NAME,
        "repeat": "ONCE",
        "per_second": "1000",
    }
    return {**given, **changes}


def test_from_the_first_scan_to_a_watched_certificate(office: Office, tmp_path: Path) -> None:
    alice, rita = office.client(), office.client("rita")
    assert "Nothing was found yet" in text(alice, "/discovery")
    assert "do not allow making one" in text(rita, "/discovery")
    assert "No scan yet" in text(alice, "/discovery/scans")
    with listeners(tmp_path, [tls.make(NAME).bundle.whole], 2) as open_:
        begun = text(alice, "/discovery/scans/new", form(*open_.ports))
        assert 'data-status="RUNNING"' in begun
        (status,) = re.findall(r'hx-get="([^"]+/status[^"]+)"', begun)
        assert alice.get(status.replace("&amp;", "&")).headers.get("HX-Refresh") is None
        office.desk.run()
        assert alice.get(status.replace("&amp;", "&")).headers["HX-Refresh"] == "true"
    path = f"/discovery/scans/{Scan.objects.get().id}"
    done = text(alice, path)
    assert "2 of 2 places looked at, 2 certificates seen" in done
    assert "Office" in text(alice, "/discovery/scans")
    found = text(alice, "/discovery?verdict=UNKNOWN")
    assert found.count("data-endpoint-id") == 2
    assert 'data-status="EXPIRING"' in found
    assert "No endpoint fits" in text(alice, "/discovery?verdict=MISMATCHED")
    assert "No endpoint fits" in text(alice, "/discovery?search=nowhere")
    adopt = f"/discovery/endpoints/{Endpoint.objects.order_by('port')[0].id}/adopt"
    asked = text(alice, adopt)
    assert "no: no connected target serves it" in asked
    assert "domain_type=SINGLE_DOMAIN" in asked
    refused = text(alice, adopt, {"mode": "UPLOAD", "name": "x"}, 422)
    assert "not a name for a certificate" in refused
    assert "certificate to apply with is missing" in text(alice, adopt, {"mode": "REISSUE"}, 422)
    assert "It is hosted and watched now" in text(alice, adopt, {"mode": "UPLOAD", "name": "found-outside"})
    bought = office.desk.buy()
    replaced = {"mode": "REISSUE", "certificate_id": bought, "agree_privacy_protection": "on"}
    assert f'value="{NAME}"' in text(alice, adopt, replaced)
    assert "Its successor is applied for" in text(alice, "/discovery")
    assert 'data-operation="endpoint-adopt"' not in text(rita, "/discovery")


def test_a_scan_is_changed_run_again_stopped_and_deleted(office: Office) -> None:
    alice = office.client()
    shut = text(alice, "/discovery/scans/new", form(22), 422)
    assert "may not be asked there" in shut
    text(alice, "/discovery/scans/new", form(9000))
    path = f"/discovery/scans/{Scan.objects.get().id}"
    assert "The scan is running." in text(alice, f"{path}/edit", form(9001), 422)
    assert "Wait until it is over, or stop it." in text(alice, f"{path}/run", {})
    assert "Wait until it is over, or stop it." in text(alice, f"{path}/delete", {})
    stopped = text(alice, f"{path}/cancel", {})
    assert 'data-status="CANCELED"' in stopped
    shut = form(9001, ranges="127.0.0.1\n::1")
    changed = text(alice, f"{path}/edit", shut, 422)
    assert "may not be looked through" in changed
    changed = text(alice, f"{path}/edit", form(9001, repeat="DAILY", targets="on", name="Later"))
    assert "Every day" in changed
    assert "connected targets" in text(alice, "/discovery/scans")
    assert "Delete Later?" in text(alice, f"{path}/delete")
    assert "The scan was deleted" in text(alice, f"{path}/delete", {})


def test_pages_and_other_shapes(office: Office, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    alice = office.client()
    monkeypatch.setattr("certdesk.interfaces.console.views.discovery.PAGE", 10)
    with listeners(tmp_path, [tls.make(NAME, "*.example.com").bundle.whole], 12) as open_:
        text(alice, "/discovery/scans/new", form(*open_.ports))
        office.desk.run()
    first = text(alice, "/discovery")
    (following,) = re.findall(r'rel="next" href="([^"]+)"', first)
    assert first.count("data-endpoint-id") == 10
    second = text(alice, f"/discovery{following.replace('&amp;', '&')}")
    assert second.count("data-endpoint-id") == 2
    asked = text(alice, f"/discovery/endpoints/{Endpoint.objects.all()[0].id}/adopt")
    assert "domain_type=MULTI_DOMAIN" in asked
    (one,) = Scan.objects.all()
    for number in range(11):
        Scan.objects.create(
            account_id=one.account_id, name=f"s{number}", created_by="x", created_at=one.created_at
        )
    scans = text(alice, "/discovery/scans")
    (following,) = re.findall(r'rel="next" href="([^"]+)"', scans)
    assert "data-scan-id" in text(alice, f"/discovery/scans{following.replace('&amp;', '&')}")
