"""Whole pkilint runs (3 ms for one name, 28 ms for 250) and the written list of waived codes.

pkilint takes a second and 60 MB to import, so only what runs a whole lint imports it: workers, and the
first use of a shape that nobody proved ahead.
"""

import threading
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import metadata, resources
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from certdesk.pki.x509 import certificates

from . import constraints
from .constraints import Bounds
from .types import LevelName, ProfileName

# Compared by name: pkilint numbers FATAL 0, ERROR 1, WARNING 2, so `>=` would drop every error.
ERRORS = frozenset({"FATAL", "ERROR"})
COUNTED = ERRORS | {"WARNING"}

_KINDS: Mapping[str, str] = {
    "DV": "DV_FINAL_CERTIFICATE",
    "OV": "OV_FINAL_CERTIFICATE",
    "EV": "EV_FINAL_CERTIFICATE",
    "ROOT": "ROOT_CA",
    "CA": "INTERNAL_UNCONSTRAINED_TLS_CA",
    "CROSS": "INTERNAL_SUBSCRIBER_ISSUING_CROSS_CA",
    "CROSS_ROOT": "INTERNAL_CROSS_CA",
}
OUTSIDE = "certdesk.name_outside_constraints"
_running = threading.Lock()  # the validators keep no state that is known to be safe for threads


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    severity: str
    code: str


def linter() -> str:
    """Name and version for the record."""
    return f"pkilint {metadata.version('pkilint')}"


def whole(der: bytes, kind: LevelName | str) -> tuple[Finding, ...]:
    """Every finding of severity warning or worse, each code once.

    Args:
        kind: DV, OV or EV for a leaf; ROOT, CA, CROSS or CROSS_ROOT for the hierarchy.
    """
    with _running:
        container, filters = _validators(_KINDS[kind])
        from pkilint import finding_filter, loader

        document = loader.RFC5280CertificateDocumentLoader().load_der_document(der)
        results, _ = finding_filter.filter_results(filters, container.validate(document.root))
    found = {
        Finding(each.finding.severity.name, each.finding.code)
        for result in results
        for each in result.finding_descriptions
    }
    return tuple(sorted(each for each in found if each.severity in COUNTED))


def outside(der: bytes, bounds: Bounds) -> tuple[Finding, ...]:
    """An error when a leaf, DER, has a name that its authority may not certify; pkilint sees one certificate.

    Args:
        bounds: of the authority that signed it.
    """
    found = constraints.outside(bounds, certificates.facts(der).names)
    return (Finding("ERROR", OUTSIDE),) if found else ()


def lint_pem(pem: bytes, profile: ProfileName) -> list[str]:
    """Codes of the errors that the profile does not waive, for a leaf in PEM; its level is read from it."""
    from pkilint import loader
    from pkilint.cabf import serverauth

    der = x509.load_pem_x509_certificate(pem).public_bytes(Encoding.DER)
    document = loader.RFC5280CertificateDocumentLoader().load_der_document(der)
    kind = serverauth.determine_certificate_type(document).name.partition("_")[0]
    return [finding.code for finding in errors(whole(der, kind), profile)]


@cache
def _validators(kind: str) -> tuple[Any, Any]:
    from pkilint.cabf import serverauth
    from pkilint.cabf.serverauth import serverauth_constants
    from pkilint.pkix import certificate

    chosen = serverauth_constants.CertificateType[kind]
    container = certificate.create_pkix_certificate_validator_container(
        serverauth.create_decoding_validators(), serverauth.create_validators(chosen)
    )
    return container, serverauth.create_serverauth_finding_filters(chosen)


def unwaived(findings: Iterable[Finding], profile: ProfileName) -> tuple[Finding, ...]:
    """What stays after the waivers of the profile; `public` has none."""
    waivers = waived(profile)
    return tuple(finding for finding in findings if finding.code not in waivers)


def errors(findings: Iterable[Finding], profile: ProfileName) -> tuple[Finding, ...]:
    """The findings for which nothing may be signed."""
    return tuple(each for each in unwaived(findings, profile) if each.severity in ERRORS)


@cache
def waived(profile: ProfileName) -> Mapping[str, str]:
    """Code -> reason, as written in waivers.toml."""
    text = resources.files(__package__).joinpath("waivers.toml").read_text(encoding="utf-8")
    entries: dict[str, str] = tomllib.loads(text).get(profile, {})
    return entries
