"""The one rule of verification methods: each method with each kind of name (APP-13)."""

from dataclasses import dataclass
from datetime import date

import pytest

from certdesk.foundation.common.errors import BadParameter, CertdeskError
from certdesk.lifecycle.applications.methods import METHODS, check_method
from certdesk.pki.x509.errors import BadName
from certdesk.pki.x509.names import parse_name

LONG = ".".join(["a" * 60] * 4) + ".com"
NAMES = {
    "plain": ["www.example.com"],
    "wildcard": ["*.example.com"],
    "plain and wildcard": ["example.com", "*.example.com"],
    "address": ["8.8.8.8"],
    "too long for a record": [LONG],
}
DV, OV = ("DV", ("DNS", "FILE")), ("OV", ("DNS", "FILE", "EMAIL"))
PASSES = {
    (DV, "DNS"): {"plain", "wildcard", "plain and wildcard"},
    (DV, "FILE"): {"plain", "address", "too long for a record"},
    (DV, "EMAIL"): set(),
    (OV, "DNS"): {"plain", "wildcard", "plain and wildcard"},
    (OV, "FILE"): {"plain", "address", "too long for a record"},
    (OV, "EMAIL"): {"plain", "wildcard", "plain and wildcard", "too long for a record"},
}


@dataclass(frozen=True)
class Product:
    level: str = "OV"
    methods: tuple[str, ...] = METHODS


def names_of(kind: str):
    return [parse_name(text, allow_internal=True, allow_ip=True) for text in NAMES[kind]]


@pytest.mark.parametrize("kind", NAMES)
@pytest.mark.parametrize(("sold", "method"), PASSES)
# rule: APP-13
def test_each_method_with_each_kind_of_name(
    sold: tuple[str, tuple[str, ...]], method: str, kind: str
) -> None:
    product = Product(*sold)
    if kind in PASSES[sold, method]:
        assert check_method(method.lower(), product, names_of(kind)) == method
        return
    with pytest.raises(CertdeskError) as caught:
        check_method(method, product, names_of(kind))
    assert caught.value.message.endswith(".")
    assert caught.value.next_step
    if isinstance(caught.value, BadParameter) and not isinstance(caught.value, BadName):
        offered = caught.value.next_step
        possible = [one for one in METHODS if kind in PASSES.get((sold, one), ())]
        assert [one for one in METHODS if one in offered] == (possible or ["DNS"])


def test_nothing_chosen_is_dns() -> None:
    assert check_method("", Product(), names_of("plain")) == "DNS"


@pytest.mark.parametrize("method", ["CARRIER PIGEON", "\x00", "D" * 200])
def test_an_unknown_method(method: str) -> None:
    with pytest.raises(BadParameter, match="is not known") as caught:
        check_method(method, Product(), names_of("plain"))
    assert len(caught.value.message) < 120


def test_a_method_that_is_not_sold() -> None:
    with pytest.raises(BadParameter, match="does not offer") as caught:
        check_method("FILE", Product(methods=("DNS",)), names_of("plain"))
    assert caught.value.next_step == "Choose one of: DNS."


# rule: APP-13
def test_a_method_that_has_ended_is_not_offered_either() -> None:
    over = {"EMAIL": date(2028, 3, 15)}
    with pytest.raises(BadParameter, match="by email ended on 2028-03-15") as caught:
        check_method("EMAIL", Product(), names_of("plain"), ended=over)
    assert caught.value.next_step == "Choose one of: DNS, FILE."
    assert check_method("FILE", Product(), names_of("plain"), ended=over) == "FILE"


@pytest.mark.parametrize("method", METHODS)
def test_automatic_is_dns_alone(method: str) -> None:
    if method == "DNS":
        assert check_method(method, Product(), names_of("plain"), automatic=True) == "DNS"
        return
    with pytest.raises(BadParameter) as caught:
        check_method(method, Product(), names_of("plain"), automatic=True)
    assert caught.value.field == "auto_dns_auth"
