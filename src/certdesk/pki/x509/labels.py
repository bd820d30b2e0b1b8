"""The letters of a host name: labels, A-labels (IDNA 2008) and their display form.

Lengths and characters after RFC 1035 §2.3.1 and RFC 5890 §2.3.1: letters, digits and hyphens.
"""

import re
import unicodedata

import idna

LABEL_LIMIT = 63  # octets, RFC 1035 §2.3.4
NAME_LIMIT = 253  # octets of the whole name in text form without the trailing dot

_FOREIGN = re.compile(r"[^a-z0-9-]")
_USUAL = re.compile(r"(?!-)[a-z0-9-]{1,63}(?<!-)(?:\.(?!-)[a-z0-9-]{1,63}(?<!-))*")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
_LOOK_ALIKE_SCRIPTS = frozenset({"LATIN", "CYRILLIC", "GREEK", "ARMENIAN", "CHEROKEE"})


def is_usual(name: str) -> bool:
    """Whether `label_fault` finds nothing in any label, said at once; False = look at each."""
    return "--" not in name and _USUAL.fullmatch(name) is not None


def label_fault(label: str) -> str:
    """What is wrong with one lower-case ASCII label, as the end of a sentence; empty when nothing."""
    if not label:
        return "has an empty label (two dots in a row, or a dot at the start)"
    if len(label) > LABEL_LIMIT:
        return f"has a label of {len(label)} characters; at most {LABEL_LIMIT} are allowed"
    if "_" in label:
        return "has an underscore, which is not allowed in a host name"
    foreign = _FOREIGN.search(label)
    if foreign:
        return f"has the character {foreign[0]}; only letters, digits and hyphens are allowed"
    if label.startswith("-") or label.endswith("-"):
        return "has a label that starts or ends with a hyphen"
    return _reserved_label_fault(label)


def _reserved_label_fault(label: str) -> str:
    """Hyphens in places 3 and 4 are reserved; only `xn--` has a meaning (RFC 5890 §2.3.1)."""
    if label[2:4] != "--":
        return ""
    if not label.startswith("xn--"):
        return f"has the label {label}, whose third and fourth characters are reserved hyphens"
    if to_unicode(label) is None:
        return f"has the label {label}, which is no valid punycode (IDNA 2008)"
    return ""


def to_unicode(label: str) -> str | None:
    """The U-label of a lower-case A-label; None unless it decodes, is valid and canonical."""
    try:
        text = idna.ulabel(label)
        return text if idna.alabel(text) == label.encode("ascii") else None
    except UnicodeError:
        return None


def to_punycode(text: str) -> str | None:
    """The A-label form of a Unicode name (UTS 46 mapping, non-transitional); None when there is none."""
    base = text.removeprefix("*.")
    try:
        return text[: -len(base)] + idna.encode(base, uts46=True).decode("ascii")
    except UnicodeError:
        return None


def ends_in_a_number(labels: tuple[str, ...]) -> bool:
    """Resolvers read `127.1`, `0x7f.1` or `2130706433` as an address, so no host name ends so."""
    return _NUMBER.fullmatch(labels[-1]) is not None


def display(name: str) -> str:
    """The name for human eyes: U-labels, but a label that mixes look-alike scripts stays punycode.

    Show it beside the A-label form, never in its place: look-alikes within one script remain.
    """
    return ".".join(_display_label(label) for label in name.split("."))


def _display_label(label: str) -> str:
    text = to_unicode(label) if label.startswith("xn--") else None
    if text is None or len(_scripts(text) & _LOOK_ALIKE_SCRIPTS) > 1:
        return label
    return text


def _scripts(text: str) -> set[str]:
    """The first word of each character's Unicode name, which for letters is the script."""
    return {unicodedata.name(character, "").partition(" ")[0] for character in text}
