"""Swaps under load: clients that connect all the time and one long stream notice nothing.

Every local kind of target, with its own server; the full form swaps a hundred times and prints how often the
clients shook hands in a second.
"""

import os
import sys

import pytest

from tests.support import tls
from tests.support.needs import need
from tests.support.own_network import own_network
from tests.support.swap_places import opened_place
from tests.support.swapping import Clients

pytestmark = [pytest.mark.server, pytest.mark.slow]
FULL = os.environ.get("CERTDESK_SIZE") == "full"
SWAPS = {
    "haproxy": 10,
    "nginx": 30,
    "apache": 10,
    "waf": 2,
    "ssh": 2,
    "agent": 5,
    "caddy": 20,
    "pem": 5,
    "postfix": 3,
    "postgresql": 3,
    "pkcs12": 5,
    "jks": 2,
    "envoy": 10,
}


@pytest.mark.parametrize("kind", list(SWAPS))
def test_no_client_notices_a_swap(kind: str) -> None:
    need(kind != "postfix" or os.geteuid() == 0, "Postfix runs under root only")
    swaps = 100 if FULL else SWAPS[kind]
    with opened_place(kind) as place:
        pair = [tls.make(place.door.name), tls.make(place.door.name)]
        stream = place.stream(place.door)
        with Clients(place.door) as clients:
            for number in range(swaps):
                place.swap(pair[number % 2])
                stream.go_on()
        stream.end()
        assert clients.failed == []
        assert len(clients.shaken) >= swaps
    told = f"{kind}: {swaps} swaps, {len(clients.shaken)} handshakes, {clients.rate:.0f} a second"
    sys.stdout.write(f"{told}\n")


def test_a_kernel_without_a_setting_gives_no_network_of_ones_own() -> None:
    with own_network(no_such_setting="1") as own:
        assert not own
