"""What the operator sets up: issuers with their sealed options."""

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from certdesk.connectors.dns.providers.options import MASK
from certdesk.connectors.issuers import registry
from certdesk.connectors.issuers.options import IssuerOptions
from certdesk.connectors.issuers.protocol import IssuerCheck, IssuerError
from certdesk.foundation.audit import actions as audit
from certdesk.foundation.common import clock, ids, settings
from certdesk.foundation.common.errors import BadParameter, CertdeskError, Kind
from certdesk.foundation.common.sql import short_transaction
from certdesk.foundation.iam import queries as iam
from certdesk.foundation.iam.principal import Principal
from certdesk.foundation.sealing import actions as sealing
from certdesk.lifecycle.catalogue import rehearsal

from . import actions, dialing, queries, rules
from .errors import BuiltInStays, NoIssuer, StillUsed
from .models import Issuer
from .states import State

LIST, GET, CREATE = "scm:issuer:list", "scm:issuer:get", "scm:issuer:create"
UPDATE, DELETE, TEST = "scm:issuer:update", "scm:issuer:delete", "scm:issuer:test"
MOST = 50
MOST_A_WEEK = 1_000_000
LONGEST_TITLE = 64
PROFILES = ("public", "private")
_SLUG = re.compile(r"[a-z][a-z0-9-]{1,18}")  # as campaigns ask for it; versions have 40 characters

OpenAt = Callable[[str], int]
_open_at: list[OpenAt] = []


def register(open_at: OpenAt) -> None:
    """Adds what counts the orders that a higher room has open at the issuer of a slug."""
    _open_at.append(open_at)


def listed(principal: Principal) -> list[Issuer]:
    """The issuers of the installation without the built-in CA, by priority.

    Raises:
        Forbidden: as everywhere here: only the operator sets issuers up and sees them.
    """
    iam.require_operator(principal, LIST)
    return list(Issuer.objects.order_by("priority", "created_at", "id"))


def fetch(principal: Principal, action: str, issuer_id: str) -> Issuer:
    """The issuer of that id or slug.

    Raises:
        Forbidden: not the operator, or no right to `action`.
        BuiltInStays: the built-in CA, which has no configuration.
        NoIssuer: there is none.
    """
    iam.require_operator(principal, action)
    if rules.is_built_in(issuer_id):
        raise BuiltInStays
    found = Issuer.objects.filter(id=issuer_id).first() or queries.find(issuer_id)
    if found is None:
        raise NoIssuer
    return found


def look_at(principal: Principal, issuer_id: str) -> Issuer:
    """As `fetch` to read it; the built-in CA has its line too."""
    if issuer_id == rules.BUILT_IN:
        iam.require_operator(principal, GET)
        return queries.built_in()
    return fetch(principal, GET, issuer_id)


def add(
    principal: Principal,
    *,
    kind: str,
    slug: str,
    profile: str,
    title: str = "",
    priority: int = 100,
    weekly_limit: int = 0,
    enabled: bool = True,
    given: Mapping[str, Any],
) -> Issuer:
    """Stores an issuer; it is not asked before `test`.

    Raises:
        Forbidden: not the operator, or no `scm:issuer:create`.
        CertdeskError: a field or option that does not fit, a slug that is taken, or 50 issuers already.
    """
    iam.require_operator(principal, CREATE)
    options, now = _read(kind, given), clock.real_now()
    made = Issuer(
        id=ids.hex32(),
        account_id=principal.account_id or iam.operating_account(),
        slug=_slug(slug),
        title=_title(title or options.label),
        kind=kind,
        profile=_profile(profile),
        enabled=enabled,
        priority=_number(priority, "priority", 10_000),
        weekly_limit=_number(weekly_limit, "weekly_limit", MOST_A_WEEK),
        shown=options.shown(),
        capabilities=_told(kind, options),
        since=now,
        created_by=principal.user_id,
        updated_by=principal.user_id,
        created_at=now,
        updated_at=now,
    )
    with short_transaction():
        _check_room(made.slug)
        made.secret_id = _seal(made, options)
        made.save(force_insert=True)
        _note(principal, CREATE, made)
    return made


