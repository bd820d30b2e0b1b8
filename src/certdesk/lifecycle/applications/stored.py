"""An application that takes a CSR of CSR management, with the private key that the service holds for it."""

from dataclasses import replace

from certdesk.foundation.common.errors import BadParameter
from certdesk.foundation.iam.principal import Principal
from certdesk.lifecycle.certificates import csrs
from certdesk.lifecycle.certificates.models import Csr
from certdesk.pki.keystore import actions as keystore

from .form import ApplicationForm
from .rules import Checked, Sold, refuse_made_here


def chosen(principal: Principal, form: ApplicationForm) -> Csr | None:
    """The stored CSR that the form names.

    Raises:
        NoCsr, Forbidden: as `csrs.fetch` with `scm:csr:get`.
        KeyNotReady: a worker still makes its key.
        BadParameter: the form brings a CSR of its own too.
    """
    if not form.csr_id:
        return None
    if form.csr.strip():
        raise BadParameter(
            "Both a CSR and the id of a stored one were given.", next_step="Give one of them.", field="csr_id"
        )
    found = csrs.fetch(principal, csrs.GET, form.csr_id)
    csrs.refuse_unready(found)
    return found


def filled(form: ApplicationForm, found: Csr | None) -> ApplicationForm:
    """The form with the text of the stored CSR."""
    return replace(form, csr=found.csr) if found is not None else form


def attached(principal: Principal, checked: Checked, product: Sold, found: Csr | None) -> Checked:
    """The checked application with the key of the CSR that it stands on.

    A CSR that was pasted and is stored here, as scripts do that have no other field for it, counts as chosen.

    Raises:
        BadParameter: the key was made by the public CA that is to certify it.
    """
    if found is None and checked.csr is not None:
        found = csrs.holding(principal, checked.csr)
    if found is None:
        return checked
    if found.made_here:
        refuse_made_here(product)
    return replace(checked, csr_id=found.id, key_id=found.key_id)


def take_key(account_id: str, checked: Checked) -> str:
    """Id of the key that the certificate gets: a copy of the CSR's, so that neither end takes the other's.

    Empty where there is none. In the caller's transaction.

    Raises:
        KeyMissing: the CSR was deleted meanwhile.
    """
    return keystore.copy(checked.key_id, account_id).id if checked.key_id else ""
