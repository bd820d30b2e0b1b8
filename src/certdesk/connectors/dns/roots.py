"""Root hints: where an authoritative walk begins (RFC 9609). Data."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Hints:
    """Where a walk begins, and the port authoritative servers listen on (53 outside a laboratory).

    `anchors` are DS records of the root's keys, in text; without any, signatures are not checked.
    """

    addresses: tuple[str, ...]
    port: int = 53
    anchors: tuple[str, ...] = ()


# https://www.iana.org/domains/root/files, a to m; IPv4 first, so that hosts without IPv6 lose no time
ROOT = Hints(
    (
        "198.41.0.4",
        "170.247.170.2",
        "192.33.4.12",
        "199.7.91.13",
        "192.203.230.10",
        "192.5.5.241",
        "192.112.36.4",
        "198.97.190.53",
        "192.36.148.17",
        "192.58.128.30",
        "193.0.14.129",
        "199.7.83.42",
        "202.12.27.33",
        "2001:503:ba3e::2:30",
        "2801:1b8:10::b",
        "2001:500:2::c",
        "2001:500:2d::d",
        "2001:500:a8::e",
        "2001:500:2f::f",
        "2001:500:12::d0d",
        "2001:500:1::53",
        "2001:7fe::53",
        "2001:503:c27::2:30",
        "2001:7fd::1",
        "2001:500:9f::42",
        "2001:dc3::35",
    ),
    # https://data.iana.org/root-anchors/root-anchors.xml: KSK-2017 and KSK-2024
    anchors=(
        "20326 8 2 E06D44B80B8F1D39A95C0B0D7C65D08458E880409BBC683457104237C7F8EC8D",
        "38696 8 2 683D2D0ACB8C9B712A1948B27F741219298D0A450D612C483AF444A4C0FB2B16",
    ),
)
