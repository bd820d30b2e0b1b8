"""Names for downloaded files, made from text that somebody else chose."""

import re

_LIMIT = 100  # characters; leaves room for a suffix below the 255 bytes of most file systems
_FOREIGN = re.compile(r"[^A-Za-z0-9._-]+")
_DOTS = re.compile(r"\.{2,}")
# Windows opens a device instead of a file for these, whatever the ending.
_DEVICES = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?", re.IGNORECASE)


def safe_name(text: str) -> str:
    """ASCII letters, digits, `.`, `_` and `-`; no path, no hidden file, no device; never empty.

    `*.example.com` becomes `_.example.com`, `../../etc/passwd` becomes `etc_passwd`.
    """
    wildcard = "_." if text.startswith("*.") else ""
    name = _DOTS.sub(".", _FOREIGN.sub("_", text))[:_LIMIT].strip("._-") or "certificate"
    return f"_{name}" if _DEVICES.fullmatch(name) else wildcard + name
