"""What the options of all kinds of targets have in common."""

import pytest

from certdesk.connectors.dns.providers.options import ProviderOptions, form
from certdesk.connectors.targets import registry
from certdesk.connectors.targets.protocol import Reason, TargetError

KEY = "-----BEGIN OPENSSH PRIVATE KEY-----\nx\n-----END OPENSSH PRIVATE KEY-----\n"


def test_whatever_has_a_secret_says_to_which_server_it_goes() -> None:
    silent = {
        name
        for name, kind in registry.KINDS.items()
        if any(one.kind.startswith("secret") for one in form(kind.options))
        and kind.options.endpoint is ProviderOptions.endpoint
    }
    assert silent == set()


def test_the_server_of_a_host_by_ssh_and_of_a_database() -> None:
    host = registry.read_options("ssh", {"host": "Web1.example.com", "port": 2222, "key": KEY})
    assert host.endpoint() == ("web1.example.com", 2222)
    given = {"path": "/a/server.pem", "listeners": ["postgresql://db:5432"]}
    database = registry.read_options("postgresql", {**given, "socket": "/run/one", "port": 5433})
    assert database.endpoint() == ("/run/one", 5433)
    store = {"path": "/a/server.p12", "listeners": ["h:8443"], "password": "long-enough"}
    manager = {"manager": "http://Tomcat:8080/manager", "manager_user": "certdesk", "manager_password": "p"}
    assert registry.read_options("keystore", store | manager).endpoint() == ("tomcat", 8080)
    assert registry.read_options("keystore", store).endpoint() is None
    told = registry.read_options("postgresql", {**given, "reload": ["/usr/bin/true"]})
    assert told.endpoint() == ("", 5432)


@pytest.mark.parametrize("url", ["http://h:abc", "http://h:65536", "http://h:0", "http://u@h"])
def test_an_address_of_caddy_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(TargetError) as error:
        registry.read_options("caddy", {"url": url, "listeners": ["a:1"]})
    assert (error.value.reason, "url" in error.value.message) == (Reason.OPTIONS, True)


LISTENING = {
    "haproxy": {"socket": "/run/h.sock"},
    "ssh": {"host": "h", "key": KEY},
    "pem": {"path": "/a/server.pem"},
    "nginx": {"config": "/etc/nginx/nginx.conf"},
    "vault": {"server_url": "https://v:8200", "token": "t"},
    "huawei-waf": {"access_key": "a", "secret_key": "s", "project_id": "0" * 32},
}


@pytest.mark.parametrize("kind", LISTENING)
def test_a_port_that_does_not_exist_is_refused_before_anything_is_changed(kind: str) -> None:
    for good in ("h.example.com:65535", "[::1]:443", "::1:1", "smtp://h:25"):
        registry.read_options(kind, {**LISTENING[kind], "listeners": [good]})
    for wrong in ("h:0", "h:65536", "[::1]:99999", "h"):
        with pytest.raises(TargetError, match="listeners"):
            registry.read_options(kind, {**LISTENING[kind], "listeners": [wrong]})


def test_haproxys_listeners_may_name_a_list() -> None:
    given = {**LISTENING["haproxy"], "listeners": ["h:443=/a/list"]}
    assert registry.read_options("haproxy", given).listeners == ("h:443=/a/list",)
    with pytest.raises(TargetError, match="between 1 and 65535"):
        registry.read_options("haproxy", {**given, "listeners": ["h:65536=/a/list:443"]})