def _check_room(slug: str) -> None:
    if Issuer.objects.count() >= MOST:
        raise CertdeskError(
            f"The installation has {MOST} issuers already.",
            next_step="Remove one that is not needed any more.",
            kind=Kind.QUOTA,
            code="SCM.9011",
        )
    if queries.find(slug) is not None:
        raise BadParameter(
            f"There is an issuer {slug} already.", next_step="Choose another name.", field="slug"
        )


def edit(principal: Principal, issuer_id: str, changes: Mapping[str, Any]) -> Issuer:
    """New title, priority, limit, options, or whether it gets orders; kind, slug and profile stay.

    Raises:
        Forbidden, BuiltInStays, NoIssuer: as `fetch` with `scm:issuer:update`.
        CertdeskError: a field or option that does not fit.
    """
    issuer = fetch(principal, UPDATE, issuer_id)
    with short_transaction():
        issuer = Issuer.objects.select_for_update().get(id=issuer.id)
        if changes.get("options") is not None:
            _replace_options(issuer, changes["options"])
        if changes.get("title") is not None:
            issuer.title = _title(changes["title"])
        for name, most in (("priority", 10_000), ("weekly_limit", MOST_A_WEEK)):
            if changes.get(name) is not None:
                setattr(issuer, name, _number(changes[name], name, most))
        if changes.get("enabled") is not None:
            issuer.enabled = bool(changes["enabled"])
        issuer.updated_by, issuer.updated_at = principal.user_id, clock.real_now()
        issuer.save()
        _note(principal, UPDATE, issuer, enabled=issuer.enabled)
    return issuer


def _replace_options(issuer: Issuer, given: Mapping[str, Any]) -> None:
    """With other options what was met before says nothing any more."""
    before = dialing.options_of(issuer)
    options = _read(issuer.kind, given, before)
    if options.stored() == before:
        return
    old, issuer.secret_id = issuer.secret_id, _seal(issuer, options)
    sealing.destroy(old)
    issuer.shown = options.shown()
    actions.learn(issuer, _told(issuer.kind, options))
    issuer.state, issuer.since, issuer.failures = State.UNKNOWN, clock.real_now(), 0
    issuer.orders_fail, issuer.retry_at, issuer.asked_at = False, None, None
    issuer.problem, issuer.next_step, issuer.notes = "", "", []


def remove(principal: Principal, issuer_id: str) -> None:
    """Forgets an issuer and destroys its secrets.

    Raises:
        Forbidden, BuiltInStays, NoIssuer: as `fetch` with `scm:issuer:delete`.
        StillUsed: products have it in their order, orders there are open, or certificates of it are in force.
    """
    issuer = fetch(principal, DELETE, issuer_id)
    with short_transaction():
        Issuer.objects.select_for_update().filter(id=issuer.id).first()  # no order begins after the count
        _refuse_used(issuer)
        Issuer.objects.filter(id=issuer.id).delete()
        sealing.destroy(issuer.secret_id)
        _note(principal, DELETE, issuer)


def _refuse_used(issuer: Issuer) -> None:
    products = queries.products_of(issuer.slug)
    if products:
        raise StillUsed(
            f"{len(products)} products are served by this issuer, the first of them {products[0].id}.",
            next_step="Give these products another order of issuers first, or switch the issuer off.",
        )
    waiting = sum(count(issuer.slug) for count in _open_at)
    if waiting:
        raise StillUsed(
            f"{waiting} orders at this issuer are open, and nobody could ask for them any more.",
            next_step="Switch it off, so that it gets no new orders, and wait until these are over.",
        )
    count = queries.in_force(issuer.slug, clock.now())
    if count:
        raise StillUsed(
            f"{count} certificates of this issuer are in force, and could not be revoked there any more.",
            next_step="Switch it off: it gets no new orders then.",
        )


