"""What this room refuses, and how foreign text is quoted in a refusal."""

from certdesk.foundation.common.errors import BadParameter, CertdeskError, Kind

_SHOWN_LIMIT = 80


class BadName(CertdeskError):
    """A domain name that no certificate may hold (APP-6, APP-7)."""

    kind = Kind.BAD_NAMES


class NamesDoNotFit(BadName):
    """Each name may be good, but together they do not fit what was bought (APP-5, CAT-9)."""


class BadCsr(CertdeskError):
    """A CSR that cannot be read, is unsigned, or carries a refused key or name (APP-12)."""

    kind = Kind.BAD_CSR


class WeakKey(BadCsr):
    """A public key that must not be certified (APP-12)."""


class BadCertificate(BadParameter):
    """Certificate text or bytes that cannot be read."""


class UploadRefused(BadParameter):
    """A certificate, chain or key from elsewhere that is not taken (UPL-1..6); `code` says which fault."""


class CannotRead(BadParameter):
    """What somebody brought to look at cannot be read, or not within the limits."""


class KeyDoesNotMatch(CertdeskError):
    """A private key and a certificate that do not belong together."""

    kind = Kind.NOT_EXPORTABLE


def shown(text: str) -> str:
    """Foreign text made safe to quote: one line, printable, at most 80 characters.

    Control characters, line breaks and direction overrides become escapes, so that a refused
    name cannot rewrite a log line, a terminal or the sentence around it.
    """
    cut = text if len(text) <= _SHOWN_LIMIT else text[: _SHOWN_LIMIT - 3] + "..."
    if cut.isprintable():
        return cut
    return "".join(c if c.isprintable() else _escaped(c) for c in cut)


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")
