"""The application form (§3.1), with the fields that the certificate's type asks for."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from certdesk.lifecycle.applications.contacts import BUSINESS_CATEGORIES
from certdesk.lifecycle.applications.form import ApplicationForm
from certdesk.lifecycle.catalogue.queries import catalogue
from certdesk.lifecycle.catalogue.rules import DomainType, Product

from .common import card, choose

COMPANY = ("company_name", "country", "company_province", "company_city", "company_unit")
EXTENDED = ("registration_number", "jurisdiction_country", "business_category")
APPLICANT = ("applicant_name", "applicant_phone", "applicant_email")
TECHNICAL = ("contact_name", "contact_phone", "contact_email")

AUTOMATIC = "AUTO"
"""The console's choice beside the methods of the API: DNS with `auto_dns_auth`."""

ALGORITHMS = {
    "RSA_2048": "RSA 2048",
    "RSA_3072": "RSA 3072",
    "RSA_4096": "RSA 4096",
    "EC_P256": "EC P-256",
    "EC_P384": "EC P-384",
}


METHOD_WORDS = {
    "DNS": (
        gettext_lazy("Manual DNS verification"),
        gettext_lazy("You add one record where the domain is managed."),
    ),
    "FILE": (
        gettext_lazy("File verification"),
        gettext_lazy("You put one small file on the web server of each name."),
    ),
    "EMAIL": (
        gettext_lazy("Email verification"),
        gettext_lazy("A mailbox of the domain, such as admin@, confirms by a link."),
    ),
}


@dataclass(frozen=True, slots=True)
class Offered:
    """The methods of proof that this application may choose, and why others are not among them."""

    methods: tuple[str, ...]
    notes: tuple[str, ...]


def offered(product: Product, wildcards: bool, on: date, *, mail_server: bool) -> Offered:
    """APP-13, as far as it is known before the names are typed.

    Args:
        wildcards: a name is a wildcard for certain, by what was bought.
        on: today; a method may have ended.
    """
    book = catalogue()
    gone = book.ended_methods(product, on)
    notes = []
    if "EMAIL" not in product.methods:
        notes.append(_("Email is not offered: DV certificates cannot be verified by email."))
    elif "EMAIL" in gone:
        notes.append(_("Email is not offered: it ended on %(day)s.") % {"day": gone["EMAIL"]})
    else:
        notes += _about_email(mail_server=mail_server)
    if "FILE" not in product.methods:
        notes.append(_("A file is not offered for this certificate type."))
    elif wildcards:
        notes.append(_("A file is not offered: it cannot prove a wildcard name."))
    elif product.domain_type is DomainType.MULTI and product.wildcard_in_multi:
        notes.append(_("A file cannot be chosen as soon as one of the names is a wildcard."))
    methods = tuple(one for one in product.methods if one not in gone and not (one == "FILE" and wildcards))
    return Offered(methods, tuple(notes))


def _about_email(*, mail_server: bool) -> list[str]:
    notes = []
    ends = email_ends()
    if ends:
        notes.append(_("Public CAs accept email until %(day)s only; DNS lasts.") % {"day": ends})
    if not mail_server:
        notes.append(
            _("No mail server is set up yet: choose email only when the operator is about to do so.")
        )
    return notes


def email_ends() -> date | None:
    """The day from which public CAs accept no email proof; None when the catalogue names none."""
    public = catalogue().profiles.get("public")
    return public.method_ends.get("EMAIL") if public else None