def test(principal: Principal, issuer_id: str) -> IssuerCheck:
    """Asks whether it can be reached and accepts our account; orders nothing. What it said is kept.

    Raises:
        Forbidden, BuiltInStays, NoIssuer: as `fetch` with `scm:issuer:test`.
    """
    issuer = fetch(principal, TEST, issuer_id)
    found, able = dialing.ask(issuer)
    with short_transaction():
        actions.note_test(issuer.slug, found, able, clock.real_now(), secret_id=issuer.secret_id)
        _note(principal, TEST, issuer, ok=found.ok)
    return found


def may_rehearse(principal: Principal, brand: str) -> bool:
    """Whether the brand is a test order's, and the principal may have one."""
    return rehearsal.is_rehearsal(brand) and iam.is_operator(principal, TEST)


def _read(kind: str, given: Mapping[str, Any], old: Mapping[str, Any] | None = None) -> IssuerOptions:
    """A stored secret never goes to another server than the one it was given for."""
    try:
        options, moved = _against(kind, given, old)
    except IssuerError as error:
        raise dialing.refusal(error) from None
    if moved and MASK in given.values():
        raise BadParameter(
            "The server of the issuer changes, so its secrets must be given again.",
            next_step="Enter the secrets for the new server.",
            field="options",
        )
    return options


def _against(
    kind: str, given: Mapping[str, Any], old: Mapping[str, Any] | None
) -> tuple[IssuerOptions, bool]:
    """The options, and whether they lead to another server.

    A secret that is left out of an edit is kept, as by `***`: without it an ACME account would be lost. At
    another server there is nothing to keep.
    """
    if old is None:
        return registry.read_options(kind, given), False
    was = registry.read_options(kind, old)
    left_out = {name: MASK for name, shown in was.shown().items() if shown == MASK and name not in given}
    options = registry.read_options(kind, {**given, **left_out}, old)
    if was.receiver() == options.receiver():
        return options, False
    return registry.read_options(kind, given, old), True


def _told(kind: str, options: IssuerOptions) -> dict[str, Any]:
    """What the connector says of itself before anybody was asked."""
    made = registry.connect(kind, options.stored(), dialing.outside())
    return dialing.stored(made.capabilities)


def _seal(issuer: Issuer, options: IssuerOptions) -> str:
    plain = json.dumps(options.stored()).encode()
    return sealing.seal(issuer.account_id, dialing.purpose(issuer.id), plain)


def _slug(given: str) -> str:
    if not _SLUG.fullmatch(given) or rules.is_built_in(given):
        raise BadParameter(
            f"{given!r:.40} cannot be the short name of an issuer.",
            next_step="Take 2 to 19 small letters, digits and hyphens, a letter first; not builtin.",
            field="slug",
        )
    return given


def _profile(given: str) -> str:
    if given not in PROFILES:
        raise BadParameter(
            f"{given!r:.40} is no profile.", next_step="Use public or private.", field="profile"
        )
    if given == "public" and settings.get().lab_clock is not None:
        raise BadParameter(
            "This is a lab whose clock is moved, so it orders nothing that others trust.",
            next_step="Use the profile private.",
            field="profile",
        )
    return given


def _title(given: str) -> str:
    text = " ".join(given.split())
    if not text or len(text) > LONGEST_TITLE or not text.isprintable():
        raise BadParameter(
            f"title has 1 to {LONGEST_TITLE} printable characters.", next_step="Shorten it.", field="title"
        )
    return text


def _number(given: int, field: str, most: int) -> int:
    if not 0 <= given <= most:
        raise BadParameter(f"{field} is a number from 0 to {most}.", next_step="Correct it.", field=field)
    return given


def _note(principal: Principal, action: str, issuer: Issuer, **more: object) -> None:
    audit.record(
        principal,
        action,
        resource=f"issuer:{issuer.id}",
        account_id=issuer.account_id,
        details={"kind": issuer.kind, "slug": issuer.slug, **more},
    )
