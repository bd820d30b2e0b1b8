"""May this form be an application for this certificate? One check for every face and every path. Pure."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Protocol

from certdesk.foundation.common.errors import BadParameter, Forbidden
from certdesk.pki.x509 import keys
from certdesk.pki.x509.csr import ParsedCsr, parse_csr
from certdesk.pki.x509.errors import BadCsr, NamesDoNotFit, shown
from certdesk.pki.x509.keys import KeyAlgorithm
from certdesk.pki.x509.name_sets import NameSet, fit

from .contacts import check_company, check_contact
from .form import ApplicationForm
from .methods import NONE_ENDED, check_method
from .subject import check_subject

HASH_ALGORITHMS = ("DEFAULT", "SHA-256")

Blocked = Callable[[bytes], bool]


class Sold(Protocol):
    """What this room reads of a catalogue product."""

    @property
    def level(self) -> str: ...
    @property
    def key_algorithms(self) -> tuple[str, ...]: ...
    @property
    def issuer(self) -> str: ...
    @property
    def profile(self) -> str: ...
    @property
    def methods(self) -> tuple[str, ...]: ...
    @property
    def wildcard_in_multi(self) -> bool: ...
    @property
    def allow_internal(self) -> bool: ...
    @property
    def allow_ip(self) -> bool: ...


class Bought(Protocol):
    """What this room reads of a certificate: the quantities that were paid for (CAT-9)."""

    @property
    def domain_type(self) -> str: ...
    @property
    def primary_domain_type(self) -> str: ...
    @property
    def single_quota(self) -> int: ...
    @property
    def wildcard_quota(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Applicant:
    """The two flags of an account that can bar an application (APP-14, ORG-5)."""

    real_name_verified: bool = True
    special_enterprise: bool = False


@dataclass(frozen=True, slots=True)
class Checked:
    """A form that passed.

    Attributes:
        names: as they will stand in the certificate, primary first.
        key_algorithm: of the key that is to be certified, API value.
        csr: the parsed CSR; None when the service makes the key.
        company: cleaned fields, empty where the level has none.
        csr_id, key_id: the stored CSR it is, and its private key in the keystore; empty where there is none.
    """

    names: NameSet
    key_algorithm: str
    csr: ParsedCsr | None
    company: dict[str, str]
    contact: dict[str, str]
    method: str
    ca_hash_algorithm: str
    auto_dns: bool
    csr_id: str = ""
    key_id: str = ""

    @property
    def personal(self) -> bool:
        """Whether it holds what goes with the privacy authorisation (PRV-2)."""
        return bool(self.company) or any(self.contact.values())

    @property
    def spki(self) -> bytes | None:
        """DER of the public key to certify, where a CSR brought it."""
        return self.csr.spki if self.csr else None


def allowed_algorithms(product: Sold) -> tuple[KeyAlgorithm, ...]:
    """What the catalogue says of the type (CAT-4, APP-3); the first one is the default (API §1.8)."""
    return tuple(KeyAlgorithm(one) for one in product.key_algorithms)


def check_application(
    form: ApplicationForm,
    bought: Bought,
    product: Sold,
    applicant: Applicant,
    *,
    blocked: Blocked | None = None,
    parsed: ParsedCsr | None = None,
    with_contact: bool = True,
    ended: Mapping[str, date] = NONE_ENDED,
) -> Checked:
    """The checked application, or the first fault with field, rule, value and way out.

    Args:
        blocked: says whether the SHA-256 of an SPKI is on the list of compromised keys.
        parsed: the form's CSR where the caller has parsed it already.
        ended: methods that prove names of the product no more, each with the day since which.
        with_contact: False for *issue now* of names proved before, whose body has no contact (API §10).
    """
    check_applicant(applicant, product)
    check_agreement(form)
    csr = parsed or _read_csr(form, product, blocked)
    names = check_names(form, bought, product, csr)
    algorithm = _check_key(form, product, csr)
    automatic = bool(form.auto_dns_auth)
    method = check_method(form.domain_method, product, names.names, automatic=automatic, ended=ended)
    verified = product.level in ("OV", "EV")
    registered = product.level == "EV" and product.profile == "public"
    company = check_company(form.company, required=verified, registered=registered)
    check_subject(product.level, company)
    contact = form.contact
    if with_contact or any(contact.values()):
        check_contact(contact)
    return Checked(names, algorithm, csr, company, contact, method, _check_hash(form), automatic)


def check_applicant(applicant: Applicant, product: Sold) -> None:
    """APP-14 and ORG-5."""
    if not applicant.real_name_verified:
        raise Forbidden(
            "The account has not passed real-name authentication, so it cannot apply.",
            next_step="Ask the operator to confirm who stands behind the account: "
            "`./certdesk account flags --real-name`.",
        )
    if applicant.special_enterprise and product.level in ("OV", "EV"):
        raise Forbidden(
            "The account is a special enterprise without a unified social credit code; "
            "it cannot apply for OV and EV certificates.",
            next_step="Apply for a DV certificate.",
        )


def check_agreement(form: ApplicationForm) -> None:
    """APP-11."""
    if form.agree_privacy_protection is not True:
        raise BadParameter(
            "The statement and the privacy authorisation were not accepted.",
            next_step="Accept them: agree_privacy_protection must be true.",
            field="agree_privacy_protection",
        )


def _read_csr(form: ApplicationForm, product: Sold, blocked: Blocked | None) -> ParsedCsr | None:
    if not form.csr.strip():
        return None
    return parse_csr(form.csr, blocked=blocked, allow_internal=product.allow_internal)


def check_names(
    form: ApplicationForm, bought: Bought, product: Sold, csr: ParsedCsr | None = None
) -> NameSet:
    """The names within what was bought (APP-5, APP-7); those left out come from the CSR (APP-12)."""
    primary, additional = _given_names(form, csr)
    if not primary:
        raise NamesDoNotFit(
            "No domain name was given.", next_step="Enter the name of the server.", field="domain"
        )
    names = fit(
        bought.domain_type,
        primary,
        additional,
        single_quota=bought.single_quota,
        wildcard_quota=bought.wildcard_quota,
        primary_wildcard_allowed=bought.primary_domain_type == "WILDCARD_DOMAIN",
        wildcards_allowed=product.wildcard_in_multi,
        allow_internal=product.allow_internal,
        allow_ip=product.allow_ip,
    )
    if csr is not None:
        _refuse_foreign_csr(names, csr)
    return names


def _given_names(form: ApplicationForm, csr: ParsedCsr | None) -> tuple[str, tuple[str, ...]]:
    primary, additional = form.domain.strip(" \t"), form.additional
    in_csr = [name.text for name in csr.names] if csr else []
    primary = primary or (in_csr[0] if in_csr else "")
    if not additional and primary.lower() in in_csr:
        additional = tuple(name for name in in_csr if name != primary.lower())
    return primary, additional


def _refuse_foreign_csr(names: NameSet, csr: ParsedCsr) -> None:
    """The application must hold every name of its CSR; more than that is the applicant's choice."""
    wanted = set(names.texts)
    missing = next((name.text for name in csr.names if name.text not in wanted), "")
    if missing:
        raise BadCsr(
            f"The CSR asks for {missing}, which is not among the names of the application.",
            next_step="Add that name to the application, or make a CSR for the names that you enter.",
            field="csr",
        )


