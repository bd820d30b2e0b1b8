"""The archives of a certificate, one per server type (ISS-3)."""

from dataclasses import dataclass

from django.urls import reverse
from django.utils.translation import gettext as _

from certdesk.lifecycle.certificates import queries
from certdesk.lifecycle.certificates.models import Certificate


@dataclass(frozen=True, slots=True)
class Server:
    label: str
    text: str
    url: str


def downloads(certificate: Certificate) -> list[Server]:
    """One archive per server type (ISS-3)."""
    base = reverse("download", args=[certificate.id])
    words = {
        "nginx": ("Nginx", _("PEM: certificate with chain, and key")),
        "apache": ("Apache", _("PEM: certificate, chain, and key")),
        "tomcat": ("Tomcat", _("PFX and JKS stores with their password")),
        "iis": ("IIS", _("PFX store with its password")),
        "other": (_("Other"), _("PEM files one by one")),
        "all": (_("All of them"), _("one archive with a folder for each")),
    }
    return [Server(label, text, f"{base}?server={name}") for name, (label, text) in words.items()]


def key_held(certificate: Certificate) -> bool:
    version = queries.versions(certificate).filter(number=certificate.current_version).first()
    return version is not None and bool(version.key_id)
