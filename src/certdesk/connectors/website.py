"""Is the owner's file on the web server of the name? (DOM-8; Baseline Requirements 3.2.2.4.18)

Every port of the settings is asked at once, through the egress gate; one that shows the value is enough.
"""

import asyncio
import ssl
from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum

from certdesk.connectors.dns.lookup import printable
from certdesk.connectors.egress import Network
from certdesk.connectors.http import Fetched, Resolve, fetch
from certdesk.connectors.protocol import ConnectorError, EgressRefused

CHECK_SECONDS = 7.0
MOST_BYTES = 4096
"""The value has 64 characters: whatever is longer is no file of ours."""

MOST_REDIRECTS = 5
_SHOWN_BYTES = 60
_SCHEMES = {80: ("http",), 443: ("https",)}


class FileAnswer(StrEnum):
    """What a look at the file saw."""

    MATCH = "MATCH"
    WRONG_VALUE = "WRONG_VALUE"  # a file is there, with something else in it
    NO_FILE = "NO_FILE"  # the server answered, without a file
    REFUSED = "REFUSED"  # our own gate refused the place, first or after a redirect
    NO_ANSWER = "NO_ANSWER"  # no connection, no HTTP, too slow, too long


# which answer speaks for all ports where none has the value: the one that tells the reader most
_WEIGHT = (FileAnswer.WRONG_VALUE, FileAnswer.NO_FILE, FileAnswer.REFUSED, FileAnswer.NO_ANSWER)


@dataclass(frozen=True, slots=True)
class FileSeen:
    """The result of one look: `sentence` what was seen, `cause` the likely cause and way out."""

    answer: FileAnswer
    sentence: str
    cause: str = ""


async def check_file(
    *,
    name: str,
    path: str,
    expected: str,
    ports: Collection[int],
    allow_networks: Collection[Network],
    resolver: Resolve,
    seconds: float = CHECK_SECONDS,
) -> FileSeen:
    """Ask for `http(s)://name<path>` on every port; redirects stay on the same ports.

    The certificate of an https server is not looked at: a name that is being proved may have none yet.
    """

    async def one(url: str) -> FileSeen:
        try:
            got = await fetch(
                url,
                ports=ports,
                allow_networks=allow_networks,
                max_bytes=MOST_BYTES,
                total_timeout=seconds,
                max_redirects=MOST_REDIRECTS,
                resolver=resolver,
                verify_tls=False,
            )
        except EgressRefused as error:
            return FileSeen(FileAnswer.REFUSED, error.message, _refused(url, error.message))
        except (ConnectorError, ssl.SSLError) as error:
            return FileSeen(FileAnswer.NO_ANSWER, str(error), _UNREACHABLE)
        return judge(got, expected)

    seen = await asyncio.gather(*(one(url) for url in urls(name, path, ports)))
    for wanted in (FileAnswer.MATCH, *_WEIGHT):
        for found in seen:
            if found.answer is wanted:
                return found
    return FileSeen(FileAnswer.NO_ANSWER, f"There is no port on which {name} may be asked.")


def urls(name: str, path: str, ports: Collection[int]) -> tuple[str, ...]:
    """Port 80 by http, 443 by https; any other, which only a laboratory has, by both."""
    found = []
    for port in ports:
        for scheme in _SCHEMES.get(port, ("http", "https")):
            usual = port in _SCHEMES
            found.append(f"{scheme}://{name}{'' if usual else f':{port}'}{path}")
    return tuple(found)


def judge(got: Fetched, expected: str) -> FileSeen:
    """Only 2xx counts; the body, without blanks around it, is the value and nothing else."""
    shown = printable(got.body, _SHOWN_BYTES)
    way = f" after {len(got.redirects)} redirects" if got.redirects else ""
    if 300 <= got.status < 400:
        return FileSeen(
            FileAnswer.NO_FILE,
            f"{got.url:.200} answered status {got.status}{way}; only redirects with 301, 302, 307 or 308 "
            "and a Location are followed.",
            "Serve the file itself, or redirect with 301, 302, 307 or 308.",
        )
    if not 200 <= got.status < 300:
        return FileSeen(
            FileAnswer.NO_FILE,
            f'{got.url:.200} answered status {got.status}{way}, beginning "{shown}".',
            _STATUS.get(got.status, "The web server has a fault of its own: look into its log."),
        )
    if _trimmed(got.body) == expected.encode():
        return FileSeen(FileAnswer.MATCH, f"{got.url:.200} has the expected value{way}.")
    return FileSeen(
        FileAnswer.WRONG_VALUE,
        f'{got.url:.200} answered status {got.status}{way} with other text, beginning "{shown}".',
        _other_text(got.body, expected),
    )


def _trimmed(body: bytes) -> bytes:
    """Without blanks and line breaks around it, and without the mark that Windows editors put in front."""
    return body.removeprefix(b"\xef\xbb\xbf").strip()


_UNREACHABLE = (
    "No web server answers there: open port 80 or 443 to the internet, and check the name's address records."
)
_STATUS = {
    401: "The web server asks for a password: let this path be read by everybody.",
    403: "The web server forbids the path: let it be read by everybody.",
    404: "The file is not there: put it into .well-known/pki-validation below the web root of this name.",
}


def _refused(url: str, told: str) -> str:
    if url[:200] in told and " redirects more than " not in told:
        return "The name leads to an address or port that may not be asked: it must be public."
    return (
        "The redirect leads to where it may not: only http and https on the same ports and public addresses; "
        "serve the file without a redirect."
    )


def _other_text(body: bytes, expected: str) -> str:
    if expected.encode() in body:
        return "More text than the value stands in the file; leave only the value."
    if b"<html" in body.lower() or b"<!doctype" in body.lower():
        return "A web page came in place of the file: the server answers every path with it."
    return "The file of an earlier application is probably left: replace it with the one shown."
