"""Which top-level names the public DNS does not serve, and the public suffix list.

The suffix list is the one bundled with `publicsuffixlist` (ICANN and private sections); it is never
fetched. A top-level name that is not on it is internal.
"""

from functools import cache, lru_cache

from publicsuffixlist import PublicSuffixList

# Never certified, not even as an internal name: nobody can own or prove them.
FORBIDDEN = {
    "invalid": "is under .invalid, which never exists (RFC 6761)",
    "onion": "is under .onion, which is not part of the DNS (RFC 7686)",
    "alt": "is under .alt, which is not part of the DNS (RFC 9476)",
    "in-addr.arpa": "is in a reverse zone, which holds addresses and not hosts",
    "ip6.arpa": "is in a reverse zone, which holds addresses and not hosts",
    "arpa": "is under .arpa, which is reserved for the infrastructure of the DNS",
}

_FORBIDDEN_ENDS = tuple(f".{zone}" for zone in FORBIDDEN)

# Internal by a written rule; any other top-level name that is not on the list is internal too.
INTERNAL = {
    "localhost": "is a reserved name for the host itself (RFC 6761)",
    "local": "is under .local, which is reserved for multicast DNS (RFC 6762)",
    "internal": "is under .internal, which is reserved for private networks",
    "home.arpa": "is under home.arpa, which is reserved for home networks (RFC 8375)",
    "test": "is under .test, which is reserved for tests (RFC 6761)",
    "example": "is under .example, which is reserved for documentation (RFC 6761)",
}

_INTERNAL_ENDS = tuple(f".{zone}" for zone in INTERNAL)


def forbidden_reason(host: str) -> str:
    """Why `host` can never be certified; empty when it can."""
    if not f".{host}".endswith(_FORBIDDEN_ENDS) or _is_under(host, "home.arpa"):
        return ""
    return _reason(FORBIDDEN, host)


def internal_reason(host: str) -> str:
    """Why `host` is an internal name; empty when it is a name of the public DNS."""
    if f".{host}".endswith(_INTERNAL_ENDS):
        return _reason(INTERNAL, host)
    if "." not in host and not is_public_suffix(host):
        return "is a single label, so it is an internal name and not one of the public DNS"
    if not suffix_list().publicsuffix(host):
        top = host.rpartition(".")[2]
        return f"is an internal name: the top-level domain .{top} does not exist in the public DNS"
    return ""


@lru_cache(maxsize=4096)
def is_public_suffix(host: str) -> bool:
    """Whether strangers register names directly under `host`, e.g. `co.uk`, `github.io`."""
    return bool(suffix_list().is_public(host))


def registrable(host: str) -> str:
    """The registrable domain (public suffix and one label), empty when there is none."""
    return suffix_list().privatesuffix(host) or ""


@cache
def suffix_list() -> PublicSuffixList:
    """The bundled list, read once a process (40 ms); unknown top-level names have no suffix."""
    return PublicSuffixList(accept_unknown=False)


def _reason(table: dict[str, str], host: str) -> str:
    return next((reason for zone, reason in table.items() if _is_under(host, zone)), "")


def _is_under(host: str, zone: str) -> bool:
    return host == zone or host.endswith("." + zone)
