"""Product types, a product and a purchase by the older API (API §1.12)."""

from certdesk.foundation.common import clock
from certdesk.foundation.common.errors import NotFound
from certdesk.foundation.iam.models import Account, EnterpriseProject
from certdesk.foundation.iam.principal import Principal
from certdesk.lifecycle.catalogue import prices
from certdesk.lifecycle.catalogue.queries import catalogue
from certdesk.lifecycle.catalogue.rules import Product
from certdesk.lifecycle.issuers.queries import offered, offered_all
from certdesk.lifecycle.orders import actions, queries
from certdesk.lifecycle.orders.rules import BuyRequest

from . import shapes
from .money_schemas import PurchaseV2
from .registry import operation
from .shapes import Shape

V2 = "/v2/{project_id}/scm"
_DOMAIN_WORDS = {"SINGLE_DOMAIN": "single", "MULTI_DOMAIN": "multi", "WILDCARD": "wildcard"}


def check_project(principal: Principal, project_id: str) -> None:
    """The path's first id is the account's name, its id or one of its projects.

    Raises:
        NotFound: it is none of them.
    """
    account = principal.account_id
    if project_id == account or Account.objects.filter(id=account, name=project_id).exists():
        return
    if not EnterpriseProject.objects.filter(id=project_id, account_id=account).exists():
        raise NotFound(
            f"There is no project {project_id}.", next_step="Use the id of the list of projects.", field=""
        )


@operation("v2.product_types", "GET", f"{V2}/cert/product", "scm:certType:get")
def product_types(principal: Principal, project_id: str) -> Shape:
    """Every line of the catalogue that can be bought."""
    check_project(principal, project_id)
    lines = offered_all(catalogue().products)
    return {"type_list": [_type(one) for one in lines if one.available and not one.free]}


def _type(product: Product) -> Shape:
    years = product.validity_months[0] // 12
    words = (
        product.brand.lower(),
        _DOMAIN_WORDS[str(product.domain_type)],
        product.type.lower().replace("_ssl_cert", ""),
        str(years),
    )
    return {
        "cert_type": product.type,
        "cert_brand": product.brand,
        "domain_type": str(product.domain_type),
        "product_id": product.id,
        "effective_time": years,
        "product_name": ".".join(words),
    }


@operation("v2.product", "GET", f"{V2}/product/{{product_id}}", "scm:certProduct:get")
def product(principal: Principal, project_id: str, product_id: str) -> Shape:
    """One line of the catalogue with its prices."""
    check_project(principal, project_id)
    book = catalogue()
    found = next((one for one in book.products if one.id == product_id), None)
    if found is None:
        raise NotFound(f"There is no product {product_id}.", next_step="Take one of the list of products.")
    priced = offered(prices.current(found, clock.now()))
    return {**_type(found), **shapes.product(priced, book.types[found.type], dict(book.currencies))}


@operation(
    "v2.purchase",
    "POST",
    f"{V2}/cert/purchase",
    "scm:cert:purchase",
    also=(queries.PAY,),
    request=PurchaseV2,
    idempotent=True,
    one_transaction=True,
)
def purchase(principal: Principal, project_id: str, body: PurchaseV2) -> Shape:
    """Orders certificates; the order is paid as any other."""
    check_project(principal, project_id)
    result = actions.buy(principal, BuyRequest(**body.model_dump()), clock.now(), auto_pay=False)
    return {"order_id": result.order_id, "cert": []}
