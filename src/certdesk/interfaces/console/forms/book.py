"""The forms of the book, and the choice out of it before an application."""

from collections.abc import Sequence
from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from certdesk.lifecycle.applications.contacts import BUSINESS_CATEGORIES
from certdesk.lifecycle.applications.models import BookCompany, BookContact

from .common import choose


class ContactForm(forms.Form):
    name = forms.CharField(label=gettext_lazy("Name"))
    phone = forms.CharField(label=gettext_lazy("Phone number"))
    email = forms.CharField(label=gettext_lazy("Email address"))


class CompanyForm(forms.Form):
    """Required is what OV and EV need; the room decides and gives its reason."""

    company_name = forms.CharField(
        label=gettext_lazy("Company name"),
        help_text=gettext_lazy("The full name, the same as on the business license."),
    )
    country = forms.CharField(
        label=gettext_lazy("Country/Region"),
        max_length=2,
        help_text=gettext_lazy("Two letters, for example CN."),
    )
    company_province = forms.CharField(label=gettext_lazy("Province"))
    company_city = forms.CharField(label=gettext_lazy("City"))
    company_unit = forms.CharField(label=gettext_lazy("Department"), required=False)
    registration_number = forms.CharField(label=gettext_lazy("Registration number"), required=False)
    jurisdiction_country = forms.CharField(
        label=gettext_lazy("Country of registration"), required=False, max_length=2
    )
    business_category = forms.ChoiceField(label=gettext_lazy("Business category"), required=False)

    def __init__(self, *arguments: Any, **more: Any) -> None:
        super().__init__(*arguments, **more)
        choose(self, "business_category", [("", "–"), *((one, _(one)) for one in BUSINESS_CATEGORIES)])


class PickForm(forms.Form):
    """Who of the book shall stand in the application."""

    company = forms.TypedChoiceField(
        label=gettext_lazy("Company"), coerce=int, empty_value=None, required=False
    )
    contact = forms.TypedChoiceField(
        label=gettext_lazy("Applicant"), coerce=int, empty_value=None, required=False
    )
    technical = forms.TypedChoiceField(
        label=gettext_lazy("Technical contact"), coerce=int, empty_value=None, required=False
    )

    def __init__(
        self,
        people: Sequence[BookContact],
        companies: Sequence[BookCompany],
        data: Any = None,
        *,
        with_company: bool,
    ) -> None:
        super().__init__(data, label_suffix="", prefix="", auto_id="pick_%s")
        named = [(one.id, f"{one.name} · {one.email}") for one in people]
        choose(self, "contact", [("", _("as it stands")), *named])
        choose(self, "technical", [("", _("as it stands")), *named])
        places = [
            (one.id, f"{one.company.get('name', '')} · {one.company.get('city', '')}") for one in companies
        ]
        choose(self, "company", [("", _("as it stands")), *places])
        if not with_company:
            del self.fields["company"]