class ApplyForm(forms.Form):
    """Nothing is required here but by the browser: the room of applications decides and gives its reason."""

    csr_mode = forms.ChoiceField(
        label=gettext_lazy("CSR"),
        widget=forms.RadioSelect,
        initial="SYSTEM",
        help_text=gettext_lazy(
            "With an uploaded CSR we never have the private key: "
            "the certificate cannot be deployed or pushed from here."
        ),
    )
    csr = forms.CharField(
        label=gettext_lazy("Your CSR (PEM)"),
        required=False,
        widget=forms.Textarea(
            attrs={"rows": 8, "placeholder": "-----BEGIN CERTIFICATE REQUEST-----", "spellcheck": "false"}
        ),
        help_text=gettext_lazy("The domain names are filled in from the CSR when you leave them empty."),
    )
    csr_id = forms.ChoiceField(
        label=gettext_lazy("Existing CSR"),
        required=False,
        help_text=gettext_lazy(
            "The domain names are filled in from the CSR when you leave them empty. Where its private key is "
            "here, it becomes the certificate's."
        ),
    )
    domain = forms.CharField(
        label=gettext_lazy("Domain name"),
        required=False,
        widget=forms.TextInput(attrs={"class": "cd-mono", "autocapitalize": "none", "spellcheck": "false"}),
    )
    sans = forms.CharField(
        label=gettext_lazy("Additional domain names"),
        required=False,
        widget=forms.Textarea(attrs={"rows": 5, "spellcheck": "false"}),
    )
    key_algorithm = forms.ChoiceField(label=gettext_lazy("Key algorithm"), required=False)
    ca_hash_algorithm = forms.ChoiceField(
        label=gettext_lazy("Root certificate hash algorithm"),
        widget=forms.RadioSelect,
        required=False,
        initial="DEFAULT",
    )
    domain_method = forms.ChoiceField(
        label=gettext_lazy("Domain verification method"),
        widget=forms.RadioSelect,
        required=False,
        initial="DNS",
    )
    company_name = forms.CharField(
        label=gettext_lazy("Company name"),
        required=False,
        help_text=gettext_lazy("The full name, the same as on the business license."),
    )
    country = forms.CharField(
        label=gettext_lazy("Country/Region"),
        required=False,
        max_length=2,
        help_text=gettext_lazy("Two letters, for example CN."),
        widget=forms.TextInput(attrs={"autocomplete": "country"}),
    )
    company_province = forms.CharField(label=gettext_lazy("Province"), required=False)
    company_city = forms.CharField(label=gettext_lazy("City"), required=False)
    company_unit = forms.CharField(label=gettext_lazy("Department"), required=False)
    registration_number = forms.CharField(label=gettext_lazy("Registration number"), required=False)
    jurisdiction_country = forms.CharField(
        label=gettext_lazy("Country of registration"), required=False, max_length=2
    )
    business_category = forms.ChoiceField(label=gettext_lazy("Business category"), required=False)
    applicant_name = forms.CharField(
        label=gettext_lazy("Name"),
        required=False,
        help_text=gettext_lazy("Enter a valid full name."),
        widget=forms.TextInput(attrs={"autocomplete": "name"}),
    )
    applicant_phone = forms.CharField(
        label=gettext_lazy("Phone number"),
        required=False,
        help_text=gettext_lazy("The CA uses it to reach you while it reviews the application."),
        widget=forms.TextInput(attrs={"autocomplete": "tel", "inputmode": "tel"}),
    )
    applicant_email = forms.CharField(
        label=gettext_lazy("Email address"),
        required=False,
        help_text=gettext_lazy("Confirmation and change emails go here; be sure that you can read them."),
        widget=forms.TextInput(attrs={"autocomplete": "email", "inputmode": "email"}),
    )
    contact_name = forms.CharField(label=gettext_lazy("Technical contact: name"), required=False)
    contact_phone = forms.CharField(label=gettext_lazy("Technical contact: phone number"), required=False)
    contact_email = forms.CharField(label=gettext_lazy("Technical contact: email address"), required=False)
    agree_privacy_protection = forms.BooleanField(
        required=False,
        label=gettext_lazy(
            "I have read, understood, and agree to the Cloud Certificate Manager (CCM) Statement and Privacy "
            "Statement. I authorize the service to store and use the preceding information to generate "
            "public and private keys and CSRs for my SSL certificates, to encrypt and store them, "
            "and to submit the preceding information to the CA."
        ),
    )

    def __init__(
        self,
        product: Product,
        names: tuple[int, int],
        data: Any = None,
        *,
        initial: Any = None,
        offered: Offered,
        zones: tuple[str, ...] = (),
        stored: Sequence[tuple[str, str]] = (),
    ) -> None:
        """`names`: plain and wildcard additional names that were bought; `offered`: the methods of proof;
        `zones`: connected ones that the user may write to; `stored`: id and words of CSRs to choose from."""
        super().__init__(data, initial=initial, label_suffix="")
        self.product, self.offered, self.zones, self.stored = product, offered, zones, stored
        for gone in self._without():
            del self.fields[gone]
        for name, found in self._choices().items():
            choose(self, name, found)
        self._require()
        self._explain(names)

    def _require(self) -> None:
        """What the browser's form asks for at once; the room has the last word."""
        needed = [
            *APPLICANT,
            "agree_privacy_protection",
            "key_algorithm",
            "ca_hash_algorithm",
            "domain_method",
        ]
        if self.product.needs_organization:
            needed += [name for name in COMPANY if name != "company_unit"]
        brought = {"UPLOAD": "csr", "STORED": "csr_id"}.get(self.data.get("csr_mode", ""))
        if brought in self.fields:
            needed = [*(name for name in needed if name != "key_algorithm"), brought]
        else:
            needed += ["domain", *(["sans"] if "sans" in self.fields else [])]
        for name in needed:
            self.fields[name].required = True
        self.fields["agree_privacy_protection"].error_messages["required"] = _(
            "Accept the statement and the privacy authorization to apply."
        )

    def _without(self) -> list[str]:
        product = self.product
        gone = [] if product.domain_type is DomainType.MULTI else ["sans"]
        if not self.stored:
            gone.append("csr_id")
        if not product.needs_organization:
            gone += [*COMPANY, *EXTENDED]
        elif product.level != "EV":
            gone += EXTENDED
        return gone

    def _choices(self) -> dict[str, list[tuple[str, Any]]]:
        return {
            "csr_mode": [
                (
                    "SYSTEM",
                    card(
                        _("System-generated CSR (recommended)"),
                        _("The service makes the private key and keeps it encrypted."),
                    ),
                ),
                (
                    "UPLOAD",
                    card(_("Upload a CSR"), _("You make the key on your server; it never leaves it.")),
                ),
                *self._stored_card(),
            ],
            "csr_id": [("", "–"), *self.stored],
            "key_algorithm": [(one, ALGORITHMS[one]) for one in self.product.key_algorithms],
            "ca_hash_algorithm": [
                ("DEFAULT", card(_("Default"), _("Recommended, and advised for DigiCert OV."))),
                ("SHA-256", card("SHA-256", _("Might not suit browsers of earlier versions."))),
            ],
            "domain_method": self._methods(),
            "business_category": [("", "–"), *((one, _(one)) for one in BUSINESS_CATEGORIES)],
        }

    def _stored_card(self) -> list[tuple[str, Any]]:
        if not self.stored:
            return []
        return [("STORED", card(_("Select an existing CSR"), _("One of CSR management, with its key.")))]

    def _methods(self) -> list[tuple[str, Any]]:
        """What is offered; automatic DNS where a zone is connected that the user may write to (DOM-7)."""
        cards = [
            (one, card(*map(str, METHOD_WORDS[one]))) for one in self.offered.methods if one in METHOD_WORDS
        ]
        if not self.zones:
            return cards
        named = ", ".join(self.zones[:3]) + (" …" if len(self.zones) > 3 else "")
        words = _(
            "Your DNS connection adds the record, and removes it after issuance. Connected: %(zones)s."
        ) % {"zones": named}
        return [(AUTOMATIC, card(_("Automatic DNS verification"), words)), *cards]

    def _explain(self, names: tuple[int, int]) -> None:
        """What may be typed as names (table 3-1)."""
        punycode = _(
            "Enter a Chinese domain name in punycode (xn--…). Names cannot be changed once submitted."
        )
        kind = self.product.domain_type
        if kind is DomainType.WILDCARD:
            example = _("One wildcard name, for example *.example.com.")
        elif kind is DomainType.MULTI:
            example = _("The primary name, for example example.com; all names are protected equally.")
        else:
            example = _("One name, for example www.example.com.")
        self.fields["domain"].help_text = f"{example} {punycode}"
        self.fields["domain_method"].help_text = " ".join(self.offered.notes)
        if "sans" in self.fields:
            self.fields["sans"].help_text = _(
                "One name per line, at least one. Bought: %(plain)d plain and %(wildcard)d wildcard names "
                "beside the primary; what you leave open can be added after issuance."
            ) % {"plain": names[0], "wildcard": names[1]}

    def application(self) -> ApplicationForm:
        """What was typed, for the room that checks it."""
        given = {name: value for name, value in self.cleaned_data.items() if name != "csr_mode"}
        if self.cleaned_data.get("csr_mode") != "UPLOAD":
            given["csr"] = ""
        if self.cleaned_data.get("csr_mode") != "STORED":
            given["csr_id"] = ""
        if given.get("domain_method") == AUTOMATIC:
            given |= {"domain_method": "DNS", "auto_dns_auth": True}
        return ApplicationForm(**given)
