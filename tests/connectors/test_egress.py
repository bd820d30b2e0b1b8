"""The address rule: nothing special is reached in any spelling, unless the operator allowed it."""

import ipaddress

import pytest

from certdesk.connectors.egress import check_host, is_allowed
from certdesk.connectors.protocol import EgressRefused

SPECIAL = [
    "0.0.0.0",
    "0.1.2.3",
    "10.0.0.1",
    "10.255.255.255",
    "100.64.0.1",
    "100.127.255.254",
    "127.0.0.1",
    "127.255.0.1",
    "169.254.169.254",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.8",
    "192.0.0.170",
    "192.0.2.1",
    "192.88.99.1",
    "192.168.1.1",
    "198.18.0.1",
    "198.19.255.255",
    "198.51.100.7",
    "203.0.113.9",
    "224.0.0.1",
    "239.255.255.250",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "::ffff:a9fe:a9fe",
    "::127.0.0.1",
    "64:ff9b::7f00:1",
    "64:ff9b:1::1",
    "100::1",
    "fc00::1",
    "fd00::1",
    "fe80::1",
    "fec0::1",
    "ff02::1",
    "2001::1",
    "2001:0:7f00:1::",
    "2001:10::1",
    "2001:db8::1",
    "2002:7f00:1::",
    "2002:a00:1::1",
    "3fff::1",
    "5f00::1",
    "4000::1",
]
PUBLIC = [
    "1.1.1.1",
    "8.8.8.8",
    "9.255.255.255",
    "11.0.0.0",
    "100.63.255.255",
    "100.128.0.0",
    "126.255.255.255",
    "128.0.0.0",
    "169.253.255.255",
    "172.15.255.255",
    "172.32.0.0",
    "192.0.1.0",
    "192.167.255.255",
    "198.17.255.255",
    "198.20.0.0",
    "223.255.255.255",
    "::ffff:8.8.8.8",
    "2001:200::1",
    "2606:4700::1",
    "2a00:1450::1",
    "3ffe::1",
]


@pytest.mark.parametrize("address", SPECIAL)
def test_special_addresses_are_refused(address: str) -> None:
    assert not is_allowed(address, ())


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_are_allowed(address: str) -> None:
    assert is_allowed(address, ())


def test_what_the_operator_allows_is_allowed_and_no_more() -> None:
    networks = (ipaddress.ip_network("10.1.0.0/16"), ipaddress.ip_network("fd12::/16"))
    assert is_allowed("10.1.2.3", networks)
    assert is_allowed("::ffff:10.1.2.3", networks)
    assert is_allowed("fd12::1", networks)
    assert not is_allowed("10.2.0.1", networks)
    assert not is_allowed("fd13::1", networks)


@pytest.mark.parametrize(
    "address", ["", "localhost", "127.1", "0x7f.1", "fe80::1%eth0", "fe80::1%1", "1.2.3.4/8"]
)
def test_text_that_is_no_plain_address_is_never_allowed(address: str) -> None:
    assert not is_allowed(address, (ipaddress.ip_network("0.0.0.0/0"), ipaddress.ip_network("::/0")))


ODD = [
    "0x7f.1",
    "0x7f000001",
    "2130706433",
    "127.1",
    "127.0.1",
    "0177.0.0.1",
    "127.0.0.01",
    "0x7f.0.0.1",
    "127.0.0.0x1",
    "1.2.3.4.5",
    "256.1.1.1",
    "1",
    "00000000177.1",
    "0X7F.1",
    "1.2.3",
    "example.1",
    "example.0x1",
    "fe80::1%eth0",
    "::1%lo",
    "a..b",
    ".com",
    "-a.com",
    "a-.com",
    "a_.-b.com",
]


@pytest.mark.parametrize(
    "host", [*ODD, "１２７.0.0.1", "①②⑦.0.0.1", "a b.com", "a\x00.com", "ü.com", "x" * 64 + ".com", ""]
)
def test_odd_hosts_are_refused(host: str) -> None:
    with pytest.raises(EgressRefused):
        check_host(host)


@pytest.mark.parametrize(
    ("host", "read"),
    [
        ("Example.COM.", "example.com"),
        ("xn--bcher-kva.example", "xn--bcher-kva.example"),
        ("localhost", "localhost"),
        ("a_b.example.com", "a_b.example.com"),
        ("8.8.8.8", "8.8.8.8"),
        ("::ffff:8.8.8.8", "8.8.8.8"),
        ("2001:DB8::1", "2001:db8::1"),
        ("1a.example1", "1a.example1"),
    ],
)
def test_ordinary_hosts(host: str, read: str) -> None:
    assert str(check_host(host)) == read
