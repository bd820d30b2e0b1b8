"""The console's template filters and tags: moments, durations, names, money, states, icons.

Load with `{% load certdesk_ui %}`. The shapes are pure and live in `presentation.py`.
"""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django import template
from django.forms import BoundField
from django.forms.widgets import CheckboxInput, RadioSelect, Select
from django.templatetags.static import static
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from certdesk.foundation.common import clock
from certdesk.interfaces.console import presentation
from certdesk.interfaces.console.presentation import Relative, Unit
from certdesk.interfaces.words.say import say
from certdesk.lifecycle.certificates.states import ROWS, State

register = template.Library()


def _ahead(distance: Relative) -> str:
    count = distance.count
    match distance.unit:
        case Unit.MINUTE:
            return ngettext("in %(count)d minute", "in %(count)d minutes", count) % {"count": count}
        case Unit.HOUR:
            return ngettext("in %(count)d hour", "in %(count)d hours", count) % {"count": count}
        case Unit.DAY:
            return ngettext("in %(count)d day", "in %(count)d days", count) % {"count": count}
        case Unit.YEAR:
            return ngettext("in %(count)d year", "in %(count)d years", count) % {"count": count}
    return _("in less than a minute")


def _behind(distance: Relative) -> str:
    count = distance.count
    match distance.unit:
        case Unit.MINUTE:
            return ngettext("%(count)d minute ago", "%(count)d minutes ago", count) % {"count": count}
        case Unit.HOUR:
            return ngettext("%(count)d hour ago", "%(count)d hours ago", count) % {"count": count}
        case Unit.DAY:
            return ngettext("%(count)d day ago", "%(count)d days ago", count) % {"count": count}
        case Unit.YEAR:
            return ngettext("%(count)d year ago", "%(count)d years ago", count) % {"count": count}
    return _("just now")


def relative_text(moment: datetime, now: datetime) -> str:
    """`in 6 days`, `3 minutes ago`, in the reader's language."""
    distance = presentation.relative(moment, now)
    return _ahead(distance) if distance.ahead else _behind(distance)


def _unit_text(count: int, unit: Unit) -> str:
    match unit:
        case Unit.YEAR:
            return ngettext("%(count)d year", "%(count)d years", count) % {"count": count}
        case Unit.DAY:
            return ngettext("%(count)d day", "%(count)d days", count) % {"count": count}
        case Unit.HOUR:
            return ngettext("%(count)d hour", "%(count)d hours", count) % {"count": count}
        case Unit.MINUTE:
            return ngettext("%(count)d minute", "%(count)d minutes", count) % {"count": count}
    return ngettext("%(count)d second", "%(count)d seconds", count) % {"count": count}


def date_text(moment: datetime) -> str:
    """The date alone: `29 Nov 2026`."""
    # Translators: a date format of Django's `date` filter
    return date_format(timezone.localtime(moment), _("j M Y"))


def exact_text(moment: datetime) -> str:
    """Date, second and zone, for the hover title."""
    local = timezone.localtime(moment)
    # Translators: a date format of Django's `date` filter
    return f"{date_format(local, _('j M Y, H:i:s'))} {local.tzname()}"


@register.filter
def moment(value: datetime | None) -> SafeString:
    """Relative time in bold with the date under it; a dash where there is none."""
    if value is None:
        return mark_safe('<span class="cd-soft">–</span>')
    return format_html(
        '<time class="cd-moment" data-moment datetime="{}" title="{}"><b>{}</b> <span>{}</span></time>',
        value.isoformat(),
        exact_text(value),
        relative_text(value, clock.now()),
        date_text(value),
    )


@register.filter
def ago(value: datetime | None) -> SafeString | str:
    """The relative time alone, for running text: `3 minutes ago`."""
    if value is None:
        return "–"
    return format_html(
        '<time data-moment datetime="{}" title="{}">{}</time>',
        value.isoformat(),
        exact_text(value),
        relative_text(value, clock.now()),
    )


@register.filter
def date_only(value: datetime | None) -> SafeString | str:
    """The date alone: `29 Nov 2026`, exact second and zone on hover."""
    if value is None:
        return "–"
    return format_html(
        '<time datetime="{}" title="{}">{}</time>', value.isoformat(), exact_text(value), date_text(value)
    )


