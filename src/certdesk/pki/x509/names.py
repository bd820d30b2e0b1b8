"""The one gate for domain names (CAT-1, APP-6, APP-7) and where their proof goes (DOM-3, DOM-14).

Nothing else in the project decides whether a name is good. `cryptography` accepts `*.*.x`, underscores,
NUL, addresses and empty labels as DNS names, so a name that did not pass here must not reach a builder.
"""

import ipaddress
import unicodedata
from dataclasses import dataclass
from functools import lru_cache

from . import labels as letters
from . import reserved_names
from .errors import BadName, shown

PROOF_LABEL = "_dnsauth"  # begins with `_`, as the Baseline Requirements 3.2.2.4.7 ask

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


@dataclass(frozen=True, slots=True, order=True)
class Name:
    """A name that passed the gate.

    Attributes:
        text: canonical form: lower case, A-labels, no trailing dot; a wildcard keeps its `*.`.
        wildcard: whether it starts with `*.`.
        ip: whether it is an IP address (only with `allow_ip`).
    """

    text: str
    wildcard: bool = False
    ip: bool = False

    def __str__(self) -> str:
        return self.text

    @property
    def base(self) -> str:
        """The name without `*.`."""
        return self.text.removeprefix("*.")

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels of `base`, leftmost first; an IP address is one label."""
        return (self.text,) if self.ip else tuple(self.base.split("."))

    @property
    def registrable(self) -> str:
        """The registrable domain, e.g. `example.co.uk`; empty for internal names and addresses."""
        return "" if self.ip else reserved_names.registrable(self.base)

    @property
    def unicode(self) -> str:
        """The display form; show it beside `text`, never in its place."""
        return letters.display(self.text)


@lru_cache(maxsize=4096)  # one issuance brings the same name here four times, 40 µs each
def parse_name(
    text: str, *, allow_internal: bool = False, allow_ip: bool = False, allow_suffix: bool = False
) -> Name:
    """The canonical name, or `BadName` with what is wrong and what to write instead.

    Args:
        text: one name as somebody typed it; spaces around it are refused, not trimmed.
        allow_internal: take names outside the public DNS too (catalogue profile `private` only).
        allow_ip: take IP addresses too; private and local ones only together with `allow_internal`.
        allow_suffix: take public suffixes and wildcards under them too, in what others have issued already.
    """
    _refuse_unprintable(text)
    _refuse_too_long(text)
    address = _address(text)
    if address is not None:
        return _parse_address(text, address, allow_internal=allow_internal, allow_ip=allow_ip)
    _refuse_other_things(text)
    if not text.isascii():
        raise _unicode_refusal(text, allow_internal=allow_internal, allow_ip=allow_ip)
    name = _canonical(text)
    _refuse_bad_labels(text, name)
    _refuse_reserved(text, name, allow_internal=allow_internal, allow_suffix=allow_suffix)
    return name


def match(pattern: str, host: str) -> bool:
    """Whether a certificate for `pattern` covers `host` (RFC 9525 §6.3).

    `*` stands for exactly one label: `*.example.com` covers `a.example.com`, neither `example.com`
    nor `a.a.example.com`. Both are compared in A-label form without regard to case.
    """
    wanted, given = pattern.lower(), host.lower().removesuffix(".")
    if wanted == given:
        return bool(given)
    first, _, rest = given.partition(".")
    return bool(first) and first != "*" and bool(rest) and wanted == f"*.{rest}"


def authorization_domain(name: Name) -> str:
    """The domain whose control is proved for `name` (DOM-3).

    Without `*.`, or without a leading `www.` unless a public suffix or a top-level name would
    remain (DOM-14). Names with the same authorisation domain share one record (DOM-15).
    """
    if name.wildcard or name.ip:
        return name.base
    first, _, parent = name.text.partition(".")
    if first != "www" or "." not in parent or reserved_names.is_public_suffix(parent):
        return name.text
    return parent


def proof_owner(name: Name) -> str:
    """Where the DNS record that proves `name` stands. The only function that makes such labels.

    Raises:
        BadName: an address, or a name so long that no label fits in front of it.
    """
    if name.ip:
        raise BadName(
            f"{name.text} is an IP address, whose control cannot be proved by DNS (RFC 8738 §7).",
            next_step="Choose the file method.",
        )
    owner = f"{PROOF_LABEL}.{authorization_domain(name)}"
    if len(owner) > letters.NAME_LIMIT:
        raise _refusal(
            name.text,
            f"is too long to be proved by DNS: {PROOF_LABEL}. no longer fits in front of it",
            "Use a shorter name.",
        )
    return owner


def _refusal(text: str, reason: str, next_step: str) -> BadName:
    return BadName(f"The name '{shown(text)}' {reason}.", next_step=next_step, field="domain")


def _refuse_unprintable(text: str) -> None:
    if not text:
        raise BadName("The name is empty.", next_step="Enter a domain name such as www.example.com.")
    if text.isascii() and text.isprintable() and " " not in text:
        return  # nearly every name; the loop finds the fault of the others
    for character in text:
        if character.isspace():
            raise _refusal(text, "has a space or a line break in it", "Write one name without spaces.")
        if unicodedata.category(character).startswith("C"):
            raise _refusal(text, "has a control or invisible character", "Type the name again by hand.")


def _refuse_too_long(text: str) -> None:
    if len(text) > letters.NAME_LIMIT:
        raise _refusal(
            text,
            f"has {len(text)} characters; a domain name has at most {letters.NAME_LIMIT}",
            "Use a shorter name.",
        )


def _address(text: str) -> Address | None:
    if ":" not in text and not text.removesuffix("]")[-1:].isdigit():
        return None  # as below, without the price of an exception
    try:
        return ipaddress.ip_address(text.removeprefix("[").removesuffix("]"))
    except ValueError:
        return None


def _parse_address(text: str, address: Address, *, allow_internal: bool, allow_ip: bool) -> Name:
    if not allow_ip:
        raise _refusal(text, "is an IP address", "Enter the domain name of the server.")
    if "[" in text or "%" in text or getattr(address, "ipv4_mapped", None) is not None:
        raise _refusal(
            text,
            "is an IP address in a form that a certificate cannot hold",
            "Write it without brackets, zone or ::ffff: prefix.",
        )
    if address.is_unspecified or address.is_multicast:
        raise _refusal(text, "is an IP address that no single host has", "Enter the address of the server.")
    if not (address.is_global or allow_internal):
        raise _refusal(text, "is a private or reserved IP address", "Enter a public address.")
    return Name(str(address), ip=True)


def _refuse_other_things(text: str) -> None:
    """Things that people paste where a host name is wanted."""
    if "/" in text or "\\" in text:
        raise _refusal(text, "is a web address or a path, not a host name", "Enter the host name alone.")
    if "@" in text:
        raise _refusal(text, "is an email address, not a host name", "Enter the part after the @.")
    if ":" in text:
        raise _refusal(text, "has a port or a colon in it", "Enter the host name without the port.")


def _unicode_refusal(text: str, *, allow_internal: bool, allow_ip: bool) -> BadName:
    """APP-6: refused, with the punycode form offered when that form would be accepted."""
    form = letters.to_punycode(text)
    if form is None:
        return _refusal(
            text,
            "has characters outside ASCII and is no valid internationalised name",
            "Check the spelling; such names are entered in punycode (xn--).",
        )
    try:
        offered = parse_name(form, allow_internal=allow_internal, allow_ip=allow_ip)
    except BadName as fault:
        return _refusal(
            text,
            f"has characters outside ASCII, and its ASCII form is refused too: {fault.message[:-1]}",
            fault.next_step,
        )
    return _refusal(
        text,
        f"has characters outside ASCII; in punycode it is {offered.text}",
        f"Enter {offered.text} instead.",
    )


def _canonical(text: str) -> Name:
    """Lower case and the wildcard taken apart; labels are not checked yet."""
    if text.endswith("."):
        raise _refusal(text, "ends with a dot", "Write it without the dot at the end.")
    wildcard = text.startswith("*.")
    if "*" in text.removeprefix("*."):
        raise _refusal(
            text,
            "has a * in a wrong place; one * is allowed, alone, as the leftmost label",
            "Write a wildcard name as *.example.com.",
        )
    return Name(text.lower(), wildcard)


def _refuse_bad_labels(text: str, name: Name) -> None:
    labels = name.labels
    for label in () if letters.is_usual(name.base) else labels:
        fault = letters.label_fault(label)
        if fault:
            raise _refusal(text, fault, "Correct the name.")
    if letters.ends_in_a_number(labels):
        raise _refusal(
            text,
            "ends in a number, so it would be read as an IP address",
            "Enter the domain name of the server.",
        )


def _refuse_reserved(text: str, name: Name, *, allow_internal: bool, allow_suffix: bool) -> None:
    forbidden = reserved_names.forbidden_reason(name.base)
    if forbidden:
        raise _refusal(text, forbidden, "Use a name that you own in the public DNS.")
    internal = "" if allow_internal else reserved_names.internal_reason(name.base)
    if internal:
        raise _refusal(text, internal, "Use a name that you own in the public DNS.")
    if not reserved_names.is_public_suffix(name.base):
        _refuse_wide_wildcard(text, name)
    elif allow_suffix:
        return
    elif name.wildcard:
        raise _refusal(
            text,
            f"is a wildcard directly under the public suffix {name.base}, where strangers own names",
            "Put your own domain between the * and the suffix.",
        )
    else:
        raise _refusal(
            text,
            "is itself a public suffix, under which strangers own names",
            "Enter a domain that you own under it.",
        )


def _refuse_wide_wildcard(text: str, name: Name) -> None:
    if name.wildcard and len(name.labels) == 1:
        raise _refusal(
            text, "is a wildcard over a whole top-level name", "Put a domain between the * and that name."
        )
