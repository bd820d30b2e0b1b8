"""The one door of signed requests: shape, url, nonce, key, signature, in this order; then the view.

Nothing is looked up by what a request says before its signature has been found right, but for the account
whose key has to be known for that.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from django.core.exceptions import DisallowedHost
from django.http import HttpRequest, HttpResponse

from certdesk.foundation.common import clock, settings
from certdesk.lifecycle.enrolment import accounts, nonces
from certdesk.lifecycle.enrolment.errors import AcmeError, malformed, unauthorized
from certdesk.lifecycle.enrolment.models import Account

from . import jws, keys
from .jws import Message
from .keys import Key

CONTENT_TYPE = "application/jose+json"
ROOT = "/acme"
THIS_MACHINE = ("localhost", "127.0.0.1", "::1")
EVERYWHERE = ("", "0.0.0.0", "::")  # noqa: S104 compared with, not listened on


@dataclass(frozen=True, slots=True)
class Call:
    """A request whose signature is right.

    Attributes:
        account: None where the request is signed by a key of its own (`jwk`).
        base: scheme and host by which the client came; its links begin so.
        now: business time.
    """

    message: Message
    key: Key
    account: Account | None
    base: str
    source: str
    now: datetime

    @property
    def known(self) -> Account:
        """The account; only for views that are opened by `kid`."""
        if self.account is None:
            raise malformed("This request is signed with an account's kid, not with a jwk.")
        return self.account

    @property
    def wanted(self) -> dict[str, Any]:
        """The payload as an object."""
        return self.message.object()

    def url(self, *parts: str) -> str:
        return "/".join((self.base + ROOT, *parts))

    def require_get(self) -> None:
        """Raises:
        AcmeError: malformed; the resource is read by POST-as-GET.
        """
        if not self.message.is_get:
            raise malformed("This resource is read by POST-as-GET: with an empty payload.")


View = Callable[..., HttpResponse]


def base_of(request: HttpRequest) -> str:
    """Where the client believes to be: the address of the settings, or a host of our own that it came by.

    A proxy may end TLS before us without telling: for the host of the settings their scheme stands. Any other
    Host may be that of somebody who passes on what was signed for him (RFC 8555 §6.4): it counts for nothing.
    """
    own = settings.get().base_url
    try:
        host = request.get_host()
        if host == urlsplit(own).netloc or not _is_ours(host):
            return own
    except (DisallowedHost, ValueError):  # Django lets pass what is between brackets and no IPv6 address
        raise malformed("The Host of the request is no host.") from None
    return f"{request.scheme}://{host}"


def _is_ours(host: str) -> bool:
    """A name of this desk, at any port. One that listens everywhere and was told no name is known by any."""
    one = settings.get()
    named = urlsplit(one.base_url).hostname or ""
    listening = (urlsplit(f"//{each}").hostname for each in (one.http, one.https))
    return named in EVERYWHERE or urlsplit(f"//{host}").hostname in (named, *listening, *THIS_MACHINE)


def open_call(request: HttpRequest, *, by_jwk: bool | None) -> Call:
    """Checks a signed request.

    Args:
        by_jwk: True = by a key of its own alone, False = by an account alone, None = either.

    Raises:
        AcmeError: whatever is wrong with it.
    """
    if request.content_type != CONTENT_TYPE:
        raise AcmeError("malformed", f"Requests are of the type {CONTENT_TYPE}.", status=415)
    body = request.read(jws.MOST_BYTES + 1)
    if len(body) > jws.MOST_BYTES:
        raise malformed(f"The request is longer than {jws.MOST_BYTES} bytes.", 413)
    message = jws.parse(bytes(body))
    jws.check_algorithm(message)
    base = base_of(request)
    if message.url != base + request.path:
        raise unauthorized("The url of the protected header is not the one that was asked.")
    nonce = message.protected.get("nonce")
    if not nonce or not nonces.is_ours(nonce, clock.real_now()):
        raise bad_nonce()
    key, account = _signer(message, base, by_jwk)
    keys.verify(key, message.algorithm, message.signature, message.signed)
    if not nonces.use(nonce, clock.real_now()):
        raise bad_nonce()
    if account is not None:
        accounts.check_usable(account)
    source = str(request.META.get("REMOTE_ADDR", ""))
    return Call(message, key, account, base, source, clock.now())


def bad_nonce() -> AcmeError:
    return AcmeError("badNonce", "The nonce is not one of this server, too old, or was used before.")


def _signer(message: Message, base: str, by_jwk: bool | None) -> tuple[Key, Account | None]:
    if "jwk" in message.protected:
        if by_jwk is False:
            raise malformed("This request is signed with an account's kid, not with a jwk.")
        return keys.read(message.protected["jwk"]), None
    if by_jwk:
        raise malformed("This request is signed with a jwk, not with an account's kid.")
    account = account_of(message.protected["kid"], base)
    return keys.read(account.jwk), account


def account_of(kid: str, base: str) -> Account:
    """The account of an account URL of this server.

    Raises:
        AcmeError: accountDoesNotExist.
    """
    start = f"{base}{ROOT}/account/"
    own = f"{settings.get().base_url}{ROOT}/account/"
    found = None
    for one in (start, own):
        if kid.startswith(one):
            found = accounts.by_id(kid[len(one) :][:64])
            break
    if found is None:
        raise AcmeError("accountDoesNotExist", "There is no such account.")
    return found