@register.filter
def line_time(value: datetime | None) -> SafeString | str:
    """For the left column of timelines: `11:42` today, `3 Nov` in this year, else the whole date."""
    if value is None:
        return "–"
    local, today = timezone.localtime(value), timezone.localtime(clock.now())
    if local.date() == today.date():
        text = date_format(local, "H:i")
    else:
        # Translators: a date format of Django's `date` filter
        text = date_format(local, _("j M")) if local.year == today.year else date_text(value)
    return format_html('<time datetime="{}" title="{}">{}</time>', value.isoformat(), exact_text(value), text)


@register.filter
def clock_time(value: datetime | None) -> SafeString | str:
    """`14:32 UTC`; the script shows it in the reader's own zone."""
    if value is None:
        return "–"
    local = timezone.localtime(value)
    text = f"{date_format(local, 'H:i')} {local.tzname()}"
    return format_html(
        '<time data-clock datetime="{}" title="{}">{}</time>', value.isoformat(), exact_text(value), text
    )


@register.filter
def duration(value: timedelta | int | float | None) -> str:
    """A timedelta, or seconds, as `2 days 4 hours`."""
    if value is None:
        return "–"
    span = value if isinstance(value, timedelta) else timedelta(seconds=value)
    return " ".join(_unit_text(count, unit) for count, unit in presentation.parts(span))


@register.filter
def said(text: str) -> str:
    """A sentence of a lower room in the reader's language."""
    return say(text)


@register.filter
def domain_text(name: str) -> SafeString | str:
    """A domain name whole and in monospace, with its Unicode form beside punycode."""
    if not name:
        return "–"
    shown = format_html('<span class="cd-domain" translate="no">{}</span>', name)
    readable = presentation.unicode_form(name)
    if not readable:
        return shown
    return shown + format_html(' <span class="cd-unicode" translate="no">({})</span>', readable)


@register.filter
def money(amount: Decimal | str | int | None, currency: str = "CNY") -> SafeString | str:
    """`¥ 388.00`, never broken over two lines."""
    if amount is None or amount == "":
        return "–"
    return format_html('<span class="cd-money">{}</span>', presentation.money(amount, currency))


@register.simple_tag
def state_badge(
    status: str, tone: str = "", label: str = "", not_after: datetime | None = None
) -> SafeString:
    """The one badge of a certificate's state, from the state table.

    Args:
        status: API code, e.g. `ISSUED`; becomes `data-status`.
        tone, label: replace the table's, e.g. where the served certificate is the problem.
        not_after: with it, Issued and Hosted say when they end in their last 30 days (LST-3).
    """
    row = ROWS[State(status)]
    text = label or _(row.title)
    shade = tone or row.tone.value
    now = clock.now()
    if not_after and status in ("ISSUED", "UPLOAD") and presentation.expires_soon(not_after, now):
        # Translators: Issued · expires in 6 days
        text = _("%(state)s · expires %(when)s") % {"state": text, "when": relative_text(not_after, now)}
        shade = tone or "bad"
    return format_html(
        '<span class="cd-badge" data-tone="{}" data-status="{}">{}</span>', shade, status, text
    )


@register.simple_tag
def icon(name: str) -> SafeString:
    """One icon of the sprite, hidden from screen readers: a word always stands beside it."""
    return format_html(
        '<svg class="cd-icon" aria-hidden="true" focusable="false"><use href="{}#{}"></use></svg>',
        static("vendor/icons.svg"),
        name,
    )


@register.simple_tag
def business_now() -> str:
    """Business time for the page's script, which keeps relative times true (TIM-2)."""
    return clock.now().isoformat()


@register.filter
def control(field: BoundField) -> SafeString:
    """A form field's widget with the house's class and the ids of its help and error (field.html)."""
    widget = field.field.widget
    described = [f"{field.auto_id}_help"] if field.help_text else []
    described += [f"{field.auto_id}_error"] if field.errors else []
    attributes: dict[str, Any] = {"class": _control_class(widget, field)}
    if described:
        attributes["aria-describedby"] = " ".join(described)
    if field.errors:
        attributes["aria-invalid"] = "true"
    return field.as_widget(attrs=attributes)


def _control_class(widget: object, field: BoundField) -> str:
    own = field.field.widget.attrs.get("class", "")
    if isinstance(widget, CheckboxInput):
        house = "form-check-input"
    else:
        house = "form-select" if isinstance(widget, Select) else "form-control"
    return f"{house} {own}".strip()


@register.filter
def kind_of(field: BoundField) -> str:
    """`checkbox`, `choices` (radio buttons) or `plain`: which shape field.html draws."""
    widget = field.field.widget
    if isinstance(widget, RadioSelect):
        return "choices"
    return "checkbox" if isinstance(widget, CheckboxInput) else "plain"
