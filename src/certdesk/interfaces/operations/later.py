"""Routes of the contract whose capability has not come yet. Each has its real right and answers 501.

The one counted list: a capability that comes takes its lines from here. The count is checked by a test.
"""

from typing import NoReturn

from certdesk.foundation.common.errors import NotAvailable
from certdesk.foundation.iam.principal import Principal

from . import registry
from .registry import Operation

C = "/v3/scm/certificates/{certificate_id}"
V2 = "/v2/{project_id}/scm"
Line = tuple[str, str, str, str]
"""name, method, path, IAM action"""


def _crud(chapter: str, path: str, resource: str) -> list[Line]:
    return [
        (f"{chapter}.list", "GET", path, f"{resource}:list"),
        (f"{chapter}.create", "POST", path, f"{resource}:create"),
        (f"{chapter}.show", "GET", f"{path}/{{id}}", f"{resource}:get"),
        (f"{chapter}.update", "PUT", f"{path}/{{id}}", f"{resource}:update"),
        (f"{chapter}.delete", "DELETE", f"{path}/{{id}}", f"{resource}:delete"),
    ]


ISSUERS_AND_TARGETS: list[Line] = [
    *_crud("issuers", "/v3/scm/issuers", "scm:issuer"),
    ("issuers.test", "POST", "/v3/scm/issuers/{id}/test", "scm:issuer:test"),
    ("issuers.health", "GET", "/v3/scm/issuers/{id}/health", "scm:issuer:get"),
    ("issuers.of_product", "PUT", "/v3/scm/products/{product_id}/issuers", "scm:issuer:update"),
]
VERSION_2: list[Line] = []

LATER: tuple[Line, ...] = (
    *ISSUERS_AND_TARGETS,
    *VERSION_2,
)


def not_available(principal: Principal, **parameters: str) -> NoReturn:
    """Comes with a later release."""
    raise NotAvailable(
        "This operation comes with a later release.", next_step="See the list of operations in the manual."
    )


for _name, _method, _path, _action in LATER:
    registry.add(
        Operation(
            _name,
            _method,
            _path,
            _action,
            not_available,
            later=True,
            doc=not_available.__doc__ or "",
        )
    )
