"""Makes accounts with their people in a running installation: one JSON object a line, in and out.

Run with the installation's environment. Asked `{"account": "j1", "cash": 100000}` (fen), it answers
`{"alice": session, …}`: Alice and Bob are users, Otto and Olga RA officers, Rita reads. `{"account": ""}`
asks for the administrator of the operating account.
"""

import json
import sys
import time

PASSWORD = "correct horse battery"
PEOPLE = {
    "alice": ["users"],
    "bob": ["users"],
    "rita": ["readers"],
    "otto": ["officers"],
    "olga": ["officers"],
}


def main() -> None:
    from certdesk.interfaces.cli import start

    start.django()
    for line in sys.stdin:
        wanted = json.loads(line)
        answer = _account(wanted["account"], wanted["cash"]) if wanted["account"] else _operator()
        print(json.dumps(answer), flush=True)  # noqa: T201  # the answer


def _account(name: str, cash: int) -> dict[str, str]:
    from certdesk.foundation.common import clock
    from certdesk.foundation.iam import actions as iam
    from certdesk.foundation.iam.principal import system_principal
    from certdesk.lifecycle.orders import actions as orders

    account = iam.create_account(name)
    if cash:
        orders.credit(account.id, "CNY", cash, "start", clock.now(), system_principal("", "cli"))
    people = {}
    for person, groups in PEOPLE.items():
        user = iam.create_user(account, person, PASSWORD if person == "alice" else None, groups)
        people[person] = _session(user)
    return people


def _operator() -> dict[str, str]:
    from certdesk.foundation.iam.models import User

    return {"admin": _session(User.objects.get(login="admin"))}


def _session(user: object) -> str:
    """The cookie of a browser in which the user has signed in."""
    from django.test import Client

    client = Client()
    client.force_login(user, backend="certdesk.interfaces.console.accounts.Backend")  # type: ignore[arg-type]
    session = client.session
    session["signed_in"] = {"method": "password", "mfa": False, "at": time.time(), "enrol": False}
    session.save()
    return str(client.cookies["sessionid"].value)


if __name__ == "__main__":
    main()
