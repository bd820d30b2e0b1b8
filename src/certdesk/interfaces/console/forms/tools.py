"""The forms of the certificate tools. What holds a private key never comes back to the browser."""

from typing import Any

from django import forms
from django.core.files.uploadedfile import UploadedFile
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from certdesk.connectors.starttls import Protocol
from certdesk.pki.x509 import reading
from certdesk.pki.x509.converting import Form

from .hosting import MONO

FIELDS = {"host": "host", "text": "text", "private_key": "private_key", "password": "password"}
_ACCEPT = ".pem,.crt,.cer,.der,.csr,.key,.p7b,.p7c,.p12,.pfx,.jks"


class _Text(forms.Textarea):
    """Shows what was typed again, unless a private key may be in it."""

    def format_value(self, value: Any) -> str:
        text = str(value or "")
        return "" if "PRIVATE KEY" in text or "-----BEGIN" not in text else text


def _area(rows: int) -> _Text:
    return _Text(attrs={**MONO, "rows": rows, "placeholder": "-----BEGIN …-----"})


def _file(label: Any) -> forms.FileField:
    return forms.FileField(label=label, required=False, widget=forms.FileInput(attrs={"accept": _ACCEPT}))


def _password(label: Any, help_text: Any) -> forms.CharField:
    return forms.CharField(
        label=label,
        required=False,
        strip=False,
        max_length=256,
        help_text=help_text,
        widget=forms.PasswordInput(attrs={"autocomplete": "off"}),
    )


class DecodeForm(forms.Form):
    """A text, or a file of any of the known forms."""

    files_of = {"file": "text"}

    text = forms.CharField(
        label=gettext_lazy("Certificate, chain, CSR or key"),
        required=False,
        widget=_area(8),
        help_text=gettext_lazy("PEM text. Several certificates may follow one another, in any order."),
    )
    file = _file(gettext_lazy("or a file: PEM, DER, PKCS#7, PKCS#12 (PFX) or JKS"))
    password = _password(
        gettext_lazy("Password"), gettext_lazy("Only where the file or the key is protected by one.")
    )

    def __init__(self, data: Any = None, files: Any = None) -> None:
        super().__init__(data, files, label_suffix="")

    def clean(self) -> dict[str, Any]:
        """Bytes in the place of texts: those of a chosen file stand before what was typed."""
        cleaned = super().clean() or {}
        for file, text in self.files_of.items():
            chosen = cleaned.pop(file, None)
            cleaned[text] = (
                self._bytes(chosen, file) if chosen else reading.from_text(cleaned.get(text) or "")
            )
        return cleaned

    def _bytes(self, file: "UploadedFile[bytes]", field: str) -> bytes:
        if (file.size or 0) > reading.BYTES_LIMIT:
            self.add_error(field, _("The file is far too large for that."))
            return b""
        content: bytes = file.read()
        return content


class MatchForm(DecodeForm):
    files_of = {"file": "text", "private_key_file": "private_key"}

    private_key = forms.CharField(
        label=gettext_lazy("Private key"),
        required=False,
        widget=_area(6),
        help_text=gettext_lazy(
            "It stays in memory for this one comparison: it is neither stored nor logged, and not sent back."
        ),
    )
    private_key_file = _file(gettext_lazy("or the key's file"))

    field_order = ("text", "file", "private_key", "private_key_file", "password")


class ConvertForm(DecodeForm):
    format = forms.ChoiceField(
        label=gettext_lazy("To"),
        choices=[
            (Form.PEM.value, "PEM (.pem)"),
            (Form.DER.value, "DER (.cer)"),
            (Form.PKCS7.value, "PKCS#7 (.p7b)"),
            (Form.PKCS12.value, "PKCS#12 (.p12, PFX)"),
            (Form.JKS.value, "Java (.jks)"),
        ],
    )
    new_password = _password(
        gettext_lazy("Password of the new store"),
        gettext_lazy("PKCS#12 and Java only. Leave it empty, and one is made and put into the archive."),
    )

    field_order = ("text", "file", "password", "format", "new_password")


class ServedForm(forms.Form):
    """Where to look."""

    host = forms.CharField(
        label=gettext_lazy("Host name or address"),
        max_length=255,
        widget=forms.TextInput(attrs={**MONO, "placeholder": "www.example.com"}),
    )
    protocol = forms.ChoiceField(
        label=gettext_lazy("Protocol"),
        required=False,
        choices=[
            (Protocol.TLS.value, "HTTPS, TLS"),
            (Protocol.SMTP.value, "SMTP (STARTTLS)"),
            (Protocol.IMAP.value, "IMAP (STARTTLS)"),
            (Protocol.POP3.value, "POP3 (STARTTLS)"),
            (Protocol.POSTGRESQL.value, "PostgreSQL"),
            (Protocol.LDAP.value, "LDAP (STARTTLS)"),
        ],
    )
    port = forms.IntegerField(
        label=gettext_lazy("Port"),
        required=False,
        min_value=1,
        max_value=65_535,
        help_text=gettext_lazy("Empty: the protocol's usual one."),
    )
    name = forms.CharField(
        label=gettext_lazy("Server name"),
        required=False,
        max_length=255,
        widget=forms.TextInput(attrs=MONO),
        help_text=gettext_lazy("What the server is asked for (SNI). Empty: the host name."),
    )

    def __init__(self, data: Any = None) -> None:
        super().__init__(data, label_suffix="")
