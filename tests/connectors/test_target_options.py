"""What the options of all kinds of targets have in common."""

import pytest

from certdesk.connectors.dns.providers.options import ProviderOptions, form
from certdesk.connectors.targets import registry
from certdesk.connectors.targets.protocol import Reason, TargetError

KEY = "-----BEGIN OPENSSH PRIVATE KEY-----\nx\n-----END OPENSSH PRIVATE KEY-----\n"
LOCAL = {"keystore"}
"""Their secrets go into files of this machine alone."""


def test_whatever_has_a_secret_says_to_which_server_it_goes() -> None:
    silent = {
        name
        for name, kind in registry.KINDS.items()
        if any(one.kind.startswith("secret") for one in form(kind.options))
        and kind.options.endpoint is ProviderOptions.endpoint
    }
    assert silent == LOCAL


def test_the_server_of_a_host_by_ssh_and_of_a_database() -> None:
    host = registry.read_options("ssh", {"host": "Web1.example.com", "port": 2222, "key": KEY})
    assert host.endpoint() == ("web1.example.com", 2222)
    given = {"path": "/a/server.pem", "listeners": ["postgresql://db:5432"]}
    database = registry.read_options("postgresql", {**given, "socket": "/run/one", "port": 5433})
    assert database.endpoint() == ("/run/one", 5433)
    told = registry.read_options("postgresql", {**given, "reload": ["/usr/bin/true"]})
    assert told.endpoint() == ("", 5432)


@pytest.mark.parametrize("url", ["http://h:abc", "http://h:65536", "http://h:0", "http://u@h"])
def test_an_address_of_caddy_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(TargetError) as error:
        registry.read_options("caddy", {"url": url, "listeners": ["a:1"]})
    assert (error.value.reason, "url" in error.value.message) == (Reason.OPTIONS, True)
