"""The standing abuse corpus for names and CSRs, for every face to be driven with.

`bad_names()` and `hostile_csrs()` give the same cases in every run.
"""

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

from .hostile_requests import ignored, refused_forms, refused_keys, refused_names

_DATA = Path(__file__).parents[1] / "pki" / "x509" / "data"


@dataclass(frozen=True, slots=True)
class HostileCsr:
    """One CSR and what must come of it.

    Attributes:
        name: what is wrong with it, for the test's id.
        pem: the text to upload.
        expect: `refused`, or `ignored` where the CSR is good for `good.example.com` and the rest of it
            must not reach a certificate.
        fragment: part of the refusal's message, or of the entry in `ParsedCsr.ignored`.
    """

    name: str
    pem: str
    expect: Literal["refused", "ignored"]
    fragment: str


def bad_names() -> list[tuple[str, str]]:
    """Names that every face refuses, each with a part of the sentence that says why."""
    return _read_cases(_DATA / "bad_names.txt")


def good_names() -> list[tuple[str, str]]:
    """Names that every face takes, each with its canonical form."""
    return _read_cases(_DATA / "good_names.txt")


@cache
def hostile_csrs() -> list[HostileCsr]:
    """At least 60 CSRs that ask for what they must not get, or cannot be read."""
    refused = [*refused_forms(), *refused_keys(), *refused_names()]
    return [
        *(HostileCsr(name, pem, "refused", fragment) for name, pem, fragment in refused),
        *(HostileCsr(name, pem, "ignored", fragment) for name, pem, fragment in ignored()),
    ]


def _read_cases(path: Path) -> list[tuple[str, str]]:
    """`text<TAB>fragment` a line; Python escapes in the text; a line that starts with `#` is a comment."""
    cases = []
    for line in path.read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            text, _, fragment = line.partition("\t")
            cases.append((_unescaped(text), fragment.strip()))
    return cases


def _unescaped(text: str) -> str:
    """`\\x00`, `\\u202e`, `\\t`, `\\s` (a space) and `\\e` (nothing); everything else as it stands."""
    text = text.replace("\\e", "").replace("\\s", " ")
    return text.encode("latin-1", "backslashreplace").decode("unicode_escape")