def _check_key(form: ApplicationForm, product: Sold, csr: ParsedCsr | None) -> str:
    allowed = allowed_algorithms(product)
    listed = ", ".join(allowed)
    if csr is not None:
        found = keys.algorithm_of(csr.public_key)
        if found not in allowed:
            raise BadCsr(
                f"The CSR has the key {csr.key_description}, which this certificate type does not take.",
                next_step=f"Make a new key pair; allowed are {listed}.",
                field="csr",
            )
        return str(found)
    refuse_made_here(product)
    wanted = form.key_algorithm or allowed[0]
    if wanted not in allowed:
        raise BadParameter(
            f"The key algorithm {shown(str(wanted))} is not one of this certificate type.",
            next_step=f"Choose one of: {listed}.",
            field="key_algorithm",
        )
    return str(wanted)


def refuse_made_here(product: Sold) -> None:
    """Raises:
    BadParameter: the key was made by the very CA that is to certify it, and that one is public.
    """
    if product.profile == "public" and product.issuer.startswith("builtin"):
        raise BadParameter(
            "A public CA may not make the key of its subscriber (Baseline Requirements 6.1.1.3).",
            next_step="Make the key on your server and upload a CSR.",
            field="csr",
        )


def _check_hash(form: ApplicationForm) -> str:
    wanted = (form.ca_hash_algorithm or "DEFAULT").upper()
    if wanted not in HASH_ALGORITHMS:
        raise BadParameter(
            f"The root certificate hash algorithm {shown(wanted)} is not known.",
            next_step=f"Choose one of: {', '.join(HASH_ALGORITHMS)}.",
            field="ca_hash_algorithm",
        )
    return wanted
