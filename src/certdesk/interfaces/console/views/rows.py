"""Rows of the certificate list as the templates take them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from certdesk.foundation.iam import projects
from certdesk.foundation.iam import queries as iam
from certdesk.foundation.iam.principal import Principal
from certdesk.interfaces.words.say import say
from certdesk.lifecycle.catalogue.queries import brand_title, catalogue
from certdesk.lifecycle.certificates import rules, states, tags
from certdesk.lifecycle.certificates.editing import MIGRATE
from certdesk.lifecycle.certificates.models import Certificate
from certdesk.lifecycle.certificates.queries import Row
from certdesk.lifecycle.certificates.rules import Operation
from certdesk.lifecycle.certificates.states import State, Tone
from certdesk.lifecycle.deployment import queries as deployments
from certdesk.lifecycle.deployment.queries import Served

from .. import next_steps, present
from ..present import Action, Refusal
from ..standing import Standing, ends
from . import tag_parts

APPLY = "scm:cert:apply"


@dataclass(frozen=True, slots=True)
class Shown:
    """`certificate` of `_components/certificate_row.html`."""

    id: str
    name: str
    url: str
    domain: str
    more_names: int
    kind: str
    status: str
    progress: int | None
    next_who: str
    next_text: str
    not_after: datetime | None
    description: str
    project: str
    auto_renewal: str
    served_label: str = ""
    served_tone: str = "end"
    tone: str = ""
    label: str = ""
    owner: str = ""
    owner_group: str = ""
    tags: tuple[str, ...] = ()
    updated_at: datetime | None = None
    apart: Mapping[str, bool] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Line:
    certificate: Shown
    action: Action | None
    operations: tuple[Action, ...]
    refusals: tuple[Refusal, ...]


def line(row: Row, principal: Principal, now: datetime) -> Line:
    """One row: how it stands, and the buttons that state and policies allow."""
    resource = rules.resource_of(row)
    found = present.buttons(
        rules.offers(row, now, in_console=True),
        url_of(row.id),
        lambda action: principal.may(action, resource),
        row.name,
        small=True,
        urgent=states.ROWS[row.state].tone in (Tone.YOU, Tone.BAD),
    )
    stands = standing(row)
    if ends(stands, now) and may_buy(principal):
        urgent = stands.state is not State.EXPIRED
        found = present.renewal(found, urgent=urgent) or present.replaced(
            found, successor(row, urgent=urgent, small=True)
        )
    who, text = next_steps.hint(stands, now, may_act=principal.may(APPLY, resource))
    if principal.may(MIGRATE, resource):
        # LST-8: in every row, whatever the state
        moving = Action(
            _("Add to Project"), reverse("move", args=[row.id]), "move", small=True, for_name=row.name
        )
        found = replace(found, rest=(*found.rest, moving))
    shown = Shown(
        id=row.id,
        name=row.name,
        url=reverse("certificate", args=[row.id]),
        domain=row.domain,
        more_names=max(0, len(row.sans.split(";")) - 1) if row.sans else 0,
        kind=kind(row.brand, row.type, row.domain_type, row.source, row.free),
        status=row.state.value,
        progress=states.ROWS[row.state].progress,
        next_who=who,
        next_text=text,
        not_after=row.not_after,
        description=row.description,
        project=_("default") if row.enterprise_project_id == "0" else row.enterprise_project_id,
        auto_renewal=renewal(row),
    )
    return Line(shown, found.first, found.rest, found.refusals)


def with_details(
    lines: list[Line], found: Sequence[Row], principal: Principal, columns: Sequence[Mapping[str, str]]
) -> list[Line]:
    """What further columns show: names of owners and projects, tags; `apart` = it has a column of its own."""
    apart = {one["key"]: True for one in columns}
    users, teams = (
        {one.owner_id for one in found},
        {one.owner_group_id for one in found if one.owner_group_id},
    )
    people = iam.names_of(principal.account_id, users, teams) if "owner" in apart else {}
    titles = projects.titles(principal.account_id, {one.enterprise_project_id for one in found})
    may = [one.id for one in found if principal.may(tags.OF_ONE, rules.resource_of(one))]
    pairs = tags.of_many(may) if "tags" in apart else {}
    return [
        replace(
            line,
            certificate=replace(
                line.certificate,
                owner=people.get(row.owner_id, ""),
                owner_group=people.get(row.owner_group_id, ""),
                project=titles.get(row.enterprise_project_id, line.certificate.project),
                tags=tuple(tag_parts.text(one.key, one.value) for one in pairs.get(row.id, ())),
                updated_at=row.updated_at,
                apart=apart,
            ),
        )
        for line, row in zip(lines, found, strict=True)
    ]


def with_places(lines: list[Line], principal: Principal) -> list[Line]:
    """The column *Really served*, where the reader may see bindings."""
    if not principal.may(deployments.LIST_BINDINGS):
        return lines
    found = deployments.served(principal.account_id, [one.certificate.id for one in lines])
    return [
        replace(one, certificate=_with_place(one.certificate, found[one.certificate.id]))
        if one.certificate.id in found
        else one
        for one in lines
    ]


def _with_place(shown: Shown, places: Served) -> Shown:
    if places.failed:
        return replace(shown, served_label=_("failed"), served_tone=Tone.BAD.value)
    if places.served == places.wanted:
        words = ngettext("%(count)d place", "%(count)d places", places.served) % {"count": places.served}
        return replace(shown, served_label=words, served_tone=Tone.GOOD.value)
    words = _("%(served)d of %(wanted)d") % {"served": places.served, "wanted": places.wanted}
    return replace(shown, served_label=words, served_tone=Tone.WAIT.value)


def may_buy(principal: Principal) -> bool:
    return principal.may("scm:cert:subscribe") and principal.may("bss:order:pay")


def may_upload(principal: Principal) -> bool:
    return principal.may("scm:cert:upload")


def successor(of: Row | Certificate, *, urgent: bool, small: bool) -> Action:
    """To the purchase page, with the same product chosen."""
    same = {
        "cert_type": "FREE" if of.free else of.type,
        "cert_brand": of.brand,
        "domain_type": of.domain_type,
    }
    url = reverse("buy") if of.source == "UPLOADED" else f"{reverse('buy')}?{urlencode(same)}"
    look = "primary" if urgent else ""
    return Action(_("Buy a successor"), url, "buy", look=look, small=small, for_name=of.name)


def renewal(row: Row) -> str:
    """LST-8: On, Off, or a dash where renewing has no meaning."""
    if row.source == "UPLOADED" or row.free or row.state is not State.ISSUED:
        return "–"
    return _("On") if row.auto_renewal else _("Off")


def standing(row: Row) -> Standing:
    return Standing(
        state=row.state,
        since=row.state_since,
        level=row.level,
        approval=approval(row.type),
        failure=row.last_failure,
        not_after=row.not_after,
    )


def approval(type_code: str) -> str:
    """Table 3-6; empty for an uploaded certificate or a type that has left the catalogue."""
    found = catalogue().types.get(type_code)
    return found.approval if found else ""


def kind(brand: str, type_code: str, domain_type: str, source: str, free: bool) -> str:
    """`DigiCert · OV · Single domain`."""
    if source == "UPLOADED":
        return _("Uploaded")
    book = catalogue()
    words = [
        say(brand_title(brand)) if brand else "",
        book.types[type_code].title if type_code in book.types else type_code,
        str(present.DOMAIN_TYPES.get(domain_type, domain_type)),
    ]
    if free:
        words.append(_("free"))
    return " · ".join(words)


def url_of(certificate_id: str) -> Callable[[Operation], str]:
    """The page (or the POST target) of each operation."""
    return lambda operation: reverse(operation.value, args=[certificate_id])
