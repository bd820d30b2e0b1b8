"""A good body for an operation, from its schema: required fields alone, each with a value that its name asks
for. And where a body names a thing by its id."""

import types
from collections.abc import Iterator, Mapping
from enum import Enum
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, RootModel
from pydantic.fields import FieldInfo

VALUES: Mapping[str, Any] = {
    "name": "made-by-matrix",
    "cert_name": "made-by-matrix",
    "label": "made-by-matrix",
    "email": "matrix@example.com",
    "phone": "+44 20 7946 0000",
    "company_name": "Example Trading Co.,Ltd",
    "cert_brand": "GEOTRUST",
    "cert_type": "DV_SSL_CERT",
    "domain_type": "SINGLE_DOMAIN",
    "domain_numbers": 1,
    "agree_privacy_protection": True,
    "domain_name": "made.example.com",
    "private_key_algo": "EC_P256",
    "amount": "10.00",
    "currency": "CNY",
    "expires_at": "2027-12-01",
    "code": "MATRIX10",
    "key": "team",
    "policy": {"Version": "1.1", "Statement": [{"Effect": "Allow", "Action": ["scm:cert:list"]}]},
    "resource_type": "scm",
    "domains": ["made.example.com"],
    "ttl": 300,
}
"""Field name -> a value that every operation takes."""

REFERENCES: Mapping[str, str] = {
    "csr_id": "csr",
    "enterprise_project_id": "enterprise-projects",
    "user_id": "users",
    "to": "users",
    "owner": "users",
    "owner_group": "groups",
    "default_view": "view_id",
    "user": "users",
    "resource_id": "certificate_id",
    "certificate_id": "certificate_id",
    "certificate_ids": "certificate_id",
    "voucher_ids": "vouchers",
    "coupon_code": "coupons",
    "product_id": "product_id",
    "domain_id": "account_id",
    "trust_domain_id": "account_id",
    "trust_users": "users",
    "scope_id": "certificate_id",
}
"""Field name -> the kind of thing whose id it holds (`things.THINGS`)."""

NO_REFERENCE: Mapping[str, str] = {
    "id": "an account to sign in to: before that, nothing is anybody's",
}
"""Fields that look like ids and are none of a thing of ours."""


HARMLESS: Mapping[tuple[str, str], str] = {
    ("catalogue.price", "enterprise_project_id"): "a price is of no project",
    ("v2.save", "csr_id"): "a draft is kept as it was typed; its CSR is looked for when it is submitted",
    ("certificates.deploy", "enterprise_project_id"): "one of WAF's, not of ours",
    ("endpoints.adopt", "enterprise_project_id"): "of watching alone, where an upload looks at it",
    ("bulk.create", "certificate_ids"): "what one does not see is refused row by row, as what is not there",
    ("certificates.edit", "owner"): "refused for everybody until it can be changed",
    **{
        (f"agencies.{one}", field): "kept as it was written; whom it names is looked for when it is assumed"
        for one in ("create", "update")
        for field in ("trust_domain_id", "trust_users")
    },
}
"""Fields whose id is not looked at: another's must be answered as a missing one, though not refused."""


class NoValue(Exception):
    """A required field for which no good value is known."""


def good(model: type[BaseModel]) -> Any:
    """The smallest good body.

    Raises:
        NoValue: a field's name is not in `VALUES` and its type does not tell a value.
    """
    if issubclass(model, RootModel):
        return _of_type("root", model.model_fields["root"].annotation)
    return {name: _value(name, field) for name, field in model.model_fields.items() if field.is_required()}


def _value(name: str, field: FieldInfo) -> Any:
    return VALUES[name] if name in VALUES else _of_type(name, field.annotation)


def _of_type(name: str, kind: Any) -> Any:
    origin, inner = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return _of_type(name, inner[0])
    if origin is Literal:
        return inner[0]
    if origin in (Union, types.UnionType):
        return _of_type(name, inner[0])
    if origin is list:
        return [_of_type(name, inner[0])]
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return good(kind)
    if isinstance(kind, type) and issubclass(kind, Enum):
        return next(iter(kind)).value
    if kind in (bool, int):
        return kind(1)
    raise NoValue(name)


def references(model: type[BaseModel] | None) -> Iterator[tuple[str, ...]]:
    """Paths of the fields that hold ids; `*` stands for each item of a list."""
    if model is None:
        return
    for name, field in model.model_fields.items():
        kind, steps = _unwrapped(field.annotation)
        here = () if issubclass(model, RootModel) else (name,)
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            for below in references(kind):
                yield (*here, *steps, *below)
        elif looks_like_id(name):
            yield (*here, *steps)


def looks_like_id(name: str) -> bool:
    return name in REFERENCES or (
        (name == "id" or name.endswith(("_id", "_ids"))) and name not in NO_REFERENCE
    )


def _unwrapped(kind: Any) -> tuple[Any, tuple[str, ...]]:
    """The type inside `Annotated`, `| None` and `list[…]`, and `*` where there was a list."""
    origin, inner = get_origin(kind), get_args(kind)
    if origin is Annotated or origin in (Union, types.UnionType):
        return _unwrapped(inner[0])
    if origin is list:
        found, steps = _unwrapped(inner[0])
        return found, ("*", *steps)
    return kind, ()


def put(body: Any, path: tuple[str, ...], value: str) -> Any:
    """A copy of the body with `value` at the path."""
    if not path:
        return value
    if path[0] == "*":
        first = body[0] if isinstance(body, list) and body else {}
        return [put(first, path[1:], value)]
    held = dict(body) if isinstance(body, dict) else {}
    held[path[0]] = put(held.get(path[0]), path[1:], value)
    return held
