"""The archives of a certificate, one per server type (ISS-3)."""

from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlencode

from django.urls import reverse
from django.utils.translation import gettext as _

from certdesk.lifecycle.certificates import chains, queries
from certdesk.lifecycle.certificates.models import Certificate


@dataclass(frozen=True, slots=True)
class Server:
    label: str
    text: str
    url: str


@dataclass(frozen=True, slots=True)
class Chain:
    label: str
    url: str
    chosen: bool


def downloads(certificate: Certificate, chain: str = "") -> list[Server]:
    """One archive per server type (ISS-3), with that chain; empty: the usual one."""
    base = reverse("download", args=[certificate.id])
    words = {
        "nginx": ("Nginx", _("PEM: certificate with chain, and key")),
        "apache": ("Apache", _("PEM: certificate, chain, and key")),
        "tomcat": ("Tomcat", _("PFX and JKS stores with their password")),
        "iis": ("IIS", _("PFX store with its password")),
        "other": (_("Other"), _("PEM files one by one")),
        "all": (_("All of them"), _("one archive with a folder for each")),
    }
    more = f"&{urlencode({'chain': chain})}" if chain else ""
    return [Server(label, text, f"{base}?server={name}{more}") for name, (label, text) in words.items()]


def other_chains(certificate: Certificate, chosen: str, now: datetime) -> list[Chain]:
    """The chains to choose from; none where the usual one is the only one."""
    version = queries.current_version(certificate)
    others = chains.alternates(version, now) if version else ()
    base = reverse("download", args=[certificate.id])
    found = [
        Chain(one.root, f"{base}?{urlencode({'chain': one.name})}", one.name == chosen) for one in others
    ]
    return [Chain(_("Usual chain"), base, not chosen), *found] if found else []


def key_held(certificate: Certificate) -> bool:
    version = queries.versions(certificate).filter(number=certificate.current_version).first()
    return version is not None and bool(version.key_id)
