"""Tags of certificates: set, remove, read. Whoever may not reach the certificate reaches no tag of it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from certdesk.foundation.audit import actions as audit
from certdesk.foundation.common import sql
from certdesk.foundation.common.errors import BadParameter
from certdesk.foundation.iam.principal import Principal

from . import queries, rules, tag_rules
from .models import Certificate, Tag
from .tag_rules import TagPair

CREATE, BATCH = "scm:cert:createTag", "scm:cert:batchTags"
OF_ONE, ALL = "scm:cert:listTagsByCertificate", "scm:cert:listTags"
MOST_LISTED = 10_000
"""Pairs of key and value that the list of all tags shows at most."""


@dataclass(frozen=True, slots=True)
class TagCount:
    """A key with one value, and how many certificates have it."""

    key: str
    value: str
    certificates: int


def of(principal: Principal, certificate_id: str) -> list[TagPair]:
    """The tags of one certificate, by key.

    Raises:
        NoCertificate, Forbidden: as `queries.fetch` with `scm:cert:listTagsByCertificate`.
    """
    return read(queries.fetch(principal, OF_ONE, certificate_id))


def read(certificate: Certificate) -> list[TagPair]:
    """The tags of a certificate that the caller fetched, by key."""
    return of_many([certificate.id])[certificate.id]


def of_many(certificate_ids: Sequence[str]) -> dict[str, list[TagPair]]:
    """The tags of certificates that the caller has found for the principal, by certificate."""
    tags: dict[str, list[TagPair]] = {certificate_id: [] for certificate_id in certificate_ids}
    found = Tag.objects.filter(certificate_id__in=certificate_ids)
    # Sorted here: each database has an order of letters of its own.
    for certificate_id, key, value in sorted(found.values_list("certificate_id", "key", "value")):
        tags[certificate_id].append(TagPair(key, value))
    return tags


def are_there(principal: Principal) -> bool:
    """Whether any certificate of the account has a tag; cheap, for the choice of showing a filter."""
    return Tag.objects.filter(account_id=principal.account_id).exists()


def counted(principal: Principal) -> list[TagCount]:
    """Every key with every value on certificates that the principal may see, by key and value."""
    conditions, params = queries.visible(principal, ALL)
    found = sql.rows(
        "SELECT t.key, t.value, COUNT(*) FROM certificates_tag t JOIN certificates_certificate c"
        f" ON c.id = t.certificate_id WHERE {' AND '.join(conditions)} AND t.account_id = %s"
        " GROUP BY t.key, t.value ORDER BY t.key, t.value LIMIT %s",
        [*params, principal.account_id, MOST_LISTED],
    )
    return sorted(
        (TagCount(str(key), str(value), int(count)) for key, value, count in found),
        key=lambda one: (one.key, one.value),
    )


def put(principal: Principal, certificate_id: str, tags: Sequence[TagPair], action: str = CREATE) -> None:
    """Sets tags; a key that the certificate has already takes the new value.

    Args:
        action: the right that is asked for, `CREATE` or `BATCH`.

    Raises:
        NoCertificate, Forbidden: as `queries.fetch` with `action`.
        BadParameter: a tag is none, or there would be more than 20.
    """
    tag_rules.check_tags(tags)
    certificate = queries.fetch(principal, action, certificate_id)
    with sql.short_transaction():
        _hold(certificate)
        present = dict(Tag.objects.filter(certificate=certificate).values_list("key", "value"))
        tag_rules.check_room(present, [one.key for one in tags])
        changed = [one for one in tags if present.get(one.key) != one.value]
        if not changed:
            return
        _require_after(principal, action, certificate, {**present, **{one.key: one.value for one in changed}})
        _write([certificate.id], certificate.account_id, changed)
        _record(principal, certificate, action, {"set": [one.key for one in changed]})


def remove(principal: Principal, certificate_id: str, tags: Sequence[TagPair]) -> None:
    """Takes tags away: by key, or where a value is given by key and value. What is not there is no error.

    Raises:
        NoCertificate, Forbidden: as `queries.fetch` with `scm:cert:batchTags`.
        BadParameter: none or more than 20 were given.
    """
    if not 1 <= len(tags) <= tag_rules.MOST:
        raise BadParameter(
            f"{len(tags)} tags were given.",
            next_step=f"Give 1 to {tag_rules.MOST} tags in one request.",
            field="tags",
            code=tag_rules.BAD_LIST,
        )
    certificate = queries.fetch(principal, BATCH, certificate_id)
    with sql.short_transaction():
        _hold(certificate)
        present = {one.key: one for one in Tag.objects.filter(certificate=certificate)}
        gone = [
            present[one.key]
            for one in tags
            if one.key in present and one.value in ("", present[one.key].value)
        ]
        if not gone:
            return
        left = {one.key: one.value for one in present.values() if one not in gone}
        _require_after(principal, BATCH, certificate, left)
        Tag.objects.filter(id__in=[one.id for one in gone]).delete()
        _record(principal, certificate, BATCH, {"removed": sorted({one.key for one in gone})})


def write_new(certificate_ids: Iterable[str], account_id: str, tags: Sequence[TagPair]) -> None:
    """The tags of certificates that this transaction has just made; `tags` were checked."""
    if tags:
        _write(certificate_ids, account_id, tags)


def _hold(certificate: Certificate) -> None:
    """Two requests on one certificate take turns, so that they cannot exceed the limit together."""
    Certificate.objects.select_for_update().filter(id=certificate.id).first()


def _require_after(
    principal: Principal, action: str, certificate: Certificate, tags: Mapping[str, str]
) -> None:
    """The right is needed with the tags of before and of after: by writing tags nobody takes a certificate
    out of reach of a policy, or into that of another."""
    principal.require(action, replace(rules.resource_of(certificate), tags=tuple(tags.items())))


def _write(certificate_ids: Iterable[str], account_id: str, tags: Sequence[TagPair]) -> None:
    rows = [
        {"certificate_id": certificate_id, "account_id": account_id, "key": one.key, "value": one.value}
        for certificate_id in certificate_ids
        for one in tags
    ]
    sql.insert(
        "certificates_tag", rows, "ON CONFLICT (certificate_id, key) DO UPDATE SET value = excluded.value"
    )


def _record(principal: Principal, certificate: Certificate, action: str, details: dict[str, object]) -> None:
    """Keys alone: a value is free text and may name a person."""
    audit.record(
        principal,
        action,
        resource=f"cert:{certificate.id}",
        details=details,
        account_id=certificate.account_id,
    )
