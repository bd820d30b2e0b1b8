"""Which line of the catalogue an order gets, and what a credential may ask for."""

from collections.abc import Sequence

from certdesk.foundation.common.errors import CertdeskError
from certdesk.lifecycle.catalogue import enrolment
from certdesk.lifecycle.catalogue.queries import catalogue
from certdesk.lifecycle.catalogue.rules import DomainType, Product, check_for_sale
from certdesk.lifecycle.issuers import queries as issuers

from . import rules
from .errors import AcmeError, Sub, sub
from .models import Credential
from .rules import Asked


def profiles() -> dict[str, str]:
    """Every profile of the directory with its description; types stand beside the usual one."""
    kinds = {code: f"{one.title} of the credential's brand." for code, one in catalogue().types.items()}
    return rules.PROFILES | kinds


def type_of(credential: Credential, profile: str) -> str:
    """The certificate type of a profile, as far as the credential has it.

    Raises:
        AcmeError: invalidProfile.
    """
    if profile in ("", rules.USUAL_PROFILE):
        lines = catalogue().enrolment
        return str(credential.types[0]) if credential.types else (lines[0].type if lines else "")
    if profile not in credential.types:
        raise AcmeError("invalidProfile", f"The profile {profile[:24]!r} is not one of this credential.")
    return profile


def product_for(credential: Credential, profile: str, names: Sequence[str]) -> Product:
    """The line for these names.

    Raises:
        AcmeError: invalidProfile, or rejectedIdentifier where nothing holds such names.
    """
    kind = DomainType.MULTI
    if len(names) == 1:
        kind = DomainType.WILDCARD if names[0].startswith("*.") else DomainType.SINGLE
    brand = credential.issuer or enrolment.BRAND
    try:
        product = catalogue().product(brand, type_of(credential, profile), str(kind))
        check_for_sale(issuers.offered(product))
    except AcmeError:
        raise
    except CertdeskError as error:
        raise AcmeError("rejectedIdentifier", str(error)) from error
    if kind is DomainType.MULTI and not product.wildcard_in_multi and any("*" in one for one in names):
        raise AcmeError("rejectedIdentifier", "This certificate type holds no wildcard among several names.")
    return product


def check_names(credential: Credential, asked: Sequence[Asked]) -> None:
    """Raises:
    AcmeError: rejectedIdentifier, a subproblem for each name that the credential does not cover.
    """
    faults: list[Sub] = [
        sub("rejectedIdentifier", one.kind, one.text, "The credential of this account is not for this name.")
        for one in asked
        if not rules.covers(credential.names, one.text)
    ]
    if faults:
        raise rules.refused_names(faults)
