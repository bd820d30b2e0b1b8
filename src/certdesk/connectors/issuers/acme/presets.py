"""What is known of public and private CAs that speak ACME: data with a date, to be looked at again each year.

A directory says more of itself (its CAA names, profiles, whether it binds accounts, whether it advises):
what it says goes before what stands here.
"""

from dataclasses import dataclass, field
from datetime import date
from typing import Literal

from certdesk.connectors.issuers.protocol import Capabilities

Per = Literal["registered domain", "exact set of names", "account", "name and account"]
_HOUR, _WEEK = 3600, 7 * 24 * 3600
_COMMON = frozenset({"RSA_2048", "RSA_3072", "RSA_4096", "EC_P256", "EC_P384"})
_METHODS = ("dns-01", "http-01")


@dataclass(frozen=True, slots=True)
class Limit:
    """At most `most` of something for each `per` within `seconds`."""

    name: str
    most: int
    seconds: int
    per: Per


@dataclass(frozen=True, slots=True)
class Preset:
    """One CA.

    Attributes:
        directory: empty where each installation has its own address.
        eab: accounts are bound to a customer of the CA (RFC 8555 §7.3.4).
        takes_end: it takes `notAfter` in an order; others refuse the order.
        bills: what it issues may cost money.
        profiles: names, where the directory is known to list them.
        limits: those that are published; a CA may have more.
        frees_replacements: orders that name what they replace (ARI) count against none of them.
        frees_same_names: where it issued for exactly the same set of names before, only the limit of that set
            counts.
        as_of: when these facts were gathered.
        source: where they stand.
        note: what a reader should know before choosing it.
    """

    label: str
    directory: str
    capabilities: Capabilities
    eab: bool = False
    takes_end: bool = False
    bills: bool = False
    profiles: tuple[str, ...] = ()
    limits: tuple[Limit, ...] = ()
    frees_replacements: bool = False
    frees_same_names: bool = False
    as_of: date = date(2026, 11, 26)
    source: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class _Can:
    """Short for the capabilities of a public CA that proves domains by ACME."""

    caa: tuple[str, ...]
    days: int = 90
    levels: frozenset[str] = field(default_factory=lambda: frozenset({"DV"}))
    wildcard: bool = True
    ip: bool = False
    most_names: int = 100
    advises: bool = False
    methods: tuple[str, ...] = _METHODS

    def made(self) -> Capabilities:
        return Capabilities(
            levels=self.levels,
            wildcard=self.wildcard,
            ip=self.ip,
            most_names=self.most_names,
            key_algorithms=_COMMON,
            caa_domains=self.caa,
            methods=self.methods,
            longest_days=self.days,
            advises=self.advises,
            harmless_until_proceed=True,  # what is not finalized is no certificate
        )


_ISRG = _Can(("letsencrypt.org",), ip=True, advises=True).made()
_ISRG_PROFILES = ("classic", "tlsserver", "shortlived")
_LE_LIMITS = (
    Limit("certificates", 50, _WEEK, "registered domain"),
    Limit("duplicates", 5, _WEEK, "exact set of names"),
    Limit("orders", 300, 3 * _HOUR, "account"),
    Limit("failed proofs", 5, _HOUR, "name and account"),
)
_STAGING_LIMITS = (
    Limit("certificates", 30_000, _WEEK, "registered domain"),
    Limit("duplicates", 30_000, _WEEK, "exact set of names"),
    Limit("orders", 1_500, 3 * _HOUR, "account"),
    Limit("failed proofs", 200, _HOUR, "name and account"),
)
_PRIVATE = _Can((), days=398, levels=frozenset({"DV"}), ip=True).made()

PRESETS: dict[str, Preset] = {
    "letsencrypt": Preset(
        "Let's Encrypt",
        "https://acme-v02.api.letsencrypt.org/directory",
        _ISRG,
        profiles=_ISRG_PROFILES,
        limits=_LE_LIMITS,
        frees_replacements=True,
        frees_same_names=True,
        source="https://letsencrypt.org/docs/rate-limits/",
        note="IP addresses need the profile shortlived. The classic one goes to 64 days in February 2027.",
    ),
    "letsencrypt-staging": Preset(
        "Let's Encrypt (staging)",
        "https://acme-staging-v02.api.letsencrypt.org/directory",
        _ISRG,
        profiles=_ISRG_PROFILES,
        limits=_STAGING_LIMITS,
        frees_replacements=True,
        frees_same_names=True,
        source="https://letsencrypt.org/docs/staging-environment/",
        note="For trials: no client trusts its certificates.",
    ),
    "zerossl": Preset(
        "ZeroSSL",
        "https://acme.zerossl.com/v2/DV90",
        _Can(("sectigo.com",)).made(),
        eab=True,
        source="https://zerossl.com/documentation/acme/",
    ),
    "google": Preset(
        "Google Trust Services",
        "https://dv.acme-v02.api.pki.goog/directory",
        _Can(("pki.goog",), ip=True, advises=True).made(),
        eab=True,
        takes_end=True,
        source="https://pki.goog/faq/",
        note="A binding of an account can be used once, and within seven days.",
    ),
    "buypass": Preset(
        "Buypass",
        "https://api.buypass.com/acme/directory",
        _Can(("buypass.com", "buypass.no"), days=180).made(),
        source="https://www.buypass.com/products/tls-ssl-certificates/",
        note="Buypass announced that it ends its free ACME service: test it before relying on it.",
    ),
    "sslcom": Preset(
        "SSL.com",
        "https://acme.ssl.com/sslcom-dv-rsa",
        _Can(("ssl.com",)).made(),
        eab=True,
        bills=True,
        source="https://www.ssl.com/guide/ssl-tls-certificate-issuance-and-revocation-with-acme/",
        note="Another directory, sslcom-dv-ecc, gives certificates for EC keys.",
    ),
    "digicert": Preset(
        "DigiCert",
        "https://acme.digicert.com/v2/acme/directory/",
        _Can(("digicert.com",), days=199, levels=frozenset({"DV", "OV", "EV"}), most_names=250).made(),
        eab=True,
        bills=True,
        source="https://docs.digicert.com/en/certcentral/certificate-tools/certificate-lifecycle-automation"
        "/third-party-acme-integration.html",
        note="Product and level are those of the ACME credentials made in CertCentral.",
    ),
    "actalis": Preset(
        "Actalis",
        "https://acme-api.actalis.com/acme/directory",
        _Can(("actalis.it",), wildcard=False, most_names=1).made(),
        eab=True,
        source="https://guide.actalis.com/ssl/activation/acme",
        note="The free plan gives certificates for one name, without wildcards.",
    ),
    "step-ca": Preset(
        "step-ca",
        "",
        _PRIVATE,
        source="https://smallstep.com/docs/step-ca/acme-basics/",
        note="The directory is https://HOST/acme/PROVISIONER/directory; give its root as the CA certificate.",
    ),
    "ejbca": Preset(
        "EJBCA",
        "",
        _PRIVATE,
        source="https://docs.keyfactor.com/ejbca/latest/acme",
        note="The directory is https://HOST/ejbca/acme/ALIAS/directory; give its root as the CA certificate.",
    ),
    "other": Preset("Another ACME server", "", _PRIVATE, bills=True),  # a CA's own directory may be meant
}
