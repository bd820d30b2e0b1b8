"""CSR management (API §1 #21 to #27)."""

from certdesk.foundation.common import clock
from certdesk.foundation.iam.principal import Principal
from certdesk.lifecycle.certificates import csrs
from certdesk.lifecycle.certificates.csr_rules import COMPANY, CsrFilters, CsrRequest
from certdesk.lifecycle.certificates.models import Csr
from certdesk.pki.x509 import keys

from .registry import operation
from .shapes import Shape
from .tag_schemas import CsrName, CsrQuery, NewCsr, UploadedCsr

BASE = "/v3/scm/csr"
ONE = f"{BASE}/{{id}}"


def _shape(one: Csr) -> Shape:
    """`csr` is empty for the seconds in which a worker makes the key."""
    return {
        "id": one.id,
        "name": one.name,
        "csr": one.csr,
        "domain_name": one.domain_name,
        "sans": one.sans,
        "private_key_algo": one.private_key_algo,
        "usage": one.usage,
        **{f"company_{key}": one.company.get(key, "") for key in COMPANY},
        "create_time": csrs.moment_ms(one.created_at),
        "update_time": csrs.moment_ms(one.updated_at),
    }


@operation("csrs.create", "POST", BASE, csrs.CREATE, request=NewCsr)
def create(principal: Principal, body: NewCsr) -> Shape:
    """Makes a key, which stays sealed here, and its CSR."""
    company = {key: str(getattr(body, f"company_{key}")) for key in COMPANY}
    asked = CsrRequest(body.name, body.domain_name, body.private_key_algo, body.sans, body.usage, company)
    shape = _shape(csrs.create(principal, asked, clock.now()))
    del shape["csr"]  # the contract's answer has all but this
    return shape


@operation("csrs.upload", "POST", f"{BASE}/upload", csrs.UPLOAD, request=UploadedCsr)
def upload(principal: Principal, body: UploadedCsr) -> Shape:
    """Stores a CSR made elsewhere; its private key may come with it."""
    made = csrs.upload(principal, body.name, body.csr, body.private_key, clock.now())
    return {"id": made.id, "name": made.name, "create_time": csrs.moment_ms(made.created_at)}


@operation("csrs.list", "GET", BASE, csrs.LIST, query=CsrQuery)
def listed(principal: Principal, query: CsrQuery) -> Shape:
    """The account's CSRs, newest first; `name` is a keyword."""
    found, total = csrs.listed(principal, CsrFilters(**query.model_dump()))
    return {"csr_list": [_shape(one) for one in found], "total": total}


@operation("csrs.show", "GET", ONE, csrs.GET)
def show(principal: Principal, id: str) -> Shape:  # noqa: A002 the path parameter of the contract
    """One CSR."""
    return _shape(csrs.fetch(principal, csrs.GET, id))


@operation("csrs.update", "PUT", ONE, csrs.UPDATE, request=CsrName)
def update(principal: Principal, id: str, body: CsrName) -> Shape:  # noqa: A002
    """A new name."""
    return _shape(csrs.rename(principal, id, body.name, clock.now()))


@operation("csrs.delete", "DELETE", ONE, csrs.DELETE, success=204)
def delete(principal: Principal, id: str) -> None:  # noqa: A002
    """Removes a CSR and destroys its private key; certificates made with it keep theirs."""
    csrs.delete(principal, id)


@operation("csrs.private_key", "GET", f"{ONE}/private-key", csrs.EXPORT)
def private_key(principal: Principal, id: str) -> Shape:  # noqa: A002
    """The private key in PEM; needs a right of its own and is audited."""
    return {"private_key": keys.private_to_pem(csrs.private_key(principal, id)).decode("ascii")}
