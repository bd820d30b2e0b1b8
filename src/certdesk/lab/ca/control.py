"""How a test or a user steers the simulated CA: `/lab/…`, without a key, JSON in and out.

`GET /lab/state`, `PUT /lab/faults` {verb, fault, times, seconds, words}, `DELETE /lab/faults`,
`PUT /lab/organizations/ID` {status: active or rejected}, `PUT /lab/orders/ID` {do: reject or approve, words,
what: `dcv:NAME`, `again:NAME` or `approver:ADDRESS`}, `PUT /lab/settings` {vetting_seconds, rate,
revocation_proof: ask for control of the domains again before a revocation}, `GET /lab/root.pem`,
`GET /lab/crl.der`.
"""

from collections.abc import Mapping
from typing import Any, Protocol

from certdesk.lab.ca import issuing, people
from certdesk.lab.ca.errors import invalid, not_found
from certdesk.lab.ca.office import Office

Answer = tuple[int, object]


class Steered(Protocol):
    """`rate`: requests in five seconds, 0 = no limit. `calls`: the verbs asked so far."""

    office: Office
    rate: int

    @property
    def calls(self) -> list[str]: ...


def answer(server: Steered, method: str, path: str, body: Mapping[str, Any]) -> Answer:
    """Raises `Refused` for what there is not."""
    office, parts = server.office, path.strip("/").split("/")[1:]
    match (method, *parts):
        case ("GET", "state"):
            return 200, _state(server)
        case ("GET", "root.pem"):
            return 200, office.signer.root_pem
        case ("GET", "crl.der"):
            return 200, office.crl()
        case ("PUT", "faults"):
            _add_fault(office, body)
        case ("DELETE", "faults"):
            office.faults.clear()
        case ("PUT", "organizations", number):
            people.vet(office, _number(number), str(body.get("status")))
        case ("PUT", "orders", number):
            _order(office, _number(number), body)
        case ("PUT", "settings"):
            _settings(server, body)
        case _:
            raise not_found("control")
    return 200, {"ok": True}


def _number(text: str) -> int:
    return int(text) if text.isdecimal() and len(text) < 12 else 0


def _state(server: Steered) -> dict[str, object]:
    office = server.office
    return {
        "orders": [
            {
                "id": one.id,
                "status": one.status,
                "names": list(one.names),
                "reference": one.alternative,
                "proved": sorted(one.proved),
                "approvals": one.approvals,
            }
            for one in office.orders.values()
        ],
        "organizations": [
            {"id": one.id, "name": one.fields["name"], "status": one.status}
            for one in office.organizations.values()
        ],
        "calls": server.calls[-1000:],
    }


def _add_fault(office: Office, body: Mapping[str, Any]) -> None:
    try:
        office.faults.add(
            body["verb"],
            body["fault"],
            body.get("times", 1),
            body.get("seconds", 1.0),
            body.get("words", ""),
        )
    except (KeyError, ValueError, TypeError) as error:
        raise invalid("fault", f"A fault has verb, fault, times, seconds and words: {error}.") from None


def _order(office: Office, number: int, body: Mapping[str, Any]) -> None:
    order = issuing.order(office, number)
    match body.get("do"):
        case "reject":
            issuing.reject(office, order, str(body.get("words", "")) or "The order cannot be validated.")
        case "approve":
            people.approve(office, order, str(body.get("what", "")))
        case _:
            raise invalid("do", "do must be reject or approve.")


def _settings(server: Steered, body: Mapping[str, Any]) -> None:
    seconds = body.get("vetting_seconds", server.office.vetting_seconds)
    rate = body.get("rate", server.rate)
    proof = body.get("revocation_proof", server.office.revocation_proof)
    good = isinstance(rate, int) and isinstance(seconds, int | float | None) and isinstance(proof, bool)
    if not good:
        told = "vetting_seconds is a number or null, rate a number, revocation_proof true or false."
        raise invalid("settings", told)
    server.office.revocation_proof = proof
    server.office.vetting_seconds, server.rate = seconds, rate
