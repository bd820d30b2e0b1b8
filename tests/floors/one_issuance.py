"""The process of `test_every_sync`: prepares a data folder, issues once in it, or settles what was left.

    one_issuance.py prepare|issue|settle FILE

`prepare` writes the request bodies to FILE, `issue` reads one and prints the answer, `settle` serves: for
each line on its input it settles what the last kill left, runs the jobs, and prints how many it settled.
"""

import json
import os
import sys
from pathlib import Path
from typing import Any

NAME = "sync-shop.com"


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "certdesk.config.django")
    import django

    django.setup()
    what, file = sys.argv[1], Path(sys.argv[2])
    {"prepare": prepare, "issue": issue, "settle": settle}[what](file)


def prepare(file: Path) -> None:
    """Schema, CA, an account with money, and a name proved by the whole path against the lab DNS server."""
    from django.core.management import call_command
    from django.db import connections

    from certdesk.config.settings import load
    from certdesk.foundation.common import session_key
    from certdesk.foundation.iam import actions as iam
    from certdesk.foundation.jobs import registry
    from certdesk.foundation.sealing import kek
    from tests.support.crowd import csr
    from tests.support.desk import open_desk

    kek.ensure_kek_file()
    session_key.ensure(load())
    call_command("migrate", verbosity=0, interactive=False)
    registry.discover()
    iam.ensure_system_policies()
    with open_desk() as desk:
        iam.ensure_groups(desk.account)
        iam.create_user(desk.account, "issuer", None, ["users"])
        desk.issued(NAME)
    item = {
        "cert_brand": "GEOTRUST",
        "cert_type": "DV_SSL_CERT",
        "domain": NAME,
        "effective_time": 1,
        "agree_privacy_protection": True,
    }
    bodies = {
        "certificates.issue": {**item, "csr": csr(NAME)},
        "certificates.batch_issue": {"items": [{**item, "key_algorithm": "EC_P256"} for _ in range(3)]},
    }
    file.write_text(json.dumps(bodies), encoding="ascii")
    connections.close_all()


def issue(file: Path) -> None:
    """One issuance as the API runs it, by the same call."""
    import certdesk.interfaces.operations.index  # noqa: F401  # declares the operations
    from certdesk.foundation.iam import queries
    from certdesk.foundation.iam.models import User
    from certdesk.foundation.iam.principal import Via
    from certdesk.interfaces.operations import registry

    name = os.environ["ISSUE_OPERATION"]
    body: Any = json.loads(file.read_text(encoding="ascii"))[name]
    principal = queries.principal_of(User.objects.get(name="issuer"), Via.API)
    status, answer = registry.call(name, principal, body=body)
    sys.stdout.write(json.dumps({"status": status, "answer": answer}))


def settle(file: Path) -> None:
    """Serves until its input ends. The data folder is another one at each line, under the same path."""
    from django.db import connection, connections

    from certdesk.foundation.jobs import registry, testing
    from certdesk.lifecycle.issuance.reconcile import reconcile
    from certdesk.pki.authority import issuers

    registry.discover()
    for _ in sys.stdin:
        issuers.forget()
        with connection.cursor() as cursor:
            durable = [
                cursor.execute(f"PRAGMA {name}").fetchone()[0] for name in ("journal_mode", "synchronous")
            ]
        answer = {"settled": reconcile(0.0), "durable": durable}
        testing.run_due(100, strict=True)
        connections.close_all()
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
