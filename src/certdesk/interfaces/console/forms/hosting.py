"""Uploading a certificate, deleting one, unsubscribing from one (guide chapter 5)."""

from typing import Any, ClassVar

from django import forms
from django.core.files.uploadedfile import UploadedFile
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from certdesk.pki.x509 import uploads

from .common import put

MONO = {"class": "cd-mono", "autocapitalize": "none", "spellcheck": "false", "autocomplete": "off"}
FILE_LIMIT = 256 * 1024  # bytes; what is really taken is far less
LIST_LIMIT = 5 * 1024 * 1024  # bytes; a certificate is 1 to 2 KiB of PEM


class _KeyText(forms.Textarea):
    """Never shows what was typed: a private key does not come back to the browser."""

    def format_value(self, value: Any) -> str:
        return ""


def _text(rows: int, widget: type[forms.Textarea] = forms.Textarea) -> forms.Textarea:
    return widget(attrs={**MONO, "rows": rows, "placeholder": "-----BEGIN …-----"})


def _file(label: Any, accept: str) -> forms.FileField:
    return forms.FileField(label=label, required=False, widget=forms.FileInput(attrs={"accept": accept}))


class _TypedOrChosen(forms.Form):
    """Each text of `files` (its file field: its text field) is typed, or chosen as a file; a file stands
    before what was typed."""

    files_of: ClassVar[dict[str, str]]
    limit: ClassVar[int] = FILE_LIMIT

    def __init__(self, data: Any = None, files: Any = None) -> None:
        super().__init__(data, files, label_suffix="")
        for file, text in self.files_of.items():
            if file in self.files:
                self.fields[text].required = False

    def clean(self) -> dict[str, Any]:
        """Puts the texts of chosen files in the places of typed ones."""
        cleaned = super().clean() or {}
        for file, text in self.files_of.items():
            chosen = cleaned.pop(file, None)
            if chosen is not None:
                cleaned[text] = self._read(chosen, text)
        return cleaned

    def _read(self, file: "UploadedFile[bytes]", field: str) -> str:
        if (file.size or 0) > self.limit:
            self.add_error(field, _("The file is far too large for that; choose the PEM file alone."))
            return ""
        content: bytes = file.read()
        try:
            return content.decode("utf-8-sig")
        except UnicodeDecodeError:
            put(self, uploads.refuse_bytes(content, field))
            return ""


class UploadForm(_TypedOrChosen):
    """A certificate, its chain and its key."""

    files_of: ClassVar = {
        "certificate_file": "certificate",
        "certificate_chain_file": "certificate_chain",
        "private_key_file": "private_key",
    }
    name = forms.CharField(
        label=gettext_lazy("Certificate name"),
        max_length=512,
        help_text=gettext_lazy("3 to 63 letters, digits and . _ -"),
    )
    certificate = forms.CharField(
        label=gettext_lazy("Certificate"),
        widget=_text(6),
        help_text=gettext_lazy(
            "PEM text (.pem or .crt), the server's own certificate first; those of the CA may follow."
        ),
    )
    certificate_file = _file(gettext_lazy("or the certificate's file"), ".pem,.crt,.cer")
    certificate_chain = forms.CharField(
        label=gettext_lazy("Certificate chain"),
        required=False,
        widget=_text(4),
        help_text=gettext_lazy("Only when it does not stand above: the CA's certificates, the issuer first."),
    )
    certificate_chain_file = _file(gettext_lazy("or the chain's file"), ".pem,.crt,.cer")
    private_key = forms.CharField(
        label=gettext_lazy("Private key"),
        widget=_text(4, _KeyText),
        help_text=gettext_lazy(
            "PEM text (.key) without a password. It is stored encrypted and not shown on this page again."
        ),
    )
    private_key_file = _file(gettext_lazy("or the key's file"), ".key,.pem")
    duplicate_check = forms.BooleanField(
        label=gettext_lazy("Refuse it when the very same certificate is hosted already"),
        required=False,
        initial=True,
    )


class WatchForm(_TypedOrChosen):
    """Many certificates in one text."""

    files_of: ClassVar = {"certificates_file": "certificates"}
    limit: ClassVar = LIST_LIMIT

    certificates = forms.CharField(
        label=gettext_lazy("Certificates"),
        widget=_text(8),
        help_text=gettext_lazy(
            "PEM text, up to 2,000 in any order. Add those of their CAs where you have them."
        ),
    )
    certificates_file = _file(gettext_lazy("or a file with all of them"), ".pem,.crt,.cer,.txt")


class UnsubscribeForm(forms.Form):
    """UNS-4."""

    acknowledged = forms.BooleanField(
        label=gettext_lazy(
            "I acknowledge that the certificate will be deleted and cannot be restored after the"
            " unsubscription."
        ),
        error_messages={"required": gettext_lazy("Tick it: without that, nothing is unsubscribed.")},
    )
