"""A certificate version as it goes to a target: bundle with key, and what a look should see."""

from dataclasses import dataclass

from certdesk.connectors.targets.protocol import Bundle
from certdesk.foundation.common import clock
from certdesk.foundation.iam.principal import Principal
from certdesk.lifecycle.certificates import queries as certificates
from certdesk.lifecycle.certificates import rules as certificate_rules
from certdesk.lifecycle.certificates import states as certificate_states
from certdesk.lifecycle.certificates.models import Certificate, Version
from certdesk.pki.keystore import queries as keystore
from certdesk.pki.keystore import use
from certdesk.pki.x509 import keys
from certdesk.pki.x509.certificates import facts, load_chain_pem, to_pem

from . import rules
from .errors import NotDeployable


@dataclass(frozen=True, slots=True)
class Material:
    """`chain`: SHA-256 of what must be sent with the leaf; `key`: RSA or EC."""

    bundle: Bundle
    sha256: str
    chain: frozenset[str]
    key: str


def checked(principal: Principal, action: str, certificate_id: str) -> tuple[Certificate, Version]:
    """The certificate and its current version, if it can be deployed now (DEP-1, PSH-1).

    Raises:
        NoCertificate, Forbidden, UnderReview: as `certificates.fetch`.
        NotDeployable: its state, or a key that the service does not have.
    """
    certificate = certificates.fetch(principal, action, certificate_id)
    state = certificate_rules.state_of(certificate, clock.now())
    version = certificates.current_version(certificate)
    has_key = version is not None and held(version, certificate.account_id)
    rules.check_deployable(state, certificate_states.ROWS[state].title, has_key)
    if version is None:  # a state with a certificate in force has one
        raise NotDeployable(rules.UPLOADED_CSR, next_step=rules.DOWNLOAD)
    return certificate, version


def held(version: Version, account_id: str) -> bool:
    """Whether the service has the version's private key."""
    return bool(version.key_id) and keystore.secret_of(version.key_id, account_id) is not None


def of(principal: Principal, certificate: Certificate, version: Version, right: str) -> Material:
    """Bundle and expectations; taking the key is noted in the audit.

    Raises:
        Forbidden, KeyMissing: as `keystore.use.export`.
    """
    resource = certificate_rules.resource_of(certificate)
    key = use.export(principal, version.key_id, resource, right=right, name=certificate.name)
    bundle = Bundle(
        to_pem(bytes(version.der)),
        bytes(version.chain).decode(),
        tuple(version.names.split(";")),
        version.fingerprint_sha1,
        keys.private_to_pem(key).decode(),
    )
    return Material(bundle, version.fingerprint_sha256, chain_of(version), key_of(version))


def chain_of(version: Version) -> frozenset[str]:
    """SHA-256 of the certificates that must be sent with the leaf; a root need not be."""
    above = load_chain_pem(bytes(version.chain).decode()) if bytes(version.chain).strip() else []
    read = [facts(der) for der in above]
    return frozenset(one.sha256 for one in read if one.subject != one.issuer)


def key_of(version: Version) -> str:
    """RSA or EC."""
    return version.key_algorithm.partition("_")[0]
