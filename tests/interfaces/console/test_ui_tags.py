"""The template tags and components, rendered as pages use them."""

from datetime import UTC, datetime, timedelta

import pytest
from django import forms
from django.template import Context, Template
from django.template.loader import render_to_string
from django.utils import translation

from certdesk.foundation.common import clock
from certdesk.interfaces.words import states as state_words
from certdesk.lifecycle.certificates.states import ROWS, State

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _fixed_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "now", lambda: NOW)


def render(source: str, **context: object) -> str:
    return Template("{% load certdesk_ui %}" + source).render(Context(context))


def test_a_moment_is_relative_in_bold_with_the_date_and_the_zone_on_hover() -> None:
    html = render("{{ at|moment }}", at=NOW + timedelta(days=6))
    assert "<b>in 6 days</b>" in html
    assert "<span>29 Nov 2026</span>" in html
    assert 'title="29 Nov 2026, 12:00:00 UTC"' in html
    assert 'datetime="2026-11-29T12:00:00+00:00"' in html


def test_a_moment_speaks_chinese() -> None:
    with translation.override("zh-hans"):
        html = render("{{ at|moment }}", at=NOW - timedelta(minutes=3))
    assert "<b>3分钟前</b>" in html
    assert "2026年11月23日" in html


@pytest.mark.parametrize(
    ("at", "text"),
    [
        (NOW - timedelta(hours=1), "11:00"),
        (NOW - timedelta(days=20), "3 Nov"),
        (NOW - timedelta(days=400), "19 Oct 2025"),
    ],
)
def test_timelines_are_as_short_as_the_day_allows(at: datetime, text: str) -> None:
    assert f">{text}</time>" in render("{{ at|line_time }}", at=at)


def test_what_is_absent_is_a_dash() -> None:
    html = render(
        "{{ n|moment }}{{ n|ago }}{{ n|date_only }}{{ n|line_time }}{{ n|duration }}{{ n|money }}", n=None
    )
    assert html.count("–") == 6


def test_durations_and_money_read_as_words() -> None:
    assert render("{{ s|duration }}", s=timedelta(days=2, hours=4)) == "2 days 4 hours"
    assert render('{{ "388"|money:"CNY" }}') == '<span class="cd-money">¥ 388.00</span>'


def test_names_are_escaped_and_whole() -> None:
    assert "&lt;script&gt;" in render("{{ name|domain_text }}", name="<script>")
    assert "(bücher.example)" in render("{{ name|domain_text }}", name="xn--bcher-kva.example")


@pytest.mark.parametrize("state", State)
def test_every_state_has_one_badge_from_the_state_table(state: State) -> None:
    html = render("{% state_badge status %}", status=state.value)
    assert f'data-status="{state}"' in html
    assert f'data-tone="{ROWS[state].tone}"' in html
    assert ROWS[state].title in html


def test_an_issued_certificate_says_when_it_ends_soon() -> None:
    # rule: LST-3
    html = render('{% state_badge "ISSUED" not_after=at %}', at=NOW + timedelta(days=6, hours=1))
    assert "Issued · expires in 6 days" in html
    assert 'data-tone="bad"' in html
    assert "expires" not in render('{% state_badge "REVOKED" not_after=at %}', at=NOW + timedelta(days=6))


def test_every_state_title_is_marked_and_translated() -> None:
    assert set(state_words.TITLES) == {row.title for row in ROWS.values()}
    with translation.override("zh-hans"):
        assert all(translation.gettext(title) != title for title in state_words.TITLES)


class Sample(forms.Form):
    quantity = forms.IntegerField(max_value=10, help_text="How many.")
    kind = forms.ChoiceField(choices=[("a", "A"), ("b", "B")], widget=forms.RadioSelect)
    brand = forms.ChoiceField(choices=[("d", "DigiCert")], required=False)
    terms = forms.BooleanField()


def test_an_error_stands_at_its_field_and_keeps_what_was_typed() -> None:
    form = Sample({"quantity": "99"})
    html = render_to_string("console/_components/field.html", {"field": form["quantity"]})
    assert 'value="99"' in html
    assert 'aria-invalid="true"' in html
    assert 'aria-describedby="id_quantity_help id_quantity_error"' in html
    assert 'id="id_quantity_error"' in html


def test_each_kind_of_field_has_its_shape() -> None:
    form = Sample()
    shapes = {
        name: render_to_string("console/_components/field.html", {"field": form[name]})
        for name in form.fields
    }
    assert "<fieldset" in shapes["kind"]
    assert shapes["kind"].count("cd-choice") >= 2
    assert "form-check-input" in shapes["terms"]
    assert "form-select" in shapes["brand"]
    assert "optional" in shapes["brand"]


def test_operations_carry_their_hook_and_refusals_their_reason() -> None:
    context = {
        "operations": [{"operation": "revoke", "label": "Revoke", "url": "/x", "post": True}],
        "refusals": [{"operation": "renew", "label": "Renew", "reason": "It opens on 7 May."}],
        "of": "api",
    }
    html = render_to_string("console/_components/operations_menu.html", context)
    assert 'data-operation="revoke"' in html
    assert 'data-why-not="renew"' in html
    assert 'data-operation="renew"' not in html


@pytest.mark.parametrize("page", ["400", "403", "404", "500"])
def test_error_pages_stand_without_a_request_and_name_its_id(page: str) -> None:
    html = render_to_string(f"{page}.html", {"request_id": "8f0d2c"})
    assert "8f0d2c" in html
    assert "<main" in html
    assert "Request id" not in render_to_string(f"{page}.html")
