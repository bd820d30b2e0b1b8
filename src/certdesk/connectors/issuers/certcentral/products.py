"""What is known of CertCentral as a CA: its CAA names, limits and proofs (CPS, product pages)."""

from typing import Literal

from certdesk.pki.x509.keys import KeyAlgorithm

Method = Literal["dns-txt", "dns-cname", "http", "email"]

DCV: dict[str, str] = {
    "dns-txt": "dns-txt-token",
    "dns-cname": "dns-cname-token",
    "http": "http-token",
    "email": "email",
}
PROOFS: dict[str, str] = {
    "dns-txt": "dns-01",
    "dns-cname": "dns-01",
    "http": "http-01",
    "email": "email",
}
CAA = (
    "digicert.com",
    "www.digicert.com",
    "digicert.ne.jp",
    "thawte.com",
    "geotrust.com",
    "rapidssl.com",
    "symantec.com",
    "quovadisglobal.com",
)
KEYS = frozenset(one.value for one in KeyAlgorithm)
MOST_NAMES = 250
LONGEST_DAYS = 199

CNAME_END = "dcv.digicert.com"
FILE = "/.well-known/pki-validation/fileauth.txt"
MAILBOXES = ("admin", "administrator", "webmaster", "hostmaster", "postmaster")

# The reasons that CertCentral takes for TLS certificates; what it does not know is told as unspecified.
REASONS = {
    1: "keyCompromise",
    3: "affiliationChanged",
    4: "superseded",
    5: "cessationOfOperation",
}
